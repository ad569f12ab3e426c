"""Buildings out of GeoJSON files: every form, every projection, every kind of damage."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
from map_helpers import LAT, LON, decoded

from cityverse.errors import MapInputUnreadable
from cityverse.map import geojson, known, values
from cityverse.map.build import Input, build
from cityverse.map.clean import cleaned
from cityverse.map.features import Feature, Report
from cityverse.map.geojson import NO_PROPERTIES, Properties

ROOT = Path(__file__).parents[2]


def ring(side: float = 20, east: float = 0, north: float = 0) -> list[list[float]]:
    corners = [(0, 0), (side, 0), (side, side), (0, side), (0, 0)]
    return known.to_degrees(np.array([[east + x, north + y] for x, y in corners])).tolist()


def house(rings: list[Any] | None = None, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [ring()] if rings is None else rings}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: Any, **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features)} | more).encode()


def read(
    folder: Path, data: bytes, properties: Properties = NO_PROPERTIES
) -> tuple[list[Feature], Report]:
    path = folder / "file.geojson"
    path.write_bytes(data)
    report = Report()
    raw = geojson.read(path, properties, report)
    return list(cleaned(raw, report, refs_are_unique=False)), report


def refused(folder: Path, data: bytes) -> str:
    with pytest.raises(MapInputUnreadable) as failure:
        read(folder, data)
    assert "\n" not in str(failure.value)
    return str(failure.value)


TWO = (house(height=12), house([ring(30, 100)], height=9))
LINES = "\n".join(map(json.dumps, TWO)).encode()
FORMS = {
    "collection": collection(*TWO),
    "collection with a name first": collection(*TWO, name="x", crs={"type": "name"}),
    "features before the type": json.dumps(
        {"features": list(TWO), "type": "FeatureCollection"}
    ).encode(),
    "lines": LINES,
    "lines with separators": b"".join(b"\x1e" + line + b"\n" for line in LINES.splitlines()),
    "lines without an end": LINES + b"\r\n\r\n",
    "side by side": LINES.replace(b"\n", b""),
    "one feature over many lines": json.dumps(TWO[0], indent=2).encode()
    + json.dumps(TWO[1], indent=2).encode(),
    "properties first": "\n".join(
        json.dumps(dict(sorted(f.items(), reverse=True))) for f in TWO
    ).encode(),
    "with a mark of UTF-8": b"\xef\xbb\xbf" + collection(*TWO),
    "packed": gzip.compress(collection(*TWO)),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_every_form_of_file(tmp_path, data):
    features, report = read(tmp_path, data)
    assert [(f.height, round(f.shape.area)) for f in features] == [(12, 400), (9, 900)]
    assert (report.read, report.skipped.total()) == (2, 0)


def test_courtyards_several_parts_and_altitudes(tmp_path):
    court = house([ring(40), ring(10, 15, 15)[::-1]])
    two = house()
    high = [[*point, 35.5] for point in ring(20, 200)]
    two["geometry"] = {"type": "MultiPolygon", "coordinates": [[high], [ring(10, 300)]]}
    features, _ = read(tmp_path, collection(court, two))
    assert [round(f.shape.area) for f in features] == [1500, 500]
    assert len(features[0].shape.interiors) == 1
    assert not features[1].shape.has_z


def test_properties_by_their_usual_names(tmp_path):
    (one,), _ = read(
        tmp_path, collection(house(hauteur=21.5, nombre_d_etages=7, cleabs="B1", nom="Mairie"))
    )
    assert (one.height, one.levels, one.ref, one.name) == (21.5, 7, "B1", "Mairie")


def test_properties_by_names_that_are_given(tmp_path):
    given = Properties(height="H", levels="E", id="code", name="titre")
    facts = {"H": "15 m", "E": "3", "code": 5, "titre": "École", "height": 99, "id": 7, "name": "x"}
    (one,), _ = read(tmp_path, collection(house(**facts)), given)
    assert (one.height, one.levels, one.ref, one.name) == (15, 3, "5", "École")


@pytest.mark.parametrize(
    ("height", "levels", "made", "senseless"),
    [
        (12, None, 12, 0),
        ("12 m", None, 12, 0),
        ("12,5", None, 12.5, 0),
        (None, 4, 12.4, 0),
        (None, "R+3", 12.4, 0),
        (None, "R", 3.1, 0),
        (None, 4.0, 12.4, 0),
        ("", "4", 12.4, 0),
        (-5, 4, 12.4, 1),
        (9999, 4, 12.4, 1),
        ("tall", 4, 12.4, 1),
        (True, 4, 12.4, 1),
        ([12], 4, 12.4, 1),
        (-5, None, 18, 1),
        (None, -2, 18, 0),
        (None, 1e300, 18, 0),
        (None, None, 18, 0),
    ],
)
def test_heights_of_every_kind_are_used_or_counted(tmp_path, height, levels, made, senseless):
    (one,), report = read(tmp_path, collection(house(height=height, levels=levels)))
    assert one.height == pytest.approx(made)
    assert report.noted["heights without sense"] == senseless
    assert report.noted["of usual height, for want of a better"] == (made == 18)


def projected(code: int) -> bytes:
    project = pyproj.Transformer.from_crs(4326, code, always_xy=True)
    rings = [[list(project.transform(*point)) for point in ring(20, x)] for x in (0, 100)]
    return collection(*(house([r]) for r in rings))


@pytest.mark.parametrize("code", [4326, 2154, 3857])
def test_projections_are_recognised(tmp_path, code):
    features, report = read(tmp_path, projected(code))
    assert report.skipped.total() == 0
    assert [round(f.shape.area) for f in features] == [400, 400]
    first = features[0].shape.centroid
    assert (first.x, first.y) == (pytest.approx(10, abs=0.5), pytest.approx(10, abs=0.5))


def test_latitude_first_is_recognised(tmp_path):
    turned = [[lat, lon] for lon, lat in ring()]
    (one,), _ = read(tmp_path, collection(house([turned])))
    assert one.shape.centroid.x == pytest.approx(10, abs=0.5)


def test_a_projection_that_is_not_known_is_said_in_words(tmp_path):
    # The old Lambert zone I, as the city's surveyors used it.
    said = refused(tmp_path, collection(house([[[600000, 125000 + n] for n in range(5)]])))
    assert "600000, 125000" in said
    assert "Lambert-93" in said


def test_what_lies_elsewhere_is_counted(tmp_path):
    elsewhere = [house([ring(20, 9000)]), house([[[10, 50], [10.1, 50], [10, 50.1], [10, 50]]])]
    features, report = read(tmp_path, collection(*elsewhere, house()))
    assert len(features) == 1
    assert report.skipped == {
        "outside Paris": 1,
        "outside Paris, or of an unknown projection": 1,
    }


BROKEN = {
    "no feature": (5, "no area"),
    "null": (None, "no area"),
    "no geometry": ({"type": "Feature", "properties": {}, "geometry": None}, "no area"),
    "a point": (
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [LON, LAT]}},
        "no area",
    ),
    "geometry of another form": ({"type": "Feature", "geometry": [1]}, "no area"),
    "no coordinates": ({"type": "Feature", "geometry": {"type": "Polygon"}}, "broken geometry"),
    "empty": (house([]), "broken geometry"),
    "an empty ring": (house([[]]), "broken geometry"),
    "two points": (house([ring()[:2]]), "broken geometry"),
    "words": (house([[["east", "north"]] * 4]), "broken geometry"),
    "a hole in words": (house([ring(), [["a", "b"]] * 4]), "broken geometry"),
    "null inside": (house([[*ring()[:2], None, *ring()[2:]]]), "broken geometry"),
    "more than a float holds": (house([[*ring()[:2], [1e308, 1e308], *ring()[2:]]]), None),
    "all in one point": (house([[[LON, LAT]] * 5]), "no area"),
    "tiny": (house([ring(0.5)]), "no area"),
    "a sliver": (
        house([[[LON, LAT], [LON + 0.01, LAT], [LON + 0.01, LAT + 1e-7], [LON, LAT + 1e-7]]]),
        "slivers",
    ),
}


@pytest.mark.parametrize(("broken", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_building_is_counted_and_hurts_no_other(tmp_path, broken, reason):
    features, report = read(tmp_path, collection(broken, house([ring(30)])))
    if reason is not None:
        assert report.skipped == {reason: 1}
    assert features[-1].shape.area == pytest.approx(900, rel=1e-2)


def test_crossing_rings_are_repaired_and_doubles_left_out(tmp_path):
    bow = ring()
    bow[1], bow[2] = bow[2], bow[1]
    same = house([ring(20, 100)[2:] + ring(20, 100)[1:3]])
    features, report = read(
        tmp_path,
        collection(
            house([bow]),
            house([ring(20, 100)]),
            same,
            house([ring(20, 200)], id="a"),
            house([ring(20, 300)], id="a"),
        ),
    )
    assert [f.ref for f in features] == [None, None, "a", None]
    assert report.repaired == 1
    assert report.skipped == {"the same shape again": 1}
    assert report.noted["names given twice"] == 1


@pytest.mark.parametrize(
    ("value", "made"),
    [("\ud800x\u2028y", "x y"), (5, "5"), (2.5, "2.5"), (10**400, None), (True, None), ([], None)],
)
def test_texts_are_fit_for_tiles(value, made):
    assert values.text(value) == made


def test_blank_names_are_none(tmp_path):
    features, _ = read(tmp_path, collection(house(id=" "), house([ring(20, 100)], id=" ", name="")))
    assert [(f.ref, f.name) for f in features] == [(None, None)] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not JSON",
        b"\x00" * 1000,
        b"\x1f\x8b no gzip",
        gzip.compress(collection(*TWO))[:-20],
        b"[]",
        b"7",
        b'{"elements": []}',
        b'{"type": "FeatureCollection"',
        json.dumps(TWO[0]["geometry"]).encode(),
        b"<gml/>",
        b'{"a":' * 100_000,
        b"\xff\xfe{",
    ],
)
def test_what_is_no_geojson_is_refused_in_one_line(tmp_path, data):
    assert "file.geojson" in refused(tmp_path, data)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("form", ["collection", "lines"])
def test_half_a_file_is_refused_with_what_was_read(tmp_path, form, share):
    many = [house([ring(20, 30 * n)]) for n in range(20)]
    data = (
        collection(*many)
        if form == "collection"
        else b"\n".join(json.dumps(f).encode() for f in many)
    )
    said = refused(tmp_path, data[: int(len(data) * share)])
    number = int(re.search(r"after (\d+) features", said)[1])
    assert abs(number - 20 * share) <= 1


INSIDE = {
    "lists in lists": (b"[" * 200_000, "too deeply"),
    "objects in objects": (b'{"x":' * 200_000, "too deeply"),
    "a text without end": (b'"' + b"x" * 300_000, "after 1 features"),
    "a number without end": (b"9" * 100_000, "after 1 features"),
    "more than a float holds": (b"1e999999", "after 1 features"),
}


@pytest.mark.parametrize(("inner", "why"), INSIDE.values(), ids=INSIDE)
def test_a_feature_of_another_form_inside_is_refused_quickly(tmp_path, inner, why):
    start = collection(house())[:-2]
    said = refused(tmp_path, start + b', {"type": "Feature", "properties": {"height": ' + inner)
    assert why in said


def test_odd_texts_become_harmless(tmp_path):
    name = "a\x00b\n\ud800<b>" + "é" * 5000
    (one,), _ = read(tmp_path, collection(house(name=name)))
    assert one.name.startswith("a b ?<b>é")
    assert len(one.name) <= 120
    output = tmp_path / "g.mbtiles"
    build(Input("geojson", tmp_path / "file.geojson"), output)
    assert decoded(output, 14)[0]["properties"]["name"] == one.name


def test_a_feature_without_end_is_refused_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(geojson, "_PIECE_MOST", 2**20)
    start = collection(house())[:-2]
    said = refused(tmp_path, start + b', {"type": "Feature", "x": [' + b"1," * 2**21)
    assert "no feature within 1 MB" in said


def test_a_missing_file_or_none_is_refused(tmp_path):
    for path in (tmp_path / "nothing.geojson", tmp_path, Path("/dev/zero")):
        with pytest.raises(MapInputUnreadable, match="not there, or no file"):
            list(geojson.read(path, NO_PROPERTIES, Report()))


def test_the_citys_volumes_from_their_storeys(shared, tmp_path):
    source = shared / "data/buildings/volumesbatis_13e_ensapvs.geojson"
    output = tmp_path / "volumes.mbtiles"
    report = build(Input("geojson", source, attribution="© Ville de Paris"), output)
    # Some volumes are smaller than a square metre.
    assert (report.read, report.kept) == (335, 260)
    assert report.skipped == {"no area": 68, "slivers": 7}
    assert report.noted == {}
    found = {f["properties"]["id"]: f["properties"] for f in decoded(output, 14)}
    assert len(found) == report.kept
    facts = {
        str(f["properties"]["n_sq_vb"]): f["properties"]["h_et_max"]
        for f in json.loads(source.read_text("utf-8"))["features"]
    }
    for name, feature in found.items():
        assert feature["levels"] == facts[name] + 1
        assert feature["height"] == pytest.approx(3.1 * (facts[name] + 1), abs=0.06)
    named = build(Input("geojson", source, properties=Properties(levels="l_plan_h")), output)
    assert named.noted["of usual height, for want of a better"] > 200


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no figures of memory here")
def test_a_file_of_hundreds_of_megabytes_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "large.geojson"
    far = json.dumps(house([ring(20, 90_000)], note="x" * 25_000)).encode()
    with path.open("wb") as file:
        file.write(b'{"type": "FeatureCollection", "features": [' + json.dumps(house()).encode())
        for _ in range(100):
            file.write(b"".join(b"," + far for _ in range(170)))
        file.write(b"]}")
    assert path.stat().st_size > 400 * 2**20
    # Not ru_maxrss: a child's may be that of the process which started it.
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from cityverse.map.build import Input, build\n"
        "print(build(Input('geojson', Path(sys.argv[1])), Path(sys.argv[2])))\n"
        "status = Path('/proc/self/status').read_text().splitlines()\n"
        "print(*(line.split()[1] for line in status if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", script, str(path), str(tmp_path / "o.mbtiles")]
    said = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300
    ).stdout.splitlines()
    assert "1 kept" in said[0]
    assert int(said[1]) < 400 * 1024
