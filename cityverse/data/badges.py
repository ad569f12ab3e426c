"""The badges one can earn: table Badge."""

from __future__ import annotations

from collections.abc import Mapping

from cityverse.data.repository import LeafRepository
from cityverse.domain.points import Badge
from cityverse.domain.rules import fold


class BadgeRepository(LeafRepository[Badge]):
    """Badges; no two have the same name."""

    table = "Badge"
    entity = Badge

    def claims_of(self, entity: Badge) -> Mapping[str, str]:
        """The name without case, accents and further blanks."""
        return {"name": " ".join(fold(entity.name).split())}
