"""Who comes to an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cityverse.domain.rules import check_id, check_time


@dataclass(frozen=True, slots=True)
class Attendance:
    """That one person comes to one event, and since when that is known."""

    event_id: str
    user_id: str
    created: datetime

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("event_id", self.event_id)
        check_id("user_id", self.user_id)
        check_time("created", self.created)
