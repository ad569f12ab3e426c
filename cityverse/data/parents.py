"""What ties an item to the item it belongs to: no child without its parent.

A child is created in one transaction with a condition on its parent, and often with
the counter of the parent. A parent that is being deleted bears a mark that no edit
takes away, and gets no new children (see ``deletion.py``).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from cityverse.data import codec
from cityverse.data.client import (
    ConditionFailed,
    Item,
    check_write,
    encode,
    put_write,
    update_write,
)
from cityverse.data.repository import E, Repository
from cityverse.errors import AlreadyExists, InvalidField, NotFound, Taken, VersionConflict

TRIES = 24
"""How often a write that depends on what was just read is tried before giving up."""

# The mark of an item that is being deleted: an attribute that no entity knows.
MARK = "deleting"
LIVING = f"attribute_exists(id) AND attribute_not_exists({MARK})"
# No request is older than this when it reaches the store.
_GRAVE_KEPT = timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Tie:
    """A write that goes with the creation of a child and fails without its parent.

    ``parent`` says in words what is missing then.
    """

    write: dict[str, Any]
    parent: str


class TiedRepository(Repository[E]):
    """A repository whose items belong to others: created only while their parents live."""

    def ties_of(self, entity: E) -> Sequence[Tie]:
        """What ties the entity to its parents."""
        raise NotImplementedError(type(self).__name__)

    def create(self, entity: E) -> E:
        """Write a new entity.

        Raises AlreadyExists when its id is taken, NotFound when a parent is not there or
        being deleted, Taken when another item claims the same unique value.
        """
        created: E = dataclasses.replace(entity, version=1)  # type: ignore[type-var]
        created.check()
        item = codec.to_item(created) | self.keys_of(created)
        put = put_write(self.table, item, ConditionExpression="attribute_not_exists(id)")
        ties, claims = self.ties_of(created), self._claims(created)
        writes = [put, *(tie.write for tie in ties), *claims.values(), *self._also(created)]
        try:
            self.dynamo.transact(writes)
        except ConditionFailed as failure:
            first = failure.failed[0]
            if first == 0:
                message = f"{self.table} has an item {entity.id} already"
                raise AlreadyExists(message) from failure
            if first <= len(ties):
                raise NotFound(ties[first - 1].parent) from failure
            raise Taken(list(claims)[first - 1 - len(ties)]) from failure
        return created

    def replace(self, old: E, new: E) -> E:
        """Write ``new`` where ``old`` was read; counters stay what they are in the store.

        Raises VersionConflict when it changed since, Taken when another item claims the
        same unique value, InvalidField when it would move to another parent.
        """
        if self.ties_of(old) != self.ties_of(new):
            raise InvalidField("id", f"an item of {self.table} cannot move to another parent")
        return super().replace(old, new)


class PlacedRepository(TiedRepository[E]):
    """A repository of offers with places: no edit leaves fewer places than are taken.

    ``taken`` names the counter of places taken. An edit that meets a change of it is
    tried again with the new count.
    """

    taken: ClassVar[str]

    def settled(self, entity: E) -> E:
        """The entity with all that follows from its counter."""
        return entity

    def replace(self, old: E, new: E) -> E:
        """Write ``new`` where ``old`` was read; counters stay what they are in the store.

        Raises VersionConflict when it changed since, InvalidField when more places are
        taken than it would have.
        """
        for _ in range(TRIES):
            stored = self.find(old.id)
            if stored is None or stored.version != old.version:
                break
            counted: E = dataclasses.replace(
                new,  # type: ignore[type-var]
                **{self.taken: getattr(stored, self.taken)},
            )
            with contextlib.suppress(VersionConflict):
                return super().replace(stored, self.settled(counted))
        raise VersionConflict(f"{self.table} item {old.id} was changed meanwhile")

    def _update(self, old: E, new: E) -> dict[str, Any]:
        write = super()._update(old, new)
        write["Update"]["ConditionExpression"] += " AND #taken = :taken"
        write["Update"]["ExpressionAttributeNames"]["#taken"] = self.taken
        values = encode({":taken": getattr(old, self.taken)})
        write["Update"]["ExpressionAttributeValues"] |= values
        return write


def read_living(repository: Repository[E], item_id: str) -> E:
    """The entity with this id; raises NotFound also when it is being deleted."""
    item = repository.dynamo.get(repository.table, {"id": item_id})
    if item is None or MARK in item:
        raise NotFound(_gone(repository.table, item_id))
    return codec.from_item(repository.entity, item)


def living(table: str, item_id: str) -> Tie:
    """An item of this table must be there and not be going."""
    return Tie(
        check_write(table, {"id": item_id}, ConditionExpression=LIVING), _gone(table, item_id)
    )


def counting(table: str, item_id: str, added: Mapping[str, int]) -> Tie:
    """The same, and its counters change."""
    write = update_write(table, {"id": item_id}, {}, condition=LIVING, added=added)
    return Tie(write, _gone(table, item_id))


def _gone(table: str, item_id: str) -> str:
    return f"{table} has no item {item_id}, or it is being deleted"


def unburied(table: str, item_id: str) -> Tie:
    """An item of this table was not deleted lately.

    For parents without a counter: the grave outlasts the item, so that a request which
    read the item just before it was deleted leaves nothing behind.
    """
    check = check_write(
        "Receipt", {"id": _grave_id(table, item_id)}, ConditionExpression="attribute_not_exists(id)"
    )
    return Tie(check, _gone(table, item_id))


def burial(table: str, item_id: str) -> dict[str, Any]:
    """The write that makes a grave, kept for a day."""
    expires = int((datetime.now(UTC) + _GRAVE_KEPT).timestamp())
    return put_write("Receipt", {"id": _grave_id(table, item_id), "expires": expires})


def grave_key(table: str, item_id: str) -> Item:
    """The key of the grave of an item in the table Receipt."""
    return {"id": _grave_id(table, item_id)}


def _grave_id(table: str, item_id: str) -> str:
    return f"deleted#{table}#{item_id}"
