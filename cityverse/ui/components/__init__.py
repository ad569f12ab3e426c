"""Small components of our own, where Streamlit has no element that serves.

``cards`` draws a list of items as one element whose entries are real buttons;
``preferences`` keeps language and appearance in the browser; ``upload`` sends a video
to the store in parts; ``point`` is a plain map to choose a point on. All of them show text only.
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

_upload = st.components.v2.component(
    "cityverse_upload",
    html=(
        '<div class="upload"><label><span></span><input type="file"></label>'
        '<progress max="100" value="0" hidden></progress>'
        '<span role="status" aria-live="polite"></span><button type="button" hidden></button></div>'
    ),
    css=_read("upload.css"),
    js=_read("upload.js"),
)


_point = st.components.v2.component(
    "cityverse_point",
    html=(
        '<div class="point"><svg role="application" tabindex="0"></svg><div class="zoom">'
        '<button type="button">+</button><button type="button">−</button></div></div>'
    ),
    css=_read("point.css"),
    js=_read("point.js"),
)

_session = st.components.v2.component(
    "cityverse_session",
    html='<button type="button" hidden></button>',
    css=_read("session.css"),
    js=_read("session.js"),
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


def upload(
    words: dict[str, str], *, ticket: str | None, most: int, key: str
) -> tuple[int | None, str | None]:
    """Draw the choice of a video and its way to the store.

    Answers with the size of a file just chosen, for which a ticket is wanted, and with
    the id of one that has just arrived; each is None at all other times. ``most`` is in
    bytes.
    """
    result = _upload(
        data={"words": words, "ticket": ticket, "most": most},
        key=key,
        on_chosen_change=_nothing,
        on_finished_change=_nothing,
    )
    chosen = result.chosen
    size = chosen.get("size") if isinstance(chosen, dict) else None
    return (size if isinstance(size, int) else None), result.finished


def point(data: dict[str, Any], key: str) -> tuple[float, float] | None:
    """Draw a map to choose a point on; answers with latitude and longitude just chosen."""
    chosen = _point(data=data, key=key, on_chosen_change=_nothing).chosen
    if not isinstance(chosen, dict):
        return None
    lat, lon = chosen.get("lat"), chosen.get("lon")
    if not isinstance(lat, int | float) or not isinstance(lon, int | float):
        return None
    return float(lat), float(lon)


def session(data: dict[str, str], key: str) -> str | None:
    """Let the browser start or end a session by a route, and go to the next page.

    Where ``data`` has a ``label``, a button of that name goes there. Answers with the ``id``
    of ``data`` when that failed.
    """
    result = _session(data=data, key=key, on_failed_change=_nothing)
    return result.failed  # type: ignore[no-any-return]


def _nothing() -> None:
    """A trigger is reported only when a callback is named for it."""
