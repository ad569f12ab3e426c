"""Bodies that publish: table Association."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cityverse.data import codec
from cityverse.data.attachments import attached, files_of
from cityverse.data.client import ConditionFailed, Dynamo, Item
from cityverse.data.cursors import Cursors
from cityverse.data.lists import Page, PartitionList
from cityverse.data.registry import OWNER_INDEX
from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living_person
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.community import Association
from cityverse.errors import WrongState


class AssociationRepository(TimelineRepository[Association]):
    """Associations, the newest first."""

    table = "Association"
    entity = Association

    def __init__(self, dynamo: Dynamo, cursors: Cursors) -> None:
        super().__init__(dynamo, cursors)
        self._of_owner = PartitionList(dynamo, cursors, self.table, self._decode, OWNER_INDEX.name)

    def moment_of(self, entity: Association) -> datetime:
        """When it was registered here."""
        return entity.created

    def arrondissement_of(self, entity: Association) -> None:
        """Associations have no list by arrondissement."""
        return

    def person_of(self, entity: Association) -> str | None:
        """Its owner."""
        return entity.owner_id

    def of_owner(self, user_id: str, *, limit: int, cursor: str | None = None) -> Page[Association]:
        """Those a person owns, the newest first."""
        return self._of_owner.page(user_id, limit=limit, cursor=cursor)

    def found(self, association: Association, along: dict[str, Any]) -> Association:
        """``create``, with a further write of the same transaction."""
        ties = [*living_person(association.owner_id), Tie(along, "nothing is missing")]
        files = attached(self.table, association.id, files_of(association))
        return self._create(association, [*ties, *files])

    def replace_along(
        self, old: Association, new: Association, along: Sequence[dict[str, Any]]
    ) -> Association:
        """``replace`` in one transaction with writes that may forbid it.

        Raises WrongState where one of these does; else as ``replace``.
        """
        self._enter_bucket(new)
        try:
            return self._replace(old, new, along)
        except ConditionFailed as failure:
            raise WrongState(f"{self.table} {old.id}: what it rests on changed") from failure

    def disown(self, association: Association) -> Association:
        """Leave an association as it was read without an owner; raises VersionConflict."""
        return self.replace(association, dataclasses.replace(association, owner_id=None))

    def claims_of(self, entity: Association) -> Mapping[str, str]:
        """The number in the national register, where it has one."""
        return {} if entity.rna is None else {"rna": entity.rna}

    def texts_of(self, entity: Association) -> Searchable:
        """Name and description."""
        return Searchable("association", entity.created, (entity.name, entity.description))

    @staticmethod
    def _decode(item: Item) -> Association:
        return codec.from_item(Association, item)
