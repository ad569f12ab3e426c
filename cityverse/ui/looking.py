"""Looking at the city through a cache that all readers share for a few seconds."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cityverse.community import city
from cityverse.community.city import CityItem, CityPage, Filter, Period
from cityverse.community.stories import grouped
from cityverse.domain.kinds import Kind
from cityverse.ui.shell import Page

_UPCOMING = Filter(kinds=(Kind.MISSION, Kind.EVENT), period=Period.MONTH, limit=city.SHOWN_MOST)


@st.cache_data(ttl=15, max_entries=200, show_spinner=False)
def look(_page: Page, wanted: Filter) -> CityPage:
    """What a filter lets through, articles of one story together."""
    found = city.look(_page.store, wanted, _page.now)
    return replace(found, items=tuple(grouped(found.items)))


def nearby(page: Page, item: CityItem) -> list[tuple[CityItem, int]]:
    """What one can do close to an item in the next weeks, whatever is filtered; metres."""
    return city.nearby(item, look(page, _UPCOMING).items)
