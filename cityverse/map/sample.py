"""A generated city inside the true outline of Paris.

The main streets, water, parks and tracks cut the land into quarters; each quarter is
halved again and again across its longer side until blocks remain; each block gets a
row of houses around a courtyard, as Haussmann's blocks have it. So houses follow the
streets beside them and nothing stands in water, parks, streets or on tracks. The
best-known buildings stand where they really stand. The same seed gives the same city,
to the last digit.

All houses of a form are cut at once, in arrays: a hundred thousand of them one by one
would take longer than the tiles.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from cityverse.map import known, monuments
from cityverse.map.features import Feature, Report
from cityverse.map.known import Array

SEED = 75
SOURCE = "sample"
ATTRIBUTION = (
    "Generated sample city. Facts: Ville de Paris (ODbL), © OpenStreetMap contributors (ODbL)"
)
MONUMENT = "monument"
# Zooms in which blocks stand for houses, in which houses stand, and all of them.
FAR, NEAR, ALWAYS = (11, 12), (13, 16), (11, 16)
STOREY = 3.1

_LANE = 11.0
_BLOCK_LARGEST = 8200.0
_BLOCK_SMALLEST = 260.0
_SLABS_FROM = 900.0
_DEPTH = 13.0
_FRONT = 22.0
# Room left around a monument, along the banks and along everything else.
_CLEAR = 14.0
_QUAY = 22.0
_EDGE = 3.0
_KERB = 2.0
_LOWEST = 6.0
_HOUSE_SMALLEST = 40.0
# How much taller than its surroundings a modern slab is, and how often.
_TALLER = (6.0, 12.0, 20.0, 32.0)
_TALLER_SHARES = (0.45, 0.3, 0.17, 0.08)

Shapes = npt.NDArray[np.object_]
Numbers = npt.NDArray[np.int_]


@dataclass(frozen=True, slots=True)
class _District:
    """How an arrondissement is built: usual height, its variation, share of modern slabs."""

    height: float
    spread: float
    modern: float


_CENTRE = _District(19.5, 2.2, 0.0)
_GRAND = _District(21.5, 2.0, 0.01)
_OUTER = _District(19.0, 3.6, 0.10)
_MODERN = _District(20.0, 4.5, 0.22)
_VILLAGE = _District(16.5, 3.8, 0.14)
_DISTRICTS = dict.fromkeys(range(1, 8), _CENTRE) | dict.fromkeys((8, 9, 10, 11), _GRAND)
_DISTRICTS |= dict.fromkeys((12, 14, 17, 18), _OUTER) | {16: _GRAND}
_DISTRICTS |= dict.fromkeys((13, 15), _MODERN) | dict.fromkeys((19, 20), _VILLAGE)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Blocks with their usual height, its variation, and whether they are modern: (n,) each."""

    shapes: Shapes
    heights: Array
    spreads: Array
    modern: npt.NDArray[np.bool_]

    def only(self, which: npt.NDArray[np.bool_]) -> _Blocks:
        return _Blocks(
            self.shapes[which], self.heights[which], self.spreads[which], self.modern[which]
        )


def features(within: BaseGeometry | None, report: Report, seed: int = SEED) -> Iterator[Feature]:
    """The whole city, or its blocks with their middle ``within`` (metres).

    Far away whole blocks stand for their houses, so that the city reads as a city.
    """
    random = np.random.default_rng(seed)
    for feature in _everything(random, within):
        report.read += 1
        yield feature


def _everything(random: np.random.Generator, within: BaseGeometry | None) -> Iterator[Feature]:
    stones = [monuments.parts(monument) for monument in known.monuments()]
    shapes = _blocks(_quarters(stones), random)
    if within is not None:
        shapes = shapes[shapely.intersects(shapely.centroid(shapes), within)]
    for stone in itertools.chain.from_iterable(stones):
        shape = Polygon(stone.ring)
        if within is None or within.intersects(shape):
            yield Feature(shape, stone.top, stone.base, name=stone.name, kind=MONUMENT)
    if not len(shapes):
        return
    blocks = _planned(shapes, random)
    yield from _slabs(blocks.only(blocks.modern), random)
    old = blocks.only(~blocks.modern)
    yield from _features(old.shapes, old.heights, "block", FAR)
    inner, has_court = _courts(old.shapes)
    yield from _perimeters(old.only(has_court), inner, random)
    yield from _rows(old.only(~has_court), random)


def _quarters(stones: list[list[monuments.Part]]) -> Shapes:
    """The land between main streets, without what must stay free."""
    axes = [*known.streets(), *known.rails()]
    open_ground = [area.shape for area in (*known.parks(), *known.squares())]
    taken = [
        shapely.union_all([axis.area for axis in axes]).buffer(_KERB),
        known.water().buffer(_QUAY),
        shapely.union_all(open_ground).buffer(_EDGE),
        # Courtyards of monuments stay free as well.
        shapely.union_all([_whole(parts).buffer(_CLEAR) for parts in stones]),
    ]
    free = known.land().buffer(-12).difference(shapely.union_all(taken))
    parts: Shapes = shapely.get_parts(shapely.make_valid(free))
    return np.asarray(parts[shapely.area(parts) > _BLOCK_SMALLEST])


def _whole(parts: list[monuments.Part]) -> BaseGeometry:
    return shapely.MultiPoint(np.concatenate([part.ring for part in parts])).convex_hull


def _blocks(quarters: Shapes, random: np.random.Generator) -> Shapes:
    """Quarters halved across their longer side until none is larger than a block, or has holes."""
    done: list[Shapes] = []
    left = quarters
    while len(left):
        # A quarter of any form is cut like the rectangle around it.
        large = shapely.area(left) > _BLOCK_LARGEST * random.uniform(0.6, 1.25, len(left))
        large |= shapely.get_num_interior_rings(left) > 0
        done.append(left[~large])
        left = _halved(left[large], random)
        left = left[shapely.area(left) > _BLOCK_SMALLEST]
    # Straight fronts; no corner moves further than a kerb is wide.
    blocks = shapely.simplify(np.concatenate(done), _KERB)
    return np.asarray(shapely.orient_polygons(blocks), dtype=object)


def _halved(shapes: Shapes, random: np.random.Generator) -> Shapes:
    """Each shape cut in two, with a lane between the halves."""
    if not len(shapes):
        return shapes
    corner, along, across = _rectangles(shapes)
    unit, margin = along / _lengths(along)[:, None], across / _lengths(across)[:, None]
    cut = along * random.uniform(0.42, 0.58, (len(shapes), 1))
    halves = []
    for start, end in ((-unit, cut - unit * _LANE / 2), (cut + unit * _LANE / 2, along + unit)):
        begin, close = corner + start, corner + end
        rings = [begin - margin, close - margin, close + across + margin, begin + across + margin]
        halves.append(shapely.intersection(shapes, shapely.polygons(np.stack(rings, axis=1))))
    parts = shapely.get_parts(np.concatenate(halves))
    return np.asarray(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def _rectangles(shapes: Shapes) -> tuple[Array, Array, Array]:
    """The smallest rectangle around each shape: a corner, its longer and its shorter side."""
    envelopes = shapely.get_coordinates(shapely.oriented_envelope(shapes))
    corners = envelopes.reshape(len(shapes), 5, 2)
    along, across = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    turn = (_lengths(along) < _lengths(across))[:, None]
    return corners[:, 0], np.where(turn, across, along), np.where(turn, along, across)


def _lengths(vectors: Array) -> Array:
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))


def _planned(shapes: Shapes, random: np.random.Generator) -> _Blocks:
    """What is built on each block, after the arrondissement it lies in or is nearest to."""
    numbers = _arrondissements_of(shapely.centroid(shapes))
    plans = [_DISTRICTS[int(number)] for number in numbers]
    spreads = np.array([plan.spread for plan in plans])
    heights = random.normal([plan.height for plan in plans], spreads / 2)
    modern = random.random(len(shapes)) < [plan.modern for plan in plans]
    modern &= shapely.area(shapes) > _SLABS_FROM
    return _Blocks(shapes, np.maximum(9.0, heights), spreads, modern)


def _arrondissements_of(points: Shapes) -> Numbers:
    """The number of the arrondissement each point lies in, or is nearest to."""
    tree = shapely.STRtree([area.shape for area in known.arrondissements()])
    found: Numbers = np.zeros(len(points), dtype=int)
    inside, area = tree.query(points, predicate="intersects")
    found[inside] = area + 1
    lost = found == 0
    found[lost] = tree.nearest(points[lost]) + 1
    return found


def _courts(shapes: Shapes) -> tuple[Array, npt.NDArray[np.bool_]]:
    """The corners of all blocks moved inwards, and which blocks have room for that.

    The first is (number of corners, 2). Each corner goes to where its two moved edges
    meet. That holds for convex rings with edges long enough; others have no courtyard.
    """
    ring = _Rings(shapes)
    edges = ring.points[ring.after] - ring.points
    lengths = _lengths(edges)
    unit = edges / np.maximum(lengths, 1e-9)[:, None]
    before = unit[ring.before]
    turn = before[:, 0] * unit[:, 1] - before[:, 1] * unit[:, 0]
    # The meeting point lies on the bisector, further away the sharper the corner.
    inner = ring.points + (unit - before) * (_DEPTH / np.maximum(turn, 0.05))[:, None]
    kept = ((inner[ring.after] - inner) * unit).sum(axis=1)
    good = (lengths >= 4) & (turn >= 0.05) & (kept > 2) & ((before * unit).sum(axis=1) > -0.95)
    room = np.logical_and.reduceat(good, ring.first) & (ring.sizes >= 4)
    return inner[np.repeat(room, ring.sizes)], room


class _Rings:
    """The outer rings of polygons as one array, with each corner's neighbours."""

    def __init__(self, shapes: Shapes) -> None:
        lines = shapely.get_exterior_ring(shapes)
        self.sizes: Numbers = shapely.get_num_coordinates(lines) - 1
        self.first: Numbers = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        closed, number = shapely.get_coordinates(lines, return_index=True)
        last = np.append(np.flatnonzero(np.diff(number)), len(number) - 1)
        self.points: Array = np.delete(closed, last, axis=0)
        here = np.arange(len(self.points))
        ends = self.first + self.sizes - 1
        self.after = here + 1
        self.after[ends] = self.first
        self.before = here - 1
        self.before[self.first] = ends


def _perimeters(blocks: _Blocks, inner: Array, random: np.random.Generator) -> Iterator[Feature]:
    """Houses side by side along the edges of blocks, around their courtyards."""
    if not len(blocks.shapes):
        return
    ring = _Rings(blocks.shapes)
    lots = np.maximum(1, np.rint(_lengths(ring.points[ring.after] - ring.points) / _FRONT))
    edge, share = _divided(lots.astype(int))
    quads = []
    for line, step in ((ring.points, 0), (ring.points, 1), (inner, 1), (inner, 0)):
        begin, end = line[edge], line[ring.after[edge]]
        quads.append(begin + (end - begin) * (share + step / lots[edge])[:, None])
    block = np.repeat(np.arange(len(blocks.shapes)), ring.sizes)[edge]
    heights = random.normal(blocks.heights[block], blocks.spreads[block] / 3)
    yield from _features(shapely.polygons(np.stack(quads, axis=1)), heights, "house", NEAR)


def _divided(counts: Numbers) -> tuple[Numbers, Array]:
    """For things divided into ``counts`` parts: each part's thing, and where in it it begins."""
    whole = np.repeat(np.arange(len(counts)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    return whole, (np.arange(len(whole)) - first) / counts[whole]


def _rows(blocks: _Blocks, random: np.random.Generator) -> Iterator[Feature]:
    """Blocks too narrow for a courtyard: one house, or some in a row."""
    if not len(blocks.shapes):
        return
    areas = shapely.area(blocks.shapes)
    _, along, _ = _rectangles(blocks.shapes)
    lots = np.maximum(1, np.rint(_lengths(along) / (_FRONT * 1.4))).astype(int)
    lots[areas < 700] = 1
    block, share = _divided(lots)
    houses = _strips(blocks.shapes[block], share, share + 1 / lots[block], 0.0)
    yield from _built(houses, random.normal(blocks.heights[block], 1.0), NEAR)


def _slabs(blocks: _Blocks, random: np.random.Generator) -> Iterator[Feature]:
    """Modern blocks: slabs in a row, now and then towers, green between them."""
    if not len(blocks.shapes):
        return
    _, along, _ = _rectangles(blocks.shapes)
    length = _lengths(along)
    counts = np.maximum(1, length // 34).astype(int)
    taller = random.choice(_TALLER, len(counts), p=_TALLER_SHARES)
    block, share = _divided(counts)
    begin = share + 0.22 / counts[block]
    slabs = _strips(blocks.shapes[block], begin, begin + 17 / length[block], 0.1)
    heights = random.normal((blocks.heights + taller)[block], 1.5)
    yield from _built(slabs, heights, ALWAYS)


def _strips(shapes: Shapes, begin: Array, end: Array, margin: float) -> Shapes:
    """Each shape between two cuts across its longer side, as shares of that side."""
    corner, along, across = _rectangles(shapes)
    start, close = corner + along * begin[:, None], corner + along * end[:, None]
    low, high = across * margin, across * (1 - margin)
    rings = [start + low, close + low, close + high, start + high]
    strips = shapely.polygons(np.stack(rings, axis=1))
    return np.asarray(shapely.intersection(shapes, strips), dtype=object)


def _built(shapes: Shapes, heights: Array, zooms: tuple[int, int]) -> Iterator[Feature]:
    whole = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    whole &= shapely.area(shapes) > _HOUSE_SMALLEST
    yield from _features(shapes[whole], heights[whole], "house", zooms)


def _features(
    shapes: Shapes, heights: Array, kind: str, zooms: tuple[int, int]
) -> Iterator[Feature]:
    tall = heights.clip(min=_LOWEST).round(1)
    levels = np.rint(tall / STOREY).astype(int)
    for shape, height, count in zip(shapes, tall.tolist(), levels.tolist(), strict=True):
        yield Feature(shape, height, levels=count, kind=kind, zooms=zooms)
