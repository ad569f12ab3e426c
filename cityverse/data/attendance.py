"""Who comes to which event: table Attendance, with the counter of the event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cityverse.data import codec
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    delete_write,
    put_write,
    update_write,
)
from cityverse.data.cursors import Cursors
from cityverse.data.events import EventRepository
from cityverse.data.lists import Page, PartitionList
from cityverse.data.parents import read_living
from cityverse.data.ties import LIVING, TRIES, counting_down, living, take_away
from cityverse.data.timeline import order_of
from cityverse.domain.attendance import Attendance
from cityverse.errors import Closed, Full, NotFound, VersionConflict

TABLE = "Attendance"
# Told by the store itself, so that no place is given twice.
_FREE = "(attribute_not_exists(places) OR attending < places)"


class AttendanceRepository:
    """Attendances: one a person and event, never more than the event has places."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._events = EventRepository(dynamo, cursors)
        self._of_event = PartitionList(dynamo, cursors, TABLE, _decode, newest_first=False)
        self._of_user = PartitionList(dynamo, cursors, TABLE, _decode, "user-index")

    def attend(self, event_id: str, user_id: str, now: datetime) -> Attendance:
        """Come to an event; doing so again changes nothing.

        Raises NotFound without the event or the person, Full, and Closed when the event is
        cancelled or over.
        """
        wanted = Attendance(event_id, user_id, now)
        wanted.check()
        order = {"order": order_of(now, event_id)}
        put = put_write(
            TABLE,
            codec.to_item(wanted) | order,
            ConditionExpression="attribute_not_exists(event_id)",
        )
        person = living("User", user_id)
        for _ in range(TRIES):
            stored = self.find(event_id, user_id)
            if stored is not None:
                return stored
            event = read_living(self._events, event_id)
            if event.cancelled or event.ends <= now:
                raise Closed(f"event {event_id} is cancelled or over")
            if event.places_left == 0:
                raise Full(f"event {event_id} is full")
            taken = update_write(
                "Event",
                {"id": event_id},
                {},
                condition=f"{LIVING} AND #version = :read AND {_FREE}",
                names={"#version": "version"},
                values={":read": event.version},
                added={"attending": 1},
            )
            try:
                self.dynamo.transact([put, taken, person.write])
            except ConditionFailed as failure:
                if failure.failed[0] == 2:
                    raise NotFound(person.missing) from failure
                continue  # the next look says why
            return wanted
        raise VersionConflict(f"event {event_id} changes all the time")

    def leave(self, event_id: str, user_id: str) -> None:
        """Not come after all; without an attendance nothing happens."""
        row = delete_write(
            TABLE, _key(event_id, user_id), ConditionExpression="attribute_exists(event_id)"
        )
        take_away(self.dynamo, row, [counting_down("Event", event_id, {"attending": 1})])

    def find(self, event_id: str, user_id: str) -> Attendance | None:
        """The attendance of a person at an event, or None."""
        item = self.dynamo.get(TABLE, _key(event_id, user_id))
        return None if item is None else _decode(item)

    def attended(self, user_id: str, event_ids: Sequence[str]) -> frozenset[str]:
        """Which of these events a person comes to."""
        keys = [_key(event_id, user_id) for event_id in dict.fromkeys(event_ids)]
        return frozenset(row["event_id"] for row in self.dynamo.get_many(TABLE, keys))

    def of_event(self, event_id: str, *, limit: int, cursor: str | None = None) -> Page[Attendance]:
        """Who comes to an event, by the ids of the people."""
        return self._of_event.page(event_id, limit=limit, cursor=cursor)

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Attendance]:
        """What a person comes to, what they said last first."""
        return self._of_user.page(user_id, limit=limit, cursor=cursor)


def _decode(item: Item) -> Attendance:
    return codec.from_item(Attendance, item)


def _key(event_id: str, user_id: str) -> Item:
    return {"event_id": event_id, "user_id": user_id}
