"""Choosing a place: found in a text, searched for by name or address, or a point on a map."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cityverse.domain.places import Location
from cityverse.errors import CityVerseError, FetchError
from cityverse.map import base
from cityverse.news import whereabouts
from cityverse.news.places import load_completed
from cityverse.news.whereabouts import Whereabouts
from cityverse.settings import current
from cityverse.ui import components
from cityverse.ui.shell import Page

_LAYERS = ("land", "parks", "water", "streets", "labels")
_TEXT_LONGEST = 120
Chosen = Callable[[Location], None]


@st.cache_resource
def _known() -> Whereabouts:
    return Whereabouts(load_completed(current().data_dir))


@st.cache_data(ttl=3600, max_entries=500, show_spinner=False)
def _addresses(url: str, text: str) -> list[Location]:
    return whereabouts.addresses(url, text, allow_private=current().news_allow_private)


def choose(
    page: Page, chosen: Chosen, *, key: str, present: Location | None, text: str = ""
) -> None:
    """Draw the ways to choose; ``chosen`` is called with a place, and with nothing less.

    ``present`` is the place so far: a search without answer leaves it as it is.
    """
    texts = page.texts
    suggested = _known().suggest(text) if text.strip() else None
    with st.container():  # always there, so that what stands below stays open
        if suggested is not None and suggested != present:
            _offer(page, [suggested], chosen, f"{key}-suggested", texts("place.suggested"))
    asked = st.text_input(
        texts("place.search"),
        max_chars=_TEXT_LONGEST,
        placeholder=texts("place.search_hint"),
        key=f"{key}-place",
    )
    with st.container():
        found = _search(page, asked.strip()) if asked.strip() else []
        if found:
            _offer(page, found, chosen, f"{key}-found", texts("place.which"))
        elif asked.strip():
            st.info(texts("place.nothing"), icon=":material/search_off:")
    with st.expander(texts("place.on_map"), icon=":material/map:"):
        _map(page, chosen, key, present)


def _search(page: Page, asked: str) -> list[Location]:
    known, url = _known().search(asked), current().news_geocoder
    if not url:
        return known
    try:
        return [*_addresses(url, asked), *known][: whereabouts.FOUND_MOST]
    except FetchError:
        st.caption(page.texts("place.no_geocoder"))
        return known


def _offer(page: Page, found: list[Location], chosen: Chosen, key: str, label: str) -> None:
    st.caption(label)
    with st.container(horizontal=True, gap="small"):
        for number, one in enumerate(found):
            st.button(
                _named(page, one),
                key=f"{key}-{number}",
                icon=":material/location_on:",
                on_click=chosen,
                args=(one,),
            )


def _named(page: Page, location: Location) -> str:
    ordinal = location.arrondissement and page.texts.ordinal(location.arrondissement)
    if not ordinal or ordinal in location.place:
        return location.place
    return f"{location.place} · {ordinal}"


def _map(page: Page, chosen: Chosen, key: str, present: Location | None) -> None:
    texts = page.texts
    point = components.point(
        {
            "label": texts("place.map_label"),
            "zoom": [texts("place.closer"), texts("place.farther")],
            "layers": [[name, base.url(name)] for name in _LAYERS],
            "point": present and {"lat": present.lat, "lon": present.lon},
        },
        key=f"{key}-point",
    )
    if point is None:
        return
    try:
        chosen(_known().at(*point))
    except CityVerseError as error:
        st.error(texts.error(error), icon=":material/error:")
        return
    st.rerun()
