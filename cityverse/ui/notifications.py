"""The page of notifications: what concerns who is signed in, with the way to it."""

from __future__ import annotations

import streamlit as st

from cityverse.community import notices
from cityverse.data.store import Store
from cityverse.domain.notifications import Notification
from cityverse.ui import acting, markup, opening, signed_in
from cityverse.ui.shell import Page

_CURSOR = "notices_cursor"
_DIALOGS = ("post", "event", "association", "news")


def draw(page: Page) -> None:
    """Draw the whole page, for who is signed in."""
    texts, user = page.texts, page.user
    if user is None:
        return
    opened = st.session_state.pop("notice_opened", None)
    if isinstance(opened, str):
        _go_to(opened)
    st.title(texts("notifications.title"))
    st.caption(texts("notifications.intro"))
    acting.say(page)
    found = notices.listed(page.store, user, st.session_state.get(_CURSOR))
    if not found.items:
        st.info(texts("notifications.empty"), icon=":material/notifications_none:")
        return
    if any(one.unread(user) for one in found.items):
        st.button(
            texts("notifications.all_read"),
            icon=":material/done_all:",
            on_click=_read_all,
            args=(page.store,),
        )
    for notification in found.items:
        _one(page, notification, unread=notification.unread(user))
    _paging(page, found.previous, found.next)


def _one(page: Page, notification: Notification, *, unread: bool) -> None:
    texts = page.texts
    who = notification.actor_name or texts("talk.unnamed")
    said = texts(f"topic.{notification.topic}", who=who)
    weight = "700" if unread else "400"
    mark = f" · <em>{markup.text(texts('notifications.unread'))}</em>" if unread else ""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.html(
            f"<div style='font-weight:{weight}'>{markup.text(said)}{mark}</div>"
            f"<div>{markup.text(notification.text)}</div>"
            f"<div style='opacity:.7'>{markup.text(texts.moment(notification.created, page.now))}"
            "</div>"
        )
        st.button(
            texts("notifications.open"),
            key=f"open-{notification.created.timestamp()}-{notification.id}",
            icon=":material/arrow_forward:",
            on_click=_open,
            args=(page.store, notification),
        )


def _open(store: Store, notification: Notification) -> None:
    acting.attempt(lambda: notices.read(store, signed_in.user(store), notification, acting.now()))
    st.session_state["notice_opened"] = notification.target


def _go_to(target: str) -> None:
    """Lead to what a notification is about."""
    kind, _, item_id = target.partition(":")
    if kind == "mission":
        st.switch_page("pages/Missions.py", query_params={"mission": item_id})
    elif kind == "decision":
        st.switch_page("pages/Moderation.py", query_params={"decision": item_id})
    elif kind == "appeal":
        st.switch_page("pages/Moderation.py", query_params={"view": "appeals"})
    elif kind == "campaign":
        st.switch_page("pages/Campaigns.py", query_params={"campaign": item_id})
    elif kind in _DIALOGS:
        opening.open_item(target)
        st.switch_page("Home.py", query_params={"item": target})


def _read_all(store: Store) -> None:
    acting.attempt(lambda: notices.read_all(store, signed_in.user(store), acting.now()))


def _paging(page: Page, previous: str | None, following: str | None) -> None:
    if previous is None and following is None:
        return
    with st.container(horizontal=True):
        for text, cursor in (
            ("notifications.later", previous),
            ("notifications.earlier", following),
        ):
            st.button(
                page.texts(text), key=text, disabled=cursor is None, on_click=_go, args=(cursor,)
            )


def _go(cursor: str | None) -> None:
    st.session_state[_CURSOR] = cursor
