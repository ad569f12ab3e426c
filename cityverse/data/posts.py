"""What associations and residents publish: table Posts."""

from __future__ import annotations

from datetime import datetime

from cityverse.data import codec
from cityverse.data.parents import Tie, TiedRepository, living, unburied
from cityverse.data.terms import Searchable
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import Post

OF_PRODUCT_MOST = 100


class PostRepository(TimelineRepository[Post], TiedRepository[Post]):
    """Posts, newest first."""

    table = "Posts"
    entity = Post

    def moment_of(self, entity: Post) -> datetime:
        """When it was written."""
        return entity.created

    def ties_of(self, entity: Post) -> list[Tie]:
        """The association that publishes it, and the product it presents."""
        ties = []
        if entity.association_id is not None:
            ties.append(unburied("Association", entity.association_id))
        if entity.product_id is not None:
            ties.append(living("Product", entity.product_id))
        return ties

    def texts_of(self, entity: Post) -> Searchable:
        """Title, author and text."""
        return Searchable("post", entity.created, (entity.title, entity.author_name, entity.text))

    def of_product(self, product_id: str, *, most: int = OF_PRODUCT_MOST) -> list[Post]:
        """Up to ``most`` posts that present a product, newest first.

        The index of the seed has no order: of more than ``most`` posts it is not said
        which ones are found.
        """
        rows = self.dynamo.query(
            self.table,
            index="product_id",
            limit=most,
            KeyConditionExpression="product_id = :product",
            ExpressionAttributeValues={":product": product_id},
        )
        posts = (codec.from_item(Post, row) for row in rows)
        return sorted(posts, key=lambda post: post.created, reverse=True)
