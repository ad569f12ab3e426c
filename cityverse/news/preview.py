"""What a page elsewhere says of itself, for a post that links to it."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

from cityverse.domain.community import LinkPreview
from cityverse.domain.rules import check_link
from cityverse.errors import FetchError, InvalidField
from cityverse.news import decode
from cityverse.news.fetch import Limits, fetch

_LIMITS = Limits(seconds=6.0, bytes=2 * 1024 * 1024, redirects=4)
_ACCEPT = "text/html, application/xhtml+xml;q=0.9"
_HEAD_LONGEST = 300_000
_NAMES = {
    "og:title": "title",
    "twitter:title": "title",
    "og:description": "text",
    "twitter:description": "text",
    "description": "text",
    "og:site_name": "site",
}


def look(url: str, *, allow_private: bool = False) -> LinkPreview:
    """The preview of a page; without a title of its own it has the name of its server.

    Raises InvalidField for what is no address, and FetchError where it leads into a
    private network. A page that cannot be had otherwise is shown by its address alone.
    """
    check_link("links", url)
    host = urlsplit(url).hostname or url
    try:
        data = fetch(url, allow_private=allow_private, limits=_LIMITS, accept=_ACCEPT).data
    except FetchError as error:
        if error.reason == "refused_address":
            raise
        return LinkPreview(url, host[:200])
    found = _read(decode.decode(data)[:_HEAD_LONGEST])
    preview = LinkPreview(
        url,
        _plain(found.get("title", ""), 200) or host[:200],
        _plain(found.get("text", ""), 400),
        _plain(found.get("site", ""), 100) or host[:100],
    )
    try:
        preview.check()
    except InvalidField:
        return LinkPreview(url, host[:200])
    return preview


def _read(html: str) -> dict[str, str]:
    reader = _Head()
    reader.feed(html)
    found = dict(reader.found)
    if "title" not in found and reader.title:
        found["title"] = reader.title
    return found


def _plain(text: str, longest: int) -> str:
    kept = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip() + "…"


class _Head(HTMLParser):
    """Collects the title of a page and what its ``<meta>`` say; the first of each counts."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.found: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: (value or "").strip() for name, value in attrs}
        self._in_title = tag == "title" and not self.title
        name = _NAMES.get((facts.get("property") or facts.get("name", "")).lower())
        if tag == "meta" and name and facts.get("content"):
            self.found.setdefault(name, facts["content"])

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title and len(self.title) < 1000:
            self.title += data
