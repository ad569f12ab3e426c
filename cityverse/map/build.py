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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import IO

import shapely
from shapely.geometry.base import BaseGeometry

from cityverse.errors import InputError, MapInputUnreadable, ToolError
from cityverse.map import known, overpass, sample
from cityverse.map.features import Feature, Report, ranked, write
from cityverse.map.tiles import LAYER

Progress = Callable[[str, float], None]
BBox = tuple[float, float, float, float]

MIN_ZOOM, ALL_FROM, MAX_ZOOM = 11, 14, 15
# Which share of the buildings, the most massive first, a zoom shows.
_SHARES = {11: 0.12, 12: 0.35, 13: 0.7, ALL_FROM: 1.1}
_TIPPECANOE_WITHIN = 1800
_SAID_MOST = 300
_FOLDER = ".build-"
# Reading a source is about so much of the whole work.
_READING = 0.3


def build(
    source: str,
    output: Path,
    *,
    input: Path | None = None,
    bbox: BBox | None = None,
    progress: Progress = lambda _text, _share: None,
) -> Report:
    """Build ``output`` from a source: ``sample``, or ``overpass`` with a file as ``input``.

    ``bbox`` is south, west, north, east. ``progress`` is told what is done and which
    share of the work, from any thread. Raises InputError, MapInputUnreadable or
    ToolError; the tile set that was there before stays until the new one is whole.
    """
    within = None if bbox is None else _area(bbox)
    report = Report()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(output.parent)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=_FOLDER) as folder:
            tiles = Path(folder) / "new.mbtiles"
            features = _features(source, input, within, report)
            first = next(features, None)
            if first is None:
                raise MapInputUnreadable(f"there is no building to draw: {report}")
            counted = _counted(chain([first], features), progress)
            report.kept = _tippecanoe(counted, source, tiles, output.stem, progress)
            tiles.replace(output)
    except OSError as error:
        raise ToolError(f"{output} could not be written: {error}") from error
    progress("done", 1.0)
    return report


def _clear_leftovers(folder: Path) -> None:
    """Remove what builds left that were killed, so long ago that none can still work."""
    for left in folder.glob(f"{_FOLDER}*"):
        if time.time() - left.stat().st_mtime > 2 * _TIPPECANOE_WITHIN:
            shutil.rmtree(left, ignore_errors=True)


def _area(bbox: BBox) -> BaseGeometry:
    south, west, north, east = bbox
    corners = known.to_metres([[west, south], [east, south], [east, north], [west, north]])
    return shapely.Polygon(corners)


def _features(
    source: str, input: Path | None, within: BaseGeometry | None, report: Report
) -> Iterator[Feature]:
    if source == sample.SOURCE:
        yield from sample.features(within, report)
    elif source == overpass.SOURCE:
        if input is None:
            raise InputError("the source overpass needs --input, a file with an Overpass answer")
        found = overpass.read(input, report)
        inside = [f for f in found if within is None or within.intersects(f.shape)]
        report.skipped["outside the box"] += len(found) - len(inside)
        report.skipped += {}
        yield from ranked(inside, _SHARES, MAX_ZOOM)
    else:
        raise InputError(f"no source {source}; there are sample and overpass")


def _attribution(source: str) -> str:
    return {sample.SOURCE: sample.ATTRIBUTION, overpass.SOURCE: overpass.ATTRIBUTION}[source]


def _counted(features: Iterator[Feature], progress: Progress) -> Iterator[Feature]:
    for number, feature in enumerate(features, 1):
        if number % 2000 == 0:
            # Paris has some hundred thousand buildings, whoever maps them.
            progress(f"{number:,} buildings", min(_READING, _READING * number / 120_000))
        yield feature


def _tippecanoe(
    features: Iterator[Feature], source: str, tiles: Path, name: str, progress: Progress
) -> int:
    """Make tiles of features while they come; answers with their number."""
    command = tippecanoe_command(tiles.name, name, _attribution(source))
    command += ["--temporary-directory", str(tiles.parent.absolute())]
    number = _run(command, tiles.parent, lambda lines: write(features, source, lines), progress)
    try:
        # How and where it was made is nobody's business, and would differ every time.
        with closing(sqlite3.connect(tiles)) as made, made:
            made.execute("DELETE FROM metadata WHERE name = 'generator_options'")
    except sqlite3.Error as error:
        raise ToolError(f"tippecanoe made no whole tile set: {error}") from error
    return number


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


def _run(
    command: list[str], folder: Path, feed: Callable[[IO[str]], int], progress: Progress
) -> int:
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


def _fed(process: subprocess.Popen[str], feed: Callable[[IO[str]], int]) -> int:
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
