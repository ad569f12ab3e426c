"""Which status of a mission may follow which, and when its team may choose it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from cityverse.domain.community import Mission, MissionStatus
from cityverse.domain.rules import check_between
from cityverse.errors import WrongState

_S = MissionStatus
# Open and full follow from the places: a team opens a mission, full it becomes by itself.
TRANSITIONS: Mapping[MissionStatus, frozenset[MissionStatus]] = {
    _S.DRAFT: frozenset({_S.OPEN}),
    _S.OPEN: frozenset({_S.CLOSED, _S.DONE, _S.CANCELLED}),
    _S.FULL: frozenset({_S.CLOSED, _S.DONE, _S.CANCELLED}),
    _S.CLOSED: frozenset({_S.OPEN, _S.DONE, _S.CANCELLED}),
    _S.DONE: frozenset(),
    _S.CANCELLED: frozenset({_S.OPEN}),
}
"""Which status may follow which by the will of the team; cancelling can be taken back."""

SERIES_MOST = 52


class Rhythm(StrEnum):
    """How often a mission or an event of a series takes place."""

    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    MONTHLY = "monthly"


def choices(mission: Mission, now: datetime) -> list[MissionStatus]:
    """The statuses its team can give a mission now, in their own order."""
    return [status for status in MissionStatus if _may(mission, status, now)]


def check_transition(mission: Mission, status: MissionStatus, now: datetime) -> None:
    """Raise WrongState when a mission may not get this status now."""
    if not _may(mission, status, now):
        raise WrongState(f"a mission that is {mission.status} cannot become {status} now")


def _may(mission: Mission, status: MissionStatus, now: datetime) -> bool:
    if status not in TRANSITIONS[mission.status]:
        return False
    if status is _S.OPEN:
        return mission.over > now
    return status is not _S.DONE or mission.starts <= now


def repeated(first: datetime, rhythm: Rhythm, times: int) -> Iterator[datetime]:
    """The moments of a series, ``first`` among them, at the same time of its own time zone.

    Monthly means the same weekday of the month, every four or five weeks. Raises
    InvalidField for more than 52 times, or fewer than one.
    """
    check_between("times", times, 1, SERIES_MOST)
    days = {Rhythm.DAILY: 1, Rhythm.WEEKLY: 7, Rhythm.FORTNIGHTLY: 14}
    if rhythm is Rhythm.ONCE:
        times = 1
    if rhythm is Rhythm.MONTHLY:
        yield from _monthly(first, times)
        return
    for number in range(times):
        yield first + timedelta(days=days.get(rhythm, 0) * number)


def _monthly(first: datetime, times: int) -> Iterator[datetime]:
    """The second Tuesday of every month, say; a fifth one becomes the last."""
    wanted, when = _week_of(first), first
    for _ in range(times):
        yield when
        month = when.month
        when += timedelta(weeks=4)
        if when.month == month:
            when += timedelta(weeks=1)
        while _week_of(when) < wanted and (when + timedelta(weeks=1)).month == when.month:
            when += timedelta(weeks=1)


def _week_of(when: datetime) -> int:
    return (when.day - 1) // 7
