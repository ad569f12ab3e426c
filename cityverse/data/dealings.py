"""What a person asks of an item or gives to it: listed with the item, and with the person."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

from cityverse.data import codec
from cityverse.data.client import Dynamo, Item, put_write, update_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import USER_INDEX
from cityverse.data.repository import Entity, LeafRepository
from cityverse.data.timeline import order_of


class Dealing(Entity, Protocol):
    """An entity of one person, which goes from state to state."""

    @property
    def user_id(self) -> str:
        """Whose it is."""

    @property
    def created(self) -> datetime:
        """When it was made."""


D = TypeVar("D", bound=Dealing)


class DealingRepository(LeafRepository[D]):
    """Dealings; ``item_index`` lists those with one item, in the direction of ``newest_first``."""

    item_index: ClassVar[str]
    newest_first: ClassVar[bool] = True

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        lists = (dynamo, cursors, self.table, self._decode)
        self._of_item = PartitionList(*lists, self.item_index, newest_first=self.newest_first)
        self._of_user = PartitionList(*lists, USER_INDEX.name)

    def keys_of(self, entity: D) -> Item:
        """Its place among those with the same item, and of the same person."""
        return {"order": order_of(entity.created, entity.id)}

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[D]:
        """Those of a person, newest first."""
        return self._of_user.page(user_id, limit=limit, cursor=cursor)

    def _put(self, entity: D, read: int = 0) -> dict[str, Any]:
        """The write of a new entity, or over the one of version ``read``."""
        item = codec.to_item(entity) | self.keys_of(entity)
        if read == 0:
            return put_write(self.table, item, ConditionExpression="attribute_not_exists(id)")
        return put_write(
            self.table,
            item,
            ConditionExpression="#version = :read",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":read": read},
        )

    def _moved(self, stored: D, state: str, now: datetime, **more: Any) -> tuple[dict[str, Any], D]:
        """The write that brings ``stored`` into another state, and what it is then.

        ``more`` are further fields that only transitions change.
        """
        moved: D = dataclasses.replace(
            stored,  # type: ignore[type-var]
            state=state,
            changed=now,
            version=stored.version + 1,
            **more,
        )
        before = codec.to_item(stored) | self.keys_of(stored)
        after = codec.to_item(moved) | self.keys_of(moved)
        write = update_write(
            self.table,
            {"id": stored.id},
            {name: value for name, value in after.items() if before.get(name) != value},
            [name for name in before if name not in after],
            condition="#version = :read",
            names={"#version": "version"},
            values={":read": stored.version},
        )
        return write, moved

    def _decode(self, item: Item) -> D:
        return codec.from_item(self.entity, item)
