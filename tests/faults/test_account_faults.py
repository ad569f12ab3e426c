"""What people do with their account, broken at any write and done again.

Ids and tokens differ each time, so what is compared is what people can do afterwards.
"""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime

import pyotp
import pytest
from harness import CONFLICT, CURSORS, FAULTS, TIMEOUT_AFTER, WRITES, connection
from helpers import clear, settings_for

from cityverse.accounts import accounts as use_cases
from cityverse.accounts.accounts import Accounts, Client, SignUp
from cityverse.accounts.passwords import Hasher
from cityverse.accounts.second_factor import Vault
from cityverse.accounts.tokens import Keys, new_proof
from cityverse.data import client
from cityverse.data.store import over
from cityverse.domain.people import RECOVERY_CODES, Role
from cityverse.errors import CodeNeeded, CodeWrong, Conflict, Refused, StoreError

TABLES = ("User", "Claim", "Link", "Throttle", "Blacklist", "Meta")
ADA, NEW = "ada@example.org", "new@example.org"
FIRST, SECOND = "tomate courge poireau", "vélo brume canal neuf"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HERE = Client("192.0.2.7", "fr")
FORM = SignUp(ADA, FIRST, "Ada", "Lovelace", consents=True)


@pytest.fixture(scope="module")
def brittle(engine_folder, dynamo):
    with connection(settings_for(engine_folder), attempts=1) as one:
        yield one
    clear(dynamo)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(client, "_pause", lambda attempt: None)
    monkeypatch.setitem(globals(), "MOMENT", datetime.now(UTC))
    monkeypatch.setattr(use_cases, "_now", lambda: MOMENT)


class World:
    """Accounts over a connection that breaks; what was sent, and what somebody holds."""

    def __init__(self, on, tmp_path):
        settings = settings_for(
            tmp_path, CITYVERSE_PASSWORD_ROUNDS="1", CITYVERSE_PASSWORD_MEBIBYTES="1"
        )
        self.on, self.sent, self.held = on, [], {}
        self.accounts = Accounts(
            store=over(on.dynamo, CURSORS),
            settings=settings,
            keys=Keys([b"a secret of the tests, 32 bytes."]),
            hasher=Hasher(settings),
            vault=Vault(b"another secret of the tests....."),
            sender=self,
            background=self.do,
        )

    def send(self, message):
        self.sent.append(message)

    def do(self, task):
        """As in the background: tried again."""
        for _ in range(3):
            with contextlib.suppress(StoreError):
                return task()

    def link(self, to):
        texts = [message.get_content() for message in self.sent if message["To"] == to]
        found = [re.search(r"link=(\S+)", text) for text in texts]
        return [one[1] for one in found if one][-1]

    def opens(self, email, password):
        try:
            ticket = self.accounts.sign_in(email, password, HERE)
        except Refused:
            return False
        exchanged = self.accounts.exchange(ticket, None)
        return exchanged is not None and self.accounts.session(exchanged[0]) is not None

    def somebody(self):
        self.accounts.sign_up(FORM, HERE)
        self.accounts.confirm(self.link(ADA), FIRST, HERE)
        return self.ada()

    def ada(self):
        return self.accounts.store.users.find_by_email(ADA)

    def count(self):
        found = self.on.dynamo.client.scan(TableName="User")["Items"]
        return len([one for one in found if one["status"]["S"] == "active"])


# Each: what must be there before, what is done, what must hold after it was done again.


def _nothing(world):
    pass


def _asked_reset(world):
    world.somebody()
    world.accounts.ask_reset(ADA, HERE)
    world.held["link"] = world.link(ADA)


def _asked_email(world):
    world.accounts.ask_email(world.somebody(), NEW, FIRST, HERE)
    world.held["link"] = world.link(NEW)


def _signed_up(world):
    world.accounts.sign_up(FORM, HERE)
    world.held["link"] = world.link(ADA)


def _signed_in(world):
    world.somebody()
    ticket = world.accounts.sign_in(ADA, FIRST, HERE)
    world.held["cookie"] = world.accounts.exchange(ticket, None)[0]
    world.held["token"] = world.accounts.session(world.held["cookie"]).token


def _offered(world):
    world.somebody()
    world.held["link"] = world.accounts.offer_first_admin().partition("link=")[2]


def _with_second_factor(world):
    _, codes = world.accounts.switch_on(world.somebody(), SECRET, FIRST, code(-1), HERE)
    world.held["codes"] = codes


def _password_given(world):
    _with_second_factor(world)
    world.held["step"] = step_of(world)


def step_of(world):
    with pytest.raises(CodeNeeded) as needed:
        world.accounts.sign_in(ADA, FIRST, HERE)
    return needed.value.step


# One moment for all codes of a test, so that no time step ends within it.
MOMENT = datetime.now(UTC)


def code(steps=0):
    return pyotp.TOTP(SECRET).at(MOMENT, counter_offset=steps)


def _opens_by_code(world, number=1):
    """The step after the password opens with a code, and there are recovery codes."""
    assert world.ada().second_factor.recovery
    ticket = world.accounts.enter_code(step_of(world), code(number), HERE)
    assert world.accounts.session(world.accounts.exchange(ticket, None)[0])


def _recovery_used_once(world):
    assert len(world.ada().second_factor.recovery) == RECOVERY_CODES - 1
    with pytest.raises(CodeWrong):
        world.accounts.enter_code(step_of(world), world.held["codes"][0], HERE)
    _opens_by_code(world)


def _signed_up_at_last(world):
    """Whether the account was made or was there, one of the messages leads into it."""
    assert world.count() == 1
    token = world.link(ADA)
    if world.accounts.open_link(token).purpose == "confirm":
        world.accounts.confirm(token, FIRST, HERE)
    else:
        world.accounts.reset(token, FIRST, HERE)
    assert world.opens(ADA, FIRST)


def _new_password(world):
    assert world.opens(ADA, SECOND)
    assert not world.opens(ADA, FIRST)


def _new_email(world):
    assert world.opens(NEW, FIRST)
    assert not world.opens(ADA, FIRST)
    assert world.count() == 1


def _gone(world):
    assert not world.opens(ADA, FIRST)
    assert world.count() == 0
    world.accounts.sign_up(FORM, HERE)
    assert world.count() == 1


def _ended(world):
    assert world.accounts.session(world.held["cookie"]) is None
    assert world.opens(ADA, FIRST)


def _proof(world):
    proof = new_proof(ADA, "Ada", "", "/", MOMENT)
    world.held["proof"] = world.accounts.keys.proof(proof, MOMENT)


def _signed_up_and_proven(world):
    _signed_up(world)
    _proof(world)


def _opens_by_a_new_proof(world):
    assert world.count() == 1
    _proof(world)
    assert world.accounts.exchange(world.accounts.enter_by(world.held["proof"]), None)


DEEDS = {
    "sign_up_by": (
        _proof,
        lambda w: w.accounts.sign_up_by(w.held["proof"], FORM, HERE),
        _opens_by_a_new_proof,
    ),
    "join": (
        _signed_up_and_proven,
        lambda w: w.accounts.join(w.held["proof"], FIRST, HERE),
        _opens_by_a_new_proof,
    ),
    "sign_up": (_nothing, lambda w: w.accounts.sign_up(FORM, HERE), _signed_up_at_last),
    "confirm": (
        _signed_up,
        lambda w: w.accounts.confirm(w.held["link"], FIRST, HERE),
        lambda w: w.opens(ADA, FIRST),
    ),
    "sign_in": (
        lambda w: w.somebody(),
        lambda w: w.accounts.sign_in(ADA, FIRST, HERE),
        lambda w: w.opens(ADA, FIRST),
    ),
    "reset": (
        _asked_reset,
        lambda w: w.accounts.reset(w.held["link"], SECOND, HERE),
        _new_password,
    ),
    "change_password": (
        lambda w: w.somebody(),
        lambda w: w.accounts.change_password(w.ada(), FIRST, SECOND, HERE),
        _new_password,
    ),
    "change_email": (
        _asked_email,
        lambda w: w.accounts.change_email(w.held["link"]),
        _new_email,
    ),
    "rename": (
        lambda w: w.somebody(),
        lambda w: w.accounts.rename(w.ada(), "Augusta", "King"),
        lambda w: w.ada().first_name == "Augusta",
    ),
    "sign_out": (_signed_in, lambda w: w.accounts.sign_out(w.held["token"]), _ended),
    "sign_out_everywhere": (
        _signed_in,
        lambda w: w.accounts.sign_out_everywhere(w.ada()),
        _ended,
    ),
    "delete": (
        lambda w: w.somebody(),
        lambda w: w.ada() and w.accounts.delete(w.ada(), FIRST, HERE),
        _gone,
    ),
    "switch_on": (
        lambda w: w.somebody(),
        lambda w: w.accounts.switch_on(w.ada(), SECRET, FIRST, code(), HERE),
        _opens_by_code,
    ),
    "enter_code": (
        _password_given,
        lambda w: w.accounts.enter_code(w.held["step"], w.held["codes"][0], HERE),
        _recovery_used_once,
    ),
    "new_recovery_codes": (
        _with_second_factor,
        lambda w: w.accounts.new_recovery_codes(w.ada(), FIRST, code(), HERE),
        _opens_by_code,
    ),
    "switch_off": (
        _with_second_factor,
        lambda w: w.accounts.switch_off(w.ada(), FIRST, code(), HERE),
        lambda w: w.opens(ADA, FIRST),
    ),
    "reset_second_factor": (
        _with_second_factor,
        lambda w: w.accounts.reset_second_factor(ADA, HERE),
        lambda w: w.opens(ADA, FIRST),
    ),
    "claim": (
        _offered,
        lambda w: w.accounts.claim(w.ada(), w.held["link"]),
        lambda w: w.ada().role is Role.ADMIN,
    ),
    "grant": (
        lambda w: w.somebody(),
        lambda w: w.accounts.grant(ADA, Role.MANAGER),
        lambda w: w.ada().role is Role.MANAGER,
    ),
}


def begun(on, dynamo, tmp_path, prepare):
    on.heal()
    clear(dynamo, *TABLES)
    world = World(on, tmp_path)
    prepare(world)
    on.heal()
    return world


def check(name, on, dynamo, tmp_path, faults, *, most=100):
    prepare, deed, holds = DEEDS[name]
    world = begun(on, dynamo, tmp_path, prepare)
    deed(world)
    writes = [n for n, called in enumerate(on.attempts) if called in WRITES]
    assert writes
    assert holds(world) is not False
    writes = writes[:: 1 + (len(writes) - 1) // most]
    for fault in faults:
        for number in writes:
            world = begun(on, dynamo, tmp_path, prepare)
            on.break_at(fault, number)
            with contextlib.suppress(StoreError):
                deed(world)
            on.heal()
            # Done again, as whoever saw an error does; the first one may have succeeded.
            with contextlib.suppress(Refused, Conflict):
                deed(world)
            assert holds(world) is not False, (name, str(fault), number)


@pytest.mark.parametrize("name", DEEDS)
def test_what_lost_its_answer_is_done_once(name, brittle, dynamo, tmp_path):
    check(name, brittle, dynamo, tmp_path, [TIMEOUT_AFTER], most=3)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [f for f in FAULTS if f is not CONFLICT], ids=str)
@pytest.mark.parametrize("name", DEEDS)
def test_whatever_breaks_is_done_once(name, fault, brittle, dynamo, tmp_path):
    check(name, brittle, dynamo, tmp_path, [fault])
