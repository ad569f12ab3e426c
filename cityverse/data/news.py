"""Articles of the sources: table News."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.client import Item
from cityverse.data.repository import LeafRepository
from cityverse.data.terms import Searchable
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.news import Article


class NewsRepository(TimelineRepository[Article], LeafRepository[Article]):
    """Articles, newest first; they expire by themselves."""

    table = "News"
    entity = Article

    def moment_of(self, entity: Article) -> datetime:
        """When it was published."""
        return entity.published

    def keys_of(self, entity: Article) -> Item:
        """The keys of a timeline, and the time of expiry as DynamoDB wants it."""
        return super().keys_of(entity) | _expiry(entity)

    def texts_of(self, entity: Article) -> Searchable:
        """Title, place and summary."""
        place = entity.location.place if entity.location else ""
        return Searchable(
            "news",
            entity.published,
            (entity.title, place, entity.summary),
            _expiry(entity).get("expires"),
        )


def _expiry(article: Article) -> Item:
    return {"expires": int(article.expires_at.timestamp())} if article.expires_at else {}
