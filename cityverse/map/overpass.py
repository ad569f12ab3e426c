"""Buildings out of answers of the Overpass API: a file, or fetched cell by cell.

Ways and multipolygon relations, as ``out geom`` gives them or as nodes with
references. A building whose parts are mapped one by one gives way to its parts.
Source: https://wiki.openstreetmap.org/wiki/Simple_3D_Buildings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from cityverse.errors import FetchError, MapInputUnreadable
from cityverse.map import cells, known
from cityverse.map.cells import Cell
from cityverse.map.clean import cleaned, polygons, without_covered
from cityverse.map.features import Feature, Report
from cityverse.map.values import STOREY, heights, metres, storeys, text

SOURCE = "overpass"
ATTRIBUTION = "© OpenStreetMap contributors (ODbL)"
ENDPOINT = "https://overpass-api.de/api/interpreter"
_FILE_MOST = 256 * 1024 * 1024
# What geometry of another form than documented leads to.
_MALFORMED = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    shapely.GEOSException,
)
# Longitude and latitude that a tile can hold.
_FURTHEST = (180.0, 85.0)
_SPLITS_MOST = 3
# Refusals that a smaller cell may not meet.
_TOO_MUCH = {"timeout", "too_large", "http_504", "broken_off"}

Element = dict[str, Any]


def read(path: Path, report: Report, within: BaseGeometry | None = None) -> list[Feature]:
    """The buildings of an answer, cleaned; counts go to ``report``.

    Raises MapInputUnreadable when the file is no such answer, cut short or too large.
    """
    raw = _buildings(_elements(path), report)
    return _whole(cleaned(raw, report, within), report)


def _whole(features: Iterator[Feature], report: Report) -> list[Feature]:
    kept = list(without_covered(features, report))
    report.kept = len(kept)
    return kept


class Overpass:
    """The buildings of the city from an Overpass server, one cell after the other."""

    source = SOURCE

    def __init__(self, service: cells.Service) -> None:
        self._service = service

    def fetch(self, cell: Cell) -> bytes:
        """The elements of a cell as JSON; a cell that is too much is asked for in quarters.

        Raises FetchError.
        """
        return json.dumps({"elements": self._elements(cell, 0)}).encode()

    def _elements(self, cell: Cell, splits: int) -> list[Any]:
        try:
            return list(self._service.json(_url(self._service.endpoint, cell), _answered))
        except FetchError as error:
            if error.reason not in _TOO_MUCH or splits == _SPLITS_MOST:
                raise
            return [e for part in cell.quarters() for e in self._elements(part, splits + 1)]

    @staticmethod
    def read(
        fetched: Iterator[bytes], report: Report, within: BaseGeometry | None
    ) -> list[Feature]:
        """The buildings of all cells together, cleaned."""
        raw = (f for cell in fetched for f in _buildings(json.loads(cell)["elements"], report))
        return _whole(cleaned(raw, report, within), report)


def _url(endpoint: str, cell: Cell) -> str:
    box = ",".join(f"{side:.6f}" for side in (cell.south, cell.west, cell.north, cell.east))
    kinds = "".join(
        f'{kind}["{key}"]({box});'
        for kind in ("way", "relation")
        for key in ("building", "building:part")
    )
    query = f"[out:json][timeout:{cells.ANSWER_WITHIN - 30}];({kinds});out geom;"
    return f"{endpoint}?{urlencode({'data': query})}"


def _answered(answer: Any) -> list[Any]:
    """The elements of a whole answer; raises FetchError for any other."""
    elements = answer.get("elements") if isinstance(answer, dict) else None
    if not isinstance(elements, list):
        raise FetchError("protocol", "no answer of the Overpass API")
    remark = str(answer.get("remark", ""))
    if remark.startswith("runtime error"):
        raise FetchError("broken_off", remark[:200])
    return [element for element in elements if _is_element(element)]


def _buildings(elements: list[Any], report: Report) -> Iterator[Feature]:
    """The buildings among elements, as they are drawn."""
    points = {
        e["id"]: (e["lon"], e["lat"])
        for e in elements
        if e["type"] == "node" and "lon" in e and "lat" in e
    }
    ways = {e["id"]: e for e in elements if e["type"] == "way"}
    outlines = _outlines(elements)
    for element in elements:
        tags = _tags(element)
        if element["type"] == "node" or not _is_building(tags):
            continue
        report.read += 1
        if element["type"] == "way" and element["id"] in outlines:
            report.skip("outline of a relation")
            continue
        feature = _feature(element, tags, ways, points, report)
        if feature is not None:
            yield feature


def _elements(path: Path) -> list[Element]:
    try:
        if not path.is_file():
            raise MapInputUnreadable(f"{path} is not there, or no file")
        if path.stat().st_size > _FILE_MOST:
            raise MapInputUnreadable(f"{path} is larger than {_FILE_MOST // 2**20} MB")
        answer = json.loads(path.read_bytes())
    except OSError as error:
        raise MapInputUnreadable(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise MapInputUnreadable(
            f"{path} is no Overpass answer in JSON, or was cut short: {error}"
        ) from error
    try:
        return _answered(answer)
    except FetchError as error:
        raise MapInputUnreadable(f"{path} is no whole answer of Overpass: {error}") from error


def _is_element(thing: Any) -> bool:
    return (
        isinstance(thing, dict)
        and thing.get("type") in ("node", "way", "relation")
        and isinstance(thing.get("id"), int)
    )


def _tags(element: Element) -> dict[str, Any]:
    tags = element.get("tags")
    return tags if isinstance(tags, dict) else {}


def _is_building(tags: dict[str, Any]) -> bool:
    return any(tags.get(key, "no") != "no" for key in ("building", "building:part"))


def _members(relation: Element) -> list[Any]:
    members = relation.get("members")
    return members if isinstance(members, list) else []


def _outlines(elements: list[Element]) -> set[int]:
    """The ways that building relations have as outer rings: often tagged a second time."""
    members = [
        member
        for e in elements
        if e["type"] == "relation" and _is_building(_tags(e))
        for member in _members(e)
        if isinstance(member, dict) and member.get("role") == "outer"
    ]
    return {m["ref"] for m in members if m.get("type") == "way" and isinstance(m.get("ref"), int)}


def _feature(
    element: Element, tags: dict[str, Any], ways: dict[Any, Element], points: Any, report: Report
) -> Feature | None:
    try:
        shape = _shape(element, ways, points)
    except _MALFORMED:
        report.skip("broken geometry")
        return None
    if shape is None:
        report.skip("ring not closed or too short")
        return None
    roof = metres(tags.get("roof:height")) or storeys(tags.get("roof:levels")) * STOREY
    height, levels = heights(tags.get("height"), tags.get("building:levels"), report, roof=roof)
    base = metres(tags.get("min_height")) or storeys(tags.get("building:min_level")) * STOREY
    part = "building:part" in tags
    return Feature(
        shape,
        height,
        round(base, 1) if base < height else 0.0,
        levels,
        None if part else text(tags.get("name")),
        (text(tags.get("building") or tags.get("building:part")) or "building")[:40],
        ref=f"{element['type'][0]}{element['id']}",
        part=part,
    )


def _shape(element: Element, ways: dict[Any, Element], points: Any) -> BaseGeometry | None:
    if element["type"] == "way":
        line = _line(element, points)
        return None if line is None or not _closed(line) else Polygon(line)
    outer = list(_member_lines(element, "outer", ways, points))
    inner = list(_member_lines(element, "inner", ways, points))
    shape = shapely.union_all(_areas(outer))
    if shape.is_empty:
        return None
    return polygons(shape.difference(shapely.union_all(_areas(inner))))


def _line(way: Element, points: Any) -> known.Array | None:
    if "geometry" in way:
        degrees = [(p["lon"], p["lat"]) for p in way["geometry"] if p]
    else:
        degrees = [points[node] for node in way.get("nodes", ())]
    if len(degrees) < 2:
        return None
    # NaN fails this too.
    if not (np.abs(np.asarray(degrees, dtype=float)) <= _FURTHEST).all():
        raise ValueError("not on earth")
    return known.to_metres(degrees)


def _closed(line: Any) -> bool:
    return len(line) >= 4 and bool(np.allclose(line[0], line[-1], atol=0.01))


def _member_lines(
    relation: Element, role: str, ways: dict[Any, Element], points: Any
) -> Iterator[LineString]:
    for member in _members(relation):
        # A member without a role is an outer ring, as old mappings have it.
        if member.get("type") != "way" or (member.get("role") or "outer") != role:
            continue
        way = member if "geometry" in member else ways.get(member.get("ref"), {})
        line = _line(way, points)
        if line is not None:
            yield LineString(line)


def _areas(lines: list[LineString]) -> list[BaseGeometry]:
    """The areas inside rings, each one line or cut into several."""
    rings = [line for line in lines if line.is_closed and len(line.coords) >= 4]
    pieces = [line for line in lines if not line.is_closed]
    areas = [polygons(shapely.make_valid(Polygon(ring))) for ring in rings]
    return [*areas, *shapely.get_parts(shapely.polygonize(pieces))]
