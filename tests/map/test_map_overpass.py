"""Buildings out of Overpass answers, whatever form and state they are in."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import shapely
from map_helpers import answer, degrees, ring, square, way

from cityverse.errors import MapInputUnreadable
from cityverse.map import overpass, values
from cityverse.map.features import Feature, Report


def read(folder: Path, *elements, **more) -> tuple[list[Feature], Report]:
    report = Report()
    return overpass.read(answer(folder, elements, **more), report), report


def only(folder: Path, *elements) -> Feature:
    features, _ = read(folder, *elements)
    assert len(features) == 1
    return features[0]


def relation(number: int, *members: tuple[str, list], **tags: str) -> dict:
    return {
        "type": "relation",
        "id": number,
        "tags": {"type": "multipolygon", "building": "yes"} | tags,
        "members": [
            {"type": "way", "ref": 900 + n, "role": role, "geometry": geometry}
            for n, (role, geometry) in enumerate(members)
        ],
    }


def test_a_way_with_its_geometry(tmp_path):
    house = only(tmp_path, way(1, square(20), height="21.5", name="Mairie"))
    assert house.shape.area == pytest.approx(400, rel=1e-3)
    assert (house.height, house.min_height, house.levels) == (21.5, 0, 7)
    assert (house.name, house.kind) == ("Mairie", "yes")


def test_a_way_by_its_nodes(tmp_path):
    corners = [(0, 0), (30, 0), (30, 10), (0, 10)]
    nodes = [{"type": "node", "id": n, **degrees(*at)} for n, at in enumerate(corners, 1)]
    bare = {"type": "way", "id": 7, "nodes": [1, 2, 3, 4, 1], "tags": {"building": "house"}}
    house = only(tmp_path, *nodes, bare)
    assert house.shape.area == pytest.approx(300, rel=1e-3)
    assert house.kind == "house"


def test_a_relation_with_a_courtyard_and_an_outer_ring_in_two_pieces(tmp_path):
    left = ring((0, 0), (0, 40), (20, 40))[:3]
    right = ring((20, 40), (40, 40), (40, 0), (0, 0))[:4]
    house = only(
        tmp_path,
        relation(5, ("outer", left), ("outer", right), ("inner", square(10, 10, 10))),
    )
    assert house.shape.area == pytest.approx(1600 - 100, rel=1e-3)
    assert len(house.shape.interiors) == 1


def test_a_relation_by_the_nodes_of_its_ways(tmp_path):
    corners = [(0, 0), (30, 0), (30, 30), (0, 30), (10, 10), (20, 10), (20, 20), (10, 20)]
    nodes = [{"type": "node", "id": n, **degrees(*at)} for n, at in enumerate(corners)]
    ways = [
        {"type": "way", "id": 10, "nodes": [0, 1, 2, 3, 0]},
        {"type": "way", "id": 11, "nodes": [4, 5, 6, 7, 4]},
    ]
    members = [
        {"type": "way", "ref": 10, "role": "outer"},
        {"type": "way", "ref": 11, "role": "inner"},
    ]
    tags = {"type": "multipolygon", "building": "yes"}
    whole = {"type": "relation", "id": 1, "tags": tags, "members": members}
    assert only(tmp_path, *nodes, *ways, whole).shape.area == pytest.approx(800, rel=1e-3)


def test_the_outline_of_a_relation_is_not_drawn_a_second_time(tmp_path):
    outline = way(900, square(40))
    whole = relation(5, ("outer", square(40)), ("inner", square(10, 10, 10)))
    features, report = read(tmp_path, outline, whole)
    assert [len(f.shape.interiors) for f in features] == [1]
    assert report.skipped == {"outline of a relation": 1}


def test_several_outer_rings(tmp_path):
    house = only(tmp_path, relation(5, ("outer", square(10)), ("outer", square(10, 30))))
    assert house.shape.geom_type == "MultiPolygon"
    assert house.shape.area == pytest.approx(200, rel=1e-3)


def test_parts_take_the_place_of_the_whole(tmp_path):
    low = way(2, square(20), min_height="0", height="10", **{"building:part": "yes"})
    high = way(3, square(20, 20), min_height="10", height="30", **{"building:part": "yes"})
    for part in (low, high):
        del part["tags"]["building"]
    whole = way(1, ring((0, 0), (40, 0), (40, 20), (0, 20)), height="30")
    features, report = read(tmp_path, whole, low, high)
    assert sorted((f.min_height, f.height) for f in features) == [(0, 10), (10, 30)]
    assert report.skipped == {"drawn by its parts": 1}
    assert (report.read, report.kept) == (3, 2)


def test_a_part_beside_a_whole_leaves_it(tmp_path):
    part = way(2, square(5), **{"building:part": "yes"})
    features, _ = read(tmp_path, way(1, square(40)), part)
    assert len(features) == 2


@pytest.mark.parametrize("key", ["building", "building:part"])
def test_what_says_no_is_no_building(tmp_path, key):
    element = way(1, square())
    element["tags"] = {key: "no"}
    assert read(tmp_path, element) == ([], Report())


def test_a_self_crossing_ring_is_repaired(tmp_path):
    features, report = read(tmp_path, way(1, ring((0, 0), (20, 20), (20, 0), (0, 20))))
    assert report.repaired == 1
    assert features[0].shape.is_valid
    assert features[0].shape.area == pytest.approx(200, rel=1e-3)


def test_a_self_crossing_ring_of_a_relation_is_repaired(tmp_path):
    house = only(tmp_path, relation(5, ("outer", ring((0, 0), (20, 20), (20, 0), (0, 20)))))
    assert house.shape.is_valid
    assert house.shape.area == pytest.approx(200, rel=1e-3)


def test_the_same_building_again_is_left_out(tmp_path):
    turned = [*square()[2:], *square()[1:3]]
    _, report = read(tmp_path, way(1, square()), way(2, turned))
    assert report.kept == 1
    assert report.skipped == {"the same shape again": 1}


BROKEN = {
    "open": way(1, square()[:-1]),
    "two points": way(1, square()[:2]),
    "no points": way(1, []),
    "no geometry": {"type": "way", "id": 1, "tags": {"building": "yes"}},
    "unknown nodes": {"type": "way", "id": 1, "nodes": [5, 6, 7, 5], "tags": {"building": "yes"}},
    "nodes of another form": {"type": "way", "id": 1, "nodes": {}, "tags": {"building": "yes"}},
    "all in one point": way(1, [degrees(0, 0)] * 5),
    "tiny": way(1, square(0.5)),
    "text": way(1, ["a", "b", "c", "a"]),
    "words for numbers": way(1, [{"lon": "east", "lat": "north"}] * 4),
    "null": way(1, [None, None, None, None]),
    "not a number": way(1, [*square()[:2], {"lon": float("nan"), "lat": 48.85}, *square()[2:]]),
    "huge": way(1, ring((0, 0), (1e30, 0), (1e30, 1e30), (0, 1e30))),
    "infinite": way(1, [*square()[:2], {"lon": float("inf"), "lat": 48.85}, *square()[2:]]),
    "more than a float holds": way(1, [{"lon": 10**400, "lat": 48.85}] * 4),
    "relation without members": {"type": "relation", "id": 1, "tags": {"building": "yes"}},
    "relation with odd members": {
        "type": "relation",
        "id": 1,
        "tags": {"building": "yes"},
        "members": [5, None, {"type": "way"}],
    },
    "relation with open rings": relation(1, ("outer", square()[:3]), ("outer", square()[:2])),
    "relation with members by a list": {
        "type": "relation",
        "id": 1,
        "tags": {"building": "yes"},
        "members": [{"type": "way", "ref": [1], "role": "outer"}],
    },
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_building_is_counted_and_hurts_no_other(tmp_path, broken):
    features, report = read(tmp_path, broken, way(2, square(30)))
    assert len(features) == 1
    assert features[0].shape.area == pytest.approx(900, rel=1e-3)
    assert (report.read, report.kept, report.skipped.total()) == (2, 1, 1)


@pytest.mark.parametrize(
    "element",
    [
        None,
        5,
        [],
        {},
        {"type": "node"},
        {"type": [], "id": 1},
        {"type": "way", "id": []},
        {"type": "way", "id": 1, "tags": []},
        {"type": "node", "id": 4, "lon": None, "lat": None},
        {"type": "area", "id": 1, "tags": {"building": "yes"}},
    ],
)
def test_elements_of_another_form_are_passed_over(tmp_path, element):
    assert only(tmp_path, element, way(2, square(30)))


@pytest.mark.parametrize(
    ("tags", "height", "levels"),
    [
        ({"height": "12"}, 12, 4),
        ({"height": "12 m"}, 12, 4),
        ({"height": "12m"}, 12, 4),
        ({"height": "12,5"}, 12.5, 4),
        ({"height": " 12.5 metres "}, 12.5, 4),
        ({"height": "39'4\""}, 12.0, 4),
        ({"height": "40 ft"}, 12.2, 4),
        ({"height": "12", "building:levels": "3"}, 12, 3),
        ({"building:levels": "6"}, 18.6, 6),
        ({"building:levels": "6", "roof:levels": "1"}, 21.7, 6),
        ({"building:levels": "2.5"}, 7.8, 2),
        ({"height": "-5", "building:levels": "4"}, 12.4, 4),
        ({"height": "9999", "building:levels": "4"}, 12.4, 4),
        ({"height": "abc"}, 18, 6),
        ({"height": "12;14"}, 18, 6),
        ({"height": ""}, 18, 6),
        ({"height": "1e3"}, 18, 6),
        ({"height": "9" * 5000}, 18, 6),
        ({"building:levels": "1000"}, 18, 6),
        ({"building:levels": "-2"}, 18, 6),
        ({"height": 12}, 12, 4),
        ({"height": None, "building:levels": ["6"]}, 18, 6),
        ({}, 18, 6),
    ],
)
def test_heights_in_all_spellings(tmp_path, tags, height, levels):
    house = only(tmp_path, way(1, square(), **tags))
    assert (house.height, house.levels) == (pytest.approx(height), levels)


def test_the_base_of_a_part(tmp_path):
    tags = {"building:min_level": "2", "building:levels": "5"}
    assert only(tmp_path, way(1, square(), **tags)).min_height == 6.2
    senseless = way(1, square(), min_height="30", height="20")
    assert only(tmp_path, senseless).min_height == 0


def test_the_real_answer(shared: Path):
    report = Report()
    path = shared / "data/buildings/osm_ile_cite.overpass.json"
    features = overpass.read(path, report)
    ways = [e for e in json.loads(path.read_text("utf-8"))["elements"] if "tags" in e]
    assert sum("building" in e["tags"] for e in ways) == 881
    parts = sum("building:part" in e["tags"] and "building" not in e["tags"] for e in ways)
    assert report.read == 881 + parts
    assert report.kept == len(features) == report.read - report.skipped.total()
    assert len(features) == report.read
    assert all(f.shape.is_valid and 1 <= f.height <= 400 for f in features)
    # Levels are tagged on four of five.
    assert sum(f.height != values.DEFAULT_HEIGHT for f in features) > 0.7 * len(features)
    assert Counter(f.name for f in features)["Cathédrale Notre-Dame de Paris"] <= 1
    centre = shapely.union_all([f.shape for f in features]).centroid
    assert centre.distance(shapely.Point(0, 0)) < 800


def refused(path: Path) -> str:
    with pytest.raises(MapInputUnreadable) as failure:
        overpass.read(path, Report())
    return str(failure.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<osm></osm>",
        b"\xff\xfe\x00garbage",
        b"\x00" * 100,
        b'{"elements": [{"type": "way", "id": 1, "geom',
        b"[" * 100_000,
        b"[1, 2]",
        b'{"features": []}',
        b'{"elements": {}}',
        b'{"elements": null}',
        b"null",
        b"7" * 10_000,
    ],
)
def test_what_is_no_answer_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "answer.json"
    path.write_bytes(content)
    said = refused(path)
    assert str(path) in said
    assert "\n" not in said


def test_an_answer_that_overpass_broke_off_is_refused(tmp_path):
    remark = 'runtime error: Query timed out in "query" at line 3 after 180 seconds.'
    assert "timed out" in refused(answer(tmp_path, [way(1, square())], remark=remark))


def test_a_file_that_is_missing_or_none_is_refused(tmp_path):
    assert "nothing.json" in refused(tmp_path / "nothing.json")
    assert refused(tmp_path)
    # A device never ends.
    assert refused(Path("/dev/zero"))


def test_a_file_over_the_limit_is_not_read(tmp_path):
    path = tmp_path / "answer.json"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)
    assert "larger than" in refused(path)
