"""From the address of any page to the feed behind it, with a look at what it brings."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin

from cityverse.domain.rules import check_link
from cityverse.errors import FeedUnreadable, FetchError, InvalidField
from cityverse.news import decode
from cityverse.news.fetch import Limits, fetch
from cityverse.news.parse import Entry, parse

FEED_TYPES = frozenset(
    {
        "application/rss+xml",
        "application/atom+xml",
        "application/feed+json",
        "application/rdf+xml",
    }
)
SHOWN_MOST = 10
_CANDIDATES_MOST = 5
_LIMITS = Limits(seconds=10, bytes=5 * 1024 * 1024)
# A page names its feeds in its head.
_HEAD_LONGEST = 500_000


@dataclass(frozen=True, slots=True)
class Preview:
    """A feed that was found: its address, what it calls itself, its first entries."""

    url: str
    title: str
    home: str | None
    entries: tuple[Entry, ...]


def probe(url: str, *, allow_private: bool = False) -> Preview:
    """Look at an address: a feed itself, or a page that names its feeds.

    Raises InvalidField for what is no address, FetchError when it cannot be fetched, and
    FeedUnreadable when there is no feed, neither there nor named there.
    """
    check_link("url", url)
    answer = fetch(url, allow_private=allow_private, limits=_LIMITS)
    try:
        return _preview(answer.moved_permanently_to or url, answer.data)
    except FeedUnreadable:
        candidates = feeds_of_page(answer.data, answer.url)
    for candidate in candidates:
        try:
            found = fetch(candidate, allow_private=allow_private, limits=_LIMITS)
            return _preview(found.moved_permanently_to or candidate, found.data)
        except (FetchError, FeedUnreadable):
            continue
    raise FeedUnreadable("neither a feed nor a page that names a readable one")


def _preview(url: str, data: bytes) -> Preview:
    feed = parse(data, base_url=url, most=SHOWN_MOST)
    return Preview(url, feed.title, feed.home, feed.entries[:SHOWN_MOST])


def feeds_of_page(data: bytes, url: str) -> list[str]:
    """The addresses of the feeds that an HTML page names in its head, in its order."""
    reader = _Links()
    reader.feed(decode.decode(data)[:_HEAD_LONGEST])
    base = urljoin(url, reader.base) if reader.base else url
    return [a for a in dict.fromkeys(_absolute(base, href) for href in reader.hrefs) if a][
        :_CANDIDATES_MOST
    ]


def _absolute(base: str, href: str) -> str | None:
    try:
        address = urljoin(base, href)
        check_link("link", address)
    except (ValueError, InvalidField):
        return None
    return address


class _Links(HTMLParser):
    """Collects ``<link rel="alternate">`` of feed types, and ``<base>``."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: (value or "").strip() for name, value in attrs}
        if tag == "base" and not self.base:
            self.base = facts.get("href", "")
        elif tag == "link" and "alternate" in facts.get("rel", "").lower().split():
            media_type = facts.get("type", "").lower().partition(";")[0]
            if media_type in FEED_TYPES and facts.get("href"):
                self.hrefs.append(facts["href"])
