"""The feed: posts of all associations, page by page."""

from __future__ import annotations

import streamlit as st

from cityverse.community import city, talk
from cityverse.ui import lists, opening
from cityverse.ui.shell import Page

_PAGE_SIZE = 20


def draw(page: Page) -> None:
    """Draw the whole page."""
    texts = page.texts
    st.title(texts("feed.title"))
    st.caption(texts("feed.subtitle"))
    followed = _followed(page)
    arrondissement = None if followed is not None else _arrondissement(page)
    cursor = st.session_state.get("feed_cursor")
    if followed is None:
        found = city.feed(
            page.store, limit=_PAGE_SIZE, cursor=cursor, arrondissement=arrondissement
        )
    else:
        found = city.followed_feed(page.store, followed, limit=_PAGE_SIZE, cursor=cursor)
    opened = None
    if found.items:
        opened = lists.draw(page, found.items, key="feed_cards", excerpts=True)
        _paging(page, found)
    else:
        empty = "feed.empty" if followed is None else "feed.empty_followed"
        st.info(texts(empty), icon=":material/edit_note:")
    if opened:
        opening.open_item(opened)
        st.rerun()
    opening.show_wanted(page, found.items)


def _followed(page: Page) -> list[str] | None:
    """The ids of the associations whose posts alone are wanted; None: those of all."""
    if page.user is None:
        return None
    texts = page.texts
    wanted = st.segmented_control(
        texts("feed.whose"),
        ["all", "followed"],
        required=True,
        default="all",
        format_func=lambda which: texts("feed.followed" if which == "followed" else "feed.all"),
        key="feed_whose",
        on_change=_to_first_page,
    )
    if wanted != "followed":
        return None
    return [association.id for association in talk.followed_by(page.store, page.user)]


def _arrondissement(page: Page) -> int | None:
    texts = page.texts
    chosen = st.selectbox(
        texts("filter.arrondissement"),
        range(21),
        format_func=lambda n: texts.ordinal(n) if n else texts("filter.whole_city"),
        key="feed_arrondissement",
        on_change=_to_first_page,
        width=220,
    )
    return chosen or None


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
