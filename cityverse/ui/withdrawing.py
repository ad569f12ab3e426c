"""For managers: taking an article off all lists, and bringing it back."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from cityverse.community import withdrawals
from cityverse.community.city import CityItem
from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.news import REASON_LONGEST
from cityverse.domain.policy import Action
from cityverse.errors import CityVerseError
from cityverse.ui import markup, signed_in
from cityverse.ui.shell import Page


def draw(page: Page, item: CityItem) -> None:
    """In the dialog of an article, for those who may: the way to withdraw it."""
    if not policy.may(page.user, Action.MANAGE_SOURCES):
        return
    texts = page.texts
    with st.expander(texts("withdrawing.title"), icon=":material/block:"):
        st.caption(texts("withdrawing.intro"))
        reason = st.text_input(
            texts("withdrawing.reason"), max_chars=REASON_LONGEST, key=f"withdraw-{item.id}"
        )
        if not st.button(texts("withdrawing.do"), key="withdraw_do", disabled=not reason.strip()):
            return
        who = signed_in.user(page.store)
        try:
            withdrawals.withdraw(page.store, who, item.id, reason, datetime.now(UTC))
        except CityVerseError as error:
            st.error(texts.error(error), icon=":material/error:")
            return
        st.session_state[signed_in.NOTICE] = "withdrawing.done"
        st.session_state.pop("open_item", None)
        st.query_params.pop("item", None)
        st.cache_data.clear()
        st.rerun()


def listed(page: Page, source_id: str) -> None:
    """The articles of a source that were withdrawn, each with the way back."""
    found = withdrawals.listed(page.store, page.user, source_id)
    if not found:
        return
    st.markdown(f"**{page.texts('withdrawing.listed')}**")
    for article in found:
        why = article.withdrawal.reason if article.withdrawal else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(f"<p>{markup.text(article.title)} — <em>{markup.text(why)}</em></p>")
            st.button(
                page.texts("withdrawing.undo"),
                key=f"restore-{article.id}",
                icon=":material/undo:",
                on_click=_restore,
                args=(page.store, article.id),
            )


def _restore(store: Store, article_id: str) -> None:
    """A callback: it looks for itself who is signed in."""
    try:
        withdrawals.restore(store, signed_in.user(store), article_id)
    except CityVerseError as error:
        st.session_state["source_said"] = error
