"""Items as the map draws them, and how pins at one place are kept apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cityverse.domain.places import Precision

_METRES_PER_DEGREE = 111_320
# Pins closer than this would hide each other, in metres.
_APART = 45.0
# An item known only to its area is drawn somewhere near the middle of it, within so many metres.
_AREA_RADIUS: dict[str, float] = {Precision.QUARTIER: 220.0, Precision.ARRONDISSEMENT: 520.0}
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class Pin:
    """One item on the map, in degrees (WGS 84).

    ``kind`` is a ``Kind``, ``precision`` a ``Precision``.
    """

    id: str
    kind: str
    lat: float
    lon: float
    title: str
    subtitle: str
    precision: str
    demo: bool = False

    @property
    def area(self) -> bool:
        """Whether only an area is known, so that no exact point may be shown."""
        return self.precision in _AREA_RADIUS


def spread(pins: Sequence[Pin]) -> list[Pin]:
    """The pins with those at one place moved apart in a spiral, always in the same way.

    A place with one pin keeps it exactly, unless it stands for a whole area: then
    its pins lie within the area like seeds of a sunflower.
    """
    places: dict[tuple[float, float, float | None], list[Pin]] = defaultdict(list)
    for pin in sorted(pins, key=lambda p: p.id):
        radius = _AREA_RADIUS.get(pin.precision)
        places[round(pin.lat, 4), round(pin.lon, 4), radius].append(pin)
    return [moved for (*_, radius), here in places.items() for moved in _spiral(here, radius)]


def _spiral(pins: list[Pin], widest: float | None) -> list[Pin]:
    """Around a point, or within an area of a radius in metres."""
    step = _APART if widest is None else widest / math.sqrt(len(pins) + 1)
    first = 0 if widest is None else 1
    return [
        _moved(pin, step * math.sqrt(number), number * _GOLDEN_ANGLE)
        for number, pin in enumerate(pins, first)
    ]


def _moved(pin: Pin, metres: float, angle: float) -> Pin:
    if metres == 0:
        return pin
    north = metres * math.sin(angle) / _METRES_PER_DEGREE
    east = metres * math.cos(angle) / (_METRES_PER_DEGREE * math.cos(math.radians(pin.lat)))
    return replace(pin, lat=round(pin.lat + north, 6), lon=round(pin.lon + east, 6))
