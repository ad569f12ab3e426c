"""Lists of feeds as OPML 2.0, the form in which feed readers exchange them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import urlsplit
from xml.etree import ElementTree as Xml

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from cityverse.domain.rules import check_link, check_text, fold
from cityverse.errors import InputError, InvalidField
from cityverse.news.feeds import FeedConfig

LONGEST = 1024 * 1024
FEEDS_MOST = 500
_NAME_LONGEST = 120
_ID_LONGEST = 40
_NOT_IN_IDS = re.compile(r"[^a-z0-9]+")


def write(title: str, feeds: Iterable[FeedConfig]) -> bytes:
    """The feeds as an OPML file in UTF-8."""
    root = Xml.Element("opml", version="2.0")
    Xml.SubElement(Xml.SubElement(root, "head"), "title").text = title
    body = Xml.SubElement(root, "body")
    for feed in feeds:
        outline = Xml.SubElement(body, "outline", type="rss", text=feed.name, xmlUrl=feed.url)
        if feed.home:
            outline.set("htmlUrl", feed.home)
    return bytes(Xml.tostring(root, "utf-8", xml_declaration=True))


def read(data: bytes) -> tuple[list[FeedConfig], list[str]]:
    """The feeds of an OPML file, each address once, and in words what was left out.

    Raises InputError for what is no OPML file, or passes ``LONGEST`` bytes or
    ``FEEDS_MOST`` feeds. A feed's id is made of its address, so that reading a file twice
    gives the same feeds.
    """
    if len(data) > LONGEST:
        raise InputError(f"the file has over {LONGEST} bytes")
    try:
        root = fromstring(data, forbid_dtd=True)
    except (Xml.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise InputError(f"no OPML file: {error}") from error
    if root.tag != "opml":
        raise InputError(f"no OPML file: its first element is {root.tag[:40]!r}")
    feeds: dict[str, FeedConfig] = {}
    left_out: list[str] = []
    for outline in root.iter("outline"):
        url = outline.get("xmlUrl", "").strip()
        if not url:
            continue  # a folder
        try:
            feeds.setdefault(url, _feed(url, outline))
        except InvalidField as error:
            left_out.append(f"{url[:200]}: {error}")
        if len(feeds) + len(left_out) > FEEDS_MOST:
            raise InputError(f"the file names over {FEEDS_MOST} feeds")
    return list(feeds.values()), left_out


def _feed(url: str, outline: Xml.Element) -> FeedConfig:
    check_link("xmlUrl", url)
    host = urlsplit(url).hostname or ""
    name = (outline.get("text") or outline.get("title") or host).strip()[:_NAME_LONGEST]
    check_text("text", name, longest=_NAME_LONGEST)
    home = (outline.get("htmlUrl") or "").strip() or None
    check_link("htmlUrl", home)
    return FeedConfig(id_of(url), name, url, home)


def id_of(url: str) -> str:
    """The id of a source that was added by its address: its host, and a hash of all of it."""
    host = _NOT_IN_IDS.sub("-", fold(urlsplit(url).hostname or "")).strip("-") or "feed"
    return f"{host[:_ID_LONGEST]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
