"""Who follows which association: table Follow, with both counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cityverse.data import codec
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    delete_write,
    put_write,
    update_write,
)
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.parents import LIVING
from cityverse.data.registry import ASSOCIATION_INDEX
from cityverse.data.timeline import order_of
from cityverse.domain.people import Follow
from cityverse.errors import NotFound

TABLE = "Follow"


class FollowRepository:
    """Follows; the counters of the association and of the person equal the rows."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._followed = PartitionList(dynamo, cursors, TABLE, _decode, newest_first=False)
        self._followers = PartitionList(dynamo, cursors, TABLE, _decode, ASSOCIATION_INDEX.name)

    def follow(self, follow: Follow) -> bool:
        """Follow an association; False when the person does already.

        Raises NotFound when the person or the association is not there, or is going.
        """
        follow.check()
        fresh = put_write(
            TABLE,
            codec.to_item(follow) | {"order": order_of(follow.created, follow.user_id)},
            ConditionExpression="attribute_not_exists(user_id)",
        )
        try:
            self.dynamo.transact([fresh, *_counted(follow.user_id, follow.association_id, 1)])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                return False
            missing = follow.association_id if 1 in failure.failed else follow.user_id
            raise NotFound(f"there is no {missing} to follow or be followed") from failure
        return True

    def unfollow(self, user_id: str, association_id: str) -> bool:
        """Follow no longer; False when the person did not."""
        gone = delete_write(
            TABLE, _key(user_id, association_id), ConditionExpression="attribute_exists(user_id)"
        )
        writes = [gone, *_counted(user_id, association_id, -1)]
        while True:
            try:
                self.dynamo.transact(writes)
            except ConditionFailed as failure:
                if 0 in failure.failed:
                    return False
                # Whatever counted this follow is gone itself; the follow still goes.
                writes = [w for n, w in enumerate(writes) if n not in failure.failed]
            else:
                return True

    def find(self, user_id: str, association_id: str) -> Follow | None:
        """The follow, or None."""
        item = self.dynamo.get(TABLE, _key(user_id, association_id))
        return None if item is None else _decode(item)

    def followed(self, user_id: str, association_ids: Sequence[str]) -> frozenset[str]:
        """Which of these associations a person follows."""
        keys = [_key(user_id, one) for one in dict.fromkeys(association_ids)]
        return frozenset(item["association_id"] for item in self.dynamo.get_many(TABLE, keys))

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Follow]:
        """What a person follows, by the ids of the associations."""
        return self._followed.page(user_id, limit=limit, cursor=cursor)

    def of_association(
        self, association_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Follow]:
        """Who follows an association, the newest first."""
        return self._followers.page(association_id, limit=limit, cursor=cursor)


def _decode(item: Item) -> Follow:
    return codec.from_item(Follow, item)


def _key(user_id: str, association_id: str) -> Item:
    return {"user_id": user_id, "association_id": association_id}


def _counted(user_id: str, association_id: str, step: int) -> list[dict[str, Any]]:
    """The writes that count a follow up, where both ends are there, or down, never below 0."""
    count = _count_up if step > 0 else _count_down
    return [count("Association", association_id, "followers"), count("User", user_id, "following")]


def _count_up(table: str, item_id: str, counter: str) -> dict[str, Any]:
    # Nobody follows what is being deleted, else the follow would outlive it.
    return update_write(table, {"id": item_id}, {}, condition=LIVING, added={counter: 1})


def _count_down(table: str, item_id: str, counter: str) -> dict[str, Any]:
    return update_write(
        table,
        {"id": item_id},
        {},
        condition="#counter >= :one",
        names={"#counter": counter},
        values={":one": 1},
        added={counter: -1},
    )
