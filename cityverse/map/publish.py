"""Tile sets on another origin: uploaded to a bucket, and found again by every server.

A set lies below ``name/version/z/x/y.pbf``; ``current.json`` beside it says which one is
to be shown and is written last, so a set is seen only when it is whole.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cityverse.data.tilesets import TileBucket
from cityverse.errors import FetchError, InputError
from cityverse.map import tiles
from cityverse.map.tiles import Place, TileSet, TileSetInfo
from cityverse.news.fetch import Limits, fetch

log = logging.getLogger(__name__)

_CURRENT = "current.json"
_CURRENT_SECONDS = 60
_AT_ONCE = 16
# A place without a tile would be an error in the browser's console.
_EMPTY = gzip.compress(b"", mtime=0)
_LIMITS = Limits(seconds=10, bytes=64 * 1024, redirects=2)
_LOOK_EVERY, _LOOK_AGAIN = 300.0, 20.0
_VERSION = re.compile(r"[0-9a-f]{16}")
_ATTRIBUTION_MOST = 500
_DEEPEST = 22


@dataclass(frozen=True, slots=True)
class Published:
    """What was uploaded: the set's name, how many tiles, into which bucket and prefix."""

    name: str
    tiles: int
    place: str


def publish(
    folder: Path,
    name: str | None,
    target: TileBucket,
    told: Callable[[int, int], object] = lambda _done, _total: None,
) -> Published:
    """Upload a set, or the one on show, and make it the one that is shown everywhere.

    What is there of the same version is left as it is, so an interrupted upload goes on.
    Raises InputError, MapInputUnreadable, StoreError.
    """
    shown = tiles.on_disk(folder)
    found = tiles.opened(folder, name or (shown.name if shown else ""))
    if found is None:
        raise InputError(f"there is no readable tile set {name or ''} in {folder}")
    info = found.info
    below = f"{info.name}/{info.version}"
    places = found.places()
    wanted = {f"{below}/{z}/{x}/{y}.pbf": (z, x, y) for z, x, y in _filled(places)}
    target.let_pages_read()
    there = target.paths(below)
    missing = [path for path in wanted if path not in there]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        work = pool.map(lambda path: target.put_tile(path, _tile(found, wanted[path])), missing)
        for number, _ in enumerate(work, len(wanted) - len(missing) + 1):
            told(number, len(wanted))
    facts = json.dumps(_described(info), ensure_ascii=False).encode()
    target.put_json(_CURRENT, facts, _CURRENT_SECONDS)
    return Published(info.name, len(places), target.place)


def _filled(places: list[Place]) -> Iterator[Place]:
    """All places in the box around those of each zoom."""
    for zoom in sorted({z for z, _, _ in places}):
        columns = [x for z, x, _ in places if z == zoom]
        rows = [y for z, _, y in places if z == zoom]
        for x in range(min(columns), max(columns) + 1):
            for y in range(min(rows), max(rows) + 1):
                yield zoom, x, y


def _tile(found: TileSet, place: Place) -> bytes:
    return found.tile(*place) or _EMPTY


def _described(info: TileSetInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "version": info.version,
        "attribution": info.attribution,
        "min_zoom": info.min_zoom,
        "max_zoom": info.max_zoom,
    }


class PublishedSet:
    """The set that an origin has on show; looked at again and again, so pages never wait."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._info: TileSetInfo | None = None
        self._failed = ""

    def info(self) -> TileSetInfo | None:
        """What is known now; None as long as the origin has not answered."""
        return self._info

    def follow(self) -> None:
        """Keep looking, in a thread that ends with the process."""
        threading.Thread(target=self._follow, name="published-tiles", daemon=True).start()

    def _follow(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(_LOOK_EVERY if self.look() else _LOOK_AGAIN)

    def look(self) -> bool:
        """Ask the origin once; what it said before stays when it does not answer."""
        try:
            answer = fetch(
                f"{self._origin}/{_CURRENT}",
                allow_private=True,  # the operator named it
                limits=_LIMITS,
                accept="application/json",
            )
            self._info = _info(json.loads(answer.data), self._origin)
        except (FetchError, ValueError, KeyError, TypeError, RecursionError) as error:
            said = " ".join(str(error).split())[:200]
            if said != self._failed:
                log.warning("no tile set at %s: %s", self._origin, said)
            self._failed = said
            return False
        self._failed = ""
        return True


def _info(facts: Any, origin: str) -> TileSetInfo:
    """Checked facts; raises ValueError, KeyError, TypeError."""
    name, version, low, high = (facts[n] for n in ("name", "version", "min_zoom", "max_zoom"))
    attribution = str(facts["attribution"])[:_ATTRIBUTION_MOST]
    if not (tiles.NAME.fullmatch(name) and _VERSION.fullmatch(version)):
        raise ValueError("its name or version is of another form")
    if not (type(low) is type(high) is int and 0 <= low <= high <= _DEEPEST):
        raise ValueError("its zooms make no sense")
    return TileSetInfo(name, version, attribution, low, high, origin)
