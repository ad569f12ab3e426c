"""The coarse facts of Paris, checked in themselves and against open data."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from cityverse.map import base, known, monuments

STATIONS = {
    "Gare du Nord": "Gare du Nord",
    "Gare de l'Est": "Gare de l'Est",
    "Gare Saint-Lazare": "Saint-Lazare",
    "Gare de Lyon": "Gare de Lyon",
    "Gare d'Austerlitz": "Gare d'Austerlitz",
    "Gare Montparnasse": "Montparnasse",
}
MUSEUMS = {
    "Pyramide du Louvre": "MUSEE DU LOUVRE",
    "Musée d'Orsay": "MUSEE ORSAY ORANGERIE",
    "Opéra Bastille": "OPÉRA NATIONAL DE PARIS",
    "Palais de Chaillot, aile Paris": "CITÉ DE L'ARCHITECTURE ET DU PATRIMOINE",
    "Cité des sciences": "ÉTABLISSEMENT PUBLIC DU PALAIS DE LA DÉCOUVERTE ET DE LA CITÉ DES"
    " SCIENCES ET DE L'INDUSTRIE - UNIVERSCIENCE",
}
BUILDINGS = {
    "Notre-Dame de Paris": "Cathédrale Notre-Dame de Paris",
    "Tour Saint-Jacques": "Tour Saint-Jacques",
}


def test_the_arrondissements_cover_paris_without_overlap():
    areas = [area.shape for area in known.arrondissements()]
    assert len(areas) == 20
    assert all(area.is_valid and area.geom_type == "Polygon" for area in areas)
    assert all(len(area.exterior.coords) <= 61 for area in areas)
    assert sum(area.area for area in areas) == pytest.approx(known.land().area, rel=1e-6)
    assert known.land().area == pytest.approx(105.4e6, rel=0.03)  # km² with both woods


def test_centres_lie_well_inside_their_arrondissement():
    for number, area in enumerate(known.arrondissements(), 1):
        lat, lon = known.centre(number)
        point = shapely.Point(known.to_metres([[lon, lat]])[0])
        assert area.shape.boundary.distance(point) > 200
        assert area.shape.contains(point)


def test_metres_and_degrees_are_each_others_inverse():
    there = np.array([[2.2945, 48.8584], [2.3522, 48.8566]])
    back = known.to_degrees(known.to_metres(there))
    assert back == pytest.approx(there, abs=1e-9)
    # From the Eiffel Tower to the town hall, along a great circle.
    east, north = np.diff(known.to_metres(there), axis=0)[0]
    assert math.hypot(east, north) == pytest.approx(4237, rel=0.005)


def test_the_islands_are_dry_and_the_river_is_wet():
    places = {"Cité": (2.3470, 48.8548), "Saint-Louis": (2.3566, 48.8517)}
    for name, point in places.items():
        assert not known.water().contains(shapely.Point(known.to_metres([point])[0])), name
    for name, point in {"Pont Neuf": (2.3395, 48.8583), "Bercy": (2.3745, 48.8373)}.items():
        here = shapely.Point(known.to_metres([point])[0])
        assert known.water().distance(here) < 60, name


def test_bridges_reach_both_banks():
    dry = [b.name for b in known.bridges() if known.water().covers(b.line.boundary)]
    assert dry == []
    assert all(b.line.intersects(known.water()) for b in known.bridges())


def test_every_monument_has_a_solid_of_its_height():
    for monument in known.monuments():
        parts = monuments.parts(monument)
        assert min(part.base for part in parts) == 0
        top = max(part.top for part in parts)
        assert top >= monument.height - 0.1, monument.name
        for part in parts:
            assert part.top > part.base, monument.name
            assert shapely.Polygon(part.ring).is_valid, monument.name


def test_well_known_heights():
    heights = {m.name: m.height for m in known.monuments()}
    assert heights["Tour Eiffel"] == 330
    assert heights["Tour Montparnasse"] == 210
    assert 48 <= heights["Arc de Triomphe"] <= 52


def test_an_arch_can_be_walked_through():
    arch = next(m for m in known.monuments() if m.name == "Arc de Triomphe")
    middle = shapely.Point(arch.x, arch.y)
    over = [p for p in monuments.parts(arch) if shapely.Polygon(p.ring).contains(middle)]
    assert over
    assert min(part.base for part in over) > 20


def test_the_outlines_agree_with_the_open_data(shared: Path):
    text = (shared / "data/boundaries/arrondissements.geojson").read_text(encoding="utf-8")
    for feature in json.loads(text)["features"]:
        number = feature["properties"]["c_ar"]
        real = shapely.transform(shape(feature["geometry"]), known.to_metres)
        ours = known.arrondissements()[number - 1].shape
        assert ours.symmetric_difference(real).area < 0.03 * real.area, number


def test_monuments_stand_where_the_open_data_has_them(shared: Path):
    places = {m.name: shapely.Point(m.x, m.y) for m in known.monuments()}
    found = set()
    for name, lon, lat in _open_places(shared / "data"):
        here = shapely.Point(known.to_metres([[lon, lat]])[0])
        # An entrance or a platform is not the middle of a building.
        found |= {n for n in _names(name) if places[n].distance(here) < 200}
    assert found == {*STATIONS, *MUSEUMS, *BUILDINGS, "Tour Eiffel"}


def _names(theirs: str) -> list[str]:
    tables = (STATIONS, MUSEUMS, BUILDINGS, {"Tour Eiffel": "Tour Eiffel"})
    return [ours for table in tables for ours, other in table.items() if other in theirs]


def _open_places(data: Path) -> Iterator[tuple[str, float, float]]:
    stations = json.loads((data / "stations/emplacement-des-gares-idf.geojson").read_text("utf-8"))
    for feature in stations["features"]:
        yield feature["properties"]["nom_gares"], *feature["geometry"]["coordinates"][:2]
    museums = "poi/liste_des_etablissements_publics_culture.geojson"
    for feature in json.loads((data / museums).read_text("utf-8"))["features"]:
        if feature["geometry"]:
            yield feature["properties"]["structure"], *feature["geometry"]["coordinates"]
    osm = json.loads((data / "buildings/osm_ile_cite.overpass.json").read_text("utf-8"))
    for element in osm["elements"]:
        if "name" in element.get("tags", {}) and element.get("geometry"):
            line = [(p["lon"], p["lat"]) for p in element["geometry"]]
            middle = shapely.MultiPoint(line).convex_hull.centroid
            yield element["tags"]["name"], middle.x, middle.y
    for row in (data / "poi/geotaste_landmarks.csv").read_text("utf-8").splitlines()[1:]:
        cells = row.split(",")
        if cells[0] == "Tour Eiffel":
            yield cells[0], float(cells[3]), float(cells[2])


def test_the_number_of_an_arrondissement_stands_in_it_and_beside_the_names_of_monuments():
    labels = json.loads(gzip.decompress(base.gzipped("labels")))["features"]
    names = {f["properties"]["name"]: f["geometry"]["coordinates"] for f in labels}
    numbers = [n for n in names if n[0].isdigit()]
    assert len(numbers) == 20
    monuments = [known.to_metres([at[:2]])[0] for n, at in names.items() if n not in numbers]
    for area, number in zip(known.arrondissements(), numbers, strict=True):
        x, y = known.to_metres([names[number]])[0]
        assert area.shape.contains(shapely.Point(x, y)), number
        assert not known.water().contains(shapely.Point(x, y)), number
        assert all(abs(x - far) > 250 or abs(y - up) > 200 for far, up in monuments), number
