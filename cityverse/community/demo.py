"""The demo city: invented associations and what they publish, at real places of Paris.

Ids follow from kind and number (``demo-post-0007``), so that filling again adds only
what is missing. Every item says ``demo=True`` and is listed in the table Demo, by
which ``remove`` finds it. The texts stand in ``demo.toml``.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cityverse.data.repository import LeafRepository, Repository
from cityverse.data.store import Store
from cityverse.domain.community import Association, Event, Mission, MissionStatus, Post
from cityverse.domain.giving import Campaign
from cityverse.domain.news import Article
from cityverse.domain.places import Evidence, Location, Precision
from cityverse.errors import AlreadyExists, VersionConflict

SIZES: Mapping[str, int] = {
    "associations": 14,
    "posts": 60,
    "missions": 24,
    "events": 24,
    "campaigns": 7,
    "news": 36,
}
"""How many items of each kind make the usual demo city."""

SOURCE_ID = "demo"
SOURCE_NAME = "Actualités de démonstration"

Progress = Callable[[int, int], None]
"""Told how many items are done, and of how many."""

_PARIS = ZoneInfo("Europe/Paris")
_TEXTS = Path(__file__).with_name("demo.toml")
_META = "demo"
_THREADS = 8
_CHUNK = 500
_PRECISIONS = {
    "street": Precision.STREET,
    "square": Precision.PLACE,
    "park": Precision.PARK,
    "market": Precision.PLACE,
    "library": Precision.PLACE,
    "address": Precision.ADDRESS,
    "quartier": Precision.QUARTIER,
    "arrondissement": Precision.ARRONDISSEMENT,
}


def fill_if_new(store: Store, progress: Progress | None = None) -> int:
    """Fill a store that holds nothing, or go on where that was interrupted.

    Answers with the number of items added: 0 for a store that holds anything of its
    own, or whose demo city was filled or removed before.
    """
    meta = store.meta(_META)
    state = meta["state"] if meta is not None else "never"
    if state == "filling" or (state == "never" and store.holds_nothing()):
        return fill(store, SIZES, progress=progress)
    return 0


def fill(
    store: Store,
    sizes: Mapping[str, int],
    *,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> int:
    """Add the items that are missing, of each kind as many as ``sizes`` says.

    Who publishes is added even when no association is asked for. All times lie around
    ``now`` (aware). Answers with the number of items added; may be repeated after any
    interruption.
    """
    if any(sizes.get(kind) for kind in ("posts", "missions", "events", "campaigns")):
        sizes = {**sizes, "associations": max(1, sizes.get("associations", 0))}
    city = _City(now or datetime.now(UTC), sizes)
    total, done, added = sum(sizes.get(kind, 0) for kind in SIZES), 0, 0
    store.set_meta(_META, state="filling")
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="demo") as pool:
        for kind, repository, make in _kinds(store, city):
            wanted = sizes.get(kind, 0)
            for start in range(0, wanted, _CHUNK):
                numbers = range(start, min(start + _CHUNK, wanted))
                items = {item.id: item for item in map(make, numbers)}
                known = repository.find_many(items)
                missing = [item for item_id, item in items.items() if item_id not in known]
                added += sum(pool.map(_creator(repository), missing))
                done += len(items)
                if progress is not None:
                    progress(done, total)
    store.set_meta(_META, state="filled")
    return added


def remove(store: Store, progress: Progress | None = None) -> int:
    """Delete every item of the demo city and remember that; answers with their number.

    What was interrupted goes on when called again.
    """
    store.set_meta(_META, state="removed")
    removed = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="demo") as pool:
        for table, repository in reversed(store.repositories().items()):
            while ids := store.demo_ids(table, most=_CHUNK):
                found = repository.find_many(ids)
                removed += sum(pool.map(_deleter(store, repository), found.values()))
                for lost in set(ids) - found.keys():
                    store.forget_demo(table, lost)
                if progress is not None:
                    progress(removed, removed + len(ids) - len(found))
    return removed


def _creator(repository: Repository[Any]) -> Callable[[Any], bool]:
    def create(item: Any) -> bool:
        try:
            repository.create(item)
        except AlreadyExists:
            return False  # another process fills the same store
        return True

    return create


def _deleter(store: Store, repository: Repository[Any]) -> Callable[[Any], bool]:
    def delete(item: Any) -> bool:
        try:
            if isinstance(repository, LeafRepository):
                repository.delete(item)
            else:
                store.deletion.delete(repository.table, item.id)
        except VersionConflict:
            return False  # changed at this very moment; the next round takes it
        return True

    return delete


def _kinds(
    store: Store, city: _City
) -> Iterator[tuple[str, Repository[Any], Callable[[int], Any]]]:
    yield "associations", store.associations, city.association
    yield "posts", store.posts, city.post
    yield "missions", store.missions, city.mission
    yield "events", store.events, city.event
    yield "campaigns", store.campaigns, city.campaign
    yield "news", store.news, city.article


@dataclass(frozen=True, slots=True)
class _Place:
    """``at`` is how a sentence says it; ``words`` are the part of it that names the place."""

    at: str
    words: str
    lat: float
    lon: float
    arrondissement: int
    precision: Precision

    def location(self, evidence: tuple[Evidence, ...] = ()) -> Location:
        return Location(
            place=self.words[0].upper() + self.words[1:],
            lat=self.lat,
            lon=self.lon,
            precision=self.precision,
            arrondissement=self.arrondissement,
            score=0.9,
            evidence=evidence,
        )


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(_TEXTS.read_text(encoding="utf-8"))


@cache
def _places(*kinds: str) -> tuple[_Place, ...]:
    return tuple(
        _Place(
            at=at.replace("[", "").replace("]", ""),
            words=at[at.index("[") + 1 : at.index("]")],
            lat=lat,
            lon=lon,
            arrondissement=arrondissement,
            precision=_PRECISIONS[kind],
        )
        for kind in kinds
        for at, lat, lon, arrondissement in _texts()["places"][kind]
    )


def _pick(options: Sequence[Any], salt: str, number: int) -> Any:
    """One of the options; always the same for the same salt and number."""
    return options[zlib.crc32(f"{salt}{number}".encode()) % len(options)]


def _written(template: str, place: _Place | None, number: int) -> str:
    amount = str(_pick(range(4, 40), "amount", number))
    return template.replace("{n}", amount).replace("{at}", place.at if place else "")


class _City:
    """Makes the n-th item of each kind, for times around ``now``."""

    def __init__(self, now: datetime, sizes: Mapping[str, int]) -> None:
        self._now = now.astimezone(UTC)
        self._associations = max(1, sizes.get("associations", 0))
        self._themes: list[dict[str, Any]] = _texts()["themes"]

    def association(self, number: int) -> Association:
        theme = self._themes[number % len(self._themes)]
        home = next(place for place in _places(*_PRECISIONS) if place.words == theme["home"])
        return Association(
            id=_item_id("association", number),
            name=self._name(number),
            created=self._now - timedelta(days=30 + number % 700),
            description=theme["description"],
            goals=frozenset(theme["goals"]),
            location=home.location(),
            verified=number % 4 != 3,
            demo=True,
        )

    def _name(self, number: int) -> str:
        """The first ones have names of their own; further ones are put together."""
        if number < len(self._themes):
            return str(self._themes[number]["name"])
        variety = _texts()["variety"]
        bodies, spirits = variety["bodies"], variety["spirits"]
        group, body = divmod(number - len(self._themes), len(bodies))
        name = f"{bodies[body]} {spirits[group % len(spirits)]}"
        return name if group < len(spirits) else f"{name} {group // len(spirits) + 1}"

    def _author(self, theme: int, number: int) -> dict[str, Any]:
        """An association of this theme, where there are that many."""
        of_theme = range(theme, self._associations, len(self._themes))
        author = of_theme[number % len(of_theme)] if of_theme else number % self._associations
        return {
            "association_id": _item_id("association", author),
            "association_name": self._name(author),
        }

    def post(self, number: int) -> Post:
        turn, theme = divmod(number, len(self._themes))
        variants = self._themes[theme]["posts"]
        title, text, kinds = variants[turn % len(variants)]
        place: _Place = _pick(_places(*kinds), "post", number)
        closing = f" {_pick(_texts()['variety']['closings'], 'closing', number)}"
        return Post(
            id=_item_id("post", number),
            **self._author(theme, turn // len(variants)),
            title=_written(title, place, number),
            text=_written(text, place, number) + (closing if turn >= len(variants) else ""),
            created=self._past(number, days=10),
            location=place.location(),
            demo=True,
        )

    def mission(self, number: int) -> Mission:
        texts = _texts()["missions"]["texts"]
        theme, title, description, kinds, places = texts[number % len(texts)]
        place: _Place = _pick(_places(*kinds), "mission", number)
        approved = _pick(range(places + 1), "approved", number)
        hour = _pick(range(9, 19), "hour", number)
        return Mission(
            id=_item_id("mission", number),
            **self._author(theme, number // len(texts)),
            title=_written(title, place, number),
            description=_written(description, place, number),
            created=self._past(number, days=10),
            starts=self._coming(number, time(hour)),
            places=places,
            approved=approved,
            status=MissionStatus.FULL if approved == places else MissionStatus.OPEN,
            location=place.location(),
            demo=True,
        )

    def event(self, number: int) -> Event:
        texts = _texts()["events"]["texts"]
        theme, title, description, kinds, hour, minute, length = texts[number % len(texts)]
        place: _Place = _pick(_places(*kinds), "event", number)
        starts = self._coming(number, time(hour, minute))
        return Event(
            id=_item_id("event", number),
            **self._author(theme, number // len(texts)),
            title=_written(title, place, number),
            description=_written(description, place, number),
            created=self._past(number, days=10),
            starts=starts,
            ends=starts + timedelta(minutes=length),
            location=place.location(),
            demo=True,
        )

    def campaign(self, number: int) -> Campaign:
        """Nobody gave to it: what is raised is the sum of contributions, and there are none."""
        texts = _texts()["campaigns"]["texts"]
        theme, title, description, euros = texts[number % len(texts)]
        home = next(p for p in _places(*_PRECISIONS) if p.words == self._themes[theme]["home"])
        return Campaign(
            id=_item_id("campaign", number),
            **self._author(theme, number // len(texts)),
            title=title,
            description=description,
            created=self._past(number, days=10),
            goal=100 * euros,
            ends=self._coming(number, time(20)) + timedelta(days=30),
            location=home.location(),
            demo=True,
        )

    def article(self, number: int) -> Article:
        texts = _texts()["news"]["texts"]
        title, summary, kinds = texts[number % len(texts)]
        place: _Place | None = _pick(_places(*kinds), "news", number) if kinds else None
        written: dict[str, Any] = {
            "title": _written(title, place, number),
            "summary": _written(summary, place, number),
        }
        return Article(
            id=_item_id("news", number),
            source_id=SOURCE_ID,
            source_name=SOURCE_NAME,
            **written,
            published=self._past(number, days=5),
            location=place.location(_evidence(written, place)) if place else None,
            demo=True,
        )

    def _past(self, number: int, *, days: int) -> datetime:
        """A time of day at which people write, within the last ``days`` days."""
        local = self._now.astimezone(_PARIS)
        at = time(8 + _pick(range(14), "hour", number), _pick(range(60), "minute", number))
        ago = number % days
        moment = datetime.combine(local.date() - timedelta(days=ago), at, _PARIS)
        if moment > self._now:
            moment = datetime.combine(local.date() - timedelta(days=max(ago, 1)), at, _PARIS)
        return moment.astimezone(UTC)

    def _coming(self, number: int, at: time) -> datetime:
        """This time of day, today (unless that is over) or on one of the next 14 days."""
        today = self._now.astimezone(_PARIS).date()
        moment = datetime.combine(today + timedelta(days=number % 15), at, _PARIS)
        if moment < self._now:
            moment = datetime.combine(today + timedelta(days=1), at, _PARIS)
        return moment.astimezone(UTC)


def _item_id(kind: str, number: int) -> str:
    return f"demo-{kind}-{number + 1:04}"


def _evidence(written: Mapping[str, str], place: _Place) -> tuple[Evidence, ...]:
    """Where the words that name the place stand in title and summary."""
    found = ((field, text.find(place.words)) for field, text in written.items())
    return tuple(
        Evidence(field, start, start + len(place.words), place.words)
        for field, start in found
        if start >= 0
    )
