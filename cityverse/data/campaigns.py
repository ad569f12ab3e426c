"""Donation campaigns: table Donation."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.giving import Campaign


class CampaignRepository(TimelineRepository[Campaign]):
    """Campaigns, newest first."""

    table = "Donation"
    entity = Campaign

    def moment_of(self, entity: Campaign) -> datetime:
        """When it was published."""
        return entity.created

    def ties_of(self, entity: Campaign) -> list[Tie]:
        """The association that publishes it."""
        return [living("Association", entity.association_id)]

    def texts_of(self, entity: Campaign) -> Searchable:
        """Title, association and description."""
        return Searchable(
            "campaign", entity.created, (entity.title, entity.association_name, entity.description)
        )
