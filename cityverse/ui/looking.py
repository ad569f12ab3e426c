"""Looking at the city through a cache that all readers share for a few seconds."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cityverse.community import city
from cityverse.community.city import CityItem, CityPage, Filter, Period
from cityverse.community.stories import grouped
from cityverse.domain.news import SourceStatus
from cityverse.ui.shell import Page

_DOABLE = Filter(kinds=city.DOABLE, period=Period.MONTH, limit=city.SHOWN_MOST)
_SourceNames = dict[str, str]


@st.cache_data(ttl=15, max_entries=200, show_spinner=False)
def look(_page: Page, wanted: Filter) -> CityPage:
    """What a filter lets through, articles of one story together."""
    found = city.look(_page.store, wanted, _page.now)
    return replace(found, items=tuple(grouped(found.items)))


def nearby(page: Page, item: CityItem) -> list[tuple[CityItem, int]]:
    """What one can do close to an item in the next weeks, whatever is filtered; metres."""
    if item.location is None:
        return []
    here = (item.location.lat, item.location.lon)
    return city.nearby(item, look(page, replace(_DOABLE, around=here)).items)


@st.cache_data(ttl=60, max_entries=1, show_spinner=False)
def sources(_page: Page) -> _SourceNames:
    """The names of the sources that have articles, by id, in the order of their names."""
    listed = (one for status in SourceStatus for one in _page.store.sources.listed(status))
    named = {one.id: one.name for one in listed if one.articles}
    return dict(sorted(named.items(), key=lambda pair: pair[1].casefold()))
