"""Signing in and up on the page, and arriving by a link."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cityverse.accounts.http import END, PROVIDER, START
from cityverse.accounts.tokens import new_proof
from cityverse.domain.people import Role, Status
from cityverse.errors import CodeNeeded, StoreUnavailable
from cityverse.settings import current
from cityverse.ui import signed_in

PAGE = "pages/SignIn.py"
ADA = "ada@example.org"
PASSWORD = "tomate courge poireau"
OTHER = "vélo brume canal neuf"


def at(app, accounts, **parameters):
    return app.open(PAGE, **parameters)


def choose(app, way):
    app.test.segmented_control(key="account_way").set_value(way)
    app.run()


def fill_sign_up(app, email=ADA, password=PASSWORD, again=None, consents=True):
    choose(app, "account.sign_up")
    app.test.checkbox(key="sign_up_consents").set_value(consents)
    app.field("Prénom").set_value("Ada")
    app.field("Nom").set_value("Lovelace")
    app.field("E-mail").set_value(email)
    app.field("Mot de passe").set_value(password)
    app.field("Mot de passe, encore une fois").set_value(password if again is None else again)
    app.button("Créer mon compte").click()
    app.run()


def sign_in(app, email=ADA, password=PASSWORD):
    app.field("E-mail").set_value(email)
    app.field("Mot de passe").set_value(password)
    app.button("Se connecter").click()
    app.run()


class TestSigningIn:
    def test_the_browser_is_handed_a_ticket_that_opens_a_session(self, app, accounts, person):
        person(signed_in=False)
        at(app, accounts)
        sign_in(app)
        handed = app.handed_over()
        assert handed["url"] == START
        assert handed["next"] == "/"
        cookie, _ = accounts.exchange(handed["ticket"], None)
        assert accounts.session(cookie).user.email == ADA

    def test_it_leads_back_to_where_one_came_from(self, app, accounts, person):
        person(signed_in=False)
        app.open("pages/Feed.py")
        app.test.switch_page(PAGE)
        app.run()
        sign_in(app)
        assert app.handed_over()["next"] == "/Feed"

    def test_nothing_of_authority_stands_in_the_state(self, app, accounts, person):
        person(signed_in=False)
        at(app, accounts)
        sign_in(app)
        state = app.test.session_state._state.filtered_state
        assert not {"authentication_status", "username", "roles", "user", "name"} & set(state)
        assert PASSWORD not in str(state)

    @pytest.mark.parametrize(("email", "password"), [(ADA, OTHER), ("eve@example.org", PASSWORD)])
    def test_what_is_wrong_is_one_answer_and_stays_typed(
        self, app, accounts, person, email, password
    ):
        person(signed_in=False)
        at(app, accounts)
        sign_in(app, email, password)
        assert "E-mail ou le mot de passe" in app.said() or "e-mail ou le mot" in app.said()
        assert app.field("E-mail").value == email
        assert app.handed_over() is None

    def test_a_store_that_is_away_is_said_and_what_was_typed_stays(
        self, app, accounts, monkeypatch
    ):
        at(app, accounts)

        def away(*_):
            raise StoreUnavailable("away")

        monkeypatch.setattr(type(accounts), "sign_in", away)
        sign_in(app)
        assert "hors d'atteinte" in app.said()
        assert app.field("E-mail").value == ADA

    def test_who_is_signed_in_is_told_so(self, app, accounts, person):
        person()
        at(app, accounts)
        assert ADA in app.said()
        assert not app.test.text_input(key="q").value
        assert not [one for one in app.test.text_input if one.label == "Mot de passe"]

    def test_a_failed_handing_over_is_said(self, app, accounts, person):
        person(signed_in=False)
        at(app, accounts)
        sign_in(app)
        app.test.session_state["_notice"] = "account.session_failed"
        del app.test.session_state["_handing_over"]
        app.run()
        assert "Connectez-vous de nouveau" in app.said()


class TestSigningUp:
    def test_a_message_is_on_its_way_and_its_link_opens_a_session(self, app, accounts):
        at(app, accounts)
        fill_sign_up(app)
        assert ADA in app.said()
        assert "outbox" in app.said()
        again = type(app)()
        again.open(PAGE, link=accounts.sender.link())
        assert ADA in again.said()
        again.field("Mot de passe").set_value(PASSWORD)
        again.button("Confirmer").click()
        again.run()
        cookie, _ = accounts.exchange(again.handed_over()["ticket"], None)
        assert accounts.session(cookie).user.verified_at

    def test_a_creator_is_one_from_the_start(self, app, accounts):
        at(app, accounts)
        choose(app, "account.sign_up")
        app.test.radio(key="sign_up_role").set_value(Role.CREATOR)
        fill_sign_up(app)
        assert accounts.store.users.find_by_email(ADA).role is Role.CREATOR

    def test_taken_looks_the_same(self, app, accounts, person):
        person(signed_in=False)
        at(app, accounts)
        fill_sign_up(app, password=OTHER)
        assert "Regardez vos messages" in [one.value for one in app.test.subheader]

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"consents": False}, "demande votre accord"),
            ({"email": "no e-mail"}, "adresse e-mail ne peut pas"),
            ({"password": "password1234"}, "ne se devine pas"),
            ({"password": "x" * 2000}, "1 024"),
            ({"again": OTHER}, "diffèrent"),
            ({"password": "", "again": ""}, "Remplissez"),
        ],
    )
    def test_what_cannot_be_used_is_said_and_stays_typed(self, app, accounts, changes, said):
        at(app, accounts)
        fill_sign_up(app, **changes)
        assert said in app.said()
        assert app.field("Prénom").value == "Ada"
        assert app.field("E-mail").value == changes.get("email", ADA)
        assert not accounts.sender.sent

    @pytest.mark.parametrize(
        "name", ["<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "\u202eadA", "🚲" * 40]
    )
    def test_markup_in_a_name_is_text(self, app, accounts, person, name):
        one = person()
        accounts.rename(one, name, "")
        app.open()
        labels = [link.proto.label for link in app.test.get("page_link")]
        shown = next(label for label in labels if name[1:4] in label.replace("\\", ""))
        assert shown.replace("\\", "").strip() == name
        assert not re.search(r"(?<!\\)[<\[]", shown)


class TestForgotten:
    def test_a_link_sets_a_new_password_and_opens_a_session(self, app, accounts, person):
        person(signed_in=False)
        at(app, accounts)
        choose(app, "account.forgotten")
        app.field("E-mail").set_value(ADA)
        app.button("Envoyer le lien").click()
        app.run()
        said = app.said()
        again = type(app)()
        again.open(PAGE, link=accounts.sender.link())
        again.field("Nouveau mot de passe").set_value(OTHER)
        again.field("Nouveau mot de passe, encore une fois").set_value(PASSWORD)
        again.button("Enregistrer").click()
        again.run()
        assert "diffèrent" in again.said()
        again.field("Nouveau mot de passe, encore une fois").set_value(OTHER)
        again.button("Enregistrer").click()
        again.run()
        assert again.handed_over()["url"] == START
        accounts.sender.sent.clear()
        stranger = type(app)()
        stranger.open(PAGE)
        choose(stranger, "account.forgotten")
        stranger.field("E-mail").set_value("eve@example.org")
        stranger.button("Envoyer le lien").click()
        stranger.run()
        assert stranger.said().replace("eve@", "ada@") == said
        assert not accounts.sender.sent

    @pytest.mark.parametrize("link", ["x", "<b>", "é" * 3000])
    def test_what_is_no_link_is_said(self, app, accounts, link):
        at(app, accounts, link=link)
        assert "Ce lien a déjà servi" in app.said()


class TestFirstAdmin:
    def test_somebody_new_becomes_it(self, app, accounts):
        token = accounts.offer_first_admin().partition("link=")[2]
        at(app, accounts, link=token)
        app.test.checkbox(key="sign_up_consents").set_value(True)
        app.field("Prénom").set_value("Ada")
        app.field("E-mail").set_value(ADA)
        app.field("Mot de passe").set_value(PASSWORD)
        app.field("Mot de passe, encore une fois").set_value(PASSWORD)
        app.button("Créer mon compte").click()
        app.run()
        assert app.handed_over()["url"] == START
        assert accounts.store.users.find_by_email(ADA).role is Role.ADMIN

    def test_somebody_signed_in_becomes_it(self, app, accounts, person):
        one = person()
        token = accounts.offer_first_admin().partition("link=")[2]
        at(app, accounts, link=token)
        app.button("Devenir administrateur").click()
        app.run()
        assert accounts.store.users.get(one.id).role is Role.ADMIN
        assert "maintenant administrateur" in app.said()


class TestSigningOut:
    def test_the_session_ends_and_the_browser_drops_its_cookie(self, app, accounts, person):
        person()
        app.open()
        assert "Ada" in str([link.proto.label for link in app.test.get("page_link")])
        app.button("Se déconnecter").click()
        app.run()
        assert app.handed_over()["url"] == END
        again = type(app)()
        again.open()
        assert not [one for one in again.test.button if one.label == "Se déconnecter"]


class TestByAProvider:
    """What the page does with a proof; how one is got stands in ``tests/accounts``."""

    @pytest.fixture
    def proven(self, accounts, monkeypatch):
        """Shows the cookie of a proof on the present connection."""
        monkeypatch.setenv("CITYVERSE_OIDC_ISSUER", "https://login.example.org")
        monkeypatch.setenv("CITYVERSE_OIDC_CLIENT_ID", "cityverse")
        current.cache_clear()

        def show(email=ADA):
            now = datetime.now(UTC)
            cookie = accounts.keys.proof(new_proof(email, "Ada", "Byron", "/Feed", now), now)
            monkeypatch.setattr(signed_in, "_cookie_of", {"cityverse_provider": cookie}.get)

        return show

    def test_the_button_leads_there_and_what_came_to_nothing_is_said(self, app, accounts, proven):
        app.open(PAGE, provider="unverified")
        assert "ne confirme pas votre adresse" in app.said()
        app.test.query_params["provider"] = "<b>made up</b>"
        app.run()
        assert "made up" not in app.said()
        app.test.button(key="to_provider").click()
        app.run()
        assert app.handed_over()["url"] == PROVIDER

    def test_without_a_provider_there_is_no_button(self, app, accounts):
        at(app, accounts)
        assert "to_provider" not in {button.key for button in app.test.button}

    def test_a_proof_opens_an_account_and_no_other_way_is_asked(
        self, app, accounts, person, proven
    ):
        person(signed_in=False)
        proven()
        at(app, accounts)
        handed = app.handed_over()
        assert (handed["url"], handed["next"]) == (START, "/Feed")
        cookie, _ = accounts.exchange(handed["ticket"], None)
        assert accounts.session(cookie).user.email == ADA

    def test_somebody_new_gives_what_is_missing(self, app, accounts, proven):
        proven("eve@example.org")
        at(app, accounts)
        assert app.field("Nom").value == "Byron"
        app.button("Créer mon compte").click()
        app.run()
        assert app.test.error  # without consent
        app.test.checkbox[-1].check()
        app.button("Créer mon compte").click()
        app.run()
        cookie, _ = accounts.exchange(app.handed_over()["ticket"], None)
        user = accounts.session(cookie).user
        assert (user.first_name, user.last_name, user.email) == ("Ada", "Byron", "eve@example.org")

    def test_an_account_never_confirmed_asks_for_its_password(self, app, accounts, person, proven):
        user = person(signed_in=False)
        accounts.store.users.replace(
            accounts.store.users.get(user.id),
            replace(accounts.store.users.get(user.id), verified_at=None),
        )
        proven()
        at(app, accounts)
        app.field("Mot de passe").set_value(PASSWORD)
        app.button("Confirmer").click()
        app.run()
        assert accounts.exchange(app.handed_over()["ticket"], None)

    def test_a_suspended_account_is_told_so(self, app, accounts, person, proven):
        user = accounts.store.users.get(person(signed_in=False).id)
        accounts.store.users.replace(user, replace(user, status=Status.SUSPENDED))
        proven()
        at(app, accounts)
        assert "suspendu" in app.said()
        assert app.handed_over() is None


def test_a_second_click_goes_on_with_the_question_for_a_code(app, accounts, monkeypatch):
    """The first click used the link up; the run of the second one asks for the code as well."""
    state = {}
    monkeypatch.setattr(signed_in.st, "session_state", state)
    monkeypatch.setattr(signed_in, "_cookie", lambda: None)
    opened = []

    def open_():
        opened.append(1)
        raise CodeNeeded("a step")

    for _ in range(2):
        with pytest.raises(CodeNeeded, match="second factor"):
            signed_in.begin(open_)
    assert opened == [1]
    signed_in.begin_anew()
    with pytest.raises(CodeNeeded):
        signed_in.begin(open_)
    assert opened == [1, 1]
