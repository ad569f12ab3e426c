"""Requests of residents to take part in a mission."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cityverse.domain.people import check_whole
from cityverse.domain.rules import check_between, check_id, check_text, check_time
from cityverse.errors import InvalidField, WrongState


class ApplicationState(StrEnum):
    """Where an application stands; ``WAITING`` for a place to become free."""

    PENDING = "pending"
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Refusal(StrEnum):
    """Why a team refuses an application."""

    PROFILE = "profile"
    NEEDS = "needs"
    UNREACHABLE = "unreachable"
    ENOUGH = "enough"
    CANCELLED = "cancelled"
    OVER = "over"
    OTHER = "other"


class Presence(StrEnum):
    """Whether who was approved came."""

    PRESENT = "present"
    EXCUSED = "excused"
    ABSENT = "absent"


MINUTES_MOST = 60 * 24 * 366
KEPT = timedelta(days=90)
"""How long after a mission its applications keep what is personal."""

_S = ApplicationState
# Taking a withdrawn application up again is applying anew, which only the applicant can do.
TRANSITIONS: Mapping[ApplicationState, frozenset[ApplicationState]] = {
    _S.PENDING: frozenset({_S.WAITING, _S.APPROVED, _S.REFUSED, _S.WITHDRAWN}),
    _S.WAITING: frozenset({_S.PENDING, _S.APPROVED, _S.REFUSED, _S.WITHDRAWN}),
    _S.APPROVED: frozenset({_S.REFUSED, _S.WITHDRAWN}),
    _S.REFUSED: frozenset({_S.APPROVED, _S.WAITING}),
    _S.WITHDRAWN: frozenset(),
}
"""Which state may follow which."""


def application_id(mission_id: str, user_id: str) -> str:
    """The id of the one application a person can have to a mission."""
    return hashlib.sha256(f"{mission_id}\n{user_id}".encode()).hexdigest()[:32]


def check_transition(old: ApplicationState, new: ApplicationState) -> None:
    """Raise WrongState when ``new`` may not follow ``old``."""
    if new not in TRANSITIONS[old]:
        raise WrongState(f"an application that is {old} cannot become {new}")


@dataclass(frozen=True, slots=True)
class Application:
    """A request of one person to take part in one mission; ``id`` follows from both.

    What is personal is erased after ``erase_at`` and is empty then. ``state``, ``refusal`` and
    ``accepted`` are changed by transitions alone, never by an edit. Who is ``accepted`` while
    waiting gets the next place without being asked for again. ``interests`` is why they want
    to take part; ``minutes`` is how long they did.
    """

    id: str
    mission_id: str
    user_id: str
    created: datetime
    state: ApplicationState = field(default=_S.PENDING, metadata={"counter": True})
    changed: datetime | None = field(default=None, metadata={"counter": True})
    refusal: Refusal | None = field(default=None, metadata={"counter": True})
    accepted: bool = field(default=False, metadata={"counter": True})
    presence: Presence | None = None
    minutes: int | None = None
    erase_at: datetime | None = None
    first_name: str = ""
    surname: str = ""
    age: int | None = None
    address: str = ""
    phone: str = ""
    interests: str = ""
    has_car: bool | None = None
    has_licence: bool | None = None
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("mission_id", self.mission_id)
        check_id("user_id", self.user_id)
        if self.id != application_id(self.mission_id, self.user_id):
            raise InvalidField("id", "does not follow from mission and user")
        check_time("created", self.created)
        check_time("changed", self.changed)
        check_text("first_name", self.first_name, longest=100, required=False)
        check_text("surname", self.surname, longest=100, required=False)
        check_text("address", self.address, longest=300, required=False)
        check_text("phone", self.phone, longest=30, required=False)
        check_text("interests", self.interests, longest=2000, required=False)
        check_time("erase_at", self.erase_at)
        if self.age is not None:
            check_between("age", self.age, 1, 130)
        if self.minutes is not None:
            check_whole("minutes", self.minutes, highest=MINUTES_MOST)

    @property
    def personal(self) -> bool:
        """Whether it holds anything personal but who applied."""
        return self != self.erased()

    def erased(self) -> Application:
        """The same without anything personal but who applied."""
        return dataclasses.replace(
            self,
            first_name="",
            surname="",
            age=None,
            address="",
            phone="",
            interests="",
            has_car=None,
            has_licence=None,
        )
