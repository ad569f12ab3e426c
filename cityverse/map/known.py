"""What is known of Paris: coarse facts of ``facts/``, as shapes in metres.

Shapes lie in a plane whose origin is the middle of the city, x east and y north,
in metres; ``to_degrees`` brings coordinates back to longitude and latitude.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

_FOLDER = Path(__file__).parent / "facts"
ORIGIN_LON, ORIGIN_LAT = 2.3522, 48.8566
_ORIGIN = np.array([ORIGIN_LON, ORIGIN_LAT])
# Metres of a degree of longitude and of latitude at the origin (WGS 84).
SCALE = np.array([111_413 * math.cos(math.radians(ORIGIN_LAT)), 111_208])

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Axis:
    """A street, track or watercourse: its middle line and its width, in metres."""

    name: str
    line: LineString
    width: float

    @property
    def area(self) -> BaseGeometry:
        """The ground it takes."""
        return self.line.buffer(self.width / 2, cap_style="flat", join_style="round")


@dataclass(frozen=True, slots=True)
class Area:
    """A named area, in metres."""

    name: str
    shape: Polygon


@dataclass(frozen=True, slots=True)
class Monument:
    """A well-known building: where its middle is, what it looks like, metres and degrees.

    ``bearing`` is the compass direction of its length.
    """

    name: str
    x: float
    y: float
    shape: str
    height: float
    length: float
    width: float
    bearing: float


def to_metres(degrees: Any) -> Array:
    """Longitude and latitude, shape (n, 2), as metres from the origin."""
    metres: Array = (np.asarray(degrees, dtype=float) - _ORIGIN) * SCALE
    return metres


def to_degrees(metres: Array) -> Array:
    """Metres from the origin, shape (n, 2), as longitude and latitude."""
    degrees: Array = metres / SCALE + _ORIGIN
    return degrees


def _read(name: str) -> Any:
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def _areas(rows: list[dict[str, Any]]) -> tuple[Area, ...]:
    return tuple(
        Area(row["name"], shapely.make_valid(Polygon(to_metres(row["ring"])))) for row in rows
    )


def _axes(rows: list[dict[str, Any]]) -> tuple[Axis, ...]:
    return tuple(
        Axis(row["name"], LineString(to_metres(row["line"])), row["width"]) for row in rows
    )


@cache
def arrondissements() -> tuple[Area, ...]:
    """The 20 arrondissements in their order; borders meet exactly."""
    return _areas(_read("arrondissements"))


@cache
def land() -> BaseGeometry:
    """The city within its limits, woods included."""
    return shapely.union_all([area.shape for area in arrondissements()])


@cache
def parks() -> tuple[Area, ...]:
    """Parks, gardens, woods and cemeteries."""
    return _areas(_read("parks"))


@cache
def rivers() -> tuple[Axis, ...]:
    """The Seine with its arms, the Marne, and the canals."""
    water = _read("water")
    bends = _axes(water["rivers"])
    return tuple(Axis(a.name, _rounded(a.line), a.width) for a in bends) + _axes(water["canals"])


def _rounded(line: LineString) -> LineString:
    """The line with its corners cut twice (Chaikin): a river does not turn sharply."""
    points = np.asarray(line.coords)
    for _ in range(2):
        near, far = points[:-1] * 0.75 + points[1:] * 0.25, points[:-1] * 0.25 + points[1:] * 0.75
        between = np.stack([near, far], axis=1).reshape(-1, 2)
        points = np.concatenate([points[:1], between, points[-1:]])
    return LineString(points)


@cache
def water() -> BaseGeometry:
    """All water as one shape; the islands are its holes."""
    facts = _read("water")
    flowing = shapely.union_all(
        [axis.line.buffer(axis.width / 2, cap_style="round") for axis in rivers()]
    )
    islands = shapely.union_all(
        [axis.line.buffer(axis.width / 2) for axis in _axes(facts["islands"])]
    )
    lakes = shapely.union_all([area.shape for area in _areas(facts["lakes"])])
    return shapely.union_all([flowing.difference(islands), lakes])


@cache
def streets() -> tuple[Axis, ...]:
    """The main streets and the ring road."""
    return _axes(_read("streets"))


@cache
def squares() -> tuple[Area, ...]:
    """The open round where main streets meet."""
    return tuple(
        Area(
            row["name"],
            shapely.Point(to_metres([[row["lon"], row["lat"]]])[0]).buffer(
                row["radius"], quad_segs=6
            ),
        )
        for row in _read("squares")
    )


@cache
def rails() -> tuple[Axis, ...]:
    """The tracks to the termini."""
    return _axes(_read("rails"))


@cache
def bridges() -> tuple[Axis, ...]:
    """Bridges over the Seine, laid square across the arm they cross."""
    return tuple(_bridge(row) for row in _read("bridges"))


def _bridge(row: dict[str, Any]) -> Axis:
    middle = shapely.Point(to_metres([[row["lon"], row["lat"]]])[0])
    river = min(rivers(), key=lambda axis: axis.line.distance(middle))
    along = river.line.project(middle)
    centre = here = river.line.interpolate(along)
    ahead = river.line.interpolate(along + 20)
    if here.distance(ahead) < 1:
        here, ahead = river.line.interpolate(along - 20), here
    direction = np.array([ahead.x - here.x, ahead.y - here.y])
    across = np.array([-direction[1], direction[0]]) / np.hypot(*direction)
    reach = river.width / 2 + 18
    ends = [np.array([centre.x, centre.y]) + sign * reach * across for sign in (-1, 1)]
    return Axis(row["name"], LineString(ends), row["width"])


@cache
def monuments() -> tuple[Monument, ...]:
    """The best-known buildings."""
    lines = (_FOLDER / "monuments.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(_monument(line.split("\t")) for line in lines if not line.startswith("#"))


def _monument(cells: list[str]) -> Monument:
    name, lat, lon, shape, *sizes = cells
    x, y = to_metres([[float(lon), float(lat)]])[0]
    return Monument(name, float(x), float(y), shape, *(float(size) for size in sizes))


@cache
def centre(arrondissement: int) -> tuple[float, float]:
    """Latitude and longitude well inside an arrondissement, 1 to 20."""
    area = arrondissements()[arrondissement - 1].shape
    point = np.array(shapely.maximum_inscribed_circle(area).coords[0])
    lon, lat = to_degrees(point[None])[0]
    return float(lat), float(lon)
