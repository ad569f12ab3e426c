"""Solids of the best-known buildings, put together from prisms.

A tower tapers in steps, an arch has an opening, a dome is a stack of rings that grow
narrower. Everything is drawn around the origin with its length to the north, then
turned and moved to its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cityverse.map.known import Array, Monument

_SIDES = 16
_DOME_STEPS = 5
# Stretches of the legs: from and to which height, how far from the axis as a share of the
# width, how thick; metres.
_EIFFEL_LEGS = (
    (0.0, 20.0, 0.42, 25.0),
    (20.0, 40.0, 0.35, 22.0),
    (40.0, 57.0, 0.28, 19.0),
    (64.0, 90.0, 0.19, 14.0),
    (90.0, 115.0, 0.135, 11.0),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A prism: its ring in metres, shape (n, 2), from ``base`` to ``top`` above ground."""

    ring: Array
    base: float
    top: float
    name: str


@dataclass(frozen=True, slots=True)
class _Prism:
    ring: Array
    base: float
    top: float


def parts(monument: Monument) -> list[Part]:
    """The prisms of a monument where it stands; KeyError for a shape nobody drew."""
    angle = math.radians(monument.bearing)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    place = [monument.x, monument.y]
    return [
        Part(prism.ring @ turn + place, round(prism.base, 1), round(prism.top, 1), monument.name)
        for prism in _SHAPES[monument.shape](monument)
    ]


def _box(width: float, length: float, east: float = 0, north: float = 0) -> Array:
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    return half * [width, length] + [east, north]


def _circle(radius: float, east: float = 0, north: float = 0) -> Array:
    angles = np.linspace(0, 2 * math.pi, _SIDES, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius + [east, north]


def _block(m: Monument) -> Iterator[_Prism]:
    yield _Prism(_box(m.width, m.length), 0, m.height)


def _steps(m: Monument) -> Iterator[_Prism]:
    for step in range(4):
        length = m.length * (1 - 0.2 * step)
        yield _Prism(_box(m.width, length), m.height * step / 4, m.height * (step + 1) / 4)


def _court(m: Monument) -> Iterator[_Prism]:
    depth = min(m.width, m.length) * 0.2
    for side in (-1, 1):
        yield _Prism(_box(depth, m.length, side * (m.width - depth) / 2), 0, m.height)
        north = side * (m.length - depth) / 2
        yield _Prism(_box(m.width - 2 * depth, depth, 0, north), 0, m.height)


def _ringed(m: Monument) -> Iterator[_Prism]:
    outer, inner = _circle(m.width / 2), _circle(m.width / 2 - 24)
    for here in range(_SIDES):
        after = (here + 1) % _SIDES
        yield _Prism(np.array([outer[here], outer[after], inner[after], inner[here]]), 0, m.height)
    yield _Prism(_box(18, 40, 40), 0, 70)


def _stadium(m: Monument) -> Iterator[_Prism]:
    for depth, share in ((0.0, 1.0), (0.1, 0.7), (0.2, 0.45)):
        yield from _frame(m, depth, share)


def _frame(m: Monument, depth: float, share: float) -> Iterator[_Prism]:
    width, length = m.width * (1 - 2 * depth), m.length * (1 - 2 * depth)
    thick = 0.1 * m.width
    for side in (-1, 1):
        yield _Prism(_box(thick, length, side * (width - thick) / 2), 0, m.height * share)
        north = side * (length - thick) / 2
        yield _Prism(_box(width - 2 * thick, thick, 0, north), 0, m.height * share)


def _corner(m: Monument) -> Iterator[_Prism]:
    """Two wings that meet, like an open book."""
    yield _Prism(_box(16, m.length, -(m.width - 16) / 2), 0, m.height)
    yield _Prism(_box(m.width - 16, 16, 8, -(m.length - 16) / 2), 0, m.height)


def _vault(m: Monument) -> Iterator[_Prism]:
    yield _Prism(_box(m.width, m.length), 0, m.height * 0.7)
    yield _Prism(_box(m.width * 0.7, m.length), m.height * 0.7, m.height * 0.88)
    yield _Prism(_box(m.width * 0.4, m.length), m.height * 0.88, m.height)


def _pyramid(m: Monument) -> Iterator[_Prism]:
    steps = 7
    for step in range(steps):
        share = 1 - step / steps
        low, high = m.height * step / steps, m.height * (step + 1) / steps
        yield _Prism(_box(m.width * share, m.length * share), low, high)


def _spire(m: Monument) -> Iterator[_Prism]:
    yield _Prism(_box(m.width, m.length), 0, m.height * 0.8)
    yield _Prism(_box(m.width * 0.7, m.length * 0.7), m.height * 0.8, m.height * 0.93)
    yield _Prism(_box(m.width * 0.35, m.length * 0.35), m.height * 0.93, m.height)


def _ball(m: Monument) -> Iterator[_Prism]:
    radius, steps = m.width / 2, 9
    for step in range(steps):
        low, high = m.height * step / steps, m.height * (step + 1) / steps
        middle = (low + high) / 2 - radius
        yield _Prism(_circle(math.sqrt(max(1.0, radius**2 - middle**2))), low, high)


def _arch(m: Monument) -> Iterator[_Prism]:
    """Two piers with the opening between them, and what they carry."""
    pier = m.length * 0.34
    for side in (-1, 1):
        yield _Prism(_box(m.width, pier, 0, side * (m.length - pier) / 2), 0, m.height * 0.6)
    yield _Prism(_box(m.width, m.length), m.height * 0.6, m.height)


def _dome(m: Monument) -> Iterator[_Prism]:
    """A body, a drum, a dome of narrowing rings, a lantern on it."""
    body, radius = m.height * 0.36, min(m.width, m.length) * 0.3
    yield _Prism(_box(m.width, m.length), 0, body)
    drum = m.height * 0.56
    yield _Prism(_circle(radius), body, drum)
    crown = m.height * 0.86
    for step in range(_DOME_STEPS):
        low = drum + (crown - drum) * step / _DOME_STEPS
        high = drum + (crown - drum) * (step + 1) / _DOME_STEPS
        share = math.sqrt(1 - ((step + 0.5) / _DOME_STEPS) ** 2)
        yield _Prism(_circle(radius * share), low, high)
    yield _Prism(_circle(radius * 0.14), crown, m.height)


def _cathedral(m: Monument) -> Iterator[_Prism]:
    """Nave, transept, two towers at one end, a spire over the crossing."""
    nave, tower = m.height * 0.42, m.height * 0.7
    yield _Prism(_box(m.width * 0.55, m.length), 0, nave)
    yield _Prism(_box(m.width, m.length * 0.18, 0, m.length * 0.08), 0, nave)
    for side in (-1, 1):
        east = side * m.width * 0.3
        yield _Prism(_box(m.width * 0.3, m.width * 0.3, east, -m.length * 0.43), 0, tower)
    yield _Prism(_box(m.width * 0.1, m.width * 0.1, 0, m.length * 0.08), nave, m.height * 0.8)
    yield _Prism(_box(m.width * 0.05, m.width * 0.05, 0, m.length * 0.08), m.height * 0.8, m.height)


def _eiffel(m: Monument) -> Iterator[_Prism]:
    """Four legs that lean together to the second floor, then a shaft that tapers."""
    for low, high, reach, thick in _EIFFEL_LEGS:
        for east in (-1, 1):
            for north in (-1, 1):
                ring = _box(thick, thick, east * reach * m.width, north * reach * m.width)
                yield _Prism(ring, low, high)
    yield _Prism(_box(0.62 * m.width, 0.62 * m.width), 57, 64)
    yield _Prism(_box(0.34 * m.width, 0.34 * m.width), 115, 121)
    steps = 9
    for step in range(steps):
        low, high = (121 + (276 - 121) * n / steps for n in (step, step + 1))
        side = 26 * (1 - step / steps) ** 1.3 + 8
        yield _Prism(_box(side, side), low, high)
    yield _Prism(_box(15, 15), 276, 283)
    yield _Prism(_box(6, 6), 283, 300)
    yield _Prism(_box(2.5, 2.5), 300, m.height)


_SHAPES: dict[str, Callable[[Monument], Iterator[_Prism]]] = {
    "arch": _arch,
    "ball": _ball,
    "block": _block,
    "cathedral": _cathedral,
    "corner": _corner,
    "court": _court,
    "dome": _dome,
    "eiffel": _eiffel,
    "pyramid": _pyramid,
    "ring": _ringed,
    "spire": _spire,
    "stadium": _stadium,
    "steps": _steps,
    "vault": _vault,
}
