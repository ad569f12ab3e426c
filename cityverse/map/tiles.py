"""Tile sets of buildings: MBTiles files, read only.

A tile set is a file ``<name>.mbtiles`` in the folder of tiles. Its ``version`` is a hash
of all its tiles, so that a URL with it may be cached for ever, and several servers with
the same tiles give the same URLs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sqlite3
import threading
import weakref
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cityverse.errors import MapInputUnreadable

log = logging.getLogger(__name__)

LAYER = "buildings"
# The generated city gives way to any set of real buildings.
GENERATED = "sample"
# In the metadata of a generated set: what generated it.
GENERATOR = "cityverse_generator"
_GENERATED_BY = ("sample.py", "monuments.py", "known.py", "features.py", "build.py")
_CHOICE = "current"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


# Zoom, column and row; rows are counted from the north.
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TileSetInfo:
    """What a page needs to know of a tile set; zooms are those it has tiles for.

    ``origin`` is where its tiles are asked for: a path of this server, or another one.
    """

    name: str
    version: str
    attribution: str
    min_zoom: int
    max_zoom: int
    origin: str = "/tiles"

    @property
    def generated(self) -> bool:
        """Whether its buildings are invented."""
        return self.name == GENERATED

    @property
    def url(self) -> str:
        """The template of its tiles' addresses."""
        return f"{self.origin}/{self.name}/{self.version}/{{z}}/{{x}}/{{y}}.pbf"


class TileSet:
    """An open tile set, for any number of threads.

    Opening reads all of it. Raises MapInputUnreadable for a file that is damaged, or
    no set of vector tiles.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.name
        self._lock = threading.Lock()
        try:
            # The file is never changed in place, only replaced as a whole.
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise MapInputUnreadable(f"{path.name} cannot be opened: {error}") from error
        # A request may still hold a set that was replaced: the last one closes it.
        self._close = weakref.finalize(self, self._connection.close)
        try:
            self.info = _describe(path, self._connection)
        except sqlite3.Error as error:
            raise MapInputUnreadable(f"{path.name} is no tile set, or damaged: {error}") from error

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """The gzipped vector tile, or None where there is nothing.

        Raises MapInputUnreadable when the file is damaged.
        """
        row = 2**z - 1 - y  # MBTiles count rows from the south
        query = "SELECT tile_data FROM tiles WHERE (zoom_level, tile_column, tile_row) = (?, ?, ?)"
        try:
            with self._lock:
                found = self._connection.execute(query, (z, x, row)).fetchone()
        except sqlite3.Error as error:
            raise MapInputUnreadable(f"{self._file} is damaged: {error}") from error
        return None if found is None else bytes(found[0])

    def places(self) -> list[Place]:
        """Where there are tiles. Raises MapInputUnreadable when the file is damaged."""
        query = "SELECT zoom_level, tile_column, tile_row FROM tiles"
        try:
            with self._lock:
                rows = self._connection.execute(query).fetchall()
        except sqlite3.Error as error:
            raise MapInputUnreadable(f"{self._file} is damaged: {error}") from error
        return sorted((z, x, 2**z - 1 - row) for z, x, row in rows)


def _describe(path: Path, connection: sqlite3.Connection) -> TileSetInfo:
    facts = dict(connection.execute("SELECT name, value FROM metadata"))
    if facts.get("format") != "pbf":
        raise MapInputUnreadable(f"{path.name} holds no vector tiles")
    attribution = str(facts.get("attribution", ""))
    content = hashlib.sha256(attribution.encode())
    zooms = set()
    for z, x, row, data in connection.execute(
        "SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles"
        " ORDER BY zoom_level, tile_column, tile_row"
    ):
        content.update(b"%d/%d/%d" % (z, x, row))
        content.update(data)
        zooms.add(z)
    if not zooms:
        raise MapInputUnreadable(f"{path.name} holds no tile")
    version = content.hexdigest()[:16]
    return TileSetInfo(path.stem, version, attribution, min(zooms), max(zooms))


_State = tuple[int, int, int]
_opened: dict[Path, tuple[_State, TileSet | None]] = {}
_opening = threading.Lock()


def opened(folder: Path, name: str) -> TileSet | None:
    """The tile set of this name, or None when it is not there or damaged.

    A damaged file is logged once; a file that was replaced is opened anew.
    """
    if not NAME.fullmatch(name):
        return None
    path = folder / f"{name}.mbtiles"
    with _opening:
        try:
            state = _state(path)
        except OSError:
            _opened.pop(path, None)
            return None
        known = _opened.get(path)
        if known is None or known[0] != state:
            known = _opened[path] = state, _open(path)
        return known[1]


def _state(path: Path) -> _State:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _open(path: Path) -> TileSet | None:
    try:
        return TileSet(path)
    except MapInputUnreadable as error:
        log.warning("tile set left out: %s", error)
        return None


def available(folder: Path) -> list[TileSetInfo]:
    """All readable tile sets, by name."""
    names = sorted(path.stem for path in folder.glob("*.mbtiles"))
    return [found.info for name in names if (found := opened(folder, name)) is not None]


_published: Callable[[], TileSetInfo | None] | None = None


def show_published(info: Callable[[], TileSetInfo | None] | None) -> None:
    """Let ``current`` answer with what ``info`` knows of a set on another origin, if anything."""
    global _published  # noqa: PLW0603 - of the process, like the files that are open
    _published = info


def current(folder: Path) -> TileSetInfo | None:
    """The tile set to show: a published one, else the best in this folder."""
    return (_published() if _published else None) or on_disk(folder)


def on_disk(folder: Path) -> TileSetInfo | None:
    """The set to show of this folder: the operator's choice, else a real one, else the sample."""
    sets = available(folder)
    preferred = chosen(folder)
    order = sorted(sets, key=lambda s: (s.name != preferred, s.generated, s.name))
    return order[0] if order else None


def choose(folder: Path, name: str | None) -> None:
    """Show the set of this name from now on, when it is there; None takes the choice back."""
    if name is None:
        (folder / _CHOICE).unlink(missing_ok=True)
        return
    draft = folder / f".{_CHOICE}.{os.getpid()}.{threading.get_ident()}"
    draft.write_text(name, encoding="utf-8")
    draft.replace(folder / _CHOICE)


def sample_generator() -> str:
    """A hash of the programs and facts the sample city is generated from."""
    content = hashlib.sha256()
    here = Path(__file__).parent
    programs = (here / name for name in _GENERATED_BY)
    for file in (*programs, *sorted((here / "facts").iterdir())):
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:16]


def generator(path: Path) -> str | None:
    """What generated the set in this file; None when it does not say, or cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            query = "SELECT value FROM metadata WHERE name = ?"
            found = file.execute(query, (GENERATOR,)).fetchone()
    except sqlite3.Error:
        return None
    return str(found[0]) if found else None


def chosen(folder: Path) -> str | None:
    """The name that was chosen last, whether its set is there or not; None without a choice."""
    try:
        with (folder / _CHOICE).open(encoding="utf-8", errors="replace") as file:
            return file.readline(100).strip()
    except OSError:
        return None
