"""Two small components of our own, where Streamlit has no element that serves.

``cards`` draws a list of items as one element whose entries are real buttons;
``preferences`` keeps language and appearance in the browser. Both show text only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_cards = st.components.v2.component(
    "cityverse_cards", html="<ul></ul>", css=_read("cards.css"), js=_read("cards.js")
)
_preferences = st.components.v2.component(
    "cityverse_preferences",
    html=(
        '<div class="row"><label><span></span><select name="language"></select></label>'
        '<label><span></span><select name="theme"></select></label></div>'
    ),
    css=_read("preferences.css"),
    js=_read("preferences.js"),
)


def cards(words: dict[str, Any], items: list[dict[str, Any]], key: str) -> str | None:
    """Draw items; answers with the key of the one that was just opened, else None.

    ``words`` holds the ``label`` of the list, the ``demo`` mark and the names of ``kinds``,
    once for all items.
    """
    result = _cards(data={**words, "items": items}, key=key, on_opened_change=_nothing)
    return result.opened  # type: ignore[no-any-return]


def preferences(data: dict[str, Any], key: str) -> str | None:
    """Draw the choice of language and appearance; answers with a language just chosen."""
    result = _preferences(data=data, key=key, on_language_change=_nothing)
    return result.language  # type: ignore[no-any-return]


def _nothing() -> None:
    """A trigger is reported only when a callback is named for it."""
