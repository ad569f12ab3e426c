"""Sources of local news, the articles they publish, and when to ask a source again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cityverse.domain.places import Location
from cityverse.domain.rules import check_between, check_id, check_link, check_text, check_time

TITLE_LONGEST = 500
SUMMARY_LONGEST = 2000
AUTHOR_LONGEST = 500
_HEADER_LONGEST = 4096

_BASE_INTERVAL = timedelta(minutes=20)
_LONGEST_INTERVAL = timedelta(hours=24)
# So many answers of "gone" or "not found" in a row pause a source until a person looks at it.
_GONE_PAUSES_AFTER = {410: 1, 404: 5}


class SourceStatus(StrEnum):
    """Whether a source is polled."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Source:
    """A feed we poll, with all that the next poll must know.

    Times are aware UTC; ``interval`` is what the feed asked for, in seconds.
    ``configured_url`` is the address in the list of sources; ``url`` where it moved for good.
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
    interval: int = 0
    articles: int = 0
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
        for name in ("etag", "last_modified", "content_hash", "error"):
            check_text(name, getattr(self, name) or "", longest=_HEADER_LONGEST, required=False)
        for name in ("next_check_at", "last_check_at", "last_success_at", "lease_until"):
            check_time(name, getattr(self, name))
        for name in ("error_count", "interval", "articles"):
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
        interval=asked_interval,
        articles=source.articles + articles,
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

    ``reason`` is the stable word of FetchError; ``retry_after`` what the server
    asked for, in seconds. A feed that is gone is paused.
    """
    errors = source.error_count + 1
    pause = min(_LONGEST_INTERVAL, _BASE_INTERVAL * 2 ** min(errors - 1, 10))
    if retry_after is not None:
        pause = max(pause, _at_most_a_day(retry_after))
    gone = any(
        reason == f"http_{status}" and errors >= count
        for status, count in _GONE_PAUSES_AFTER.items()
    )
    return replace(
        source,
        status=SourceStatus.PAUSED if gone else source.status,
        last_check_at=now,
        next_check_at=now + pause * (1 + 0.1 * jitter),
        error_count=errors,
        error=reason,
        lease_until=None,
    )


def _at_most_a_day(seconds: float) -> timedelta:
    """A pause somebody else asked for, whatever number they sent."""
    longest = _LONGEST_INTERVAL.total_seconds()
    return timedelta(seconds=min(longest, max(0.0, seconds)) if not math.isnan(seconds) else 0)


@dataclass(frozen=True, slots=True)
class Article:
    """One news item of a source: a title, a short summary and a link to the original.

    ``content_hash`` tells an update from a repetition. ``location`` is None for news
    of the whole city, the region or elsewhere: listed, without a pin.
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
    content_hash: str = ""
    expires_at: datetime | None = None
    demo: bool = False
    version: int = 0
    kind: str = field(default="news", init=False)

    def check(self) -> None:
        """Raise InvalidField when a field breaks its rule."""
        check_id("id", self.id)
        check_id("source_id", self.source_id)
        check_text("title", self.title, longest=TITLE_LONGEST)
        check_text("summary", self.summary, longest=SUMMARY_LONGEST, required=False)
        check_link("link", self.link)
        check_link("image", self.image)
        check_text("author", self.author or "", longest=AUTHOR_LONGEST, required=False)
        check_text("content_hash", self.content_hash, longest=128, required=False)
        for name in ("published", "updated", "expires_at"):
            check_time(name, getattr(self, name))
        if self.location is not None:
            self.location.check()
