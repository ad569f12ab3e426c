"""A generated city inside the true outline of Paris.

The main streets, water, parks and tracks cut the land into quarters; each quarter is
halved again and again across its longer side until blocks remain; each block gets a
row of houses around a courtyard, as Haussmann's blocks have it. So houses follow the
streets beside them and nothing stands in water, parks, streets or on tracks. The
best-known buildings stand where they really stand. The same seed gives the same city,
to the last digit.
"""

from __future__ import annotations

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
FAR, NEAR, ALWAYS = (11, 12), (13, 15), (11, 15)
STOREY = 3.1

_LANE = 11.0
_BLOCK_LARGEST = 8200.0
_BLOCK_SMALLEST = 260.0
_SLABS_FROM = 900.0
_DEPTH = 13.0
_FRONT = 22.0
# Room left around a monument and along the banks.
_CLEAR = 14.0
_QUAY = 22.0

Shapes = npt.NDArray[np.object_]


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


def features(within: BaseGeometry | None, report: Report, seed: int = SEED) -> Iterator[Feature]:
    """The whole city, or its blocks with their middle ``within`` (metres).

    Far away whole blocks stand for their houses, so that the city reads as a city.
    """
    random = np.random.default_rng(seed)
    stones = [part for monument in known.monuments() for part in monuments.parts(monument)]
    for feature in _everything(stones, random, within):
        report.read += 1
        yield feature


def _everything(
    stones: list[monuments.Part], random: np.random.Generator, within: BaseGeometry | None
) -> Iterator[Feature]:
    blocks = _blocks(_quarters(stones), random)
    if within is not None:
        blocks = blocks[shapely.intersects(shapely.centroid(blocks), within)]
        stones = [stone for stone in stones if within.intersects(Polygon(stone.ring))]
    for stone in stones:
        shape = Polygon(stone.ring)
        yield Feature(shape, stone.top, stone.base, name=stone.name, kind=MONUMENT)
    for block, number in zip(blocks, _arrondissement_of(blocks), strict=True):
        yield from _block(block, _DISTRICTS[int(number)], random)


def _quarters(stones: list[monuments.Part]) -> Shapes:
    """The land between main streets, without what must stay free."""
    axes = [*known.streets(), *known.rails()]
    taken = [
        shapely.union_all([axis.area for axis in axes]),
        known.water().buffer(_QUAY),
        shapely.union_all([park.shape for park in known.parks()]),
        shapely.union_all([Polygon(stone.ring).convex_hull.buffer(_CLEAR) for stone in stones]),
    ]
    free = known.land().buffer(-12).difference(shapely.union_all(taken))
    parts = shapely.get_parts(shapely.make_valid(free))
    return parts[shapely.area(parts) > _BLOCK_SMALLEST]


def _blocks(quarters: Shapes, random: np.random.Generator) -> Shapes:
    """Quarters halved across their longer side until none is larger than a block."""
    done: list[Shapes] = []
    left = quarters
    while len(left):
        # A quarter of any form is cut like the rectangle around it.
        large = shapely.area(left) > _BLOCK_LARGEST * random.uniform(0.6, 1.25, len(left))
        done.append(left[~large])
        left = _halved(left[large], random)
        left = left[shapely.area(left) > _BLOCK_SMALLEST]
    blocks = np.concatenate(done)
    return np.asarray(shapely.simplify(blocks, 2.0), dtype=object)


def _halved(shapes: Shapes, random: np.random.Generator) -> Shapes:
    """Each shape cut in two, with a lane between the halves."""
    if not len(shapes):
        return shapes
    corners = _rectangles(shapes)
    along, across = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    turn = np.hypot(*along.T) < np.hypot(*across.T)
    along[turn], across[turn] = across[turn], along[turn].copy()
    unit = along / np.hypot(*along.T)[:, None]
    share = random.uniform(0.42, 0.58, (len(shapes), 1))
    cut = corners[:, 0] + along * share
    halves = []
    for start, end in (
        (corners[:, 0] - unit, cut - unit * _LANE / 2),
        (cut + unit * _LANE / 2, corners[:, 0] + along + unit),
    ):
        margin = across / np.hypot(*across.T)[:, None]
        rings = np.stack(
            [start - margin, end - margin, end + across + margin, start + across + margin], axis=1
        )
        halves.append(shapely.intersection(shapes, shapely.polygons(rings)))
    parts = shapely.get_parts(np.concatenate(halves))
    return parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]


def _rectangles(shapes: Shapes) -> Array:
    """The four corners of the smallest rectangle around each shape: (n, 4, 2)."""
    rectangles = shapely.oriented_envelope(shapes)
    return shapely.get_coordinates(rectangles).reshape(len(shapes), 5, 2)[:, :4]


def _block(block: Polygon, district: _District, random: np.random.Generator) -> Iterator[Feature]:
    height = max(9.0, random.normal(district.height, district.spread / 2))
    if random.random() < district.modern and block.area > _SLABS_FROM:
        yield from _slabs(block, height, random)
        return
    yield Feature(block, round(height, 1), kind="block", zooms=FAR)
    yield from _perimeter(block, height, district, random)


def _arrondissement_of(blocks: Shapes) -> npt.NDArray[np.int_]:
    """The number of the arrondissement each block lies in, or is nearest to."""
    tree = shapely.STRtree([area.shape for area in known.arrondissements()])
    return np.asarray(tree.nearest(shapely.centroid(blocks))) + 1


def _perimeter(
    block: Polygon, height: float, district: _District, random: np.random.Generator
) -> Iterator[Feature]:
    """Houses side by side along the edge of a block, around its courtyard."""
    outer = _ring(block)
    inner = _inset(outer, _DEPTH)
    if inner is None:
        yield from _solid(block, height, random)
        return
    for here in range(len(outer)):
        after = (here + 1) % len(outer)
        front = float(np.hypot(*(outer[after] - outer[here])))
        lots = max(1, round(front / _FRONT))
        cuts = np.linspace(0, 1, lots + 1)[:, None]
        street = outer[here] + (outer[after] - outer[here]) * cuts
        court = inner[here] + (inner[after] - inner[here]) * cuts
        for lot in range(lots):
            ring = np.array([street[lot], street[lot + 1], court[lot + 1], court[lot]])
            yield _house(ring, height + random.normal(0, district.spread / 3))


def _solid(block: Polygon, height: float, random: np.random.Generator) -> Iterator[Feature]:
    """A block too narrow for a courtyard: one house, or a few in a row."""
    ring = _ring(block)
    hull = np.asarray(block.convex_hull.exterior.coords)[:-1]
    if block.area < 700 or block.area < 0.8 * Polygon(hull).area:
        if len(ring) >= 3:
            yield _house(ring, height + random.normal(0, 1))
        return
    corners = _rectangles(np.array([block], dtype=object))[0]
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    if np.hypot(*along) < np.hypot(*across):
        along, across = across, along
    lots = max(1, round(float(np.hypot(*along)) / (_FRONT * 1.4)))
    for lot in range(lots):
        start, end = along * lot / lots, along * (lot + 1) / lots
        strip = Polygon(corners[0] + np.array([start, end, end + across, start + across]))
        part = block.intersection(strip)
        if part.geom_type == "Polygon" and part.area > 40:
            yield _house(_ring(part), height + random.normal(0, 1))


def _slabs(block: Polygon, height: float, random: np.random.Generator) -> Iterator[Feature]:
    """A modern block: slabs in a row, now and then a tower, green between them."""
    corners = _rectangles(np.array([block], dtype=object))[0]
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    if np.hypot(*along) < np.hypot(*across):
        along, across = across, along
    count = max(1, int(np.hypot(*along) // 34))
    tall = height + random.choice([6.0, 12.0, 20.0, 32.0], p=[0.45, 0.3, 0.17, 0.08])
    for number in range(count):
        begin = (number + 0.22) / count
        end = begin + min(0.56, 13 * 1.3 / (np.hypot(*along) / count))
        ring = np.array(
            [
                corners[0] + along * begin + across * 0.1,
                corners[0] + along * end + across * 0.1,
                corners[0] + along * end + across * 0.9,
                corners[0] + along * begin + across * 0.9,
            ]
        )
        part = block.intersection(Polygon(ring))
        if part.geom_type == "Polygon" and part.area > 90:
            yield _house(_ring(part), tall + random.normal(0, 1.5), ALWAYS)


def _house(ring: Array, height: float, zooms: tuple[int, int] = NEAR) -> Feature:
    tall = round(max(6.0, height), 1)
    return Feature(
        Polygon(ring), tall, levels=max(1, round(tall / STOREY)), kind="house", zooms=zooms
    )


def _ring(polygon: Polygon) -> Array:
    """The outer ring counter-clockwise, open."""
    ring = np.asarray(polygon.exterior.coords)[:-1]
    return ring if polygon.exterior.is_ccw else ring[::-1]


def _inset(ring: Array, depth: float) -> Array | None:
    """The ring moved inwards by ``depth``, vertex by vertex; None where there is no room.

    Each vertex goes to where its two moved edges meet. That holds for convex rings with
    edges long enough; anything else has no courtyard.
    """
    edges = np.roll(ring, -1, axis=0) - ring
    lengths = np.hypot(*edges.T)
    if len(ring) < 4 or lengths.min() < 4:
        return None
    unit = edges / lengths[:, None]
    before = np.roll(unit, 1, axis=0)
    turn = before[:, 0] * unit[:, 1] - before[:, 1] * unit[:, 0]
    if turn.min() < 0.05:
        return None
    # The meeting point lies on the bisector, further away the sharper the corner.
    cosine = (before * unit).sum(axis=1)
    inner = ring + (unit - before) * (depth / turn)[:, None]
    moved = np.roll(inner, -1, axis=0) - inner
    shrunk = (moved * unit).sum(axis=1)
    return inner if shrunk.min() > 2 and cosine.min() > -0.95 else None
