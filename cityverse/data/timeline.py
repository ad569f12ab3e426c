"""Lists in the order of time, whose cost does not grow with the table.

Items lie in buckets: partitions of one day and one shard. The table ``Day`` says
which buckets of a timeline hold anything, so that empty days cost nothing, and so
that the number of shards can change. A bucket is entered before its first item: a
crash between the two leaves an empty bucket, never a lost item. Where items expire,
their bucket expires with the last of them.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item
from cityverse.data.cursors import Cursors, Position
from cityverse.data.registry import ARRONDISSEMENT_INDEX, ASSOCIATION_INDEX, DAY_INDEX, Index
from cityverse.data.repository import E, Repository, Window

# DynamoDB takes 1,000 writes a second into one partition; two leave room on a busy day.
SHARDS = 2
_BUCKETS_A_READ = 64
_NEVER_EXPIRES = 253_402_300_799  # the end of the year 9999, in seconds
# After and before every order, which begins with a year.
_FIRST, _LAST = "0", "\uffff"


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """Items of a list with the cursors to the pages beside it; None where there is none."""

    items: tuple[E, ...]
    next: str | None = None
    previous: str | None = None


def order_of(moment: datetime, item_id: str) -> str:
    """The sort key of an item: its time, then its id to break ties."""
    return f"{codec.time_text(moment)}#{item_id}"


def bucket_of(moment: datetime, item_id: str, shards: int = SHARDS) -> str:
    """The partition of an item: its day (UTC) and a shard that follows from its id."""
    day = codec.time_text(moment)[:10]
    return f"{day}#{zlib.crc32(item_id.encode()) % shards}"


@dataclass(frozen=True, slots=True)
class _Range:
    """Lowest and highest order wanted, both included, and the direction of reading."""

    low: str
    high: str
    falling: bool


@dataclass(slots=True)
class _Buckets:
    """Enters buckets into ``Day``; remembers until when those it has entered stay there."""

    dynamo: Dynamo
    known: dict[tuple[str, str], int] = field(default_factory=dict)

    def enter(self, timeline: str, bucket: str, expires: int) -> None:
        if self.known.get((timeline, bucket), 0) >= expires:
            return
        # Another process may have entered it to stay even longer.
        with contextlib.suppress(ConditionFailed):
            self.dynamo.update(
                "Day",
                {"timeline": timeline, "bucket": bucket},
                UpdateExpression="SET expires = :expires",
                ConditionExpression="attribute_not_exists(expires) OR expires < :expires",
                ExpressionAttributeValues={":expires": expires},
            )
        self.known[timeline, bucket] = expires


class TimelineRepository(Repository[E]):
    """A repository whose items are also listed in the order of time.

    ``newest_first`` is the usual reading direction: news run back from today,
    events forward.
    """

    newest_first = True

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._cursors = cursors
        self._buckets = _Buckets(dynamo)

    def moment_of(self, entity: E) -> datetime:
        """The time by which the entity is listed."""
        raise NotImplementedError(type(self).__name__)

    def arrondissement_of(self, entity: E) -> int | None:
        """The arrondissement under which it is listed, if any."""
        location = getattr(entity, "location", None)
        return None if location is None else location.arrondissement

    def keys_of(self, entity: E) -> Item:
        """Bucket, order and arrondissement."""
        moment = self.moment_of(entity)
        keys: Item = {
            "bucket": bucket_of(moment, entity.id),
            "order": order_of(moment, entity.id),
        }
        arrondissement = self.arrondissement_of(entity)
        if arrondissement is not None:
            keys["arrondissement"] = f"{arrondissement:02}"
        return keys

    def create(self, entity: E) -> E:
        """Write a new entity; raises AlreadyExists when its id is taken."""
        self._enter_bucket(entity)
        return super().create(entity)

    def replace(self, old: E, new: E) -> E:
        """Write ``new`` where ``old`` was read; raises VersionConflict when it changed since."""
        self._enter_bucket(new)
        return super().replace(old, new)

    def _enter_bucket(self, entity: E) -> None:
        entity.check()
        keys = self.keys_of(entity)
        self._buckets.enter(self.table, keys["bucket"], keys.get("expires", _NEVER_EXPIRES))

    def page(
        self,
        *,
        limit: int,
        window: Window | None = None,
        arrondissement: int | None = None,
        association_id: str | None = None,
        cursor: str | None = None,
    ) -> Page[E]:
        """One page of the list, or of its part in an arrondissement or of an association.

        A cursor keeps its place when new items arrive. One that is forged, made for
        another list, or leads to where nothing is left, starts at the first page.
        """
        listing = f"{self.table}/{arrondissement or ''}/{association_id or ''}"
        position = self._cursors.read(listing, cursor)
        backwards = position is not None and position.direction == "previous"
        falling = self.newest_first != backwards
        wanted = _range(window or Window(), position, falling=falling)
        if association_id is not None:
            rows = self._partition(ASSOCIATION_INDEX, association_id, wanted, limit + 1)
        elif arrondissement is not None:
            rows = self._partition(ARRONDISSEMENT_INDEX, f"{arrondissement:02}", wanted, limit + 1)
        else:
            rows = self._across_days(wanted, limit + 1)
        if not rows and position is not None:
            return self.page(
                limit=limit,
                window=window,
                arrondissement=arrondissement,
                association_id=association_id,
            )
        return self._as_page(listing, rows, limit, position, backwards=backwards)

    def _as_page(
        self,
        listing: str,
        rows: list[Item],
        limit: int,
        position: Position | None,
        *,
        backwards: bool,
    ) -> Page[E]:
        more = len(rows) > limit
        rows = rows[:limit]
        if backwards:
            rows.reverse()
        if not rows:
            return Page(())
        has_next = more or backwards
        has_previous = more if backwards else position is not None
        first, last = rows[0]["order"], rows[-1]["order"]
        return Page(
            tuple(codec.from_item(self.entity, row) for row in rows),
            self._cursors.write(listing, Position(last, "next")) if has_next else None,
            self._cursors.write(listing, Position(first, "previous")) if has_previous else None,
        )

    def _across_days(self, wanted: _Range, limit: int) -> list[Item]:
        rows: list[Item] = []
        for _, buckets in itertools.groupby(self._buckets_in(wanted), key=_day_of):
            missing = limit - len(rows)
            shards = [self._partition(DAY_INDEX, bucket, wanted, missing) for bucket in buckets]
            merged = heapq.merge(*shards, key=lambda row: row["order"], reverse=wanted.falling)
            rows += itertools.islice(merged, missing)
            if len(rows) >= limit:
                break
        return rows

    def _buckets_in(self, wanted: _Range) -> Iterator[str]:
        """The buckets of the days of a range that may hold anything, in reading order."""
        first, last = _day_of(wanted.low), _day_of(wanted.high) + _LAST
        while first <= last:  # DynamoDB refuses a range whose end lies before its start
            rows = self.dynamo.query(
                "Day",
                limit=_BUCKETS_A_READ,
                KeyConditionExpression="timeline = :timeline AND #bucket BETWEEN :first AND :last",
                ExpressionAttributeNames={"#bucket": "bucket"},
                ExpressionAttributeValues={":timeline": self.table, ":first": first, ":last": last},
                ScanIndexForward=not wanted.falling,
                ConsistentRead=True,
            )
            yield from (row["bucket"] for row in rows)
            if len(rows) < _BUCKETS_A_READ:
                return
            edge = rows[-1]["bucket"]
            first, last = (first, _before(edge)) if wanted.falling else (_after(edge), last)

    def _partition(self, index: Index, value: str, wanted: _Range, limit: int) -> list[Item]:
        if wanted.low > wanted.high:
            return []
        return self.dynamo.query(
            self.table,
            index=index.name,
            limit=limit,
            KeyConditionExpression="#partition = :partition AND #order BETWEEN :low AND :high",
            ExpressionAttributeNames={"#partition": index.partition, "#order": "order"},
            ExpressionAttributeValues={
                ":partition": value,
                ":low": wanted.low,
                ":high": wanted.high,
            },
            ScanIndexForward=not wanted.falling,
        )


def _day_of(order: str) -> str:
    """The day with which an order or the name of a bucket begins."""
    return order[:10]


def _before(text: str) -> str:
    """A bound below ``text`` with no order or bucket between the two."""
    return text[:-1] + chr(ord(text[-1]) - 1) + _LAST


def _after(text: str) -> str:
    """A bound above ``text`` with no order or bucket between the two."""
    return text + "!"


def _range(window: Window, position: Position | None, *, falling: bool) -> _Range:
    low = codec.time_text(window.start) if window.start else _FIRST
    # An order is longer than its time, so the bare time of the end excludes the end itself.
    high = codec.time_text(window.end) if window.end else _LAST
    if position is not None and falling:
        high = min(high, _before(position.order))
    elif position is not None:
        low = max(low, _after(position.order))
    return _Range(low, high, falling)
