"""The page of missions: finding them, one of them in full, and what its team does."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st
from babel.numbers import format_decimal

from cityverse.community import city, missions
from cityverse.community.city import CityItem, Period
from cityverse.community.missions import Detail, Search
from cityverse.domain.community import MissionType
from cityverse.domain.rules import check_between
from cityverse.errors import InvalidField
from cityverse.map import known
from cityverse.ui import acting, address, applying, lists, markup, mission_form, mission_team
from cityverse.ui.shell import Page

GOALS = range(1, 18)
_DAYS = {Period.TODAY: 1, Period.WEEK: 7, Period.MONTH: 30}
_CURSOR = "missions_cursor"
_NEAR_METRES = 2000


def draw(page: Page) -> None:
    """Draw the whole page: one mission where the address names it, else the list."""
    wanted = st.query_params.get("mission")
    if "new" in st.query_params:
        mission_form.draw_new(page)
    elif wanted:
        _one(page, wanted)
    else:
        _list(page)


# --- the list -------------------------------------------------------------------------------


def _list(page: Page) -> None:
    texts = page.texts
    st.title(texts("missions.title"))
    st.caption(texts("missions.subtitle"))
    acting.say(page)
    mission_form.offer_new(page)
    wanted = _filters(page)
    try:
        found = missions.find(page.store, wanted, page.now, cursor=st.session_state.get(_CURSOR))
    except InvalidField:
        st.info(texts("search.too_short"), icon=":material/search:")
        return
    if not found.items:
        st.info(
            texts("missions.look_on" if found.more else "missions.empty"),
            icon=":material/travel_explore:",
        )
        if wanted != Search():
            st.button(texts("list.widen"), icon=":material/zoom_out_map:", on_click=_widen)
    opened = lists.draw(
        page, [_item(page, one) for one in found.items], key="mission_cards", excerpts=True
    )
    _paging(page, found.previous, found.next)
    if opened:
        st.query_params["mission"] = opened.partition(":")[2]
        st.rerun()


def _item(page: Page, mission: Any) -> CityItem:
    item = city.as_item(mission)
    places = page.texts.count("item.places_left", mission.places_left)
    return city.told_by(item, f"{item.by} · {places}")


def _filters(page: Page) -> Search:
    texts = page.texts
    _restore()
    bar = st.container(horizontal=True, key="mission_filters")
    text = bar.text_input(
        texts("missions.search"),
        key="m_q",
        type="search",
        placeholder=texts("search.words"),
        max_chars=address.SEARCH_LONGEST,
        on_change=_to_first_page,
        width=230,
    )
    type_ = bar.selectbox(
        texts("missions.type"),
        [None, *MissionType],
        format_func=lambda one: texts(f"mission_type.{one}" if one else "missions.any_type"),
        key="m_type",
        on_change=_to_first_page,
        width=230,
    )
    arrondissement = bar.selectbox(
        texts("filter.arrondissement"),
        range(21),
        format_func=lambda n: texts.ordinal(n) if n else texts("filter.whole_city"),
        key="m_where",
        on_change=_to_first_page,
        width=150,
    )
    start = bar.date_input(
        texts("missions.from"),
        value=None,
        key="m_from",
        format="DD/MM/YYYY",
        width=150,
        on_change=_to_first_page,
    )
    period = bar.segmented_control(
        texts("filter.period"),
        list(Period),
        required=True,
        format_func=lambda one: texts(f"period.{one}"),
        key="m_period",
        on_change=_to_first_page,
    )
    goals = st.multiselect(
        texts("missions.goals"),
        list(GOALS),
        placeholder=texts("association.any"),
        format_func=lambda n: f"{n} {texts(f'goal.{n}')}",
        key="m_goals",
        on_change=_to_first_page,
    )
    near, free = st.container(horizontal=True), False
    around = near.toggle(
        texts("missions.around"),
        key="m_near",
        on_change=_to_first_page,
        disabled=not arrondissement,
    )
    free = near.toggle(texts("missions.free_only"), key="m_free", on_change=_to_first_page)
    words = {
        "m_q": text or "",
        "m_type": type_ or "",
        "m_where": str(arrondissement or ""),
        "m_from": start.isoformat() if isinstance(start, date) else "",
        "m_period": "" if period == Period.ALL else str(period),
        "m_goals": ",".join(map(str, sorted(goals))),
        "m_near": "1" if around else "",
        "m_free": "1" if free else "",
    }
    for name, word in words.items():
        address.write(name, word)
    centre = known.centre(arrondissement) if arrondissement and around else None
    return Search(
        text=(text or "").strip(),
        start=start if isinstance(start, date) else None,
        days=_DAYS.get(Period(period or Period.ALL)),
        goals=frozenset(goals),
        mission_type=type_,
        arrondissement=None if centre else arrondissement or None,
        near=centre,
        metres=_NEAR_METRES,
        free_only=free,
    )


def _restore() -> None:
    """Give the filters what the address says, before they are drawn for the first time."""
    address.restore("m_q", lambda word: word[: address.SEARCH_LONGEST])
    address.restore("m_type", MissionType)
    address.restore("m_where", address.arrondissement_of)
    address.restore("m_from", date.fromisoformat)
    address.restore("m_period", Period)
    address.restore("m_goals", _goals_of)
    address.restore("m_near", lambda word: word == "1")
    address.restore("m_free", lambda word: word == "1")
    st.session_state.setdefault("m_period", Period.ALL)


def _goals_of(words: str) -> list[int]:
    numbers = sorted({int(word) for word in words.split(",")})
    for number in numbers:
        try:
            check_between("goals", number, 1, 17)
        except InvalidField as error:
            raise ValueError(str(error)) from error
    return numbers


def _widen() -> None:
    for name in ("m_q", "m_type", "m_where", "m_from", "m_goals", "m_near", "m_free"):
        st.session_state.pop(name, None)
        st.query_params.pop(name, None)
    st.session_state["m_period"] = Period.ALL
    _to_first_page()


def _paging(page: Page, previous: str | None, following: str | None) -> None:
    if previous is None and following is None:
        return
    with st.container(horizontal=True):
        for text, cursor, icon in (
            ("missions.previous", previous, ":material/arrow_back:"),
            ("missions.next", following, ":material/arrow_forward:"),
        ):
            st.button(
                page.texts(text),
                key=text,
                icon=icon,
                disabled=cursor is None,
                on_click=_go,
                args=(cursor,),
            )


def _go(cursor: str | None) -> None:
    st.session_state[_CURSOR] = cursor


def _to_first_page() -> None:
    _go(None)


# --- one mission ----------------------------------------------------------------------------


def _one(page: Page, mission_id: str) -> None:
    st.button(
        page.texts("missions.back"), icon=":material/arrow_back:", type="tertiary", on_click=_leave
    )
    found = missions.about(page.store, page.user, mission_id) if len(mission_id) <= 64 else None
    if found is None:
        st.info(page.texts("item.gone"), icon=":material/search_off:")
        return
    _headline(page, found)
    applying.draw(page, found.mission.id)
    if found.team:
        mission_team.draw(page, found.mission)


def _headline(page: Page, found: Detail) -> None:
    texts, mission = page.texts, found.mission
    st.title(markup.label(mission.title))
    when = texts.full_moment(mission.starts)
    if mission.ends is not None:
        until = texts.full_moment(mission.ends)
        when = texts("item.from_to", start=when, end=until)
    where = texts("item.whole_city")
    if mission.location is not None:
        where = mission.location.place
        if mission.location.arrondissement:
            where += f" · {texts.ordinal(mission.location.arrondissement)}"
    demo = f" · {texts('item.demo')}" if mission.demo else ""
    st.html(
        f"<p style='margin:0'><strong>{markup.text(mission.association_name)}</strong>"
        f"{markup.text(demo)}<br>{markup.text(when)}<br>{markup.text(where)}</p>"
        f"<p>{markup.text(mission.description)}</p>"
    )


def _leave() -> None:
    st.query_params.pop("mission", None)


def hours_text(page: Page, minutes: int) -> str:
    """Hours with one digit behind the comma, in the language of the page."""
    return str(format_decimal(round(minutes / 60, 1), locale=page.language))
