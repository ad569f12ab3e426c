"""Answers to posts: table Comment, with the counter of the post."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from cityverse.data import codec
from cityverse.data.client import (
    ConditionFailed,
    Dynamo,
    Item,
    check_write,
    delete_write,
    update_write,
)
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.parents import Tie, TiedRepository, counting
from cityverse.data.timeline import order_of
from cityverse.domain.comments import Comment
from cityverse.errors import Conflict, VersionConflict


class CommentRepository(TiedRepository[Comment]):
    """Comments; the counter of the post equals its comments that are not deleted."""

    table = "Comment"
    entity = Comment

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._of_post = PartitionList(
            dynamo, cursors, self.table, self._decode, "post-index", newest_first=False
        )

    def keys_of(self, entity: Comment) -> Item:
        """Its place among the comments of the post."""
        return {"order": order_of(entity.created, entity.id)}

    def ties_of(self, entity: Comment) -> list[Tie]:
        """The post, and the comment it answers."""
        ties = [counting("Posts", entity.post_id, {"comments": 1})]
        if entity.parent_id is not None:
            answered = check_write(
                self.table,
                {"id": entity.parent_id},
                ConditionExpression="post_id = :post AND deleted = :no",
                ExpressionAttributeValues={":post": entity.post_id, ":no": False},
            )
            ties.append(Tie(answered, f"post {entity.post_id} has no comment {entity.parent_id}"))
        return ties

    def of_post(self, post_id: str, *, limit: int, cursor: str | None = None) -> Page[Comment]:
        """The comments of a post with its tombstones, oldest first."""
        return self._of_post.page(post_id, limit=limit, cursor=cursor)

    def edit(self, comment: Comment, text: str, now: datetime) -> Comment:
        """Change the words of a comment as it was read; raises VersionConflict."""
        return self.replace(comment, dataclasses.replace(comment, text=text, edited_at=now))

    def replace(self, old: Comment, new: Comment) -> Comment:
        """Write ``new`` where ``old`` was read; raises Conflict when that is deleted."""
        if old.deleted:
            raise Conflict(f"comment {old.id} is deleted")
        return super().replace(old, new)

    def delete(self, entity: Comment) -> None:
        """Leave a tombstone in its place; raises VersionConflict when it changed since.

        Deleting twice is no error.
        """
        words = ("text", "user_id", "user_name")
        tombstone = update_write(
            self.table,
            {"id": entity.id},
            {"deleted": True, "demo": False, "version": entity.version + 1}
            | dict.fromkeys(words, ""),
            ["edited_at"],
            condition="#version = :read AND deleted = :no",
            names={"#version": "version"},
            values={":read": entity.version, ":no": False},
        )
        counter = counting("Posts", entity.post_id, {"comments": -1})
        mark = delete_write("Demo", {"table": self.table, "id": entity.id})
        try:
            self.dynamo.transact([tombstone, counter.write, mark])
        except ConditionFailed as failure:
            # Where the post itself is going, its comments go with it.
            stored = self.find(entity.id) if 0 in failure.failed else None
            if stored is not None and not stored.deleted:
                message = f"comment {entity.id} was changed meanwhile"
                raise VersionConflict(message) from failure

    @staticmethod
    def _decode(item: Item) -> Comment:
        return codec.from_item(Comment, item)
