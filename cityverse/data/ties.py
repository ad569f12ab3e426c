"""What ties an item to those it belongs to: no child without its parents, no count without a row.

A child is created in one transaction with a condition on each of its parents, and often
with their counters. What is being deleted bears a mark that no edit takes away, and gets
no new children; what is gone, or never was, has none either (see ``deletion.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cityverse.data.client import ConditionFailed, Dynamo, check_write, update_write

TRIES = 24
"""How often a write that depends on what was just read is tried before giving up."""

# The mark of an item that is being deleted: an attribute that no entity knows.
MARK = "deleting"
LIVING = f"attribute_exists(id) AND attribute_not_exists({MARK})"


@dataclass(frozen=True, slots=True)
class Tie:
    """A write that goes with another one and fails where something is not there.

    ``missing`` says in words what that is.
    """

    write: dict[str, Any]
    missing: str


def living(table: str, item_id: str) -> Tie:
    """An item of this table must be there and not be going."""
    check = check_write(table, {"id": item_id}, ConditionExpression=LIVING)
    return Tie(check, gone(table, item_id))


def living_person(user_id: str | None) -> list[Tie]:
    """Who acts must have an account that is not being deleted; None is nobody in particular."""
    return [] if user_id is None else [living("User", user_id)]


def unchanged(table: str, item_id: str, version: int) -> dict[str, Any]:
    """The condition that an item is as it was read, but for its counters, and not going."""
    return check_write(
        table,
        {"id": item_id},
        ConditionExpression=f"{LIVING} AND #version = :read",
        ExpressionAttributeNames={"#version": "version"},
        ExpressionAttributeValues={":read": version},
    )


def counting(table: str, item_id: str, added: Mapping[str, int]) -> Tie:
    """An item must be there and not be going, and its counters change, never below 0."""
    return Tie(_counted(table, item_id, added, LIVING), gone(table, item_id))


def counting_down(table: str, item_id: str, taken: Mapping[str, int]) -> dict[str, Any]:
    """The write that lowers counters of an item, going or not; fails rather than go below 0."""
    added = {name: -number for name, number in taken.items()}
    return _counted(table, item_id, added, "attribute_exists(id)")


def _counted(table: str, item_id: str, added: Mapping[str, int], condition: str) -> dict[str, Any]:
    falling = [name for name, number in added.items() if number < 0]
    floors = [f"#floor{n} >= :floor{n}" for n in range(len(falling))]
    return update_write(
        table,
        {"id": item_id},
        {},
        condition=" AND ".join([condition, *floors]),
        names={f"#floor{n}": name for n, name in enumerate(falling)},
        values={f":floor{n}": -added[name] for n, name in enumerate(falling)},
        added=added,
    )


def take_away(
    dynamo: Dynamo, row: dict[str, Any], counters: Sequence[dict[str, Any]], *others: dict[str, Any]
) -> bool:
    """Write ``row``, which takes something away, with the counters that counted it.

    False when the condition of ``row``, or of ``others``, does not hold. A counter whose
    item is gone itself, or that does not count what is taken away, stays as it is.
    """
    counted = list(counters)
    while True:
        try:
            dynamo.transact([row, *others, *counted])
        except ConditionFailed as failure:
            fixed = 1 + len(others)
            if failure.failed[0] < fixed:
                return False
            counted = [w for n, w in enumerate(counted, fixed) if n not in failure.failed]
        else:
            return True


def gone(table: str, item_id: str) -> str:
    """What is said of an item that is not there, or going."""
    return f"{table} has no item {item_id}, or it is being deleted"
