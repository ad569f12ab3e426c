"""Coming to an event: how many do, and the way to say so."""

from __future__ import annotations

import streamlit as st

from cityverse.community import events
from cityverse.data.store import Store
from cityverse.ui import acting, signed_in
from cityverse.ui.shell import SIGN_IN, Page


def draw(page: Page, event_id: str) -> None:
    """Draw all about coming to an event; for those who are not signed in, to read."""
    texts = page.texts
    who = signed_in.user(page.store)
    found = events.about(page.store, who, event_id)
    if found is None:
        st.info(texts("item.gone"))
        return
    event = found.event
    acting.say(page)
    parts = [texts("events.cancelled")] if event.cancelled else []
    parts.append(texts.count("events.attending", event.attending))
    if event.places_left is not None:
        parts.append(texts.count("item.places_left", event.places_left))
    st.markdown(" · ".join(parts))
    if event.goals:
        st.caption(", ".join(f"{n} {texts(f'goal.{n}')}" for n in sorted(event.goals)))
    if found.coming:
        st.success(texts("events.coming"), icon=":material/event_available:")
        st.button(
            texts("events.leave"),
            key=f"leave-{event.id}",
            on_click=_leave,
            args=(page.store, event.id),
        )
    elif event.cancelled or event.ends <= acting.now():
        st.info(texts("events.over"), icon=":material/event_busy:")
    elif who is None:
        st.page_link(SIGN_IN.script, label=texts("events.sign_in"), icon=SIGN_IN.icon)
    elif event.places_left == 0:
        st.info(texts("events.full"), icon=":material/event_busy:")
    else:
        st.button(
            texts("events.attend"),
            key=f"attend-{event.id}",
            type="primary",
            icon=":material/event_available:",
            on_click=_attend,
            args=(page.store, event.id),
        )


def _attend(store: Store, event_id: str) -> None:
    acting.attempt(lambda: events.attend(store, signed_in.user(store), event_id, acting.now()))


def _leave(store: Store, event_id: str) -> None:
    acting.attempt(lambda: events.leave(store, signed_in.user(store), event_id))
