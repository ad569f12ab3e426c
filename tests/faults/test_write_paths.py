"""Whatever goes wrong with a call, it is said clearly, a retry is safe, nothing is doubled."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pkgutil
import textwrap
from typing import Any

import pytest
from harness import (
    CONFLICT,
    FAULTS,
    TIMEOUT_AFTER,
    WRITES,
    Connection,
    connection,
    content,
    empty,
    made,
)
from helpers import clear, settings_for
from scenarios import SCENARIOS, Scenario

import cityverse.data
from cityverse.data import client
from cityverse.data.repository import Repository
from cityverse.errors import CityVerseError, Conflict, NotFound, StoreError

# So many calls of a write path are broken in each way; only deletions take more.
BROKEN_MOST = 16
# So many where every run of the tests breaks some; the long ones break them all.
BROKEN_QUICKLY = 3
# Of these one: each time somebody's whole life is made.
LONG = {"Deletion.delete_person", "Deletion.finish_closed"}
# These write to S3 as well, and are broken off in the tests of media.
ELSEWHERE = {"MediaRepository", "MediaStore", "Uploads"}
# Their answer only tells whose call it was that noted the time, not whether it is noted.
SAYS_WHO = {
    "UserRepository.seen",
    "UserRepository.notified",
    "LetterRepository.take",
    "DigestRepository.postpone",
    "DigestRepository.told",
}
# What lists and cursors do is no writing, though other classes write by the same name.
READING = {"page", "read", "write", "rows", "get", "find"}
# Bases whose methods are tried in every repository that has them.
BASES = {
    "Repository",
    "LeafRepository",
    "TimelineRepository",
    "PlacedRepository",
    "DealingRepository",
}


@pytest.fixture(scope="module")
def brittle(engine_folder):
    """A connection on which a broken attempt is a broken call."""
    with connection(settings_for(engine_folder), attempts=1) as one:
        yield one


@pytest.fixture(scope="module")
def patient(engine_folder):
    """A connection that tries five times, as that of the program does."""
    with connection(settings_for(engine_folder), attempts=5) as one:
        yield one


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(client, "_pause", lambda attempt: None)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


@pytest.fixture(scope="module", autouse=True)
def emptied(dynamo):
    clear(dynamo)
    yield
    clear(dynamo)


class Trial:
    """One write path on one connection; leaves nothing behind."""

    def __init__(self, scenario: Scenario, on: Connection) -> None:
        self._scenario, self._on = scenario, on
        on.heal()
        on.places.clear()

    def prepared(self) -> Any:
        self._on.heal()
        empty(self._on.dynamo, self._on.places)
        context = self._scenario.prepare(lambda kind: made(kind, self._on.dynamo))
        self._on.heal()
        return context

    def act(self, context: Any) -> Any:
        return self._scenario.act(made(self._scenario.kind, self._on.dynamo), context)

    def content(self) -> dict[Any, Any]:
        self._on.heal()
        return content(self._on.dynamo, self._on.places)

    def undisturbed(self) -> tuple[list[str], dict[Any, Any], Any]:
        """The attempts of the write path, what the store holds after it, and its answer."""
        answer = self.act(self.prepared())
        attempts = list(self._on.attempts)
        return attempts, self.content(), answer

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._on.heal()
        empty(self._on.dynamo, self._on.places)


def attempts_to_break(attempts, fault, *, writes_only, most=BROKEN_MOST):
    """The numbers of the calls to break; of very many some, and others with each fault."""
    numbers = [n for n, name in enumerate(attempts) if name in WRITES or not writes_only]
    step = 1 + (len(numbers) - 1) // most
    return numbers[FAULTS.index(fault) % step :: step]


def check_brittle(scenario, on, faults, *, writes_only, most=BROKEN_MOST):
    """The call fails with an error of ours, and done again leads to what it should."""
    with Trial(scenario, on) as trial:
        attempts, expected, _ = trial.undisturbed()
        assert WRITES & set(attempts)
        for fault in faults:
            for number in attempts_to_break(attempts, fault, writes_only=writes_only, most=most):
                context = trial.prepared()
                on.break_at(fault, number)
                told = None
                try:
                    trial.act(context)
                except StoreError as error:
                    told = error
                on.heal()
                if told is None:
                    # Only a conflict is overcome by the program itself.
                    assert fault is CONFLICT
                else:
                    again(trial, context)
                assert trial.content() == expected, (str(fault), number, attempts)


def again(trial, context):
    """A retry succeeds, or says that the state of the store forbids it."""
    with contextlib.suppress(Conflict, NotFound):
        trial.act(context)


def check_patient(scenario, on, faults, *, writes_only, most=BROKEN_MOST):
    """Botocore tries again by itself: the user hears of nothing."""
    with Trial(scenario, on) as trial:
        attempts, expected, answer = trial.undisturbed()
        for fault in faults:
            for number in attempts_to_break(attempts, fault, writes_only=writes_only, most=most):
                if fault is CONFLICT and attempts[number] != "TransactWriteItems":
                    continue  # what transactions meet, and what only they are repeated for
                context = trial.prepared()
                on.break_at(fault, number)
                told = trial.act(context)
                assert told == answer or str(scenario) in SAYS_WHO, (str(fault), number, attempts)
                assert len(on.attempts) > len(attempts), "nothing was broken"
                assert trial.content() == expected, (str(fault), number, attempts)


def check_gone(scenario, on, fault):
    """The store goes away in the middle and stays away: an error of ours, then all is well."""
    with Trial(scenario, on) as trial:
        attempts, expected, _ = trial.undisturbed()
        for number in attempts_to_break(attempts, fault, writes_only=True):
            context = trial.prepared()
            on.break_at(fault, *range(number, number + 200))
            with pytest.raises(StoreError):
                trial.act(context)
            on.heal()
            again(trial, context)
            assert trial.content() == expected, (str(fault), number, attempts)


scenarios = pytest.mark.parametrize(
    "scenario", SCENARIOS, ids=[f"{s}-{n}" for n, s in enumerate(SCENARIOS)]
)


def quickly(scenario):
    """How many calls are broken in every run of the tests."""
    return 1 if str(scenario) in LONG else BROKEN_QUICKLY


@scenarios
def test_a_lost_answer_to_a_write_is_survived(scenario, brittle):
    check_brittle(scenario, brittle, [TIMEOUT_AFTER], writes_only=True, most=quickly(scenario))


@scenarios
def test_a_write_whose_answer_was_lost_once_is_done_once(scenario, patient):
    check_patient(scenario, patient, [TIMEOUT_AFTER], writes_only=True, most=quickly(scenario))


@pytest.mark.slow
@scenarios
def test_every_fault_of_every_call_is_survived(scenario, brittle):
    check_brittle(scenario, brittle, FAULTS, writes_only=False)


@pytest.mark.slow
@scenarios
def test_every_fault_is_overcome_by_trying_again(scenario, patient):
    check_patient(scenario, patient, FAULTS, writes_only=False)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=str)
@scenarios
def test_a_store_that_stays_away_is_survived(scenario, brittle, fault):
    check_gone(scenario, brittle, fault)


# Which methods write is read from their source, so that a new one is not forgotten.


def classes():
    """Every class of the data module, by name."""
    found = {}
    for module in pkgutil.iter_modules(cityverse.data.__path__):
        imported = importlib.import_module(f"cityverse.data.{module.name}")
        found |= {
            name: kind
            for name, kind in vars(imported).items()
            if inspect.isclass(kind) and kind.__module__ == imported.__name__
        }
    return found


def _calls(function):
    """Names it calls on its own object, names on what that holds, and whether it writes."""
    own, held, writes = set(), set(), False
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on, name = ast.unparse(node.func.value), node.func.attr
            if on.endswith("dynamo") and name in {"transact", "put", "update", "delete"}:
                writes = True
            elif on in {"self", "super()"}:
                own.add(name)
            elif on.startswith(("self.", "repository")) and name not in READING:
                held.add(name)
    return own, held, writes


def writing_methods():
    """``Class.method`` of every public method that reaches a write."""
    kinds = classes()
    calls = {
        (name, method): _calls(function)
        for name, kind in kinds.items()
        for method, function in vars(kind).items()
        if inspect.isfunction(function) and not method.startswith("__")
    }
    writing = {(name, method) for (name, method), (*_, writes) in calls.items() if writes}
    family = {name: {base.__name__ for base in kind.__mro__} for name, kind in kinds.items()}

    def reaches(name, own, held):
        return any(
            method in held or (method in own and (owner in family[name] or name in family[owner]))
            for owner, method in writing
        )

    while more := {
        key
        for key, (own, held, _) in calls.items()
        if key not in writing and reaches(key[0], own, held)
    }:
        writing |= more
    return {
        f"{name}.{method}"
        for name in kinds.keys() - BASES - ELSEWHERE - {"Dynamo", "Store"}
        for owner, method in writing
        if owner in family[name] and not method.startswith("_") and not name.startswith("_")
    }


def test_every_way_to_write_is_tried():
    assert writing_methods() - {str(scenario) for scenario in SCENARIOS} == set()


def test_a_new_way_to_write_would_be_seen(monkeypatch):
    class Forgotten(Repository[Any]):
        def forget(self):
            self.erase()

        def erase(self):
            self.dynamo.delete("Posts", {"id": "p1"})

    Forgotten.__module__ = "cityverse.data.posts"
    monkeypatch.setattr("cityverse.data.posts.Forgotten", Forgotten, raising=False)
    assert {"Forgotten.forget", "Forgotten.erase", "Forgotten.create"} <= writing_methods()


def test_a_fault_is_told_in_our_words(brittle):
    for fault in FAULTS:
        brittle.break_at(fault, *range(200))
        with pytest.raises(CityVerseError) as told:
            brittle.dynamo.put("Meta", {"id": "x"})
        assert isinstance(told.value, StoreError)
    brittle.heal()
