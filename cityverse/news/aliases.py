"""Places by their names, for people to choose from; and names learned from corrections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from cityverse.domain.corrections import ALIAS_LONGEST, Alias
from cityverse.domain.places import Evidence, Location
from cityverse.news.gazetteer import Gazetteer, Name, Place
from cityverse.news.tokens import PARTICLES, fold_phrase, fold_word

FOUND_MOST = 8
_WORD = re.compile(r"[^\W_]+")
# What may stand between two words of one name.
_JOINT = re.compile(r"[ \u00a0'’-]{1,2}$")
_HOUSE = re.compile(r"\s*([1-9]\d{0,3}(?: ?(?:bis|ter|quater))?)\s*,?\s+(\D.*)", re.IGNORECASE)
# A name one learns has a capital letter somewhere.
_CUE = "capany"
_SHORTEST = 4
_WORDS_MOST = 6


class Places:
    """The places of a gazetteer, found by the beginnings of their words."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._known = frozenset(folded for folded, _ in gazetteer.written())
        districts = ((fold_phrase(place.name), place) for place in gazetteer.districts.values())
        self._names = [
            (folded, place)
            for folded, place in (*districts, *gazetteer.written())
            if place.kind.precision is not None
        ]

    def find(self, text: str, most: int = FOUND_MOST) -> list[Place]:
        """Places in which every word of ``text`` begins a word, the closest names first."""
        wanted = fold_phrase(text[:ALIAS_LONGEST])
        if not wanted:
            return []
        begins = wanted.split()
        ranked: dict[Place, tuple[int, int, str]] = {}
        for folded, place in self._names:
            words = folded.split()
            if not all(any(word.startswith(start) for word in words) for start in begins):
                continue
            rank = (_closeness(folded, wanted), len(folded), folded)
            if place not in ranked or rank < ranked[place]:
                ranked[place] = rank
        return sorted(ranked, key=ranked.__getitem__)[:most]

    def of(self, location: Location) -> Place | None:
        """The place that a location was made of, or None."""
        here = (location.place, location.lat, location.lon)
        return next((p for _, p in self._names if (p.name, p.lat, p.lon) == here), None)

    def names(self, folded: str) -> bool:
        """Whether these folded words name something already."""
        return folded in self._known


def _closeness(folded: str, wanted: str) -> int:
    if folded == wanted:
        return 0
    return 1 if folded.startswith(wanted) else 2


def house_of(text: str) -> tuple[str, str] | None:
    """The house number and the street of an address, or None: "12 bis, rue de Rivoli"."""
    found = _HOUSE.match(text)
    return None if found is None else (found[1], found[2])


def location_of(place: Place) -> Location:
    """A place as a reader chose it."""
    precision = place.kind.precision
    assert precision is not None  # noqa: S101 (places outside Paris are never offered)
    return Location(
        place=place.name,
        lat=place.lat,
        lon=place.lon,
        precision=precision,
        arrondissement=place.arrondissements[0] if place.arrondissements else None,
        evidence=(Evidence("reader", 0, 0, ""),),
    )


def candidates(texts: Iterable[str], place: Place, places: Places) -> list[str]:
    """Words of these texts that may be another name of a place, the likeliest first.

    Runs of words with capital letters that share a word with the place's name, or its
    beginning, and that name nothing so far.
    """
    own = [word for word in fold_phrase(place.name).split() if word not in PARTICLES]
    found: dict[str, tuple[int, str]] = {}
    for run in (run for text in texts for run in _runs(text, own)):
        folded = fold_phrase(run)
        alike = sum(any(_alike(word, other) for other in own) for word in folded.split())
        if alike and len(run) >= _SHORTEST and not places.names(folded):
            found.setdefault(folded, (-alike, run))
    return [run for _, run in sorted(found.values())]


def _alike(word: str, other: str) -> bool:
    return len(word) >= _SHORTEST and (other.startswith(word) or word.startswith(other))


def _runs(text: str, own: list[str]) -> Iterator[str]:
    """Names in a text: words with capitals, particles between them, and a head before them."""
    words = list(_WORD.finditer(text))
    first = 0
    while first < len(words):
        if not _capital(words[first].group()):
            first += 1
            continue
        last = end = first
        while end + 1 < len(words) and _JOINT.match(
            text[words[end].end() : words[end + 1].start()]
        ):
            end += 1
            if _capital(words[end].group()):
                last = end
            elif fold_word(words[end].group()) not in PARTICLES:
                break
        begin = first
        while begin and fold_word(words[begin - 1].group()) in {*PARTICLES, *own}:
            begin -= 1
        while begin < first and fold_word(words[begin].group()) in PARTICLES:
            begin += 1
        if last - begin < _WORDS_MOST:
            yield text[words[begin].start() : words[last].end()][:ALIAS_LONGEST]
        first = last + 1


def _capital(word: str) -> bool:
    return word[:1].isupper()


def alias_of(words: str, place: Place, now: datetime) -> Alias:
    """These words as a further name of a place."""
    return Alias(
        words=fold_phrase(words),
        written=" ".join(words.split()),
        place=place.name,
        type=place.type,
        lat=place.lat,
        lon=place.lon,
        arrondissements=place.arrondissements,
        extent=place.extent,
        created=now,
    )


def as_name(alias: Alias) -> tuple[str, Name]:
    """A learned name as the gazetteer takes it."""
    place = Place(
        alias.place, alias.type, alias.lat, alias.lon, alias.arrondissements, alias.extent
    )
    return alias.written, Name(place, _CUE)
