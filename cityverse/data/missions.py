"""Volunteering missions: table Mission."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.parents import PlacedRepository
from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import Mission


class MissionRepository(TimelineRepository[Mission], PlacedRepository[Mission]):
    """Missions, the next to start first."""

    table = "Mission"
    entity = Mission
    newest_first = False
    taken = "approved"

    def ties_of(self, entity: Mission) -> list[Tie]:
        """The association that publishes it."""
        return [living("Association", entity.association_id)]

    def settled(self, entity: Mission) -> Mission:
        """Open or full, as the places say."""
        return entity.settled()

    def create(self, entity: Mission) -> Mission:
        """Write a new mission; raises AlreadyExists, or NotFound without its association."""
        return super().create(entity.settled())

    def moment_of(self, entity: Mission) -> datetime:
        """When it starts."""
        return entity.starts

    def texts_of(self, entity: Mission) -> Searchable:
        """Title, association and description."""
        return Searchable(
            "mission", entity.starts, (entity.title, entity.association_name, entity.description)
        )
