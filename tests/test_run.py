"""``make run`` as whoever installs CityVerse meets it: started, killed, started again."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cityverse.map.tiles import GENERATOR, generator, sample_generator

ROOT = Path(__file__).parents[1]
WITHIN = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, within=WITHIN):
    """Poll a condition of other processes, which nothing can notify us of."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


def children_of(pid):
    """Every process below a process, as the kernel knows them."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found, wanted = [], {pid}
    while wanted:
        wanted = {child for child, parent in parents.items() if parent in wanted}
        found += wanted
    return found


def alive(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def data_dir(tmp_path):
    """A data folder whose tile set is there already, so that starting takes seconds."""
    tiles = tmp_path / "tiles" / "sample.mbtiles"
    tiles.parent.mkdir()
    with sqlite3.connect(tiles) as made:
        made.executescript(
            "CREATE TABLE metadata (name TEXT, value TEXT);"
            "CREATE TABLE tiles"
            " (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);"
        )
        made.execute("INSERT INTO metadata VALUES (?, ?)", (GENERATOR, sample_generator()))
    made.close()
    return tmp_path


@contextmanager
def running(data_dir, port):
    environment = {
        **os.environ,
        "CITYVERSE_DATA_DIR": str(data_dir),
        "CITYVERSE_PORT": str(port),
        "CITYVERSE_OPEN_BROWSER": "false",
        "CITYVERSE_NEWS_POLL": "false",
        "CITYVERSE_MAP_FETCH": "off",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "cityverse", "run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        process.stdout.close()


def until_ready(process):
    told = []
    for line in process.stdout:
        told.append(line)
        if "Ctrl-C" in line:
            return "".join(told)
    raise AssertionError("".join(told))


def answers(port, path="/healthz"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def engine_pid(data_dir):
    try:
        return json.loads((data_dir / "engine.json").read_text())["pid"]
    except (OSError, ValueError):
        return None


def test_it_starts_stops_whole_and_finds_its_data_again(data_dir):
    port = free_port()
    with running(data_dir, port) as process:
        told = until_ready(process)
        assert "demo " in told
        assert f"http://localhost:{port}/SignIn?link=" in told
        assert answers(port)
        assert not answers(port, "/_stcore/metrics")
        below = children_of(process.pid)
        assert len(below) >= 3
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert not [pid for pid in below if alive(pid)]
        assert not (data_dir / "engine.json").exists()
    with running(data_dir, port) as process:
        told = until_ready(process)
        assert "store      complete" in told
        assert "demo " not in told
        assert "link=" not in told
        assert "users grant" in told


@pytest.mark.slow
def test_what_dies_is_started_again_and_nothing_outlives_it(data_dir):
    port = free_port()
    with running(data_dir, port) as process:
        until_ready(process)
        first = engine_pid(data_dir)
        os.kill(first, signal.SIGKILL)
        second = wait_for(
            lambda: engine_pid(data_dir) not in {None, first} and engine_pid(data_dir)
        )
        below = children_of(process.pid)
        assert second in below
        process.kill()
        process.wait(10)
        wait_for(lambda: not [pid for pid in below if alive(pid)])


def test_a_taken_port_is_one_clear_line(data_dir):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with running(data_dir, port) as process:
            told, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told.count("\n") == 1
    assert f"127.0.0.1:{port}" in told
    assert "CITYVERSE_PORT" in told


@pytest.mark.slow
def test_a_second_start_on_the_same_folder_is_one_clear_line(data_dir):
    with running(data_dir, free_port()) as first:
        until_ready(first)
        with running(data_dir, free_port()) as second:
            told, _ = second.communicate(timeout=30)
        assert second.returncode == 1
        assert told.count("\n") == 1
        assert "already" in told
        assert first.poll() is None


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    taken = tmp_path / "file"
    taken.write_text("not a folder")
    with running(taken, free_port()) as process:
        told, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told.count("\n") == 1
    assert str(taken) in told


@pytest.mark.slow
def test_an_engine_that_a_killed_command_left_is_no_obstacle(data_dir):
    left = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\nfrom pathlib import Path\n"
            "from cityverse.engine.launch import borrowed\n"
            "with borrowed(Path(sys.argv[1])): print('ready', flush=True); time.sleep(600)",
            str(data_dir),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert left.stdout.readline() == "ready\n"
    with running(data_dir, free_port()) as process:
        told, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "another CityVerse command" in told
    left.kill()
    left.wait()
    left.stdout.close()
    with running(data_dir, free_port()) as process:
        until_ready(process)


def map_build_of(pid):
    """The process below this one that builds tiles, if any."""
    for child in children_of(pid):
        try:
            words = (Path("/proc") / str(child) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"build" in words:
            return child
    return None


@pytest.mark.slow
def test_a_sample_city_of_an_earlier_version_is_built_anew_while_it_shows(data_dir):
    tiles = data_dir / "tiles" / "sample.mbtiles"
    with closing(sqlite3.connect(tiles)) as made, made:
        made.execute("UPDATE metadata SET value = 'of yesterday' WHERE name = ?", (GENERATOR,))
    with running(data_dir, free_port()) as process:
        assert "earlier version" in until_ready(process)
        wait_for(lambda: generator(tiles) == sample_generator(), within=180)
    assert [file.name for file in tiles.parent.iterdir()] == ["sample.mbtiles"]


def test_a_build_meanwhile_ends_with_the_rest_and_leaves_nothing(data_dir):
    tiles = data_dir / "tiles" / "sample.mbtiles"
    with closing(sqlite3.connect(tiles)) as made, made:
        made.execute("DELETE FROM metadata")
    before = tiles.read_bytes()
    with running(data_dir, free_port()) as process:
        until_ready(process)
        building = map_build_of(process.pid)
        process.terminate()
        assert process.wait(30) == 0
        # It may have been done already.
        assert building is None or not alive(building)
    assert [file.name for file in tiles.parent.iterdir()] == ["sample.mbtiles"]
    assert generator(tiles) == sample_generator() or tiles.read_bytes() == before
