"""Goods, services and places that an association or shop presents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cityverse.domain.community import (
    MEDIA_MOST,
    NAME_LONGEST,
    check_ids,
    check_links,
    check_published,
)
from cityverse.domain.places import Location
from cityverse.domain.rules import check_text, fold
from cityverse.errors import InvalidField

POINTS_MOST = 20


class ProductKind(StrEnum):
    """What a product is."""

    GOOD = "good"
    SERVICE = "service"
    PLACE = "place"


@dataclass(frozen=True, slots=True)
class Product:
    """A good, service or place, found at ``points`` (1 to 20); the first one is on the map.

    Its name is unique in any case, with or without accents.
    """

    id: str
    association_id: str
    association_name: str
    name: str
    created: datetime
    points: tuple[Location, ...]
    description: str = ""
    product_kind: ProductKind = ProductKind.GOOD
    links: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    demo: bool = False
    version: int = 0
    kind: str = field(default="product", init=False)

    @property
    def location(self) -> Location | None:
        """The first point."""
        return self.points[0] if self.points else None

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_published(self)
        check_text("name", self.name, longest=NAME_LONGEST)
        if not 1 <= len(self.points) <= POINTS_MOST:
            raise InvalidField("points", f"must be 1 to {POINTS_MOST}")
        for point in self.points:
            point.check()
        check_links("links", self.links)
        check_ids("media", self.media, most=MEDIA_MOST)


def name_key(name: str) -> str:
    """The form of a product's name in which no two may be equal: folded, blanks collapsed."""
    return " ".join(fold(name).split())
