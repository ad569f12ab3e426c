"""What all repositories share: reading, creating, replacing and deleting one entity.

A repository is one table. Creating is conditional on the key, replacing on the
version read before, and whatever follows from an item (search words, its mark as
part of the demo) is written in the same transaction. To add a repository: declare
a subclass with its table and entity, and override ``keys_of`` and ``texts_of``
where the table has indexes or its items can be searched (see ``missions.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from cityverse.data import codec, terms
from cityverse.data.client import ConditionFailed, Dynamo, Item, delete_write, put_write
from cityverse.errors import AlreadyExists, NotFound, VersionConflict


class Entity(Protocol):
    """What a repository needs of an entity: a frozen dataclass with these fields."""

    @property
    def id(self) -> str:
        """The key."""

    @property
    def version(self) -> int:
        """Counts the changes; 0 before the first write."""

    @property
    def demo(self) -> bool:
        """Whether the item belongs to the demo city."""

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""


E = TypeVar("E", bound=Entity)


class Repository(Generic[E]):
    """The items of one table as entities."""

    table: ClassVar[str]
    entity: type[E]

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def keys_of(self, entity: E) -> Item:
        """The attributes that only indexes and expiry need, beside the entity's own fields."""
        return {}

    def texts_of(self, entity: E) -> terms.Searchable | None:
        """What the search should find this entity by, or None."""
        return None

    def get(self, entity_id: str) -> E:
        """The entity with this id; raises NotFound."""
        found = self.find(entity_id)
        if found is None:
            raise NotFound(f"{self.table} has no item {entity_id}")
        return found

    def find(self, entity_id: str) -> E | None:
        """The entity with this id, or None."""
        item = self.dynamo.get(self.table, {"id": entity_id})
        return None if item is None else codec.from_item(self.entity, item)

    def find_many(self, ids: Iterable[str]) -> dict[str, E]:
        """The entities with these ids, by id; missing ones are left out."""
        keys = [{"id": entity_id} for entity_id in dict.fromkeys(ids)]
        entities = (
            codec.from_item(self.entity, item) for item in self.dynamo.get_many(self.table, keys)
        )
        return {entity.id: entity for entity in entities}

    def create(self, entity: E) -> E:
        """Write a new entity; raises AlreadyExists when its id is taken."""
        created = _with_version(entity, 1)
        writes = [self._put(created, "attribute_not_exists(id)"), *self._also(created)]
        try:
            self.dynamo.transact(writes)
        except ConditionFailed as failure:
            raise AlreadyExists(f"{self.table} has an item {entity.id} already") from failure
        return created

    def replace(self, old: E, new: E) -> E:
        """Write ``new`` where ``old`` was read; raises VersionConflict when it changed since."""
        changed = _with_version(new, old.version + 1)
        stale = {_key(w) for w in self._also(old)} - {_key(w) for w in self._also(changed)}
        writes = [
            self._put(
                changed,
                "#version = :version",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":version": old.version},
            ),
            *self._also(changed),
            *(delete_write(table, dict(key)) for table, key in sorted(stale)),
        ]
        try:
            self.dynamo.transact(writes)
        except ConditionFailed as failure:
            raise VersionConflict(f"{self.table} item {old.id} was changed meanwhile") from failure
        return changed

    def delete(self, entity: E) -> None:
        """Delete an entity as it was read, and all that follows from it.

        Deleting twice is no error; raises VersionConflict when it changed since.
        """
        gone = delete_write(
            self.table,
            {"id": entity.id},
            ConditionExpression="attribute_not_exists(id) OR #version = :version",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":version": entity.version},
        )
        also = (delete_write(table, dict(key)) for table, key in map(_key, self._also(entity)))
        try:
            self.dynamo.transact([gone, *also])
        except ConditionFailed as failure:
            raise VersionConflict(
                f"{self.table} item {entity.id} was changed meanwhile"
            ) from failure

    def _put(self, entity: E, condition: str, **details: Any) -> dict[str, Any]:
        entity.check()
        item = codec.to_item(entity) | self.keys_of(entity)
        return put_write(self.table, item, ConditionExpression=condition, **details)

    def _also(self, entity: E) -> list[dict[str, Any]]:
        searchable = self.texts_of(entity)
        writes = [] if searchable is None else terms.rows(entity.id, searchable)
        if entity.demo:
            writes.append(put_write("Demo", {"table": self.table, "id": entity.id}))
        return writes


def _with_version(entity: E, version: int) -> E:
    return dataclasses.replace(entity, version=version)  # type: ignore[type-var]


def _key(write: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Table and plain key of a Put of one of the tables that follow from an item."""
    put = write["Put"]
    names = ("term", "order") if put["TableName"] == terms.TABLE else ("table", "id")
    return put["TableName"], tuple((name, put["Item"][name]["S"]) for name in names)


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends optional; ``start`` belongs to it, ``end`` does not."""

    start: datetime | None = None
    end: datetime | None = None
