"""Read and write units, counted from what each call looked at.

``ConsumedCapacity`` is asked of nobody: an engine on a laptop makes its figures up.
The rules are those of the DynamoDB Developer Guide, "Item sizes and formats" and
"DynamoDB read and write operations":

- An item is as large as its attribute names and values together; a number takes a byte
  for two digits and one more, a list or map 3 bytes and one for each element.
- Reads go by steps of 4 KB: half a unit a step when eventually consistent, one when
  consistent, two in a transaction. GetItem and BatchGetItem round each item, a Query
  rounds the sum of what it read. What is not there costs one step.
- Writes go by steps of 1 KB of the larger of the item before and after, twice that in a
  transaction. A failed condition costs as much as the item that is there, at least a step.
- An index costs a step of 1 KB for each entry put or deleted, so two when its key
  changes, and nothing when the item is not in it. Indexes follow after a transaction, so
  theirs are counted once. A condition check counts as a write, which is the dearer reading.

To know items as they were, a metered write reads them before and after. That is for
tests and benchmarks; leave it out of a program that serves people.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cityverse.data.client import Dynamo
from cityverse.data.registry import TABLES, Index, Table
from cityverse.errors import InputError

READ_STEP, WRITE_STEP = 4096, 1024
READS = frozenset({"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"})
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})

_CONSISTENT, _EVENTUAL, _TRANSACTION = 1.0, 0.5, 2.0
# Each of these makes an answer hold less than what the call looked at.
_HIDING = ("FilterExpression", "ProjectionExpression", "Select", "QueryFilter", "AttributesToGet")
_TABLES = {table.name: table for table in TABLES}
_numbers = itertools.count()
_looking = threading.local()

TypedItem = Mapping[str, Any]
"""An item in DynamoDB's typed form: ``{"id": {"S": "p1"}}``."""


def item_size(item: TypedItem) -> int:
    """Bytes of an item by DynamoDB's rules; 0 for an item that is not there."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    return _SIZES[kind](held)


def _number_size(digits: str) -> int:
    mantissa = digits.lower().partition("e")[0]
    significant = mantissa.lstrip("-+").replace(".", "").strip("0")
    return (len(significant) + 1) // 2 + 1 + mantissa.startswith("-")


def _binary_size(held: bytes | str) -> int:
    return len(base64.b64decode(held) if isinstance(held, str) else held)


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": lambda text: len(text.encode()),
    "N": _number_size,
    "B": _binary_size,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda texts: sum(len(text.encode()) for text in texts),
    "NS": lambda numbers: sum(map(_number_size, numbers)),
    "BS": lambda parts: sum(map(_binary_size, parts)),
    "L": lambda parts: 3 + sum(1 + _value_size(part) for part in parts),
    "M": lambda parts: 3 + sum(1 + item_size({name: part}) for name, part in parts.items()),
}


def read_units(size: int, factor: float = _CONSISTENT) -> float:
    """Units of reading ``size`` bytes; ``factor`` is 0.5, 1 or 2 by the kind of read."""
    return factor * _steps(size, READ_STEP)


def write_units(before: TypedItem, after: TypedItem) -> int:
    """Units a table takes to turn one item into another; ``{}`` is no item."""
    return _steps(max(item_size(before), item_size(after)), WRITE_STEP)


def index_write_units(table: Table, index: Index, before: TypedItem, after: TypedItem) -> int:
    """Units an index with all attributes takes to follow its table; ``{}`` is no item."""
    old, new = _entry_key(table, index, before), _entry_key(table, index, after)
    if old is None and new is None:
        return 0
    if old == new:
        return 0 if before == after else write_units(before, after)
    gone = 0 if old is None else write_units(before, {})
    return gone + (0 if new is None else write_units({}, after))


def _entry_key(table: Table, index: Index, item: TypedItem) -> tuple[Any, ...] | None:
    """Where an index holds an item, or None when it lacks an attribute of the index's key."""
    names = [n for n in (index.partition, index.sort, table.partition, table.sort) if n]
    return tuple(item[n]["S"] for n in names) if all(n in item for n in names) else None


def _steps(size: int, step: int) -> int:
    return max(1, -(-size // step))


@dataclass(slots=True)
class Line:
    """What the calls of one operation on one table or index came to.

    ``items`` counts what they looked at or wrote; ``units`` are read units for the
    operations in ``READS`` and write units for those in ``WRITES``.
    """

    operation: str
    table: str
    index: str | None
    calls: int = 0
    units: float = 0.0
    items: int = 0


@dataclass(slots=True)
class Bill:
    """What the calls of a connection cost; safe to read and add to by threads."""

    _lines: dict[tuple[str, str, str | None], Line] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reads(self) -> float:
        """Read units of all calls."""
        return sum(line.units for line in self.lines() if line.operation in READS)

    @property
    def writes(self) -> float:
        """Write units of all calls."""
        return sum(line.units for line in self.lines() if line.operation in WRITES)

    @property
    def operations(self) -> frozenset[str]:
        """The operations that were called."""
        return frozenset(line.operation for line in self.lines())

    def lines(self) -> list[Line]:
        """One line for each operation and table or index, in the order of the first call."""
        with self._lock:
            return list(self._lines.values())

    def add(
        self,
        operation: str,
        table: str,
        index: str | None,
        units: float,
        items: int,
    ) -> None:
        """Enter what one call cost at one table or index."""
        with self._lock:
            line = self._lines.setdefault((operation, table, index), Line(operation, table, index))
            line.calls += 1
            line.units += units
            line.items += items


@contextmanager
def metered(dynamo: Dynamo) -> Iterator[Bill]:
    """Count what the calls over this connection cost, by whatever thread they are made.

    Raises InputError in a call whose answer does not show all it looked at (a filter, a
    projection), before it is sent.
    """
    bill = Bill()
    meter = _Meter(dynamo, bill)
    events, unique = dynamo.client.meta.events, f"meter-{next(_numbers)}"
    meter.key = unique
    events.register("provide-client-params.dynamodb", meter.before, unique_id=f"{unique}-before")
    events.register("after-call.dynamodb", meter.after, unique_id=f"{unique}-after")
    try:
        yield bill
    finally:
        events.unregister("provide-client-params.dynamodb", unique_id=f"{unique}-before")
        events.unregister("after-call.dynamodb", unique_id=f"{unique}-after")


_Place = tuple[str, tuple[tuple[str, str], ...]]
"""A table and the plain key of one of its items."""


class _Meter:
    """Sees each call before it is sent and after it was answered."""

    key: str

    def __init__(self, dynamo: Dynamo, bill: Bill) -> None:
        self._client = dynamo.client
        self._bill = bill

    def before(self, params: Any, model: Any, context: Any, **_: Any) -> None:
        if getattr(_looking, "on", False):
            return
        hiding = [name for name in _HIDING if name in params]
        if hiding and model.name in {"Query", "Scan"}:
            raise InputError(f"{model.name} with {hiding[0]} cannot be metered")
        places = _places_written(model.name, params) if model.name in WRITES else []
        context[self.key] = (params, self._look(places))

    def after(self, parsed: Any, model: Any, context: Any, **_: Any) -> None:
        params, items_before = context.pop(self.key, (None, None))
        if params is None:
            return
        if model.name in WRITES:
            self._bill_writes(model.name, params, items_before, parsed)
        elif model.name in READS and "Error" not in parsed:
            _READERS[model.name](self._bill, params, parsed)

    def _look(self, places: list[_Place]) -> dict[_Place, TypedItem]:
        """The items at these places as they are now, at no cost."""
        _looking.on = True
        try:
            return {place: self._item_at(place) for place in places}
        finally:
            _looking.on = False

    def _item_at(self, place: _Place) -> TypedItem:
        table, key = place
        answer = self._client.get_item(
            TableName=table, Key={name: {"S": value} for name, value in key}, ConsistentRead=True
        )
        return answer.get("Item", {})

    def _bill_writes(
        self, operation: str, params: Any, before: dict[_Place, TypedItem], parsed: Any
    ) -> None:
        code = parsed.get("Error", {}).get("Code")
        if code not in {None, "ConditionalCheckFailedException", "TransactionCanceledException"}:
            return  # refused before anything was looked at
        after = before if code else self._look(list(before))
        factor = 2 if operation == "TransactWriteItems" else 1
        for table_name, places in itertools.groupby(sorted(before), key=lambda place: place[0]):
            of_table = list(places)
            units = sum(write_units(before[p], after[p]) for p in of_table)
            self._bill.add(operation, table_name, None, factor * units, len(of_table))
            table = _TABLES.get(table_name)
            if table is None:
                continue
            for index in table.indexes:
                costs = [index_write_units(table, index, before[p], after[p]) for p in of_table]
                if any(costs):
                    touched = sum(1 for cost in costs if cost)
                    self._bill.add(operation, table_name, index.name, sum(costs), touched)


def _places_written(operation: str, params: Any) -> list[_Place]:
    """The items a call would write or check."""
    if operation == "TransactWriteItems":
        writes = [write for action in params["TransactItems"] for write in action.values()]
        return [_place(w["TableName"], w.get("Key") or w["Item"]) for w in writes]
    if operation == "BatchWriteItem":
        requests = [(t, w) for t, writes in params["RequestItems"].items() for w in writes]
        return [_place(t, r.get("Key") or r["Item"]) for t, w in requests for r in w.values()]
    return [_place(params["TableName"], params.get("Key") or params["Item"])]


def _place(table: str, item: TypedItem) -> _Place:
    known = _TABLES.get(table)
    names = [n for n in (known.partition, known.sort) if n] if known else list(item)
    return table, tuple((name, item[name]["S"]) for name in names)


def _factor(request: Any) -> float:
    return _CONSISTENT if request.get("ConsistentRead") else _EVENTUAL


def _bill_get(bill: Bill, params: Any, parsed: Any) -> None:
    units = read_units(item_size(parsed.get("Item", {})), _factor(params))
    bill.add("GetItem", params["TableName"], None, units, int("Item" in parsed))


def _bill_batch_get(bill: Bill, params: Any, parsed: Any) -> None:
    for table, request in params["RequestItems"].items():
        factor = _factor(request)
        found = parsed["Responses"].get(table, [])
        later = len(parsed.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []))
        missing = len(request["Keys"]) - len(found) - later
        units = sum(read_units(item_size(item), factor) for item in found)
        bill.add("BatchGetItem", table, None, units + missing * read_units(0, factor), len(found))


def _bill_transact_get(bill: Bill, params: Any, parsed: Any) -> None:
    for action, answer in zip(params["TransactItems"], parsed["Responses"], strict=True):
        units = read_units(item_size(answer.get("Item", {})), _TRANSACTION)
        bill.add("TransactGetItems", action["Get"]["TableName"], None, units, 1)


def _bill_pages(operation: str) -> Callable[[Bill, Any, Any], None]:
    def bill_page(bill: Bill, params: Any, parsed: Any) -> None:
        size = sum(map(item_size, parsed["Items"]))
        units = read_units(size, _factor(params))
        index = params.get("IndexName")
        bill.add(operation, params["TableName"], index, units, parsed["ScannedCount"])

    return bill_page


_READERS: dict[str, Callable[[Bill, Any, Any], None]] = {
    "GetItem": _bill_get,
    "BatchGetItem": _bill_batch_get,
    "TransactGetItems": _bill_transact_get,
    "Query": _bill_pages("Query"),
    "Scan": _bill_pages("Scan"),
}
