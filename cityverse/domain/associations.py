"""What is said of associations alone: their activities and their number in the register."""

from __future__ import annotations

import re
from enum import StrEnum

from cityverse.domain.people import check_choice
from cityverse.domain.rules import check_id
from cityverse.errors import InvalidField

EDITORS_MOST = 50
_RNA = re.compile(r"W[0-9]{9}")


class Activity(StrEnum):
    """What an association does."""

    ARTS_AND_CULTURE = "arts_and_culture"
    SPORTS = "sports"
    SOCIAL_ACTION = "social_action"
    RECREATION = "recreation"
    HUMANITARIAN_AID = "humanitarian_aid"


def check_rna(rna: str | None) -> None:
    """A number of the national register of associations: W and nine digits; None is no number."""
    if rna is not None and not (isinstance(rna, str) and _RNA.fullmatch(rna)):
        raise InvalidField("rna", "must be W and nine digits")


def check_activities(activities: frozenset[Activity]) -> None:
    """Activities themselves, not texts that look like them."""
    for activity in activities:
        check_choice("activities", activity, Activity)


def check_editors(editors: frozenset[str]) -> None:
    """Ids of at most 50 people who publish beside the owner."""
    if len(editors) > EDITORS_MOST:
        raise InvalidField("editors", f"has {len(editors)} people, at most {EDITORS_MOST}")
    for editor in editors:
        check_id("editors", editor)
