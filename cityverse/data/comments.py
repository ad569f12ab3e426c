"""Answers to posts: table Comment, with the counter of the post."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import Dynamo, Item, check_write, delete_write, update_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import USER_INDEX
from cityverse.data.repository import LeafRepository
from cityverse.data.ties import Tie, counting, counting_down, living_person, take_away
from cityverse.data.timeline import order_of
from cityverse.domain.comments import Comment
from cityverse.domain.people import ANONYMOUS
from cityverse.errors import VersionConflict, WrongState


class CommentRepository(LeafRepository[Comment]):
    """Comments; the counter of the post equals its comments that are not deleted."""

    table = "Comment"
    entity = Comment

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._of_post = PartitionList(
            dynamo, cursors, self.table, self._decode, "post-index", newest_first=False
        )
        self._of_user = PartitionList(dynamo, cursors, self.table, self._decode, USER_INDEX.name)

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

    def person_of(self, entity: Comment) -> str | None:
        """Who wrote it."""
        return entity.user_id

    def create_telling(self, comment: Comment, told: dict[str, Any]) -> Comment:
        """``create``, in one transaction with the write that tells somebody of it."""
        message = Tie(told, f"somebody was told of comment {comment.id} before")
        ties = [*self.ties_of(comment), *living_person(comment.user_id), message]
        return self._create(comment, ties)

    def of_post(self, post_id: str, *, limit: int, cursor: str | None = None) -> Page[Comment]:
        """The comments of a post with its tombstones, oldest first."""
        return self._of_post.page(post_id, limit=limit, cursor=cursor)

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Comment]:
        """What a person answered, newest first."""
        return self._of_user.page(user_id, limit=limit, cursor=cursor)

    def edit(self, comment: Comment, text: str, now: datetime) -> Comment:
        """Change the words of a comment as it was read; raises VersionConflict."""
        return self.replace(comment, dataclasses.replace(comment, text=text, edited_at=now))

    def replace(self, old: Comment, new: Comment) -> Comment:
        """Write ``new`` where ``old`` was read; raises WrongState when that is deleted."""
        if old.deleted:
            raise WrongState(f"comment {old.id} is deleted")
        return super().replace(old, new)

    def anonymise(self, comment: Comment) -> Comment:
        """Take the name of its author from a comment as it was read; raises VersionConflict."""
        return self.replace(comment, dataclasses.replace(comment, user_id=ANONYMOUS, user_name=""))

    def delete(self, entity: Comment) -> None:
        """Leave a tombstone in its place; raises VersionConflict when it changed since.

        Deleting twice is no error.
        """
        tombstone = update_write(
            self.table,
            {"id": entity.id},
            {
                "deleted": True,
                "demo": False,
                "version": entity.version + 1,
                "text": "",
                "user_id": ANONYMOUS,  # a key of an index, which cannot be empty
                "user_name": "",
            },
            ["edited_at"],
            condition="#version = :read AND deleted = :no",
            names={"#version": "version"},
            values={":read": entity.version, ":no": False},
        )
        counter = counting_down("Posts", entity.post_id, {"comments": 1})
        mark = delete_write("Demo", {"table": self.table, "id": entity.id})
        if not take_away(self.dynamo, tombstone, [counter], mark):
            stored = self.find(entity.id)
            if stored is not None and not stored.deleted:
                raise VersionConflict(f"comment {entity.id} was changed meanwhile")

    @staticmethod
    def _decode(item: Item) -> Comment:
        return codec.from_item(Comment, item)
