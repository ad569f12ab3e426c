"""Who may do what: the table of the documentation, walked for every action and role."""

import inspect
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from people_helpers import user

from cityverse.accounts.accounts import Accounts
from cityverse.domain import policy
from cityverse.domain.people import Role, Status
from cityverse.domain.policy import RULES, Action, Rule, Tie
from cityverse.errors import NotAllowed, NotSignedIn

DOCS = Path(__file__).parents[2] / "docs" / "roles.md"
ORDER = list(Role)


@dataclass(frozen=True)
class Thing:
    owner_id: str | None = "owner"
    editors: frozenset[str] = frozenset({"editor"})


def documented():
    """The table of the documentation: action to who may, and the tie it names."""
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert header == ["Action", "signed out", *ORDER, "Only"]
    return {row[0]: (dict(zip(header[1:-1], row[1:-1], strict=True)), row[-1]) for row in rows}


def test_the_documentation_shows_the_table():
    assert policy.as_markdown() in DOCS.read_text()
    assert set(documented()) == set(Action) == set(RULES)


@pytest.mark.parametrize("action", Action)
def test_every_action_for_every_role_is_as_documented(action):
    allowed, tie = documented()[action]
    fitting = {"": None, "what is theirs": "u1"}.get(tie, Thing(owner_id="u1"))
    assert policy.may(None, action, fitting) is (allowed["signed out"] == "yes")
    for role in ORDER:
        person = user("u1", role=role)
        assert policy.may(person, action, fitting) is (allowed[role] == "yes"), role
        if tie:
            assert not policy.may(person, action), role
            assert not policy.may(person, action, "somebody else"), role
            assert not policy.may(person, action, Thing()), role


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.CLOSED])
def test_an_account_that_is_not_active_may_only_read(status):
    person = user("u1", role=Role.ADMIN, status=status)
    for action in Action:
        anybodys = action in {Action.READ, Action.REPORT}
        assert policy.may(person, action, "u1") is anybodys


def test_editors_publish_and_only_owners_hand_over():
    editor, owner = user("editor"), user("owner")
    assert policy.may(editor, Action.PUBLISH, Thing())
    assert policy.may(owner, Action.PUBLISH, Thing())
    assert not policy.may(editor, Action.HAND_OVER_ASSOCIATION, Thing())
    assert policy.may(owner, Action.HAND_OVER_ASSOCIATION, Thing())
    assert not policy.may(user("u1", role=Role.ADMIN), Action.PUBLISH, Thing())
    assert not policy.may(user("u1"), Action.PUBLISH, Thing(owner_id=None, editors=frozenset()))


def test_an_id_is_no_item_with_an_owner():
    assert not policy.may(user("u1"), Action.PUBLISH, "u1")


def test_require_says_which_it_is():
    with pytest.raises(NotSignedIn):
        policy.require(None, Action.POST)
    with pytest.raises(NotAllowed):
        policy.require(user(), Action.MODERATE)
    assert policy.require(user(), Action.POST) == user()


def test_roles_never_replace_a_tie():
    assert RULES[Action.EDIT_ACCOUNT] == Rule(Role.RESIDENT, Tie.THEIRS)


# Which rule a use case with an actor holds, and how it is called: the walk below finds
# a use case that is not here.
USE_CASES = {
    "rename": Action.EDIT_ACCOUNT,
    "live_at": Action.EDIT_ACCOUNT,
    "change_password": Action.EDIT_ACCOUNT,
    "ask_email": Action.EDIT_ACCOUNT,
    "delete": Action.EDIT_ACCOUNT,
    "sign_out_everywhere": Action.EDIT_ACCOUNT,
    "switch_on": Action.EDIT_ACCOUNT,
    "switch_off": Action.EDIT_ACCOUNT,
    "new_recovery_codes": Action.EDIT_ACCOUNT,
    "claim": Action.EDIT_ACCOUNT,
    "set_role": Action.GRANT_ROLE,
}


class Reached(Exception):
    """The use case went on behind its check."""


class Untouchable:
    """Stands where the store and all else would be."""

    def __getattr__(self, name):
        raise Reached(name)


def test_every_use_case_with_an_actor_is_walked():
    found = {
        name
        for name, method in inspect.getmembers(Accounts, inspect.isfunction)
        if "who" in inspect.signature(method).parameters
    }
    assert found == set(USE_CASES)


@pytest.mark.parametrize("name", USE_CASES)
@pytest.mark.parametrize("role", [None, *ORDER, "suspended"])
def test_every_use_case_asks_the_policy_before_anything_else(name, role):
    nothing = Untouchable()
    accounts = Accounts(nothing, nothing, nothing, nothing, nothing, nothing, nothing)
    if role == "suspended":
        who = user(role=Role.ADMIN, status=Status.SUSPENDED)
    else:
        who = None if role is None else user(role=role)
    method = getattr(accounts, name)
    kinds = list(inspect.signature(method).parameters.values())[1:]
    arguments = [_fitting(kind.name) for kind in kinds]
    action = USE_CASES[name]
    if policy.may(who, action, who and who.id):
        with pytest.raises(Reached):
            method(who, *arguments)
    else:
        with pytest.raises((NotSignedIn, NotAllowed)):
            method(who, *arguments)


def _fitting(name):
    known = {
        "email": "new@example.org",
        "role": Role.MANAGER,
        "client": Untouchable(),
        "secret": "A" * 32,
    }
    return known.get(name, "tomate courge poireau")


def test_the_walk_would_see_a_role_that_changed(monkeypatch):
    monkeypatch.setitem(RULES, Action.MODERATE, replace(RULES[Action.MODERATE], least=None))
    assert policy.as_markdown() not in DOCS.read_text()
