"""The second factor on the pages: switching it on, signing in by it, and being led to it."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pyotp
import pytest

from cityverse.accounts import accounts as use_cases
from cityverse.accounts.accounts import Client
from cityverse.accounts.http import START
from cityverse.accounts.second_factor import new_secret
from cityverse.domain.people import RECOVERY_CODES, Role
from cityverse.errors import CodeNeeded
from cityverse.ui import signed_in

ADA = "ada@example.org"
PASSWORD = "tomate courge poireau"
HERE = Client("local", "fr")
PROFILE, SIGN_IN, SOURCES = "pages/Profile.py", "pages/SignIn.py", "pages/Sources.py"
MOMENT = datetime.now(UTC)


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch):
    """One moment for all of a test, so that no time step ends within it."""
    monkeypatch.setitem(globals(), "MOMENT", datetime.now(UTC))
    monkeypatch.setattr(use_cases, "_now", lambda: MOMENT)


def code(secret, steps=0):
    return pyotp.TOTP(secret).at(MOMENT, counter_offset=steps)


@pytest.fixture
def protected(accounts, person):
    """Somebody with a second factor who is signed out, its secret and recovery codes."""
    who, secret = person(signed_in=False), new_secret()
    _, codes = accounts.switch_on(who, secret, PASSWORD, code(secret, -1), HERE)
    return secret, codes


def give_password(app):
    app.open(SIGN_IN)
    app.field("E-mail").set_value(ADA)
    app.field("Mot de passe").set_value(PASSWORD)
    app.button("Se connecter").click()
    return app.run()


def give_code(app, text):
    app.test.text_input(key="sign_in_code").set_value(text)
    app.button("Se connecter").click()
    return app.run()


def test_it_is_switched_on_with_picture_key_and_codes(app, accounts, person):
    who = person()
    app.open(PROFILE)
    app.button("Activer le second facteur").click()
    app.run()
    secret = app.test.code[0].value.replace(" ", "")
    picture = app.test.image[0].proto.imgs[0].url
    assert picture.startswith("data:image/svg+xml")
    assert b"<script" not in base64.b64decode(picture.partition(",")[2])
    app.test.text_input(key="second_factor_password").set_value(PASSWORD)
    app.test.text_input(key="second_factor_code").set_value("000000")
    app.button("Activer").click()
    app.run()
    assert "Ce code est faux" in app.said()
    assert app.test.code[0].value.replace(" ", "") == secret
    app.test.text_input(key="second_factor_code").set_value(code(secret))
    app.button("Activer").click()
    app.run()
    handed = app.handed_over()
    assert (handed["url"], handed["next"]) == (START, "/Profile")
    assert handed["label"] == "Je les ai notés : continuer"
    codes = app.test.code[0].value.split()
    assert len(set(codes)) == RECOVERY_CODES
    cookie, _ = accounts.exchange(handed["ticket"], None)
    assert accounts.session(cookie).user.id == who.id
    app.run()
    assert app.test.code[0].value.split() == codes  # they stay until one has gone on


def test_codes_are_shown_to_no_other_connection(app, accounts, person, cookie):
    who, secret = person(), new_secret()
    _, codes = accounts.switch_on(who, secret, PASSWORD, code(secret), HERE)
    app.test.session_state["_handing_over"] = signed_in._HandOver(
        START, "/", signed_in._cookie(), "ticket", codes, ready=True
    )
    cookie(None)
    app.run()
    assert app.handed_over() is None
    assert codes[0] not in str([one.value for one in app.test.code])


def test_it_can_be_left_and_switched_off(app, accounts, cookie, protected):
    secret, codes = protected
    with pytest.raises(CodeNeeded) as needed:
        accounts.sign_in(ADA, PASSWORD, HERE)
    cookie(accounts.exchange(accounts.enter_code(needed.value.step, codes[0], HERE), None)[0])
    app.open(PROFILE)
    assert f"Codes de secours restants : {RECOVERY_CODES - 1}." in app.said()
    app.test.text_input(key="second_factor_password").set_value(PASSWORD)
    app.test.text_input(key="second_factor_code").set_value(code(secret))
    app.button("Désactiver").click()
    app.run()
    assert "Le second facteur est désactivé" in app.said()
    assert accounts.store.users.find_by_email(ADA).second_factor is None


def test_the_code_is_asked_after_the_password(app, accounts, protected):
    secret, _ = protected
    give_password(app)
    assert "Code de votre application" in [one.value for one in app.test.subheader]
    assert app.handed_over() is None
    give_code(app, "123")
    assert "Ce code est faux" in app.said()
    give_code(app, code(secret))
    cookie, _ = accounts.exchange(app.handed_over()["ticket"], None)
    assert accounts.session(cookie).user.email == ADA


def test_one_can_start_over(app, protected):
    give_password(app)
    app.button("Recommencer").click()
    app.run()
    assert app.field("E-mail")


def test_a_step_that_has_ended_leads_back_to_the_password(app, accounts, protected):
    secret, _ = protected
    give_password(app)
    accounts.sign_out_everywhere(accounts.store.users.find_by_email(ADA))
    give_code(app, code(secret))
    assert "recommencez par le mot de passe" in app.said()
    assert app.field("E-mail")


def test_a_role_that_waits_for_it_is_led_there(app, accounts, person, monkeypatch):
    strict = replace(accounts, settings=replace(accounts.settings, second_factor_required=True))
    monkeypatch.setattr(signed_in, "_accounts", lambda _: strict)
    person(Role.MANAGER)
    app.open(SOURCES)
    assert "ne compte qu'avec un second facteur" in app.said()
    assert "Votre rôle ne le permet pas" in app.said()
    app.test.switch_page(PROFILE)
    app.run()
    assert app.button("Activer le second facteur")
