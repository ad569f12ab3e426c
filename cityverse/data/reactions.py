"""Who reacted how to which post: table Reaction, with the counters of the post."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, delete_write, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.ties import TRIES, counting, counting_down, living, take_away
from cityverse.domain.people import check_choice
from cityverse.domain.reactions import Reaction, ReactionKind, counter_of
from cityverse.errors import NotFound, VersionConflict

TABLE = "Reaction"


class ReactionRepository:
    """Reactions: one a person and post; the counters of the post equal the rows."""

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        self.dynamo = dynamo
        self._of_post = PartitionList(dynamo, cursors, TABLE, _decode, newest_first=False)
        self._given = PartitionList(
            dynamo, cursors, TABLE, _decode, "user-index", newest_first=False
        )

    def react(self, post_id: str, user_id: str, reaction: ReactionKind, now: datetime) -> Reaction:
        """Set or change a person's reaction; the same one again changes nothing.

        Raises NotFound when the post or the person is not there or being deleted.
        """
        check_choice("reaction", reaction, ReactionKind)
        wanted = Reaction(post_id, user_id, reaction, now)
        wanted.check()
        for _ in range(TRIES):
            stored = self.find(post_id, user_id)
            if stored is not None and stored.reaction is reaction:
                return stored
            put = put_write(TABLE, codec.to_item(wanted), **_as_read(stored))
            added = {counter_of(reaction): 1}
            if stored is not None:
                added[counter_of(stored.reaction)] = -1
            ties = [counting("Posts", post_id, added), living("User", user_id)]
            try:
                self.dynamo.transact([put, *(tie.write for tie in ties)])
            except ConditionFailed as failure:
                if 0 in failure.failed:
                    continue  # the row is not as it was read
                raise NotFound(ties[failure.failed[0] - 1].missing) from failure
            return wanted
        raise VersionConflict(f"the reaction of {user_id} to {post_id} changes all the time")

    def withdraw(self, post_id: str, user_id: str) -> None:
        """Take a reaction back; without one nothing happens."""
        for _ in range(TRIES):
            stored = self.find(post_id, user_id)
            if stored is None:
                return
            row = delete_write(TABLE, _key(post_id, user_id), **_as_read(stored))
            counter = counting_down("Posts", post_id, {counter_of(stored.reaction): 1})
            if take_away(self.dynamo, row, [counter]):
                return
        raise VersionConflict(f"the reaction of {user_id} to {post_id} changes all the time")

    def find(self, post_id: str, user_id: str) -> Reaction | None:
        """The reaction of a person to a post, or None."""
        item = self.dynamo.get(TABLE, _key(post_id, user_id))
        return None if item is None else _decode(item)

    def of_user(self, user_id: str, post_ids: Sequence[str]) -> dict[str, ReactionKind]:
        """How a person reacted to each of these posts; those without a reaction are left out."""
        keys = [_key(post_id, user_id) for post_id in dict.fromkeys(post_ids)]
        rows = map(_decode, self.dynamo.get_many(TABLE, keys))
        return {row.post_id: row.reaction for row in rows}

    def of_post(self, post_id: str, *, limit: int, cursor: str | None = None) -> Page[Reaction]:
        """Who reacted to a post, by the ids of the people."""
        return self._of_post.page(post_id, limit=limit, cursor=cursor)

    def given(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Reaction]:
        """How a person reacted, by the ids of the posts."""
        return self._given.page(user_id, limit=limit, cursor=cursor)


def _decode(item: Item) -> Reaction:
    return codec.from_item(Reaction, item)


def _key(post_id: str, user_id: str) -> Item:
    return {"post_id": post_id, "user_id": user_id}


def _as_read(stored: Reaction | None) -> dict[str, Any]:
    """The condition that the row still says what it said."""
    if stored is None:
        return {"ConditionExpression": "attribute_not_exists(post_id)"}
    return {
        "ConditionExpression": "reaction = :stored",
        "ExpressionAttributeValues": {":stored": str(stored.reaction)},
    }
