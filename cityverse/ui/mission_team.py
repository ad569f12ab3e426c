"""What the team of a mission does: applications, presence, editing, opening and closing."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cityverse.community import missions
from cityverse.data.store import Store
from cityverse.domain.applications import (
    MINUTES_MOST,
    TRANSITIONS,
    Application,
    ApplicationState,
    Presence,
    Refusal,
)
from cityverse.domain.community import Mission, MissionStatus
from cityverse.domain.missions import choices
from cityverse.domain.people import User
from cityverse.ui import acting, applying, markup, mission_form, signed_in
from cityverse.ui.shell import Page

_S = ApplicationState
_CURSOR, _CANCELLING = "team_cursor", "mission_cancelling"
_SECTIONS = ("applications", "edit", "status")
_REASONS = (Refusal.PROFILE, Refusal.NEEDS, Refusal.UNREACHABLE, Refusal.ENOUGH, Refusal.OTHER)


def draw(page: Page, mission: Mission) -> None:
    """Draw the part of a mission that is for its team."""
    texts = page.texts
    st.divider()
    section = st.segmented_control(
        texts("team.label"),
        _SECTIONS,
        required=True,
        default="applications",
        format_func=lambda one: texts(f"team.{one}"),
        key=f"team-{mission.id}",
    )
    if section == "edit":
        _edit(page, mission)
    elif section == "status":
        _status(page, mission)
    else:
        _applications(page, mission)


def _edit(page: Page, mission: Mission) -> None:
    if not mission_form.is_editable(mission):
        st.info(page.texts("team.no_edit"), icon=":material/lock:")
        return
    association = page.store.associations.get(mission.association_id)
    mission_form.draw_edit(page, mission, association)


# --- status ---------------------------------------------------------------------------------


def _status(page: Page, mission: Mission) -> None:
    texts = page.texts
    st.markdown(texts(f"mission_status.{mission.status}"))
    with st.container(horizontal=True):
        for status in choices(mission, acting.now()):
            ask = status is MissionStatus.CANCELLED
            st.button(
                texts(f"mission_do.{status}"),
                key=f"status-{status}-{mission.id}",
                on_click=_ask_cancel if ask else _set_status,
                args=(mission.id,) if ask else (page.store, mission.id, status),
            )
        if mission.status is MissionStatus.DRAFT:
            st.button(
                texts("team.discard"),
                key=f"discard-{mission.id}",
                on_click=_discard,
                args=(page.store, mission.id),
            )
    if st.session_state.get(_CANCELLING) == mission.id:
        st.warning(texts("team.cancel_ask"), icon=":material/event_busy:")
        with st.container(horizontal=True):
            st.button(
                texts("team.cancel_yes"),
                key=f"cancel-yes-{mission.id}",
                on_click=_set_status,
                args=(page.store, mission.id, MissionStatus.CANCELLED),
            )
            st.button(
                texts("team.cancel_no"),
                key=f"cancel-no-{mission.id}",
                on_click=_ask_cancel,
                args=(None,),
            )


def _ask_cancel(mission_id: str | None) -> None:
    st.session_state[_CANCELLING] = mission_id


def _set_status(store: Store, mission_id: str, status: MissionStatus) -> None:
    _ask_cancel(None)
    _do(lambda: missions.set_status(store, _who(store), mission_id, status, acting.now()))


def _discard(store: Store, mission_id: str) -> None:
    if acting.attempt(
        lambda: missions.discard(store, _who(store), mission_id), "mission.discarded"
    ):
        st.query_params.pop("mission", None)


# --- applications ---------------------------------------------------------------------------


def _applications(page: Page, mission: Mission) -> None:
    texts = page.texts
    found = missions.applications(
        page.store, page.user, mission.id, cursor=st.session_state.get(_CURSOR)
    )
    st.caption(
        texts(
            "team.counts", approved=mission.approved, places=mission.places, waiting=mission.waiting
        )
    )
    if not found.items:
        st.info(texts("team.nobody"), icon=":material/group_off:")
    for application in found.items:
        _one(page, mission, application)
    if found.previous or found.next:
        with st.container(horizontal=True):
            for text, cursor in (
                ("missions.previous", found.previous),
                ("missions.next", found.next),
            ):
                st.button(
                    texts(text),
                    key=f"team-{text}",
                    disabled=cursor is None,
                    on_click=_go,
                    args=(cursor,),
                )


def _go(cursor: str | None) -> None:
    st.session_state[_CURSOR] = cursor


def _one(page: Page, mission: Mission, one: Application) -> None:
    texts = page.texts
    name = f"{one.first_name} {one.surname}".strip() or texts("team.erased")
    state = texts(f"application_state.{one.state}")
    if one.accepted:
        state = texts("application_state.accepted")
    with st.container(border=True):
        st.html(
            f"<strong>{markup.text(name)}</strong> · {markup.text(state)}"
            f"<p style='margin:.2rem 0'>{markup.text(one.interests)}</p>"
            f"<p style='margin:0;opacity:.8'>{markup.text(_personal(page, one))}</p>"
        )
        if one.state is _S.APPROVED and mission.starts <= acting.now():
            _presence(page, mission, one)
        else:
            _decide(page, one)
        applying.thread(page, one.id)


def _personal(page: Page, one: Application) -> str:
    texts = page.texts
    parts = [one.phone, one.address]
    if one.age is not None:
        parts.insert(0, texts("team.age", age=one.age))
    if one.has_car:
        parts.append(texts("mission.have_car"))
    if one.has_licence:
        parts.append(texts("mission.have_licence"))
    return " · ".join(part for part in parts if part)


def _decide(page: Page, one: Application) -> None:
    texts = page.texts
    may = TRANSITIONS[one.state]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if _S.APPROVED in may and not one.accepted:
            st.button(
                texts("team.approve"),
                key=f"approve-{one.id}",
                type="primary",
                icon=":material/check:",
                on_click=_approve,
                args=(page.store, one.id),
            )
        if _S.REFUSED in may:
            reason = st.selectbox(
                texts("team.reason"),
                _REASONS,
                index=None,
                format_func=lambda code: texts(f"refusal.{code}"),
                key=f"reason-{one.id}",
                width=280,
            )
            st.button(
                texts("team.refuse"),
                key=f"refuse-{one.id}",
                icon=":material/close:",
                disabled=reason is None,
                on_click=_refuse,
                args=(page.store, one.id, reason),
            )


def _approve(store: Store, application_id: str) -> None:
    _do(lambda: missions.approve(store, _who(store), application_id, acting.now()))


def _refuse(store: Store, application_id: str, reason: Refusal) -> None:
    _do(lambda: missions.refuse(store, _who(store), application_id, reason, acting.now()))


def _presence(page: Page, mission: Mission, one: Application) -> None:
    texts = page.texts
    length = int((mission.over - mission.starts).total_seconds() // 60)
    with st.form(f"presence-{one.id}-{one.version}", border=False):
        left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
        left.radio(
            texts("team.presence"),
            list(Presence),
            index=list(Presence).index(one.presence or Presence.PRESENT),
            format_func=lambda code: texts(f"presence.{code}"),
            horizontal=True,
            key=f"presence-of-{one.id}",
        )
        middle.number_input(
            texts("team.hours"),
            0.0,
            MINUTES_MOST / 60,
            (one.minutes if one.minutes is not None else min(length, 8 * 60)) / 60,
            step=0.5,
            key=f"hours-of-{one.id}",
        )
        right.form_submit_button(texts("team.note"), on_click=_note, args=(page.store, one.id))


def _note(store: Store, application_id: str) -> None:
    presence = st.session_state.get(f"presence-of-{application_id}") or Presence.PRESENT
    minutes = round(60 * float(st.session_state.get(f"hours-of-{application_id}") or 0))
    _do(
        lambda: missions.note_presence(
            store, _who(store), application_id, presence, minutes, acting.now()
        )
    )


def _who(store: Store) -> User | None:
    return signed_in.user(store)


def _do(act: Callable[[], object]) -> None:
    acting.attempt(act, "team.done")
