"""Events: finding them, coming to them, and what an association does with its own.

Who acts is who is signed in. Everything may be sent twice, as with missions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from cityverse.community.city import CITY_ZONE
from cityverse.data.lists import PAGE_MOST, Page
from cityverse.data.repository import Window
from cityverse.data.store import Store
from cityverse.data.timeline import is_hidden
from cityverse.domain import policy
from cityverse.domain.attendance import Attendance
from cityverse.domain.community import Association, Event
from cityverse.domain.missions import Rhythm, repeated
from cityverse.domain.notifications import Notification, Topic
from cityverse.domain.people import User
from cityverse.domain.places import Location
from cityverse.domain.policy import Action
from cityverse.errors import AlreadyExists, InvalidField, NotFound, VersionConflict

PAGE_SIZE = 12
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Search:
    """What events one looks for, from today on, for so many ``days`` (None: all)."""

    text: str = ""
    days: int | None = None
    arrondissement: int | None = None
    association_id: str | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """An event as who is signed in sees it: whether they come, and whether they run it."""

    event: Event
    coming: bool = False
    team: bool = False


def find(store: Store, wanted: Search, now: datetime, *, cursor: str | None = None) -> Page[Event]:
    """Events that begin today or later, the next first. Raises InvalidField and StoreError."""
    midnight = datetime.combine(now.astimezone(CITY_ZONE).date(), time.min, CITY_ZONE)
    end = None if wanted.days is None else midnight + timedelta(days=wanted.days)
    if wanted.text.strip():
        found = store.search("event", wanted.text)
        if found is None:
            raise InvalidField("search", "needs a word of at least three letters")
        events = store.events.find_many(one.item_id for one in found).values()
        passing = [
            one
            for one in events
            if one.starts >= midnight
            and (end is None or one.starts < end)
            and wanted.arrondissement
            in {None, one.location.arrondissement if one.location else None}
        ]
        return Page(tuple(sorted(passing, key=lambda one: (one.starts, one.id))))
    return store.events.page(
        limit=PAGE_SIZE,
        window=Window(midnight, end),
        arrondissement=wanted.arrondissement,
        association_id=wanted.association_id,
        cursor=cursor,
    )


def about(store: Store, who: User | None, event_id: str) -> Detail | None:
    """An event, or None where there is none. Raises StoreError."""
    event = store.events.find(event_id)
    if event is None:
        return None
    if who is None:
        return None if is_hidden(event) else Detail(event)
    association = store.associations.find(event.association_id)
    team = association is not None and policy.may(who, Action.RUN_ASSOCIATION, association)
    if is_hidden(event) and not team:
        return None
    return Detail(event, store.attendance.find(event.id, who.id) is not None, team)


def attend(store: Store, who: User | None, event_id: str, now: datetime) -> Attendance:
    """Come to an event; raises NotSignedIn, NotAllowed, NotFound, Full and Closed."""
    user = policy.require(who, Action.ATTEND)
    return store.attendance.attend(event_id, user.id, now)


def leave(store: Store, who: User | None, event_id: str) -> None:
    """Not come after all; raises NotSignedIn and NotAllowed."""
    user = policy.require(who, Action.ATTEND)
    store.attendance.leave(event_id, user.id)


@dataclass(frozen=True, slots=True)
class EventForm:
    """An event as its association typed it; as ``missions.MissionForm``."""

    id: str
    association_id: str
    title: str
    description: str
    starts: datetime
    ends: datetime
    places: int | None = None
    location: Location | None = None
    link: str | None = None
    goals: frozenset[int] = frozenset()
    rhythm: Rhythm = Rhythm.ONCE
    times: int = 1
    version: int = 0


def save(store: Store, who: User | None, form: EventForm, now: datetime) -> list[Event]:
    """Publish an event, each time of its series, or edit one; who comes is told of changes.

    Raises NotSignedIn, NotAllowed, NotFound, InvalidField and VersionConflict.
    """
    association = store.associations.get(form.association_id)
    policy.require(who, Action.PUBLISH, association)
    if form.version:
        return [_edit(store, form, now)]
    if form.ends <= now:
        raise InvalidField("ends", "must lie in the future")
    starts = list(repeated(form.starts, form.rhythm, form.times))
    return [_create(store, form, association, n, when, now) for n, when in enumerate(starts)]


def _create(
    store: Store, form: EventForm, association: Association, n: int, when: datetime, now: datetime
) -> Event:
    series = form.rhythm is not Rhythm.ONCE and form.times > 1
    event = Event(
        id=f"{form.id}-{n}" if series else form.id,
        association_id=association.id,
        association_name=association.name,
        created=now,
        series_id=form.id if series else None,
        demo=association.demo,
        **_typed(form) | {"starts": when, "ends": when + (form.ends - form.starts)},
    )
    try:
        return store.events.create(event)
    except AlreadyExists:
        # The answer to the first sending was lost.
        stored = store.events.get(event.id)
        if stored.association_id != association.id:
            raise
        return stored


def _typed(form: EventForm) -> dict[str, Any]:
    return {
        "title": form.title.strip(),
        "description": form.description.strip(),
        "starts": form.starts,
        "ends": form.ends,
        "places": form.places,
        "location": form.location,
        "link": form.link or None,
        "goals": form.goals,
    }


def _edit(store: Store, form: EventForm, now: datetime) -> Event:
    stored = store.events.get(form.id)
    if stored.association_id != form.association_id:
        raise NotFound(f"association {form.association_id} has no event {form.id}")
    changed = replace(stored, **_typed(form))
    if stored.version != form.version:
        if changed == stored:
            return stored  # sent twice: it says this already
        raise VersionConflict(f"event {form.id} was changed meanwhile")
    written = store.events.replace(stored, changed)
    before = (stored.starts, stored.ends, stored.location)
    if before != (changed.starts, changed.ends, changed.location):
        _tell_all(store, written, now)
    return written


def set_cancelled(
    store: Store, who: User | None, event_id: str, cancelled: bool, now: datetime
) -> Event:
    """Cancel an event, or take that back; who comes is told.

    Raises NotSignedIn, NotAllowed, NotFound, VersionConflict.
    """
    stored = store.events.get(event_id)
    policy.require(who, Action.PUBLISH, store.associations.get(stored.association_id))
    for left in reversed(range(_TRIES)):
        stored = store.events.get(event_id)
        if stored.cancelled is not cancelled:
            try:
                stored = store.events.replace(stored, replace(stored, cancelled=cancelled))
            except VersionConflict:
                if not left:
                    raise
                continue
        break
    _tell_all(store, stored, now)
    return stored


def everybody(store: Store, event_id: str) -> Iterator[Attendance]:
    """All who come to an event."""
    cursor: str | None = None
    while True:
        page = store.attendance.of_event(event_id, limit=PAGE_MOST, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _tell_all(store: Store, event: Event, now: datetime) -> None:
    """Tell who comes what became of an event; once a version."""
    for attendance in everybody(store, event.id):
        told = Notification(
            id=f"event:{event.id}:{event.version}",
            user_id=attendance.user_id,
            topic=Topic.EVENT_CHANGED,
            created=now,
            target=f"event:{event.id}",
            actor_name=event.association_name,
            text=event.title,
        )
        with contextlib.suppress(NotFound):  # without an account by now
            store.notifications.tell(told)
