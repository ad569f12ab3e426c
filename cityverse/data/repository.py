"""What all repositories share: reading, creating, replacing and deleting one entity.

A repository is one table. Creating is conditional on the key, replacing on the
version read before, and whatever follows from an item (search words, its mark as
part of the demo) is written in the same transaction. To add a repository: declare
a subclass with its table and entity, and override ``keys_of`` and ``texts_of``
where the table has indexes or its items can be searched (see ``missions.py``).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from cityverse.data import codec, terms
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    decode,
    delete_write,
    put_write,
    update_write,
)
from cityverse.errors import AlreadyExists, InvalidField, NotFound, Taken, VersionConflict


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

    def claims_of(self, entity: E) -> Mapping[str, str]:
        """What must be unique among all items of the table: the field's name and its value.

        Values are compared as they are, so normalise them here (case, accents, blanks).
        """
        return {}

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
        """Write a new entity.

        Raises AlreadyExists when its id is taken, Taken when another item claims the
        same unique value.
        """
        created = _with_version(entity, 1)
        created.check()
        item = codec.to_item(created) | self.keys_of(created)
        put = put_write(self.table, item, ConditionExpression="attribute_not_exists(id)")
        claims = self._claims(created)
        try:
            self.dynamo.transact([put, *claims.values(), *self._also(created)])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                message = f"{self.table} has an item {entity.id} already"
                raise AlreadyExists(message) from failure
            raise Taken(list(claims)[failure.failed[0] - 1]) from failure
        return created

    def replace(self, old: E, new: E) -> E:
        """Write ``new`` where ``old`` was read; counters stay what they are in the store.

        Raises VersionConflict when it changed since, Taken when another item claims the
        same unique value.
        """
        if new.id != old.id:
            raise InvalidField("id", "of an item never changes")
        changed = _with_version(new, old.version + 1)
        changed.check()
        before, after = self._claims(old), self._claims(changed)
        fresh = {field: put for field, put in after.items() if before.get(field) != put}
        freed = [_unclaim(put) for field, put in before.items() if after.get(field) != put]
        also, also_before = self._also(changed), self._also(old)
        stale = {_key(w) for w in also_before} - {_key(w) for w in also}
        writes = [
            self._update(old, changed),
            *fresh.values(),
            *freed,
            *also,
            *(delete_write(table, dict(key)) for table, key in sorted(stale)),
        ]
        try:
            self.dynamo.transact(writes)
        except ConditionFailed as failure:
            if 0 not in failure.failed and failure.failed[0] <= len(fresh):
                raise Taken(list(fresh)[failure.failed[0] - 1]) from failure
            raise VersionConflict(f"{self.table} item {old.id} was changed meanwhile") from failure
        return changed

    def delete(self, entity: E) -> None:
        """Delete an entity as it was read, and all that follows from it.

        Deleting twice is no error; raises VersionConflict when it changed since.
        """
        gone = delete_write(
            self.table,
            {"id": entity.id},
            ConditionExpression="#version = :version",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":version": entity.version},
        )
        freed = [_unclaim(put) for put in self._claims(entity).values()]
        also = (delete_write(table, dict(key)) for table, key in map(_key, self._also(entity)))
        try:
            self.dynamo.transact([gone, *freed, *also])
        except ConditionFailed as failure:
            # What is gone took all that follows from it along; what it claimed may be another's.
            if self.find(entity.id) is None:
                return
            raise VersionConflict(
                f"{self.table} item {entity.id} was changed meanwhile"
            ) from failure

    def _update(self, old: E, new: E) -> dict[str, Any]:
        """The write that makes the stored ``old`` into ``new``, but for its counters."""
        counters = codec.counters(self.entity)
        wanted = codec.to_item(new) | self.keys_of(new)
        stored = codec.to_item(old) | self.keys_of(old)
        return update_write(
            self.table,
            {"id": new.id},
            {name: v for name, v in wanted.items() if name != "id" and name not in counters},
            [name for name in stored if name not in wanted and name not in counters],
            condition="#version = :expected",
            names={"#version": "version"},
            values={":expected": old.version},
        )

    def _claims(self, entity: E) -> dict[str, dict[str, Any]]:
        """The claims of an entity as writes, by the name of the field."""
        return {
            field: put_write(
                "Claim",
                {"id": claim_id(self.table, field, value), "owner": entity.id},
                ConditionExpression="attribute_not_exists(id)",
            )
            for field, value in self.claims_of(entity).items()
        }

    def _also(self, entity: E) -> list[dict[str, Any]]:
        searchable = self.texts_of(entity)
        writes = [] if searchable is None else terms.rows(entity.id, searchable)
        if entity.demo:
            writes.append(put_write("Demo", {"table": self.table, "id": entity.id}))
        return writes


def claim_id(table: str, field: str, value: str) -> str:
    """The key of a claim; a hash, so that an e-mail cannot be read from it."""
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{table}#{field}#{digest}"


def _unclaim(put: dict[str, Any]) -> dict[str, Any]:
    """The write that gives a claim up, unless it is another item's by now."""
    claim = decode(put["Put"]["Item"])
    return delete_write(
        "Claim",
        {"id": claim["id"]},
        ConditionExpression="attribute_not_exists(id) OR #owner = :owner",
        ExpressionAttributeNames={"#owner": "owner"},
        ExpressionAttributeValues={":owner": claim["owner"]},
    )


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
