"""The kinds of items that stand side by side on the map and in the list."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an item is."""

    NEWS = "news"
    POST = "post"
    MISSION = "mission"
    EVENT = "event"
    ASSOCIATION = "association"
    CAMPAIGN = "campaign"


# What fills the city by itself; associations appear when one searches for them.
DAILY = (Kind.NEWS, Kind.POST, Kind.MISSION, Kind.EVENT, Kind.CAMPAIGN)
