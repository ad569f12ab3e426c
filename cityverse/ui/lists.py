"""Items as rows of the card list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cityverse.community.city import CityItem
from cityverse.ui import components
from cityverse.ui.shell import Page


def draw(page: Page, items: Iterable[CityItem], key: str) -> str | None:
    """Draw items as cards; answers with the key of one just opened, else None."""
    return components.cards(page.texts("list.label"), [_row(page, item) for item in items], key)


def _row(page: Page, item: CityItem) -> dict[str, Any]:
    texts = page.texts
    return {
        "key": item.key,
        "kind": str(item.kind),
        "kindLabel": texts(f"kind.{item.kind}.one"),
        "demo": texts("item.demo_short") if item.demo else "",
        "when": texts.moment(item.when, page.now),
        "title": item.title,
        "meta": item.by,
        "place": _place(page, item),
    }


def _place(page: Page, item: CityItem) -> str:
    texts = page.texts
    if item.location is None:
        return texts("item.whole_city")
    ordinal = item.location.arrondissement
    if ordinal is None or texts.ordinal(ordinal) in item.location.place:
        return item.location.place
    return f"{item.location.place} · {texts.ordinal(ordinal)}"
