"""From the bytes of a feed to articles-to-be: RSS 0.9 to 2.0, RDF, Atom and JSON Feed.

feedparser reads the XML; around it stands what it leaves open: limits, charsets,
broken markup, dates, links, plain text.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import logging
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import feedparser

from cityverse.domain.news import SUMMARY_LONGEST, TITLE_LONGEST
from cityverse.errors import FeedUnreadable
from cityverse.news.dates import parse_date
from cityverse.news.decode import LONGEST, decode, gunzip
from cityverse.news.links import clean_link
from cityverse.news.repair import ENTRIES_READ, Markup, repair, strip_controls
from cityverse.news.text import plain_text

log = logging.getLogger(__name__)

_ID_LONGEST = 1024
_AUTHOR_LONGEST = 120
_EXCERPT_LONGEST = 400
_CHUNK = 200
# Processor time, so that a busy machine reads the same as an idle one.
_SECONDS = 7.0
_IMAGE = re.compile(r"<img\b[^<>]{1,4000}>", re.IGNORECASE)
_IMAGE_SOURCE = re.compile(r"""\ssrc\s?=\s?["']?([^"'\s<>]{1,2048})""", re.IGNORECASE)
_IMAGE_SIDE = re.compile(r"""\s(?:width|height)\s?=\s?["']?(\d{1,5})\b(?!%)""", re.IGNORECASE)
# Smaller than an icon: such pictures count readers. Larger than a photograph: nobody waits.
_IMAGE_SIDE_LEAST = 32
_IMAGE_BYTES_MOST = 10_000_000
_IMAGES_LOOKED_AT = 10
_IMAGE_FILE = re.compile(r"\.(?:jpe?g|png|webp|gif|avif)(?:\?|$)", re.IGNORECASE)
# RFC 6721: the feed takes an entry back.
_DELETED = re.compile(r"<(?:[\w.-]{1,40}:)?deleted-entry\s([^<>]{1,3000})>")
_REF = re.compile(r"""\bref\s?=\s?(?:"([^"]{1,1024})"|'([^']{1,1024})')""")
_DELETED_MOST = 1_000
_LANGUAGE = re.compile(r"[A-Za-z]{2}(?![A-Za-z])")
# A value of JSON takes some hundred bytes of memory, however short it is written.
_JSON_VALUES_MOST = 600_000
_PERIODS = {
    "hourly": 3600,
    "daily": 86400,
    "weekly": 604800,
    "monthly": 2592000,
    "yearly": 31536000,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a feed.

    ``title``, ``summary`` and ``author`` are plain text; ``link`` and ``image`` are
    absolute http or https addresses; times are aware; ``lat`` and ``lon`` are degrees
    (WGS 84) that the feed itself gave. ``id`` is the feed's own id, else the link,
    else a hash, and stays the same from one reading to the next.
    """

    id: str
    title: str
    link: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    summary: str = ""
    author: str | None = None
    image: str | None = None
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its title, its home page, how long it asks to be left alone, its entries.

    ``language`` is the ISO 639-1 code the feed gives itself; ``deleted`` the ids of entries
    it takes back (RFC 6721). ``flaws`` says what is missing although the rest could be read:
    ``truncated`` (the feed has no end), ``too_many`` (entries left out at the limit),
    ``skipped`` (entries that cannot be read).
    """

    title: str
    home: str | None
    ttl_seconds: int
    entries: tuple[Entry, ...]
    language: str | None = None
    deleted: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()


def parse(
    data: bytes,
    *,
    base_url: str | None = None,
    now: datetime | None = None,
    most: int | None = None,
) -> Feed:
    """Read a feed of any usual format.

    ``base_url`` makes relative links absolute; dates more than a year after ``now``
    (default: the clock) are left out; with ``most`` reading ends after about so many
    entries. Raises FeedUnreadable when the bytes are no feed or pass a limit, also that
    of processor time; a single broken entry is skipped.
    """
    deadline = time.thread_time() + _SECONDS
    if len(data) > LONGEST:
        raise FeedUnreadable(f"over {LONGEST} bytes")
    if data.startswith(b"\x1f\x8b"):
        data = gunzip(data)
    text = strip_controls(decode(data))
    del data
    if not text.strip():
        raise FeedUnreadable("empty: no bytes, no feed")
    if text.lstrip().startswith("{"):
        feed = _parse_json(text, base_url, now)
    else:
        markup = repair(text)
        del text
        feed = _parse_xml(markup, base_url, now, deadline, most)
    flaws = feed.flaws
    if most is not None and len(feed.entries) > most and "too_many" not in flaws:
        flaws = (*flaws, "too_many")
    return replace(feed, entries=_with_distinct_ids(feed.entries[:most]), flaws=flaws)


# --- XML through feedparser ---------------------------------------------------------------


def _parse_xml(
    markup: Markup,
    base_url: str | None,
    now: datetime | None,
    deadline: float,
    most: int | None,
) -> Feed:
    root = re.match(r"<([\w.:-]+)", markup.text)
    atom = root is not None and root[1].lower().rpartition(":")[2] == "feed"
    entries: list[Entry] = []
    channel: dict[str, Any] = {}
    home: str | None = None
    runs = _Runs(markup, deadline)
    for number, parsed in enumerate(runs):
        if number == 0:
            channel = parsed["feed"]
            home = clean_link(dict.get(channel, "link"), base_url)
        base = home or base_url
        entries += [_entry(raw, base, now, atom=atom) for raw in parsed["entries"]]
        if most is not None and len(entries) >= most:
            break
    flaws = {
        "truncated": markup.truncated,
        "too_many": bool(runs.left) or len(markup.entries) == ENTRIES_READ,
        "skipped": bool(runs.skipped),
    }
    return Feed(
        plain_text(dict.get(channel, "title"), 200),
        home,
        _ttl(channel),
        tuple(entries),
        _language(dict.get(channel, "language")),
        _deleted(markup.text),
        tuple(name for name, found in flaws.items() if found),
    )


class _Runs:
    """What feedparser makes of the text, in runs of a few hundred entries.

    Where it stumbles over a run, the run is halved until only the bad entry is left out.
    ``left`` holds the spans not read yet, ``skipped`` counts the entries left out.
    """

    def __init__(self, markup: Markup, deadline: float) -> None:
        count = len(markup.entries)
        self.left = [
            (first, min(first + _CHUNK, count)) for first in range(0, max(1, count), _CHUNK)
        ]
        self.left.reverse()
        self.skipped = 0
        self._markup = markup
        self._deadline = deadline

    def __iter__(self) -> Iterator[dict[str, Any]]:
        count = len(self._markup.entries)
        while self.left:
            first, last = self.left.pop()
            if time.thread_time() > self._deadline:
                raise FeedUnreadable(f"takes over {_SECONDS:g} s to read: {count} entries")
            try:
                parsed = _feedparser(_document(self._markup, first, last))
            except MemoryError:
                raise
            except Exception as error:  # feedparser raises many kinds on hostile input
                if not count:
                    raise FeedUnreadable("not a feed that can be read") from error
                self._halve(first, last, error)
            else:
                self.skipped += max(0, last - first - len(parsed["entries"]))
                yield parsed

    def _halve(self, first: int, last: int, error: Exception) -> None:
        if last - first <= 1:
            log.info("entry %d of a feed skipped: %s", first, type(error).__name__)
            self.skipped += 1
            return
        middle = (first + last) // 2
        self.left += [(middle, last), (first, middle)]


def _feedparser(document: str) -> dict[str, Any]:
    # A stream with its charset told: feedparser neither opens anything nor guesses.
    result: dict[str, Any] = feedparser.parse(
        io.BytesIO(document.encode("utf-8")),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    return result


def _document(markup: Markup, first: int, last: int) -> str:
    """The feed with only the entries from ``first`` up to ``last``."""
    starts, text = markup.entries, markup.text
    complete = len(starts) < ENTRIES_READ
    if first == 0 and last == len(starts) and complete:
        return text
    head = text[: starts[0]]
    if last == len(starts) and complete:
        return head + text[starts[first] :]
    body = text[starts[first] : starts[last] if last < len(starts) else len(text)]
    root = re.match(r"<([\w.:-]+)", head)
    open_channel = head.count("<channel") > head.count("</channel")
    return head + body + ("</channel>" if open_channel else "") + f"</{root[1] if root else 'rss'}>"


def _entry(raw: dict[str, Any], base: str | None, now: datetime | None, *, atom: bool) -> Entry:
    # dict.get, because feedparser's own lookup answers with other keys where one is missing.
    published = parse_date(dict.get(raw, "published") or dict.get(raw, "created"), now)
    updated = parse_date(dict.get(raw, "updated"), now)
    if published is None and not atom:  # dc:date of RSS is the date of publication
        published, updated = updated, None
    body = _body(raw)
    summary_html = dict.get(raw, "summary") or ""
    summary = plain_text(summary_html, SUMMARY_LONGEST) or plain_text(body, _EXCERPT_LONGEST)
    title = plain_text(dict.get(raw, "title"), TITLE_LONGEST)
    link = _link(raw, base)
    lat, lon = _point(raw)
    return Entry(
        id=_entry_id(dict.get(raw, "id"), link, title, summary),
        title=title,
        link=link,
        published=published,
        updated=updated,
        summary=summary,
        author=_author(raw),
        image=_image(raw, base) or _image_in(summary_html, base) or _image_in(body, base),
        lat=lat,
        lon=lon,
    )


def _body(raw: dict[str, Any]) -> str:
    contents = dict.get(raw, "content") or []
    return next((c["value"] for c in contents if isinstance(c.get("value"), str)), "")


def _link(raw: dict[str, Any], base: str | None) -> str | None:
    original = clean_link(dict.get(raw, "feedburner_origlink"))
    if original:
        return original
    link = dict.get(raw, "link")
    if dict.get(raw, "guidislink") and link == dict.get(raw, "id"):
        return clean_link(link)  # a guid is an address only when it is a whole one
    alternates = (
        e.get("href") for e in dict.get(raw, "links") or () if e.get("rel") == "alternate"
    )
    cleaned = (clean_link(candidate, base) for candidate in (link, *alternates))
    return next((candidate for candidate in cleaned if candidate), None)


def _author(raw: dict[str, Any]) -> str | None:
    detail = dict.get(raw, "author_detail") or {}
    return _person(dict.get(raw, "author") or detail.get("name"))


def _person(name: object) -> str | None:
    """A name without the mail address that RSS puts beside it."""
    text = plain_text(name, 4 * _AUTHOR_LONGEST)
    bare = re.sub(r"\S{1,200}@\S{1,200}", " ", text).strip(" \t<>(),;-")
    return bare[:_AUTHOR_LONGEST].strip() or None


def _image(raw: dict[str, Any], base: str | None) -> str | None:
    links = dict.get(raw, "links") or ()
    candidates = [
        *(e.get("href") for e in links if e.get("rel") == "enclosure" and _is_image(e, "href")),
        *(e.get("url") for e in dict.get(raw, "media_content") or () if _is_image(e, "url")),
        *(e.get("url") for e in dict.get(raw, "media_thumbnail") or () if _is_sized(e)),
    ]
    cleaned = (clean_link(candidate, base) for candidate in candidates)
    return next((image for image in cleaned if image), None)


def _is_image(media: dict[str, Any], address: str) -> bool:
    if not _is_sized(media):
        return False
    kind = str(media.get("type") or media.get("medium") or "")
    return kind.startswith("image") or (
        not kind and bool(_IMAGE_FILE.search(str(media.get(address) or "")))
    )


def _is_sized(media: dict[str, Any]) -> bool:
    """Whether a picture has a reasonable size, as far as the feed tells."""
    told = [str(media.get(key) or "") for key in ("width", "height")]
    if any(side.isdecimal() and int(side[:6]) < _IMAGE_SIDE_LEAST for side in told):
        return False
    size = str(media.get("length") or media.get("filesize") or "")
    return not size.isdecimal() or (len(size) < 10 and int(size) <= _IMAGE_BYTES_MOST)


def _image_in(fragment: str, base: str | None) -> str | None:
    """The first picture of a text that is no counting pixel."""
    start = fragment[:20_000]
    if "<img" not in start.lower():
        return None
    for tag in islice(_IMAGE.finditer(start), _IMAGES_LOOKED_AT):
        sides = _IMAGE_SIDE.findall(tag[0])
        source = _IMAGE_SOURCE.search(tag[0])
        if source is None or any(int(side) < _IMAGE_SIDE_LEAST for side in sides):
            continue
        image = clean_link(source[1].replace("&amp;", "&"), base)
        if image is not None:
            return image
    return None


def _point(raw: dict[str, Any]) -> tuple[float | None, float | None]:
    """The feed's own coordinates: georss or geo:lat and geo:long; an area's middle."""
    try:
        where = dict.get(raw, "where")
        if where and where.get("coordinates"):
            points = list(_positions(where["coordinates"]))
            lons, lats = [p[0] for p in points], [p[1] for p in points]
            lat, lon = (min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2
        else:
            lat, lon = float(dict.get(raw, "geo_lat", "")), float(dict.get(raw, "geo_long", ""))
    except (TypeError, ValueError, IndexError):
        return None, None
    if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180):
        return None, None
    # 0, 0 is what a form without a place leaves behind, not a place in the Atlantic.
    return (None, None) if lat == lon == 0 else (lat, lon)


def _positions(coordinates: Any) -> Iterator[tuple[float, float]]:
    """All (lon, lat) pairs in GeoJSON coordinates of any depth."""
    if isinstance(coordinates[0], int | float):
        yield float(coordinates[0]), float(coordinates[1])
        return
    for part in coordinates:
        yield from _positions(part)


def _language(told: object) -> str | None:
    """The ISO 639-1 code with which a language tag starts."""
    match = _LANGUAGE.match(told.strip()) if isinstance(told, str) else None
    return match[0].lower() if match else None


def _deleted(text: str) -> tuple[str, ...]:
    """The ids of the entries that the feed takes back."""
    if "deleted-entry" not in text:
        return ()
    tags = islice(_DELETED.finditer(text), _DELETED_MOST)
    found = (match for tag in tags if (match := _REF.search(tag[1])))
    refs = (" ".join(html.unescape(match[1] or match[2]).split()) for match in found)
    return tuple(dict.fromkeys(ref for ref in refs if ref))


def _ttl(channel: dict[str, Any]) -> int:
    """Seconds between two visits that the feed asks for, 0 when it does not."""
    ttl = str(dict.get(channel, "ttl") or "").strip()
    if ttl.isdecimal() and len(ttl) < 8:
        return int(ttl) * 60
    period = _PERIODS.get(str(dict.get(channel, "sy_updateperiod") or "").strip().lower(), 0)
    frequency = str(dict.get(channel, "sy_updatefrequency") or "1").strip()
    times = int(frequency) if frequency.isdecimal() and len(frequency) < 6 else 1
    return period // max(1, times)


# --- JSON Feed ----------------------------------------------------------------------------


def _parse_json(text: str, base_url: str | None, now: datetime | None) -> Feed:
    if sum(map(text.count, ",[{")) > _JSON_VALUES_MOST:
        raise FeedUnreadable("too many values in the JSON")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FeedUnreadable("broken JSON") from error
    version = document.get("version")
    if not isinstance(version, str) or "jsonfeed.org/version" not in version:
        raise FeedUnreadable("JSON, but not a JSON Feed")
    items = document.get("items")
    if not isinstance(items, list):
        raise FeedUnreadable("a JSON Feed without a list of items")
    home = clean_link(document.get("home_page_url"), base_url)
    base = home or base_url
    entries = [
        _json_entry(item, base, now) for item in items[:ENTRIES_READ] if isinstance(item, dict)
    ]
    return Feed(
        plain_text(document.get("title"), 200),
        home,
        0,
        tuple(entries),
        _language(document.get("language")),
        flaws=("too_many",) if len(items) > ENTRIES_READ else (),
    )


def _json_entry(item: dict[str, Any], base: str | None, now: datetime | None) -> Entry:
    title = plain_text(item.get("title"), TITLE_LONGEST)
    body = item.get("content_html") or item.get("content_text")
    summary = plain_text(item.get("summary"), SUMMARY_LONGEST) or plain_text(body, _EXCERPT_LONGEST)
    link = clean_link(item.get("url"), base) or clean_link(item.get("external_url"), base)
    authors = item.get("authors") or [item.get("author")]
    first = authors[0] if isinstance(authors, list) and isinstance(authors[0], dict) else {}
    raw_id = item.get("id")
    return Entry(
        id=_entry_id(str(raw_id) if isinstance(raw_id, str | int) else None, link, title, summary),
        title=title,
        link=link,
        published=parse_date(_text(item.get("date_published")), now),
        updated=parse_date(_text(item.get("date_modified")), now),
        summary=summary,
        author=_person(first.get("name")),
        image=clean_link(item.get("image"), base)
        or clean_link(item.get("banner_image"), base)
        or _image_in(body if isinstance(body, str) else "", base),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


# --- ids ----------------------------------------------------------------------------------


def _entry_id(own: str | None, link: str | None, title: str, summary: str) -> str:
    own = " ".join(strip_controls(own).split()) if isinstance(own, str) else ""
    if own and len(own) <= _ID_LONGEST:
        return own
    if link:
        return link
    digest = hashlib.sha256("\x00".join((own, title, summary)).encode("utf-8", "replace"))
    return "sha256:" + digest.hexdigest()


def _with_distinct_ids(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Entries that share an id but not their link get the link added, all of them alike.

    So it does not matter in which order a careless feed lists them. The same entry
    twice (same id and link) keeps one id.
    """
    links: dict[str, set[str]] = {}
    for entry in entries:
        links.setdefault(entry.id, set()).add(entry.link or entry.title)
    shared = {id_ for id_, seen in links.items() if len(seen) > 1}
    if not shared:
        return entries
    return tuple(_with_link_in_id(entry) if entry.id in shared else entry for entry in entries)


def _with_link_in_id(entry: Entry) -> Entry:
    return replace(entry, id=f"{entry.id}|{entry.link or entry.title}")
