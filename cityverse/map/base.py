"""The ground under the buildings, as small GeoJSON layers fetched by URL."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from cityverse.map import known, monuments

# Five decimals are about one metre: finer than any of the facts.
_DECIMALS = 5
# The monuments whose names help to find one's way.
_NAMED = frozenset(
    (
        "Tour Eiffel",
        "Arc de Triomphe",
        "Notre-Dame de Paris",
        "Sacré-Cœur",
        "Panthéon",
        "Dôme des Invalides",
        "Pyramide du Louvre",
        "Centre Pompidou",
        "Palais Garnier",
        "Opéra Bastille",
        "Hôtel de Ville",
        "Grand Palais",
        "Musée d'Orsay",
        "Tour Montparnasse",
        "BnF, tour des Lois",
        "Accor Arena",
        "Cité des sciences",
        "Maison de la Radio",
        "Tribunal de Paris",
    )
)
_SHOWN_AS = {"BnF, tour des Lois": "BnF", "Pyramide du Louvre": "Louvre"}

Feature = dict[str, Any]


def url(name: str) -> str:
    """Where the browser finds a layer; changes with its content."""
    return f"/map/base/{version()}/{name}.geojson"


@cache
def version() -> str:
    """A hash of all layers."""
    content = hashlib.sha256()
    for name in NAMES:
        content.update(_text(name))
    return content.hexdigest()[:12]


@cache
def gzipped(name: str) -> bytes:
    """A layer as gzipped GeoJSON; KeyError for a name that is none of ``NAMES``."""
    return gzip.compress(_text(name), mtime=0)


@cache
def _text(name: str) -> bytes:
    collection = {"type": "FeatureCollection", "features": list(_LAYERS[name]())}
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode()


def _feature(shape: BaseGeometry, **properties: Any) -> Feature:
    degrees = shapely.set_precision(shapely.transform(shape, known.to_degrees), 10**-_DECIMALS)
    geometry = mapping(degrees)
    coordinates = _rounded(geometry["coordinates"])
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": geometry["type"], "coordinates": coordinates},
    }


def _rounded(coordinates: Any) -> Any:
    if isinstance(coordinates, float):
        return round(coordinates, _DECIMALS)
    return [_rounded(part) for part in coordinates]


def _land() -> Iterable[Feature]:
    yield _feature(known.land())


def _water() -> Iterable[Feature]:
    yield _feature(known.water())


def _named(areas: Iterable[known.Area]) -> Iterable[Feature]:
    return (_feature(area.shape, name=area.name) for area in areas)


def _lines(axes: Iterable[known.Axis]) -> Iterable[Feature]:
    return (_feature(axis.line, name=axis.name, width=axis.width) for axis in axes)


def _arrondissements() -> Iterable[Feature]:
    # Shared borders once, so that a translucent line is not drawn twice.
    borders = shapely.line_merge(
        shapely.union_all([area.shape.boundary for area in known.arrondissements()])
    )
    yield _feature(borders)


def _labels() -> Iterable[Feature]:
    named = [monument for monument in known.monuments() if monument.name in _NAMED]
    taken = shapely.union_all([known.water(), *(_ground_of(monument) for monument in named)])
    for number, area in enumerate(known.arrondissements(), 1):
        name = "1er" if number == 1 else f"{number}e"
        yield _feature(_clear_point(number, area.shape.difference(taken)), name=name, size=15)
    for monument in named:
        point = shapely.Point(monument.x, monument.y)
        name = _SHOWN_AS.get(monument.name, monument.name)
        yield _with_height(_feature(point, name=name, size=12), monument.height + 25)


def _ground_of(monument: known.Monument) -> BaseGeometry:
    """What the name of a monument hides of the city seen from far, and a number beside it."""
    half = 40 * len(_SHOWN_AS.get(monument.name, monument.name)) + 150
    # The name floats above the roof, which from the south looks farther north.
    north = 280 + 1.3 * monument.height
    return shapely.box(monument.x - half, monument.y - 220, monument.x + half, monument.y + north)


def _clear_point(arrondissement: int, free: BaseGeometry) -> shapely.Point:
    """Where its number reads well: the middle, or what is free nearest to it."""
    lat, lon = known.centre(arrondissement)
    middle = shapely.Point(known.to_metres([[lon, lat]])[0])
    inside = free.buffer(-120)
    return middle if inside.is_empty else nearest_points(inside, middle)[0]


def _with_height(feature: Feature, metres: float) -> Feature:
    feature["geometry"]["coordinates"].append(metres)
    return feature


def _monuments() -> Iterable[Feature]:
    """Prisms with the height of their base as third coordinate: tiles have only two."""
    for monument in known.monuments():
        for part in monuments.parts(monument):
            shape = shapely.Polygon(part.ring)
            feature = _feature(shape, name=part.name, height=round(part.top - part.base, 1))
            rings = feature["geometry"]["coordinates"]
            feature["geometry"]["coordinates"] = [
                [[*point, part.base] for point in ring] for ring in rings
            ]
            yield feature


_LAYERS: dict[str, Callable[[], Iterable[Feature]]] = {
    "land": _land,
    "parks": lambda: _named(known.parks()),
    "streets": lambda: _lines(known.streets()),
    "squares": lambda: _named(known.squares()),
    "rails": lambda: _lines(known.rails()),
    "water": _water,
    "bridges": lambda: _lines(known.bridges()),
    "arrondissements": _arrondissements,
    "labels": _labels,
    "monuments": _monuments,
}
NAMES = tuple(_LAYERS)
