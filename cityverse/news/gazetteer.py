"""The places CityVerse knows by itself: tables of facts, and the automaton that finds them.

Each table has the columns ``name``, ``aliases`` (``;`` between them, ``alias@cue`` for a
rule of its own), ``type``, ``lat``, ``lon`` (degrees, WGS 84), ``arrondissement`` (one or
several), ``extent`` (metres from the point to the edge) and ``cue`` (a key of CUES).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import ahocorasick

from cityverse.domain.places import Precision
from cityverse.errors import InputError
from cityverse.news.cues import CUES
from cityverse.news.tokens import FACTS, fold_phrase

TABLES = ("arrondissements", "quartiers", "stations", "landmarks", "streets", "outside", "masks")

COLUMNS = ["name", "aliases", "type", "lat", "lon", "arrondissement", "extent", "cue"]
_LONGEST_TABLE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of place: how precise it is, and how much a mention of it weighs (0 to 1)."""

    precision: Precision | None
    weight: float


_PLACE, _PARK, _AREA = Precision.PLACE, Precision.PARK, Precision.QUARTIER
KINDS: dict[str, Kind] = {
    "street": Kind(Precision.STREET, 0.90),
    "byway": Kind(Precision.STREET, 0.74),
    "gate": Kind(_PLACE, 0.86),
    "station": Kind(_PLACE, 0.84),
    "square": Kind(_PLACE, 0.86),
    "monument": Kind(_PLACE, 0.86),
    "museum": Kind(_PLACE, 0.86),
    "venue": Kind(_PLACE, 0.86),
    "stadium": Kind(_PLACE, 0.86),
    "pool": Kind(_PLACE, 0.86),
    "market": Kind(_PLACE, 0.86),
    "shop": Kind(_PLACE, 0.84),
    "institution": Kind(_PLACE, 0.80),
    "university": Kind(_PLACE, 0.82),
    "school": Kind(_PLACE, 0.86),
    "library": Kind(_PLACE, 0.84),
    "hospital": Kind(_PLACE, 0.84),
    "bridge": Kind(_PLACE, 0.86),
    "park": Kind(_PARK, 0.82),
    "cemetery": Kind(_PARK, 0.84),
    "wood": Kind(_PARK, 0.78),
    "water": Kind(_PARK, 0.80),
    "island": Kind(_AREA, 0.74),
    "area": Kind(_AREA, 0.74),
    "quartier": Kind(_AREA, 0.62),
    "unplaced": Kind(Precision.ARRONDISSEMENT, 0.60),
    "sector": Kind(Precision.ARRONDISSEMENT, 0.58),
    "arrondissement": Kind(Precision.ARRONDISSEMENT, 0.57),
    "suburb": Kind(None, 0.0),
    "region": Kind(None, 0.0),
    "city": Kind(None, 0.0),
    "country": Kind(None, 0.0),
    "mask": Kind(None, 0.0),
}
OUTSIDE = frozenset({"suburb", "region", "city", "country"})


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the gazetteer. What lies outside Paris has neither point nor precision.

    ``arrondissements`` are those it lies in or runs through; ``extent`` is in metres.
    """

    name: str
    type: str
    lat: float = 0.0
    lon: float = 0.0
    arrondissements: tuple[int, ...] = ()
    extent: int = 0

    @property
    def kind(self) -> Kind:
        """Precision and weight of its type."""
        return KINDS[self.type]


@dataclass(frozen=True, slots=True)
class Name:
    """One way to write a place, and the key of the cue that this writing needs."""

    place: Place
    cue: str


class Gazetteer:
    """All names, ready to be found in one pass over a text."""

    def __init__(self, rows: Iterable[tuple[str, Name]]) -> None:
        self._names: dict[str, list[Name]] = {}
        self.districts: dict[int, Place] = {}
        for text, name in rows:
            if name.place.type == "arrondissement":
                self.districts[name.place.arrondissements[0]] = name.place
                continue
            known = self._names.setdefault(fold_phrase(text), [])
            if all(other.place != name.place for other in known):
                known.append(name)
        self._automaton = ahocorasick.Automaton()
        for key, names in self._names.items():
            names.sort(key=lambda name: (name.place.type != "mask", -name.place.kind.weight))
            self._automaton.add_word(f" {key} ", key)
        self._automaton.make_automaton()

    def __len__(self) -> int:
        return len(self._names)

    def get(self, folded: str) -> list[Name]:
        """The places written ``folded`` (as fold_phrase writes it)."""
        return self._names.get(folded, [])

    def scan(self, line: str) -> Iterator[tuple[int, int, str]]:
        """Every name in ``line`` (folded, with spaces around): start, end and the name."""
        for last, key in self._automaton.iter(line):
            yield last - len(key) - 1, last + 1, key

    def written(self) -> Iterator[tuple[str, Place]]:
        """Every folded name with each place it may mean."""
        for folded, names in self._names.items():
            for name in names:
                yield folded, name.place

    def places(self) -> Iterator[Place]:
        """Every place once, those outside Paris included."""
        seen: set[Place] = set()
        for place in (
            *self.districts.values(),
            *(name.place for names in self._names.values() for name in names),
        ):
            if place not in seen:
                seen.add(place)
                yield place


def load(
    folder: Path = FACTS,
    tables: Iterable[str] = TABLES,
    further: Iterable[tuple[str, Name]] = (),
) -> Gazetteer:
    """Read the tables of ``folder``, and ``further`` names after them.

    Raises InputError that names the file and the line at fault.
    """
    own = (row for table in tables for row in read_table(folder / f"{table}.tsv"))
    return Gazetteer(chain(own, further))


class Outlines:
    """Coarse outlines of the arrondissements: which of them a point lies in."""

    def __init__(self, folder: Path = FACTS) -> None:
        self._rings: list[tuple[int, list[tuple[float, float]]]] = []
        for line in (folder / "outlines.tsv").read_text(encoding="utf-8").splitlines():
            number, _, corners = line.partition("\t")
            if number.isdecimal():
                ring = [(float(y), float(x)) for y, x in map(_split_pair, corners.split())]
                self._rings.append((int(number), ring))

    def arrondissement_at(self, lat: float, lon: float) -> int | None:
        """The arrondissement around a point (degrees, WGS 84), None outside Paris."""
        for number, ring in self._rings:
            if _inside(ring, lat, lon):
                return number
        return None

    def near(self, lat: float, lon: float) -> int | None:
        """As arrondissement_at, but outlines are coarse: some 150 metres outside still count."""
        for north, east in _AROUND:
            number = self.arrondissement_at(lat + north, lon + east)
            if number is not None:
                return number
        return None


_AROUND = ((0, 0), (0.0014, 0), (-0.0014, 0), (0, 0.002), (0, -0.002))


def _split_pair(corner: str) -> tuple[str, str]:
    lat, _, lon = corner.partition(",")
    return lat, lon


def _inside(ring: list[tuple[float, float]], lat: float, lon: float) -> bool:
    """Even-odd rule: how many edges a ray to the east crosses."""
    inside = False
    for (lat1, lon1), (lat2, lon2) in zip(ring, ring[1:] + ring[:1], strict=True):
        if (lat1 > lat) != (lat2 > lat):
            inside ^= lon < lon1 + (lat - lat1) * (lon2 - lon1) / (lat2 - lat1)
    return inside


def read_table(file: Path) -> Iterator[tuple[str, Name]]:
    """The names of a table; InputError names the file and the line at fault."""
    try:
        if file.stat().st_size > _LONGEST_TABLE:
            raise InputError(f"{file}: over {_LONGEST_TABLE} bytes")
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: {error}") from error
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    header_seen = False
    for number, cells in enumerate(rows, start=1):
        if not cells or cells[0].startswith("#"):
            continue
        if not header_seen:
            if cells != COLUMNS:
                raise InputError(f"{file}, line {number}: expected the columns {COLUMNS}")
            header_seen = True
            continue
        try:
            yield from _read_row(cells)
        except (ValueError, KeyError) as error:
            raise InputError(f"{file}, line {number}: {error}") from error


def _read_row(cells: list[str]) -> Iterator[tuple[str, Name]]:
    name, aliases, kind, lat, lon, arrondissements, extent, cue = cells
    if kind not in KINDS:
        raise ValueError(f"no type {kind!r}")
    located = KINDS[kind].precision is not None
    place = Place(
        name=name,
        type=kind,
        lat=float(lat) if located else 0.0,
        lon=float(lon) if located else 0.0,
        arrondissements=tuple(int(a) for a in arrondissements.split(",") if a),
        extent=int(extent) if extent else 0,
    )
    for written in (f"{name}@{cue}", *aliases.split(";")):
        if written:
            text, _, own = written.partition("@")
            yield text, Name(place, _known_cue(own or cue))


def _known_cue(cue: str) -> str:
    if cue not in CUES and cue != "none":
        raise ValueError(f"no cue {cue!r}")
    return cue
