"""How well articles are located: a labelled set, and the figures of a Locator on it.

Two forms of set are read. Tab-separated: ``id``, ``class``, ``title``, ``summary`` and
``expected``, the names of the right places (``|`` between them, ``-`` for no pin), looked up
in the gazetteer. JSON, one object a line: ``title``, ``summary``, ``alts`` (a list of
``lat``, ``lon`` in degrees and ``tol`` in metres; null stands for no pin), ``null_ok``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cityverse.domain.places import Location
from cityverse.errors import InputError
from cityverse.news.gazetteer import Gazetteer, Place
from cityverse.news.locate import Locator
from cityverse.news.tokens import fold_phrase

Verdict = Literal["right pin", "wrong pin", "pin too many", "pin missing", "rightly none"]
_NEAR = 500.0
_WIDEST = 1800.0
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Item:
    """An article and where it may be pinned: points in degrees, each with metres around it.

    ``unknown`` are right places that the gazetteer does not hold.
    """

    id: str
    kind: str
    title: str
    summary: str
    points: tuple[tuple[float, float, float], ...]
    none_is_right: bool
    unknown: tuple[str, ...] = ()

    @property
    def half(self) -> int:
        """0 or 1, by a hash of the id: rules are tuned on half 0 and judged on half 1.

        Ids in "q" joined the first half later, all of them; those in "x" came last and
        nothing was tuned on them.
        """
        by_hash = hashlib.sha256(self.id.encode()).digest()[0] & 1
        return {"q": 0, "x": 1}.get(self.id[:1], by_hash)


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares from 0 to 1 over ``items`` articles.

    ``accuracy``: rightly pinned or rightly not; ``precision``: right among the pinned;
    ``recall``: right among those that have a place; ``none_kept``: unpinned among those
    that have none.
    """

    items: int
    accuracy: float
    precision: float
    recall: float
    none_kept: float


def read_set(path: Path, gazetteer: Gazetteer) -> list[Item]:
    """The labelled articles of a file; raises InputError naming the line at fault."""
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path} is larger than {_LARGEST // 2**20} MB")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    items = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            try:
                json_form = line.startswith("{")
                items.append(_from_json(line) if json_form else _from_cells(line, gazetteer))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{path}, line {number}: {error}") from error
    return items


def _from_json(line: str) -> Item:
    row: dict[str, Any] = json.loads(line)
    points = tuple(
        (float(a["lat"]), float(a["lon"]), max(_NEAR, float(a["tol"]))) for a in row["alts"] if a
    )
    none = bool(row["null_ok"]) or None in row["alts"]
    text = str(row["title"]), str(row.get("summary") or "")
    return Item(str(row.get("id")), str(row.get("class", "")), *text, points, none)


def _from_cells(line: str, gazetteer: Gazetteer) -> Item:
    id_, kind, title, summary, expected = line.split("\t")
    points, unknown = [], []
    for name in expected.split("|"):
        if name != "-":
            places = list(_named(name, gazetteer))
            points += [(p.lat, p.lon, min(_WIDEST, max(_NEAR, p.extent))) for p in places]
            unknown += [] if places else [name]
    none = "-" in expected.split("|")
    return Item(id_, kind, title, summary, tuple(points), none, tuple(unknown))


def _named(name: str, gazetteer: Gazetteer) -> Iterator[Place]:
    folded = fold_phrase(name)
    number = folded.split(" ")[0].rstrip("er")
    if folded.endswith(" arrondissement") and number.isdigit():
        yield gazetteer.districts[int(number)]
    found = [*gazetteer.get(folded), *gazetteer.get(folded.removeprefix("station "))]
    places = [entry.place for entry in found if entry.place.kind.precision is not None]
    named = [place for place in places if fold_phrase(place.name) == folded]
    yield from named or places


def verdict(item: Item, location: Location | None) -> Verdict:
    """What the answer ``location`` for ``item`` is worth."""
    if location is None:
        return "rightly none" if item.none_is_right else "pin missing"
    if any(metres(location.lat, location.lon, y, x) <= near for y, x, near in item.points):
        return "right pin"
    return "wrong pin" if item.points or item.unknown else "pin too many"


def measure(items: Iterable[Item], locator: Locator) -> Figures:
    """Locate every item and count."""
    counts: dict[Verdict, int] = {}
    for item in items:
        answer = verdict(item, locator.locate(item.title, item.summary))
        counts[answer] = counts.get(answer, 0) + 1
    return figures(counts)


def figures(counts: dict[Verdict, int]) -> Figures:
    """The shares that counts of verdicts come to; 1 where there is nothing to be judged."""
    right, wrong = counts.get("right pin", 0), counts.get("wrong pin", 0)
    many, missing = counts.get("pin too many", 0), counts.get("pin missing", 0)
    none = counts.get("rightly none", 0)
    total = right + wrong + many + missing + none
    return Figures(
        items=total,
        accuracy=_share(right + none, total),
        precision=_share(right, right + wrong + many),
        recall=_share(right, right + wrong + missing),
        none_kept=_share(none, none + many),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def metres(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """The distance between two points of one city, in metres (degrees in, WGS 84)."""
    east = (lon2 - lon1) * math.cos(math.radians(lat1)) * 111_320
    return math.hypot(east, (lat2 - lat1) * 110_540)
