"""Volunteering missions: table Mission."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.terms import Searchable
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import Mission


class MissionRepository(TimelineRepository[Mission]):
    """Missions, the next to start first."""

    table = "Mission"
    entity = Mission
    newest_first = False

    def moment_of(self, entity: Mission) -> datetime:
        """When it starts."""
        return entity.starts

    def texts_of(self, entity: Mission) -> Searchable:
        """Title, association and description."""
        return Searchable(
            "mission", entity.starts, (entity.title, entity.association_name, entity.description)
        )
