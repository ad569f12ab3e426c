"""Where readers say an article is: tables Proposal and Alias."""

from __future__ import annotations

from typing import Any

from cityverse.data import codec
from cityverse.data.client import ConditionFailed, Dynamo, Item, put_write
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.news import NewsRepository
from cityverse.data.notifications import NotificationRepository
from cityverse.data.repository import LeafRepository
from cityverse.data.ties import living
from cityverse.data.timeline import order_of
from cityverse.domain.corrections import Alias, Proposal, ProposalStatus
from cityverse.domain.news import Article
from cityverse.domain.notifications import Notification
from cityverse.errors import AlreadyExists, VersionConflict

ALIASES_MOST = 5_000
# All of them are read together, by whoever locates; so they lie in one partition.
_PARIS = "paris"
_STATUS_INDEX = "status-index"


class ProposalRepository(LeafRepository[Proposal]):
    """Proposals of readers; decided once, with all that follows from it."""

    table = "Proposal"
    entity = Proposal

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo)
        self._news = NewsRepository(dynamo, cursors)
        self._notifications = NotificationRepository(dynamo, cursors)
        self._oldest = PartitionList(
            dynamo, cursors, self.table, _decode, _STATUS_INDEX, newest_first=False
        )
        self._newest = PartitionList(dynamo, cursors, self.table, _decode, _STATUS_INDEX)

    def keys_of(self, entity: Proposal) -> Item:
        """Its place in time, and when it expires."""
        keys: Item = {"order": order_of(entity.created, entity.id)}
        if entity.expires_at is not None:
            keys["expires"] = int(entity.expires_at.timestamp())
        return keys

    def person_of(self, entity: Proposal) -> str | None:
        """Who proposes."""
        return entity.user_id

    def queue(
        self, status: ProposalStatus, *, limit: int, cursor: str | None = None
    ) -> Page[Proposal]:
        """The open proposals, the oldest first; or decided ones, the newest first."""
        listed = self._oldest if status is ProposalStatus.OPEN else self._newest
        return listed.page(str(status), limit=limit, cursor=cursor)

    def decline(self, old: Proposal, decided: Proposal, told: Notification | None) -> None:
        """Decide on a proposal as it was read and tell who made it; raises VersionConflict."""
        decided.check()
        try:
            self.dynamo.transact([self._update(old, decided), *self._telling(told)])
        except ConditionFailed as failure:
            raise VersionConflict(f"proposal {old.id} was changed meanwhile") from failure

    def accept(
        self,
        old: Proposal,
        decided: Proposal,
        article: tuple[Article, Article],
        told: Notification | None,
        alias: Alias | None = None,
    ) -> None:
        """Decide on a proposal, correct its article (as read, and as it is to be), learn a name.

        All or nothing. Raises VersionConflict with the id of the item that changed since it
        was read, and AlreadyExists where the words of ``alias`` name another place by now.
        """
        decided.check()
        learning = [] if alias is None else [_alias_write(alias)]
        along = [self._update(old, decided), *learning, *self._telling(told)]
        try:
            self._news.replace_along(*article, along)
        except ConditionFailed as failure:
            # The number of a failed write counts those of the article before these.
            if alias is not None and not self._is_free(alias):
                raise AlreadyExists(f"{alias.words!r} names another place") from failure
            raise VersionConflict(f"proposal {old.id} was changed meanwhile") from failure

    def _telling(self, told: Notification | None) -> list[dict[str, Any]]:
        if told is None:
            return []
        return [self._notifications.write_of(told), living("User", told.user_id).write]

    def _is_free(self, alias: Alias) -> bool:
        row = self.dynamo.get("Alias", {"gazetteer": _PARIS, "words": alias.words})
        return row is None or row["place"] == alias.place


class AliasRepository:
    """Names of places that managers accepted; each names one place."""

    table = "Alias"

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def all(self) -> list[Alias]:
        """Every name, by its folded words; at most ``ALIASES_MOST``."""
        rows = self.dynamo.query(
            self.table,
            limit=ALIASES_MOST,
            KeyConditionExpression="gazetteer = :paris",
            ExpressionAttributeValues={":paris": _PARIS},
        )
        return [codec.from_item(Alias, row) for row in rows]

    def forget(self, words: str) -> None:
        """Take a name back; what is gone is no error."""
        self.dynamo.delete(self.table, {"gazetteer": _PARIS, "words": words})


def _alias_write(alias: Alias) -> dict[str, Any]:
    alias.check()
    return put_write(
        AliasRepository.table,
        codec.to_item(alias) | {"gazetteer": _PARIS},
        ConditionExpression="attribute_not_exists(words) OR place = :place",
        ExpressionAttributeValues={":place": alias.place},
    )


def _decode(item: Item) -> Proposal:
    return codec.from_item(Proposal, item)
