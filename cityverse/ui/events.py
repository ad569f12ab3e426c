"""The page of events: finding them, one of them in full, and what its association does."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from ulid import ULID

from cityverse.community import city, events, missions
from cityverse.community.city import Period
from cityverse.community.events import EventForm, Search
from cityverse.domain.community import PLACES_MOST, TEXT_LONGEST, Association, Event
from cityverse.domain.missions import Rhythm
from cityverse.errors import InvalidField
from cityverse.ui import (
    acting,
    address,
    attending,
    lists,
    markup,
    mission_form,
    signed_in,
    whens,
    wheres,
)
from cityverse.ui.shell import Page

_DAYS = {Period.TODAY: 1, Period.WEEK: 7, Period.MONTH: 30}
_CURSOR, _NEW, _CANCELLING = "events_cursor", "event_new_id", "event_cancelling"


def draw(page: Page) -> None:
    """Draw the whole page: one event where the address names it, else the list."""
    wanted = st.query_params.get("event")
    if "new" in st.query_params:
        _draw_new(page)
    elif wanted:
        _one(page, wanted)
    else:
        _list(page)


def _list(page: Page) -> None:
    texts = page.texts
    st.title(texts("events.title"))
    st.caption(texts("events.subtitle"))
    acting.say(page)
    if missions.teams(page.store, page.user, st.query_params.get("association")):
        st.button(texts("events.new"), icon=":material/add:", on_click=_begin)
    wanted = _filters(page)
    try:
        found = events.find(page.store, wanted, page.now, cursor=st.session_state.get(_CURSOR))
    except InvalidField:
        st.info(texts("search.too_short"), icon=":material/search:")
        return
    if not found.items:
        st.info(texts("events.empty"), icon=":material/event_busy:")
        if wanted != Search():
            st.button(texts("list.widen"), icon=":material/zoom_out_map:", on_click=_widen)
    items = [
        city.told_by(
            city.as_item(one),
            f"{one.association_name} · {texts('events.cancelled')}"
            if one.cancelled
            else one.association_name,
        )
        for one in found.items
    ]
    opened = lists.draw(page, items, key="event_cards", excerpts=True)
    if found.previous or found.next:
        with st.container(horizontal=True):
            for text, cursor in (
                ("missions.previous", found.previous),
                ("missions.next", found.next),
            ):
                st.button(
                    texts(text), key=text, disabled=cursor is None, on_click=_go, args=(cursor,)
                )
    if opened:
        st.query_params["event"] = opened.partition(":")[2]
        st.rerun()


def _filters(page: Page) -> Search:
    texts = page.texts
    address.restore("e_q", lambda word: word[: address.SEARCH_LONGEST])
    address.restore("e_where", address.arrondissement_of)
    address.restore("e_period", Period)
    st.session_state.setdefault("e_period", Period.ALL)
    bar = st.container(horizontal=True, key="event_filters")
    text = bar.text_input(
        texts("events.search"),
        key="e_q",
        type="search",
        placeholder=texts("search.words"),
        max_chars=address.SEARCH_LONGEST,
        on_change=_to_first_page,
        width=260,
    )
    arrondissement = bar.selectbox(
        texts("filter.arrondissement"),
        range(21),
        format_func=lambda n: texts.ordinal(n) if n else texts("filter.whole_city"),
        key="e_where",
        on_change=_to_first_page,
        width=150,
    )
    period = bar.segmented_control(
        texts("filter.period"),
        list(Period),
        required=True,
        format_func=lambda one: texts(f"period.{one}"),
        key="e_period",
        on_change=_to_first_page,
    )
    address.write("e_q", text or "")
    address.write("e_where", str(arrondissement or ""))
    address.write("e_period", "" if period == Period.ALL else str(period))
    return Search(
        text=(text or "").strip(),
        days=_DAYS.get(Period(period or Period.ALL)),
        arrondissement=arrondissement or None,
        association_id=None,
    )


def _widen() -> None:
    for name in ("e_q", "e_where"):
        st.session_state.pop(name, None)
        st.query_params.pop(name, None)
    st.session_state["e_period"] = Period.ALL
    _to_first_page()


def _go(cursor: str | None) -> None:
    st.session_state[_CURSOR] = cursor


def _to_first_page() -> None:
    _go(None)


# --- one event ------------------------------------------------------------------------------


def _one(page: Page, event_id: str) -> None:
    texts = page.texts
    st.button(texts("events.back"), icon=":material/arrow_back:", type="tertiary", on_click=_leave)
    found = events.about(page.store, page.user, event_id) if len(event_id) <= 64 else None
    if found is None:
        st.info(texts("item.gone"), icon=":material/search_off:")
        return
    event = found.event
    st.title(markup.label(event.title))
    when = texts(
        "item.from_to", start=texts.full_moment(event.starts), end=texts.full_moment(event.ends)
    )
    where = texts("item.whole_city")
    if event.location is not None:
        where = event.location.place
        if event.location.arrondissement:
            where += f" · {texts.ordinal(event.location.arrondissement)}"
    link = markup.link(event.link, event.link + " ↗") if event.link else ""
    demo = f" · {texts('item.demo')}" if event.demo else ""
    st.html(
        f"<p style='margin:0'><strong>{markup.text(event.association_name)}</strong>"
        f"{markup.text(demo)}<br>{markup.text(when)}<br>{markup.text(where)}</p>"
        f"<p>{markup.text(event.description)}</p><p>{link}</p>"
    )
    attending.draw(page, event.id)
    if found.team:
        _team(page, event)


def _team(page: Page, event: Event) -> None:
    texts = page.texts
    st.divider()
    if event.cancelled:
        st.button(
            texts("events.restore"),
            key="event_restore",
            on_click=_cancel,
            args=(page, event.id, False),
        )
        return
    if st.session_state.get(_CANCELLING) == event.id:
        st.warning(texts("events.cancel_ask"), icon=":material/event_busy:")
        with st.container(horizontal=True):
            st.button(
                texts("events.cancel"),
                key="event_cancel_yes",
                on_click=_cancel,
                args=(page, event.id, True),
            )
            st.button(texts("team.cancel_no"), key="event_cancel_no", on_click=_ask, args=(None,))
    else:
        st.button(
            texts("events.cancel"),
            key="event_cancel",
            icon=":material/event_busy:",
            on_click=_ask,
            args=(event.id,),
        )
    with st.expander(texts("events.edit"), icon=":material/edit:"):
        association = page.store.associations.get(event.association_id)
        key = f"edit-{event.id}-{event.version}"
        form = _fields(page, key, association, event)
        if form is not None:
            st.button(
                texts("mission.save"),
                key=f"save-{key}",
                type="primary",
                on_click=_save,
                args=(page, replace(form, id=event.id, version=event.version)),
            )


def _ask(event_id: str | None) -> None:
    st.session_state[_CANCELLING] = event_id


def _cancel(page: Page, event_id: str, cancelled: bool) -> None:
    _ask(None)
    acting.attempt(
        lambda: events.set_cancelled(
            page.store, signed_in.user(page.store), event_id, cancelled, acting.now()
        ),
        "team.done",
    )


def _leave() -> None:
    for name in ("event", "new"):
        st.query_params.pop(name, None)
    st.session_state.pop(_NEW, None)


# --- the form -------------------------------------------------------------------------------


def _begin() -> None:
    st.query_params["new"] = "1"


def _draw_new(page: Page) -> None:
    texts = page.texts
    st.button(texts("events.back"), icon=":material/arrow_back:", type="tertiary", on_click=_leave)
    st.title(texts("events.new"))
    acting.say(page)
    teams = missions.teams(page.store, page.user, st.query_params.get("association"))
    if not teams:
        st.info(texts("mission.no_team"), icon=":material/groups:")
        return
    association = st.selectbox(
        texts("mission.association"), teams, format_func=lambda one: one.name, key="event_of"
    )
    form_id = st.session_state.setdefault(_NEW, str(ULID()))
    form = _fields(page, form_id, association, None)
    rhythm, times = mission_form.series(page, form_id)
    if form is not None:
        st.button(
            texts("events.publish"),
            key="event_publish",
            type="primary",
            on_click=_create,
            args=(page, replace(form, rhythm=rhythm, times=times)),
        )


def _fields(page: Page, key: str, association: Association, old: Event | None) -> EventForm | None:
    """The form; None as long as it says no end."""
    texts = page.texts
    title = st.text_input(
        texts("mission.title"), old.title if old else "", max_chars=200, key=f"{key}-title"
    )
    description = st.text_area(
        texts("mission.description"),
        old.description if old else "",
        max_chars=TEXT_LONGEST,
        key=f"{key}-description",
        height=140,
    )
    starts, ends = whens.choose(page, key, old.starts if old else None, old.ends if old else None)
    location = wheres.choose(page, f"{key}-where", old.location if old else association.location)
    link = st.text_input(
        texts("events.link"), (old.link or "") if old else "", max_chars=2048, key=f"{key}-link"
    )
    places = None
    if st.checkbox(
        texts("events.bounded"), old is not None and old.places is not None, key=f"{key}-bounded"
    ):
        places = int(
            st.number_input(
                texts("mission.places"),
                1,
                PLACES_MOST,
                (old.places if old else None) or 20,
                key=f"{key}-places",
            )
        )
    goals = st.multiselect(
        texts("missions.goals"),
        list(range(1, 18)),
        sorted(old.goals if old else association.goals),
        placeholder=texts("association.choose"),
        format_func=lambda n: f"{n} {texts(f'goal.{n}')}",
        key=f"{key}-goals",
    )
    if ends is None:
        st.caption(texts("events.needs_end"))
        return None
    return EventForm(
        id=key,
        association_id=association.id,
        title=title or "",
        description=description or "",
        starts=starts,
        ends=ends,
        places=places,
        location=location,
        link=(link or "").strip() or None,
        goals=frozenset(goals),
        rhythm=Rhythm.ONCE,
    )


def _create(page: Page, form: EventForm) -> None:
    def act() -> None:
        made = events.save(page.store, signed_in.user(page.store), form, acting.now())
        _leave()
        st.query_params["event"] = made[0].id

    acting.attempt(act, "events.published")


def _save(page: Page, form: EventForm) -> None:
    acting.attempt(
        lambda: events.save(page.store, signed_in.user(page.store), form, acting.now()),
        "events.saved",
    )
