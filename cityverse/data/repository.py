"""What all repositories share: reading, creating, replacing and deleting one entity.

A repository is one table. Creating is conditional on the key and on all the item
belongs to, replacing on the version read before, and whatever follows from an item
(search words, its mark as part of the demo) is written in the same transaction. To
add a repository: declare a subclass with its table and entity, and override
``keys_of``, ``ties_of`` and their siblings where they say something (see
``missions.py``). Only a ``LeafRepository`` deletes by itself: items that have
children go by ``deletion.py``, the one way there is.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from cityverse.data import codec, terms
from cityverse.data.attachments import attached, detached, files_of
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    decode,
    delete_write,
    put_write,
    update_write,
)
from cityverse.data.ties import Tie, living_person
from cityverse.domain.moderation import Moderated
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

    def ties_of(self, entity: E) -> Sequence[Tie]:
        """What ties a new entity to those it belongs to; an edit never moves it to others."""
        return ()

    def person_of(self, entity: E) -> str | None:
        """The id of the person in whose name it is created, who must be there; None: nobody."""
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
        """Write a new entity.

        Raises AlreadyExists when its id is taken, NotFound when what it belongs to, its
        author or one of its files is not there or being deleted, Taken when another item
        claims the same unique value.
        """
        ties = [*self.ties_of(entity), *living_person(self.person_of(entity))]
        return self._create(entity, [*ties, *attached(self.table, entity.id, files_of(entity))])

    def adopt(self, entity: E) -> E:
        """Write an entity brought from elsewhere, whose counters and parents are brought along.

        Nothing is asked of these, and nothing counted. Raises AlreadyExists and Taken.
        """
        return self._create(entity, ())

    def _create(self, entity: E, ties: Sequence[Tie]) -> E:
        created = _with_version(entity, 1)
        created.check()
        item = codec.to_item(created) | self.keys_of(created)
        put = put_write(self.table, item, ConditionExpression="attribute_not_exists(id)")
        claims = self._claims(created)
        writes = [put, *(tie.write for tie in ties), *claims.values(), *self._also(created)]
        try:
            self.dynamo.transact(writes)
        except ConditionFailed as failure:
            first = failure.failed[0]
            if first == 0:
                message = f"{self.table} has an item {entity.id} already"
                raise AlreadyExists(message) from failure
            if first <= len(ties):
                raise NotFound(ties[first - 1].missing) from failure
            raise Taken(list(claims)[first - 1 - len(ties)]) from failure
        return created

    def replace(self, old: E, new: E) -> E:
        """Write ``new`` where ``old`` was read; counters stay what they are in the store.

        Files it no longer has are deleted. Raises VersionConflict when it changed since,
        Taken when another item claims the same unique value, NotFound when a new file is
        not there, InvalidField when it would move to another parent.
        """
        return self._replace(old, new)

    def _replace(self, old: E, new: E, along: Sequence[dict[str, Any]] = ()) -> E:
        """``replace`` with further writes; raises ConditionFailed where only these fail."""
        if new.id != old.id:
            raise InvalidField("id", "of an item never changes")
        if self.ties_of(old) != self.ties_of(new):
            raise InvalidField("id", f"an item of {self.table} cannot move to another parent")
        changed = _with_version(new, old.version + 1)
        changed.check()
        before, after = self._claims(old), self._claims(changed)
        fresh = {field: put for field, put in after.items() if before.get(field) != put}
        freed = [_unclaim(put) for field, put in before.items() if after.get(field) != put]
        also, also_before = self._also(changed), self._also(old)
        stale = {_key(w) for w in also_before} - {_key(w) for w in also}
        files = attached(self.table, new.id, _without(files_of(new), files_of(old)))
        dropped = _without(files_of(old), files_of(new))
        writes = [
            self._update(old, changed),
            *fresh.values(),
            *(file.write for file in files),
            *freed,
            *also,
            *(delete_write(table, dict(key)) for table, key in sorted(stale)),
            *detached(self.dynamo, self.table, new.id, dropped),
        ]
        try:
            self.dynamo.transact([*writes, *along])
        except ConditionFailed as failure:
            first = failure.failed[0]
            if first >= len(writes):
                raise
            if 0 < first <= len(fresh):
                raise Taken(list(fresh)[first - 1]) from failure
            if 0 < first <= len(fresh) + len(files):
                raise NotFound(files[first - 1 - len(fresh)].missing) from failure
            raise VersionConflict(f"{self.table} item {old.id} was changed meanwhile") from failure
        return changed

    def moderate(self, old: E, new: E, along: Sequence[dict[str, Any]]) -> E:
        """``replace`` with the decision that asks for it, all or nothing.

        Raises VersionConflict when the item, or what ``along`` rests on, changed meanwhile.
        """
        try:
            return self._replace(old, new, along)
        except ConditionFailed as failure:
            raise VersionConflict(f"{self.table} item {old.id}: decided meanwhile") from failure

    def writes_deleting(self, entity: E, condition: str = "") -> list[dict[str, Any]]:
        """The writes that delete an entity as it was read, its files, and all that follows from it.

        The first one fails when it changed since, or where the further ``condition`` does
        not hold. Its children are another matter.
        """
        gone = delete_write(
            self.table,
            {"id": entity.id},
            ConditionExpression=f"#version = :version{condition and f' AND {condition}'}",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":version": entity.version},
        )
        freed = [_unclaim(put) for put in self._claims(entity).values()]
        also = (delete_write(table, dict(key)) for table, key in map(_key, self._also(entity)))
        files = detached(self.dynamo, self.table, entity.id, files_of(entity))
        return [gone, *freed, *also, *files]

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
        hidden = getattr(entity, "moderation", None) is Moderated.HIDDEN
        searchable = None if hidden else self.texts_of(entity)
        writes = [] if searchable is None else terms.rows(entity.id, searchable)
        if entity.demo:
            writes.append(put_write("Demo", {"table": self.table, "id": entity.id}))
        return writes


class LeafRepository(Repository[E]):
    """A repository of items that have no children, and so can be deleted by themselves."""

    def delete(self, entity: E) -> None:
        """Delete an entity as it was read, its files, and all that follows from it.

        Deleting twice is no error; raises VersionConflict when it changed since.
        """
        try:
            self.dynamo.transact(self.writes_deleting(entity))
        except ConditionFailed as failure:
            # What is gone took all that follows from it along; what it claimed may be another's.
            if self.find(entity.id) is not None:
                message = f"{self.table} item {entity.id} was changed meanwhile"
                raise VersionConflict(message) from failure


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


def _without(files: Sequence[str], others: Sequence[str]) -> list[str]:
    return [one for one in files if one not in others]


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
