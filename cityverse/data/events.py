"""Events: table Event."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.parents import PlacedRepository
from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import Event


class EventRepository(TimelineRepository[Event], PlacedRepository[Event]):
    """Events, the next to start first."""

    table = "Event"
    entity = Event
    newest_first = False
    taken = "attending"

    def ties_of(self, entity: Event) -> list[Tie]:
        """The association that publishes it."""
        return [living("Association", entity.association_id)]

    def moment_of(self, entity: Event) -> datetime:
        """When it starts."""
        return entity.starts

    def texts_of(self, entity: Event) -> Searchable:
        """Title, association and description."""
        return Searchable(
            "event", entity.starts, (entity.title, entity.association_name, entity.description)
        )
