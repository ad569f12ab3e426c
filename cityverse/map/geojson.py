"""Buildings out of any GeoJSON file, however large: read as a stream, one after the other.

A FeatureCollection, or features one a line, packed by gzip or not. Coordinates may be
degrees (in either order), Lambert-93 or Web Mercator: where Paris lies tells them apart.
"""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

import ijson
import numpy as np
import pyproj
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from cityverse.errors import MapInputUnreadable
from cityverse.map import known
from cityverse.map.features import Feature, Report
from cityverse.map.values import heights, text

SOURCE = "geojson"
# What stands between two features, or in one of them, at most; and the whole, unpacked.
_PIECE_MOST = 32 * 1024 * 1024
_FILE_MOST = 16 * 1024**3
# Read so much at once, and look so far for where the features begin.
_BUFFER, _HEAD = 16 * 1024, 256 * 1024
# The parser's work grows with the square of the depth.
_DEEPEST = 500
_RECORD_SEPARATOR = b"\x1e"
_MALFORMED = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    shapely.GEOSException,
)

Convert = Callable[[Any], known.Array]


@dataclass(frozen=True, slots=True)
class Properties:
    """The names of the properties of a building; the usual ones are tried where there is none."""

    height: str | None = None
    levels: str | None = None
    id: str | None = None
    name: str | None = None


NO_PROPERTIES = Properties()
_USUAL = {
    "height": ("height", "hauteur", "HAUTEUR", "measuredHeight"),
    "levels": ("levels", "building:levels", "nombre_d_etages", "NB_ETAGES", "h_et_max"),
    "id": ("id", "cleabs", "ID", "@id", "n_sq_vb", "osm_id"),
    "name": ("name", "nom", "NOM"),
    "kind": ("kind", "building", "usage_1", "USAGE1", "l_nat_b"),
}


# In the city's "volumes bâtis" storeys are counted from above the ground floor.
_ABOVE_GROUND = "h_et_max"


def read(path: Path, properties: Properties, report: Report) -> Iterator[Feature]:
    """The buildings of a file, not cleaned yet.

    Raises MapInputUnreadable when it is no GeoJSON, ends in the middle, or has coordinates
    that cannot lie in Paris; what was read before stands in the message.
    """
    names = {
        what: (given,) if (given := getattr(properties, what, None)) else usual
        for what, usual in _USUAL.items()
    }
    odd: tuple[float, float] | None = None
    with _opened(path) as (file, prefix):
        for feature in _features(path, file, prefix, report):
            report.read += 1
            made, where = _building(feature, names, report)
            odd = odd or where
            if made is not None:
                yield made
    if odd and report.skipped[_ELSEWHERE] == report.read:
        raise MapInputUnreadable(
            f"{path} has coordinates such as {odd[0]:g}, {odd[1]:g}, which are neither degrees, "
            "Lambert-93 nor Web Mercator around Paris: convert it to WGS 84 first"
        )


_ELSEWHERE = "outside Paris, or of an unknown projection"


# --- the file -----------------------------------------------------------------------------


class _Bounded:
    """A file that refuses to be read on and on without a feature coming of it."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._piece = 0
        self._whole = 0
        self._depth = 0

    def passed(self) -> None:
        """A feature came of what was read."""
        self._piece = 0
        self._depth = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if 0 <= size <= _BUFFER else _BUFFER)
        self._piece += len(data)
        self._whole += len(data)
        if self._piece > _PIECE_MOST:
            raise MapInputUnreadable(
                f"{self._path} has no feature within {_PIECE_MOST // 2**20} MB, or one that large"
            )
        if self._whole > _FILE_MOST:
            raise MapInputUnreadable(f"{self._path} is larger than {_FILE_MOST // 2**30} GB")
        # Counted roughly, since texts may have brackets as well.
        self._depth += sum(data.count(b) for b in b"[{") - sum(data.count(b) for b in b"]}")
        if self._depth > _DEEPEST:
            raise MapInputUnreadable(f"{self._path} is nested too deeply")
        # Text sequences mark the beginning of each line so; a blank means the same.
        return data.replace(_RECORD_SEPARATOR, b" ")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[_Bounded, str]]:
    """The file, and where in it the features stand: in a list, or side by side."""
    try:
        if not path.is_file():
            raise MapInputUnreadable(f"{path} is not there, or no file")
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            plain = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
            start = plain.read(_HEAD)
            plain.seek(0)
            prefix = _prefix(start, path)
            if start.startswith(b"\xef\xbb\xbf"):
                plain.seek(3)
            yield _Bounded(plain, path), prefix
    except (OSError, EOFError) as error:
        raise MapInputUnreadable(f"{path} cannot be read: {error}") from error


def _prefix(start: bytes, path: Path) -> str:
    """Where the features stand, from the first keys of the file."""
    head = _Bounded(io.BytesIO(start.removeprefix(b"\xef\xbb\xbf")), path)
    events = ijson.parse(head, multiple_values=True, use_float=True, buf_size=_BUFFER)
    try:
        for where, event, value in events:
            if (where, event) == ("features", "start_array"):
                return "features.item"
            if where == "type" and value == "FeatureCollection":
                return "features.item"
            if where == "type" and value == "Feature":
                return ""
            if where in {"geometry", "properties"} and event == "start_map":
                return ""
    except (ijson.JSONError, ValueError):
        pass  # the head may end anywhere
    raise MapInputUnreadable(f"{path} is no GeoJSON with features")


def _features(path: Path, file: _Bounded, prefix: str, report: Report) -> Iterator[Any]:
    stream = ijson.items(file, prefix, use_float=True, multiple_values=not prefix, buf_size=_BUFFER)
    try:
        for feature in stream:
            file.passed()
            yield feature
    except (ijson.JSONError, ValueError, RecursionError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:120]
        raise MapInputUnreadable(
            f"{path} is broken or cut short after {report.read:,} features: {said}"
        ) from error


# --- a feature ----------------------------------------------------------------------------


def _building(
    feature: Any, names: dict[str, tuple[str, ...]], report: Report
) -> tuple[Feature | None, tuple[float, float] | None]:
    """The building of a feature; of one that lies elsewhere, where it seems to lie."""
    facts = feature.get("properties") if isinstance(feature, dict) else None
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict) or geometry.get("type") not in _AREAS:
        report.skip("no area")
        return None, None
    try:
        point = _first(geometry)
        convert = _conversion(*point)
    except _MALFORMED:
        report.skip("broken geometry")
        return None, None
    if convert is None:
        report.skip(_ELSEWHERE)
        return None, point
    made = shape(geometry, convert)
    if made is None:
        report.skip("broken geometry")
        return None, None
    facts = facts if isinstance(facts, dict) else {}
    values = {what: _value(facts, keys) for what, keys in names.items()}
    storeyed = values["levels"]
    if isinstance(storeyed, int | float) and _key(facts, names["levels"]) == _ABOVE_GROUND:
        storeyed += 1
    height, levels = heights(values["height"], storeyed, report)
    own = values["id"] if values["id"] is not None else feature.get("id")
    kind = (text(values["kind"]) or "building")[:40]
    return Feature(made, height, 0.0, levels, text(values["name"]), kind, ref=text(own)), None


_AREAS = {"Polygon", "MultiPolygon"}


def _key(facts: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if facts.get(key) not in (None, "")), None)


def _value(facts: dict[str, Any], keys: tuple[str, ...]) -> Any:
    key = _key(facts, keys)
    return None if key is None else facts[key]


def _first(geometry: dict[str, Any]) -> tuple[float, float]:
    inner = geometry["coordinates"]
    for _ in range(3):
        if isinstance(inner[0], list):
            inner = inner[0]
    return float(inner[0]), float(inner[1])


def shape(geometry: Any, convert: Convert = known.to_metres) -> BaseGeometry | None:
    """A GeoJSON polygon or multipolygon in metres, heights left out; None for anything else."""
    try:
        whole = geometry["coordinates"]
        if geometry["type"] not in _AREAS:
            return None
        areas = [_polygon(p, convert) for p in (whole if geometry["type"][0] == "M" else [whole])]
    except _MALFORMED:
        return None
    return areas[0] if len(areas) == 1 else shapely.MultiPolygon(areas) if areas else None


def _polygon(rings: list[Any], convert: Convert) -> Polygon:
    with np.errstate(over="ignore"):
        shell, *holes = (convert([(point[0], point[1]) for point in ring]) for ring in rings)
    if not all(np.isfinite(ring).all() for ring in (shell, *holes)):
        raise ValueError("not on earth")
    return Polygon(shell, holes)


def swapped(geometry: Any) -> Any:
    """The geometry with the first two numbers of each point changed over."""
    try:
        return {**geometry, "coordinates": _swapped(geometry["coordinates"], 5)}
    except _MALFORMED:
        return None


def _swapped(inner: list[Any], deepest: int) -> list[Any]:
    if deepest and isinstance(inner[0], list):
        return [_swapped(part, deepest - 1) for part in inner]
    return [inner[1], inner[0]]


# --- where Paris lies, in all projections -------------------------------------------------

# Of longitude and latitude; far enough around Paris that no building falls out by itself.
_SOUTH, _WEST, _NORTH, _EAST = 48.0, 1.4, 49.6, 3.6
_PROJECTED = {"Lambert-93": 2154, "Web Mercator": 3857}


def _conversion(x: float, y: float) -> Convert | None:
    """How a file with this point becomes metres; None when it lies near Paris in no way."""
    if _WEST <= x <= _EAST and _SOUTH <= y <= _NORTH:
        return known.to_metres
    if _WEST <= y <= _EAST and _SOUTH <= x <= _NORTH:
        return _from_latitude_first
    for name, (west, south, east, north) in _extents().items():
        if west <= x <= east and south <= y <= north:
            return _from_lambert if name == "Lambert-93" else _from_mercator
    return None


@cache
def _extents() -> dict[str, tuple[float, float, float, float]]:
    """West, south, east and north of the surroundings of Paris in each projection."""
    corners = np.array(list(itertools.product((_WEST, _EAST), (_SOUTH, _NORTH))))
    found = {}
    for name, code in _PROJECTED.items():
        project = pyproj.Transformer.from_crs(4326, code, always_xy=True)
        xs, ys = project.transform(corners[:, 0], corners[:, 1])
        found[name] = (xs.min(), ys.min(), xs.max(), ys.max())
    return found


def _from_latitude_first(points: Any) -> known.Array:
    return known.to_metres(np.asarray(points, dtype=float)[:, ::-1])


def _from_lambert(points: Any) -> known.Array:
    return _unprojected(2154, points)


def _from_mercator(points: Any) -> known.Array:
    return _unprojected(3857, points)


def _unprojected(code: int, points: Any) -> known.Array:
    xs, ys = _transformer(code).transform(*np.asarray(points, dtype=float).T)
    return known.to_metres(np.column_stack([xs, ys]))


@cache
def _transformer(code: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(code, 4326, always_xy=True)
