"""Building tile sets: what stands in them, and what happens when it does not work."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from map_helpers import answer, decoded, square, way

from cityverse.errors import InputError, MapInputUnreadable, ToolError
from cityverse.map import build as building
from cityverse.map import tiles
from cityverse.map.build import ALL_FROM, MAX_ZOOM, MIN_ZOOM, build

SCHEMA = {"id", "height", "min_height", "levels", "kind", "source"}


def metadata(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as file:
        return dict(file.execute("SELECT name, value FROM metadata"))


def content(path: Path) -> list[tuple[int, int, int, bytes]]:
    query = "SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles ORDER BY 1, 2, 3"
    with closing(sqlite3.connect(path)) as file:
        return file.execute(query).fetchall()


def houses(folder: Path, number: int = 40) -> Path:
    """An answer with houses in a row, each wider than the one before."""
    elements = [way(n, square(5 + n, 60 * n), height=str(5 + n)) for n in range(1, number + 1)]
    elements[0]["tags"]["name"] = "Petite maison"
    return answer(folder, elements)


@pytest.fixture
def tippecanoe(tmp_path, monkeypatch):
    """Puts a script of the test in tippecanoe's place."""

    def put(script: str) -> None:
        program = tmp_path / "program"
        program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(building.shutil, "which", lambda *_, **__: str(program))

    return put


def test_the_schema_of_the_tiles(district):
    path, _ = district
    assert [v["id"] for v in json.loads(metadata(path)["json"])["vector_layers"]] == [tiles.LAYER]
    for zoom in (MIN_ZOOM, ALL_FROM, MAX_ZOOM):
        features = decoded(path, zoom)
        assert features
        for feature in features:
            found = feature["properties"]
            assert set(found) == SCHEMA | ({"name"} if found["kind"] == "monument" else set())
            assert found["source"] == "sample"
            assert 0 <= found["min_height"] < found["height"] <= 330


def test_nothing_is_dropped_from_zoom_14_on(district):
    path, report = district
    far = {f["properties"]["id"] for f in decoded(path, MIN_ZOOM)}
    for zoom in (ALL_FROM, MAX_ZOOM):
        near = {f["properties"]["id"]: f["properties"]["kind"] for f in decoded(path, zoom)}
        assert "house" in near.values()
        assert "block" not in near.values()
        assert far | set(near) == set(range(1, report.kept + 1))
        assert len(near) > 300


def test_far_away_blocks_stand_for_houses(district):
    path, _ = district
    kinds = {f["properties"]["kind"] for f in decoded(path, MIN_ZOOM)}
    assert "block" in kinds


def test_the_metadata_tell_whose_data_it_is_and_nothing_of_this_machine(district):
    path, _ = district
    facts = metadata(path)
    assert "OpenStreetMap contributors" in facts["attribution"]
    assert "Generated" in facts["attribution"]
    assert facts["name"] == "sample"
    assert str(path.parent) not in " ".join(facts.values())
    assert sys.prefix not in " ".join(facts.values())


def test_a_generated_set_says_what_generated_it(district, tmp_path):
    path, _ = district
    assert tiles.generator(path) == tiles.sample_generator()
    assert tiles.generator(tmp_path / "nothing.mbtiles") is None
    (tmp_path / "damaged.mbtiles").write_bytes(b"no database" * 500)
    assert tiles.generator(tmp_path / "damaged.mbtiles") is None
    assert os.listdir(tmp_path) == ["damaged.mbtiles"]


def test_the_same_tiles_every_time(district, tmp_path):
    path, _ = district
    again = tmp_path / "sample.mbtiles"
    build("sample", again, bbox=(48.8515, 2.3430, 48.8575, 2.3520))
    assert content(again) == content(path)
    assert metadata(again) == metadata(path)
    versions = [tiles.current(file.parent).version for file in (path, again)]
    assert versions[0] == versions[1]


def test_overpass_shows_the_massive_first_and_all_from_zoom_14(tmp_path):
    output = tmp_path / "tiles" / "overpass.mbtiles"
    report = build("overpass", output, input=houses(tmp_path))
    assert (report.read, report.kept) == (40, 40)
    ids = {zoom: {f["properties"]["id"] for f in decoded(output, zoom)} for zoom in (11, 13, 14)}
    assert len(ids[11]) < len(ids[13]) < len(ids[14]) == 40
    far = [f["properties"] for f in decoded(output, 11)]
    assert min(f["height"] for f in far if "name" not in f) > 35
    assert "Petite maison" in {f.get("name") for f in far}
    assert tiles.current(output.parent).attribution == "© OpenStreetMap contributors (ODbL)"


def test_the_real_answer_becomes_tiles(shared, tmp_path):
    output = tmp_path / "overpass.mbtiles"
    source = shared / "data/buildings/osm_ile_cite.overpass.json"
    report = build("overpass", output, input=source)
    assert len({f["properties"]["id"] for f in decoded(output, 14)}) == report.kept > 880


def test_only_what_lies_in_the_box(tmp_path):
    output = tmp_path / "overpass.mbtiles"
    box = (48.85, 2.35, 48.86, 2.3622)  # from 160 m west to 730 m east of the first house
    report = build("overpass", output, input=houses(tmp_path), bbox=box)
    assert report.kept == 12
    assert report.skipped == {"outside the box": 28}
    assert str(report) == "40 buildings read, 12 kept, 28 left out: outside the box"


def test_progress_ends_with_all_of_it(tmp_path):
    told: list[float] = []
    build(
        "overpass",
        tmp_path / "o.mbtiles",
        input=houses(tmp_path),
        progress=lambda _text, share: told.append(share),
    )
    assert told[-1] == 1.0
    assert all(0 <= share <= 1 for share in told)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"source": "elsewhere"}, InputError),
        ({"source": "geojson"}, InputError),
        ({"source": "bdtopo", "input": Path("/nowhere/file.json")}, InputError),
        ({"source": "overpass", "input": Path("/nowhere/answer.json")}, MapInputUnreadable),
        ({"source": "sample", "bbox": (40, 2, 40.1, 2.1)}, MapInputUnreadable),
    ],
)
def test_what_cannot_be_built_leaves_the_old_tiles(tmp_path, arguments, error):
    output = tmp_path / "tiles" / "old.mbtiles"
    output.parent.mkdir()
    output.write_bytes(b"good")
    with pytest.raises(error):
        build(output=output, **arguments)
    assert output.read_bytes() == b"good"
    assert os.listdir(output.parent) == ["old.mbtiles"]


FAILURES = {
    "says why": ("print('out of paper', file=sys.stderr); sys.exit(3)", "out of paper"),
    "without a word": ("sys.exit(3)", "3"),
    "killed": ("sys.stdin.read(); os.kill(os.getpid(), 9)", "-9"),
    "no text": (
        "sys.stderr.buffer.write(b'\\xff' * 5000); sys.stdin.read(); sys.exit(1)",
        "\N{REPLACEMENT CHARACTER}" * 300,
    ),
}


@pytest.mark.parametrize(("script", "said"), FAILURES.values(), ids=FAILURES)
def test_a_tippecanoe_that_fails_leaves_the_old_tiles(tmp_path, tippecanoe, script, said):
    source = houses(tmp_path)
    output = tmp_path / "tiles" / "old.mbtiles"
    output.parent.mkdir()
    output.write_bytes(b"good")
    tippecanoe(script)
    with pytest.raises(ToolError) as failure:
        build("overpass", output, input=source)
    assert str(failure.value) == f"tippecanoe failed: {said}"
    assert output.read_bytes() == b"good"
    assert os.listdir(output.parent) == ["old.mbtiles"]


def test_a_tippecanoe_that_reads_nothing_does_not_block(tmp_path, tippecanoe):
    # More than a pipe holds.
    source = houses(tmp_path, 3000)
    tippecanoe("os.close(0); sys.exit(4)")
    with pytest.raises(ToolError, match="failed: 4"):
        build("overpass", tmp_path / "o.mbtiles", input=source)


def test_a_tippecanoe_that_makes_no_tiles_is_an_error(tmp_path, tippecanoe):
    source = houses(tmp_path)
    tippecanoe("sys.stdin.read()")
    with pytest.raises(ToolError, match="no whole tile set"):
        build("overpass", tmp_path / "tiles" / "o.mbtiles", input=source)
    assert os.listdir(tmp_path / "tiles") == []


def test_a_tippecanoe_that_hangs_is_ended_with_its_children(tmp_path, tippecanoe, monkeypatch):
    source = houses(tmp_path)
    monkeypatch.setattr(building, "_TIPPECANOE_WITHIN", 1.0)
    child = tmp_path / "child"
    tippecanoe(
        f"pid = os.fork()\nif pid: open({str(child)!r}, 'w').write(str(pid))\ntime.sleep(600)"
    )
    with pytest.raises(ToolError, match="did not end"):
        build("overpass", tmp_path / "tiles" / "o.mbtiles", input=source)
    assert gone(int(child.read_text()))
    assert os.listdir(tmp_path / "tiles") == []


def gone(pid: int) -> bool:
    """Whether a process has ended, within five seconds."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # nobody has asked for its exit code yet
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_leaves_the_old_tiles_and_no_process(tmp_path, number, code):
    output = tmp_path / "tiles" / "sample.mbtiles"
    output.parent.mkdir()
    output.write_bytes(b"good")
    command = [sys.executable, "-m", "cityverse", "map", "build", "--source", "sample"]
    with subprocess.Popen(
        [*command, "--output", str(output)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        folder = until_a_build_folder(output.parent, process)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert said == ""
    assert output.read_bytes() == b"good"
    assert os.listdir(output.parent) == ["sample.mbtiles"]
    assert not [
        cmd
        for cmd in Path("/proc").glob("[0-9]*/cwd")
        if os.path.lexists(cmd) and reached(cmd).startswith(str(folder))
    ]


def reached(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def until_a_build_folder(folder: Path, process: subprocess.Popen[str]) -> Path:
    """Wait until tippecanoe works in its folder."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        for found in folder.glob(".build-*/*"):
            return found.parent
        time.sleep(0.01)
    raise AssertionError("the build did not begin")


def test_leftovers_of_builds_that_were_killed_go_when_they_are_old(tmp_path):
    old, young = tmp_path / "tiles" / ".build-old", tmp_path / "tiles" / ".build-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "new.mbtiles").write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))
    build("overpass", tmp_path / "tiles" / "o.mbtiles", input=houses(tmp_path))
    assert sorted(os.listdir(tmp_path / "tiles")) == [".build-young", "o.mbtiles"]


def test_a_missing_tippecanoe_is_named(tmp_path, monkeypatch):
    source = houses(tmp_path)
    monkeypatch.setattr(building.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ToolError, match="tippecanoe is missing"):
        build("overpass", tmp_path / "o.mbtiles", input=source)


def test_a_full_disk_is_one_error(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = houses(tmp_path)
    monkeypatch.setattr(building.tempfile, "TemporaryDirectory", full)
    with pytest.raises(ToolError, match="No space left on device"):
        build("overpass", tmp_path / "o.mbtiles", input=source)


def test_an_output_below_a_file_is_one_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ToolError, match="could not be written"):
        build("overpass", tmp_path / "file" / "o.mbtiles", input=houses(tmp_path))


@pytest.mark.slow
def test_the_whole_city_is_built(tmp_path):
    report = build("sample", tmp_path / "sample.mbtiles")
    assert report.kept > 100_000
