"""Sources of local news, the articles they publish, and when to ask a source again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cityverse.domain.places import Evidence, Location
from cityverse.domain.rules import check_between, check_id, check_link, check_text, check_time
from cityverse.errors import InvalidField

TITLE_LONGEST = 500
SUMMARY_LONGEST = 2000
EXCERPT_LONGEST = 600
"""Characters of a summary that are kept: a quotation that leads to the original."""
AUTHOR_LONGEST = 500
REASON_LONGEST = 500
_HEADER_LONGEST = 4096

_BASE_INTERVAL = timedelta(minutes=20)
_LONGEST_INTERVAL = timedelta(hours=24)
# So many answers of "gone" or "not found" in a row pause a source until a person looks at it.
_GONE_PAUSES_AFTER = {410: 1, 404: 5}
# After so many failures at an address that a redirect gave, the configured one is asked again.
_MOVE_DOUBTED_AFTER = 3


class SourceStatus(StrEnum):
    """Whether a source is polled."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Source:
    """A feed we poll, with all that the next poll must know.

    Times are aware UTC; ``interval`` is what the feed asked for, in seconds.
    ``configured_url`` is the address in the list of sources; ``url`` where it moved for good.
    ``error`` is the stable word of the last poll's failure; ``warning`` what was wrong with
    an answer that could be used all the same (words of ``news.parse.Feed.flaws``, with blanks
    between). ``articles`` and ``located`` count what was stored and what of it got a place.
    """

    id: str
    name: str
    url: str
    home: str | None = None
    status: SourceStatus = SourceStatus.ACTIVE
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    next_check_at: datetime | None = None
    last_check_at: datetime | None = None
    last_success_at: datetime | None = None
    error_count: int = 0
    error: str | None = None
    warning: str | None = None
    interval: int = 0
    articles: int = 0
    located: int = 0
    configured: bool = True
    configured_url: str | None = None
    lease_until: datetime | None = None
    demo: bool = False
    version: int = 0

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_text("name", self.name, longest=120)
        check_text("url", self.url, longest=2048)
        check_link("url", self.url)
        check_link("home", self.home)
        for name in ("etag", "last_modified", "content_hash", "error", "warning"):
            check_text(name, getattr(self, name) or "", longest=_HEADER_LONGEST, required=False)
        for name in ("next_check_at", "last_check_at", "last_success_at", "lease_until"):
            check_time(name, getattr(self, name))
        for name in ("error_count", "interval", "articles", "located"):
            check_between(name, getattr(self, name), 0, 2**53)

    def due(self, now: datetime) -> bool:
        """Whether the source may be asked at ``now``."""
        if self.status is not SourceStatus.ACTIVE:
            return False
        return self.next_check_at is None or self.next_check_at <= now


def after_success(
    source: Source,
    now: datetime,
    *,
    etag: str | None,
    last_modified: str | None,
    content_hash: str | None,
    articles: int,
    located: int = 0,
    warning: str | None = None,
    asked_interval: int = 0,
    jitter: float = 0.0,
) -> Source:
    """The source after an answer that could be used (new content or "not modified").

    ``asked_interval`` is what the feed asked for (ttl, Cache-Control), in seconds;
    ``jitter`` in 0..1 spreads the next check over a tenth of the interval.
    """
    pause = max(_BASE_INTERVAL, _at_most_a_day(asked_interval)) * (1 + 0.1 * jitter)
    return replace(
        source,
        etag=etag,
        last_modified=last_modified,
        content_hash=content_hash,
        last_check_at=now,
        last_success_at=now,
        next_check_at=now + pause,
        error_count=0,
        error=None,
        warning=warning,
        interval=asked_interval,
        articles=source.articles + articles,
        located=source.located + located,
        lease_until=None,
    )


def after_failure(
    source: Source,
    now: datetime,
    reason: str,
    *,
    retry_after: float | None = None,
    jitter: float = 0.0,
) -> Source:
    """The source after a failed poll: it waits twice as long each time, at most a day.

    So a source that stays broken is still tried once a day, and one success makes it
    whole again. ``reason`` is the stable word of FetchError; ``retry_after`` what the
    server asked for, in seconds. A feed that is gone is paused.
    """
    errors = source.error_count + 1
    pause = min(_LONGEST_INTERVAL, _BASE_INTERVAL * 2 ** min(errors - 1, 10))
    if retry_after is not None:
        pause = max(pause, _at_most_a_day(retry_after))
    gone = any(
        reason == f"http_{status}" and errors >= count
        for status, count in _GONE_PAUSES_AFTER.items()
    )
    if source.configured_url not in {None, source.url} and (gone or errors >= _MOVE_DOUBTED_AFTER):
        source, gone = _at_its_configured_address(source), False
    return replace(
        source,
        status=SourceStatus.PAUSED if gone else source.status,
        last_check_at=now,
        next_check_at=now + pause * (1 + 0.1 * jitter),
        error_count=errors,
        error=reason,
        lease_until=None,
    )


def _at_its_configured_address(source: Source) -> Source:
    """Nothing that was remembered of another address is of use here."""
    url = source.configured_url or source.url
    return replace(source, url=url, etag=None, last_modified=None, content_hash=None)


def _at_most_a_day(seconds: float) -> timedelta:
    """A pause somebody else asked for, whatever number they sent."""
    longest = _LONGEST_INTERVAL.total_seconds()
    return timedelta(seconds=min(longest, max(0.0, seconds)) if not math.isnan(seconds) else 0)


class TopicName(StrEnum):
    """What an article is about, as people look for it."""

    TRANSPORT = "transport"
    JUSTICE = "justice"
    CULTURE = "culture"
    SPORT = "sport"
    CITY_HALL = "city_hall"
    WEATHER = "weather"
    SCHOOL = "school"
    HOUSING = "housing"
    HEALTH = "health"
    ENVIRONMENT = "environment"
    SHOPS = "shops"
    SOLIDARITY = "solidarity"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of an article, and the words that say so."""

    name: TopicName
    evidence: tuple[Evidence, ...]

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        if not self.evidence:
            raise InvalidField("topic.evidence", "must not be empty")
        for evidence in self.evidence:
            evidence.check()


@dataclass(frozen=True, slots=True)
class Correction:
    """That an article is where a reader said, as a manager accepted.

    ``found`` is where its own words put it, kept as they change: there it returns when
    the correction is taken back.
    """

    proposal_id: str
    made_at: datetime
    found: Location | None = None

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("correction.proposal_id", self.proposal_id)
        check_time("correction.made_at", self.made_at)
        if self.found is not None:
            self.found.check()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a manager took an article off all lists, and why."""

    made_at: datetime
    reason: str

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_time("withdrawal.made_at", self.made_at)
        check_text("reason", self.reason, longest=REASON_LONGEST)


@dataclass(frozen=True, slots=True)
class Article:
    """One news item of a source: a title, a short summary and a link to the original.

    ``content_hash`` tells an update from a repetition; ``entry_hash`` finds it by the id
    that its feed gives it. ``location`` is None for news of the whole city, the region or
    elsewhere: listed, without a pin; where there is a ``correction``, it is what that says,
    whatever the feed says later. ``language`` is an ISO 639-1 code. One that is
    ``withdrawn_at`` a time is a tombstone: empty, on no list, kept so that its feed does
    not bring it back. One of which a manager's ``withdrawal`` says why keeps what it said,
    so that this can be undone.
    """

    id: str
    source_id: str
    source_name: str
    title: str
    published: datetime
    link: str | None = None
    summary: str = ""
    author: str | None = None
    image: str | None = None
    updated: datetime | None = None
    location: Location | None = None
    correction: Correction | None = None
    language: str | None = None
    topics: tuple[Topic, ...] = ()
    content_hash: str = ""
    entry_hash: str = ""
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawal: Withdrawal | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="news", init=False)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("source_id", self.source_id)
        check_text("title", self.title, longest=TITLE_LONGEST, required=self.withdrawn_at is None)
        check_text("summary", self.summary, longest=SUMMARY_LONGEST, required=False)
        check_link("link", self.link)
        check_link("image", self.image)
        check_text("author", self.author or "", longest=AUTHOR_LONGEST, required=False)
        for name in ("content_hash", "entry_hash"):
            check_text(name, getattr(self, name), longest=128, required=False)
        check_text("language", self.language or "", longest=8, required=False)
        for name in ("published", "updated", "expires_at", "withdrawn_at"):
            check_time(name, getattr(self, name))
        if self.location is not None:
            self.location.check()
        if self.correction is not None:
            self.correction.check()
        if self.withdrawal is not None:
            self.withdrawal.check()
        for topic in self.topics:
            topic.check()


def taken_down(article: Article, withdrawal: Withdrawal) -> Article:
    """The article as a manager withdrew it."""
    return replace(article, withdrawn_at=withdrawal.made_at, withdrawal=withdrawal)


def brought_back(article: Article) -> Article:
    """The article as it was before a manager withdrew it."""
    return replace(article, withdrawn_at=None, withdrawal=None)


def updated(stored: Article, fresh: Article, names: Iterable[str]) -> Article:
    """The stored article with what its feed says now in these fields; a correction stands."""
    changes = {name: getattr(fresh, name) for name in names}
    if stored.correction is not None:
        changes["location"] = stored.location
        changes["correction"] = replace(stored.correction, found=fresh.location)
    return replace(stored, **changes)


def corrected(article: Article, location: Location | None, correction: Correction) -> Article:
    """The article where a reader said; an earlier correction leaves what the words said."""
    found = article.location if article.correction is None else article.correction.found
    return replace(article, location=location, correction=replace(correction, found=found))


def uncorrected(article: Article) -> Article:
    """The article where its own words put it."""
    if article.correction is None:
        return article
    return replace(article, location=article.correction.found, correction=None)


def withdrawn(article: Article, now: datetime) -> Article:
    """The tombstone of an article: nothing of what it said is left."""
    return Article(
        id=article.id,
        source_id=article.source_id,
        source_name=article.source_name,
        title="",
        published=article.published,
        entry_hash=article.entry_hash,
        expires_at=article.expires_at,
        withdrawn_at=article.withdrawn_at or now,
        demo=article.demo,
        version=article.version,
    )
