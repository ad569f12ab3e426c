"""Buildings out of an answer of the Overpass API.

Ways and multipolygon relations, as ``out geom`` gives them or as nodes with
references. A building whose parts are mapped one by one gives way to its parts.
Source: https://wiki.openstreetmap.org/wiki/Simple_3D_Buildings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from cityverse.errors import MapInputUnreadable
from cityverse.map import known
from cityverse.map.features import Feature, Report

SOURCE = "overpass"
ATTRIBUTION = "© OpenStreetMap contributors (ODbL)"
STOREY = 3.1
DEFAULT_HEIGHT = 18.0
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
_HIGHEST = 400.0
_LEVELS_MOST = 130
_SMALLEST = 1.0
_COVERED = 0.75

_METRES = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(?:m|metre|metres|meter|meters)?\s*")
_FEET = re.compile(r"\s*(\d+)\s*(?:'|ft)\s*(?:(\d+(?:\.\d+)?)\s*(?:\"|in))?\s*")
_NUMBER = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*")

Element = dict[str, Any]


def read(path: Path, report: Report) -> list[Feature]:
    """The buildings of an answer, cleaned; counts go to ``report``.

    Raises MapInputUnreadable when the file is no such answer, cut short or too large.
    """
    elements = _elements(path)
    points = {
        e["id"]: (e["lon"], e["lat"])
        for e in elements
        if e["type"] == "node" and "lon" in e and "lat" in e
    }
    ways = {e["id"]: e for e in elements if e["type"] == "way"}
    outlines = _outlines(elements)
    wholes: list[Feature] = []
    parts: list[Feature] = []
    seen: set[bytes] = set()
    for element in elements:
        tags = _tags(element)
        if element["type"] == "node" or not _is_building(tags):
            continue
        report.read += 1
        if element["type"] == "way" and element["id"] in outlines:
            report.skip("outline of a relation")
            continue
        feature = _feature(element, tags, ways, points, report)
        if feature is None:
            continue
        shape = shapely.to_wkb(shapely.normalize(shapely.set_precision(feature.shape, 0.1)))
        if shape in seen:
            report.skip("the same shape again")
            continue
        seen.add(shape)
        (parts if "building:part" in tags else wholes).append(feature)
    kept = [*_without_parts(wholes, parts, report), *parts]
    report.kept = len(kept)
    return kept


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
    elements = answer.get("elements") if isinstance(answer, dict) else None
    if not isinstance(elements, list):
        raise MapInputUnreadable(f"{path} is JSON, but no Overpass answer: it has no elements")
    remark = str(answer.get("remark", ""))
    if remark.startswith("runtime error"):
        raise MapInputUnreadable(f"{path} is incomplete, says Overpass: {remark[:200]}")
    return [element for element in elements if _is_element(element)]


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
    mended = shape if shape.is_valid else _polygons(shapely.make_valid(shape))
    if mended.is_empty or mended.area < _SMALLEST:
        report.skip("no area")
        return None
    report.repaired += mended is not shape
    height, levels = heights(tags)
    base = metres(tags.get("min_height")) or storeys(tags.get("building:min_level")) * STOREY
    kind = str(tags.get("building") or tags.get("building:part"))[:40]
    name = tags.get("name")
    return Feature(
        mended,
        round(height, 1),
        round(base, 1) if base < height else 0.0,
        levels,
        str(name)[:120] if name and "building:part" not in tags else None,
        kind,
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
    return _polygons(shape.difference(shapely.union_all(_areas(inner))))


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
    areas = [_polygons(shapely.make_valid(Polygon(ring))) for ring in rings]
    return [*areas, *shapely.get_parts(shapely.polygonize(pieces))]


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    """Only the areas of a shape, without the lines and points that mending leaves."""
    areas = [part for part in shapely.get_parts(shape, return_index=False) if part.area > 0]
    flat = [p for part in areas for p in shapely.get_parts(part) if p.geom_type == "Polygon"]
    return flat[0] if len(flat) == 1 else shapely.MultiPolygon(flat)


def _without_parts(
    wholes: list[Feature], parts: list[Feature], report: Report
) -> Iterator[Feature]:
    tree = shapely.STRtree([part.shape for part in parts])
    for whole in wholes:
        inside = [parts[n].shape for n in tree.query(whole.shape, predicate="intersects")]
        covered = shapely.union_all(inside).intersection(whole.shape).area if inside else 0
        if covered > _COVERED * whole.shape.area:
            report.skip("drawn by its parts")
        else:
            yield whole


def heights(tags: dict[str, Any]) -> tuple[float, int]:
    """Height in metres and storeys of a building: as tagged, else from storeys, else usual."""
    levels = storeys(tags.get("building:levels"))
    tagged = metres(tags.get("height"))
    if tagged is not None:
        return tagged, round(levels) or max(1, round(tagged / STOREY))
    if levels:
        return (levels + storeys(tags.get("roof:levels"))) * STOREY, round(levels)
    return DEFAULT_HEIGHT, round(DEFAULT_HEIGHT / STOREY)


def metres(text: Any) -> float | None:
    """A tagged length in metres, or None when it is absent or senseless."""
    if not isinstance(text, str):
        return None
    if found := _METRES.fullmatch(text):
        value = float(found[1].replace(",", "."))
    elif found := _FEET.fullmatch(text):
        value = int(found[1]) * 0.3048 + float(found[2] or 0) * 0.0254
    else:
        return None
    return value if 1 <= value <= _HIGHEST else None


def storeys(text: Any) -> float:
    """A tagged number of storeys; 0 when it is absent or senseless."""
    found = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    value = float(found[1].replace(",", ".")) if found else 0.0
    return value if value <= _LEVELS_MOST else 0.0
