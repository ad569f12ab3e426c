"""Donation campaigns: table Donation."""

from __future__ import annotations

from datetime import datetime

from cityverse.data.client import Item
from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living
from cityverse.data.timeline import TimelineRepository, order_of
from cityverse.domain.giving import Campaign, CampaignStatus


class CampaignRepository(TimelineRepository[Campaign]):
    """Campaigns, newest first; drafts stand in no list but that of their association."""

    table = "Donation"
    entity = Campaign

    def moment_of(self, entity: Campaign) -> datetime:
        """When it was published."""
        return entity.created

    def ties_of(self, entity: Campaign) -> list[Tie]:
        """The association that publishes it."""
        return [living("Association", entity.association_id)]

    def keys_of(self, entity: Campaign) -> Item:
        """Its place in the lists; of a draft, that among those of its association."""
        if entity.status is not CampaignStatus.DRAFT:
            return super().keys_of(entity)
        return {"order": order_of(entity.created, entity.id)}

    def texts_of(self, entity: Campaign) -> Searchable | None:
        """Title, association and description; nobody searches for drafts."""
        if entity.status is CampaignStatus.DRAFT:
            return None
        return Searchable(
            "campaign", entity.created, (entity.title, entity.association_name, entity.description)
        )
