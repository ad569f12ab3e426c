"""Fetching the city: politely, through every kind of trouble, and on where it was left."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from map_helpers import decoded
from map_server import (
    HOUSES,
    MapServer,
    batiment,
    body,
    cut,
    drip,
    endless,
    map_server,
    passes,
    status,
)

from cityverse.errors import EngineError, FetchError, InputError, MapInputUnreadable
from cityverse.map import bdtopo, cells, overpass
from cityverse.map.build import Input, build
from cityverse.map.cells import Cell, CellFolder, Fetched, Service
from cityverse.map.features import Report
from cityverse.news.fetch import Limits

ROOT = Path(__file__).parents[2]
# The Cité and its surroundings: a few cells in two or three arrondissements.
BOX = (48.8500, 2.3440, 48.8580, 2.3540)
CITE = Cell(48.8500, 2.3440, 48.8580, 2.3540, (4,))
QUICK = Limits(seconds=0.6, bytes=200_000)


@pytest.fixture
def server() -> Iterator[MapServer]:
    with map_server() as running:
        yield running


class Waits(list[float]):
    """Takes the place of sleeping and remembers for how long."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def service(url: str, waits: Waits, limits: Limits = QUICK) -> Service:
    return Service(url, 0.0, allow_private=True, wait=waits, limits=limits)


def bd_topo(server: MapServer, waits: Waits | None = None) -> bdtopo.BdTopo:
    return bdtopo.BdTopo(service(server.wfs, Waits() if waits is None else waits))


def ids(fetched: bytes) -> list[str]:
    return [feature["properties"]["cleabs"] for feature in json.loads(fetched)]


EIGHT = [f"BATIMENT{n:016}" for n in range(8)]


# --- the service of BD TOPO ---------------------------------------------------------------


def test_pages_are_put_together_whatever_the_server_allows(server):
    server.page_most = 3
    assert ids(bd_topo(server).fetch(CITE)) == EIGHT
    control, *pages = server.asked
    assert [page["STARTINDEX"] for page in pages] == ["0", "3", "6"]
    assert {page["TYPENAMES"] for page in pages} == {"BDTOPO_V3:batiment"}
    assert {page["SORTBY"] for page in pages} == {"cleabs"}
    assert control["COUNT"] == "20"
    assert server.most_at_once == 1
    (agent,) = server.agents
    assert agent.startswith("CityVerse/")


@pytest.mark.parametrize("total", ["unknown", None, True, -1, "8"])
def test_a_server_that_does_not_count_is_asked_until_nothing_comes(server, total):
    server.page_most = 5
    server.total = lambda _number: total
    if total is None:  # the older name of the same number counts as well
        assert ids(bd_topo(server).fetch(CITE)) == EIGHT
        return
    assert ids(bd_topo(server).fetch(CITE)) == EIGHT
    assert server.asked[-1]["STARTINDEX"] == "8"


@pytest.mark.parametrize(
    ("systems", "swapped"),
    [
        ({"CRS:84": False}, False),
        ({"CRS:84": False}, True),
        ({"urn:ogc:def:crs:EPSG::4326": True}, False),
        ({"urn:ogc:def:crs:EPSG::4326": True}, True),
        ({"EPSG:4326": False}, False),
    ],
)
def test_the_order_of_axes_is_found_out_on_the_first_answer(server, systems, swapped):
    server.systems, server.swapped = systems, swapped
    source = bd_topo(server)
    fetched = source.fetch(CITE)
    features = list(source.read(iter([fetched]), report := Report(), None))
    assert (report.read, len(features)) == (8, 8)
    number = len(server.asked)
    source.fetch(CITE)
    assert len(server.asked) == number + 1  # not tried a second time


def test_a_server_whose_boxes_nobody_understands_is_a_failure_not_an_empty_city(server):
    server.systems = {}
    with pytest.raises(FetchError, match="axes"):
        bd_topo(server).fetch(CITE)


def test_a_total_that_changes_between_pages_begins_the_cell_again(server):
    server.page_most = 4
    counts = iter([8, 8, 9])  # the control box, the first page, the second

    server.total = lambda number: next(counts, number)
    assert ids(bd_topo(server).fetch(CITE)) == EIGHT
    assert [q["STARTINDEX"] for q in server.asked] == ["0", "0", "4", "0", "4"]


def test_a_total_that_never_stays_is_a_failure(server):
    server.page_most = 4
    counts = iter(range(1000))
    server.total = lambda _number: next(counts)
    with pytest.raises(FetchError, match="keeps changing"):
        bd_topo(server).fetch(CITE)
    assert len(server.asked) < 20


def test_fewer_buildings_than_announced_are_a_failure(server):
    server.total = lambda number: number + 1
    with pytest.raises(FetchError, match="keeps changing"):
        bd_topo(server).fetch(CITE)


def test_a_box_that_means_all_of_france_is_refused(server, monkeypatch):
    monkeypatch.setattr(bdtopo, "_CELL_MOST", 5)
    with pytest.raises(FetchError, match="too_large"):
        bd_topo(server).fetch(CITE)


def test_heights_uses_and_states_of_bd_topo(server):
    server.buildings[:8] = [
        batiment(0, hauteur=32.1, nombre_d_etages=9),
        batiment(1, hauteur=None),
        batiment(2, hauteur=None, nombre_d_etages=None),
        batiment(3, hauteur=9999, nombre_d_etages=4),
        batiment(4, hauteur=-5, nombre_d_etages=None, altitude_minimale_sol=None),
        batiment(5, nature="Église"),
        batiment(6, etat_de_l_objet="En projet"),
        batiment(7)
        | {"geometry": {"type": "MultiPolygon", "coordinates": [[[[2.35, "x"], [1, 2]]]]}},
    ]
    source = bd_topo(server)
    report = Report()
    made = {f.ref: f for f in source.read(iter([source.fetch(CITE)]), report, None)}
    by_number = {int(ref[8:]): (f.height, f.levels, f.kind) for ref, f in made.items()}
    assert by_number == {
        0: (32.1, 9, "residential"),
        1: (18.6, 6, "residential"),
        2: (23.4, 8, "residential"),
        3: (12.4, 4, "residential"),
        4: (18.0, 6, "residential"),
        5: (26.4, 6, "church"),
    }
    assert report.skipped == {"broken geometry": 1, "not built yet, or no more": 1}
    assert report.noted["heights without sense"] == 2
    assert all(f.shape.is_valid and not f.shape.has_z for f in made.values())


ODD_ANSWERS = [
    b"<ows:ExceptionReport/>",
    b'{"features": {}}',
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"features": [',
    b"\xff\xfe",
]


@pytest.mark.parametrize("data", ODD_ANSWERS)
def test_answers_of_another_form_are_asked_for_again_and_then_a_failure(server, data):
    server.trouble = [body(data)] * 20
    waits = Waits()
    with pytest.raises(FetchError, match="protocol"):
        bd_topo(server, waits).fetch(CITE)
    assert len(server.asked) == len(waits) + 1 == 6


@pytest.mark.parametrize(
    "features",
    [
        [None],
        ["x"],
        [{}],
        [{"geometry": None}],
        [{"geometry": {"type": "Point", "coordinates": [2.35, 48.85]}, "properties": 5}],
        [{"geometry": {"type": "Polygon", "coordinates": 5}}],
        [{"geometry": {"type": "MultiPolygon", "coordinates": []}, "properties": {}}],
    ],
)
def test_features_of_another_form_are_counted(features):
    axes = bdtopo._Axes("CRS:84", latitude_first=False, swapped=True)
    kept = json.dumps([bdtopo._reduced(feature, axes) for feature in features]).encode()
    report = Report()
    assert list(bdtopo.BdTopo.read(iter([kept]), report, None)) == []
    assert (report.read, report.skipped.total()) == (1, 1)


# --- politeness and trouble ---------------------------------------------------------------


def test_a_server_that_asks_for_patience_gets_it(server):
    server.trouble = [passes, status(429, Retry_After="40"), status(503, Retry_After="7")]
    waits = Waits()
    assert ids(bd_topo(server, waits).fetch(CITE)) == EIGHT
    assert waits[0] == 40
    assert waits[1] >= 7
    assert len(server.asked) == 4


def test_waits_grow_and_do_not_go_on_for_ever(server):
    server.trouble = [status(500)] * 50
    waits = Waits()
    with pytest.raises(FetchError, match="http_500"):
        bd_topo(server, waits).fetch(CITE)
    assert len(waits) == 5
    assert waits == sorted(waits)
    assert waits[-1] > 30


def test_who_asks_for_hours_is_left_alone(server):
    server.trouble = [status(429, Retry_After="7200")]
    waits = Waits()
    with pytest.raises(FetchError, match="http_429") as failure:
        bd_topo(server, waits).fetch(CITE)
    assert failure.value.retry_after == 7200
    assert waits == []


@pytest.mark.parametrize("code", [400, 403, 404])
def test_a_refusal_is_not_argued_with(server, code):
    server.trouble = [status(code)]
    with pytest.raises(FetchError, match=f"http_{code}"):
        bd_topo(server).fetch(CITE)
    assert len(server.asked) == 1


@pytest.mark.parametrize("trouble", [cut, drip])
def test_half_an_answer_is_asked_for_again(server, trouble):
    server.trouble = [passes, trouble]
    waits = Waits()
    assert ids(bd_topo(server, waits).fetch(CITE)) == EIGHT
    assert len(waits) == 1


def test_an_endless_answer_ends(server):
    server.trouble = [passes, endless]
    with pytest.raises(FetchError, match="too_large"):
        bd_topo(server).fetch(CITE)


def test_without_a_network_nobody_waits():
    waits = Waits()
    source = bdtopo.BdTopo(service("http://nowhere.invalid/wfs", waits))
    with pytest.raises(FetchError, match="dns"):
        source.fetch(CITE)
    assert waits == []


def test_a_network_that_goes_away_in_the_middle_is_waited_for(server):
    waits = Waits()
    source = bd_topo(server, waits)
    source.fetch(CITE)
    source._service.endpoint = "http://127.0.0.1:9/gone"
    with pytest.raises(FetchError, match="connect"):
        source.fetch(CITE)
    assert len(waits) == 5


def test_a_pause_lies_between_requests(server):
    waits = Waits()
    asked = Service(server.wfs, 1000.0, allow_private=True, wait=waits, limits=QUICK)
    bdtopo.BdTopo(asked).fetch(CITE)
    assert len(waits) == 1
    assert 990 < waits[0] <= 1000


def test_a_public_server_cannot_lead_into_the_private_network(server):
    asked = Service(server.wfs, 0.0, wait=Waits(), limits=QUICK)
    with pytest.raises(FetchError, match="refused_address"):
        bdtopo.BdTopo(asked).fetch(CITE)
    assert server.asked == []


# --- Overpass -----------------------------------------------------------------------------

BROKEN_OFF = b'{"elements": [], "remark": "runtime error: Query timed out in \\"query\\""}'


def elements(fetched: bytes) -> set[int]:
    return {element["id"] for element in json.loads(fetched)["elements"]}


def test_the_query_asks_for_ways_relations_and_parts(server):
    source = overpass.Overpass(service(server.overpass, Waits()))
    assert elements(source.fetch(CITE)) == {1000 + n for n in range(8)}
    query = server.asked[0]["data"]
    for part in ('way["building"]', 'relation["building"]', 'way["building:part"]', "out geom"):
        assert part in query
    assert "(48.850000,2.344000,48.858000,2.354000)" in query


@pytest.mark.parametrize("trouble", [body(BROKEN_OFF), endless])
def test_a_cell_that_is_too_much_is_asked_for_in_quarters(server, trouble):
    server.trouble = [trouble, passes, trouble]
    source = overpass.Overpass(service(server.overpass, Waits()))
    assert elements(source.fetch(CITE)) == {1000 + n for n in range(8)}
    assert len(server.asked) == 1 + 4 + 4


def test_quarters_of_quarters_come_to_an_end(server):
    server.trouble = [body(BROKEN_OFF)] * 500
    source = overpass.Overpass(service(server.overpass, Waits()))
    with pytest.raises(FetchError, match="broken_off"):
        source.fetch(CITE)
    assert len(server.asked) == 4


# --- the whole of it ----------------------------------------------------------------------


def wanted(server: MapServer, source: str, **more: Any) -> Input:
    endpoint = server.wfs if source == "bdtopo" else server.overpass
    return Input(source, bbox=BOX, endpoint=endpoint, wait=Waits(), **more)


def content(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT * FROM tiles ORDER BY 1, 2, 3").fetchall()


@pytest.mark.parametrize("source", ["bdtopo", "overpass"])
def test_the_city_becomes_tiles(server, tmp_path, source):
    output = tmp_path / "tiles" / f"{source}.mbtiles"
    told: list[Fetched] = []
    shares: list[float] = []
    report = build(
        wanted(server, source),
        output,
        fetched=told.append,
        progress=lambda _text, share: shares.append(share),
    )
    assert report.kept == 8
    found = {f["properties"]["id"]: f["properties"] for f in decoded(output, 16)}
    assert len(found) == 8
    assert {f["source"] for f in found.values()} == {source}
    assert told[0].done == 0
    assert (told[-1].done, told[-1].share) == (told[-1].total, 1.0)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # Nothing is left but the tiles and the mark of who is at work.
    assert sorted(os.listdir(output.parent)) == [f".cells-{source}.lock", output.name]


def test_what_was_fetched_before_a_failure_is_not_fetched_again(server, tmp_path):
    output = tmp_path / "tiles" / "overpass.mbtiles"
    number = len(cells.of_paris(BOX))
    assert number >= 3
    server.trouble = [passes, passes, status(403)]
    with pytest.raises(FetchError, match="http_403"):
        build(wanted(server, "overpass"), output)
    assert not output.exists()
    assert build(wanted(server, "overpass"), output).kept == 8
    assert len(server.asked) == 3 + number - 2
    build(wanted(server, "overpass"), whole := tmp_path / "whole.mbtiles")
    assert content(whole) == content(output)


def test_a_failure_leaves_the_tiles_that_are_there(server, tmp_path):
    output = tmp_path / "bdtopo.mbtiles"
    output.write_bytes(b"good")
    server.trouble = [passes, passes, status(404)]
    with pytest.raises(FetchError):
        build(wanted(server, "bdtopo"), output)
    assert output.read_bytes() == b"good"


def test_suspiciously_few_buildings_are_a_failure(server, tmp_path):
    output = tmp_path / "bdtopo.mbtiles"
    with pytest.raises(MapInputUnreadable, match="suspiciously few"):
        build(wanted(server, "bdtopo", least=9), output)
    assert not output.exists()


def test_the_same_city_is_fetched_by_one_at_a_time(server, tmp_path):
    other: list[str] = []

    def meanwhile(_: Fetched) -> None:
        if not other:
            with pytest.raises(EngineError) as refusal:
                build(wanted(server, "bdtopo"), tmp_path / "bdtopo.mbtiles")
            other.append(str(refusal.value))

    build(wanted(server, "bdtopo"), tmp_path / "bdtopo.mbtiles", fetched=meanwhile)
    assert "already" in other[0]


def test_a_box_outside_paris_is_bad_input(server, tmp_path):
    with pytest.raises(InputError, match="outside Paris"):
        build(Input("bdtopo", bbox=(45, 4, 46, 5), endpoint=server.wfs), tmp_path / "o.mbtiles")
    assert server.asked == []


def test_killed_and_started_again_it_goes_on_where_it_was(server, tmp_path):
    output = tmp_path / "tiles" / "overpass.mbtiles"
    command = [sys.executable, "-m", "cityverse", "map", "build", "--source", "overpass"]
    command += ["--bbox", ",".join(map(str, BOX)), "--endpoint", server.overpass]
    command += ["--output", str(output)]
    reached, going = [], []

    def killed(handler: Any, _query: Any) -> bool:
        reached.append(True)
        going[0].kill()
        return handler.raw(b"")

    server.trouble = [passes, killed]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        going.append(process)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert reached
    assert len(list((tmp_path / "tiles" / ".cells-overpass").glob("*.json.gz"))) == 1
    before = len(server.asked)
    build(wanted(server, "overpass"), output)
    assert len(server.asked) - before == len(cells.of_paris(BOX)) - 1


# --- cells --------------------------------------------------------------------------------


def test_the_cells_cover_every_building_of_paris_once_in_the_order_of_arrondissements():
    found = cells.of_paris()
    assert 40 < len(found) < 90
    numbers = [cell.arrondissements for cell in found]
    assert numbers == sorted(numbers)
    assert {n for touched in numbers for n in touched} == set(range(1, 21))
    for lon, lat, _ in HOUSES:
        around = [c for c in found if c.south <= lat < c.north and c.west <= lon < c.east]
        assert len(around) == 1


def test_quarters_fill_their_cell():
    quarters = CITE.quarters()
    assert sum((q.north - q.south) * (q.east - q.west) for q in quarters) == pytest.approx(
        (CITE.north - CITE.south) * (CITE.east - CITE.west)
    )
    assert len({q.name for q in quarters}) == 4


def test_remaining_time_comes_from_what_was_fetched_this_time(tmp_path):
    class Instant:
        source = "test"

        def fetch(self, cell: Cell) -> bytes:
            moments.append(moments[-1] + 10)
            return b"[]"

    moments = [0.0]
    told: list[Fetched] = []
    few = cells.of_paris(BOX)
    folder = CellFolder(tmp_path / "cells", "test", "here")
    cells.fetch_all(Instant(), few, folder, told.append, clock=lambda: moments[-1])
    assert told[0].remaining is None
    assert [t.remaining for t in told[1:]] == [10.0 * n for n in range(len(few))][::-1]
    told.clear()
    cells.fetch_all(Instant(), few, folder, told.append)
    assert [t.share for t in told] == [1.0]


def test_a_fetch_that_takes_for_ever_is_ended(tmp_path):
    folder = CellFolder(tmp_path / "cells", "test", "here")
    clock = iter([0.0, 0.0, 10.0**6])
    with pytest.raises(FetchError, match="timeout"):
        cells.fetch_all(None, [CITE], folder, lambda _: None, clock=lambda: next(clock))


def test_cells_of_another_source_or_server_and_old_ones_are_not_used(tmp_path):
    path = tmp_path / "cells"
    folder = CellFolder(path, "bdtopo", "here")
    folder.put(CITE, b"[1]")
    assert CellFolder(path, "bdtopo", "here").has(CITE)
    file = next(path.glob("*.json.gz"))
    os.utime(file, (0, 0))
    assert not folder.has(CITE)
    folder.put(CITE, b"[2]")
    assert list(folder.read([CITE])) == [b"[2]"]
    for source, endpoint in (("bdtopo", "there"), ("overpass", "there")):
        other = CellFolder(path, source, endpoint)
        assert not other.has(CITE)
        other.put(CITE, b"[3]")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "photo.json.gz").write_bytes(b"mine")
    with pytest.raises(InputError, match="no folder of cells"):
        CellFolder(tmp_path, "bdtopo", "here")
    (tmp_path / "photo.json.gz").rename(tmp_path.parent / "photo")
    folder = CellFolder(tmp_path, "bdtopo", "here")
    folder.put(CITE, b"[1]")
    (tmp_path / "cells.json").write_bytes(b"\xff")
    assert not CellFolder(tmp_path, "bdtopo", "here").has(CITE)
    (tmp_path.parent / "photo").rename(tmp_path / "photo.json.gz")
    folder.put(CITE, b"[1]")
    folder.remove()
    assert os.listdir(tmp_path) == ["photo.json.gz"]


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08half", b"no gzip"])
def test_a_damaged_cell_is_thrown_away_in_words(tmp_path, damage):
    folder = CellFolder(tmp_path / "cells", "bdtopo", "here")
    folder.put(CITE, b"[1]")
    file = next((tmp_path / "cells").glob("*.json.gz"))
    file.write_bytes(damage)
    with pytest.raises(MapInputUnreadable, match="thrown away"):
        list(folder.read([CITE]))
    assert not folder.has(CITE)
