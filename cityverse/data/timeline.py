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
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item
from cityverse.data.cursors import Cursors, Position
from cityverse.data.lists import FIRST, LAST, Page, after, before
from cityverse.data.near import cell_of, cells_within, distance
from cityverse.data.registry import (
    ARRONDISSEMENT_INDEX,
    ASSOCIATION_INDEX,
    CELL_INDEX,
    DAY_INDEX,
    Index,
)
from cityverse.data.repository import E, Repository, Window
from cityverse.data.ties import Tie
from cityverse.domain.moderation import Moderated
from cityverse.domain.places import Location
from cityverse.domain.rules import check_between

# DynamoDB takes 1,000 writes a second into one partition; two leave room on a busy day.
SHARDS = 2
_BUCKETS_A_READ = 64
_NEVER_EXPIRES = 253_402_300_799  # the end of the year 9999, in seconds
# A page with a filter looks at no more items than this.
LOOKED_AT_MOST = 200
FOLLOWED_MOST = 100
_READ_AT_ONCE = 16


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

    def past(self, order: str) -> _Range:
        """What is left of the range once everything up to ``order`` was read."""
        if self.falling:
            return _Range(self.low, min(self.high, before(order)), falling=True)
        return _Range(max(self.low, after(order)), self.high, falling=False)


@dataclass(slots=True)
class _Bound:
    """How many rows may still be looked at, and how many are likely to be."""

    left: int
    size: int


@dataclass(slots=True)
class _Looked(Generic[E]):
    """The items found, and the orders of the first and last row that were looked at.

    ``further`` says that there are more rows, ``bounded`` that the reading stopped
    because it had looked at as many as it may.
    """

    found: list[E]
    first: str | None = None
    last: str | None = None
    further: bool = False
    bounded: bool = False


_Reader = Callable[[_Range, _Bound], Iterator[Item]]


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
        location = _location_of(entity)
        return None if location is None else location.arrondissement

    def keys_of(self, entity: E) -> Item:
        """Bucket, order, and what the lists by arrondissement and near a place need."""
        moment = self.moment_of(entity)
        keys: Item = {"order": order_of(moment, entity.id)}
        if is_hidden(entity):
            return keys  # so that it is found by whose it is, and by nothing else
        keys["bucket"] = bucket_of(moment, entity.id)
        arrondissement = self.arrondissement_of(entity)
        if arrondissement is not None:
            keys["arrondissement"] = f"{arrondissement:02}"
        location = _location_of(entity)
        if location is not None:
            keys["cell"] = cell_of(location.lat, location.lon)
        return keys

    def _create(self, entity: E, ties: Sequence[Tie]) -> E:
        self._enter_bucket(entity)
        return super()._create(entity, ties)

    def replace(self, old: E, new: E) -> E:
        """Write ``new`` where ``old`` was read; raises VersionConflict when it changed since."""
        self._enter_bucket(new)
        return super().replace(old, new)

    def _enter_bucket(self, entity: E) -> None:
        entity.check()
        keys = self.keys_of(entity)
        if "bucket" in keys:  # else it stands in no list
            self._buckets.enter(self.table, keys["bucket"], keys.get("expires", _NEVER_EXPIRES))

    def page(
        self,
        *,
        limit: int,
        window: Window | None = None,
        arrondissement: int | None = None,
        association_id: str | None = None,
        cursor: str | None = None,
        where: Callable[[E], bool] | None = None,
        looked_at: int = LOOKED_AT_MOST,
    ) -> Page[E]:
        """One page of the list, or of its part in an arrondissement or of an association.

        A cursor keeps its place when new items arrive. One that is forged, made for
        another list, or leads to where nothing is left, starts at the first page.

        ``where`` keeps the items for which it is true, of no more than ``looked_at``.
        ``Page.more`` says that this bound was met: the page may hold few items or none,
        and its cursor leads further. Give the same ``where`` with every cursor.
        """
        listing = f"{self.table}/{arrondissement or ''}/{association_id or ''}"
        read: _Reader
        if association_id is not None:
            read = _Merge(self, ASSOCIATION_INDEX, (association_id,))
        elif arrondissement is not None:
            read = _Merge(self, ARRONDISSEMENT_INDEX, (f"{arrondissement:02}",))
        else:
            read = self._across_days
        return self._page(listing, read, limit, window, cursor, where, looked_at)

    def _of_partition(
        self,
        index: Index,
        value: str,
        *,
        limit: int,
        window: Window | None,
        cursor: str | None,
        where: Callable[[E], bool] | None,
        looked_at: int,
    ) -> Page[E]:
        """One page of a partition of an index that has the order of the list."""
        read = _Merge(self, index, (value,))
        listing = f"{self.table}/{index.name}/{value}"
        return self._page(listing, read, limit, window, cursor, where, looked_at)

    def home(
        self,
        association_ids: Iterable[str],
        *,
        limit: int,
        window: Window | None = None,
        cursor: str | None = None,
    ) -> Page[E]:
        """One page of what some associations (at most 100) publish, in the order of the list.

        A cursor is a place in time: it holds whichever associations are given with it.
        Raises InvalidField for more than 100.
        """
        ids = tuple(sorted(set(association_ids)))
        check_between("associations", len(ids), 0, FOLLOWED_MOST)
        if not ids:
            return Page(())
        read = _Merge(self, ASSOCIATION_INDEX, ids)
        return self._page(f"{self.table}/home", read, limit, window, cursor, None, limit)

    def near(
        self,
        lat: float,
        lon: float,
        *,
        metres: float,
        limit: int,
        window: Window | None = None,
        cursor: str | None = None,
        where: Callable[[E], bool] | None = None,
        looked_at: int = LOOKED_AT_MOST,
    ) -> Page[E]:
        """One page of the items within ``metres`` (1 to 2,000) of a point, as the list runs.

        Bounded as a page with ``where`` is. Raises InvalidField for a point that is not
        on the map.
        """
        read = _Merge(self, CELL_INDEX, tuple(cells_within(lat, lon, metres)))

        def is_near(entity: E) -> bool:
            there = _location_of(entity)
            near = there is not None and distance((lat, lon), (there.lat, there.lon)) <= metres
            return near and (where is None or where(entity))

        listing = f"{self.table}/near/{lat:.5f}/{lon:.5f}/{metres:.0f}"
        return self._page(listing, read, limit, window, cursor, is_near, looked_at)

    def latest(
        self,
        window: Window,
        *,
        limit: int,
        where: Callable[[E], bool],
        arrondissement: int | None = None,
        cells: Sequence[str] = (),
    ) -> list[E]:
        """The last items of a window for which ``where`` is true, whatever way the list runs.

        Of the whole city, of an arrondissement, or of cells; no more than 200 are looked at.
        """
        read: _Reader = self._across_days
        if cells:
            read = _Merge(self, CELL_INDEX, tuple(cells))
        elif arrondissement is not None:
            read = _Merge(self, ARRONDISSEMENT_INDEX, (f"{arrondissement:02}",))
        rows = read(_range(window, None, falling=True), _Bound(LOOKED_AT_MOST + 1, limit + 1))
        return self._look(rows, limit, where, LOOKED_AT_MOST).found

    def _page(
        self,
        listing: str,
        read: _Reader,
        limit: int,
        window: Window | None,
        cursor: str | None,
        where: Callable[[E], bool] | None,
        looked_at: int,
    ) -> Page[E]:
        position = self._cursors.read(listing, cursor)
        backwards = position is not None and position.direction == "previous"
        wanted = _range(window or Window(), position, falling=self.newest_first != backwards)
        # One more than is shown or looked at says whether there are further ones.
        most = limit if where is None else looked_at
        rows = read(wanted, _Bound(most + 1, limit + 1))
        looked = self._look(rows, limit, where, most)
        if looked.first is None and position is not None:
            return self._page(listing, read, limit, window, None, where, looked_at)
        return self._as_page(listing, looked, position, backwards=backwards)

    def _look(
        self, rows: Iterator[Item], limit: int, where: Callable[[E], bool] | None, most: int
    ) -> _Looked[E]:
        """Read rows until a page is full, ``most`` were looked at, or none is left."""
        looked: _Looked[E] = _Looked([])
        for count, row in enumerate(rows):
            if count == most:
                looked.further, looked.bounded = True, where is not None
                break
            entity = codec.from_item(self.entity, row)
            if is_hidden(entity):
                continue
            if where is None or where(entity):
                if len(looked.found) == limit:
                    looked.further = True
                    break
                looked.found.append(entity)
            looked.first, looked.last = looked.first or row["order"], row["order"]
        return looked

    def _as_page(
        self, listing: str, looked: _Looked[E], position: Position | None, *, backwards: bool
    ) -> Page[E]:
        if looked.first is None or looked.last is None:
            return Page(())
        first, last = looked.first, looked.last
        if backwards:
            looked.found.reverse()
            first, last = last, first
        has_next = looked.further or backwards
        has_previous = looked.further if backwards else position is not None
        return Page(
            tuple(looked.found),
            self._cursors.write(listing, Position(last, "next")) if has_next else None,
            self._cursors.write(listing, Position(first, "previous")) if has_previous else None,
            looked.bounded,
        )

    def _across_days(self, wanted: _Range, bound: _Bound) -> Iterator[Item]:
        for _, buckets in itertools.groupby(self._buckets_in(wanted), key=_day_of):
            yield from _Merge(self, DAY_INDEX, tuple(buckets))(wanted, bound)

    def _buckets_in(self, wanted: _Range) -> Iterator[str]:
        """The buckets of the days of a range that may hold anything, in reading order."""
        first, last = _day_of(wanted.low), _day_of(wanted.high) + LAST
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
            first, last = (first, before(edge)) if wanted.falling else (after(edge), last)

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


@dataclass(frozen=True, slots=True)
class _Merge(Generic[E]):
    """Reads partitions of an index as one list, each no further than it is needed."""

    repository: TimelineRepository[E]
    index: Index
    partitions: tuple[str, ...]

    def __call__(self, wanted: _Range, bound: _Bound) -> Iterator[Item]:
        """The rows in the order of the list; counts them against ``bound``."""
        # Two deviations above an even share: a second read of a partition is rare.
        share = min(bound.size, bound.left) / len(self.partitions)
        size = min(bound.left, math.ceil(share + 2 * math.sqrt(share)))

        def read(partition: str) -> list[Item]:
            return self.repository._partition(self.index, partition, wanted, size)

        if len(self.partitions) == 1:
            firsts = [read(self.partitions[0])]
        else:
            with ThreadPoolExecutor(min(_READ_AT_ONCE, len(self.partitions))) as pool:
                firsts = list(pool.map(read, self.partitions))
        streams = [
            self._stream(partition, rows, wanted, size, bound)
            for partition, rows in zip(self.partitions, firsts, strict=True)
        ]
        for row in heapq.merge(*streams, key=_order, reverse=wanted.falling):
            bound.left -= 1
            yield row

    def _stream(
        self, partition: str, rows: list[Item], wanted: _Range, size: int, bound: _Bound
    ) -> Iterator[Item]:
        """The rows of one partition from its first page on, twice as many with each read."""
        yield from rows
        while len(rows) == size and bound.left > 0:
            wanted, size = wanted.past(rows[-1]["order"]), min(2 * size, bound.left)
            rows = self.repository._partition(self.index, partition, wanted, size)
            yield from rows


def _order(row: Item) -> str:
    return str(row["order"])


def is_hidden(entity: object) -> bool:
    """Whether moderators hid an item: it stands in no list, and no search finds it."""
    return getattr(entity, "moderation", None) is Moderated.HIDDEN


def _location_of(entity: object) -> Location | None:
    location = getattr(entity, "location", None)
    return location if isinstance(location, Location) else None


def _day_of(order: str) -> str:
    """The day with which an order or the name of a bucket begins."""
    return order[:10]


def _range(window: Window, position: Position | None, *, falling: bool) -> _Range:
    low = codec.time_text(window.start) if window.start else FIRST
    # An order is longer than its time, so the bare time of the end excludes the end itself.
    high = codec.time_text(window.end) if window.end else LAST
    whole = _Range(low, high, falling)
    return whole if position is None else whole.past(position.order)
