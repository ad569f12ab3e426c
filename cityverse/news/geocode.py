"""House numbers to points, asked of the national address base (BAN) where that is allowed.

Only a number and a street are sent, never an article. Answers are kept in a file of the data
folder, so that each address is asked once; not more than ten questions a second leave this
process, well under the fifty an address may ask, and a service that says "later" or fails is
left alone for a while. Without an answer an article stays where its street is.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cityverse.domain.places import EAST, NORTH, SOUTH, WEST
from cityverse.errors import FetchError
from cityverse.news.fetch import Limits, fetch
from cityverse.news.tokens import fold_phrase

log = logging.getLogger(__name__)

_LIMITS = Limits(seconds=5.0, bytes=256 * 1024, redirects=1)
_BETWEEN = 0.1
_REST_AFTER_FAILURE = 60.0
_REST_LEAST = 5.0
_SURE_ENOUGH = 0.6
_KEPT = 180 * 86_400.0
_NOTHING_KEPT = 30 * 86_400.0
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS answers"
    " (address TEXT PRIMARY KEY, lat REAL, lon REAL, asked REAL NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A point (degrees), or none: the address is not known."""

    point: tuple[float, float] | None


class Geocoder:
    """Asks one geocoder politely and remembers; safe to use by threads and processes."""

    def __init__(
        self,
        url: str,
        cache: Path,
        *,
        allow_private: bool = False,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._url = url
        self._cache = cache
        self._allow_private = allow_private
        self._wait = wait
        self._lock = threading.Lock()
        self._next = 0.0

    def find(
        self, number: str, street: str, arrondissement: int | None = None
    ) -> tuple[float, float] | None:
        """Latitude and longitude of a house in Paris; None when it is not known just now."""
        address = fold_phrase(f"{number} {street}") + f" {arrondissement or ''}".rstrip()
        remembered = self._remembered(address)
        if remembered is None:
            remembered = self._ask(number, street, arrondissement)
            if remembered is None:
                return None
            self._remember(address, remembered)
        return remembered.point

    def _ask(self, number: str, street: str, arrondissement: int | None) -> _Answer | None:
        with self._lock:
            pause = self._next - time.monotonic()
            if pause > 2 * _BETWEEN:
                return None  # resting after a failure
            if pause > 0:
                self._wait(pause)
            self._next = time.monotonic() + _BETWEEN
        asked = {"q": f"{number} {street} Paris", "limit": "1", "autocomplete": "0"}
        if arrondissement:
            asked |= {"postcode": f"750{arrondissement:02}"}
        try:
            data = fetch(
                f"{self._url}?{urlencode(asked)}", allow_private=self._allow_private, limits=_LIMITS
            ).data
            return _Answer(_point(json.loads(data), number, street))
        except FetchError as error:
            rest = error.retry_after or (
                _REST_LEAST if error.reason == "http_429" else _REST_AFTER_FAILURE
            )
            self._rest(rest, str(error))
        except (ValueError, RecursionError) as error:
            self._rest(_REST_AFTER_FAILURE, f"no JSON: {error}")
        return None

    def _rest(self, seconds: float, reason: str) -> None:
        log.warning("the geocoder is not asked for %.0f s: %s", seconds, reason)
        with self._lock:
            self._next = time.monotonic() + max(_REST_LEAST, seconds)

    # --- what was answered before ---------------------------------------------------------

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._cache, timeout=5)) as connection:
            connection.execute(_SCHEMA)
            yield connection
            connection.commit()

    def _remembered(self, address: str) -> _Answer | None:
        try:
            with self._opened() as connection:
                row = connection.execute(
                    "SELECT lat, lon, asked FROM answers WHERE address = ?", (address,)
                ).fetchone()
        except sqlite3.Error as error:
            log.warning("%s cannot be read: %s", self._cache, error)
            return None
        if row is None:
            return None
        lat, lon, asked = row
        kept = _NOTHING_KEPT if lat is None else _KEPT
        if time.time() - asked > kept:
            return None
        return _Answer(None if lat is None else (lat, lon))

    def _remember(self, address: str, answer: _Answer) -> None:
        lat, lon = answer.point or (None, None)
        try:
            with self._opened() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                    (address, lat, lon, time.time()),
                )
        except sqlite3.Error as error:
            log.warning("%s cannot be written: %s", self._cache, error)


def _point(answer: Any, number: str, street: str) -> tuple[float, float] | None:
    """The point of the first feature, when it is that very house in Paris."""
    features = answer.get("features") if isinstance(answer, dict) else None
    if not isinstance(features, list) or not features:
        return None
    try:
        values, (lon, lat) = features[0]["properties"], features[0]["geometry"]["coordinates"]
        is_it = (
            values["type"] == "housenumber"
            and float(values["score"]) >= _SURE_ENOUGH
            and str(values["citycode"]).startswith("75")
            and _same(str(values["housenumber"]), number)
            and _same(str(values["street"]), street)
        )
        lat, lon = float(lat), float(lon)
    except (KeyError, TypeError, ValueError):
        return None
    inside = SOUTH <= lat <= NORTH and WEST <= lon <= EAST
    return (lat, lon) if is_it and inside else None


def _same(one: str, other: str) -> bool:
    return fold_phrase(one).replace(" ", "") == fold_phrase(other).replace(" ", "")
