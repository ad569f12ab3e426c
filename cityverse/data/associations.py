"""Bodies that publish: table Association."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cityverse.data.terms import Searchable
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import Association


class AssociationRepository(TimelineRepository[Association]):
    """Associations, the newest first."""

    table = "Association"
    entity = Association

    def moment_of(self, entity: Association) -> datetime:
        """When it was registered here."""
        return entity.created

    def arrondissement_of(self, entity: Association) -> None:
        """Associations have no list by arrondissement."""
        return

    def claims_of(self, entity: Association) -> Mapping[str, str]:
        """The number in the national register, where it has one."""
        return {} if entity.rna is None else {"rna": entity.rna}

    def texts_of(self, entity: Association) -> Searchable:
        """Name and description."""
        return Searchable("association", entity.created, (entity.name, entity.description))
