"""The only place that reads a whole table: for an operator's commands, never for a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cityverse.data.client import Dynamo, mapped

_PAGE = 500
# An eventually consistent read of 8 KB costs one unit.
_UNIT_BYTES = 8192


@dataclass(frozen=True, slots=True)
class ScanPage:
    """Items of a table and the key after which to go on; both in DynamoDB's typed form."""

    items: list[dict[str, Any]]
    after: dict[str, Any] | None


def pages(
    dynamo: Dynamo,
    table: str,
    after: dict[str, Any] | None = None,
    *,
    units: int,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[ScanPage]:
    """The items of a table from ``after`` on, at about ``units`` read units a second."""
    while True:
        started = time.monotonic()
        page = _page(dynamo, table, after)
        yield page
        if page.after is None:
            return
        after = page.after
        spent = max(1, len(str(page.items)) // _UNIT_BYTES)
        pause(max(0.0, spent / units - (time.monotonic() - started)))


@mapped
def _page(dynamo: Dynamo, table: str, after: dict[str, Any] | None) -> ScanPage:
    start: Any = {} if after is None else {"ExclusiveStartKey": after}
    answer = dynamo.client.scan(TableName=table, Limit=_PAGE, **start)
    return ScanPage(list(answer["Items"]), answer.get("LastEvaluatedKey"))
