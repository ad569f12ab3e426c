"""Completing the gazetteer: files as their portals export them, and the portals on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cityverse import cli
from cityverse.errors import InputError, ToolError
from cityverse.news import opendata, places
from cityverse.news.compile import compile_rows
from cityverse.news.gazetteer import Outlines, load
from cityverse.news.judge import measure, read_set
from cityverse.news.locate import Locator
from cityverse.news.opendata import Sighting
from cityverse.news.places import CurrentLocator, Source, load_completed, update

# Invented names at real spots of Paris: in the 11th, the 18th and the 15th.
IN_11, IN_18, IN_15 = (48.8580, 2.3790), (48.8920, 2.3480), (48.8410, 2.3000)


def feature(point: tuple[float, float], **values: Any) -> dict[str, Any]:
    lat, lon = point
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": geometry, "properties": values}


def collection(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


def street(name: str, point: tuple[float, float] = IN_11) -> dict[str, Any]:
    """As the city's register of streets gives it: an outline, and a point as mapping."""
    lat, lon = point
    ring = [[lon + x, lat + y] for x, y in ((0, 0), (0.001, 0), (0.001, 0.001), (0, 0))]
    return {
        "type": "Feature",
        "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]},
        "properties": {
            "typo_min": name,
            "arrdt": "11e",
            "geo_point_2d": {"lon": lon, "lat": lat},
        },
    }


STREETS = collection(
    street("Rue des Lampions-Rouges"), street("Impasse du Merle"), street("Rue de Rivoli")
)
STATIONS = collection(
    feature(
        IN_18,
        nom_gares="Olga Farandole",
        nom_zdc="Olga Farandole",
        res_com="METRO 99",
        geo_point_2d={"lon": IN_18[1], "lat": IN_18[0]},
    ),
    feature((48.70, 2.10), nom_gares="Gare lointaine", nom_zdc=None, res_com="RER Z"),
)
OVERPASS = json.dumps(
    {
        "version": 0.6,
        "elements": [
            {
                "type": "node",
                "id": 1,
                "lat": IN_15[0],
                "lon": IN_15[1],
                "tags": {"amenity": "theatre", "name": "Le Lustre"},
            },
            {
                "type": "way",
                "id": 2,
                "center": {"lat": IN_15[0], "lon": IN_15[1]},
                "tags": {"amenity": "school", "name": "Lycée Ondine-Grandval"},
            },
            {"type": "way", "id": 3, "tags": {"amenity": "school", "name": "Lycée nulle part"}},
            {"type": "node", "id": 4, "lat": IN_15[0], "lon": IN_15[1]},
        ],
    }
)
FILMED = (
    "Identifiant du lieu;Localisation de la scène;Code postal;geo_point_2d\n"
    + "".join(
        f"{n};{n} bis, rue de la Verrière-Bleue, 75011 paris;75011;48.8581, 2.3791\n"
        for n in range(1, 4)
    )
    + "9;7 rue jamais revue;75011;48.8581, 2.3791\n"
)


def read(tmp_path: Path, name: str, text: str) -> tuple[str | None, list[Sighting]]:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8-sig")
    return opendata.read(file)


def test_streets_of_the_city(tmp_path: Path) -> None:
    what, sightings = read(tmp_path, "anything.geojson", STREETS)
    assert what == "streets of the city"
    assert [(s.name, s.type, s.arrondissement) for s in sightings[:2]] == [
        ("Rue des Lampions-Rouges", "street", 11),
        ("Impasse du Merle", "street", 11),
    ]
    assert len(sightings[0].points) == 4
    assert sightings[0].points[0] == pytest.approx(IN_11)


def test_exports_in_other_forms_say_the_same(tmp_path: Path) -> None:
    record = {"l_longmin": "Rue du Merle", "geom_x_y": [48.858, 2.379], "c_ar": "11"}
    for name, text in {
        "list.json": json.dumps([record]),
        "records.json": json.dumps({"records": [{"recordid": "x", "fields": record}]}),
        "semicolon.csv": 'l_longmin;geom_x_y\nRue du Merle;"48.858, 2.379"\n',
        "comma.csv": 'geom_x_y,l_longmin\n"48.858,2.379",Rue du Merle\n',
        "shape.csv": (
            "l_longmin;geo_shape\n"
            'Rue du Merle;"{""coordinates"": [[2.379, 48.858]], ""type"": ""LineString""}"\n'
        ),
    }.items():
        what, sightings = read(tmp_path, name, text)
        assert what == "streets of the city", name
        assert [(s.name, s.points) for s in sightings] == [("Rue du Merle", ((48.858, 2.379),))]


def test_stations_and_openstreetmap(tmp_path: Path) -> None:
    what, sightings = read(tmp_path, "s.geojson", STATIONS)
    assert (what, [s.name for s in sightings]) == ("stations", ["Olga Farandole", "Gare lointaine"])
    what, sightings = read(tmp_path, "o.json", OVERPASS)
    assert what == "OpenStreetMap"
    assert [(s.name, s.type) for s in sightings] == [
        ("Théâtre Le Lustre", "venue"),
        ("Lycée Ondine-Grandval", "school"),
    ]


@pytest.mark.parametrize(
    ("address", "street"),
    [
        ("12 rue cantagrel, 75013 paris", "rue cantagrel"),
        ("12-14 bis, R DE RIVOLI 75001 PARIS", "rue DE RIVOLI"),
        ("Bd_Haussmann", "boulevard Haussmann"),
        ("  3 ter avenue Foch (angle)", "avenue Foch"),
        ("parking souterrain", None),
        ("rue", None),
        ("12", None),
        ("rue " + "de la " * 40, None),
    ],
)
def test_the_street_in_an_address(address: str, street: str | None) -> None:
    assert opendata.street_of(address) == street


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "{", "\ufeff\ufeffnull", '{"elements": 7}', "[[[]]]", '{"a": NaN}', ""]
)
def test_files_that_are_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    with contextlib.suppress(InputError):
        assert opendata.read(file) == (None, [])


def test_odd_values_are_left_out(tmp_path: Path) -> None:
    odd = [
        {"typo_min": 7, "geo_point_2d": [48.858, 2.379]},
        {"typo_min": "Rue " + "x" * 500, "geo_point_2d": [48.858, 2.379]},
        {"typo_min": "Rue sans lieu", "geo_point_2d": {"lat": "a", "lon": None}},
        {"typo_min": "Rue d'ailleurs", "geo_point_2d": [1e9, float("nan")]},
        {"typo_min": "Rue\n\tdu   Merle", "geo_point_2d": "48.858,2.379"},
    ]
    _, sightings = read(tmp_path, "odd.json", json.dumps(odd))
    assert [(s.name, len(s.points)) for s in sightings] == [
        ("Rue sans lieu", 0),
        ("Rue d'ailleurs", 0),
        ("Rue du Merle", 1),
    ]


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opendata, "LARGEST", 100)
    with pytest.raises(InputError, match="larger"):
        read(tmp_path, "s.geojson", STREETS)


def test_what_becomes_a_place() -> None:
    far = (48.8300, 2.3200)
    sightings = [
        Sighting("Rue du Merle", "street", (IN_11, (48.8584, 2.3794), (48.8588, 2.3798))),
        Sighting("RUE DU MERLE", "street", ((48.8586, 2.3796),), official=False),
        Sighting("rue rare", "street", (IN_11,), official=False),
        Sighting("Rue de Rivoli", "street", (IN_11,)),
        Sighting("Rue de Versailles-Loin", "street", ((48.80, 2.13),)),
        Sighting("Rue sans Point", "street", (), 11),
        Sighting("École du Centre", "school", (IN_11,)),
        Sighting("École du Centre", "school", (far,)),
        Sighting("PISCINE SAINT-MERRI DU MERLE", "pool", (IN_11,)),
    ]
    outcome = compile_rows(sightings, load(), Outlines())
    rows = {row.place.name: row.place for row in outcome.rows}
    assert set(rows) == {"Rue du Merle", "Rue sans Point", "Piscine Saint Merri du Merle"}
    assert rows["Rue du Merle"].arrondissements == (11,)
    assert rows["Rue du Merle"].lat in {48.8584, 48.8586}
    assert rows["Rue sans Point"].type == "unplaced"
    assert rows["Rue sans Point"].kind.precision == "arrondissement"
    assert dict(outcome.left_out) == {
        "known already": 1,
        "an address seen too seldom": 1,
        "outside Paris": 1,
        "several places of one name": 1,
    }


# --- from a folder ------------------------------------------------------------------------


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    folder = tmp_path / "exported"
    (folder / "deep").mkdir(parents=True)
    (folder / "voies.geojson").write_text(STREETS, encoding="utf-8")
    (folder / "deep" / "gares.geojson").write_text(STATIONS, encoding="utf-8")
    (folder / "osm.json").write_text(OVERPASS, encoding="utf-8")
    (folder / "tournages.csv").write_text(FILMED, encoding="utf-8")
    (folder / "readme.txt").write_text("no data", encoding="utf-8")
    (folder / "other.json").write_text('[{"a": 1}]', encoding="utf-8")
    return folder


def test_update_from_a_folder(tmp_path: Path, exported: Path) -> None:
    data = tmp_path / "data"
    steps: list[tuple[str, float]] = []
    report = update(data, input_dir=exported, told=lambda text, share: steps.append((text, share)))
    assert report.added.total() == 6
    assert not report.failed
    assert report.read["other.json"] == "not known, left aside"
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    locator = Locator(load_completed(data))
    for title, place in {
        "Incendie rue des Lampions-Rouges": "Rue des Lampions-Rouges",
        "rue de la verriere bleue, un bar ferme": "Rue de la Verrière-Bleue",
        "Le métro Olga-Farandole inondé": "Station Olga Farandole",
        "Au théâtre Le Lustre, un triomphe": "Théâtre Le Lustre",
        "Blocus au lycée Ondine-Grandval": "Lycée Ondine-Grandval",
        "Feu rue de Rivoli": "Rue de Rivoli",
    }.items():
        location = locator.locate(title, "")
        assert location is not None, title
        location.check()
        assert location.place.casefold() == place.casefold()
    assert Locator().locate("Incendie rue des Lampions-Rouges", "") is None


def test_a_folder_that_gives_nothing_changes_nothing(tmp_path: Path, exported: Path) -> None:
    data = tmp_path / "data"
    update(data, input_dir=exported)
    before = (data / "places" / places.TABLE).read_bytes()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no file of places"):
        update(data, input_dir=empty)
    with pytest.raises(InputError, match="no folder"):
        update(data, input_dir=tmp_path / "absent")
    assert (data / "places" / places.TABLE).read_bytes() == before


def test_a_broken_file_is_told_and_the_others_are_read(tmp_path: Path, exported: Path) -> None:
    (exported / "cut.geojson").write_text(STREETS[:200], encoding="utf-8")
    report = update(tmp_path / "data", input_dir=exported)
    assert len(report.failed) == 1
    assert "cut.geojson" in report.failed[0]
    assert report.added.total() == 6


def test_a_second_update_waits_its_turn(tmp_path: Path, exported: Path) -> None:
    data = tmp_path / "data"

    def another(_text: str, _share: float) -> None:
        with pytest.raises(ToolError, match="another update"):
            update(data, input_dir=exported)

    assert update(data, input_dir=exported, told=another).added.total() == 6


def test_the_locator_in_use_takes_the_new_table(tmp_path: Path, exported: Path) -> None:
    data = tmp_path / "data"
    current = CurrentLocator(data)
    first = current.get()
    assert first.locate("Incendie rue des Lampions-Rouges", "") is None
    assert current.get() is first
    update(data, input_dir=exported)
    assert current.get().locate("Incendie rue des Lampions-Rouges", "") is not None


def test_a_damaged_table_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "places").mkdir()
    (tmp_path / "places" / places.TABLE).write_text("name\taliases\nbroken", encoding="utf-8")
    assert Locator(load_completed(tmp_path)).locate("Feu rue de Rivoli", "") is not None
    assert "left out" in caplog.text


def test_names_cannot_break_the_table(tmp_path: Path) -> None:
    names = ["Rue du #1\tMerle", "Rue A@B;C\x85D", '# Rue "Guillemet']
    exported = tmp_path / "exported"
    exported.mkdir()
    (exported / "v.geojson").write_text(collection(*map(street, names)), encoding="utf-8")
    assert update(tmp_path / "data", input_dir=exported).added.total() >= 2
    load_completed(tmp_path / "data")
    assert len(list(places.read_table(tmp_path / "data" / "places" / places.TABLE))) >= 2


def test_the_command(
    tmp_path: Path,
    exported: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        cli.settings,
        "current",
        lambda: cli.settings.read({"CITYVERSE_DATA_DIR": str(tmp_path / "data")}),
    )
    assert cli.main(["places", "update", "--input", str(exported)]) == 0
    assert "6 places added" in capsys.readouterr().out
    assert cli.main(["places", "update", "--input", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- from the network, on loopback --------------------------------------------------------


class Portal(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, list[tuple[int, str, dict[str, str]]]]]
    asked: ClassVar[list[str]]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.split("?")[0].strip("/")
        self.asked.append(name)
        queue = self.answers.get(name, [(404, "", {})])
        status, text, headers = queue.pop(0) if len(queue) > 1 else queue[0]
        body = text.encode()
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def portal(**answers: Any) -> Iterator[tuple[str, list[str]]]:
    """A server whose paths answer one after the other as given; the last answer stays."""
    handler = type("Handler", (Portal,), {"answers": answers, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sources(base: str) -> list[Source]:
    return [
        Source("streets.geojson", f"{base}/streets", "Ville de Paris (ODbL)"),
        Source("stations.geojson", f"{base}/stations", "Île-de-France Mobilités"),
        Source("osm.json", f"{base}/osm?data=x", "© OpenStreetMap contributors (ODbL)"),
    ]


def test_update_from_the_portals(tmp_path: Path) -> None:
    waits: list[float] = []
    with portal(
        streets=[(503, "", {}), (200, STREETS, {})],
        stations=[(429, "", {"Retry-After": "7"}), (200, STATIONS, {})],
        osm=[(200, OVERPASS, {})],
    ) as (base, asked):
        report = update(tmp_path, sources=sources(base), allow_private=True, wait=waits.append)
        assert asked == ["streets", "streets", "stations", "stations", "osm"]
        # Between two requests to one host there is a pause; Retry-After is obeyed.
        assert 7.0 in waits
        assert waits.count(2.0) == 2
        assert not report.failed
        assert report.added.total() == 5
        # A second run within the day asks nobody.
        update(tmp_path, sources=sources(base), allow_private=True, wait=waits.append)
        assert len(asked) == 5
    head = (tmp_path / "places" / places.TABLE).read_text("utf-8").splitlines()[0]
    assert "OpenStreetMap" in head
    assert "Ville de Paris" in head


def test_a_source_that_fails_leaves_the_others(tmp_path: Path) -> None:
    with portal(streets=[(200, STREETS, {})], stations=[(500, "", {})], osm=[(400, "", {})]) as (
        base,
        asked,
    ):
        report = update(
            tmp_path, sources=sources(base), allow_private=True, wait=lambda _seconds: None
        )
        assert asked.count("stations") == 4
        assert asked.count("osm") == 1
    assert [line.partition(":")[0] for line in report.failed] == ["stations.geojson", "osm.json"]
    assert report.added.total() == 2
    # Begun again: only what is missing is asked for.
    with portal(stations=[(200, STATIONS, {})], osm=[(200, OVERPASS, {})]) as (base, asked):
        report = update(
            tmp_path, sources=sources(base), allow_private=True, wait=lambda _seconds: None
        )
        assert asked == ["stations", "osm"]
    assert not report.failed
    assert report.added.total() == 5


def test_no_answer_at_all_changes_nothing(tmp_path: Path) -> None:
    with portal(streets=[(200, STREETS, {})]) as (base, _):
        update(tmp_path, sources=sources(base)[:1], allow_private=True)
    table = tmp_path / "places" / places.TABLE
    before = table.read_bytes()
    (tmp_path / "places" / "downloads" / "streets.geojson").unlink()
    with portal() as (base, _), pytest.raises(ToolError, match="no source"):
        update(tmp_path, sources=sources(base), allow_private=True, wait=lambda _seconds: None)
    assert table.read_bytes() == before


def test_an_answer_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opendata, "LARGEST", 2_000)
    with (
        portal(streets=[(200, "x" * 3_000, {})]) as (base, _),
        pytest.raises(ToolError, match="allowed"),
    ):
        update(tmp_path, sources=sources(base)[:1], allow_private=True, wait=lambda _seconds: None)


def test_private_addresses_are_not_asked_unless_allowed(tmp_path: Path) -> None:
    with portal(streets=[(200, STREETS, {})]) as (base, asked):
        with pytest.raises(ToolError, match="private"):
            update(tmp_path, sources=sources(base)[:1], wait=lambda _seconds: None)
        assert asked == []


def test_the_real_sources_are_the_public_ones() -> None:
    hosts = {source.url.split("/")[2] for source in places.SOURCES}
    assert hosts == {"opendata.paris.fr", "data.iledefrance-mobilites.fr", "overpass-api.de"}
    assert all(source.url.startswith("https://") for source in places.SOURCES)


# --- real files ---------------------------------------------------------------------------


@pytest.mark.slow
def test_real_exports(tmp_path: Path, shared: Path) -> None:
    report = update(tmp_path, input_dir=shared / "data")
    assert not report.failed
    assert report.added["street"] >= 1_400
    assert report.added["unplaced"] >= 1_500
    gazetteer = load_completed(tmp_path)
    locator = Locator(gazetteer)
    own = Path(__file__).parents[2] / "benchmarks" / "places.tsv"
    unseen = measure([item for item in read_set(own, gazetteer) if item.half == 1], locator)
    assert unseen.accuracy >= 0.93
    assert unseen.precision >= 0.95
    assert unseen.recall >= 0.92
    easier = measure(read_set(shared / "data/geoparse/labelled_dev.jsonl", gazetteer), locator)
    assert easier.accuracy >= 0.97
    assert easier.none_kept >= 0.98
