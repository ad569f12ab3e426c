"""What goes in a while and can be had back until then: table Removal."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, delete_write, put_write

TABLE = "Removal"
_PENDING, _GOING = "pending", "going"
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Removal:
    """An item of a table that is deleted at its time."""

    table: str
    item_id: str
    due: datetime

    @property
    def id(self) -> str:
        """The key of its row."""
        return f"{self.table}#{self.item_id}"


class RemovalRepository:
    """Removals; each is written, and taken back, in the transaction of what its item says."""

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def adding(self, removal: Removal) -> dict[str, Any]:
        """The write that has an item deleted at its time."""
        return put_write(TABLE, _row(removal, _PENDING))

    def taking_back(self, table: str, item_id: str) -> dict[str, Any]:
        """The write that has it stay; its condition fails when it is going already."""
        return delete_write(
            TABLE,
            {"id": f"{table}#{item_id}"},
            ConditionExpression="#state = :pending",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":pending": _PENDING},
        )

    def due(self, now: datetime) -> list[Removal]:
        """Some of those whose time has come; first those that were begun."""
        found = [*self._in_state(_GOING, now), *self._in_state(_PENDING, now)]
        return [Removal(row["table"], row["item_id"], _time(row)) for row in found]

    def begin(self, removal: Removal) -> bool:
        """Let it be taken back no more; False when it just was."""
        begun = put_write(TABLE, _row(removal, _GOING), ConditionExpression="attribute_exists(id)")
        try:
            self.dynamo.transact([begun])
        except ConditionFailed:
            return False
        return True

    def end(self, removal: Removal) -> None:
        """Note that it is done; doing so twice is no error."""
        with contextlib.suppress(ConditionFailed):
            self.dynamo.transact([delete_write(TABLE, {"id": removal.id})])

    def _in_state(self, state: str, now: datetime) -> list[dict[str, Any]]:
        return self.dynamo.query(
            TABLE,
            index="due-index",
            limit=_AT_ONCE,
            KeyConditionExpression="#state = :state AND due <= :now",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": state, ":now": codec.time_text(now)},
        )


def _row(removal: Removal, state: str) -> dict[str, Any]:
    return {
        "id": removal.id,
        "table": removal.table,
        "item_id": removal.item_id,
        "due": codec.time_text(removal.due),
        "state": state,
    }


def _time(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["due"])
