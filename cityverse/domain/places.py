"""Where an item is, how precisely that is known, and why we think so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cityverse.domain.rules import check_between, check_text
from cityverse.errors import InvalidField

# Bounds of what the map shows: Paris with both woods and a margin, in degrees (WGS 84).
SOUTH, WEST, NORTH, EAST = 48.78, 2.18, 48.94, 2.51


class Precision(StrEnum):
    """How exactly a location is known, from finest to coarsest."""

    ADDRESS = "address"
    STREET = "street"
    PLACE = "place"
    PARK = "park"
    QUARTIER = "quartier"
    ARRONDISSEMENT = "arrondissement"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The exact words that located an item, and where they stand in it.

    ``field`` is ``title``, ``summary``, ``feed`` (the source gave coordinates) or ``reader``;
    ``start`` and ``end`` are offsets in characters: ``text[start:end] == words``.
    """

    field: str
    start: int
    end: int
    words: str

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        if self.field not in {"title", "summary", "feed", "reader"}:
            raise InvalidField("evidence.field", "must be title, summary, feed or reader")
        check_text("evidence.words", self.words, longest=200, required=False)
        if self.start < 0 or self.end - self.start != len(self.words):
            raise InvalidField("evidence.start", "offsets and words do not agree")


@dataclass(frozen=True, slots=True)
class Location:
    """A point on the map (degrees, WGS 84) with its precision and its evidence.

    For an area the point is its centroid. ``arrondissement`` is 1 to 20, or None
    outside Paris; ``score`` lies between 0 and 1.
    """

    place: str
    lat: float
    lon: float
    precision: Precision
    arrondissement: int | None = None
    score: float = 1.0
    evidence: tuple[Evidence, ...] = ()

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_text("location.place", self.place, longest=200)
        check_between("location.lat", self.lat, SOUTH, NORTH)
        check_between("location.lon", self.lon, WEST, EAST)
        check_between("location.score", self.score, 0, 1)
        if self.arrondissement is not None:
            check_between("location.arrondissement", self.arrondissement, 1, 20)
        for evidence in self.evidence:
            evidence.check()
