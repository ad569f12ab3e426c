"""Makes rows of a gazetteer table out of what open data names (see ``opendata``).

Sightings of one name become one place: a point of theirs near the middle of all, how far
they reach, and the arrondissements they lie in. What the shipped tables know already,
what lies outside Paris, and names that several far places share are left out.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cityverse.news.gazetteer import Gazetteer, Outlines, Place
from cityverse.news.opendata import STREETS, Point, Sighting
from cityverse.news.tokens import PARTICLES, fold_phrase

# An address-like text that no register of streets has needs this many witnesses.
_WITNESSES = 3
_STRAY = 2500.0
_SCATTERED = 1000.0
_SHORTEST, _LONGEST = 60, 2500
_ARRONDISSEMENTS_MOST = 5
# These words start names of streets and much else ("Cité de la musique", "villa Médicis").
_WEAK = frozenset(word for word, type_ in STREETS.items() if type_ == "street") - {
    "rue", "avenue", "boulevard", "quai", "passage", "impasse", "chaussee",
}  # fmt: skip
_LONG_ENOUGH = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a gazetteer table: a place, and its names with the cue each needs."""

    place: Place
    names: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Outcome:
    """What became of the names: rows, and how many were left out for which reason."""

    rows: list[Row] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def compile_rows(sightings: Iterable[Sighting], own: Gazetteer, outlines: Outlines) -> Outcome:
    """The places that ``sightings`` add to the gazetteer ``own``."""
    outcome = Outcome()
    known = _Known(own)
    groups: dict[tuple[str, str], list[Sighting]] = defaultdict(list)
    spelled = _Spelling()
    for place in own.places():
        spelled.learn(place.name)
    for sighting in sightings:
        spelled.learn(sighting.name)
        groups[_family(sighting.type), _core(sighting.name)].append(sighting)
    for (_, core), group in sorted(groups.items()):
        made = _row(group, core, known, outlines, spelled)
        if isinstance(made, str):
            outcome.left_out[made] += 1
        else:
            outcome.rows.append(made)
    return outcome


def _family(type_: str) -> str:
    """Streets, squares and the like are one family: registers disagree on which is which."""
    return "way" if type_ in {"street", "square", "park", "bridge", "gate"} else type_


def _core(name: str) -> str:
    return " ".join(word for word in fold_phrase(name).split() if word not in PARTICLES)


class _Known:
    """The names that the shipped tables hold, with and without their particles."""

    def __init__(self, own: Gazetteer) -> None:
        self._own = own
        self._cores = {
            _core(name) for name, place in own.written() if place.kind.precision is not None
        }

    def has(self, name: str, type_: str) -> bool:
        words = (name, f"station {name}") if type_ == "station" else (name,)
        return any(_core(text) in self._cores for text in words)

    def district(self, number: int) -> Place:
        """The arrondissement of a number (1 to 20)."""
        return self._own.districts[number]

    def means_more(self, name: str) -> bool:
        """Whether a shorter way to write a place is taken, also by a mask or a town."""
        return bool(self._own.get(fold_phrase(name)))


def _row(
    group: list[Sighting], core: str, known: _Known, outlines: Outlines, spelled: _Spelling
) -> Row | str:
    official = [sighting for sighting in group if sighting.official]
    type_ = (official or group)[0].type
    if any(known.has(name, type_) for s in (official or group[:1]) for name in (s.name, *s.also)):
        return "known already"
    if not official and len(group) < _WITNESSES:
        return "an address seen too seldom"
    if not core or core.isdigit():
        return "no name"
    points = [point for sighting in group for point in sighting.points]
    inside = [(point, number) for point in points if (number := outlines.near(*point)) is not None]
    name = spelled.best([sighting.name for sighting in official or group])
    if not points:
        return _unplaced(name, type_, official, known)
    if not inside:
        return "outside Paris"
    middle, extent = _middle([point for point, _ in inside])
    furthest = max(_metres(point, middle) for point, _ in inside)
    if _family(type_) != "way" and furthest > _SCATTERED:
        return "several places of one name"
    counted = Counter(number for _, number in inside)
    least = 1 if len(inside) < 10 else max(2, len(inside) // 20)
    numbers = tuple(n for n, count in counted.most_common(_ARRONDISSEMENTS_MOST) if count >= least)
    weak = type_ == "street" and fold_phrase(name).split()[0] in _WEAK
    place = Place(
        name=f"Station {name}" if type_ == "station" else name,
        type="byway" if weak else type_,
        lat=round(middle[0], 4),
        lon=round(middle[1], 4),
        arrondissements=numbers,
        extent=max(_SHORTEST, min(_LONGEST, round(extent))),
    )
    also = tuple(dict.fromkeys(text for s in group for text in s.also))
    return Row(place, tuple(_names(place, name, also, known)))


def _unplaced(name: str, type_: str, official: list[Sighting], known: _Known) -> Row | str:
    """A street of which a register knows the arrondissement and nobody a point."""
    numbers = list(dict.fromkeys(s.arrondissement for s in official if s.arrondissement))
    weak = fold_phrase(name).split()[0] in _WEAK
    if len(numbers) != 1 or weak or type_ not in {"street", "square"}:
        return "no point"
    district = known.district(numbers[0])
    place = Place(name, "unplaced", district.lat, district.lon, (numbers[0],), district.extent)
    return Row(place, tuple(_names(place, name, (), known)))


def _middle(points: list[Point]) -> tuple[Point, float]:
    """The point nearest to the median of all, and how far (metres) most of them reach."""
    for _ in range(2):  # once more without the strays
        lat = statistics.median(point[0] for point in points)
        lon = statistics.median(point[1] for point in points)
        away = sorted((_metres(point, (lat, lon)), point) for point in points)
        points = [point for distance, point in away if distance <= _STRAY] or [away[0][1]]
    return away[0][1], away[int(0.9 * (len(away) - 1))][0]


def _metres(a: Point, b: Point) -> float:
    east = (b[1] - a[1]) * math.cos(math.radians(a[0])) * 111_320
    return math.hypot(east, (b[0] - a[0]) * 110_540)


def _names(
    place: Place, name: str, also: tuple[str, ...], known: _Known
) -> Iterator[tuple[str, str]]:
    """Every way to write a place, with the cue it needs; the first is its full name."""
    if place.type == "station":
        yield place.name, "any"
        for text in (name, *also):
            if not known.means_more(text):
                yield text, "station"
        return
    if place.type == "university":
        yield name, "capany"
        for text in also:
            enough = len(text) >= _LONG_ENOUGH and not known.means_more(text)
            if enough and (text.isupper() or " " in text):
                yield text, "acronym" if text.isupper() else "capall"
        return
    yield name, "tail"
    for text in (*also, *_shorter(name)):
        if not known.means_more(text):
            yield text, "tail"
    bare = _bare(name) if place.type in {"hospital", "school"} else ""
    if bare and not known.means_more(bare):
        yield bare, place.type


def _shorter(name: str) -> Iterator[str]:
    """ "Boulevard de Magenta" is mostly written "boulevard Magenta"."""
    words = name.replace("’", "'").replace("d'", "d' ").split()
    if len(words) > 2 and fold_phrase(words[0]) in STREETS:
        rest = list(words[1:])
        while len(rest) > 1 and fold_phrase(rest[0]) in PARTICLES:
            rest.pop(0)
        if len(rest) < len(words) - 1 and len(rest[0]) > _LONG_ENOUGH:
            yield " ".join([words[0], *rest])


def _bare(name: str) -> str:
    """ "Lycée Voltaire" without its first word; too short a rest says too little."""
    first, _, rest = name.partition(" ")
    told = fold_phrase(first) in {"lycee", "hopital"} and len(rest) > _LONG_ENOUGH
    return rest if told and fold_phrase(rest).split()[0] not in PARTICLES else ""


class _Spelling:
    """Names in capitals get the spelling that the same words have elsewhere."""

    def __init__(self) -> None:
        self._words: dict[str, Counter[str]] = defaultdict(Counter)

    def learn(self, name: str) -> None:
        if not name.isupper() and not name.islower():
            for word in _split(name):
                self._words[fold_phrase(word)][word] += 1

    def best(self, names: list[str]) -> str:
        """The name most often written, in mixed case when any is; else respelled."""
        mixed = [name for name in names if not name.isupper() and not name.islower()]
        name = Counter(mixed or names).most_common(1)[0][0]
        if not mixed or sum(word[0].isupper() for word in _split(name) if word) < 2:
            name = "".join(self._respell(word) for word in _split(name))
        return name[:1].upper() + name[1:]

    def _respell(self, word: str) -> str:
        seen = self._words.get(fold_phrase(word))
        if seen and word.strip():
            known = seen.most_common(1)[0][0]
            return (
                known.lower() if fold_phrase(word) in PARTICLES else known[:1].upper() + known[1:]
            )
        return word if not word.isalpha() else word.capitalize()


def _split(name: str) -> list[str]:
    """Words and what stands between them, each for itself."""
    parts, word = [], ""
    for character in name:
        if character.isalnum():
            word += character
        else:
            parts += [word, character]
            word = ""
    return [part for part in (*parts, word) if part]
