"""E-mails that are to be sent: table Letter.

A letter is written in the transaction of what it tells, and sent later by the worker. It is
deleted when it was handed over: a crash between the two sends it twice, never not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, put_write
from cityverse.domain.rules import check_id, check_text, check_time

TABLE = "Letter"
_WAITING = "waiting"
_KEPT = timedelta(days=7)
_AT_ONCE = 20
# How long whoever sends a letter has it for itself.
_LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail to a person with an account, or to an address; ``name`` is that of its text."""

    id: str
    name: str
    due: datetime
    user_id: str | None = None
    address: str | None = None
    about: str = ""
    party: str = ""

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_text("id", self.id, longest=200)
        check_id("name", self.name)
        check_time("due", self.due)
        check_text("about", self.about, longest=64, required=False)
        check_text("party", self.party, longest=64, required=False)


class LetterRepository:
    """Letters that wait, the oldest first; each is sent by whoever took it."""

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def write_of(self, letter: Letter) -> dict[str, Any]:
        """The write that has a letter sent, for the transaction of what it tells."""
        letter.check()
        expires = int((letter.due + _KEPT).timestamp())
        return put_write(TABLE, codec.to_item(letter) | {"state": _WAITING, "expires": expires})

    def due(self, now: datetime) -> list[Letter]:
        """Some of those that are to be sent."""
        rows = self.dynamo.query(
            TABLE,
            index="due-index",
            limit=_AT_ONCE,
            KeyConditionExpression="#state = :waiting AND due <= :now",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":waiting": _WAITING, ":now": codec.time_text(now)},
        )
        return [_decode(row) for row in rows]

    def take(self, letter: Letter, now: datetime) -> bool:
        """Have a letter for oneself for five minutes; False where somebody else has it."""
        try:
            self.dynamo.update(
                TABLE,
                {"id": letter.id},
                UpdateExpression="SET due = :later",
                ConditionExpression="due = :read",
                ExpressionAttributeValues={
                    ":later": codec.time_text(now + _LEASE),
                    ":read": codec.time_text(letter.due),
                },
            )
        except ConditionFailed:
            return False
        return True

    def sent(self, letter: Letter) -> None:
        """Delete a letter that was handed over; again is no error."""
        self.dynamo.delete(TABLE, {"id": letter.id})


def _decode(item: Item) -> Letter:
    return codec.from_item(Letter, item)
