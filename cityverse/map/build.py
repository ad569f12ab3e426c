"""Building tile sets: buildings of a source, then tippecanoe.

The result takes the place of an older one only when it is whole.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import shapely
from shapely.geometry.base import BaseGeometry

from cityverse.errors import InputError, MapInputUnreadable, ToolError
from cityverse.map import bdtopo, cells, geojson, known, overpass, sample
from cityverse.map.cells import BBox, Fetched
from cityverse.map.clean import cleaned
from cityverse.map.features import Feature, Report, Spool, write
from cityverse.map.geojson import NO_PROPERTIES, Properties
from cityverse.map.tiles import GENERATOR, LAYER, sample_generator
from cityverse.processes import only_one

Progress = Callable[[str, float], None]

SOURCES = (sample.SOURCE, overpass.SOURCE, bdtopo.SOURCE, geojson.SOURCE)
# Sources that are fetched when no file is given.
ENDPOINTS = {overpass.SOURCE: overpass.ENDPOINT, bdtopo.SOURCE: bdtopo.ENDPOINT}
# Seconds between two requests: the public Overpass server asks for more patience.
_PAUSES = {overpass.SOURCE: 2.0, bdtopo.SOURCE: 0.3}
_ATTRIBUTIONS = {
    sample.SOURCE: sample.ATTRIBUTION,
    overpass.SOURCE: overpass.ATTRIBUTION,
    bdtopo.SOURCE: bdtopo.ATTRIBUTION,
}
MIN_ZOOM, ALL_FROM, MAX_ZOOM = 11, 14, 16
# Which share of the buildings, the most massive first, a zoom shows.
_SHARES = {11: 0.12, 12: 0.35, 13: 0.7, ALL_FROM: 1.1}
_TIPPECANOE_WITHIN = 1800
_SAID_MOST = 300
_FOLDER = ".build-"
# Which share of the work reading a file is about, and fetching of all work.
_READING, _FETCHING = 0.3, 0.8
_Feed = Callable[[IO[str]], int]


@dataclass(frozen=True, slots=True)
class Input:
    """What a tile set is built from.

    ``file`` and ``properties`` belong to a file; without one, ``overpass`` and ``bdtopo``
    are fetched from ``endpoint`` into the folder ``cells``, which is beside the output
    when None, and is removed when the tiles are there. ``bbox`` is south, west, north,
    east. Fewer buildings than ``least`` are taken for a failure.
    """

    source: str
    file: Path | None = None
    bbox: BBox | None = None
    properties: Properties = NO_PROPERTIES
    attribution: str = ""
    endpoint: str = ""
    cells: Path | None = None
    least: int = 1
    wait: Callable[[float], object] = time.sleep


def build(
    source: str | Input,
    output: Path,
    *,
    input: Path | None = None,
    bbox: BBox | None = None,
    progress: Progress = lambda _text, _share: None,
    fetched: Callable[[Fetched], object] = lambda _fetched: None,
) -> Report:
    """Build ``output`` from an Input, or from a source by name with a file and a box.

    ``progress`` is told what is done and which share of the work, from any thread;
    ``fetched`` how far fetching has come. Raises InputError, MapInputUnreadable,
    FetchError or ToolError; the tile set that was there before stays until the new one
    is whole.
    """
    wanted = source if isinstance(source, Input) else Input(source, input, bbox)
    _check(wanted)
    report = Report()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(output.parent)
        fetching = _fetched(wanted, output, progress, fetched)
        with fetching if _is_fetched(wanted) else nullcontext() as city:
            share = _FETCHING if city else 0.0
            later = _later(progress, share)
            with tempfile.TemporaryDirectory(dir=output.parent, prefix=_FOLDER) as folder:
                tiles = Path(folder) / "new.mbtiles"
                feed = _feed(wanted, city, Path(folder), report, later)
                report.kept = _tippecanoe(feed, wanted, tiles, output.stem, later)
                tiles.replace(output)
            if city is not None:
                city.folder.remove()
    except OSError as error:
        raise ToolError(f"{output} could not be written: {error}") from error
    progress("done", 1.0)
    return report


def _check(wanted: Input) -> None:
    if wanted.source not in SOURCES:
        raise InputError(f"no source {wanted.source}; there are {', '.join(SOURCES)}")
    if wanted.source == geojson.SOURCE and wanted.file is None:
        raise InputError("the source geojson needs --input, a file with GeoJSON")
    if wanted.source in {sample.SOURCE, bdtopo.SOURCE} and wanted.file is not None:
        raise InputError(f"the source {wanted.source} takes no --input; see --source geojson")
    if wanted.source != geojson.SOURCE and wanted.properties != NO_PROPERTIES:
        raise InputError("names of properties go with --source geojson")
    if wanted.endpoint and not _is_fetched(wanted):
        raise InputError("--endpoint goes with a source that is fetched")


def _is_fetched(wanted: Input) -> bool:
    return wanted.source in ENDPOINTS and wanted.file is None


def _later(progress: Progress, share: float) -> Progress:
    """Progress of what begins when this share of the work is done."""
    return lambda text, part: progress(text, share + (1 - share) * part)


@dataclass(frozen=True, slots=True)
class _City:
    """What was fetched of the city."""

    source: cells.Source
    wanted: list[cells.Cell]
    folder: cells.CellFolder


_FETCHED_BY: dict[str, Callable[[cells.Service], cells.Source]] = {
    overpass.SOURCE: overpass.Overpass,
    bdtopo.SOURCE: bdtopo.BdTopo,
}


@contextmanager
def _fetched(
    wanted: Input, output: Path, progress: Progress, fetched: Callable[[Fetched], object]
) -> Iterator[_City]:
    """Fetch what is missing; nobody else touches the folder meanwhile."""
    endpoint = wanted.endpoint or ENDPOINTS[wanted.source]
    public = endpoint == ENDPOINTS[wanted.source]
    service = cells.Service(
        endpoint, _PAUSES[wanted.source], allow_private=not public, wait=wanted.wait
    )
    source = _FETCHED_BY[wanted.source](service)
    of_city = cells.of_paris(wanted.bbox)
    if not of_city:
        raise InputError("the box lies outside Paris")

    def told(now: Fetched) -> None:
        left = "" if now.remaining is None else f", {_words(now.remaining)} left"
        progress(f"fetched {now.done} of {now.total} arrondissements{left}", now.share * _FETCHING)
        fetched(now)

    path = wanted.cells or output.parent / f".cells-{output.stem}"
    with only_one(Path(f"{path}.lock"), f"the city is being fetched into {path} already"):
        folder = cells.CellFolder(path, wanted.source, endpoint)
        cells.fetch_all(source, of_city, folder, told)
        yield _City(source, of_city, folder)


def _words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _clear_leftovers(folder: Path) -> None:
    """Remove what builds left that were killed, so long ago that none can still work."""
    for left in folder.glob(f"{_FOLDER}*"):
        if time.time() - left.stat().st_mtime > 2 * _TIPPECANOE_WITHIN:
            shutil.rmtree(left, ignore_errors=True)


def _area(bbox: BBox) -> BaseGeometry:
    south, west, north, east = bbox
    corners = known.to_metres([[west, south], [east, south], [east, north], [west, north]])
    return shapely.Polygon(corners)


def _feed(
    wanted: Input, city: _City | None, folder: Path, report: Report, progress: Progress
) -> _Feed:
    """What writes the buildings for tippecanoe: the sample as it comes, others once all are read.

    Raises MapInputUnreadable when there are too few buildings.
    """
    within = None if wanted.bbox is None else _area(wanted.bbox)
    if wanted.source == sample.SOURCE:
        features = sample.features(within, report)
        first = next(features, None)
        if first is None:
            raise MapInputUnreadable(f"there is no building to draw: {report}")
        everything = _counted(chain([first], features), progress)
        return lambda lines: write(everything, wanted.source, lines)
    spool = Spool(folder / "features.geojsonl", wanted.source)
    spool.fill(_counted(_real(wanted, city, within, report), progress))
    if not len(spool):
        raise MapInputUnreadable(f"there is no building to draw: {report}")
    if len(spool) < wanted.least:
        raise MapInputUnreadable(f"there are suspiciously few buildings: {report}")
    return lambda lines: _copy(spool.lines(_SHARES, MAX_ZOOM), lines)


def _copy(lines: Iterable[str], output: IO[str]) -> int:
    number = 0
    for number, line in enumerate(lines, 1):  # noqa: B007 - the last one is their number
        output.write(line)
    return number


def _real(
    wanted: Input, city: _City | None, within: BaseGeometry | None, report: Report
) -> Iterator[Feature]:
    if city is not None:
        return iter(city.source.read(city.folder.read(city.wanted), report, within))
    assert wanted.file is not None  # noqa: S101 - checked at the beginning
    if wanted.source == overpass.SOURCE:
        return iter(overpass.read(wanted.file, report, within))
    raw = geojson.read(wanted.file, wanted.properties, report)
    return cleaned(raw, report, within, refs_are_unique=False)


def _counted(features: Iterator[Feature], progress: Progress) -> Iterator[Feature]:
    for number, feature in enumerate(features, 1):
        if number % 2000 == 0:
            # Paris has some hundred thousand buildings, whoever maps them.
            progress(f"{number:,} buildings", min(_READING, _READING * number / 120_000))
        yield feature


def _tippecanoe(feed: _Feed, wanted: Input, tiles: Path, name: str, progress: Progress) -> int:
    """Make tiles of what ``feed`` writes; answers with the number of buildings."""
    command = tippecanoe_command(tiles.name, name, _attribution(wanted))
    command += ["--temporary-directory", str(tiles.parent.absolute())]
    number = _run(command, tiles.parent, feed, progress)
    try:
        # How and where it was made is nobody's business, and would differ every time.
        with closing(sqlite3.connect(tiles)) as made, made:
            made.execute("DELETE FROM metadata WHERE name = 'generator_options'")
            if wanted.source == sample.SOURCE:
                made.execute(
                    "INSERT INTO metadata (name, value) VALUES (?, ?)",
                    (GENERATOR, sample_generator()),
                )
    except sqlite3.Error as error:
        raise ToolError(f"tippecanoe made no whole tile set: {error}") from error
    return number


def _attribution(wanted: Input) -> str:
    of_file = f"Source: {wanted.file.name}" if wanted.file else ""
    return wanted.attribution or _ATTRIBUTIONS.get(wanted.source, of_file)


def tippecanoe_command(output: str, name: str, attribution: str) -> list[str]:
    """What makes a tile set of GeoJSON lines on its input; ToolError when it is missing."""
    program = shutil.which("tippecanoe", path=str(Path(sys.executable).parent)) or shutil.which(
        "tippecanoe"
    )
    if program is None:
        raise ToolError("tippecanoe is missing: install requirements.txt again")
    return [
        *(program, "-o", output, "-l", LAYER, "-n", name, "-A", attribution),
        *("-Z", str(MIN_ZOOM), "-z", str(MAX_ZOOM), "-P", "--json-progress"),
        *("--progress-interval", "1"),
        # Nothing is dropped or merged: which zoom shows what was decided above.
        *("--no-feature-limit", "--no-tile-size-limit", "--no-tiny-polygon-reduction"),
        *("--no-line-simplification", "-B", str(MIN_ZOOM), "-r", "1"),
    ]


def _run(command: list[str], folder: Path, feed: _Feed, progress: Progress) -> int:
    """Run in a process group of its own, which ends with us or when it takes too long."""
    with (
        ThreadPoolExecutor(1) as pool,
        subprocess.Popen(  # noqa: S603 - our own command line
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        late = threading.Timer(_TIPPECANOE_WITHIN, _end, [process])
        late.start()
        try:
            following = pool.submit(_follow, process, progress)
            number = _fed(process, feed)
            said = following.result()
            process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            in_time = late.is_alive()
            late.cancel()
            late.join()
    if not in_time:
        raise ToolError(f"tippecanoe did not end within {_TIPPECANOE_WITHIN} s")
    if process.returncode:
        raise ToolError(f"tippecanoe failed: {said or process.returncode}")
    return number


def _fed(process: subprocess.Popen[str], feed: _Feed) -> int:
    assert process.stdin is not None  # noqa: S101 - started with a pipe
    number = 0
    # When it went away, its last words and exit code say why.
    try:
        with suppress(BrokenPipeError):
            number = feed(process.stdin)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
    return number


def _end(process: subprocess.Popen[str]) -> None:
    # The program may be a script that started the real one: both must go.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _follow(process: subprocess.Popen[str], progress: Progress) -> str:
    """Pass its progress on until it closes its output; answers with the last other line."""
    said = ""
    for line in process.stderr or ():
        share = _share_done(line)
        if share is None:
            said = line.strip()[:_SAID_MOST] or said
        else:
            progress("building tiles", _READING + (1 - _READING) * share)
    return said


def _share_done(line: str) -> float | None:
    try:
        return float(json.loads(line)["progress"]) / 100
    except (ValueError, KeyError, TypeError):
        return None
