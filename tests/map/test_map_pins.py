"""Pins at one place are moved apart, always in the same way, and never too far."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityverse.domain.places import Precision
from cityverse.map.pins import Pin, spread

EXACT = [Precision.ADDRESS, Precision.STREET, Precision.PLACE, Precision.PARK]
AREAS = {Precision.QUARTIER: 220, Precision.ARRONDISSEMENT: 520}


def pin(number: int, lat: float, lon: float, precision: str = Precision.PLACE) -> Pin:
    return Pin(f"news:{number:03}", "news", lat, lon, f"Titre {number}", "", precision)


def metres(one: Pin, other: Pin) -> float:
    north = (one.lat - other.lat) * 111_200
    east = (one.lon - other.lon) * 111_320 * math.cos(math.radians(one.lat))
    return math.hypot(north, east)


places = st.tuples(
    st.floats(48.80, 48.91).map(lambda lat: round(lat, 5)),
    st.floats(2.23, 2.47).map(lambda lon: round(lon, 5)),
)
sets = st.lists(
    st.tuples(st.sampled_from([(48.85, 2.35), (48.88, 2.34)]) | places, st.sampled_from(Precision)),
    max_size=60,
).map(lambda rows: [pin(n, *place, precision) for n, (place, precision) in enumerate(rows)])


@settings(deadline=None)
@given(sets, st.randoms(use_true_random=False))
def test_the_order_of_the_pins_does_not_matter(pins: list[Pin], chance: random.Random):
    shuffled = list(pins)
    chance.shuffle(shuffled)
    assert spread(shuffled) == spread(pins)


@settings(deadline=None)
@given(sets)
def test_every_pin_stays_and_keeps_all_but_its_point(pins: list[Pin]):
    moved = {p.id: p for p in spread(pins)}
    assert len(moved) == len(pins)
    for before in pins:
        after = moved[before.id]
        assert (after.title, after.precision, after.kind) == (
            before.title,
            before.precision,
            before.kind,
        )
        if before.precision in AREAS:
            assert metres(before, after) <= AREAS[before.precision] + 1 < 700


@given(places, st.sampled_from(EXACT))
def test_a_single_exact_pin_stays_exactly(place: tuple[float, float], precision: str):
    alone = pin(1, place[0] + 0.000_000_4, place[1], precision)
    assert spread([alone]) == [alone]


@settings(deadline=None)
@given(places, st.integers(2, 30), st.sampled_from(EXACT))
def test_exact_pins_at_one_place_do_not_hide_each_other(place, number, precision):
    moved = spread([pin(n, *place, precision) for n in range(number)])
    assert min(metres(a, b) for a, b in itertools.combinations(moved, 2)) > 20
    assert max(metres(p, pin(0, *place)) for p in moved) < 300


def test_an_area_is_never_drawn_as_its_exact_middle():
    (moved,) = spread([pin(1, 48.85, 2.35, Precision.ARRONDISSEMENT)])
    assert metres(moved, pin(1, 48.85, 2.35)) > 100


@pytest.mark.parametrize("precision", AREAS)
def test_many_pins_of_one_area_stay_in_it(precision):
    moved = spread([pin(n, 48.85, 2.35, precision) for n in range(200)])
    assert max(metres(p, pin(0, 48.85, 2.35)) for p in moved) <= AREAS[precision] + 1
    assert len({(p.lat, p.lon) for p in moved}) == 200


def test_a_quartier_keeps_to_itself_beside_an_arrondissement_of_the_same_centre():
    pins = [pin(0, 48.85, 2.35, Precision.ARRONDISSEMENT)]
    pins += [pin(n, 48.85, 2.35, Precision.QUARTIER) for n in range(1, 10)]
    quartier = [p for p in spread(pins) if p.precision == Precision.QUARTIER]
    assert max(metres(p, pins[0]) for p in quartier) <= 221
