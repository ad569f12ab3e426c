"""The feed: posts of all associations, page by page."""

from __future__ import annotations

import streamlit as st

from cityverse.community import city
from cityverse.ui import lists, opening
from cityverse.ui.shell import Page

_PAGE_SIZE = 20


def draw(page: Page) -> None:
    """Draw the whole page."""
    texts = page.texts
    st.title(texts("feed.title"))
    st.caption(texts("feed.subtitle"))
    arrondissement = st.selectbox(
        texts("filter.arrondissement"),
        range(21),
        format_func=lambda n: texts.ordinal(n) if n else texts("filter.whole_city"),
        key="feed_arrondissement",
        on_change=_to_first_page,
        width=220,
    )
    found = city.feed(
        page.store,
        limit=_PAGE_SIZE,
        cursor=st.session_state.get("feed_cursor"),
        arrondissement=arrondissement or None,
    )
    if not found.items:
        st.info(texts("feed.empty"), icon=":material/edit_note:")
        return
    opened = lists.draw(page, found.items, key="feed_cards", excerpts=True)
    _paging(page, found)
    if opened:
        opening.open_item(opened)
        st.rerun()
    opening.show_wanted(page, found.items)


def _paging(page: Page, found: city.FeedPage) -> None:
    newer, older = st.columns(2)
    newer.button(
        page.texts("feed.newer"),
        icon=":material/arrow_back:",
        disabled=found.previous is None,
        on_click=_go,
        args=(found.previous,),
    )
    older.button(
        page.texts("feed.older"),
        icon=":material/arrow_forward:",
        disabled=found.next is None,
        on_click=_go,
        args=(found.next,),
    )


def _go(cursor: str | None) -> None:
    st.session_state["feed_cursor"] = cursor


def _to_first_page() -> None:
    _go(None)
