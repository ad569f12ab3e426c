"""Answers to a post, and to one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cityverse.domain.moderation import Moderated
from cityverse.domain.people import ANONYMOUS
from cityverse.domain.rules import check_id, check_text, check_time
from cityverse.errors import InvalidField

COMMENT_LONGEST = 2000
_NAME_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment to a post, or (``parent_id``) to another comment of the same post.

    A deleted one stays as a tombstone without words or author, so that the answers to it
    keep their place. ``ANONYMOUS``, without a name, stands for an author who is not to be
    known, or no longer.
    """

    id: str
    post_id: str
    user_id: str
    user_name: str
    text: str
    created: datetime
    parent_id: str | None = None
    edited_at: datetime | None = None
    moderation: Moderated | None = None
    deleted: bool = field(default=False, metadata={"counter": True})
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("post_id", self.post_id)
        check_time("created", self.created)
        check_time("edited_at", self.edited_at)
        if self.parent_id is not None:
            check_id("parent_id", self.parent_id)
            if self.parent_id == self.id:
                raise InvalidField("parent_id", "a comment does not answer itself")
        if self.deleted:
            return
        check_id("user_id", self.user_id)
        named = self.user_id != ANONYMOUS
        check_text("user_name", self.user_name, longest=_NAME_LONGEST, required=named)
        check_text("text", self.text, longest=COMMENT_LONGEST)
