"""Volunteering missions: table Mission."""

from __future__ import annotations

from datetime import datetime

from cityverse.data import codec
from cityverse.data.client import Dynamo, Item
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.parents import PlacedRepository
from cityverse.data.registry import DRAFT_INDEX
from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living
from cityverse.data.timeline import TimelineRepository, order_of
from cityverse.domain.community import Mission, MissionStatus


class MissionRepository(TimelineRepository[Mission], PlacedRepository[Mission]):
    """Missions, the next to start first; drafts stand in no list but that of drafts."""

    table = "Mission"
    entity = Mission
    newest_first = False
    taken = "approved"

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo, cursors)
        self._drafts = PartitionList(dynamo, cursors, self.table, _decode, DRAFT_INDEX.name)

    def ties_of(self, entity: Mission) -> list[Tie]:
        """The association that publishes it."""
        return [living("Association", entity.association_id)]

    def settled(self, entity: Mission) -> Mission:
        """Open or full, as the places say."""
        return entity.settled()

    def create(self, entity: Mission) -> Mission:
        """Write a new mission; raises AlreadyExists, or NotFound without its association."""
        return super().create(entity.settled())

    def keys_of(self, entity: Mission) -> Item:
        """Its place in the lists, or among the drafts of its association."""
        if entity.status is not MissionStatus.DRAFT:
            return super().keys_of(entity)
        return {
            "draft_of": entity.association_id,
            "drafted": order_of(entity.created, entity.id),
        }

    def moment_of(self, entity: Mission) -> datetime:
        """When it starts."""
        return entity.starts

    def texts_of(self, entity: Mission) -> Searchable | None:
        """Title, association and description; nobody searches for drafts."""
        if entity.status is MissionStatus.DRAFT:
            return None
        return Searchable(
            "mission", entity.starts, (entity.title, entity.association_name, entity.description)
        )

    def drafts(
        self, association_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Mission]:
        """The drafts of an association, newest first."""
        return self._drafts.page(association_id, limit=limit, cursor=cursor)


def _decode(item: Item) -> Mission:
    return codec.from_item(Mission, item)
