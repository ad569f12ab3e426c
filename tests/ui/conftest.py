"""Pages over the store of the tests."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit
from people_helpers import user
from streamlit.testing.v1 import AppTest

from cityverse import settings as all_settings
from cityverse.accounts import accounts as use_cases
from cityverse.accounts.accounts import Client
from cityverse.accounts.passwords import Hasher
from cityverse.accounts.tokens import Keys, new_session
from cityverse.domain.people import Role, User
from cityverse.ui import server, signed_in

PASSWORD = "tomate courge poireau"
ROOT = Path(__file__).parents[2]


class App:
    """The dashboard of one reader, with what our own components and the map drew."""

    def __init__(self):
        self.test = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=60)

    def open(self, page=None, **parameters):
        for name, value in parameters.items():
            self.test.query_params[name] = value
        if page is not None:
            # Drawing the first page before would take as long again, and tell nothing.
            self.test.switch_page(page)
        return self.run()

    def run(self):
        self.test.run()
        assert not self.test.exception, self.test.exception
        return self

    def words(self, key="cards"):
        """What the list of cards was given."""
        for element in self.test.get("bidi_component"):
            if element.proto.component_name == "cityverse_cards" and key in element.proto.id:
                return json.loads(element.proto.json)
        return {"items": []}

    def cards(self, key="cards"):
        return self.words(key)["items"]

    def titles(self, key="cards"):
        return {card["title"] for card in self.cards(key)}

    def deck(self):
        return json.loads(self.test.get("deck_gl_json_chart")[0].proto.json)

    def pins(self):
        layer = next(layer for layer in self.deck()["layers"] if layer["id"] == "pins")
        return {row["id"]: row for row in layer["data"]}

    def html(self):
        return "\n".join(element.proto.body for element in self.test.get("html"))

    def said(self):
        kinds = ("markdown", "caption", "info", "warning", "error", "title", "success")
        return "\n".join(part.value for kind in kinds for part in getattr(self.test, kind))

    def field(self, label, number=0):
        return [one for one in self.test.text_input if one.label == label][number]

    def handed_over(self):
        """What the browser is asked to bring to a route, or None."""
        for element in self.test.get("bidi_component"):
            if element.proto.component_name == "cityverse_session":
                return json.loads(element.proto.json)
        return None

    def button(self, label):
        return next(button for button in self.test.button if label in button.label)


def _forget():
    all_settings.current.cache_clear()
    streamlit.cache_resource.clear()
    streamlit.cache_data.clear()


@pytest.fixture
def app(settings, store, monkeypatch):
    """A reader in front of an empty store, started as ``app.py`` does."""
    monkeypatch.setenv("CITYVERSE_DATA_DIR", str(settings.data_dir))
    monkeypatch.setitem(server._state, "started", True)
    _forget()
    yield App()
    _forget()


class Kept:
    """Takes messages, at once."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)

    def link(self):
        return re.search(r"link=(\S+)", self.sent[-1].get_content())[1]


@pytest.fixture
def accounts(app, settings, store, monkeypatch):
    """The accounts of the dashboard, with cheap passwords and letters that are kept."""
    cheap = {"password_rounds": 1, "password_mebibytes": 1}
    made = replace(
        use_cases.over(settings, store),
        hasher=Hasher(replace(settings, **cheap)),
        sender=Kept(),
        background=lambda task: task(),
    )
    monkeypatch.setattr(signed_in, "_accounts", lambda _: made)
    return made


@pytest.fixture
def cookie(monkeypatch):
    """Sets the cookie that the present connection shows."""

    def show(text):
        monkeypatch.setattr(signed_in, "_cookie", lambda: text)

    return show


@pytest.fixture
def person(accounts, cookie):
    """Somebody with an account and a role, and, if wanted, signed in."""

    def make(role=Role.RESIDENT, email="ada@example.org", *, signed_in=True):
        user = User(
            id=email.partition("@")[0],
            created=datetime.now(UTC),
            email=email,
            first_name="Ada",
            last_name="Lovelace",
            password_hash=accounts.hasher.hash(PASSWORD),
            role=role,
            verified_at=datetime.now(UTC),
        )
        accounts.store.users.create(user)
        if signed_in:
            ticket = accounts.sign_in(email, PASSWORD, Client("local", "fr"))
            cookie(accounts.exchange(ticket, None)[0])
        return user

    return make


@pytest.fixture
def sign_in(store, settings, monkeypatch):
    """Sign somebody in, as the cookie of their browser does."""

    def signed(item_id="ana", **fields):
        now = datetime.now(UTC)
        who = store.users.create(user(item_id, email=f"{item_id}@example.org", **fields))
        keys = Keys.of(settings)
        cookie = keys.session(new_session(who.id, who.session_version, now, 1), now)
        monkeypatch.setattr(signed_in, "_cookie", lambda: cookie)
        return who

    return signed
