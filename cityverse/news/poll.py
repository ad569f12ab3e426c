"""Polling: fetch a source, parse its feed, locate its articles, store what is new.

Each source is polled for itself: whatever goes wrong with one is written to it and
to the log, once, and touches no other.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cityverse.data.store import Store
from cityverse.domain.news import (
    SUMMARY_LONGEST,
    TITLE_LONGEST,
    Article,
    Source,
    SourceStatus,
    after_failure,
    after_success,
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
from cityverse.news.feeds import FeedConfig
from cityverse.news.fetch import Fetched, fetch
from cityverse.news.locate import Locator
from cityverse.news.parse import Entry, parse
from cityverse.settings import Settings

log = logging.getLogger(__name__)

_HOSTS_AT_ONCE = 4
_ENTRIES_MOST = 500
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
    error: str | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.source_id}: failed, {self.error}"
        if self.note:
            return f"{self.source_id}: {self.note}"
        return (
            f"{self.source_id}: {self.entries} entries, {self.new} new, "
            f"{self.updated} updated, {self.located} of these located"
        )


class Poller:
    """Polls sources of a store with one locator; safe to use by threads."""

    def __init__(
        self, store: Store, settings: Settings, *, rng: random.Random | None = None
    ) -> None:
        self._store = store
        self._settings = settings
        self._locator = Locator()
        self._random = rng or random.SystemRandom()

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
        by_host: dict[str, list[Source]] = defaultdict(list)
        for source in sources:
            by_host[urlsplit(source.url).hostname or ""].append(source)

        def poll_host(of_host: list[Source]) -> list[Result]:
            return [self.poll_one(source) for source in of_host if not stop.is_set()]

        with ThreadPoolExecutor(_HOSTS_AT_ONCE, thread_name_prefix="poll") as pool:
            return [
                result for results in pool.map(poll_host, by_host.values()) for result in results
            ]

    def poll_one(self, source: Source) -> Result:
        """Poll one source under a lease; every failure becomes part of its state."""
        leased = self._store.sources.lease(source, datetime.now(UTC))
        if leased is None:
            return Result(source.id, note="asked by another worker just now")
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
        now = datetime.now(UTC)
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
        now = datetime.now(UTC)
        result = Result(source.id, note="not modified")
        content_hash = source.content_hash
        interval = fetched.interval_seconds or source.interval
        if fetched.status == "new":
            content_hash = hashlib.sha256(fetched.data).hexdigest()
            if content_hash != source.content_hash:
                feed = parse(fetched.data, base_url=fetched.url, now=now, most=_ENTRIES_MOST)
                result = self.store_entries(source, feed.entries, now)
                interval = max(interval, feed.ttl_seconds or 0)
        self._succeeded(source, fetched, content_hash, interval, result, now)
        return result

    def _succeeded(
        self,
        source: Source,
        fetched: Fetched,
        content_hash: str | None,
        interval: int,
        result: Result,
        now: datetime,
    ) -> None:
        done = after_success(
            source,
            now,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            content_hash=content_hash,
            articles=result.new,
            asked_interval=interval,
            jitter=self._random.random(),
        )
        if fetched.moved_permanently_to:
            done = replace(done, url=fetched.moved_permanently_to)
        self._keep(source, done)

    def store_entries(self, source: Source, entries: Sequence[Entry], now: datetime) -> Result:
        """Store what is new or changed, oldest first so that a crash loses no older entry."""
        articles = {article.id: article for article in self._articles(source, entries, now)}
        known = self._store.news.find_many(articles)
        new = updated = located = 0
        for article in sorted(articles.values(), key=lambda a: (a.published, a.id)):
            stored = known.get(article.id)
            if stored is not None and stored.content_hash == article.content_hash:
                continue
            located += article.location is not None
            if stored is None:
                new += self._create(article)
            else:
                updated += self._update(stored, article)
        return Result(source.id, len(entries), new, updated, located)

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
        # The first publication time stays: an update must not jump to the top as new.
        changed = replace(article, published=stored.published, expires_at=stored.expires_at)
        try:
            self._store.news.replace(stored, changed)
        except (VersionConflict, InvalidField) as error:
            log.info("an update of %s is left out: %s", article.source_id, error)
            return False
        return True

    def _articles(
        self, source: Source, entries: Sequence[Entry], now: datetime
    ) -> Iterable[Article]:
        kept_for = timedelta(days=self._settings.news_retention_days)
        for entry in entries:
            published = _publication(entry, now)
            if entry.title and published + kept_for > now:
                yield Article(
                    id=_article_id(source.id, entry),
                    source_id=source.id,
                    source_name=source.name,
                    title=entry.title[:TITLE_LONGEST],
                    published=published,
                    link=entry.link,
                    summary=(entry.summary or "")[:SUMMARY_LONGEST],
                    author=entry.author,
                    image=entry.image,
                    updated=entry.updated,
                    location=self.locate(entry),
                    content_hash=_content_hash(entry),
                    expires_at=published + kept_for,
                )

    def locate(self, entry: Entry) -> Location | None:
        """Where an entry is: as its words say, else as the feed itself says."""
        from_words = self._locator.locate(entry.title or "", entry.summary or "")
        if entry.lat is None or entry.lon is None:
            return from_words
        if not (SOUTH <= entry.lat <= NORTH and WEST <= entry.lon <= EAST):
            return from_words
        return Location(
            place=from_words.place if from_words else f"{entry.lat:.4f}, {entry.lon:.4f}",
            lat=entry.lat,
            lon=entry.lon,
            precision=Precision.PLACE,
            arrondissement=self._locator.arrondissement_at(entry.lat, entry.lon),
            score=1.0,
            evidence=(Evidence("feed", 0, 0, ""),),
        )


def _publication(entry: Entry, now: datetime) -> datetime:
    published = entry.published or entry.updated or now
    return now if published > now + _AHEAD_MOST else published


def _article_id(source_id: str, entry: Entry) -> str:
    """One story in several sections of a source has one link, and so one id."""
    identity = entry.link or entry.id
    return hashlib.sha256(f"{source_id}\n{identity}".encode()).hexdigest()[:32].upper()


def _content_hash(entry: Entry) -> str:
    parts = (entry.title, entry.summary, entry.author, entry.image, entry.lat, entry.lon)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
