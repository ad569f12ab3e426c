"""Fetching the city politely, cell by cell, so that it can be interrupted and goes on.

A cell is a box of about a kilometre and a half, asked for once and kept in a folder until
the tiles are built. Requests go out one at a time with a pause between them; a server
that asks for patience gets it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import shapely

from cityverse import __version__
from cityverse.errors import FetchError, InputError, MapInputUnreadable
from cityverse.map import known
from cityverse.map.features import Feature, Report
from cityverse.news.fetch import Limits, fetch

T = TypeVar("T")
BBox = tuple[float, float, float, float]

# Seconds and bytes of one answer; a fuller cell is asked for in pieces.
ANSWER_WITHIN = 210
ANSWER_MOST = 32 * 1024 * 1024
_LIMITS = Limits(seconds=ANSWER_WITHIN, bytes=ANSWER_MOST)
_AGENT = f"CityVerse/{__version__} (buildings of the city map)"
_SIDE = 1500.0
_ALL_WITHIN = 6 * 3600.0
# How often a request is repeated; a server that is overloaded is not asked so often.
_REPEATS = 5
_FEW_REPEATS = {"timeout": 1, "http_504": 2}
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
_PATIENCE = 15 * 60.0
_NOT_REACHED = {"dns", "connect", "tls"}
_PASSING = {*_NOT_REACHED, "timeout", "protocol", "http_408", "http_429"}
_KEPT_SECONDS = 30 * 24 * 3600.0
_FORM = 1
_SUFFIX = ".cell.json.gz"


class Cell(NamedTuple):
    """A box in degrees, and the arrondissements (1 to 20) it touches."""

    south: float
    west: float
    north: float
    east: float
    arrondissements: tuple[int, ...]

    @property
    def name(self) -> str:
        """The same for the same box, and fit for a file."""
        return "_".join(f"{side:.5f}" for side in self[:4])

    def quarters(self) -> list[Cell]:
        """The four cells it consists of."""
        middle, centre = (self.south + self.north) / 2, (self.west + self.east) / 2
        return [
            Cell(south, west, north, east, self.arrondissements)
            for south, north in ((self.south, middle), (middle, self.north))
            for west, east in ((self.west, centre), (centre, self.east))
        ]


def of_paris(bbox: BBox | None = None) -> list[Cell]:
    """The cells of the city or of a box (south, west, north, east), by arrondissement."""
    west, south, east, north = known.land().bounds
    boxes = [
        shapely.box(x, y, x + _SIDE, y + _SIDE)
        for y in np.arange(south, north, _SIDE)
        for x in np.arange(west, east, _SIDE)
    ]
    found = [_cell(box) for box in boxes if box.intersects(known.land())]
    return sorted(
        (cell for cell in found if bbox is None or _meet(cell, bbox)),
        key=lambda cell: (cell.arrondissements, cell.south, cell.west),
    )


def _cell(box: shapely.Polygon) -> Cell:
    touched = [n for n, a in enumerate(known.arrondissements(), 1) if a.shape.intersects(box)]
    west, south, east, north = box.bounds
    (west, south), (east, north) = known.to_degrees(np.array([[west, south], [east, north]]))
    south, west, north, east = (round(float(side), 6) for side in (south, west, north, east))
    return Cell(south, west, north, east, tuple(touched))


def _meet(cell: Cell, bbox: BBox) -> bool:
    south, west, north, east = bbox
    return cell.south < north and cell.north > south and cell.west < east and cell.east > west


# --- asking -------------------------------------------------------------------------------


@dataclass(slots=True)
class Service:
    """A server that is asked politely: ``pause`` seconds lie between two requests."""

    endpoint: str
    pause: float
    # An operator's own server may well stand in a private network.
    allow_private: bool = False
    wait: Callable[[float], object] = time.sleep
    limits: Limits = _LIMITS
    _asked: float | None = field(default=None, init=False)
    _reached: bool = field(default=False, init=False)

    def json(self, url: str, check: Callable[[Any], T]) -> T:
        """What ``check`` makes of the answer in JSON; asks again when that may help.

        ``check`` raises FetchError for an answer that is not whole. Raises FetchError.
        """
        attempt = 0
        while True:
            self._keep_distance()
            try:
                made = check(self._ask(url))
            except FetchError as error:
                if attempt >= _repeats(error.reason, self._reached) or _too_long(error):
                    raise
                self.wait(_how_long(attempt, error))
                attempt += 1
            else:
                self._reached = True
                return made

    def _keep_distance(self) -> None:
        if self._asked is not None:
            left = self._asked + self.pause - time.monotonic()
            if left > 0:
                self.wait(left)

    def _ask(self, url: str) -> Any:
        try:
            answer = fetch(
                url,
                allow_private=self.allow_private,
                limits=self.limits,
                accept="application/json",
                agent=_AGENT,
            )
        finally:
            self._asked = time.monotonic()
        try:
            return json.loads(answer.data)
        except (ValueError, RecursionError) as error:
            start = " ".join(answer.data[:120].decode("utf-8", "replace").split())
            raise FetchError("protocol", f"no JSON, or cut short: {start}") from error


def _repeats(reason: str, reached: bool) -> int:
    # Without a network there is nothing to wait for.
    if reason in _NOT_REACHED and not reached:
        return 0
    if reason in _PASSING or reason.startswith("http_5"):
        return _FEW_REPEATS.get(reason, _REPEATS)
    return 0


def _too_long(error: FetchError) -> bool:
    return (error.retry_after or 0) > _PATIENCE


def _how_long(attempt: int, error: FetchError) -> float:
    # Never two of us at the same moment.
    spread = random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    longer: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**attempt)
    return max(error.retry_after or 0.0, longer * spread)


# --- keeping ------------------------------------------------------------------------------


class CellFolder:
    """What was fetched of each cell; a folder of another source begins empty.

    Raises InputError for a folder that has such files but was not made here.
    """

    def __init__(self, path: Path, source: str, endpoint: str) -> None:
        self._path = path
        self._mark = path / "cells.json"
        origin = hashlib.sha256(endpoint.encode()).hexdigest()[:16]
        identity = json.dumps({"source": source, "endpoint": origin, "form": _FORM}).encode()
        path.mkdir(parents=True, exist_ok=True)
        before = self._mark.read_bytes() if self._mark.is_file() else None
        if before is None and any(path.iterdir()):
            raise InputError(f"{path} is not empty, and no folder of cells")
        if before != identity:
            self._clear()
            _put(self._mark, identity)

    def _clear(self) -> None:
        drafts = self._path.glob(f".*{_SUFFIX}.*")
        for cell in (*self._path.glob(f"*{_SUFFIX}"), *drafts):
            cell.unlink(missing_ok=True)

    def has(self, cell: Cell) -> bool:
        """Whether it was fetched, not too long ago."""
        with suppress(FileNotFoundError):
            return time.time() - self._file(cell).stat().st_mtime < _KEPT_SECONDS
        return False

    def put(self, cell: Cell, data: bytes) -> None:
        """Keep what was fetched, whole or not at all."""
        _put(self._file(cell), gzip.compress(data, 5))

    def read(self, cells: Iterable[Cell]) -> Iterator[bytes]:
        """What was fetched of each cell. Raises MapInputUnreadable when it got damaged."""
        for cell in cells:
            file = self._file(cell)
            try:
                data = gzip.decompress(file.read_bytes())
                if not data:
                    raise EOFError
            except (OSError, EOFError, zlib.error) as error:
                file.unlink(missing_ok=True)
                raise MapInputUnreadable(
                    f"{file} was damaged and is thrown away: start again"
                ) from error
            yield data

    def remove(self) -> None:
        """Remove what it keeps, and the folder when nothing else is in it."""
        self._clear()
        self._mark.unlink(missing_ok=True)
        with suppress(OSError):
            self._path.rmdir()

    def _file(self, cell: Cell) -> Path:
        return self._path / f"{cell.name}{_SUFFIX}"


def _put(file: Path, data: bytes) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


# --- all of them --------------------------------------------------------------------------


class Source(Protocol):
    """Where buildings are fetched from."""

    source: str

    def fetch(self, cell: Cell) -> bytes:
        """What there is in a cell; raises FetchError."""

    def read(self, fetched: Iterator[bytes], report: Report, within: Any) -> Iterable[Feature]:
        """The buildings of what was fetched of all cells, cleaned."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """How far a fetch has come: arrondissements, share of the cells, seconds left if known."""

    done: int
    total: int
    share: float
    remaining: float | None


def fetch_all(
    source: Source,
    cells: list[Cell],
    folder: CellFolder,
    told: Callable[[Fetched], object],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Fetch the cells that are not there yet, one after the other; raises FetchError."""
    began, fetched = clock(), 0
    left = [cell for cell in cells if not folder.has(cell)]
    while left:
        told(_progress(cells, left, clock() - began, fetched))
        if clock() - began > _ALL_WITHIN:
            raise FetchError("timeout", "this takes hours; what is there is kept for the next time")
        folder.put(left[0], source.fetch(left[0]))
        left, fetched = left[1:], fetched + 1
    told(_progress(cells, left, clock() - began, fetched))


def _progress(cells: list[Cell], left: list[Cell], spent: float, fetched: int) -> Fetched:
    wanted, open_ = ({n for cell in group for n in cell.arrondissements} for group in (cells, left))
    return Fetched(
        done=len(wanted - open_),
        total=len(wanted),
        share=1 - len(left) / len(cells) if cells else 1.0,
        remaining=spent / fetched * len(left) if fetched else None,
    )
