"""Taking part in a mission: what it asks for, the form, where one's application stands."""

from __future__ import annotations

from datetime import datetime

import streamlit as st
from ulid import ULID

from cityverse.community import missions
from cityverse.community.missions import ApplicationForm, Detail
from cityverse.data.store import Store
from cityverse.domain.applications import Application, ApplicationState
from cityverse.domain.community import Mission, MissionStatus, Qualification
from cityverse.domain.messages import MESSAGE_LONGEST
from cityverse.domain.people import User
from cityverse.ui import acting, markup, signed_in
from cityverse.ui.shell import SIGN_IN, Page

_S = ApplicationState
_STATE_ICONS = {
    _S.PENDING: ":material/hourglass_top:",
    _S.WAITING: ":material/format_list_numbered:",
    _S.APPROVED: ":material/check_circle:",
    _S.REFUSED: ":material/block:",
    _S.WITHDRAWN: ":material/undo:",
}
_REASON_LONGEST = 2000
_ASKING, _DRAFT = "withdrawing", "message_draft"


def draw(page: Page, mission_id: str) -> None:
    """Draw all about taking part in a mission; for those who are not signed in, to read."""
    who = signed_in.user(page.store)
    found = missions.about(page.store, who, mission_id)
    if found is None:
        st.info(page.texts("item.gone"))
        return
    acting.say(page)
    facts(page, found.mission)
    if found.team:
        st.caption(page.texts("mission.is_team"))
    elif who is None:
        st.page_link(SIGN_IN.script, label=page.texts("mission.sign_in"), icon=SIGN_IN.icon)
    elif found.mine is None or found.mine.state is _S.WITHDRAWN:
        _offer(page, found.mission, who)
    else:
        _standing(page, found, found.mine)


def facts(page: Page, mission: Mission) -> None:
    """Draw what a mission offers and asks for, in short lines."""
    texts = page.texts
    parts = [texts(f"mission_status.{mission.status}")]
    if mission.status is MissionStatus.OPEN:
        parts.append(texts.count("item.places_left", mission.places_left))
    if mission.waiting:
        parts.append(texts.count("mission.waiting", mission.waiting))
    if mission.mission_type is not None:
        parts.append(texts(f"mission_type.{mission.mission_type}"))
    if mission.duration is not None:
        parts.append(texts(f"mission_duration.{mission.duration}"))
    if mission.qualification is Qualification.PROFESSIONAL:
        parts.append(texts("qualification.professional"))
    if mission.needs_car:
        parts.append(texts("mission.needs_car"))
    if mission.needs_licence:
        parts.append(texts("mission.needs_licence"))
    st.markdown(" · ".join(parts))
    if mission.goals:
        st.caption(", ".join(f"{n} {texts(f'goal.{n}')}" for n in sorted(mission.goals)))


def _offer(page: Page, mission: Mission, who: User) -> None:
    texts = page.texts
    if not mission.takes_applications(acting.now()):
        st.info(texts("mission.takes_nobody"), icon=":material/event_busy:")
        return
    if not mission.places_left:
        st.info(texts("mission.full_hint"), icon=":material/format_list_numbered:")
    with st.form(f"apply-{mission.id}"):
        st.markdown(f"**{texts('mission.apply_title')}**")
        st.text_area(
            texts("mission.reason"),
            max_chars=_REASON_LONGEST,
            key=_key(mission, "reason"),
            placeholder=texts("mission.reason_hint"),
            height=90,
        )
        first, last = st.columns(2)
        first.text_input(
            texts("account.first_name"), who.first_name, max_chars=100, key=_key(mission, "first")
        )
        last.text_input(
            texts("account.last_name"), who.last_name, max_chars=100, key=_key(mission, "last")
        )
        phone, age = st.columns(2)
        phone.text_input(texts("mission.phone"), max_chars=30, key=_key(mission, "phone"))
        age.number_input(texts("mission.age"), 1, 130, value=None, step=1, key=_key(mission, "age"))
        st.text_input(texts("mission.address"), max_chars=300, key=_key(mission, "address"))
        if mission.needs_car:
            st.checkbox(texts("mission.have_car"), key=_key(mission, "car"))
        if mission.needs_licence:
            st.checkbox(texts("mission.have_licence"), key=_key(mission, "licence"))
        st.caption(texts("mission.privacy"))
        st.form_submit_button(
            texts("mission.apply"),
            icon=":material/volunteer_activism:",
            type="primary",
            on_click=_apply,
            args=(page.store, mission),
        )


def _key(mission: Mission, name: str) -> str:
    return f"apply-{name}-{mission.id}"


def _apply(store: Store, mission: Mission) -> None:
    def typed(name: str) -> str:
        value = st.session_state.get(_key(mission, name), "")
        return value if isinstance(value, str) else ""

    form = ApplicationForm(
        reason=typed("reason"),
        first_name=typed("first"),
        surname=typed("last"),
        age=st.session_state.get(_key(mission, "age")),
        address=typed("address"),
        phone=typed("phone"),
        has_car=st.session_state.get(_key(mission, "car")),
        has_licence=st.session_state.get(_key(mission, "licence")),
    )
    acting.attempt(
        lambda: missions.apply(store, signed_in.user(store), mission.id, form, acting.now()),
        "mission.applied",
    )


def _standing(page: Page, found: Detail, mine: Application) -> None:
    """Where an application stands, the way out, and the thread with the team."""
    texts = page.texts
    if mine.state is _S.WAITING:
        text = texts("application.line", number=found.line or "100+")
    else:
        text = texts(f"application.{mine.state}")
    if mine.accepted:
        text += " " + texts("application.accepted")
    if mine.state is _S.REFUSED and mine.refusal is not None:
        text += " " + texts(f"refusal.{mine.refusal}")
    if mine.minutes:
        text += " " + texts("application.hours", hours=hours(page, mine.minutes))
    say = {_S.APPROVED: st.success, _S.REFUSED: st.warning}.get(mine.state, st.info)
    say(text, icon=_STATE_ICONS[mine.state])
    over = found.mission.over <= acting.now()
    if mine.state in {_S.PENDING, _S.WAITING, _S.APPROVED} and not over:
        _withdrawing(page, found.mission)
    thread(page, mine.id)


def _withdrawing(page: Page, mission: Mission) -> None:
    texts = page.texts
    if st.session_state.get(_ASKING) != mission.id:
        st.button(
            texts("mission.withdraw"),
            key=f"withdraw-{mission.id}",
            type="tertiary",
            icon=":material/logout:",
            on_click=_ask,
            args=(mission.id,),
        )
        return
    st.warning(texts("mission.withdraw_ask"), icon=":material/help:")
    with st.container(horizontal=True, gap="small"):
        st.button(
            texts("mission.withdraw_yes"),
            key=f"withdraw-yes-{mission.id}",
            on_click=_withdraw,
            args=(page.store, mission.id),
        )
        st.button(
            texts("mission.withdraw_no"),
            key=f"withdraw-no-{mission.id}",
            on_click=_ask,
            args=(None,),
        )


def _ask(mission_id: str | None) -> None:
    st.session_state[_ASKING] = mission_id


def _withdraw(store: Store, mission_id: str) -> None:
    _ask(None)
    acting.attempt(
        lambda: missions.withdraw(store, signed_in.user(store), mission_id, acting.now()),
        "mission.withdrawn",
    )


def thread(page: Page, application_id: str) -> None:
    """Draw what an applicant and the team wrote, and the form to write more."""
    texts = page.texts
    found = missions.thread(page.store, signed_in.user(page.store), application_id)
    with st.expander(
        texts.count("mission.messages", len(found.messages)), expanded=bool(found.messages)
    ):
        st.caption(texts("mission.messages_private"))
        for message in found.messages:
            name = message.user_name + (f" ({texts('mission.team')})" if message.team else "")
            st.html(
                f"<div><strong>{markup.text(name)}</strong> <span style='opacity:.7'>"
                f"{markup.text(_moment(page, message.created))}</span>"
                f"<p style='margin:.1rem 0 0'>{markup.text(message.text)}</p></div>"
            )
        draft = st.session_state.setdefault(f"{_DRAFT}-{application_id}", str(ULID()))
        with st.form(f"message-{draft}"):
            st.text_area(
                texts("mission.message"), max_chars=MESSAGE_LONGEST, key=f"say-{draft}", height=80
            )
            st.form_submit_button(
                texts("mission.message_send"),
                icon=":material/send:",
                on_click=_say,
                args=(page.store, application_id, draft),
            )


def _moment(page: Page, when: datetime) -> str:
    return page.texts.moment(when, acting.now())


def _say(store: Store, application_id: str, draft: str) -> None:
    text = st.session_state.get(f"say-{draft}", "")
    if not text.strip():
        return
    if acting.attempt(
        lambda: missions.say(
            store, signed_in.user(store), application_id, draft, text, acting.now()
        )
    ):
        # Another form, and so an empty one.
        st.session_state.pop(f"{_DRAFT}-{application_id}", None)


def hours(page: Page, minutes: int) -> str:
    """A length of time as hours and minutes."""
    whole, rest = divmod(minutes, 60)
    return f"{whole} h {rest:02}" if rest else f"{whole} h"
