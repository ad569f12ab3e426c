"""Who may do what: the one place that says so.

Use cases ask ``require`` with who is signed in, never with what a page or browser says.
``docs/roles.md`` shows ``RULES`` as a table; a test keeps the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cityverse.domain.people import Role, Status, User
from cityverse.errors import NotAllowed, NotSignedIn


class Action(StrEnum):
    """What somebody may want to do."""

    READ = "read"
    EDIT_ACCOUNT = "edit_account"
    UPLOAD = "upload"
    FOLLOW = "follow"
    REACT = "react"
    COMMENT = "comment"
    POST = "post"
    EDIT_OWN = "edit_own"
    APPLY = "apply"
    ATTEND = "attend"
    GIVE = "give"
    REPORT = "report"
    PROPOSE_PLACE = "propose_place"
    APPEAL = "appeal"
    FOUND_ASSOCIATION = "found_association"
    PUBLISH = "publish"
    RUN_ASSOCIATION = "run_association"
    HAND_OVER_ASSOCIATION = "hand_over_association"
    SEE_ANALYTICS = "see_analytics"
    MODERATE = "moderate"
    VERIFY_ASSOCIATION = "verify_association"
    MANAGE_SOURCES = "manage_sources"
    DECIDE_PLACES = "decide_places"
    MANAGE_MAP = "manage_map"
    SEE_HEALTH = "see_health"
    GRANT_ROLE = "grant_role"


class Tie(StrEnum):
    """What the item must be to who acts, beside the role."""

    NONE = "none"
    THEIRS = "theirs"
    EDITOR = "editor"
    OWNER = "owner"


class Owned(Protocol):
    """An item with an owner and perhaps editors, such as an association."""

    @property
    def owner_id(self) -> str | None:
        """The id of the owner, or None."""

    @property
    def editors(self) -> frozenset[str]:
        """The ids of those who publish beside the owner."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The least role (None: nobody need be signed in) and the tie to the item."""

    least: Role | None
    tie: Tie = Tie.NONE


RULES: dict[Action, Rule] = {
    Action.READ: Rule(None),
    Action.EDIT_ACCOUNT: Rule(Role.RESIDENT, Tie.THEIRS),
    Action.UPLOAD: Rule(Role.RESIDENT),
    Action.FOLLOW: Rule(Role.RESIDENT),
    Action.REACT: Rule(Role.RESIDENT),
    Action.COMMENT: Rule(Role.RESIDENT),
    Action.POST: Rule(Role.RESIDENT),
    Action.EDIT_OWN: Rule(Role.RESIDENT, Tie.THEIRS),
    Action.APPLY: Rule(Role.RESIDENT),
    Action.ATTEND: Rule(Role.RESIDENT),
    Action.GIVE: Rule(Role.RESIDENT),
    Action.REPORT: Rule(None),
    Action.PROPOSE_PLACE: Rule(Role.RESIDENT),
    Action.APPEAL: Rule(Role.RESIDENT, Tie.THEIRS),
    Action.FOUND_ASSOCIATION: Rule(Role.CREATOR),
    Action.PUBLISH: Rule(Role.RESIDENT, Tie.EDITOR),
    Action.RUN_ASSOCIATION: Rule(Role.RESIDENT, Tie.EDITOR),
    Action.HAND_OVER_ASSOCIATION: Rule(Role.RESIDENT, Tie.OWNER),
    Action.SEE_ANALYTICS: Rule(Role.MANAGER),
    Action.MODERATE: Rule(Role.MANAGER),
    Action.VERIFY_ASSOCIATION: Rule(Role.MANAGER),
    Action.MANAGE_SOURCES: Rule(Role.MANAGER),
    Action.DECIDE_PLACES: Rule(Role.MANAGER),
    Action.MANAGE_MAP: Rule(Role.MANAGER),
    Action.SEE_HEALTH: Rule(Role.MANAGER),
    Action.GRANT_ROLE: Rule(Role.ADMIN),
}

_ORDER = tuple(Role)


def may(who: User | None, action: Action, of: Owned | str | None = None) -> bool:
    """Whether somebody may do this; ``of`` is the item, or the id of whose it is.

    A rule with a tie allows nothing where no item is given. A role never replaces a tie:
    managers moderate what is another's, they do not edit it.
    """
    rule = RULES[action]
    if rule.least is None:
        return True
    if who is None or who.status is not Status.ACTIVE:
        return False
    return _ORDER.index(who.role) >= _ORDER.index(rule.least) and _tied(who.id, rule.tie, of)


def require(who: User | None, action: Action, of: Owned | str | None = None) -> User:
    """Who acts, if they may; raises NotSignedIn or NotAllowed. Not for what anybody may."""
    if who is None:
        raise NotSignedIn(f"{action} is for those who are signed in")
    if not may(who, action, of):
        raise NotAllowed(f"{who.role} {who.id} may not {action}")
    return who


def _tied(user_id: str, tie: Tie, of: Owned | str | None) -> bool:
    if tie is Tie.NONE:
        return True
    if of is None:
        return False
    if isinstance(of, str):
        return tie is Tie.THEIRS and of == user_id
    owns = of.owner_id == user_id
    return owns or (tie is Tie.EDITOR and user_id in of.editors)


_TIES = {
    Tie.NONE: "",
    Tie.THEIRS: "what is theirs",
    Tie.EDITOR: "as its owner or editor",
    Tie.OWNER: "as its owner",
}


def as_markdown() -> str:
    """The table of rules as ``docs/roles.md`` shows it."""
    columns = ("signed out", *_ORDER)
    lines = [
        f"| Action | {' | '.join(columns)} | Only |",
        f"|---|{'---|' * len(columns)}---|",
    ]
    for action, rule in RULES.items():
        lowest = 0 if rule.least is None else 1 + _ORDER.index(rule.least)
        cells = ["yes" if n >= lowest else "" for n in range(len(columns))]
        lines.append(f"| {action} | {' | '.join(cells)} | {_TIES[rule.tie]} |")
    return "\n".join(lines) + "\n"
