"""Bodies that publish: table Association."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from cityverse.data import codec
from cityverse.data.client import Item
from cityverse.data.lists import PartitionList
from cityverse.data.registry import OWNER_INDEX
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

    def person_of(self, entity: Association) -> str | None:
        """Its owner."""
        return entity.owner_id

    def disown(self, association: Association) -> Association:
        """Leave an association as it was read without an owner; raises VersionConflict."""
        return self.replace(association, dataclasses.replace(association, owner_id=None))

    def claims_of(self, entity: Association) -> Mapping[str, str]:
        """The number in the national register, where it has one."""
        return {} if entity.rna is None else {"rna": entity.rna}

    def texts_of(self, entity: Association) -> Searchable:
        """Name and description."""
        return Searchable("association", entity.created, (entity.name, entity.description))

    def owned(self, user_id: str, *, limit: int = 100) -> list[Association]:
        """The associations of an owner, newest first."""
        lists = PartitionList(self.dynamo, self._cursors, self.table, _decode, OWNER_INDEX.name)
        return list(lists.page(user_id, limit=limit).items)


def _decode(item: Item) -> Association:
    return codec.from_item(Association, item)
