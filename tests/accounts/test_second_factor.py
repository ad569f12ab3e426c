"""The second factor: codes of an authenticator after the password, and recovery codes."""

import dataclasses
import logging
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pyotp
import pytest
from accounts_helpers import HERE, OTHER, PASSWORD
from people_helpers import at_once, rows

from cityverse.accounts import accounts as module
from cityverse.accounts import second_factor
from cityverse.accounts.accounts import Client
from cityverse.accounts.second_factor import Vault, new_secret, step_of
from cityverse.data.throttles import Limit
from cityverse.domain import policy
from cityverse.domain.people import RECOVERY_CODES, Role
from cityverse.domain.policy import Action
from cityverse.errors import (
    AlreadyExists,
    CodeNeeded,
    CodeWrong,
    InvalidField,
    NotFound,
    SignInFailed,
    StepExpired,
    StoreMisconfigured,
    TooManyAttempts,
)
from cityverse.settings import read

ADA = "ada@example.org"


# One moment for all of a test, so that no time step ends within it.
MOMENT = datetime.now(UTC)


def code(secret, steps=0):
    return pyotp.TOTP(secret).at(MOMENT, counter_offset=steps)


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch):
    monkeypatch.setitem(globals(), "MOMENT", datetime.now(UTC))
    monkeypatch.setattr(module, "_now", lambda: MOMENT)


@pytest.fixture
def secret():
    return new_secret()


@pytest.fixture
def protected(accounts, somebody, secret):
    """Somebody with a second factor, whose present code is not used yet; and recovery codes."""
    _, codes = accounts.switch_on(somebody(), secret, PASSWORD, code(secret, -1), HERE)
    return accounts.store.users.find_by_email(ADA), codes


def step_after_password(accounts, password=PASSWORD):
    with pytest.raises(CodeNeeded) as needed:
        accounts.sign_in(ADA, password, HERE)
    return needed.value.step


class TestSwitchingOn:
    def test_other_sessions_end_and_this_one_goes_on(self, accounts, somebody, secret, cookie_of):
        user = somebody()
        before = cookie_of(accounts.sign_in(ADA, PASSWORD, HERE))
        ticket, codes = accounts.switch_on(user, secret, PASSWORD, code(secret), HERE)
        assert accounts.session(before) is None
        assert accounts.session(cookie_of(ticket)).user.id == user.id
        assert len(set(codes)) == RECOVERY_CODES

    def test_secret_and_codes_stand_nowhere(self, accounts, protected, secret, dynamo, caplog):
        user, codes = protected
        kept = str([rows(dynamo, name) for name in ("User", "Throttle", "Blacklist", "Link")])
        for word in (secret, *codes, *(one.replace("-", "") for one in codes)):
            assert word not in kept
            assert word not in repr(user)
            assert word not in caplog.text

    def test_it_takes_the_password_and_a_code_of_now(self, accounts, somebody, secret):
        user = somebody()
        with pytest.raises(SignInFailed):
            accounts.switch_on(user, secret, OTHER, code(secret), HERE)
        for wrong in ("", "abcdef", "0" * 7, code(secret, 9), code(secret, -9), None):
            with pytest.raises(CodeWrong):
                accounts.switch_on(user, secret, PASSWORD, wrong, HERE)
        assert accounts.store.users.get(user.id).second_factor is None

    @pytest.mark.parametrize("bad", ["", "x", "a" * 32, "1" * 32, "A" * 33, None])
    def test_only_a_secret_of_ours_is_taken(self, accounts, somebody, bad):
        with pytest.raises(InvalidField):
            accounts.switch_on(somebody(), bad, PASSWORD, "000000", HERE)

    def test_again_gives_new_codes_and_another_secret_none(
        self, accounts, protected, secret, letters
    ):
        user, codes = protected
        _, again = accounts.switch_on(user, secret, PASSWORD, code(secret), HERE)
        assert not set(again) & set(codes)
        other = new_secret()
        with pytest.raises(AlreadyExists):
            accounts.switch_on(user, other, PASSWORD, code(other), HERE)
        assert "Le second facteur est activé" in letters.subjects(ADA)

    def test_of_two_tabs_one_wins(self, accounts, somebody):
        user = somebody()
        secrets = [new_secret() for _ in range(4)]
        told = at_once(
            *[lambda s=s: accounts.switch_on(user, s, PASSWORD, code(s), HERE) for s in secrets]
        )
        assert sum(isinstance(one, tuple) for one in told) == 1


class TestSigningIn:
    def test_there_is_no_session_before_the_code(self, accounts, protected, secret, cookie_of):
        step = step_after_password(accounts)
        assert accounts.exchange(step, None) is None
        assert accounts.session(step) is None
        session = accounts.session(cookie_of(accounts.enter_code(step, code(secret), HERE)))
        assert session.user.email == ADA

    def test_a_wrong_password_says_nothing_of_it(self, accounts, protected):
        with pytest.raises(SignInFailed):
            accounts.sign_in(ADA, OTHER, HERE)

    def test_a_code_is_taken_once_and_none_before_it(self, accounts, protected, secret):
        accounts.enter_code(step_after_password(accounts), code(secret), HERE)
        step = step_after_password(accounts)
        for used in (code(secret), code(secret, -1)):
            with pytest.raises(CodeWrong):
                accounts.enter_code(step, used, HERE)
        assert accounts.enter_code(step, code(secret, 1), HERE)

    def test_of_one_code_at_once_one_wins(self, accounts, protected, secret):
        present = code(secret)
        steps = [step_after_password(accounts) for _ in range(8)]
        told = at_once(*[lambda s=s: accounts.enter_code(s, present, HERE) for s in steps])
        assert sum(isinstance(one, str) for one in told) == 1
        assert all(isinstance(one, (str, CodeWrong)) for one in told), told

    def test_of_one_recovery_code_at_once_one_wins(self, accounts, protected):
        _, codes = protected
        steps = [step_after_password(accounts) for _ in range(8)]
        told = at_once(*[lambda s=s: accounts.enter_code(s, codes[0], HERE) for s in steps])
        assert sum(isinstance(one, str) for one in told) == 1

    def test_a_step_is_for_one_use(self, accounts, protected, secret):
        _, codes = protected
        step = step_after_password(accounts)
        told = at_once(*[lambda c=c: accounts.enter_code(step, c, HERE) for c in codes[:4]])
        assert sum(isinstance(one, str) for one in told) == 1
        assert sum(isinstance(one, StepExpired) for one in told) == 3

    def test_a_recovery_code_is_taken_once_however_typed_and_told(
        self, accounts, protected, letters
    ):
        user, codes = protected
        typed = f" {codes[0].lower().replace('-', ' ')} "
        assert accounts.enter_code(step_after_password(accounts), typed, HERE)
        assert letters.subjects(ADA)[-1] == "Un code de secours a servi"
        with pytest.raises(CodeWrong):
            accounts.enter_code(step_after_password(accounts), codes[0], HERE)
        kept = accounts.store.users.get(user.id).second_factor.recovery
        assert len(kept) == RECOVERY_CODES - 1

    def test_codes_of_another_account_open_nothing(self, accounts, protected, somebody):
        _, codes = protected
        other, secret = somebody("eve@example.org"), new_secret()
        accounts.switch_on(other, secret, PASSWORD, code(secret), HERE)
        with pytest.raises(CodeNeeded) as needed:
            accounts.sign_in("eve@example.org", PASSWORD, HERE)
        with pytest.raises(CodeWrong):
            accounts.enter_code(needed.value.step, codes[0], HERE)

    def test_wrong_codes_are_limited(self, accounts, protected, secret, monkeypatch):
        monkeypatch.setattr(module, "CODE_BY_ACCOUNT", Limit("few", 3, timedelta(days=1)))
        step = step_after_password(accounts)
        for _ in range(3):
            with pytest.raises(CodeWrong):
                accounts.enter_code(step, "000000", HERE)
        with pytest.raises(TooManyAttempts):
            accounts.enter_code(step_after_password(accounts), code(secret), HERE)

    def test_right_ones_are_not_counted(self, accounts, protected, monkeypatch):
        _, codes = protected
        monkeypatch.setattr(module, "CODE_BY_ACCOUNT", Limit("few", 1, timedelta(days=1)))
        for one in codes[:3]:
            assert accounts.enter_code(step_after_password(accounts), one, HERE)

    @pytest.mark.parametrize("step", ["", "x", None, 7, "x" * 9999])
    def test_what_is_no_step_is_refused(self, accounts, protected, step):
        with pytest.raises(StepExpired):
            accounts.enter_code(step, "000000", HERE)

    def test_cookies_and_tickets_are_no_steps(self, accounts, protected, secret, cookie_of):
        ticket = accounts.enter_code(step_after_password(accounts), code(secret), HERE)
        cookie = cookie_of(ticket)
        for token in (ticket, cookie):
            with pytest.raises(StepExpired):
                accounts.enter_code(token, code(secret, 1), HERE)

    def test_a_step_ends_with_the_sessions(self, accounts, protected, secret):
        user, _ = protected
        step = step_after_password(accounts)
        accounts.sign_out_everywhere(user)
        with pytest.raises(StepExpired):
            accounts.enter_code(step, code(secret), HERE)

    def test_a_new_password_by_a_link_asks_for_the_code_too(self, accounts, protected, letters):
        accounts.ask_reset(ADA, HERE)
        with pytest.raises(CodeNeeded) as needed:
            accounts.reset(letters.link(ADA), OTHER, HERE)
        _, codes = protected
        assert accounts.enter_code(needed.value.step, codes[0], HERE)
        assert step_after_password(accounts, OTHER)

    def test_another_key_opens_nothing(self, accounts, protected, secret):
        other = dataclasses.replace(accounts, vault=Vault(b"some other key of some other store"))
        with pytest.raises(StoreMisconfigured):
            other.enter_code(step_after_password(accounts), code(secret), HERE)


class TestSwitchingOff:
    def test_it_takes_password_and_code(self, accounts, protected, secret):
        user, codes = protected
        with pytest.raises(SignInFailed):
            accounts.switch_off(user, OTHER, code(secret), HERE)
        with pytest.raises(CodeWrong):
            accounts.switch_off(user, PASSWORD, "000000", HERE)
        accounts.switch_off(user, PASSWORD, code(secret), HERE)
        assert accounts.sign_in(ADA, PASSWORD, HERE)
        accounts.switch_off(user, PASSWORD, codes[0], HERE)  # again is no error

    def test_new_recovery_codes_replace_the_old(self, accounts, protected, secret, cookie_of):
        user, codes = protected
        ticket, fresh = accounts.new_recovery_codes(user, PASSWORD, codes[1], HERE)
        assert accounts.session(cookie_of(ticket))
        with pytest.raises(CodeWrong):
            accounts.enter_code(step_after_password(accounts), codes[0], HERE)
        assert accounts.enter_code(step_after_password(accounts), fresh[0], HERE)

    def test_a_reset_by_the_command_is_written_down(self, accounts, protected, caplog, cookie_of):
        user, codes = protected
        ticket = accounts.enter_code(step_after_password(accounts), codes[0], HERE)
        cookie = cookie_of(ticket)
        with caplog.at_level(logging.WARNING):
            accounts.reset_second_factor(ADA, Client("local", "fr"))
        assert f"audit: the second factor of account {user.id} was reset" in caplog.text
        assert accounts.session(cookie) is None
        assert accounts.sign_in(ADA, PASSWORD, HERE)
        with pytest.raises(NotFound):
            accounts.reset_second_factor("nobody@example.org", HERE)

    def test_an_account_that_is_deleted_keeps_none(self, accounts, protected):
        user, _ = protected
        accounts.delete(user, PASSWORD, HERE)
        found = accounts.store.users.find(user.id)
        assert found is None or found.second_factor is None


class TestRequired:
    @pytest.fixture
    def strict(self, accounts):
        settings = dataclasses.replace(accounts.settings, second_factor_required=True)
        return dataclasses.replace(accounts, settings=settings)

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.ADMIN])
    def test_the_role_counts_only_with_it(self, strict, somebody, secret, role, cookie_of):
        user = somebody()
        strict.grant(ADA, role)
        cookie = cookie_of(strict.sign_in(ADA, PASSWORD, HERE))
        session = strict.session(cookie)
        assert session.withheld is role
        assert not policy.may(session.user, Action.MODERATE)
        assert policy.may(session.user, Action.EDIT_ACCOUNT, user.id)
        ticket, _ = strict.switch_on(session.user, secret, PASSWORD, code(secret), HERE)
        assert strict.session(cookie) is None
        session = strict.session(cookie_of(ticket))
        assert (session.withheld, session.user.role) == (None, role)
        assert policy.may(session.user, Action.MODERATE)

    def test_what_is_withheld_is_not_lost(self, strict, somebody, cookie_of):
        somebody()
        strict.grant(ADA, Role.ADMIN)
        session = strict.session(cookie_of(strict.sign_in(ADA, PASSWORD, HERE)))
        strict.rename(session.user, "Augusta", "King")
        assert strict.store.users.find_by_email(ADA).role is Role.ADMIN

    @pytest.mark.parametrize("role", [Role.RESIDENT, Role.CREATOR])
    def test_others_need_none(self, strict, somebody, role, cookie_of):
        somebody(role=role)
        session = strict.session(cookie_of(strict.sign_in(ADA, PASSWORD, HERE)))
        assert (session.withheld, session.user.role) == (None, role)


def test_codes_are_those_of_the_standard():
    """RFC 6238, appendix B, in its last six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, expected in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert step_of(secret, expected, datetime.fromtimestamp(seconds, UTC)) == seconds // 30


def test_clocks_may_differ_by_one_step(secret):
    now = datetime.now(UTC)
    present = int(now.timestamp()) // 30
    good = [
        step_of(secret, pyotp.TOTP(secret).at(now, counter_offset=n), now) for n in range(-2, 3)
    ]
    assert good == [None, present - 1, present, present + 1, None]


def test_the_picture_is_of_squares_alone(secret):
    drawn = second_factor.picture(secret, '"><script>alert(1)</script>@example.org')
    assert "script" not in drawn
    tags = {one.tag.rpartition("}")[2] for one in ElementTree.fromstring(drawn).iter()}
    assert tags == {"svg", "g", "path"}


def test_the_key_is_the_one_of_the_settings_or_of_the_folder(tmp_path):
    kept = read({"CITYVERSE_DATA_DIR": str(tmp_path)})
    sealed = Vault.of(kept).sealed("SECRET", "ada")
    assert Vault.of(kept).opened(sealed, "ada") == "SECRET"
    assert (tmp_path / "second-factor.key").stat().st_mode & 0o077 == 0
    with pytest.raises(StoreMisconfigured):
        Vault.of(kept).opened(sealed, "eve")
    given = read({"CITYVERSE_SECOND_FACTOR_SECRET": "x" * 32})
    with pytest.raises(StoreMisconfigured):
        Vault.of(given).opened(sealed, "ada")
    for damaged in ("", "x", "é", sealed[:-8], sealed[4:]):
        with pytest.raises(StoreMisconfigured):
            Vault.of(kept).opened(damaged, "ada")
