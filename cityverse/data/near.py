"""What lies near a point: cells of the H3 grid and distances.

A located item stands in the list of its cell (resolution 8: Paris has about 700 of
them, 900 m across). A circle is read as the cells it touches.
"""

from __future__ import annotations

import math

import h3

from cityverse.domain.places import EAST, NORTH, SOUTH, WEST
from cityverse.domain.rules import check_between

METRES_MOST = 2_000
_RESOLUTION = 8
# Around Paris: from the middle of a cell to its farthest corner, and to the next middle.
_TO_CORNER, _TO_NEXT = 530, 800


def cell_of(lat: float, lon: float) -> str:
    """The cell of a point (degrees, WGS 84)."""
    return str(h3.latlng_to_cell(lat, lon, _RESOLUTION))


def cells_within(lat: float, lon: float, metres: float) -> list[str]:
    """The cells that hold all points within ``metres`` (1 to 2,000) of a point; at most 40.

    Raises InvalidField for a point that is not on the map, or another distance.
    """
    check_between("lat", lat, SOUTH, NORTH)
    check_between("lon", lon, WEST, EAST)
    check_between("metres", metres, 1, METRES_MOST)
    reach = metres + _TO_CORNER
    around = h3.grid_disk(cell_of(lat, lon), 1 + math.ceil(reach / _TO_NEXT))
    return sorted(cell for cell in around if distance((lat, lon), h3.cell_to_latlng(cell)) <= reach)


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres between two points (latitude and longitude in degrees)."""
    return float(h3.great_circle_distance(one, other, "m"))
