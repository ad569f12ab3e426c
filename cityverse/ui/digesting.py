"""On one's account: whether, how often and about what one wants a digest by e-mail."""

from __future__ import annotations

import streamlit as st

from cityverse.community import digests
from cityverse.community.digests import Wish
from cityverse.domain.digests import Pace
from cityverse.domain.news import TopicName
from cityverse.domain.people import User
from cityverse.errors import CityVerseError
from cityverse.ui import signed_in
from cityverse.ui.shell import Page

_NEVER = "never"


def draw(page: Page, user: User) -> None:
    """Draw the form, filled in with what holds."""
    texts = page.texts
    present = digests.wanted(page.store, user)
    with st.form("digest_form"):
        st.subheader(texts("digest.title"))
        st.caption(texts("digest.intro"))
        choices = [_NEVER, *Pace]
        pace = st.radio(
            texts("digest.pace"),
            choices,
            index=choices.index(present.pace if present else _NEVER),
            format_func=lambda one: texts(f"digest.{one}"),
            horizontal=True,
            key="digest_pace",
        )
        where = st.multiselect(
            texts("digest.arrondissements"),
            range(1, 21),
            default=list(present.arrondissements) if present else None,
            format_func=texts.ordinal,
            placeholder=texts("filter.whole_city"),
            key="digest_where",
        )
        topics = st.multiselect(
            texts("digest.topics"),
            list(TopicName),
            default=list(present.topics) if present else None,
            format_func=lambda one: texts(f"about.{one}"),
            placeholder=texts("filter.all_topics"),
            key="digest_topics",
        )
        if not st.form_submit_button(texts("profile.save"), key="digest_save"):
            return
    wish = None
    if pace != _NEVER:
        wish = Wish(Pace(pace), tuple(where), tuple(topics), page.language)
    try:
        digests.choose(page.store, user, wish, page.now)
    except CityVerseError as error:
        st.error(texts.error(error), icon=":material/error:")
        return
    st.session_state[signed_in.NOTICE] = "profile.saved"
    st.rerun()
