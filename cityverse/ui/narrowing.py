"""Filters beside those of kind, time and arrondissement: of articles, and around a place.

A place is one that was chosen here, or one's home: then the address says ``me``, which
means another place to everybody who opens it.
"""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cityverse.domain.news import TopicName
from cityverse.domain.places import Location
from cityverse.ui import address, looking, markup
from cityverse.ui.shell import Page

HOME = "me"
_AROUND, _NAME = "around", "around_name"
_WIDTH = 230


def of_articles(page: Page, bar: DeltaGenerator) -> tuple[TopicName | None, str | None]:
    """Draw the choice of topic and source of articles; answers with what is chosen."""
    texts = page.texts
    sources = looking.sources(page)
    address.restore("topic", TopicName)
    address.restore("source", address.source_of)
    topic, source = st.session_state.get("topic"), st.session_state.get("source")
    # What an address names is kept, if only to show that there is nothing of it.
    names = sources if source is None else {source: source, **sources}
    chosen = [texts(f"about.{topic}")] if topic else []
    chosen += [markup.label(names[source])] if source else []
    label = " · ".join(chosen) or texts("filter.articles")
    with bar.popover(label, icon=":material/tune:", key="articles_filter"):
        topic = st.selectbox(
            texts("filter.topic"),
            list(TopicName),
            index=None,
            placeholder=texts("filter.all_topics"),
            format_func=lambda one: texts(f"about.{one}"),
            key="topic",
            width=_WIDTH,
        )
        source = st.selectbox(
            texts("filter.source"),
            list(names),
            index=None,
            placeholder=texts("filter.all_sources"),
            format_func=lambda one: names[one],
            key="source",
            width=_WIDTH,
        )
        st.caption(texts("filter.articles_help"))
    address.write("topic", topic or "")
    address.write("source", source or "")
    return (TopicName(topic) if topic else None), source


def around(page: Page, bar: DeltaGenerator) -> tuple[float, float] | None:
    """Draw "near me", or around what one looks and the way out; answers with the point."""
    texts = page.texts
    address.restore(_AROUND, _word)
    word = st.session_state.get(_AROUND)
    home = page.user.address if page.user else None
    if word == HOME and home is None:
        st.session_state[_AROUND] = word = None
        st.toast(texts("near.no_home"), icon=":material/home_pin:")
    address.write(_AROUND, word or "")
    if word is None:
        if home is not None:
            bar.button(
                texts("near.me"), icon=":material/near_me:", key="near_me", on_click=_near_me
            )
        return None
    name = texts("near.home") if word == HOME else st.session_state.get(_NAME)
    bar.button(
        texts("near.around", place=markup.label(name)) if name else texts("near.around_place"),
        icon=":material/close:",
        key="near_close",
        type="primary",
        help=texts("near.close"),
        on_click=clear_around,
    )
    if word == HOME and home is not None:
        return home.lat, home.lon
    return address.around_of(word)


def around_here(location: Location) -> None:
    """Look at what is close to a place."""
    st.session_state[_AROUND] = address.word_of_point((location.lat, location.lon))
    st.session_state[_NAME] = location.place
    # The place, not the city, is what one wants to see all of.
    st.session_state["arrondissement"] = 0
    st.session_state["q"] = ""


def is_home() -> bool:
    """Whether what lies around one's own home is looked at."""
    return st.session_state.get(_AROUND) == HOME


def clear_around() -> None:
    """Look at the whole city again."""
    st.session_state[_AROUND] = None
    st.session_state.pop(_NAME, None)


def clear() -> None:
    """Take all of these filters away."""
    clear_around()
    st.session_state["topic"] = None
    st.session_state["source"] = None


def _near_me() -> None:
    st.session_state[_AROUND] = HOME
    st.session_state["arrondissement"] = 0


def _word(word: str) -> str:
    return word if word == HOME else address.word_of_point(address.around_of(word))
