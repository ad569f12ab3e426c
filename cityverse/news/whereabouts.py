"""Places people choose: by searching the gazetteer, from their text, or as a point."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlencode

from cityverse.domain.places import EAST, NORTH, SOUTH, WEST, Location, Precision
from cityverse.errors import FetchError, InvalidField
from cityverse.news.fetch import Limits, fetch
from cityverse.news.gazetteer import Gazetteer, Outlines, Place
from cityverse.news.locate import Locator
from cityverse.news.tokens import fold_phrase

FOUND_MOST = 8
_LONGEST = 200
_NEAR_DEGREES = 0.006
_METRES = 111_320
_LIMITS = Limits(seconds=5.0, bytes=256 * 1024, redirects=1)
_SURE_ENOUGH = 0.45


class Whereabouts:
    """Names and points of Paris; safe to share by threads."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._locator = Locator(gazetteer)
        self._outlines = Outlines()
        located = [(name, place) for name, place in gazetteer.written() if place.kind.precision]
        named = [(fold_phrase(p.name), p) for p in gazetteer.districts.values()]
        self._names = [*named, *located]
        self._points = [place for place in gazetteer.places() if place.kind.weight >= 0.7]

    def suggest(self, text: str) -> Location | None:
        """The place a text speaks of, if it names one."""
        found = self._locator.locate("", text)
        return None if found is None else replace(found, evidence=(), score=1.0)

    def search(self, text: str) -> list[Location]:
        """Up to 8 places whose names hold all these words, those that begin with them first."""
        words = fold_phrase(text[:_LONGEST]).split()
        if not words or max(map(len, words)) < 2:
            return []
        ranked: dict[Place, tuple[bool, int, str]] = {}
        for name, place in self._names:
            if all(f" {word}" in f" {name}" for word in words):
                rank = (not name.startswith(words[0]), len(name), place.name)
                ranked[place] = min(rank, ranked.get(place, rank))
        best = sorted(ranked, key=lambda place: ranked[place])
        return [_location(place) for place in best[:FOUND_MOST]]

    def at(self, lat: float, lon: float) -> Location:
        """A point (degrees) with the name of what is nearest; raises InvalidField off the map."""
        if not (SOUTH <= lat <= NORTH and WEST <= lon <= EAST):
            raise InvalidField("location", "lies off the map")
        nearest = min(self._points, key=lambda place: _square(place, lat, lon))
        named = _square(nearest, lat, lon) < (_NEAR_DEGREES * _METRES) ** 2
        return Location(
            place=nearest.name if named else f"{lat:.4f}, {lon:.4f}",
            lat=round(lat, 5),
            lon=round(lon, 5),
            precision=Precision.PLACE,
            arrondissement=self._outlines.near(lat, lon),
        )


def addresses(url: str, text: str, *, allow_private: bool = False) -> list[Location]:
    """House numbers and streets that a geocoder (BAN) knows by these words, the best first.

    Raises FetchError when it does not answer.
    """
    asked = {"q": text[:_LONGEST], "limit": str(FOUND_MOST), "lat": "48.8566", "lon": "2.3522"}
    try:
        data = fetch(f"{url}?{urlencode(asked)}", allow_private=allow_private, limits=_LIMITS).data
        answer = json.loads(data)
        found = [_address(feature) for feature in answer["features"][:FOUND_MOST]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FetchError("protocol", "no answer of a geocoder") from error
    return [location for location in found if location is not None]


def _address(feature: object) -> Location | None:
    """A feature of the answer, when it is in Paris and certain enough."""
    try:
        values, (lon, lat) = feature["properties"], feature["geometry"]["coordinates"]  # type: ignore[index]
        postcode, score = str(values.get("postcode", "")), float(values["score"])
        arrondissement = int(postcode[3:]) if postcode.startswith("750") else 0
        exact = values["type"] == "housenumber"
        location = Location(
            place=str(values["label"])[:_LONGEST],
            lat=float(lat),
            lon=float(lon),
            precision=Precision.ADDRESS if exact else Precision.STREET,
            arrondissement=arrondissement or None,
        )
        location.check()
    except (KeyError, TypeError, ValueError, InvalidField):
        return None
    return location if score >= _SURE_ENOUGH else None


def _location(place: Place) -> Location:
    precision = place.kind.precision or Precision.ARRONDISSEMENT
    return Location(
        place=place.name,
        lat=place.lat,
        lon=place.lon,
        precision=precision,
        arrondissement=place.arrondissements[0] if place.arrondissements else None,
    )


def _square(place: Place, lat: float, lon: float) -> float:
    """Metres between a place and a point, squared."""
    east = (place.lon - lon) * 0.658
    return ((place.lat - lat) ** 2 + east**2) * _METRES**2
