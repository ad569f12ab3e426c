"""Who follows which association: table Follow, with both counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, delete_write, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import ASSOCIATION_INDEX
from cityverse.data.ties import counting, counting_down, take_away
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
        ties = [
            counting("Association", follow.association_id, {"followers": 1}),
            counting("User", follow.user_id, {"following": 1}),
        ]
        try:
            self.dynamo.transact([fresh, *(tie.write for tie in ties)])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                return False
            raise NotFound(ties[failure.failed[0] - 1].missing) from failure
        return True

    def unfollow(self, user_id: str, association_id: str) -> bool:
        """Follow no longer; False when the person did not."""
        return take_away(self.dynamo, *self.writes_ending(user_id, association_id))

    def writes_ending(
        self, user_id: str, association_id: str
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The write that ends a follow, and those that count it down, for ``take_away``."""
        row = delete_write(
            TABLE, _key(user_id, association_id), ConditionExpression="attribute_exists(user_id)"
        )
        return row, [
            counting_down("Association", association_id, {"followers": 1}),
            counting_down("User", user_id, {"following": 1}),
        ]

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
