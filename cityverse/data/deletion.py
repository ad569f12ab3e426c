"""Deleting an item with all that belongs to it, restartably and without orphans.

First the item is marked, so that it gets no new children; then its children go, some
at a time; then the item itself with its search rows, claims and demo mark. Whatever
interrupts this, calling again finishes it; two callers do not disturb each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cityverse.data.associations import AssociationRepository
from cityverse.data.campaigns import CampaignRepository
from cityverse.data.client import ConditionFailed, Dynamo, Item, delete_write, update_write
from cityverse.data.cursors import Cursors
from cityverse.data.events import EventRepository
from cityverse.data.follows import FollowRepository
from cityverse.data.missions import MissionRepository
from cityverse.data.parents import MARK, TRIES, burial, grave_key
from cityverse.data.posts import PostRepository
from cityverse.data.products import ProductRepository
from cityverse.data.registry import ASSOCIATION_INDEX, table
from cityverse.data.repository import Repository
from cityverse.errors import InputError, VersionConflict

# Rows deleted by one transaction, each with its demo mark; DynamoDB takes 100 writes.
_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class _Children:
    """Rows that name their parent in ``field``, found by ``index`` (None: by the table)."""

    table: str
    field: str
    index: str | None = None


_OF_ASSOCIATION = ("association_id", ASSOCIATION_INDEX.name)
_CHILDREN: Mapping[str, tuple[_Children, ...]] = {
    "Posts": (
        _Children("Comment", "post_id", "post-index"),
        _Children("Reaction", "post_id"),
    ),
    "Mission": (_Children("Application", "mission_id", "mission-index"),),
    "Donation": (_Children("Donations", "donation_id", "campaign-index"),),
    "Event": (_Children("Attendance", "event_id"),),
    "Product": (_Children("Posts", "product_id", "product_id"),),
    "Association": (
        _Children("Posts", *_OF_ASSOCIATION),
        _Children("Mission", *_OF_ASSOCIATION),
        _Children("Event", *_OF_ASSOCIATION),
        _Children("Donation", *_OF_ASSOCIATION),
        _Children("Product", *_OF_ASSOCIATION),
        _Children("Follow", *_OF_ASSOCIATION),
    ),
}

# The tables whose items have children.
WITH_CHILDREN = frozenset(_CHILDREN)


class Deletion:
    """Deletes associations and what they publish."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._follows = FollowRepository(dynamo, cursors)
        repositories: tuple[Repository[Any], ...] = (
            AssociationRepository(dynamo, cursors),
            PostRepository(dynamo, cursors),
            MissionRepository(dynamo, cursors),
            EventRepository(dynamo, cursors),
            CampaignRepository(dynamo, cursors),
            ProductRepository(dynamo, cursors),
        )
        self._repositories = {one.table: one for one in repositories}

    def delete(self, table_name: str, item_id: str) -> None:
        """Delete the item of this table and its children; what is gone already is no error.

        Tables are Posts, Mission, Event, Donation, Product and Association. When this is
        interrupted, or raises StoreUnavailable, call it again. Indexes lag behind by a
        moment: a call on an item that is gone deletes children that still turn up.
        """
        if table_name not in _CHILDREN:
            raise InputError(f"items of {table_name} are not deleted with children")
        self._mark(table_name, item_id)
        for children in _CHILDREN[table_name]:
            self._delete_children(children, item_id)
        self._delete_itself(table_name, item_id)

    def _mark(self, table_name: str, item_id: str) -> None:
        mark = update_write(
            table_name, {"id": item_id}, {MARK: True}, condition="attribute_exists(id)"
        )
        writes = [mark]
        if table_name == "Association":
            writes.append(burial(table_name, item_id))
        try:
            self.dynamo.transact(writes)
        except ConditionFailed:
            return  # gone already

    def _delete_children(self, children: _Children, parent_id: str) -> None:
        while rows := self._rows(children, parent_id):
            if children.table in _CHILDREN:
                for row in rows:
                    self.delete(children.table, row["id"])
            elif children.table == "Follow":
                for row in rows:
                    self._follows.unfollow(row["user_id"], row["association_id"])
            else:
                self._delete_rows(children.table, rows)

    def _rows(self, children: _Children, parent_id: str) -> list[Item]:
        consistent = {} if children.index else {"ConsistentRead": True}
        return self.dynamo.query(
            children.table,
            index=children.index,
            limit=_AT_ONCE,
            KeyConditionExpression="#parent = :parent",
            ExpressionAttributeNames={"#parent": children.field},
            ExpressionAttributeValues={":parent": parent_id},
            **consistent,
        )

    def _delete_rows(self, table_name: str, rows: list[Item]) -> None:
        layout = table(table_name)
        names = [name for name in (layout.partition, layout.sort) if name]
        writes = [delete_write(table_name, {name: row[name] for name in names}) for row in rows]
        marked = (row["id"] for row in rows if row.get("demo"))
        writes += [delete_write("Demo", {"table": table_name, "id": one}) for one in marked]
        self.dynamo.transact(writes)

    def _delete_itself(self, table_name: str, item_id: str) -> None:
        repository = self._repositories[table_name]
        for _ in range(TRIES):
            entity = repository.find(item_id)
            if entity is None:
                return
            if table_name == "Association" and entity.demo:
                # Ids of the demo city come again, and nobody writes in its name.
                self.dynamo.delete("Receipt", grave_key(table_name, item_id))
            try:
                repository.delete(entity)
            except VersionConflict:
                continue  # edited at this very moment
            return
        raise VersionConflict(f"{table_name} item {item_id} changes all the time")
