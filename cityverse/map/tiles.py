"""Tile sets of buildings: MBTiles files, read only.

A tile set is a file ``<name>.mbtiles`` in the folder of tiles. Its ``version`` follows
from the file itself, so that a URL with it may be cached for ever; a file that was
replaced gets another one.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cityverse.errors import MapInputUnreadable

log = logging.getLogger(__name__)

LAYER = "buildings"
# The generated city gives way to any set of real buildings.
GENERATED = "sample"
_CHOICE = "current"


@dataclass(frozen=True, slots=True)
class TileSetInfo:
    """What a page needs to know of a tile set; zooms are those it has tiles for."""

    name: str
    version: str
    attribution: str
    min_zoom: int
    max_zoom: int

    @property
    def generated(self) -> bool:
        """Whether its buildings are invented."""
        return self.name == GENERATED

    @property
    def url(self) -> str:
        """The template of its tiles' addresses."""
        return f"/tiles/{self.name}/{self.version}/{{z}}/{{x}}/{{y}}.pbf"


class TileSet:
    """An open tile set; each thread reads through a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self.info = _describe(path, self._connection())

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """The gzipped vector tile, or None where there is nothing.

        Raises MapInputUnreadable when the file is damaged.
        """
        row = 2**z - 1 - y  # MBTiles count rows from the south
        try:
            found = (
                self._connection()
                .execute(
                    "SELECT tile_data FROM tiles"
                    " WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
                    (z, x, row),
                )
                .fetchone()
            )
        except sqlite3.Error as error:
            raise MapInputUnreadable(f"{self._path.name} is damaged: {error}") from error
        return None if found is None else bytes(found[0])

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                # The file is never changed in place, only replaced as a whole.
                connection = sqlite3.connect(
                    f"file:{self._path}?mode=ro&immutable=1", uri=True, check_same_thread=False
                )
            except sqlite3.Error as error:
                raise MapInputUnreadable(f"{self._path.name} cannot be opened: {error}") from error
            self._local.connection = connection
        return connection


def _describe(path: Path, connection: sqlite3.Connection) -> TileSetInfo:
    try:
        facts = dict(connection.execute("SELECT name, value FROM metadata"))
        zooms = connection.execute("SELECT min(zoom_level), max(zoom_level) FROM tiles").fetchone()
    except sqlite3.Error as error:
        raise MapInputUnreadable(f"{path.name} is no tile set: {error}") from error
    if zooms[0] is None:
        raise MapInputUnreadable(f"{path.name} holds no tile")
    return TileSetInfo(path.stem, _version(path), facts.get("attribution", ""), *zooms)


def _version(path: Path) -> str:
    state = path.stat()
    return f"{state.st_mtime_ns:x}-{state.st_size:x}"


@lru_cache(maxsize=16)
def _open(path: Path, _version: str) -> TileSet | None:
    """Open once; a damaged file is logged once, and tried again when it was replaced."""
    try:
        return TileSet(path)
    except MapInputUnreadable as error:
        log.warning("tile set left out: %s", error)
        return None


def opened(folder: Path, name: str) -> TileSet | None:
    """The tile set of this name, or None when it is not there or damaged."""
    path = folder / f"{name}.mbtiles"
    try:
        return _open(path, _version(path))
    except OSError:
        return None


def available(folder: Path) -> list[TileSetInfo]:
    """All readable tile sets, by name."""
    names = sorted(path.stem for path in folder.glob("*.mbtiles"))
    return [found.info for name in names if (found := opened(folder, name)) is not None]


def current(folder: Path) -> TileSetInfo | None:
    """The tile set to show: the operator's choice, else a real one, else the generated one."""
    sets = available(folder)
    chosen = _choice(folder)
    order = sorted(sets, key=lambda s: (s.name != chosen, s.generated, s.name))
    return order[0] if order else None


def _choice(folder: Path) -> str | None:
    try:
        return (folder / _CHOICE).read_text(encoding="utf-8").strip()
    except OSError:
        return None
