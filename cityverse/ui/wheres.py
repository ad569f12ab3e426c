"""Choosing where something takes place, by naming it: the places CityVerse knows, with choice."""

from __future__ import annotations

import streamlit as st

from cityverse.domain.places import Location
from cityverse.errors import CityVerseError
from cityverse.news.places import CurrentLocator
from cityverse.settings import current
from cityverse.ui.shell import Page

_LONGEST = 200
_MOST = 6


@st.cache_resource(show_spinner=False)
def _locator() -> CurrentLocator:
    return CurrentLocator(current().data_dir)


def choose(page: Page, key: str, present: Location | None) -> Location | None:
    """Draw a field for a place and the answers to it; what was chosen before stays.

    An empty field means the whole city. What is not known keeps the place there was.
    """
    texts = page.texts
    typed = st.text_input(
        texts("where.label"),
        present.place if present else "",
        max_chars=_LONGEST,
        key=key,
        help=texts("where.help"),
    )
    words = (typed or "").strip()
    if not words:
        return None
    if present is not None and words == present.place:
        return present
    found = known_as(words)
    if not found:
        st.caption(texts("where.unknown"))
        return present
    return st.selectbox(
        texts("where.which"),
        found,
        format_func=lambda one: _label(page, one),
        key=f"{key}-which-{words}",
    )


def known_as(words: str) -> list[Location]:
    """The places these words may mean, the likeliest first."""
    try:
        found = _locator().get().places(words, "")
    except CityVerseError:
        return []
    plain = [one.location() for one in found[:_MOST]]
    return [Location(p.place, p.lat, p.lon, p.precision, p.arrondissement) for p in plain]


def _label(page: Page, place: Location) -> str:
    where = f" · {page.texts.ordinal(place.arrondissement)}" if place.arrondissement else ""
    return f"{place.place}{where} ({page.texts(f'precision.{place.precision}')})"
