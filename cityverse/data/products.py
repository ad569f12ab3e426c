"""Goods, services and places that associations present: table Product."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cityverse.data.terms import Searchable
from cityverse.data.ties import Tie, living
from cityverse.data.timeline import TimelineRepository
from cityverse.domain.products import Product, name_key


class ProductRepository(TimelineRepository[Product]):
    """Products, newest first; no two have the same name."""

    table = "Product"
    entity = Product

    def moment_of(self, entity: Product) -> datetime:
        """When it was published."""
        return entity.created

    def ties_of(self, entity: Product) -> list[Tie]:
        """The association that presents it."""
        return [living("Association", entity.association_id)]

    def claims_of(self, entity: Product) -> Mapping[str, str]:
        """The name, in any case, with or without accents."""
        return {"name": name_key(entity.name)}

    def texts_of(self, entity: Product) -> Searchable:
        """Name, association and description."""
        return Searchable(
            "product", entity.created, (entity.name, entity.association_name, entity.description)
        )
