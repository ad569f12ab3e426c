"""Letters that gather what is new, as often as a person likes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cityverse.domain.news import TopicName
from cityverse.domain.people import check_choice, check_whole
from cityverse.domain.rules import check_id, check_text, check_time


class Pace(StrEnum):
    """How often a digest comes."""

    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Digest:
    """What a person wants to be sent, and how far they were told.

    No arrondissements or topics: all of them. ``due`` is when the next one comes, ``since``
    up to when the last one told.
    """

    user_id: str
    pace: Pace
    due: datetime
    since: datetime
    language: str
    arrondissements: tuple[int, ...] = ()
    topics: tuple[TopicName, ...] = ()

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("user_id", self.user_id)
        check_choice("pace", self.pace, Pace)
        check_time("due", self.due)
        check_time("since", self.since)
        check_text("language", self.language, longest=8)
        for arrondissement in self.arrondissements:
            check_whole("arrondissements", arrondissement, lowest=1, highest=20)
        for topic in self.topics:
            check_choice("topics", topic, TopicName)
