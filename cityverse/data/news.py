"""Articles of the sources: table News."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.client import Item
from cityverse.data.lists import Page
from cityverse.data.registry import SOURCE_INDEX
from cityverse.data.repository import LeafRepository, Window
from cityverse.data.terms import Searchable
from cityverse.data.timeline import LOOKED_AT_MOST, TimelineRepository
from cityverse.domain.news import Article, withdrawn


class NewsRepository(TimelineRepository[Article], LeafRepository[Article]):
    """Articles, newest first; they expire by themselves.

    A withdrawn article is found by none but ``known``: it stays as a tombstone.
    """

    table = "News"
    entity = Article

    def moment_of(self, entity: Article) -> datetime:
        """When it was published."""
        return entity.published

    def keys_of(self, entity: Article) -> Item:
        """The keys of a timeline, and the time of expiry as DynamoDB wants it."""
        keys = super().keys_of(entity)
        if entity.withdrawn_at is not None:
            # A manager's withdrawal can be found by its source, and undone.
            keys = {"order": keys["order"]} if entity.withdrawal else {}
        return keys | _expiry(entity)

    def texts_of(self, entity: Article) -> Searchable | None:
        """Title, place and summary."""
        if entity.withdrawn_at is not None:
            return None
        place = entity.location.place if entity.location else ""
        return Searchable(
            "news",
            entity.published,
            (entity.title, place, entity.summary),
            _expiry(entity).get("expires"),
        )

    def find(self, entity_id: str) -> Article | None:
        """The article with this id, or None, also when it was withdrawn."""
        found = super().find(entity_id)
        return None if found is None or found.withdrawn_at else found

    def find_many(self, ids: Iterable[str]) -> dict[str, Article]:
        """The articles with these ids, by id; missing and withdrawn ones are left out."""
        return {id_: found for id_, found in self.known(ids).items() if not found.withdrawn_at}

    def known(self, ids: Iterable[str]) -> dict[str, Article]:
        """All that was ever stored under these ids and has not expired, also if withdrawn."""
        return super().find_many(ids)

    def withdraw(self, article: Article, now: datetime) -> Article:
        """Leave a tombstone in place of an article; raises VersionConflict when it changed."""
        return self.replace(article, withdrawn(article, now))

    def replace_along(self, old: Article, new: Article, along: Sequence[dict[str, Any]]) -> Article:
        """``replace`` in one transaction with further writes.

        Raises ConditionFailed where only one of these fails.
        """
        self._enter_bucket(new)
        return self._replace(old, new, along)

    def of_source(self, source_id: str, *, most: int) -> list[Article]:
        """The newest articles of a source, at most so many."""
        rows = self.dynamo.query(
            self.table,
            index=SOURCE_INDEX.name,
            limit=most,
            KeyConditionExpression="source_id = :source",
            ExpressionAttributeValues={":source": source_id},
            ScanIndexForward=False,
        )
        return [codec.from_item(Article, row) for row in rows]

    def from_source(
        self,
        source_id: str,
        *,
        limit: int,
        window: Window | None = None,
        cursor: str | None = None,
        where: Callable[[Article], bool] | None = None,
        looked_at: int = LOOKED_AT_MOST,
    ) -> Page[Article]:
        """One page of the articles of a source, bounded as ``page`` is."""

        def shown(article: Article) -> bool:
            return article.withdrawn_at is None and (where is None or where(article))

        return self._of_partition(
            SOURCE_INDEX,
            source_id,
            limit=limit,
            window=window,
            cursor=cursor,
            where=shown,
            looked_at=looked_at,
        )

    def taken_down(self, source_id: str, *, limit: int) -> Sequence[Article]:
        """The newest articles of a source that managers withdrew, of 200 that are looked at."""
        page = self._of_partition(
            SOURCE_INDEX,
            source_id,
            limit=limit,
            window=None,
            cursor=None,
            where=lambda article: article.withdrawal is not None,
            looked_at=LOOKED_AT_MOST,
        )
        return page.items

    def _enter_bucket(self, entity: Article) -> None:
        if entity.withdrawn_at is None:
            super()._enter_bucket(entity)


def _expiry(article: Article) -> Item:
    return {"expires": int(article.expires_at.timestamp())} if article.expires_at else {}
