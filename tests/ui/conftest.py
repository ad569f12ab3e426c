"""Pages over the store of the tests."""

import json
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cityverse import settings as all_settings
from cityverse.ui import server

ROOT = Path(__file__).parents[2]


class App:
    """The dashboard of one reader, with what our own components and the map drew."""

    def __init__(self):
        self.test = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=30)

    def open(self, page=None, **parameters):
        for name, value in parameters.items():
            self.test.query_params[name] = value
        self.run()
        if page is not None:
            self.test.switch_page(page)
            self.run()
        return self

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
