"""Associations and what they publish: posts, volunteering missions, events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cityverse.domain.places import Location
from cityverse.domain.rules import (
    check_between,
    check_id,
    check_link,
    check_text,
    check_time,
)
from cityverse.errors import InvalidField

NAME_LONGEST = 120
TEXT_LONGEST = 5000


@dataclass(frozen=True, slots=True)
class Association:
    """A body that publishes; ``goals`` are numbers of Sustainable Development Goals, 1 to 17."""

    id: str
    name: str
    created: datetime
    description: str = ""
    website: str | None = None
    goals: frozenset[int] = frozenset()
    location: Location | None = None
    verified: bool = False
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_text("name", self.name, longest=NAME_LONGEST)
        check_text("description", self.description, longest=TEXT_LONGEST, required=False)
        check_link("website", self.website)
        check_time("created", self.created)
        for goal in self.goals:
            check_between("goals", goal, 1, 17)
        if self.location is not None:
            self.location.check()


@dataclass(frozen=True, slots=True)
class Post:
    """What an association publishes as itself."""

    id: str
    association_id: str
    association_name: str
    text: str
    created: datetime
    title: str = ""
    location: Location | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="post", init=False)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("association_id", self.association_id)
        check_text("association_name", self.association_name, longest=NAME_LONGEST)
        check_text("title", self.title, longest=200, required=False)
        check_text("text", self.text, longest=TEXT_LONGEST)
        check_time("created", self.created)
        if self.location is not None:
            self.location.check()


class MissionStatus(StrEnum):
    """Whether one can still apply."""

    OPEN = "open"
    FULL = "full"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Mission:
    """A volunteering offer with a number of places."""

    id: str
    association_id: str
    association_name: str
    title: str
    description: str
    created: datetime
    starts: datetime
    places: int
    approved: int = 0
    status: MissionStatus = MissionStatus.OPEN
    location: Location | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="mission", init=False)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("association_id", self.association_id)
        check_text("association_name", self.association_name, longest=NAME_LONGEST)
        check_text("title", self.title, longest=200)
        check_text("description", self.description, longest=TEXT_LONGEST, required=False)
        check_time("created", self.created)
        check_time("starts", self.starts)
        check_between("places", self.places, 1, 10_000)
        check_between("approved", self.approved, 0, self.places)
        if self.location is not None:
            self.location.check()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a time and a place."""

    id: str
    association_id: str
    association_name: str
    title: str
    description: str
    created: datetime
    starts: datetime
    ends: datetime
    location: Location | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="event", init=False)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("association_id", self.association_id)
        check_text("association_name", self.association_name, longest=NAME_LONGEST)
        check_text("title", self.title, longest=200)
        check_text("description", self.description, longest=TEXT_LONGEST, required=False)
        check_time("created", self.created)
        check_time("starts", self.starts)
        check_time("ends", self.ends)
        if self.ends < self.starts:
            raise InvalidField("ends", "must not lie before the start")
        if self.location is not None:
            self.location.check()
