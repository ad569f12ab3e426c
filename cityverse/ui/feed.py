"""The feed: posts of the city, of one's associations, or those with certain words."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cityverse.community import city, talk
from cityverse.ui import address, composer, lists, opening, posted
from cityverse.ui.shell import Page

_PAGE_SIZE = 20
_LOOK_EVERY = "30s"


def draw(page: Page) -> None:
    """Draw the whole page."""
    texts = page.texts
    st.title(texts("feed.title"))
    st.caption(texts("feed.subtitle"))
    composer.draw(page)
    removed = st.session_state.get(posted.REMOVED)
    if removed is not None and page.user is not None:
        posted.undo(page, removed)
    followed, arrondissement, text = _filters(page)
    found = _found(page, followed, arrondissement, text)
    if st.session_state.get("feed_cursor") is None and not text and followed is None:
        _announce(page)
    opened = None
    if found.items:
        opened = lists.draw(page, found.items, key="feed_cards", excerpts=True)
        _paging(page, found)
    else:
        empty = "feed.nothing_found" if text else "feed.empty"
        st.info(
            texts(empty if followed is None else "feed.empty_followed"),
            icon=":material/edit_note:",
        )
    if opened:
        opening.open_item(opened)
        st.rerun()
    opening.show_wanted(page, found.items)


def _found(
    page: Page, followed: list[str] | None, arrondissement: int | None, text: str
) -> city.FeedPage:
    cursor = st.session_state.get("feed_cursor")
    if followed is not None:
        return city.followed_feed(page.store, followed, limit=_PAGE_SIZE, cursor=cursor)
    return city.feed(
        page.store, limit=_PAGE_SIZE, cursor=cursor, arrondissement=arrondissement, text=text
    )


def _filters(page: Page) -> tuple[list[str] | None, int | None, str]:
    """What is wanted, which the address says too; followed associations are None for all."""
    address.restore("feed_q", lambda word: word[: address.SEARCH_LONGEST])
    address.restore("feed_arrondissement", address.arrondissement_of)
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    with bar:
        followed = _followed(page)
    text = bar.text_input(
        page.texts("feed.search"),
        key="feed_q",
        type="search",
        placeholder=page.texts("search.words"),
        max_chars=address.SEARCH_LONGEST,
        on_change=_to_first_page,
        width=240,
    )
    chosen = bar.selectbox(
        page.texts("filter.arrondissement"),
        range(21),
        format_func=lambda n: page.texts.ordinal(n) if n else page.texts("filter.whole_city"),
        key="feed_arrondissement",
        on_change=_to_first_page,
        width=190,
    )
    text = (text or "").strip()
    address.write("feed_q", text)
    address.write("feed_arrondissement", str(chosen or ""))
    address.write("feed_whose", "" if followed is None else "followed")
    return followed, chosen or None, text


def _followed(page: Page) -> list[str] | None:
    """The ids of the associations whose posts alone are wanted; None: those of all."""
    if page.user is None:
        return None
    address.restore("feed_whose", _whose)
    st.session_state.setdefault("feed_whose", "all")
    texts = page.texts
    wanted = st.segmented_control(
        texts("feed.whose"),
        ["all", "followed"],
        required=True,
        format_func=lambda which: texts("feed.followed" if which == "followed" else "feed.all"),
        key="feed_whose",
        on_change=_to_first_page,
    )
    if wanted != "followed":
        return None
    return [association.id for association in talk.followed_by(page.store, page.user)]


def _whose(word: str) -> str:
    if word not in {"all", "followed"}:
        raise ValueError(word)
    return word


def _announce(page: Page) -> None:
    """Say that there are new posts, without moving those that are read."""
    st.session_state["feed_newest"] = city.newest_post(page.store)

    @st.fragment(run_every=_LOOK_EVERY)
    def look() -> None:
        newest: Any = city.newest_post(page.store)
        if newest not in {None, st.session_state.get("feed_newest")} and st.button(
            page.texts("feed.new_posts"), icon=":material/arrow_upward:", key="feed_new"
        ):
            st.rerun()

    look()


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
