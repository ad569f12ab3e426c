"""Accounts over the store of the tests: cheap passwords, letters that are kept in a list."""

from __future__ import annotations

import re

import pytest
from accounts_helpers import HERE, PASSWORD
from helpers import clear, settings_for

from cityverse.accounts.accounts import Accounts, SignUp
from cityverse.accounts.passwords import Hasher
from cityverse.accounts.second_factor import Vault
from cityverse.accounts.tokens import Keys
from cityverse.domain.people import Role


class Letters:
    """Takes messages; ``link`` is the token of the newest link somebody got."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)

    def subjects(self, to):
        return [message["Subject"] for message in self.sent if message["To"] == to]

    def link(self, to):
        texts = [m.get_content() for m in self.sent if m["To"] == to]
        return [found[1] for text in texts if (found := re.search(r"link=(\S+)", text))][-1]


@pytest.fixture
def store(store, dynamo):
    """A store in which nobody has an account."""
    clear(dynamo, "User")
    return store


@pytest.fixture
def letters():
    return Letters()


@pytest.fixture(scope="session")
def hasher(tmp_path_factory):
    return Hasher(
        settings_for(
            tmp_path_factory.mktemp("hasher"),
            CITYVERSE_PASSWORD_ROUNDS="1",
            CITYVERSE_PASSWORD_MEBIBYTES="1",
        )
    )


@pytest.fixture
def accounts(store, settings, letters, hasher):
    return Accounts(
        store=store,
        settings=settings,
        keys=Keys([b"a secret of the tests, 32 bytes."]),
        hasher=hasher,
        vault=Vault(b"another secret of the tests....."),
        sender=letters,
        background=lambda task: task(),
    )


@pytest.fixture
def form():
    def make(email="ada@example.org", **changes):
        fields = {
            "email": email,
            "password": PASSWORD,
            "first_name": "Ada",
            "last_name": "Lovelace",
            "role": Role.RESIDENT,
            "consents": True,
        }
        return SignUp(**(fields | changes))

    return make


@pytest.fixture
def somebody(accounts, form, letters):
    """Somebody with a confirmed account, as the store knows them."""

    def make(email="ada@example.org", **changes):
        accounts.sign_up(form(email, **changes), HERE)
        accounts.confirm(letters.link(email), changes.get("password", PASSWORD), HERE)
        return accounts.store.users.find_by_email(email)

    return make


@pytest.fixture
def cookie_of(accounts):
    """The cookie of a session that a ticket is exchanged for."""

    def make(ticket):
        cookie, _ = accounts.exchange(ticket, None)
        return cookie

    return make
