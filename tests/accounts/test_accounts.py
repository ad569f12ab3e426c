"""The use cases of accounts, from signing up to deleting."""

import dataclasses
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import bcrypt
import pytest
from accounts_helpers import HERE, OTHER, PASSWORD
from people_helpers import at_once, rows, user

from cityverse import worker
from cityverse.accounts import accounts as module
from cityverse.accounts.accounts import (
    MAIL_BY_ACCOUNT,
    SIGN_IN_BY_ACCOUNT,
    SIGN_UP_BY_ADDRESS,
    TERMS_VERSION,
    Client,
)
from cityverse.accounts.tokens import link_id
from cityverse.data.throttles import Limit
from cityverse.domain.people import Purpose, Role, Status
from cityverse.errors import (
    InvalidField,
    LinkUnusable,
    NotFound,
    SignInFailed,
    Taken,
    TooManyAttempts,
)

ADA = "ada@example.org"


def later(monkeypatch, **by):
    """Let the use cases believe that so much time has passed."""
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(**by))


class TestSigningUp:
    def test_an_account_is_made_with_consent_and_role(self, accounts, form):
        accounts.sign_up(form(role=Role.CREATOR), HERE)
        made = accounts.store.users.find_by_email(ADA)
        assert (made.first_name, made.last_name, made.role) == ("Ada", "Lovelace", Role.CREATOR)
        (consent,) = made.consents
        assert consent.version == TERMS_VERSION
        assert abs(consent.time - datetime.now(UTC)) < timedelta(minutes=5)
        assert made.verified_at is None
        assert made.password_hash.startswith("$argon2id$")

    def test_the_password_stands_nowhere(self, accounts, form, dynamo):
        accounts.sign_up(form(), HERE)
        assert PASSWORD not in str(rows(dynamo, "User"))

    def test_the_token_of_a_link_stands_nowhere(self, accounts, form, letters, dynamo):
        accounts.sign_up(form(), HERE)
        token = letters.link(ADA)
        (row,) = rows(dynamo, "Link")
        assert row["id"] == link_id(token)
        assert token not in str(row)

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
    def test_other_roles_are_not_to_be_had(self, accounts, form, role):
        with pytest.raises(InvalidField) as refused:
            accounts.sign_up(form(role=role), HERE)
        assert refused.value.field == "role"

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"consents": False}, "consent"),
            ({"email": "no e-mail"}, "email"),
            ({"email": "x" * 300 + "@example.org"}, "email"),
            ({"email": "a@example.org\r\nBcc: b@example.org"}, "email"),
            ({"first_name": ""}, "first_name"),
            ({"first_name": "x" * 10_000}, "first_name"),
            ({"first_name": "A\x00da"}, "first_name"),
            ({"last_name": "\x1b[2J"}, "last_name"),
            ({"password": "password1234"}, "password"),
            ({"password": "x" * 10_000}, "password"),
        ],
    )
    def test_what_cannot_be_used_is_refused_by_name(self, accounts, form, dynamo, changes, field):
        with pytest.raises(InvalidField) as refused:
            accounts.sign_up(form(**changes), HERE)
        assert refused.value.field == field
        assert not rows(dynamo, "User")

    @pytest.mark.parametrize("name", ["<b>Ada</b>", "\u202eadA", "🚲", "عائشة", "O'Neil & Søn"])
    def test_names_are_kept_as_text(self, accounts, form, name):
        accounts.sign_up(form(first_name=name), HERE)
        assert accounts.store.users.find_by_email(ADA).first_name == name

    @pytest.mark.parametrize("email", [ADA, "ADA@Example.org ", "ａｄａ@example.org"])
    def test_a_taken_email_gets_the_same_answer_and_its_owner_a_letter(
        self, accounts, form, letters, somebody, email
    ):
        before = somebody()
        accounts.sign_up(form(email, password=OTHER, first_name="Eve"), HERE)
        assert accounts.store.users.find_by_email(ADA) == before
        assert letters.subjects(ADA)[-1] == "Vous avez déjà un compte"
        with pytest.raises(SignInFailed):
            accounts.sign_in(email, OTHER, HERE)

    def test_of_many_at_once_one_wins(self, accounts, form, dynamo):
        forms = [form(password=f"{PASSWORD} {n}") for n in range(8)]
        assert at_once(*[lambda f=f: accounts.sign_up(f, HERE) for f in forms]) == [None] * 8
        assert len(rows(dynamo, "User")) == 1

    def test_sign_ups_of_an_address_are_limited(self, accounts, form, monkeypatch):
        few = Limit(SIGN_UP_BY_ADDRESS.name, 2, timedelta(hours=1))
        monkeypatch.setattr(module, "SIGN_UP_BY_ADDRESS", few)
        for n in range(2):
            accounts.sign_up(form(f"u{n}@example.org"), HERE)
        with pytest.raises(TooManyAttempts):
            accounts.sign_up(form("u3@example.org"), HERE)
        accounts.sign_up(form("u4@example.org"), Client("198.51.100.1", "fr"))


class TestConfirming:
    def test_link_and_password_confirm_and_sign_in(self, accounts, form, letters, cookie_of):
        accounts.sign_up(form(), HERE)
        ticket = accounts.confirm(letters.link(ADA), PASSWORD, HERE)
        session = accounts.session(cookie_of(ticket))
        assert session.user.email == ADA
        assert session.user.verified_at is not None

    def test_the_link_alone_confirms_nothing(self, accounts, form, letters):
        accounts.sign_up(form(), HERE)
        with pytest.raises(SignInFailed):
            accounts.confirm(letters.link(ADA), OTHER, HERE)
        assert accounts.store.users.find_by_email(ADA).verified_at is None

    def test_before_it_nobody_signs_in_but_gets_the_link_again(self, accounts, form, letters):
        accounts.sign_up(form(), HERE)
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, PASSWORD, HERE)
        assert letters.subjects(ADA) == ["Confirmez votre adresse"] * 2
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, OTHER, HERE)
        assert len(letters.sent) == 2

    def test_a_link_works_once(self, accounts, form, letters):
        accounts.sign_up(form(), HERE)
        token = letters.link(ADA)
        accounts.confirm(token, PASSWORD, HERE)
        with pytest.raises(LinkUnusable):
            accounts.confirm(token, PASSWORD, HERE)
        with pytest.raises(LinkUnusable):
            accounts.open_link(token)

    def test_of_many_at_once_one_uses_a_link(self, accounts, form, letters):
        accounts.sign_up(form(), HERE)
        token = letters.link(ADA)
        told = at_once(*[lambda: accounts.confirm(token, PASSWORD, HERE)] * 8)
        assert sum(isinstance(one, str) for one in told) == 1
        others = [one for one in told if not isinstance(one, str)]
        assert all(isinstance(one, LinkUnusable) for one in others)

    def test_a_link_is_too_old_after_its_time(self, accounts, form, letters, monkeypatch):
        accounts.sign_up(form(), HERE)
        later(monkeypatch, hours=49)
        with pytest.raises(LinkUnusable):
            accounts.confirm(letters.link(ADA), PASSWORD, HERE)

    @pytest.mark.parametrize("token", ["", "x", "\x00" * 100, "é" * 10_000, None, 7])
    def test_what_is_no_link_is_refused(self, accounts, token):
        with pytest.raises(LinkUnusable):
            accounts.open_link(token)

    def test_links_are_for_one_purpose(self, accounts, form, letters):
        accounts.sign_up(form(), HERE)
        token = letters.link(ADA)
        for call in (
            lambda: accounts.reset(token, OTHER, HERE),
            lambda: accounts.change_email(token),
            lambda: accounts.claim(accounts.store.users.find_by_email(ADA), token),
            lambda: accounts.claim_as_new(form("eve@example.org"), token),
        ):
            with pytest.raises(LinkUnusable):
                call()
        assert accounts.open_link(token).purpose is Purpose.CONFIRM


class TestSigningIn:
    @pytest.mark.parametrize("typed", [ADA, " ADA@EXAMPLE.ORG", "ａｄａ@example.org"])
    def test_email_however_typed_and_password_open_a_session(
        self, accounts, somebody, cookie_of, typed
    ):
        somebody()
        session = accounts.session(cookie_of(accounts.sign_in(typed, f" {PASSWORD} ", HERE)))
        assert session.user.email == ADA

    @pytest.mark.parametrize(
        ("email", "password"),
        [
            (ADA, OTHER),
            ("eve@example.org", PASSWORD),
            ("no e-mail", PASSWORD),
            ("x" * 10_000, "y" * 10_000),
            ("", ""),
            (ADA, ""),
            (ADA, "\ud800"),
            ("\x00@example.org", PASSWORD),
        ],
    )
    def test_everything_else_gets_one_answer(self, accounts, somebody, email, password):
        somebody()
        with pytest.raises(SignInFailed) as refused:
            accounts.sign_in(email, password, HERE)
        assert refused.value.key == "error.sign_in_failed"

    def test_known_and_unknown_cost_the_same_reads_and_one_hash(
        self, accounts, somebody, monkeypatch
    ):
        somebody()
        made = []
        verify = accounts.hasher.verify
        monkeypatch.setattr(
            type(accounts.hasher), "verify", lambda _, *a: made.append(a) or verify(*a)
        )
        asked = []
        events = accounts.store.dynamo.client.meta.events
        events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name), "x")
        counts = []
        try:
            for email in (ADA, "eve@example.org"):
                asked.clear()
                with pytest.raises(SignInFailed):
                    accounts.sign_in(email, OTHER, HERE)
                counts.append(list(asked))
        finally:
            events.unregister("before-call.dynamodb", unique_id="x")
        assert counts[0] == counts[1]
        assert len(made) == 2

    def test_a_suspended_account_is_not_opened(self, accounts, somebody):
        one = somebody()
        accounts.store.users.replace(one, dataclasses.replace(one, status=Status.SUSPENDED))
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, PASSWORD, HERE)

    def test_an_account_without_password_gets_a_link(self, accounts, letters):
        accounts.store.users.create(user("u1", email=ADA, password_hash=None))
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, "whatever it was", HERE)
        accounts.reset(letters.link(ADA), PASSWORD, HERE)
        assert accounts.sign_in(ADA, PASSWORD, HERE)

    def test_bcrypt_becomes_argon2id(self, accounts):
        made = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        now = datetime.now(UTC)
        accounts.store.users.create(user("u1", email=ADA, password_hash=made, verified_at=now))
        assert accounts.sign_in(ADA, PASSWORD, HERE)
        after = accounts.store.users.get("u1")
        assert after.password_hash.startswith("$argon2id$")
        assert after.session_version == 1
        assert accounts.sign_in(ADA, PASSWORD, HERE)

    def test_failures_of_an_account_are_limited_whether_there_is_one(self, accounts, somebody):
        somebody()
        for email in (ADA, "eve@example.org"):
            for _ in range(SIGN_IN_BY_ACCOUNT.most):
                with pytest.raises(SignInFailed):
                    accounts.sign_in(email, OTHER, HERE)
            with pytest.raises(TooManyAttempts):
                accounts.sign_in(email, PASSWORD, HERE)

    def test_failures_of_an_address_are_limited_over_all_accounts(
        self, accounts, somebody, monkeypatch
    ):
        somebody()
        few = Limit("sign-in-address", 3, timedelta(minutes=15))
        monkeypatch.setattr(module, "SIGN_IN_BY_ADDRESS", few)
        for n in range(3):
            with pytest.raises(SignInFailed):
                accounts.sign_in(f"u{n}@example.org", OTHER, HERE)
        with pytest.raises(TooManyAttempts):
            accounts.sign_in(ADA, PASSWORD, HERE)
        assert accounts.sign_in(ADA, PASSWORD, Client("198.51.100.1", "fr"))

    def test_successes_are_not_counted(self, accounts, somebody):
        somebody()
        for _ in range(2 * SIGN_IN_BY_ACCOUNT.most):
            accounts.sign_in(ADA, PASSWORD, HERE)

    def test_a_new_window_begins_anew(self, accounts, somebody, monkeypatch):
        somebody()
        for _ in range(SIGN_IN_BY_ACCOUNT.most):
            with pytest.raises(SignInFailed):
                accounts.sign_in(ADA, OTHER, HERE)
        later(monkeypatch, minutes=16)
        assert accounts.sign_in(ADA, PASSWORD, HERE)


class TestSessions:
    def test_a_ticket_is_exchanged_once(self, accounts, somebody):
        somebody()
        ticket = accounts.sign_in(ADA, PASSWORD, HERE)
        told = at_once(*[lambda: accounts.exchange(ticket, None)] * 8)
        assert sum(one is not None for one in told) == 1

    def test_a_session_ends_for_every_copy_of_its_cookie(self, accounts, somebody, cookie_of):
        somebody()
        cookie = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        other = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        accounts.sign_out(accounts.session(cookie).token)
        assert accounts.session(cookie) is None
        assert accounts.session(other).user.email == ADA

    def test_all_sessions_end_at_once(self, accounts, somebody, cookie_of):
        one = somebody()
        cookies = [cookie_of(accounts.sign_in(ADA, PASSWORD, HERE)) for _ in range(2)]
        accounts.sign_out_everywhere(one)
        assert [accounts.session(cookie) for cookie in cookies] == [None, None]

    def test_signing_in_anew_ends_the_session_of_this_browser(self, accounts, somebody, cookie_of):
        somebody()
        before = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        accounts.exchange(accounts.sign_in(ADA, PASSWORD, HERE), before)
        assert accounts.session(before) is None

    def test_roles_are_those_of_now(self, accounts, somebody, cookie_of):
        somebody()
        cookie = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        accounts.grant(ADA, Role.MANAGER)
        assert accounts.session(cookie).user.role is Role.MANAGER
        accounts.grant(ADA, Role.RESIDENT)
        assert accounts.session(cookie).user.role is Role.RESIDENT

    @pytest.mark.parametrize("status", [Status.SUSPENDED])
    def test_an_account_that_is_not_active_has_no_session(
        self, accounts, somebody, cookie_of, status
    ):
        one = somebody()
        cookie = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        accounts.store.users.replace(
            accounts.store.users.get(one.id), dataclasses.replace(one, status=status)
        )
        assert accounts.session(cookie) is None

    def test_a_ticket_of_a_password_that_changed_starts_nothing(self, accounts, somebody):
        one = somebody()
        ticket = accounts.sign_in(ADA, PASSWORD, HERE)
        accounts.change_password(one, PASSWORD, OTHER, HERE)
        assert accounts.exchange(ticket, None) is None

    def test_a_check_is_one_read_and_none_without_a_cookie(self, accounts, somebody, cookie_of):
        somebody()
        cookie = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        asked = []
        events = accounts.store.dynamo.client.meta.events
        events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name), "x")
        try:
            assert accounts.session(cookie)
            assert asked == ["BatchGetItem"]
            assert accounts.session(None) is None
            assert accounts.session(cookie[:-3]) is None
        finally:
            events.unregister("before-call.dynamodb", unique_id="x")
        assert len(asked) == 1


class TestForgotten:
    def test_a_link_sets_a_new_password_and_ends_all_sessions(
        self, accounts, somebody, letters, cookie_of
    ):
        somebody()
        cookie = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        accounts.ask_reset(" ADA@example.org", HERE)
        ticket = accounts.reset(letters.link(ADA), OTHER, HERE)
        assert accounts.session(cookie) is None
        assert accounts.session(cookie_of(ticket)).user.email == ADA
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, PASSWORD, HERE)
        assert accounts.sign_in(ADA, OTHER, HERE)
        assert letters.subjects(ADA)[-1] == "Votre mot de passe a changé"

    def test_nobody_hears_whether_there_is_an_account(self, accounts, letters):
        assert accounts.ask_reset("eve@example.org", HERE) is None
        assert accounts.ask_reset("no e-mail", HERE) is None
        assert not letters.sent

    def test_it_confirms_the_email_too(self, accounts, form, letters):
        accounts.sign_up(form(), HERE)
        accounts.ask_reset(ADA, HERE)
        accounts.reset(letters.link(ADA), OTHER, HERE)
        assert accounts.sign_in(ADA, OTHER, HERE)

    def test_it_opens_an_account_that_is_limited(self, accounts, somebody, letters):
        somebody()
        for _ in range(SIGN_IN_BY_ACCOUNT.most):
            with pytest.raises(SignInFailed):
                accounts.sign_in(ADA, OTHER, HERE)
        accounts.ask_reset(ADA, HERE)
        accounts.reset(letters.link(ADA), OTHER, HERE)
        assert accounts.sign_in(ADA, OTHER, HERE)

    def test_links_before_a_new_password_are_void(self, accounts, somebody, letters):
        somebody()
        accounts.ask_reset(ADA, HERE)
        first = letters.link(ADA)
        accounts.ask_reset(ADA, HERE)
        accounts.reset(letters.link(ADA), OTHER, HERE)
        with pytest.raises(LinkUnusable):
            accounts.reset(first, PASSWORD, HERE)

    def test_a_weak_password_leaves_the_link_good(self, accounts, somebody, letters):
        somebody()
        accounts.ask_reset(ADA, HERE)
        with pytest.raises(InvalidField):
            accounts.reset(letters.link(ADA), "password1234", HERE)
        accounts.reset(letters.link(ADA), OTHER, HERE)

    def test_letters_to_one_account_are_limited_without_a_word(self, accounts, somebody, letters):
        somebody()
        letters.sent.clear()
        for _ in range(3 * MAIL_BY_ACCOUNT.most):
            accounts.ask_reset(ADA, HERE)
        assert len(letters.sent) == MAIL_BY_ACCOUNT.most - 1  # one was to confirm


class TestOwnAccount:
    def test_names_change(self, accounts, somebody):
        accounts.rename(somebody(), " Augusta ", "King")
        after = accounts.store.users.find_by_email(ADA)
        assert (after.first_name, after.last_name) == ("Augusta", "King")

    def test_a_password_changes_and_ends_the_other_sessions(self, accounts, somebody, cookie_of):
        one = somebody()
        other = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        with pytest.raises(SignInFailed):
            accounts.change_password(one, OTHER, OTHER, HERE)
        ticket = accounts.change_password(one, PASSWORD, OTHER, HERE)
        assert accounts.session(other) is None
        assert accounts.session(cookie_of(ticket)).user.id == one.id
        assert accounts.sign_in(ADA, OTHER, HERE)

    def test_an_email_changes_by_a_link_to_the_new_one(self, accounts, somebody, letters):
        one = somebody()
        accounts.ask_email(one, "Ada.King@example.org ", PASSWORD, HERE)
        assert accounts.store.users.get(one.id).email == ADA
        assert letters.subjects(ADA)[-1] == "Changement d'adresse demandé"
        accounts.change_email(letters.link("Ada.King@example.org"))
        assert accounts.store.users.get(one.id).email == "Ada.King@example.org"
        assert accounts.sign_in("ada.king@example.org", PASSWORD, HERE)
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, PASSWORD, HERE)

    def test_a_taken_email_gets_the_same_answer_and_its_owner_a_letter(
        self, accounts, somebody, letters
    ):
        somebody("eve@example.org")
        accounts.ask_email(somebody(), "EVE@example.org", PASSWORD, HERE)
        assert letters.subjects("eve@example.org")[-1] == "Adresse déjà utilisée"
        assert letters.subjects(ADA)[-1] == "Changement d'adresse demandé"

    def test_an_email_that_was_taken_meanwhile_is_refused(self, accounts, somebody, letters):
        one = somebody()
        accounts.ask_email(one, "new@example.org", PASSWORD, HERE)
        token = letters.link("new@example.org")
        somebody("new@example.org")
        with pytest.raises(Taken):
            accounts.change_email(token)
        assert accounts.store.users.get(one.id).email == ADA

    def test_links_to_the_former_email_are_void(self, accounts, somebody, letters):
        one = somebody()
        accounts.ask_reset(ADA, HERE)
        before = letters.link(ADA)
        accounts.ask_email(one, "new@example.org", PASSWORD, HERE)
        accounts.change_email(letters.link("new@example.org"))
        with pytest.raises(LinkUnusable):
            accounts.reset(before, OTHER, HERE)

    @pytest.mark.parametrize("email", [ADA, "ADA@example.org", "no e-mail", "x" * 999])
    def test_an_email_that_cannot_be_used_is_refused(self, accounts, somebody, email):
        with pytest.raises(InvalidField):
            accounts.ask_email(somebody(), email, PASSWORD, HERE)

    def test_the_wrong_password_changes_nothing(self, accounts, somebody, letters):
        one = somebody()
        letters.sent.clear()
        with pytest.raises(SignInFailed):
            accounts.ask_email(one, "new@example.org", OTHER, HERE)
        with pytest.raises(SignInFailed):
            accounts.delete(one, OTHER, HERE)
        assert accounts.store.users.get(one.id) == one
        assert not letters.sent

    def test_a_deleted_account_is_gone_with_its_sessions_and_email(
        self, accounts, somebody, form, cookie_of
    ):
        one = somebody()
        cookie = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        accounts.delete(one, PASSWORD, HERE)
        assert accounts.session(cookie) is None
        assert accounts.store.users.find(one.id) is None
        assert accounts.store.users.find_by_email(ADA) is None
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, PASSWORD, HERE)
        accounts.sign_up(form(), HERE)
        assert accounts.store.users.find_by_email(ADA).id != one.id

    def test_edits_at_once_all_take_effect(self, accounts, somebody):
        one = somebody()
        told = at_once(
            lambda: accounts.rename(one, "Augusta", "King"),
            lambda: accounts.sign_out_everywhere(one),
            lambda: accounts.grant(ADA, Role.MANAGER),
        )
        assert not [error for error in told if isinstance(error, Exception)]
        after = accounts.store.users.get(one.id)
        assert (after.first_name, after.session_version, after.role) == (
            "Augusta",
            2,
            Role.MANAGER,
        )


class TestAdmins:
    def test_the_first_admin_is_offered_once(self, accounts):
        offered = accounts.offer_first_admin()
        assert offered.startswith("http://localhost:8501/SignIn?link=")
        assert accounts.offer_first_admin() is None
        assert not accounts.store.links.has_admin()

    def test_somebody_signed_in_becomes_it_once(self, accounts, somebody):
        token = accounts.offer_first_admin().partition("link=")[2]
        one, two = somebody(), somebody("eve@example.org")
        assert accounts.claim(one, token).role is Role.ADMIN
        assert accounts.store.links.has_admin()
        with pytest.raises(LinkUnusable):
            accounts.claim(two, token)
        assert accounts.store.users.get(two.id).role is Role.RESIDENT

    def test_of_many_at_once_one_becomes_it(self, accounts, somebody):
        token = accounts.offer_first_admin().partition("link=")[2]
        people = [somebody(f"u{n}@example.org") for n in range(4)]
        at_once(*[lambda p=p: accounts.claim(p, token) for p in people])
        roles = [accounts.store.users.get(p.id).role for p in people]
        assert roles.count(Role.ADMIN) == 1

    def test_somebody_new_becomes_it_without_an_email(self, accounts, form, letters, cookie_of):
        token = accounts.offer_first_admin().partition("link=")[2]
        session = accounts.session(cookie_of(accounts.claim_as_new(form(), token)))
        assert session.user.role is Role.ADMIN
        assert not letters.sent
        with pytest.raises(LinkUnusable):
            accounts.claim_as_new(form("eve@example.org"), token)
        assert accounts.store.users.find_by_email("eve@example.org") is None

    def test_an_admin_gives_roles(self, accounts, somebody):
        one, admin = somebody(), somebody("root@example.org")
        admin = accounts.grant("root@example.org", Role.ADMIN)
        assert accounts.set_role(admin, one.id, Role.MANAGER).role is Role.MANAGER
        with pytest.raises(NotFound):
            accounts.set_role(admin, "nobody", Role.MANAGER)

    def test_an_account_that_is_not_there_gets_no_role(self, accounts):
        with pytest.raises(NotFound):
            accounts.grant("eve@example.org", Role.ADMIN)


CUT_OFF = """
import os, signal, sys
from dataclasses import replace
from cityverse import settings
from cityverse.accounts import accounts as module
from cityverse.data.deletion import Deletion
from cityverse.data.store import connect

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

Deletion._delete_itself = die
store = connect(settings.current())
accounts = replace(module.over(settings.current(), store), background=lambda task: task())
accounts.delete(store.users.get(sys.argv[1]), sys.argv[2], module.Client("local", "fr"))
"""


def test_the_worker_finishes_a_deletion_that_was_killed(accounts, somebody, settings):
    """The account is closed, the process dies in the middle, the worker goes on."""
    store, ada = accounts.store, somebody()
    store.deletion.dynamo.put("Award", {"user_id": ada.id, "cause": "once:first"})
    done = subprocess.run(
        [sys.executable, "-c", CUT_OFF, ada.id, PASSWORD],
        env={
            **os.environ,
            "CITYVERSE_DATA_DIR": str(settings.data_dir),
            "CITYVERSE_PASSWORD_ROUNDS": "1",
            "CITYVERSE_PASSWORD_MEBIBYTES": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert store.users.get(ada.id).status is Status.CLOSED
    assert store.deletion.unfinished() == [ada.id]
    worker.finish_deletions(store)
    assert store.users.find(ada.id) is None
    assert store.deletion.unfinished() == []
    worker.finish_deletions(store)  # with nothing to do


def test_a_deletion_in_one_go_leaves_no_note(accounts, somebody):
    accounts.delete(somebody(), PASSWORD, HERE)
    assert accounts.store.deletion.unfinished() == []
