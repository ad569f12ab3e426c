"""Query at the cost of its page: what is queried is kept in the order of its sort key.

ministack sorts the whole partition of a table or index for every page, and asks the
condition of each of its items. It still checks and answers every Query here, but is shown
no more than the page can hold: of the sorted partition the part that the sort key's
condition and the start key leave, found by bisection, and of that the first ``Limit`` items.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from types import FunctionType
from typing import Any

Table = dict[str, Any]
Item = dict[str, Any]
Items = dict[tuple[Any, Any], Item]
"""Items by their partition key and sort key."""
Entry = tuple[Any, ...]
"""What an item is ordered by (its sort key, then the table's keys), then its two keys."""

# A smaller partition is sorted again each time.
_FEW = 32

_sort_value = itemgetter(0)
_order = itemgetter(slice(-2))


@dataclass(slots=True)
class _Kept:
    """The sorted partitions of a table: (index or None, partition key) -> entries.

    They hold for these very ``items`` and ``members``: ministack puts others in their
    place when it replaces all items or changes the indexes.
    """

    items: dict[Any, dict[Any, Item]]
    members: dict[str, Any]
    partitions: dict[tuple[str | None, Any], list[Entry]] = field(default_factory=dict)


@dataclass(slots=True)
class _Shown:
    """Stands for the items of a table, or the members of an index, during one Query."""

    of: Callable[[Any], Items]

    def get(self, partition: Any, _default: object) -> Items:
        return self.of(partition)


class SortedQueries:
    """Keeps a partition sorted from its first Query on, through every write."""

    def __init__(self, dynamodb: Any) -> None:
        """Wrap ``dynamodb``, the service module of ministack; not safe for threads."""
        self._dynamodb = dynamodb
        # By the id of the table's items, which cannot be another's while they are kept.
        self._kept: dict[int, _Kept] = {}
        self._set_item, dynamodb._set_item = dynamodb._set_item, self._sorting_set
        self._remove_item, dynamodb._remove_item = dynamodb._remove_item, self._sorting_remove
        self._query, dynamodb._query = dynamodb._query, self._narrowed_query
        # The same function, but the tables it finds are those put here for the time of a Query.
        self._narrowed: dict[str, Table] = {}
        names = vars(dynamodb) | {"_tables": self._narrowed}
        self._query_narrowed = FunctionType(self._query.__code__, names)

    def _narrowed_query(self, data: dict[str, Any]) -> Any:
        dynamodb = self._dynamodb
        name = dynamodb._normalize_table_name(data.get("TableName"))
        table = dynamodb._tables.get(name) if isinstance(name, str) else None
        index = data.get("IndexName")
        if table is None or data.get("KeyConditions") or not self._is_plain(table, index):
            return self._query(data)
        # Asked for its items only when ministack has found no fault with the request.
        shown = _Shown(lambda partition: self._shown(data, table, partition))
        part = {dynamodb._INDEX_MEMBERS: {index: shown}} if index else {"items": shown}
        self._narrowed[name] = table | part
        try:
            return self._query_narrowed(data)
        finally:
            del self._narrowed[name]

    def _is_plain(self, table: Table, index: str | None) -> bool:
        """Whether there is at most one attribute as partition key and as sort key."""
        schemas = self._dynamodb._index_key_schemas(table)
        return not index or any(
            name == index and len(hashes) == 1 and len(ranges) <= 1
            for name, hashes, ranges in schemas
        )

    def _shown(self, data: dict[str, Any], table: Table, partition: Any) -> Items:
        """The items of the partition that the answer can hold, in no order."""
        index = data.get("IndexName") or None
        _, sort, _ = self._dynamodb._resolve_index_keys(table, index)
        entries = self._sorted(table, index, partition, sort)
        condition = self._condition(data, table, sort)
        if condition is None:
            return dict(_read(table, entries))
        low, high = _span(entries, *condition)
        forward = data.get("ScanIndexForward", True)
        if start := data.get("ExclusiveStartKey"):
            after = tuple(self._order_of(start, table, sort))
            if forward:
                low = max(low, bisect_right(entries, after, key=_order))
            else:
                high = min(high, bisect_left(entries, after, key=_order))
        places = range(low, high) if forward else range(high - 1, low - 1, -1)
        found = _read(table, map(entries.__getitem__, places))
        if (limit := data.get("Limit")) is not None:
            shown = dict(islice(found, int(limit)))
        else:
            shown = self._by_size(found, table, index)
        # ministack tells what is wrong with a condition only when it asks it of an item.
        return shown or dict(_read(table, entries[:1]))

    def _by_size(
        self, found: Iterator[tuple[tuple[Any, Any], Item]], table: Table, index: str | None
    ) -> Items:
        """As many as make a page without a limit, and the one too many."""
        shown: Items = {}

        def read() -> Iterator[Item]:
            for keys, item in found:
                shown[keys] = item
                yield item

        self._dynamodb._paginate_evaluated_items(read(), None, table, index)
        return shown

    def _condition(
        self, data: dict[str, Any], table: Table, sort: str | None
    ) -> tuple[str, list[Any]] | None:
        """Operator and operands of the sort key, "" if it has none; None if it is not plain.

        What is asked of the partition key is the same for all of its items.
        """
        values = data.get("ExpressionAttributeValues") or {}
        names = data.get("ExpressionAttributeNames") or {}
        tokens = self._dynamodb._tokenize(data["KeyConditionExpression"])
        # Only ANDs join the clauses, so that parentheses mean nothing.
        words = [word for word in tokens if word[0] not in ("LPAREN", "RPAREN", "COMMA")]
        found: tuple[str, list[Any]] = ("", [])
        for clause in self._dynamodb._key_condition_clauses(words):
            parts = _parts(clause)
            if parts is None:
                return None
            operator, name, operands = parts
            if names.get(name, name) == sort:
                kind = self._dynamodb._get_attr_type(table, sort)
                given = [self._dynamodb._sort_key_value(values[name], kind) for name in operands]
                found = operator, given
        return found

    def _order_of(self, item: Item, table: Table, sort: str | None) -> Iterator[Any]:
        for name, kind in self._dynamodb._index_order_keys(table, sort):
            yield self._dynamodb._index_order_value(item, name, kind)

    def _sorted(
        self, table: Table, index: str | None, partition: Any, sort: str | None
    ) -> list[Entry]:
        """The partition in ascending order, kept from now on unless it is small."""
        items, members = table["items"], self._dynamodb._index_members(table)
        kept = self._kept.get(id(items))
        if kept is None or kept.members is not members:
            kept = self._keep(items, members)
        entries = kept.partitions.get((index, partition))
        if entries is None:
            if index is None:
                keys = [(partition, sk) for sk in items.get(partition, ())]
            else:
                keys = members[index].get(partition, ())
            entries = sorted(
                (*self._order_of(items[pk][sk], table, sort), pk, sk) for pk, sk in keys
            )
            if len(entries) > _FEW:
                kept.partitions[index, partition] = entries
        return entries

    def _keep(self, items: dict[Any, dict[Any, Item]], members: dict[str, Any]) -> _Kept:
        """Begin anew with a table, and let go of those that are no more."""
        live = {id(table["items"]) for table in self._dynamodb._tables._data.values()}
        self._kept = {key: kept for key, kept in self._kept.items() if key in live}
        self._kept[id(items)] = kept = _Kept(items, members)
        return kept

    def _sorting_set(self, table: Table, pk: Any, sk: Any, item: Item) -> Item | None:
        before: Item | None = self._set_item(table, pk, sk, item)
        for entries, entry in self._places(table, pk, sk, before):
            del entries[bisect_left(entries, entry)]
        for entries, entry in self._places(table, pk, sk, item):
            insort(entries, entry)
        return before

    def _sorting_remove(self, table: Table, pk: Any, sk: Any) -> Item | None:
        before: Item | None = self._remove_item(table, pk, sk)
        for entries, entry in self._places(table, pk, sk, before):
            del entries[bisect_left(entries, entry)]
        return before

    def _places(
        self, table: Table, pk: Any, sk: Any, item: Item | None
    ) -> Iterator[tuple[list[Entry], Entry]]:
        """Every kept partition that the item belongs to, and its entry there."""
        kept = self._kept.get(id(table["items"]))
        if item is None or kept is None or not kept.partitions:
            return
        entries = kept.partitions.get((None, pk))
        if entries is not None:
            yield entries, (*self._order_of(item, table, table["sk_name"]), pk, sk)
        for index, hashes, ranges in self._dynamodb._index_key_schemas(table):
            partition = self._dynamodb._index_partition(item, hashes, ranges)
            entries = kept.partitions.get((index, partition))
            if entries is not None:
                sort = ranges[0] if ranges else None
                yield entries, (*self._order_of(item, table, sort), pk, sk)


def _read(table: Table, entries: Any) -> Iterator[tuple[tuple[Any, Any], Item]]:
    items = table["items"]
    for *_, pk, sk in entries:
        yield (pk, sk), items[pk][sk]


def _parts(clause: list[tuple[str, str]]) -> tuple[str, str, list[str]] | None:
    """Operator, name and operands of a clause of a key condition; None if it is not plain."""
    match clause:
        case [
            ("IDENT" | "NAME_REF", name),
            ("EQ" | "LT" | "LE" | "GT" | "GE" as operator, _),
            ("VALUE_REF", value),
        ]:
            return operator, name, [value]
        case [("IDENT", function), ("IDENT" | "NAME_REF", name), ("VALUE_REF", value)]:
            return ("BEGINS", name, [value]) if function.lower() == "begins_with" else None
        case [
            ("IDENT" | "NAME_REF", name),
            ("IDENT", word),
            ("VALUE_REF", low),
            ("IDENT", _),
            ("VALUE_REF", high),
        ]:
            return ("BETWEEN", name, [low, high]) if word.upper() == "BETWEEN" else None
    return None


def _span(entries: list[Entry], operator: str, operands: list[Any]) -> tuple[int, int]:
    """Where the entries begin and end whose sort key satisfies a condition."""
    if not operator:
        return 0, len(entries)
    low = bisect_left(entries, operands[0], key=_sort_value)
    if operator == "BEGINS":
        prefix = operands[0]
        return low, bisect_left(entries, True, low, key=lambda e: not e[0].startswith(prefix))
    high = bisect_right(entries, operands[-1], key=_sort_value)
    match operator:
        case "LT":
            return 0, low
        case "LE":
            return 0, high
        case "GE":
            return low, len(entries)
        case "GT":
            return high, len(entries)
    return low, high
