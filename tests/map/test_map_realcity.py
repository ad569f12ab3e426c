"""The real city in the background: fetched, followed, stopped, chosen, and tried again."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpers import settings_for
from map_helpers import tile_set
from map_server import HOUSES, MapServer, map_server, status

from cityverse.errors import EngineError, FetchError, InputError, MapInputUnreadable, ToolError
from cityverse.map import cells, realcity, tiles
from cityverse.map.cells import Fetched
from cityverse.map.realcity import Keeper, Status
from cityverse.settings import Settings


@pytest.fixture
def server(monkeypatch) -> Iterator[MapServer]:
    monkeypatch.setattr("cityverse.map.build._PAUSES", {"bdtopo": 0.0, "overpass": 0.0})
    with map_server() as running:
        yield running


@pytest.fixture
def settings(server: MapServer, tmp_path: Path) -> Settings:
    return of(server, tmp_path)


def of(server: MapServer, folder: Path, **more: str) -> Settings:
    return settings_for(
        folder, CITYVERSE_WFS_URL=server.wfs, CITYVERSE_OVERPASS_URL=server.overpass, **more
    )


@pytest.fixture
def folder(settings: Settings) -> Path:
    found = realcity.folder_of(settings)
    found.mkdir()
    return found


def until(condition: Callable[[], Any], within: float = 60) -> None:
    """Poll a condition of another process, which nothing can notify us of."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def fetch(settings: Settings, source: str = "auto", least: int = 9) -> Any:
    return realcity.fetch(settings, source, least=least)


def wfs(server: MapServer) -> list[dict[str, str]]:
    return [query for query in server.asked if "BBOX" in query]


# --- the fetch ----------------------------------------------------------------------------


def test_the_whole_city_from_bd_topo_and_what_a_page_sees_of_it(server, settings, folder):
    tile_set(folder / "sample.mbtiles")
    assert realcity.status(folder) == Status()
    seen: list[Status] = []
    server.trouble = [lambda *_: bool(seen.append(realcity.status(folder)))] * 200
    report = fetch(settings)
    assert report.kept == len(HOUSES)
    assert len(wfs(server)) == len(server.asked)
    assert {now.source for now in seen} == {"bdtopo"}
    assert all(now.running and now.total == 20 for now in seen[1:])
    assert [now.done for now in seen] == sorted(now.done for now in seen)
    assert seen[-1].remaining is not None
    done = realcity.status(folder)
    assert (done.state, done.done, done.total, done.share) == ("done", 20, 20, 1.0)
    assert (done.buildings, done.error, done.running) == (len(HOUSES), "", False)
    assert tiles.current(folder).name == "bdtopo"
    assert "IGN" in tiles.current(folder).attribution


def test_openstreetmap_where_bd_topo_fails(server, settings, folder):
    server.trouble = [status(403)]
    fetch(settings)
    assert tiles.current(folder).name == "overpass"
    assert realcity.status(folder).source == "overpass"


def test_a_city_of_few_buildings_is_none(server, settings, folder):
    with pytest.raises(FetchError, match="suspiciously few"):
        fetch(settings, least=20_000)
    assert tiles.current(folder) is None
    with pytest.raises(MapInputUnreadable, match="suspiciously few"):
        fetch(settings, "overpass", least=20_000)


def test_a_failure_is_told_in_words_and_tried_again_later_and_later(server, settings, folder):
    server.trouble = [status(403)] * 100
    pauses = []
    for number in (1, 2, 3):
        with pytest.raises(FetchError):
            fetch(settings)
        now = realcity.status(folder)
        assert (now.state, now.failures, now.reached) == ("failed", number, True)
        assert now.error.count("http_403") == 2
        pauses.append((now.next_try - now.at).total_seconds())
    assert pauses == [900, 1800, 3600]
    server.trouble = []
    fetch(settings)
    assert realcity.status(folder).failures == 0


def test_without_a_network_nothing_is_lost(tmp_path):
    nowhere = "http://nowhere.invalid/"
    settings = settings_for(tmp_path, CITYVERSE_WFS_URL=nowhere, CITYVERSE_OVERPASS_URL=nowhere)
    folder = realcity.folder_of(settings)
    tile_set(folder / "sample.mbtiles")
    with pytest.raises(FetchError, match="dns"):
        fetch(settings)
    now = realcity.status(folder)
    assert (now.state, now.reached) == ("failed", False)
    assert tiles.current(folder).name == "sample"


def test_two_at_once_are_refused(server, settings, folder):
    def second(*_: Any) -> bool:
        with pytest.raises(EngineError, match="already"):
            fetch(settings)
        return False

    server.trouble = [second]
    fetch(settings)


# --- what a manager's page writes ---------------------------------------------------------


def test_starting_stopping_and_choosing_leave_their_marks(folder):
    tile_set(folder / "sample.mbtiles")
    tile_set(folder / "bdtopo.mbtiles")
    realcity.start(folder, "overpass")
    assert realcity.wanted(folder).source == "overpass"
    realcity.stop(folder)
    assert realcity.wanted(folder).source == "nothing"
    realcity.choose(folder, "sample")
    assert tiles.current(folder).name == "sample"
    realcity.choose(folder, None)
    assert tiles.current(folder).name == "bdtopo"
    for call in (realcity.start, realcity.choose):
        with pytest.raises(InputError):
            call(folder, "../elsewhere")
    assert tiles.current(folder).name == "bdtopo"


def test_a_page_asks_before_anything_else_made_the_folder(tmp_path):
    realcity.stop(tmp_path / "new" / "tiles")
    assert realcity.wanted(tmp_path / "new" / "tiles").source == "nothing"


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ToolError, match="could not be written"):
        realcity.stop(tmp_path / "file" / "tiles")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"half {",
        b"[1]",
        b"null",
        b"\xff",
        b"[" * 60_000,
        b'{"state": "elsewhere", "done": "x", "share": [], "at": 5, "more": 1}',
        b'{"state": [], "at": "2026-01-01T00:00:00", "next_try": "soon"}',
    ],
)
def test_damaged_marks_mean_nothing(folder, content):
    (folder / "fetch.json").write_bytes(content)
    (folder / "wanted.json").write_bytes(content)
    assert realcity.status(folder) == Status()
    assert realcity.wanted(folder) == realcity.Wanted()


def test_a_killed_fetch_is_not_shown_as_running(folder):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(30)
    put(folder, state="fetching", pid=ended.pid, done=3, total=20)
    now = realcity.status(folder)
    assert (now.state, now.running, now.done) == ("stopped", False, 3)


# --- the keeper ---------------------------------------------------------------------------


class Recorder:
    """Takes the place of the process and is at work until told otherwise."""

    began: list[list[str]]

    def __init__(self, _name: str, command: list[str], *_: Any) -> None:
        self.command = command
        self.working = False

    def start(self) -> None:
        self.working = True
        self.began.append(self.command)

    def alive(self) -> bool:
        return self.working

    def stop(self) -> None:
        self.working = False


@pytest.fixture
def began(monkeypatch) -> list[list[str]]:
    Recorder.began = []
    monkeypatch.setattr(realcity, "CommandPart", Recorder)
    return Recorder.began


def put(folder: Path, **facts: Any) -> None:
    (folder / "fetch.json").write_text(json.dumps(facts))


def moment(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_nobody_asked_and_there_is_no_real_city(settings, folder, began):
    tile_set(folder / "sample.mbtiles")
    keeper = Keeper(settings)
    keeper.look()
    keeper.look()
    assert [command[-1] for command in began] == ["auto"]


@pytest.mark.parametrize(
    "more", [{"CITYVERSE_MAP_FETCH": "off"}, {"CITYVERSE_STORE": "aws"}], ids=str
)
def test_nobody_asked_and_it_is_switched_off(server, tmp_path, began, more):
    Keeper(of(server, tmp_path, **more)).look()
    assert began == []


def test_a_real_city_is_not_fetched_again_unless_asked(settings, folder, began):
    tile_set(folder / "bdtopo.mbtiles")
    keeper = Keeper(settings)
    keeper.look()
    assert began == []
    realcity.start(folder, "bdtopo")
    keeper.look()
    assert [command[-1] for command in began] == ["bdtopo"]
    put(folder, state="done", at=moment(0.1))
    keeper._process.working = False
    keeper.look()
    keeper.look()
    assert len(began) == 1


def test_asking_works_where_it_is_switched_off(server, tmp_path, began):
    settings = of(server, tmp_path, CITYVERSE_MAP_FETCH="off")
    realcity.start(realcity.folder_of(settings), "overpass")
    Keeper(settings).look()
    assert len(began) == 1


def test_stopping_ends_the_process_and_lasts(settings, folder, began):
    keeper = Keeper(settings)
    keeper.look()
    process = keeper._process
    realcity.stop(folder)
    keeper.look()
    assert not process.working
    Keeper(settings).look()
    assert len(began) == 1
    realcity.start(folder)
    keeper.look()
    assert len(began) == 2


def test_another_source_takes_the_place_of_the_one_at_work(settings, folder, began):
    keeper = Keeper(settings)
    keeper.look()
    first = keeper._process
    realcity.start(folder, "overpass")
    keeper.look()
    assert not first.working
    assert [command[-1] for command in began] == ["auto", "overpass"]


@pytest.mark.parametrize(
    ("facts", "begins"),
    [
        ({"next_try": moment(1), "reached": True}, 0),
        ({"next_try": moment(-1), "reached": True}, 1),
        # Started without a network, started again: it may be there now.
        ({"next_try": moment(1), "reached": False}, 1),
    ],
)
def test_a_failure_is_tried_again_when_its_time_has_come(settings, folder, began, facts, begins):
    put(folder, state="failed", at=moment(-2), **facts)
    keeper = Keeper(settings)
    keeper.look()
    assert len(began) == begins


def test_a_manager_need_not_wait_for_the_next_try(settings, folder, began):
    put(folder, state="failed", at=moment(-0.1), next_try=moment(5))
    keeper = Keeper(settings)
    keeper.look()
    assert began == []
    realcity.start(folder)
    keeper.look()
    assert len(began) == 1


def test_the_same_failure_is_logged_once(settings, folder, began, caplog):
    keeper = Keeper(settings)
    with caplog.at_level(logging.INFO, logger="cityverse.map.realcity"):
        for _ in range(3):
            keeper.look()
            put(folder, state="failed", error="no network", at=moment(-1), next_try=moment(-1))
            keeper._process.working = False
        keeper.look()
    assert len(began) == 4
    assert [r.getMessage().count("no network") for r in caplog.records] == [1]


@pytest.mark.slow
def test_the_process_itself_is_stopped_goes_on_and_ends(server, settings, folder):
    reached: list[str] = []

    def hold(handler: Any, query: dict[str, str]) -> bool:
        reached.append(query["BBOX"])
        handler.stopping.wait(30)
        return True

    server.trouble = [lambda *_: False] * 3 + [hold]
    keeper = Keeper(settings)
    keeper.look()
    try:
        until(lambda: reached)
        assert realcity.status(folder).running
        pid = realcity.status(folder).pid
        realcity.stop(folder)
        keeper.look()
        assert keeper._process is None
        until(lambda: not realcity._alive(pid))
        now = realcity.status(folder)
        assert now.state == "stopped"
        kept = len(list((folder / ".cells-bdtopo").glob("*.json.gz")))
        assert kept >= 1
        asked = len(server.asked)
        realcity.start(folder, "bdtopo")
        keeper.look()
        # Nine buildings are too few for a city, so this ends in a failure, in words.
        until(lambda: realcity.status(folder).state == "failed")
        assert "suspiciously few" in realcity.status(folder).error
        assert len(server.asked) - asked <= len(cells.of_paris()) - kept + 10
    finally:
        keeper.stop()


def test_progress_is_a_share_of_all_cells(tmp_path):
    some = Fetched(done=3, total=20, share=0.2, remaining=120.0)
    worker = realcity._Fetch(settings_for(tmp_path), "bdtopo", lambda *_: None, 1)
    realcity.folder_of(settings_for(tmp_path)).mkdir()
    worker._fetched(some)
    now = realcity._status(tmp_path / "tiles")
    assert (now.done, now.total, now.remaining, now.state) == (3, 20, 120.0, "fetching")
