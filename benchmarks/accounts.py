"""Accounts: signing in and the check of every run, alone and by eight at once; races.

The hash of a password is the real one. Budgets: of many who sign up with one e-mail at
once exactly one gets it; an unknown e-mail takes as long as a known one; the check of a
run costs no more than two single reads of the store.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from time import perf_counter
from typing import Any

from cityverse.accounts import accounts as use_cases
from cityverse.accounts.accounts import Accounts, Client, SignUp
from cityverse.accounts.passwords import Hasher
from cityverse.data import provision
from cityverse.data.client import Dynamo, dynamodb_client
from cityverse.data.cursors import Cursors
from cityverse.data.store import over
from cityverse.domain.people import User
from cityverse.engine.launch import start
from cityverse.errors import SignInFailed
from cityverse.settings import read

SIGN_INS, CHECKS, RACES = 40, 300, 200
AT_ONCE, RACERS = 8, 4
PEOPLE = 24
PASSWORD = "tomate courge poireau"
HERE = Client("192.0.2.1", "fr")
CHECK_BUDGET = 2.0
UNKNOWN_BUDGET = 1.25

Row = dict[str, Any]


def run() -> list[Row]:
    """Measure in a temporary folder; rows as `bench --json` prints them."""
    with tempfile.TemporaryDirectory(prefix="cityverse-bench-") as name:
        settings = read({"CITYVERSE_DATA_DIR": name})
        engine = start(Path(name), with_this_process=True)
        try:
            provision.apply(settings)
            with closing(dynamodb_client(settings)) as client:
                store = over(Dynamo(client), Cursors(b"a secret of the benchmark, long."))
                accounts = replace(use_cases.over(settings, store), background=lambda task: None)
                return _measure(accounts)
        finally:
            engine.stop()


def _measure(accounts: Accounts) -> list[Row]:
    emails = _people(accounts)
    ticket = accounts.sign_in(emails[0], PASSWORD, HERE)
    exchanged = accounts.exchange(ticket, None)
    if exchanged is None:
        raise RuntimeError("a ticket was refused")
    cookie, numbers = exchanged[0], itertools.count()

    def sign_in(n: int) -> object:
        return accounts.sign_in(emails[n % PEOPLE], PASSWORD, HERE)

    def unknown(_: int) -> None:
        with suppress(SignInFailed):
            accounts.sign_in(f"nobody-{next(numbers)}@example.org", PASSWORD, HERE)

    def wrong(_: int) -> None:
        with suppress(SignInFailed):
            accounts.sign_in(emails[next(numbers) % PEOPLE], "not the password", HERE)

    def check(_: int) -> None:
        if accounts.session(cookie) is None:
            raise RuntimeError("a session was refused")

    def one_read(_: int) -> object:
        return accounts.store.users.find("person-0")

    base, checks = _in_turn(one_read, check, CHECKS)
    wrongs, unknowns = _in_turn(wrong, unknown, SIGN_INS)
    rows = [
        *_rows("sign-in", _times(sign_in, SIGN_INS, 1), 1),
        *_rows("sign-in", _times(sign_in, SIGN_INS, AT_ONCE), AT_ONCE),
        *_rows("sign-in, wrong password", wrongs, 1),
        *_rows(
            "sign-in, unknown e-mail",
            unknowns,
            1,
            ("a wrong password", wrongs, UNKNOWN_BUDGET),
        ),
        *_rows("check of a run", checks, 1, ("one read", base, CHECK_BUDGET)),
        *_rows("check of a run", _times(check, CHECKS, AT_ONCE), AT_ONCE),
    ]
    return [*rows, _races(accounts)]


def _people(accounts: Accounts) -> list[str]:
    now, made = datetime.now(UTC), accounts.hasher.hash(PASSWORD)
    emails = [f"person-{n}@example.org" for n in range(PEOPLE)]
    for n, email in enumerate(emails):
        accounts.store.users.create(
            User(
                id=f"person-{n}",
                created=now,
                email=email,
                first_name="Camille",
                password_hash=made,
                verified_at=now,
            )
        )
    return emails


def _races(accounts: Accounts) -> Row:
    """How many races for one e-mail had exactly one winner; passwords are cheap here."""
    cheap = replace(accounts.settings, password_rounds=1, password_mebibytes=1)
    winners: list[int] = []
    made: list[str] = []
    create = accounts.store.users.create

    def counted(user: User) -> User:
        created = create(user)
        made.append(user.id)
        return created

    racing = replace(accounts, hasher=Hasher(cheap))
    with ThreadPoolExecutor(RACERS) as pool:
        accounts.store.users.create = counted  # type: ignore[method-assign]
        for n in range(RACES):
            made.clear()
            barrier = Barrier(RACERS)

            def race(k: int, n: int = n, barrier: Barrier = barrier) -> None:
                form = SignUp(f"race-{n}@example.org", PASSWORD, "Camille", "", consents=True)
                barrier.wait(60)
                racing.sign_up(form, Client(f"192.0.2.{n}-{k}", "fr"))

            list(pool.map(race, range(RACERS)))
            winners.append(len(made))
    won = winners.count(1)
    return {
        "bench": "accounts",
        "case": f"sign-up of {RACERS} with one e-mail",
        "size": RACES,
        "metric": "races with one winner",
        "value": won,
        "compared_with": "all races",
        "ratio": won / RACES,
        "budget": 1.0,
        "held": won == RACES,
    }


def _times(call: Callable[[int], object], count: int, at_once: int) -> list[float]:
    """Milliseconds of each of so many calls, by so many threads."""

    def timed(n: int) -> float:
        began = perf_counter()
        call(n)
        return 1000 * (perf_counter() - began)

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(timed, range(count)))


def _in_turn(
    one: Callable[[int], object], other: Callable[[int], object], count: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of two calls made in turn: what else the machine does is the same for both."""
    pairs = [(_times(one, 1, 1)[0], _times(other, 1, 1)[0]) for _ in range(count)]
    return [first for first, _ in pairs], [second for _, second in pairs]


def _rows(
    case: str,
    times: list[float],
    at_once: int,
    against: tuple[str, list[float], float] | None = None,
) -> list[Row]:
    """p50 and p95; the median may be compared with another one."""
    deciles = statistics.quantiles(times, n=20)
    found = {"p50_ms": statistics.median(times), "p95_ms": deciles[18]}
    rows = []
    for metric, value in found.items():
        ratio = budget = None
        if against is not None and metric == "p50_ms":
            ratio, budget = value / statistics.median(against[1]), against[2]
        rows.append(
            {
                "bench": "accounts",
                "case": case,
                "size": at_once,
                "metric": metric,
                "value": round(value, 2),
                "compared_with": against[0] if ratio is not None and against else None,
                "ratio": None if ratio is None else round(ratio, 2),
                "budget": budget,
                "held": None if ratio is None or budget is None else ratio <= budget,
            }
        )
    return rows
