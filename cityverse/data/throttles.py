"""Attempts counted against a limit: table Throttle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cityverse.data.client import ConditionFailed, Dynamo, Item

TABLE = "Throttle"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many attempts of one kind, for each key, in each window of time."""

    name: str
    most: int
    window: timedelta


class Throttles:
    """Counts attempts, exactly: a window keeps the ids of its attempts as a set.

    So an attempt that is counted again, because the answer was lost, is counted once.
    """

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def take(self, limit: Limit, key: str, attempt: str, now: datetime) -> bool:
        """Count an attempt; False, and not counted, when the window is full."""
        start = _start(limit, now)
        try:
            self.dynamo.update(
                TABLE,
                _row(limit, key, start),
                UpdateExpression="ADD attempts :one SET expires = :expires",
                ConditionExpression=(
                    "attribute_not_exists(attempts) OR size(attempts) < :most"
                    " OR contains(attempts, :attempt)"
                ),
                ExpressionAttributeValues={
                    ":one": {attempt},
                    ":attempt": attempt,
                    ":most": limit.most,
                    ":expires": int((start + 2 * limit.window).timestamp()),
                },
            )
        except ConditionFailed:
            return False
        return True

    def give_back(self, limit: Limit, key: str, attempt: str, now: datetime) -> None:
        """Count an attempt no longer: it was none of those that are limited."""
        self.dynamo.update(
            TABLE,
            _row(limit, key, _start(limit, now)),
            UpdateExpression="DELETE attempts :one",
            ExpressionAttributeValues={":one": {attempt}},
        )

    def clear(self, limit: Limit, key: str, now: datetime) -> None:
        """Begin the present window anew."""
        self.dynamo.delete(TABLE, _row(limit, key, _start(limit, now)))


def _start(limit: Limit, now: datetime) -> datetime:
    seconds = limit.window.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)


def _row(limit: Limit, key: str, start: datetime) -> Item:
    """The key of a window; what it counts for cannot be read from it."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return {"id": f"{limit.name}#{digest}#{int(start.timestamp())}"}
