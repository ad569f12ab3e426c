"""The first page: filters, map, list, and the dialog of the open item."""

from __future__ import annotations

import streamlit as st

from cityverse.community import city
from cityverse.community.city import CityPage, Filter, Period
from cityverse.domain.kinds import DAILY, Kind
from cityverse.ui import (
    address,
    citymap,
    flying,
    lists,
    looking,
    markup,
    narrowing,
    opening,
    outputs,
)
from cityverse.ui.shell import Page

_STEP = 40
_LIST_HEIGHT = 640


def draw(page: Page) -> None:
    """Draw the whole page."""
    st.html(f"<h1 class='unseen'>{page.texts('nav.home')}</h1>")
    wanted = _filters(page)
    found = looking.look(page, wanted)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        picked = citymap.draw(page, found.items, flying.view(wanted, found.items))
    with right:
        opened = _list(page, wanted, found)
    newly_open = picked or opened
    if newly_open:
        opening.open_item(newly_open)
        st.rerun()
    opening.show_wanted(page, found.items)


def _filters(page: Page) -> Filter:
    texts = page.texts
    address.restore("kinds", address.kinds_of)
    address.restore("period", Period)
    address.restore("arrondissement", address.arrondissement_of)
    st.session_state.setdefault("period", Period.WEEK)
    bar = st.container(horizontal=True, key="filters")
    kinds = bar.pills(
        texts("filter.kinds"),
        list(DAILY),
        selection_mode="multi",
        format_func=lambda kind: texts(f"kind.{kind}.other"),
        wrap=True,
        key="kinds",
    )
    period = bar.segmented_control(
        texts("filter.period"),
        list(Period),
        required=True,
        format_func=lambda period: texts(f"period.{period}"),
        key="period",
    )
    arrondissement = bar.selectbox(
        texts("filter.arrondissement"),
        range(21),
        format_func=lambda n: texts.ordinal(n) if n else texts("filter.whole_city"),
        key="arrondissement",
        width=190,
    )
    topic, source = narrowing.of_articles(page, bar)
    around = narrowing.around(page, bar)
    period = Period(period or Period.WEEK)
    text = (st.session_state.get("q") or "").strip()
    address.write("kinds", ",".join(kinds))
    address.write("period", "" if period == Period.WEEK else period)
    address.write("arrondissement", str(arrondissement or ""))
    address.write("q", text)
    return Filter(
        kinds=tuple(Kind(kind) for kind in kinds) or DAILY,
        period=period,
        arrondissement=arrondissement or None,
        text=text,
        limit=st.session_state.get("limit", city.SHOWN_AT_FIRST),
        topic=topic,
        source=source,
        around=around,
    )


def _list(page: Page, wanted: Filter, found: CityPage) -> str | None:
    texts = page.texts
    if wanted.text:
        _search_summary(page, wanted)
    st.markdown(f"**{texts.count('list.count', len(found.items))}**")
    if not found.items:
        _empty(page, wanted, found)
        _outputs(page, wanted)
        return None
    with st.container(height=_LIST_HEIGHT, border=False, key="list"):
        opened = lists.draw(page, found.items, key="cards")
        if found.more and wanted.limit < city.SHOWN_MOST:
            st.button(
                texts("list.more"), icon=":material/history:", on_click=_show_more, width="stretch"
            )
    _outputs(page, wanted)
    return opened


def _outputs(page: Page, wanted: Filter) -> None:
    """This view to be shared, and the same items for feed readers and other maps."""
    texts = page.texts
    query = "&".join(part for part in (address.query_of(wanted), f"lang={page.language}") if part)
    with st.popover(texts("outputs.open"), icon=":material/rss_feed:", type="tertiary"):
        st.caption(texts("outputs.share"))
        st.code(flying.link(), language=None, wrap_lines=True)
        st.caption(texts("outputs.help"))
        st.html(markup.own_link(f"{outputs.ATOM}?{query}", texts("outputs.atom")))
        st.html(markup.own_link(f"{outputs.GEOJSON}?{query}", texts("outputs.geojson")))
        if not wanted.of_articles:
            st.html(markup.own_link(f"{outputs.ICS}?{query}", texts("outputs.ics")))
        if narrowing.is_home():
            st.caption(texts("near.told"))


def _search_summary(page: Page, wanted: Filter) -> None:
    st.button(
        page.texts("search.clear", text=markup.label(wanted.text)),
        icon=":material/close:",
        on_click=_clear_search,
        type="tertiary",
    )
    flying.places(page, wanted.text)


def _clear_search() -> None:
    st.session_state["q"] = ""
    st.session_state["period"] = Period.WEEK


def _show_more() -> None:
    st.session_state["limit"] = st.session_state.get("limit", city.SHOWN_AT_FIRST) + _STEP


def _widen() -> None:
    st.session_state["period"] = Period.ALL
    st.session_state["kinds"] = []
    st.session_state["arrondissement"] = 0
    narrowing.clear()


def _empty(page: Page, wanted: Filter, found: CityPage) -> None:
    texts = page.texts
    st.info(
        texts("list.empty" if found.searchable else "search.too_short"),
        icon=":material/travel_explore:",
    )
    if wanted != Filter(period=Period.ALL, text=wanted.text, limit=wanted.limit):
        st.button(texts("list.widen"), icon=":material/zoom_out_map:", on_click=_widen)
