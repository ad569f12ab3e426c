"""What has children: offers with places, and reading what is not being deleted."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, ClassVar

from cityverse.data import codec
from cityverse.data.client import encode
from cityverse.data.repository import E, Repository
from cityverse.data.ties import MARK, TRIES, gone
from cityverse.errors import NotFound, VersionConflict


class PlacedRepository(Repository[E]):
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
        raise NotFound(gone(repository.table, item_id))
    return codec.from_item(repository.entity, item)
