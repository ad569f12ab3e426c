"""``places update``: completes the gazetteer with the city's streets, stations and sites.

Sources are downloaded one after the other into ``<data folder>/places/downloads``; one that
is there already, from this day, is not asked again, so that a run which was stopped goes on
where it stood. The table made of them is written beside and swapped in whole. Everything is
read at run time from its public source; nothing of it is part of CityVerse.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from cityverse.engine.files import write_atomically
from cityverse.errors import FetchError, InputError, ToolError
from cityverse.news import opendata
from cityverse.news.compile import Row, compile_rows
from cityverse.news.fetch import Limits, fetch
from cityverse.news.gazetteer import COLUMNS, Gazetteer, Name, Outlines, load, read_table
from cityverse.news.locate import Locator

log = logging.getLogger(__name__)

FOLDER = "places"
TABLE = "places.tsv"
Told = Callable[[str, float], None]

_FRESH = 24 * 3600.0
_ATTEMPTS = 4
_PAUSE = 2.0
_PAUSE_MOST = 120.0
_RUN_MOST = 40 * 60.0
_FILES_MOST = 1000
_SUFFIXES = frozenset({".csv", ".json", ".geojson"})
_LATER = frozenset({"timeout", "connect", "dns", "protocol"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file to ask for: its name in the downloads, its address, and whose it is."""

    file: str
    url: str
    owner: str


def _portal(host: str, dataset: str) -> str:
    return f"https://{host}/api/explore/v2.1/catalog/datasets/{dataset}/exports/geojson"


def _overpass(*selectors: str) -> str:
    """The named things that fit the selectors, in the area of Paris (relation 7444)."""
    parts = "".join(f"nwr{selector}[name](area.paris);" for selector in selectors)
    query = f"[out:json][timeout:180];area(3600007444)->.paris;({parts});out center tags;"
    return f"https://overpass-api.de/api/interpreter?data={quote(query)}"


_CITY, _TRANSPORT, _OSM = (
    "Ville de Paris (ODbL)",
    "Île-de-France Mobilités",
    ("© OpenStreetMap contributors (ODbL)"),
)
SOURCES: tuple[Source, ...] = (
    Source(
        "streets.geojson",
        _portal("opendata.paris.fr", "denominations-emprises-voies-actuelles"),
        _CITY,
    ),
    Source("parks.geojson", _portal("opendata.paris.fr", "espaces_verts"), _CITY),
    Source("markets.geojson", _portal("opendata.paris.fr", "marches-decouverts"), _CITY),
    Source(
        "stations.geojson",
        _portal("data.iledefrance-mobilites.fr", "emplacement-des-gares-idf"),
        _TRANSPORT,
    ),
    Source(
        "osm-care-and-schools.json",
        _overpass('[amenity~"^(hospital|clinic|school|college|university|prison|townhall)$"]'),
        _OSM,
    ),
    Source(
        "osm-culture.json",
        _overpass(
            '[amenity~"^(theatre|cinema|music_venue|arts_centre|library|place_of_worship)$"]',
            "[tourism=museum]",
        ),
        _OSM,
    ),
    Source(
        "osm-outdoors.json",
        _overpass(
            '[leisure~"^(park|garden|stadium|sports_centre|swimming_pool)$"]',
            "[landuse=cemetery]",
            "[amenity=marketplace]",
            "[man_made=bridge]",
            "[place=square]",
            '[shop~"^(mall|department_store)$"]',
        ),
        _OSM,
    ),
)


@dataclass(slots=True)
class Report:
    """What an update came to; ``failed`` holds "file: reason" of what could not be had."""

    added: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    read: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.added.most_common())
        left = ", ".join(f"{count} {reason}" for reason, count in self.left_out.most_common())
        files = [f"{file}: {what}" for file, what in sorted(self.read.items())]
        total = f"{self.added.total()} places added ({kinds}); left out: {left or 'none'}"
        return "\n".join([*files, total])


def update(
    data_dir: Path,
    *,
    input_dir: Path | None = None,
    told: Told = lambda _text, _share: None,
    sources: Sequence[Source] = SOURCES,
    allow_private: bool = False,
    wait: Callable[[float], object] = time.sleep,
) -> Report:
    """Make the table of further places anew, from the network or from exported files.

    Raises InputError for a folder without any file that is known, and ToolError when the
    network gave nothing; the table that is there then stays as it is.
    """
    report = Report()
    with _alone(data_dir / FOLDER):
        _update(data_dir / FOLDER, report, input_dir, told, sources, allow_private, wait)
    return report


def _update(
    folder: Path,
    report: Report,
    input_dir: Path | None,
    told: Told,
    sources: Sequence[Source],
    allow_private: bool,
    wait: Callable[[float], object],
) -> None:
    if input_dir is None:
        downloads = folder / "downloads"
        _download_all(downloads, sources, report, told, allow_private, wait)
        files = [downloads / source.file for source in sources]
    else:
        files = _input_files(input_dir)
    sightings = list(_sightings([f for f in files if f.is_file()], report, told))
    if not sightings:
        if input_dir is not None:
            raise InputError(f"{input_dir} holds no file of places that is known")
        raise ToolError("no source of places answered: " + "; ".join(report.failed))
    told("weighing names", 0.95)
    outcome = compile_rows(sightings, load(), Outlines())
    owners = {s.owner for s in sources} if input_dir is None else {f"files of {input_dir.name}"}
    write_atomically(folder / TABLE, _as_table(outcome.rows, sorted(owners)).encode())
    report.added = Counter(row.place.type for row in outcome.rows)
    report.left_out = outcome.left_out
    told("done", 1.0)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Makes the folder and holds it against a second update; the system lets go at the end."""
    with (_made(folder) / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ToolError(f"another update of places is at work on {folder}") from error
        yield


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _input_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder")
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in _SUFFIXES and f.is_file())
    if len(files) > _FILES_MOST:
        raise InputError(f"{folder} holds more than {_FILES_MOST} files")
    return files


def _sightings(files: list[Path], report: Report, told: Told) -> Iterator[opendata.Sighting]:
    for number, file in enumerate(files):
        told(f"reading {file.name}", 0.5 + 0.4 * number / len(files))
        try:
            what, sightings = opendata.read(file)
        except InputError as error:
            log.warning("%s", error)
            report.failed.append(str(error))
            continue
        report.read[file.name] = f"{what}, {len(sightings)}" if what else "not known, left aside"
        yield from sightings


# --- the network --------------------------------------------------------------------------


def _download_all(
    folder: Path,
    sources: Sequence[Source],
    report: Report,
    told: Told,
    allow_private: bool,
    wait: Callable[[float], object],
) -> None:
    _made(folder)
    ends = time.monotonic() + _RUN_MOST
    asked = ""
    for number, source in enumerate(sources):
        file = folder / source.file
        told(f"asking for {source.file}", 0.5 * number / len(sources))
        if _is_fresh(file):
            continue
        host = urlsplit(source.url).hostname or ""
        if host == asked:
            wait(_PAUSE)
        asked = host
        try:
            write_atomically(file, _download(source, ends, allow_private, wait))
        except FetchError as error:
            log.warning("%s could not be had: %s", source.file, error)
            kept = "; the copy from before is used" if file.is_file() else ""
            report.failed.append(f"{source.file}: {error}{kept}")


def _is_fresh(file: Path) -> bool:
    try:
        return 0 <= time.time() - file.stat().st_mtime < _FRESH
    except FileNotFoundError:
        return False


def _download(
    source: Source, ends: float, allow_private: bool, wait: Callable[[float], object]
) -> bytes:
    for attempt in range(_ATTEMPTS):
        left = ends - time.monotonic()
        if left <= 0:
            raise FetchError("timeout", "the time for the whole update is over")
        try:
            limits = Limits(seconds=min(300.0, left), bytes=opendata.LARGEST)
            return fetch(source.url, allow_private=allow_private, limits=limits).data
        except FetchError as error:
            last = attempt == _ATTEMPTS - 1
            if last or not _may_pass(error):
                raise
            asked_for = error.retry_after or _PAUSE * 4**attempt * (1 + random.random())  # noqa: S311
            wait(min(_PAUSE_MOST, asked_for))
    raise AssertionError("the last attempt returns or raises")


def _may_pass(error: FetchError) -> bool:
    """Whether a failure may be over in a while: too many requests, trouble on the way."""
    return error.reason in _LATER or error.reason == "http_429" or error.reason[:6] == "http_5"


# --- the table ----------------------------------------------------------------------------


def _as_table(rows: Sequence[Row], owners: Sequence[str]) -> str:
    lines = [f"# Sources: {'; '.join(owners)}", "\t".join(COLUMNS)]
    for row in rows:
        place = row.place
        (_, cue), *others = row.names
        cells = (
            _plain(place.name),
            ";".join(f"{_plain(text)}@{cue}" for text, cue in others),
            place.type,
            f"{place.lat:.4f}",
            f"{place.lon:.4f}",
            ",".join(map(str, place.arrondissements)),
            str(place.extent),
            cue,
        )
        lines.append("\t".join(_cell(cell) for cell in cells))
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Without the signs that part aliases in a table."""
    return text.translate({ord(";"): " ", ord("@"): " "})


def _cell(text: str) -> str:
    return " ".join(text.split()).lstrip("#")


def load_completed(data_dir: Path, learned: Sequence[tuple[str, Name]] = ()) -> Gazetteer:
    """The shipped places, those of the last update, and ``learned`` names.

    A table that is broken is left out.
    """
    table = data_dir / FOLDER / TABLE
    further: list[tuple[str, Name]] = []
    if table.is_file():
        try:
            further = list(read_table(table))
        except InputError as error:
            log.error("the places of the last update are left out: %s", error)
    return load(further=[*further, *learned])


class CurrentLocator:
    """The locator over the places of a data folder, made anew after an update; thread-safe."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._learned: tuple[tuple[str, Name], ...] = ()
        self._made_of = self._stamp()
        self._locator = Locator(load_completed(data_dir))

    def get(self) -> Locator:
        """The locator to use now; swapped whole when another table lies there."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._made_of:
                self._make(stamp)
            return self._locator

    def use(self, learned: Iterable[tuple[str, Name]]) -> None:
        """Know these names beside those of the tables, and no others that were learned."""
        wanted = tuple(learned)
        with self._lock:
            if wanted != self._learned:
                self._learned = wanted
                self._make(self._stamp())

    def _make(self, stamp: tuple[int, int, int] | None) -> None:
        self._locator = Locator(load_completed(self._data_dir, self._learned))
        self._made_of = stamp

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = (self._data_dir / FOLDER / TABLE).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
