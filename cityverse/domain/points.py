"""Points and badges: what earns them, and that each cause earns once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cityverse.domain.people import check_optional_id, check_whole
from cityverse.domain.rules import check_id, check_text, check_time

POINTS_MOST = 100_000
POINTS_AN_HOUR = 2
# Causes that come once in a life, apart from the hours, of which there are many.
ONCE = "once:"
HOUR = "hour:"


@dataclass(frozen=True, slots=True)
class Cause:
    """What earns points the first time it happens, and a badge with some."""

    name: str
    points: int
    badge_id: str | None = None


CAUSES: dict[str, Cause] = {
    cause.name: cause
    for cause in (
        Cause("profile_image", 20),
        Cause("banner", 20),
        Cause("description", 20),
        Cause("goals", 20),
        Cause("address", 20),
        Cause("link_facebook", 5),
        Cause("link_instagram", 5),
        Cause("link_x", 5),
        Cause("link_youtube", 5),
        Cause("mission", 900, "mission"),
        Cause("donation", 1500, "donation"),
        Cause("city_in_3d", 800, "trocadero"),
    )
}


@dataclass(frozen=True, slots=True)
class Award:
    """Points, hours and perhaps a badge, given to a person once for a cause."""

    user_id: str
    cause: str
    points: int
    created: datetime
    badge_id: str | None = None
    hours: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("user_id", self.user_id)
        check_id("cause", self.cause)
        check_whole("points", self.points, highest=POINTS_MOST)
        check_whole("hours", self.hours, highest=1)
        check_time("created", self.created)
        check_optional_id("badge_id", self.badge_id)


def award_for(user_id: str, cause: Cause, now: datetime) -> Award:
    """The award for something that counts the first time only."""
    return Award(user_id, f"{ONCE}{cause.name}", cause.points, now, cause.badge_id)


def hour_award(user_id: str, now: datetime) -> Award:
    """The award for an hour of the clock (UTC) in which a person was here."""
    hour = now.astimezone(UTC).strftime("%Y-%m-%dT%H")
    return Award(user_id, f"{HOUR}{hour}", POINTS_AN_HOUR, now, hours=1)


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge one can earn; its name is unlike that of any other."""

    id: str
    name: str
    created: datetime
    description: str = ""
    media_id: str | None = None
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_text("name", self.name, longest=80)
        check_text("description", self.description, longest=500, required=False)
        check_time("created", self.created)
        check_optional_id("media_id", self.media_id)
