"""The city today: items of all kinds under one filter, for the map and the list alike.

A filter runs on its most selective index and looks at a bounded number of items;
``CityPage.more`` says that there are further ones to look for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cityverse.data.lists import Page
from cityverse.data.near import cells_within
from cityverse.data.repository import Window
from cityverse.data.store import Store
from cityverse.data.timeline import TimelineRepository, is_hidden
from cityverse.domain.community import (
    Association,
    AuthorKind,
    Event,
    LinkPreview,
    Mission,
    MissionStatus,
    Post,
)
from cityverse.domain.giving import Campaign, CampaignStatus
from cityverse.domain.kinds import DAILY, Kind
from cityverse.domain.media import MediaKind
from cityverse.domain.moderation import Moderated
from cityverse.domain.news import Article, TopicName
from cityverse.domain.places import Location

CITY_ZONE = ZoneInfo("Europe/Paris")
SHOWN_AT_FIRST = 28
SHOWN_MOST = 200
# What is "close by" for somebody on foot, in metres.
CLOSE = 1500
# Where a filter leaves little, so many items are looked at for each that is wanted.
_LOOKED_AT_EACH = 7
# How long ago missions and events may have begun that are not over.
LOOK_BACK = timedelta(days=31)
_METRES_PER_DEGREE = 111_320
_UPCOMING = frozenset({Kind.MISSION, Kind.EVENT})
# What one can do: offered close to whatever one reads.
DOABLE = (Kind.MISSION, Kind.EVENT, Kind.CAMPAIGN)
# These are there whenever they began.
_LASTING = frozenset({Kind.ASSOCIATION, Kind.CAMPAIGN})


class Period(StrEnum):
    """How far from now one looks: back for news and posts, ahead for missions and events."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"
    ALL = "all"


_DAYS = {Period.TODAY: 1, Period.WEEK: 7, Period.MONTH: 30}


@dataclass(frozen=True, slots=True)
class Filter:
    """What one wants to see; ``limit`` bounds the items of each kind.

    ``topic`` and ``source`` (an id) are had by articles alone, so that nothing else is
    seen with them. ``around`` is a point (latitude and longitude in degrees): what lies
    within ``CLOSE`` metres of it.
    """

    kinds: tuple[Kind, ...] = DAILY
    period: Period = Period.WEEK
    arrondissement: int | None = None
    text: str = ""
    limit: int = SHOWN_AT_FIRST
    topic: TopicName | None = None
    source: str | None = None
    around: tuple[float, float] | None = None

    @property
    def of_articles(self) -> bool:
        """Whether only articles can pass."""
        return self.topic is not None or self.source is not None


@dataclass(frozen=True, slots=True)
class CityItem:
    """One item of any kind, as the map and the list show it.

    ``by`` is the source or the association; ``when`` the time that matters (when
    published or written, or when it starts); ``published`` when it came to stand here;
    ``key`` is ``kind:id``; ``also`` are other articles of the same story; ``files`` are ids
    of pictures, films and documents with what each is, ``previews`` the links it names;
    ``corrected`` says that a reader named the place, ``labelled`` that moderators warn of it. An
    article has the id of its ``source``,
    ``topics`` and perhaps a ``language`` (ISO 639-1).
    """

    kind: Kind
    id: str
    title: str
    text: str
    by: str
    when: datetime
    published: datetime
    ends: datetime | None = None
    link: str | None = None
    location: Location | None = None
    places_left: int | None = None
    demo: bool = False
    corrected: bool = False
    also: tuple[CityItem, ...] = ()
    files: tuple[tuple[str, MediaKind], ...] = ()
    previews: tuple[LinkPreview, ...] = ()
    by_resident: bool = False
    labelled: bool = False
    source: str | None = None
    topics: tuple[TopicName, ...] = ()
    language: str | None = None

    @property
    def key(self) -> str:
        """Kind and id, unique among all items."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class CityPage:
    """Items closest in time first; ``more`` when the bound was reached.

    ``searchable`` is False when the text holds no word one can search for.
    """

    items: tuple[CityItem, ...]
    more: bool = False
    searchable: bool = True


def look(store: Store, wanted: Filter, now: datetime) -> CityPage:
    """The items a filter lets through. Raises StoreError."""
    kinds = _kinds(wanted)
    read = _found if wanted.text else _listed
    with ThreadPoolExecutor(len(kinds) or 1) as pool:
        pages = list(pool.map(lambda kind: read(store, kind, wanted, now), kinds))
    items = sorted(
        (item for page in pages for item in page.items), key=lambda i: (_away(i, now), i.key)
    )
    return CityPage(
        tuple(items),
        more=any(page.more for page in pages),
        searchable=all(page.searchable for page in pages),
    )


def _kinds(wanted: Filter) -> tuple[Kind, ...]:
    if wanted.of_articles:
        return tuple(kind for kind in wanted.kinds if kind is Kind.NEWS)
    return (*wanted.kinds, Kind.ASSOCIATION) if wanted.text else wanted.kinds


def _away(item: CityItem, now: datetime) -> timedelta:
    """How far from now it begins or, if that is closer, ends."""
    moments = [item.when] if item.ends is None else [item.when, item.ends]
    return min(abs(moment - now) for moment in moments)


def told_by(item: CityItem, by: str) -> CityItem:
    """The same item with other words on who tells of it."""
    return replace(item, by=by)


def find(store: Store, key: str) -> CityItem | None:
    """The item with this key, or None; a key from outside may be anything."""
    kind, _, item_id = key.partition(":")
    if kind not in set(Kind) or not item_id or len(item_id) > 64:
        return None
    found = _repository(store, Kind(kind)).find(item_id)
    if found is None or getattr(found, "removed", None) or is_hidden(found):
        return None
    if getattr(found, "status", None) in {MissionStatus.DRAFT, CampaignStatus.DRAFT}:
        return None
    return as_item(found)


def nearby(item: CityItem, others: Iterable[CityItem], most: int = 4) -> list[tuple[CityItem, int]]:
    """What one can do around an item: missions, events and campaigns, with metres."""
    if item.location is None:
        return []
    around = [
        (other, distance(item.location, other.location))
        for other in others
        if other.location and other.key != item.key and other.kind in DOABLE
    ]
    close = (pair for pair in around if pair[1] <= CLOSE)
    return sorted(close, key=lambda pair: pair[1])[:most]


def distance(one: Location, other: Location) -> int:
    """Metres between two points; exact enough within a city."""
    return round(_metres((one.lat, one.lon), (other.lat, other.lon)))


def _metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    east = (other[1] - one[1]) * math.cos(math.radians((one[0] + other[0]) / 2))
    return math.hypot(east, other[0] - one[0]) * _METRES_PER_DEGREE


def window_of(kind: Kind, period: Period, now: datetime) -> Window:
    """The span of time a period means for a kind."""
    midnight = datetime.combine(now.astimezone(CITY_ZONE).date(), time.min, CITY_ZONE)
    if kind in _LASTING:
        return Window()
    if kind in _UPCOMING:
        end = midnight + timedelta(days=_DAYS[period]) if period in _DAYS else None
        return Window(midnight.astimezone(UTC), end and end.astimezone(UTC))
    if period is Period.ALL:
        return Window()
    return Window((midnight - timedelta(days=_DAYS[period] - 1)).astimezone(UTC))


def _listed(store: Store, kind: Kind, wanted: Filter, now: datetime) -> CityPage:
    page = _page(store, kind, wanted, window_of(kind, wanted.period, now), now)
    more = page.next is not None and wanted.limit < SHOWN_MOST
    entities = (*_under_way(store, kind, wanted, now), *page.items)
    return CityPage(tuple(as_item(entity) for entity in entities), more)


def _page(store: Store, kind: Kind, wanted: Filter, window: Window, now: datetime) -> Page[Any]:
    limit = min(wanted.limit, SHOWN_MOST)
    bounds: dict[str, Any] = {"limit": limit, "window": window}
    if wanted.of_articles or wanted.around or kind is Kind.CAMPAIGN:
        bounds["where"] = lambda entity: (
            _takes_gifts(entity, now) and _passes(as_item(entity), wanted)
        )
        bounds["looked_at"] = _LOOKED_AT_EACH * limit
    repository = _repository(store, kind)
    if wanted.around is not None:
        return repository.near(*wanted.around, metres=CLOSE, **bounds)
    if wanted.source is not None:
        return store.news.from_source(wanted.source, **bounds)
    return repository.page(arrondissement=wanted.arrondissement, **bounds)


def _takes_gifts(entity: object, now: datetime) -> bool:
    """False for a campaign alone that is over."""
    return not isinstance(entity, Campaign) or entity.takes_contributions(now)


def _under_way(store: Store, kind: Kind, wanted: Filter, now: datetime) -> list[Any]:
    """Missions and events that began before today and are not over."""
    today = window_of(kind, Period.TODAY, now).start
    if kind not in _UPCOMING or today is None:
        return []
    return _repository(store, kind).latest(
        Window(today - LOOK_BACK, today),
        limit=min(wanted.limit, SHOWN_MOST),
        where=lambda entity: _goes_on(entity.ends, now) and _passes(as_item(entity), wanted),
        arrondissement=wanted.arrondissement,
        cells=cells_within(*wanted.around, CLOSE) if wanted.around else (),
    )


def _goes_on(ends: datetime | None, now: datetime) -> bool:
    return ends is not None and ends > now


def _passes(item: CityItem, wanted: Filter) -> bool:
    """Whether an item is where and about what is wanted, whenever it is."""
    if wanted.topic is not None and wanted.topic not in item.topics:
        return False
    if wanted.source is not None and wanted.source != item.source:
        return False
    return _in_arrondissement(item, wanted.arrondissement) and _close(item, wanted.around)


def _close(item: CityItem, around: tuple[float, float] | None) -> bool:
    if around is None:
        return True
    place = item.location
    return place is not None and _metres((place.lat, place.lon), around) <= CLOSE


def _found(store: Store, kind: Kind, wanted: Filter, now: datetime) -> CityPage:
    found = store.search(kind, wanted.text)
    if found is None:
        return CityPage((), searchable=False)
    window = window_of(kind, wanted.period, now)
    entities = _repository(store, kind).find_many(f.item_id for f in found)
    shown = {key: entity for key, entity in entities.items() if not is_hidden(entity)}
    items = (as_item(shown[f.item_id]) for f in found if f.item_id in shown)
    passing = [
        item
        for item in items
        if _passes(item, wanted)
        and (_within(item.when, window) or (kind in _UPCOMING and _is_under_way(item, now)))
    ]
    return CityPage(tuple(passing[: wanted.limit]), more=len(passing) > wanted.limit)


def _is_under_way(item: CityItem, now: datetime) -> bool:
    return item.when <= now and _goes_on(item.ends, now)


def _within(moment: datetime, window: Window) -> bool:
    after_start = window.start is None or moment >= window.start
    return after_start and (window.end is None or moment < window.end)


def _in_arrondissement(item: CityItem, arrondissement: int | None) -> bool:
    if arrondissement is None:
        return True
    return item.location is not None and item.location.arrondissement == arrondissement


def _repository(store: Store, kind: Kind) -> TimelineRepository[Any]:
    repositories: dict[Kind, TimelineRepository[Any]] = {
        Kind.NEWS: store.news,
        Kind.POST: store.posts,
        Kind.MISSION: store.missions,
        Kind.EVENT: store.events,
        Kind.ASSOCIATION: store.associations,
        Kind.CAMPAIGN: store.campaigns,
    }
    return repositories[kind]


def as_item(entity: Article | Post | Mission | Event | Association | Campaign) -> CityItem:
    """An entity of any kind as an item of the city."""
    labelled = getattr(entity, "moderation", None) is Moderated.LABELLED
    item: CityItem = _CONVERSIONS[type(entity)](entity)
    return replace(item, labelled=True) if labelled else item


def _of_article(article: Article) -> CityItem:
    return CityItem(
        Kind.NEWS,
        article.id,
        article.title,
        article.summary,
        article.source_name,
        article.published,
        article.published,
        link=article.link,
        location=article.location,
        demo=article.demo,
        corrected=article.correction is not None,
        source=article.source_id,
        topics=tuple(topic.name for topic in article.topics),
        language=article.language,
    )


def _of_post(post: Post) -> CityItem:
    return CityItem(
        Kind.POST,
        post.id,
        post.title or _first_words(post.text),
        post.text,
        post.author_name,
        post.created,
        post.created,
        location=post.location,
        demo=post.demo,
        files=tuple(zip(post.media, post.media_kinds, strict=False)),
        previews=(*post.previews, *_without_preview(post)),
        by_resident=post.author_kind is AuthorKind.RESIDENT,
    )


def _without_preview(post: Post) -> Iterator[LinkPreview]:
    shown = {preview.url for preview in post.previews}
    for link in post.links:
        if link not in shown:
            yield LinkPreview(link, (urlsplit(link).hostname or link)[:200])


def _of_mission(mission: Mission) -> CityItem:
    return CityItem(
        Kind.MISSION,
        mission.id,
        mission.title,
        mission.description,
        mission.association_name,
        mission.starts,
        mission.created,
        ends=mission.ends,
        location=mission.location,
        places_left=mission.places - mission.approved,
        demo=mission.demo,
    )


def _of_event(event: Event) -> CityItem:
    return CityItem(
        Kind.EVENT,
        event.id,
        event.title,
        event.description,
        event.association_name,
        event.starts,
        event.created,
        ends=event.ends,
        location=event.location,
        demo=event.demo,
    )


def _of_association(association: Association) -> CityItem:
    return CityItem(
        Kind.ASSOCIATION,
        association.id,
        association.name,
        association.description,
        association.name,
        association.created,
        association.created,
        link=association.website,
        location=association.location,
        demo=association.demo,
    )


def _of_campaign(campaign: Campaign) -> CityItem:
    return CityItem(
        Kind.CAMPAIGN,
        campaign.id,
        campaign.title,
        campaign.description,
        campaign.association_name,
        campaign.created,
        campaign.created,
        location=campaign.location,
        demo=campaign.demo,
        files=tuple((one, MediaKind.IMAGE) for one in campaign.media),
    )


_CONVERSIONS: dict[type, Callable[..., CityItem]] = {
    Article: _of_article,
    Post: _of_post,
    Mission: _of_mission,
    Event: _of_event,
    Association: _of_association,
    Campaign: _of_campaign,
}


def _first_words(text: str, longest: int = 80) -> str:
    line = text.strip().splitlines()[0]
    if len(line) <= longest:
        return line
    return line[:longest].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Posts, newest first, with the cursors of the pages beside."""

    items: Sequence[CityItem]
    next: str | None
    previous: str | None


def feed(
    store: Store, *, limit: int, cursor: str | None, arrondissement: int | None, text: str = ""
) -> FeedPage:
    """One page of the posts of the city, or those in which words are found. Raises StoreError."""
    if text:
        wanted = Filter((Kind.POST,), Period.ALL, arrondissement, text, limit)
        return FeedPage(_found(store, Kind.POST, wanted, datetime.now(UTC)).items, None, None)
    page = store.posts.page(limit=limit, cursor=cursor, arrondissement=arrondissement)
    return FeedPage([as_item(post) for post in page.items], page.next, page.previous)


def newest_post(store: Store) -> str | None:
    """The key of the newest post of the city, to see cheaply whether there is a new one."""
    newest = store.posts.page(limit=1).items
    return f"{Kind.POST}:{newest[0].id}" if newest else None


def followed_feed(
    store: Store, association_ids: Iterable[str], *, limit: int, cursor: str | None
) -> FeedPage:
    """One page of the posts of some associations, at most a hundred. Raises StoreError."""
    page = store.posts.home(association_ids, limit=limit, cursor=cursor)
    return FeedPage([as_item(post) for post in page.items], page.next, page.previous)
