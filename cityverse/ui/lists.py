"""Items as rows of the card list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from textwrap import shorten
from typing import Any

from cityverse.community.city import CityItem
from cityverse.domain.kinds import Kind
from cityverse.domain.media import MediaKind
from cityverse.ui import components
from cityverse.ui.shell import Page

_EXCERPT = 280
_PICTURES = 3
ATTACHED = ("image", "video", "pdf", "link")


def draw(page: Page, items: Iterable[CityItem], key: str, *, excerpts: bool = False) -> str | None:
    """Draw items as cards, with their first words if wanted; answers with the one just opened."""
    texts = page.texts
    words = {
        "label": texts("list.label"),
        "demo": texts("item.demo_short"),
        "kinds": {str(kind): texts(f"kind.{kind}.one") for kind in Kind},
    }
    return components.cards(words, [_row(page, i, excerpts=excerpts) for i in items], key)


def _row(page: Page, item: CityItem, *, excerpts: bool) -> dict[str, Any]:
    texts = page.texts
    excerpt = shorten(item.text, _EXCERPT, placeholder=" …")
    return {
        **({"excerpt": excerpt} if excerpts and excerpt != item.title else {}),
        **({"demo": 1} if item.demo else {}),
        **_attached(page, item, shown=excerpts),
        "key": item.key,
        "when": texts.moment(item.when, page.now),
        "title": item.title,
        "meta": _told_by(page, item),
        "place": _place(page, item),
    }


def _attached(page: Page, item: CityItem, *, shown: bool) -> dict[str, Any]:
    """Small pictures, and how many films, documents and links there are besides."""
    if not shown:
        return {}
    pictures = [media for media, kind in item.files if kind is MediaKind.IMAGE]
    counts = Counter(str(kind) for _, kind in item.files if kind is not MediaKind.IMAGE)
    counts["link"] = len(item.previews)
    counts["image"] = max(0, len(pictures) - _PICTURES)
    words = [
        page.texts.count(f"attached.{name}", counts[name]) for name in ATTACHED if counts[name]
    ]
    return {
        **({"images": [f"/m/{one}?size=400" for one in pictures[:_PICTURES]]} if pictures else {}),
        **({"attached": " · ".join(words)} if words else {}),
    }


def _told_by(page: Page, item: CityItem) -> str:
    if item.by_resident:
        return page.texts("item.by_resident", name=item.by)
    if item.kind is Kind.ASSOCIATION:
        return ""  # its title is its name
    words = [item.by, *(page.texts(f"about.{topic}") for topic in item.topics[:1])]
    if item.also:
        words.append(page.texts.count("item.also", len(item.also)))
    return " · ".join(words)


def _place(page: Page, item: CityItem) -> str:
    texts = page.texts
    if item.location is None:
        return texts("item.whole_city")
    ordinal = item.location.arrondissement
    if ordinal is None or texts.ordinal(ordinal) in item.location.place:
        return item.location.place
    return f"{item.location.place} · {texts.ordinal(ordinal)}"
