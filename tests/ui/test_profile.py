"""One's own account on the page, and who may open which page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cityverse.accounts.accounts import Client
from cityverse.accounts.http import END, START
from cityverse.domain import policy
from cityverse.domain.digests import Pace
from cityverse.domain.news import TopicName
from cityverse.domain.people import Role, Status
from cityverse.errors import StoreUnavailable
from cityverse.ui import shell, signed_in

ROOT = Path(__file__).parents[2]
PAGE = "pages/Profile.py"
ADA = "ada@example.org"
PASSWORD = "tomate courge poireau"
OTHER = "vélo brume canal neuf"
SCRIPTS = ["Home.py", *sorted(f"pages/{file.name}" for file in (ROOT / "pages").glob("*.py"))]


@pytest.fixture
def profile(app, person):
    one = person()
    app.open(PAGE)
    return one


def test_names_are_saved(app, accounts, profile):
    app.field("Prénom").set_value("Augusta")
    app.button("Enregistrer").click()
    app.run()
    assert accounts.store.users.get(profile.id).first_name == "Augusta"
    assert "Enregistré." in app.said()


def test_a_name_that_cannot_be_used_stays_typed(app, accounts, profile):
    app.field("Prénom").set_value(" ")
    app.button("Enregistrer").click()
    app.run()
    assert "Il faut un prénom" in app.said()
    assert accounts.store.users.get(profile.id).first_name == "Ada"


def test_an_email_is_confirmed_by_its_link(app, accounts, profile):
    app.field("Nouvelle adresse").set_value("new@example.org")
    app.test.text_input(key="email_password").set_value(PASSWORD)
    app.button("Changer l'adresse").click()
    app.run()
    assert "new@example.org" in app.said()
    assert accounts.store.users.get(profile.id).email == ADA
    link = next(m for m in accounts.sender.sent if m["To"] == "new@example.org").get_content()
    again = type(app)()
    again.open("pages/SignIn.py", link=link.partition("link=")[2].split()[0])
    again.button("Utiliser cette adresse").click()
    again.run()
    assert accounts.store.users.get(profile.id).email == "new@example.org"


def test_a_password_changes_and_this_browser_stays_signed_in(app, accounts, profile):
    app.field("Mot de passe actuel", 1).set_value(PASSWORD)
    app.field("Nouveau mot de passe").set_value(OTHER)
    app.field("Nouveau mot de passe, encore une fois").set_value(OTHER)
    app.button("Changer le mot de passe").click()
    app.run()
    handed = app.handed_over()
    assert (handed["url"], handed["next"]) == (START, "/Profile")
    cookie, _ = accounts.exchange(handed["ticket"], None)
    assert accounts.session(cookie).user.id == profile.id


@pytest.mark.parametrize(
    ("present", "new", "again", "said"),
    [
        (OTHER, "encore un autre mot", "encore un autre mot", "mot de passe est faux"),
        (PASSWORD, OTHER, "x" * 20, "diffèrent"),
        (PASSWORD, PASSWORD, PASSWORD, "est l'actuel"),
        (PASSWORD, "password1234", "password1234", "ne se devine pas"),
        (PASSWORD, "", "", "Remplissez"),
    ],
)
def test_a_password_that_cannot_change_is_said(app, accounts, profile, present, new, again, said):
    app.field("Mot de passe actuel", 1).set_value(present)
    app.field("Nouveau mot de passe").set_value(new)
    app.field("Nouveau mot de passe, encore une fois").set_value(again)
    app.button("Changer le mot de passe").click()
    app.run()
    assert said in app.said()
    assert app.handed_over() is None


def test_all_sessions_end(app, accounts, profile):
    app.button("Se déconnecter partout").click()
    app.run()
    assert app.handed_over()["url"] == END
    assert accounts.store.users.get(profile.id).session_version == 2


def test_an_account_is_deleted_by_its_typed_address_and_password(app, accounts, profile):
    app.button("Supprimer mon compte").click()
    app.run()
    assert "pas l'adresse" in app.said()
    app.field(next(f.label for f in app.test.text_input if "Pour confirmer" in f.label)).set_value(
        ADA
    )
    app.test.text_input(key="delete_password").set_value(PASSWORD)
    app.button("Supprimer mon compte").click()
    app.run()
    assert app.handed_over()["url"] == END
    assert accounts.store.users.find_by_email(ADA) is None


def secret_of(app):
    return [one.value for one in app.test.title] if "Mon compte" in app.said() else []


def test_a_session_that_ended_elsewhere_writes_nothing(app, accounts, profile):
    accounts.sign_out_everywhere(accounts.store.users.get(profile.id))
    app.field("Prénom").set_value("Eve")
    app.button("Enregistrer").click()
    app.run()
    assert accounts.store.users.get(profile.id).first_name == "Ada"
    assert "Connectez-vous" in app.said()
    assert not secret_of(app)


def test_state_of_one_person_is_not_there_for_another(app, accounts, person, profile):
    app.test.session_state["draft"] = "private words"
    app.run()
    assert app.test.session_state["draft"] == "private words"
    person(email="eve@example.org")
    app.run()
    assert "draft" not in app.test.session_state


def test_state_is_gone_when_a_session_ends(app, accounts, cookie, profile):
    app.test.session_state["draft"] = "private words"
    app.test.session_state["language"] = "en"
    app.run()
    cookie(None)
    app.run()
    assert "draft" not in app.test.session_state
    assert app.test.session_state["language"] == "en"


def test_forged_state_opens_nothing(app, accounts):
    for name, value in {
        "authentication_status": True,
        "username": ADA,
        "roles": ["admin"],
        "_session_id": "x",
        "user": {"role": "admin"},
    }.items():
        app.test.session_state[name] = value
    app.open(PAGE)
    assert "Connectez-vous" in app.said()
    assert not secret_of(app)


def test_a_store_that_is_away_signs_nobody_in(app, accounts, monkeypatch, profile):
    def away(*_):
        raise StoreUnavailable("away")

    monkeypatch.setattr(type(accounts.store.users), "find_unless_revoked", away)
    app.run()
    assert "hors d'atteinte" in app.said()
    assert not secret_of(app)


def test_a_suspended_account_is_signed_out(app, accounts, profile):
    from dataclasses import replace

    users = accounts.store.users
    users.replace(users.get(profile.id), replace(users.get(profile.id), status=Status.SUSPENDED))
    app.run()
    assert not secret_of(app)


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_page_opens_for_whom_it_is(app, accounts, person, script, role):
    """Opened by its own address: its script runs first, and alone."""
    user = None if role is None else person(role)
    if script != "Home.py":
        app.test.switch_page(script)
    app.run()
    link = next(link for link in shell.PAGES if link.script == script)
    allowed = policy.may(user, link.needs, user and user.id)
    refused = "Connectez-vous" in app.said() or "ne le permet pas" in app.said()
    assert refused is not allowed
    shown = {page.proto.page for page in app.test.get("page_link")}
    for other in shell.PAGES:
        if other.title not in {shell.SIGN_IN.title, shell.PROFILE.title}:
            name, mine = Path(other.script).stem, user and user.id
            assert (name in shown) == policy.may(user, other.needs, mine) or name == "Home", name


PROGRAM = """
import sys
from streamlit.testing.v1 import AppTest
from cityverse.ui import server, signed_in
server._state["started"] = True
signed_in._cookie = lambda: sys.argv[2] or None
test = AppTest.from_file("Home.py", default_timeout=120)
if sys.argv[1] != "Home.py":
    test.switch_page(sys.argv[1])
test.run()
assert not test.exception, test.exception
said = [e.value for kind in ("title", "info", "error") for e in getattr(test, kind)]
print("\\n".join(said))
"""


@pytest.mark.slow
@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_page_in_a_fresh_process(app, accounts, person, script, role, settings):
    user, text = None, ""
    if role is not None:
        user = person(role)
        ticket = accounts.sign_in(ADA, PASSWORD, Client("local", "fr"))
        text = accounts.exchange(ticket, None)[0]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, script, text],
        cwd=ROOT,
        env={**os.environ, "CITYVERSE_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    link = next(link for link in shell.PAGES if link.script == script)
    allowed = policy.may(user, link.needs, user and user.id)
    refusal = "Connectez-vous pour" if user is None else "Votre rôle ne le permet pas"
    assert (refusal in done.stdout) is not allowed


# Callbacks and fragments run without the page around them.


def scripted():
    import streamlit as st

    from cityverse.domain.policy import Action
    from cityverse.ui import shell

    @shell.guarded(Action.SEE_ANALYTICS)
    def write(who, what):
        st.session_state["written"] = (who.id, what)

    st.button("Write", on_click=write, args=("x",))
    st.write(st.session_state.get("_notice", "nothing to say"))


@pytest.mark.parametrize(
    ("role", "notice"),
    [(None, "error.not_signed_in"), (Role.RESIDENT, "error.not_allowed"), (Role.MANAGER, None)],
)
def test_a_guarded_callback_looks_for_itself(app, accounts, person, role, notice):
    one = None if role is None else person(role)
    test = AppTest.from_function(scripted, default_timeout=30).run()
    test.button[0].click()
    test.run()
    if notice is None:
        assert test.session_state["written"] == (one.id, "x")
    else:
        assert "written" not in test.session_state
        assert test.markdown[0].value == notice


def test_a_callback_after_the_end_of_the_session_does_nothing(app, accounts, person):
    one = person(Role.MANAGER)
    test = AppTest.from_function(scripted, default_timeout=30).run()
    accounts.sign_out_everywhere(one)
    test.button[0].click()
    test.run()
    assert "written" not in test.session_state


def test_without_a_connection_there_is_no_cookie():
    assert signed_in._cookie() is None


def test_home_and_digest_are_chosen_and_taken_back(app, store, sign_in):
    sign_in()
    app.open()
    app.test.switch_page(PAGE)
    app.run()
    app.test.text_input(key="home_place_name").set_value("rue des martyrs")
    app.run()
    choice = next(radio for radio in app.test.radio if radio.label == "Lequel ?")
    choice.set_value(0)
    app.run()
    app.test.button(key="home_place_save").click()
    app.run()
    home = store.users.get("ana").address
    assert (home.place, home.evidence) == ("Rue des Martyrs", ())
    assert "Rue des Martyrs" in app.said()
    app.test.radio(key="digest_pace").set_value(Pace.WEEKLY)
    app.test.multiselect(key="digest_where").set_value([9, 18])
    app.test.multiselect(key="digest_topics").set_value([TopicName.SPORT])
    next(b for b in app.test.button if b.form_id == "digest_form").click()
    app.run()
    kept = store.digests.find("ana")
    assert (kept.pace, kept.arrondissements, kept.topics) == (
        Pace.WEEKLY,
        (9, 18),
        (TopicName.SPORT,),
    )
    app.test.radio(key="digest_pace").set_value("never")
    next(b for b in app.test.button if b.form_id == "digest_form").click()
    app.run()
    assert store.digests.find("ana") is None
    app.button("Oublier ce lieu").click()
    app.run()
    assert store.users.get("ana").address is None
