"""Polling: fetch a source, parse its feed, locate its articles, store what is new.

Each source is polled for itself: whatever goes wrong with one is written to it and
to the log, once, and touches no other.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cityverse.data.store import Store
from cityverse.domain.news import (
    EXCERPT_LONGEST,
    TITLE_LONGEST,
    Article,
    Source,
    SourceStatus,
    after_failure,
    after_success,
    updated,
)
from cityverse.domain.places import EAST, NORTH, SOUTH, WEST, Evidence, Location, Precision
from cityverse.errors import (
    AlreadyExists,
    CityVerseError,
    FeedUnreadable,
    FetchError,
    InvalidField,
    StoreError,
    VersionConflict,
)
from cityverse.news.aliases import as_name
from cityverse.news.dates import EARLIEST
from cityverse.news.feeds import FeedConfig
from cityverse.news.fetch import Fetched, fetch
from cityverse.news.geocode import Geocoder
from cityverse.news.language import language_of
from cityverse.news.links import is_front_page, same_address, site_of
from cityverse.news.locate import Found
from cityverse.news.parse import Entry, Feed, parse
from cityverse.news.places import FOLDER, CurrentLocator
from cityverse.news.text import excerpt
from cityverse.news.topics import topics_of
from cityverse.settings import Settings

log = logging.getLogger(__name__)

_HOSTS_AT_ONCE = 4
_ENTRIES_MOST = 500
_LOOKED_AT_MOST = 1_000
_ASKED_ELSEWHERE = "asked by another worker just now"
# Between two requests to one host, in seconds.
_HOST_PAUSE = 1.0
# So many stories behind one link: it leads to a section, not to a story.
_STORIES_OF_SECTION = 3
_TRIES = 5
# What an article takes over from its feed with each update.
_FROM_FEED = (
    *("title", "summary", "author", "image", "link", "updated", "location"),
    *("language", "topics", "content_hash", "entry_hash"),
)
# A clock that is a little ahead is no news from the future.
_AHEAD_MOST = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Result:
    """What one poll of one source came to; ``error`` is a stable word, or None."""

    source_id: str
    entries: int = 0
    new: int = 0
    updated: int = 0
    located: int = 0
    withdrawn: int = 0
    new_located: int = 0
    error: str | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.source_id}: failed, {self.error}"
        if self.note:
            return f"{self.source_id}: {self.note}"
        text = (
            f"{self.source_id}: {self.entries} entries, {self.new} new, "
            f"{self.updated} updated, {self.located} of these located"
        )
        return f"{text}, {self.withdrawn} withdrawn" if self.withdrawn else text


def _clock() -> datetime:
    return datetime.now(UTC)


class Poller:
    """Polls sources of a store with one locator; safe to use by threads.

    ``host_pause`` is waited between two requests to one host, in seconds.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        rng: random.Random | None = None,
        clock: Callable[[], datetime] = _clock,
        host_pause: float = _HOST_PAUSE,
    ) -> None:
        self._store = store
        self._settings = settings
        self._locator = CurrentLocator(settings.data_dir)
        self._geocoder = (
            Geocoder(
                settings.news_geocoder,
                settings.data_dir / FOLDER / "geocoder.sqlite",
                allow_private=settings.news_allow_private,
            )
            if settings.news_geocoder
            else None
        )
        self._random = rng or random.SystemRandom()
        self._clock = clock
        self._host_pause = host_pause
        # Threads share one processor anyway; so no two large feeds are in memory at a time.
        self._parsing = threading.Lock()

    def configure(self, feeds: Iterable[FeedConfig]) -> None:
        """Make the configured sources match ``feeds``; a source no longer named is paused."""
        wanted = {feed.id: feed for feed in feeds}
        known = {source.id: source for source in self._all()}
        for feed in wanted.values():
            self._configure_one(feed, known.get(feed.id))
        for source in known.values():
            if source.configured and source.id not in wanted:
                paused = replace(source, status=SourceStatus.PAUSED, configured=False)
                self._keep(source, paused)

    def active(self) -> list[Source]:
        """The sources that are polled."""
        return self._store.sources.listed(SourceStatus.ACTIVE)

    def _all(self) -> list[Source]:
        return [s for status in SourceStatus for s in self._store.sources.listed(status)]

    def _configure_one(self, feed: FeedConfig, known: Source | None) -> None:
        fresh = Source(
            id=feed.id, name=feed.name, url=feed.url, home=feed.home, configured_url=feed.url
        )
        if known is None:
            try:
                self._store.sources.create(fresh)
            except AlreadyExists:
                log.debug("another worker configured %s at the same time", feed.id)
        elif (known.name, known.configured_url, known.home) != (feed.name, feed.url, feed.home):
            # Another address is another feed: what was remembered of the old one is void.
            # One that a permanent redirect gave stays, as long as the list says the same.
            changed = fresh if known.configured_url != feed.url else known
            self._keep(known, replace(changed, name=feed.name, home=feed.home, configured=True))
        elif not known.configured:
            self._keep(known, replace(known, status=SourceStatus.ACTIVE, configured=True))

    def _keep(self, old: Source, new: Source) -> None:
        try:
            self._store.sources.replace(old, new)
        except VersionConflict:
            log.debug("another worker changed %s at the same time", old.id)
        except StoreError as error:
            # Its lease runs out by itself; the other sources go on.
            log.warning("the state of source %s could not be kept: %s", old.id, error)

    def poll(self, sources: Sequence[Source], stop: threading.Event) -> list[Result]:
        """Poll several hosts at once but one source a host; stops between sources."""
        if sources:
            self._locator.use(map(as_name, self._store.aliases.all()))
        by_host: dict[str, list[Source]] = defaultdict(list)
        for source in sources:
            by_host[urlsplit(source.url).hostname or ""].append(source)

        def poll_host(of_host: list[Source]) -> list[Result]:
            return list(self._poll_host(of_host, stop))

        with ThreadPoolExecutor(_HOSTS_AT_ONCE, thread_name_prefix="poll") as pool:
            return [
                result for results in pool.map(poll_host, by_host.values()) for result in results
            ]

    def _poll_host(self, sources: Sequence[Source], stop: threading.Event) -> Iterable[Result]:
        for number, source in enumerate(sources):
            if stop.is_set() or (number and stop.wait(self._host_pause)):
                return
            result = self.poll_one(source)
            yield result
            if result.note == _ASKED_ELSEWHERE:
                return  # another worker is at this host; what is left is due in the next round

    def poll_one(self, source: Source) -> Result:
        """Poll one source under a lease; every failure becomes part of its state."""
        try:
            leased = self._store.sources.lease(source, self._clock())
        except StoreError as error:
            log.warning("source %s cannot be leased: %s", source.id, error)
            return Result(source.id, error="store")
        if leased is None:
            return Result(source.id, note=_ASKED_ELSEWHERE)
        try:
            return self._poll_leased(leased)
        except FetchError as error:
            return self._failed(leased, error.reason, error, error.retry_after)
        except FeedUnreadable as error:
            return self._failed(leased, "unreadable", error)
        except CityVerseError as error:
            return self._failed(leased, "store", error)
        except Exception as error:
            log.exception("polling %s failed in an unforeseen way", source.id)
            return self._failed(leased, "unexpected", error)

    def _failed(
        self, source: Source, reason: str, error: Exception, retry_after: float | None = None
    ) -> Result:
        now = self._clock()
        if source.error != reason:  # a failure that goes on is logged once
            log.warning("source %s: %s", source.id, error)
        jitter = self._random.random()
        self._keep(
            source, after_failure(source, now, reason, retry_after=retry_after, jitter=jitter)
        )
        return Result(source.id, error=reason)

    def _poll_leased(self, source: Source) -> Result:
        fetched = fetch(
            source.url,
            etag=source.etag,
            last_modified=source.last_modified,
            allow_private=self._settings.news_allow_private,
        )
        now = self._clock()
        content_hash = hashlib.sha256(fetched.data).hexdigest()
        if fetched.status == "not_modified" or content_hash == source.content_hash:
            result = Result(source.id, note="not modified")
            self._succeeded(source, fetched, None, result, now)
            return result
        with self._parsing:
            feed = parse(fetched.data, base_url=fetched.url, now=now, most=_ENTRIES_MOST)
        result = self.store_entries(source, feed.entries, now, language=feed.language)
        result = replace(result, withdrawn=self._take_back(source, feed, now))
        self._succeeded(replace(source, content_hash=content_hash), fetched, feed, result, now)
        return result

    def _succeeded(
        self, source: Source, fetched: Fetched, feed: Feed | None, result: Result, now: datetime
    ) -> None:
        """Keep what the next request needs; without a new ``feed`` its own wishes stay."""
        unchanged = fetched.status == "not_modified"
        wish = max(feed.ttl_seconds if feed else source.interval, fetched.interval_seconds)
        warning = " ".join(feed.flaws) or None if feed else source.warning
        if warning and warning != source.warning:
            log.warning("source %s is not read in full: %s", source.id, warning)
        done = after_success(
            source,
            now,
            # An answer of "not modified" need not repeat what identifies the feed.
            etag=fetched.etag or (source.etag if unchanged else None),
            last_modified=fetched.last_modified or (source.last_modified if unchanged else None),
            content_hash=source.content_hash,
            articles=result.new,
            located=result.new_located,
            warning=warning,
            asked_interval=max(wish, int(fetched.retry_after or 0)),
            jitter=self._random.random(),
        )
        done = replace(done, interval=wish)
        if fetched.moved_permanently_to:
            done = replace(done, url=fetched.moved_permanently_to)
        self._keep(source, done)

    def store_entries(
        self,
        source: Source,
        entries: Sequence[Entry],
        now: datetime,
        *,
        language: str | None = None,
    ) -> Result:
        """Store what is new or changed, oldest first so that a crash loses no older entry.

        ``language`` is what the feed says of itself.
        """
        articles = self._articles(source, entries, now, language)
        known = self._store.news.known(articles)
        new = updated = located = new_located = 0
        for article in sorted(articles.values(), key=lambda a: (a.published, a.id)):
            stored = known.get(article.id)
            if stored is None:
                created = self._create(article)
                new += created
                new_located += created and article.location is not None
            elif self._differs(stored, article):
                changed = self._update(stored, article)
                updated += changed
                located += changed and article.location is not None
        return Result(
            source.id, len(entries), new, updated, located + new_located, new_located=new_located
        )

    @staticmethod
    def _differs(stored: Article, article: Article) -> bool:
        if stored.withdrawn_at is not None:
            return _outlives(article, stored)
        # What another section brought first is that section's to change.
        return stored.source_id == article.source_id and stored.content_hash != article.content_hash

    def _take_back(self, source: Source, feed: Feed, now: datetime) -> int:
        """Withdraw the articles whose entries the feed has taken back."""
        live = {entry.id for entry in feed.entries}
        gone = {_hash(ref) for ref in feed.deleted if ref not in live}
        if not gone:
            return 0
        newest = self._store.news.of_source(source.id, most=_LOOKED_AT_MOST)
        found = [article for article in newest if article.entry_hash in gone]
        return sum(self._withdraw(article, now) for article in found)

    def _withdraw(self, article: Article, now: datetime) -> bool:
        try:
            self._store.news.withdraw(article, now)
        except VersionConflict:
            return False  # it was changed just now; a feed says such things more than once
        return True

    def _create(self, article: Article) -> bool:
        try:
            self._store.news.create(article)
        except AlreadyExists:
            return False  # another worker was faster
        except InvalidField as error:
            log.warning("an entry of %s is left out: %s", article.source_id, error)
            return False
        return True

    def _update(self, stored: Article, article: Article) -> bool:
        if stored.withdrawn_at is not None:  # as long as it is offered, it stays withdrawn
            self._replace(stored, replace(stored, expires_at=article.expires_at))
            return False
        for _ in range(_TRIES):
            # The first publication time stays: an update must not jump to the top as new.
            try:
                self._store.news.replace(stored, updated(stored, article, _FROM_FEED))
                return True
            except InvalidField as error:
                log.info("an update of %s is left out: %s", article.source_id, error)
                return False
            except VersionConflict:
                # A reader's correction came in between; the feed need not say this again.
                now = self._store.news.known([article.id]).get(article.id)
                if now is None or now.withdrawn_at or not self._differs(now, article):
                    return False
                stored = now
        return False

    def _replace(self, stored: Article, article: Article) -> bool:
        try:
            self._store.news.replace(stored, article)
        except (VersionConflict, InvalidField) as error:
            log.info("an update of %s is left out: %s", article.source_id, error)
            return False
        return True

    def _articles(
        self, source: Source, entries: Sequence[Entry], now: datetime, language: str | None
    ) -> dict[str, Article]:
        """The entries as articles by their ids; of several at one link the latest."""
        kept_for = timedelta(days=self._settings.news_retention_days)
        sections = _sections(entries)
        latest: dict[str, Entry] = {}
        for entry in entries:
            if entry.title and _publication(entry, now) + kept_for > now:
                own_id = _article_id(source, entry, sections)
                if own_id not in latest or _changed(latest[own_id]) < _changed(entry):
                    latest[own_id] = entry
        return {
            own_id: self._article(own_id, source, entry, now, kept_for, language)
            for own_id, entry in latest.items()
        }

    def _article(
        self,
        own_id: str,
        source: Source,
        entry: Entry,
        now: datetime,
        kept_for: timedelta,
        language: str | None,
    ) -> Article:
        entry = replace(
            entry,
            title=entry.title[:TITLE_LONGEST],
            summary=excerpt(entry.summary, EXCERPT_LONGEST),
        )
        published = _publication(entry, now)
        return Article(
            id=own_id,
            source_id=source.id,
            source_name=source.name,
            title=entry.title,
            published=published,
            link=entry.link,
            summary=entry.summary,
            author=entry.author,
            image=entry.image,
            updated=entry.updated,
            location=self.locate(entry),
            language=language_of(f"{entry.title}. {entry.summary}", language),
            topics=topics_of(entry.title, entry.summary),
            content_hash=_content_hash(entry),
            entry_hash=_hash(entry.id),
            expires_at=published + kept_for,
        )

    def locate(self, entry: Entry) -> Location | None:
        """Where an entry is: as its words say, else as the feed itself says."""
        locator = self._locator.get()
        found = locator.places(entry.title or "", entry.summary or "")
        from_words = self._at_its_number(found[0]) if found else None
        if entry.lat is None or entry.lon is None:
            return from_words
        if not (SOUTH <= entry.lat <= NORTH and WEST <= entry.lon <= EAST):
            return from_words
        return Location(
            place=from_words.place if from_words else f"{entry.lat:.4f}, {entry.lon:.4f}",
            lat=entry.lat,
            lon=entry.lon,
            precision=Precision.PLACE,
            arrondissement=locator.arrondissement_at(entry.lat, entry.lon),
            score=1.0,
            evidence=(Evidence("feed", 0, 0, ""),),
        )

    def _at_its_number(self, found: Found) -> Location:
        """The house that the words name, when a geocoder may be asked and knows it."""
        location = found.location()
        if self._geocoder is None or found.number is None:
            return location
        numbers = found.place.arrondissements
        only = numbers[0] if len(numbers) == 1 else None
        point = self._geocoder.find(found.number, found.place.name, only)
        if point is None:
            return location
        return replace(
            location,
            place=f"{found.number} {location.place}",
            lat=point[0],
            lon=point[1],
            precision=Precision.ADDRESS,
            arrondissement=self._locator.get().arrondissement_at(*point) or location.arrondissement,
        )


def _publication(entry: Entry, now: datetime) -> datetime:
    published = entry.published or entry.updated or now
    return now if published > now + _AHEAD_MOST else published


def _changed(entry: Entry) -> datetime:
    return entry.updated or entry.published or EARLIEST


def _sections(entries: Iterable[Entry]) -> set[str]:
    """The links that lead to no single story, since several stories share them."""
    titles = {(entry.link, entry.title) for entry in entries if entry.link}
    stories = Counter(link for link, _ in titles)
    return {link for link, count in stories.items() if link and count >= _STORIES_OF_SECTION}


def _article_id(source: Source, entry: Entry, sections: set[str]) -> str:
    """One story in several sections of a site has one link, and so one id.

    That holds across the sources of the site too; on another site, a link is no proof.
    """
    scope = source.id
    identity = entry.id if entry.id != entry.link else f"{entry.id}\n{entry.title}"
    if entry.link and entry.link not in sections and not is_front_page(entry.link):
        identity = same_address(entry.link)
        home = site_of(source.home)
        scope = home if home and f".{site_of(entry.link)}".endswith(f".{home}") else source.id
    return _hash(f"{scope}\n{identity}").upper()


def _outlives(article: Article, stored: Article) -> bool:
    """Whether an article would be kept a day longer than what is stored of it, or more."""
    if article.expires_at is None or stored.expires_at is None:
        return False
    return article.expires_at - stored.expires_at > timedelta(days=1)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _content_hash(entry: Entry) -> str:
    parts = (entry.title, entry.summary, entry.author, entry.image, entry.lat, entry.lon)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
