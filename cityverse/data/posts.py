"""What associations publish: table Posts."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.terms import Searchable
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import Post


class PostRepository(TimelineRepository[Post]):
    """Posts, newest first."""

    table = "Posts"
    entity = Post

    def moment_of(self, entity: Post) -> datetime:
        """When it was written."""
        return entity.created

    def texts_of(self, entity: Post) -> Searchable:
        """Title, author and text."""
        return Searchable(
            "post", entity.created, (entity.title, entity.association_name, entity.text)
        )
