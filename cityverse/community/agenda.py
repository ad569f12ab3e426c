"""Calendars: what a person takes part in, and what an association holds."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime

from cityverse.community.city import CityItem, as_item
from cityverse.data.lists import PAGE_MOST
from cityverse.data.repository import Window
from cityverse.data.store import Store
from cityverse.data.timeline import is_hidden
from cityverse.domain import policy
from cityverse.domain.applications import Application, ApplicationState, Presence
from cityverse.domain.community import Event, Mission, MissionStatus
from cityverse.domain.people import Status, User
from cityverse.domain.policy import Action
from cityverse.errors import NotFound, VersionConflict

_SHOWN = frozenset({ApplicationState.PENDING, ApplicationState.WAITING, ApplicationState.APPROVED})
_TRIES = 5
_LABEL = b"calendar of a person"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something of a calendar; ``state`` is that of one's application, None for an event."""

    item: CityItem
    state: ApplicationState | None = None
    cancelled: bool = False


def of_person(store: Store, who: User) -> list[Entry]:
    """What a person takes part in, or asked to, the next first.

    Looks at their latest hundred applications and hundred attendances. Raises StoreError.
    """
    applications = store.applications.of_user(who.id, limit=PAGE_MOST).items
    states = {one.mission_id: one.state for one in applications if one.state in _SHOWN}
    entries = [
        Entry(as_item(one), states[one.id], one.status is MissionStatus.CANCELLED)
        for one in store.missions.find_many(states).values()
        if not is_hidden(one)
    ]
    coming = [one.event_id for one in store.attendance.of_user(who.id, limit=PAGE_MOST).items]
    events = store.events.find_many(coming).values()
    entries += [_of_event(one) for one in events if not is_hidden(one)]
    return sorted(entries, key=lambda one: (one.item.when, one.item.key))


def of_association(store: Store, association_id: str, window: Window) -> list[Entry]:
    """The missions and events of an association in a span of time, at most a hundred of each.

    Raises StoreError.
    """
    found = {"association_id": association_id, "window": window, "limit": PAGE_MOST}
    missions = store.missions.page(**found).items  # type: ignore[arg-type]
    events = store.events.page(**found).items  # type: ignore[arg-type]
    entries = [_of_mission(one) for one in missions] + [_of_event(one) for one in events]
    return sorted(entries, key=lambda one: (one.item.when, one.item.key))


def _of_mission(mission: Mission) -> Entry:
    return Entry(as_item(mission), cancelled=mission.status is MissionStatus.CANCELLED)


def _of_event(event: Event) -> Entry:
    return Entry(as_item(event), cancelled=event.cancelled)


def within(entries: list[Entry], start: datetime, end: datetime) -> list[Entry]:
    """Those that touch a span of time."""
    return [
        one for one in entries if one.item.when < end and (one.item.ends or one.item.when) >= start
    ]


# --- the private address ----------------------------------------------------------------------


def key_of(secret: bytes, who: User) -> str:
    """The key of the private address of a person's calendar, until it is renewed."""
    text = f"{who.id}\n{who.calendar_version}".encode()
    return hmac.new(secret, _LABEL + b"\n" + text, hashlib.sha256).hexdigest()[:40]


def behind(store: Store, secret: bytes, user_id: str, key: str) -> list[Entry]:
    """The calendar behind a private address; raises NotFound for a key that does not hold."""
    who = store.users.find(user_id) if 0 < len(user_id) <= 64 else None
    holds = who is not None and hmac.compare_digest(key_of(secret, who).encode(), key.encode())
    if who is None or not holds or who.status is not Status.ACTIVE:
        raise NotFound("there is no such calendar")
    return of_person(store, who)


def renew(store: Store, who: User | None) -> User:
    """Let the private address no longer answer; there is another one.

    Raises NotSignedIn and NotAllowed.
    """
    user = policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None)
    for left in reversed(range(_TRIES)):
        stored = store.users.get(user.id)
        if stored.calendar_version != user.calendar_version:
            return stored  # sent twice: it was renewed
        wanted = replace(stored, calendar_version=stored.calendar_version + 1)
        try:
            return store.users.replace(stored, wanted)
        except VersionConflict:
            if not left:
                raise
    raise AssertionError("unreachable")


# --- hours ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hours:
    """What an association confirmed: that a person came to a mission, and for how long."""

    mission: Mission
    application: Application

    @property
    def minutes(self) -> int:
        """How long they did."""
        return self.application.minutes or 0


def hours_of(store: Store, who: User | None) -> list[Hours]:
    """The confirmed hours of who is signed in, oldest first. Raises NotSignedIn, StoreError."""
    user = policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None)
    came: list[Application] = []
    cursor: str | None = None
    while True:
        page = store.applications.of_user(user.id, limit=PAGE_MOST, cursor=cursor)
        came += [one for one in page.items if one.presence is Presence.PRESENT and one.minutes]
        cursor = page.next
        if cursor is None:
            break
    missions = store.missions.find_many(one.mission_id for one in came)
    found = [Hours(missions[one.mission_id], one) for one in came if one.mission_id in missions]
    return sorted(found, key=lambda one: (one.mission.starts, one.mission.id))
