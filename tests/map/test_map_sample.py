"""The generated city: the same every time, and nothing where nothing stands."""

from __future__ import annotations

import hashlib
import io
from collections import Counter

import numpy as np
import pytest
import shapely

from cityverse.map import known, sample
from cityverse.map.features import Feature, Report, write

# Around the Cité: both arms of the river, islands, boulevards, gardens, monuments.
CENTRE = shapely.Point(known.to_metres([[2.3470, 48.8530]])[0]).buffer(1000)


def generated(within=CENTRE, seed: int = sample.SEED) -> list[Feature]:
    return list(sample.features(within, Report(), seed))


@pytest.fixture(scope="module")
def cite() -> list[Feature]:
    return generated()


def shapes(features: list[Feature], kind: str) -> np.ndarray:
    return np.array([f.shape for f in features if f.kind == kind], dtype=object)


def lines(features: list[Feature]) -> str:
    text = io.StringIO()
    write(features, "sample", text)
    return text.getvalue()


def encroaching(houses: np.ndarray, ground: shapely.Geometry) -> int:
    """How many houses take more than a square metre of ground that must stay free."""
    tree = shapely.STRtree(houses)
    touching = houses[tree.query(ground, predicate="intersects")]
    return int((shapely.area(shapely.intersection(touching, ground)) > 1).sum())


def check_free_ground(features: list[Feature]) -> None:
    houses = shapes(features, "house")
    shapely.prepare(houses)
    streets = shapely.union_all([axis.area for axis in (*known.streets(), *known.rails())])
    parks = shapely.union_all([park.shape for park in known.parks()])
    assert encroaching(houses, known.water()) == 0
    assert encroaching(houses, parks) == 0
    # Fronts are straightened, so a corner may stand a little in a bend.
    assert encroaching(houses, streets) <= 0.002 * len(houses)
    inside = shapely.contains(known.land(), shapely.centroid(houses))
    assert inside.all()


def test_the_same_district_every_time(cite):
    assert lines(generated()) == lines(cite)


def test_another_seed_gives_another_city(cite):
    assert lines(generated(seed=76)) != lines(cite)


def test_a_district_is_built_densely(cite):
    kinds = Counter(feature.kind for feature in cite)
    assert kinds["house"] > 2500
    assert kinds["block"] > 200
    assert kinds["monument"] > 30


def test_nothing_stands_in_water_parks_or_streets(cite):
    check_free_ground(cite)


def test_the_islands_are_built(cite):
    houses = shapely.STRtree(shapes(cite, "house"))
    saint_louis = shapely.Point(known.to_metres([[2.3566, 48.8517]])[0]).buffer(250)
    assert len(houses.query(saint_louis, predicate="intersects")) > 40


def test_heights_are_those_of_paris(cite):
    houses = [f for f in cite if f.kind == "house"]
    assert all(6 <= f.height <= 75 and f.min_height == 0 for f in houses)
    assert all(f.levels == max(1, round(f.height / sample.STOREY)) for f in houses)
    assert 17 < np.median([f.height for f in houses]) < 23
    monuments = [f for f in cite if f.kind == sample.MONUMENT]
    assert all(0 <= f.min_height < f.height <= 330 and f.name for f in monuments)


def test_houses_are_sound_and_do_not_overlap(cite):
    houses = shapes(cite, "house")
    assert shapely.is_valid(houses).all()
    assert (shapely.area(houses) > 10).all()
    covered = shapely.union_all(houses).area
    assert shapely.area(houses).sum() < 1.01 * covered


def test_blocks_stand_for_their_houses_far_away_and_keep_their_courtyards(cite):
    blocks, houses = shapes(cite, "block"), shapes(cite, "house")
    assert {f.zooms for f in cite if f.kind == "block"} == {sample.FAR}
    assert {f.zooms for f in cite if f.kind == "house"} <= {sample.NEAR, sample.ALWAYS}
    assert sample.FAR[1] + 1 == sample.NEAR[0]
    built = shapely.area(houses).sum() / shapely.area(blocks).sum()
    assert 0.5 < built < 0.9


def test_no_building_outside_of_a_district():
    nowhere = shapely.Point(0, 30_000).buffer(500)
    assert generated(nowhere) == []


@pytest.mark.slow
def test_the_whole_city():
    first, again = generated(None), generated(None)
    digests = {hashlib.sha256(lines(city).encode()).hexdigest() for city in (first, again)}
    assert len(digests) == 1
    kinds = Counter(feature.kind for feature in first)
    assert 90_000 <= kinds["house"] <= 130_000
    assert len({f.name for f in first if f.kind == sample.MONUMENT}) == len(known.monuments())
    check_free_ground(first)
