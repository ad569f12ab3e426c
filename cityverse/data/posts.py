"""What associations and residents publish: table Posts."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.attachments import attached, files_of
from cityverse.data.client import ConditionFailed, Dynamo, Item
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import PRODUCT_INDEX, USER_INDEX
from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living, living_person
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import AuthorKind, Post
from cityverse.domain.people import ANONYMOUS
from cityverse.errors import WrongState


class PostRepository(TimelineRepository[Post]):
    """Posts, newest first."""

    table = "Posts"
    entity = Post

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo, cursors)
        self._of_product = PartitionList(
            dynamo, cursors, self.table, self._decode, PRODUCT_INDEX.name
        )
        self._of_user = PartitionList(dynamo, cursors, self.table, self._decode, USER_INDEX.name)

    def moment_of(self, entity: Post) -> datetime:
        """When it was written."""
        return entity.created

    def ties_of(self, entity: Post) -> list[Tie]:
        """The association that publishes it, and the product it presents."""
        ties = []
        if entity.association_id is not None:
            ties.append(living("Association", entity.association_id))
        if entity.product_id is not None:
            ties.append(living("Product", entity.product_id))
        return ties

    def person_of(self, entity: Post) -> str | None:
        """Who wrote it."""
        return entity.user_id

    def keys_of(self, entity: Post) -> Item:
        """As in every timeline; a removed post has no place in any list."""
        return {} if entity.removed else super().keys_of(entity)

    def texts_of(self, entity: Post) -> Searchable | None:
        """Title, author and text; a removed post is not found."""
        if entity.removed:
            return None
        return Searchable("post", entity.created, (entity.title, entity.author_name, entity.text))

    def publish(self, post: Post, draft: Tie) -> Post:
        """Write the post that a draft becomes; ``draft`` is the write that ends the draft.

        Raises AlreadyExists when that happened before, NotFound when the draft changed or
        is gone, or what the post belongs to is.
        """
        post.check()
        files = attached(self.table, post.id, files_of(post))
        ties = [draft, *self.ties_of(post), *living_person(post.user_id), *files]
        return self._create(post, ties)

    def remove(self, post: Post, now: datetime, going: dict[str, Any]) -> Post:
        """Take a post, as it was read, out of all lists; ``going`` has it deleted later.

        Raises VersionConflict.
        """
        return self._replace(post, dataclasses.replace(post, removed=now), [going])

    def restore(self, post: Post, staying: dict[str, Any]) -> Post:
        """Put a removed post back into all lists; ``staying`` takes its deletion back.

        Raises VersionConflict, and WrongState when it is being deleted.
        """
        try:
            return self._replace(post, dataclasses.replace(post, removed=None), [staying])
        except ConditionFailed as failure:
            raise WrongState(f"{self.table} item {post.id} is being deleted") from failure

    def of_product(self, product_id: str, *, limit: int, cursor: str | None = None) -> Page[Post]:
        """The posts that present a product, newest first."""
        return self._of_product.page(product_id, limit=limit, cursor=cursor)

    def of_user(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Post]:
        """What a person wrote, in their own name or that of an association, newest first."""
        return self._of_user.page(user_id, limit=limit, cursor=cursor)

    def anonymise(self, post: Post) -> Post:
        """Take the name of its author from a post as it was read; raises VersionConflict."""
        resident = post.author_kind is AuthorKind.RESIDENT
        author = ANONYMOUS if resident else None
        return self.replace(post, dataclasses.replace(post, user_id=author, user_name=""))

    @staticmethod
    def _decode(item: Item) -> Post:
        return codec.from_item(Post, item)
