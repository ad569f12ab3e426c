"""Lists that lie in one partition, in the order of its sort key, page by page.

The comments of a post, the follows of a person, the reports of a status: one
partition of a table, or of one of its indexes. A page costs its own rows and one
more, however long the list is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cityverse.data import registry
from cityverse.data.client import Dynamo, Item
from cityverse.data.cursors import Cursors, Position
from cityverse.domain.rules import check_between

PAGE_MOST = 100
# Before and after every sort key: keys begin with a letter or a digit.
FIRST, LAST = "0", "\uffff"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items of a list with the cursors to the pages beside it; None where there is none.

    ``more`` says that a filter had looked at as many items as it may: its cursor leads
    to further ones.
    """

    items: tuple[T, ...]
    next: str | None = None
    previous: str | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class PartitionList(Generic[T]):
    """The lists of a table or of one of its indexes: one for each value of its partition key.

    ``index`` is the name of an index, None for the table itself, which is read
    consistently. Sort keys must be different within a partition and end in a letter or
    a digit (a time, ``#`` and an id, say). ``decode`` makes an entity of an item.
    """

    dynamo: Dynamo
    cursors: Cursors
    table: str
    decode: Callable[[Item], T]
    index: str | None = None
    newest_first: bool = True

    def page(
        self,
        value: str,
        *,
        limit: int,
        cursor: str | None = None,
        low: str = FIRST,
        high: str = LAST,
    ) -> Page[T]:
        """Up to ``limit`` (1 to 100) items of the partition ``value``.

        ``low`` and ``high`` bound the sort key, both included; give them again with every
        cursor. A cursor keeps its place when new items arrive. One that is forged, made
        for another list, or leads to where nothing is left, starts at the first page.
        """
        check_between("limit", limit, 1, PAGE_MOST)
        listing = f"{self.table}/{self.index or ''}/{value}"
        position = self.cursors.read(listing, cursor)
        backwards = position is not None and position.direction == "previous"
        falling = self.newest_first != backwards
        lowest, highest = low, high
        if position is not None and falling:
            highest = min(high, before(position.order))
        elif position is not None:
            lowest = max(low, after(position.order))
        rows = self.rows(value, limit=limit + 1, low=lowest, high=highest, falling=falling)
        if not rows and position is not None:
            return self.page(value, limit=limit, low=low, high=high)
        return self._as_page(listing, rows, limit, position)

    def rows(
        self, value: str, *, limit: int, low: str = FIRST, high: str = LAST, falling: bool = False
    ) -> list[Item]:
        """Up to ``limit`` items as they are stored, in one direction, without cursors."""
        if low > high:  # DynamoDB refuses a range whose end lies before its start
            return []
        partition, sort = self._keys()
        consistent = {} if self.index else {"ConsistentRead": True}
        return self.dynamo.query(
            self.table,
            index=self.index,
            limit=limit,
            KeyConditionExpression="#partition = :partition AND #sort BETWEEN :low AND :high",
            ExpressionAttributeNames={"#partition": partition, "#sort": sort},
            ExpressionAttributeValues={":partition": value, ":low": low, ":high": high},
            ScanIndexForward=not falling,
            **consistent,
        )

    def _keys(self) -> tuple[str, str]:
        table = registry.table(self.table)
        keyed = next((i for i in table.indexes if i.name == self.index), table)
        assert keyed.sort is not None, f"{self.table} {self.index} has no order"  # noqa: S101
        return keyed.partition, keyed.sort

    def _as_page(
        self, listing: str, rows: list[Item], limit: int, position: Position | None
    ) -> Page[T]:
        more = len(rows) > limit
        rows = rows[:limit]
        backwards = position is not None and position.direction == "previous"
        if backwards:
            rows.reverse()
        if not rows:
            return Page(())
        has_next = more or backwards
        has_previous = more if backwards else position is not None
        sort = self._keys()[1]
        first, last = rows[0][sort], rows[-1][sort]
        return Page(
            tuple(self.decode(row) for row in rows),
            self.cursors.write(listing, Position(last, "next")) if has_next else None,
            self.cursors.write(listing, Position(first, "previous")) if has_previous else None,
        )


def before(key: str) -> str:
    """A bound below ``key`` with no sort key between the two."""
    return key[:-1] + chr(ord(key[-1]) - 1) + LAST


def after(key: str) -> str:
    """A bound above ``key`` with no sort key between the two."""
    return key + "!"
