"""What associations and residents publish: table Posts."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from cityverse.data import codec
from cityverse.data.client import Dynamo, Item
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import PRODUCT_INDEX, USER_INDEX
from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import AuthorKind, Post
from cityverse.domain.people import ANONYMOUS


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

    def texts_of(self, entity: Post) -> Searchable:
        """Title, author and text."""
        return Searchable("post", entity.created, (entity.title, entity.author_name, entity.text))

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
