"""Buildings of any source made fit for tiles: mended, within Paris, each of them once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from cityverse.map import known
from cityverse.map.features import Feature, Report, batches, shapes

# Square metres, and metres of width.
_SMALLEST = 1.0
_NARROWEST = 0.2
# The known outline is coarse.
_AROUND_PARIS = 150.0
_SAME_DECIMALS = 1
_COVERED = 0.75

Shapes = npt.NDArray[np.object_]


@cache
def paris() -> BaseGeometry:
    """The city within its limits and a little around it, in metres."""
    area = shapely.simplify(known.land().buffer(_AROUND_PARIS), 10)
    shapely.prepare(area)
    return area


@dataclass(slots=True)
class _Seen:
    refs_are_unique: bool
    refs: set[str] = field(default_factory=set)
    shapes: set[bytes] = field(default_factory=set)


def cleaned(
    features: Iterable[Feature],
    report: Report,
    within: BaseGeometry | None = None,
    *,
    refs_are_unique: bool = True,
) -> Iterator[Feature]:
    """The features with valid shapes, each once, in Paris and ``within``; the others counted.

    Where ``refs_are_unique`` is false, another shape of the same name stays, without it.
    """
    seen = _Seen(refs_are_unique)
    if within is not None:
        shapely.prepare(within)
    for batch in batches(features):
        yield from _batch(batch, report, within, seen)


def _batch(
    batch: list[Feature], report: Report, within: BaseGeometry | None, seen: _Seen
) -> Iterator[Feature]:
    mended = shapes(batch)
    broken = np.flatnonzero(~shapely.is_valid(mended))
    for place in broken:
        mended[place] = polygons(shapely.make_valid(mended[place]))
    areas = shapely.area(mended)
    reasons = [
        ("no area", ~(areas >= _SMALLEST)),
        ("slivers", 2 * areas < _NARROWEST * shapely.length(mended)),
        ("outside Paris", ~shapely.intersects(paris(), mended)),
        ("outside the box", _outside(within, mended)),
    ]
    whys = np.full(len(batch), "", dtype=object)
    for reason, where in reversed(reasons):
        whys[where] = reason
    keys = _keys(mended, whys == "")
    report.repaired += sum(whys[place] == "" for place in broken)
    for feature, shape, why, key in zip(batch, mended, whys, keys, strict=True):
        reason = why or _again(feature, key, seen)
        if reason:
            report.skip(reason)
            continue
        if feature.ref is not None and feature.ref in seen.refs:
            report.noted["names given twice"] += 1
            feature = feature._replace(ref=None)  # noqa: PLW2901
        elif feature.ref is not None:
            seen.refs.add(feature.ref)
        yield feature._replace(shape=shape)


def _outside(within: BaseGeometry | None, mended: Shapes) -> npt.NDArray[np.bool_]:
    if within is None:
        return np.zeros(len(mended), dtype=bool)
    outside: npt.NDArray[np.bool_] = ~shapely.intersects(within, mended)
    return outside


def _keys(mended: Shapes, good: npt.NDArray[np.bool_]) -> list[bytes]:
    """A short hash of each good shape, the same wherever its rings begin."""
    keys = [b""] * len(mended)
    # Rounded by hand: what this makes invalid is only compared, and it is far quicker.
    rounded = shapely.transform(mended[good], lambda metres: np.round(metres, _SAME_DECIMALS))
    forms = shapely.to_wkb(shapely.normalize(rounded))
    for place, form in zip(np.flatnonzero(good).tolist(), forms, strict=True):
        keys[place] = hashlib.blake2b(form, digest_size=12).digest()
    return keys


def _again(feature: Feature, key: bytes, seen: _Seen) -> str:
    # Parts stand one above the other.
    if feature.part:
        key += b"%f-%f" % (feature.min_height, feature.height)
    if seen.refs_are_unique and feature.ref is not None and feature.ref in seen.refs:
        return "the same building again"
    if key in seen.shapes:
        return "the same shape again"
    seen.shapes.add(key)
    return ""


def polygons(shape: BaseGeometry) -> BaseGeometry:
    """Only the areas of a shape, without the lines and points that mending leaves."""
    areas = [part for part in shapely.get_parts(shape, return_index=False) if part.area > 0]
    flat = [p for part in areas for p in shapely.get_parts(part) if p.geom_type == "Polygon"]
    return flat[0] if len(flat) == 1 else shapely.MultiPolygon(flat)


def without_covered(features: Iterable[Feature], report: Report) -> Iterator[Feature]:
    """The features without the buildings that are drawn by their parts."""
    wholes: list[Feature] = []
    parts: list[Feature] = []
    for feature in features:
        (parts if feature.part else wholes).append(feature)
    tree = shapely.STRtree([part.shape for part in parts])
    for whole in wholes:
        inside = [parts[n].shape for n in tree.query(whole.shape, predicate="intersects")]
        covered = shapely.union_all(inside).intersection(whole.shape).area if inside else 0
        if covered > _COVERED * whole.shape.area:
            report.skip("drawn by its parts")
        else:
            yield whole
    yield from parts
