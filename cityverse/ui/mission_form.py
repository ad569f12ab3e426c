"""The form by which a team writes a mission, or edits one."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from ulid import ULID

from cityverse.community import missions
from cityverse.community.missions import MissionForm
from cityverse.domain.community import (
    PLACES_MOST,
    TEXT_LONGEST,
    Association,
    Mission,
    MissionDuration,
    MissionStatus,
    MissionType,
    Qualification,
)
from cityverse.domain.missions import SERIES_MOST, Rhythm
from cityverse.ui import acting, signed_in, whens, wheres
from cityverse.ui.shell import Page

_NEW = "mission_new_id"
_GOALS = range(1, 18)


def offer_new(page: Page) -> None:
    """Draw the way to a new mission, for those who run an association."""
    if missions.teams(page.store, page.user, st.query_params.get("association")):
        st.button(page.texts("mission.new"), icon=":material/add:", on_click=_begin)


def _begin() -> None:
    st.query_params["new"] = "1"


def _leave() -> None:
    st.query_params.pop("new", None)
    st.session_state.pop(_NEW, None)


def draw_new(page: Page) -> None:
    """Draw the form of a new mission."""
    texts = page.texts
    st.button(
        texts("missions.back"), icon=":material/arrow_back:", type="tertiary", on_click=_leave
    )
    st.title(texts("mission.new"))
    acting.say(page)
    teams = missions.teams(page.store, page.user, st.query_params.get("association"))
    if not teams:
        st.info(texts("mission.no_team"), icon=":material/groups:")
        return
    association = st.selectbox(
        texts("mission.association"), teams, format_func=lambda one: one.name, key="mission_of"
    )
    form_id = st.session_state.setdefault(_NEW, str(ULID()))
    form = _fields(page, form_id, association, None)
    rhythm, times = series(page, form_id)
    form = replace(form, rhythm=rhythm, times=times)
    with st.container(horizontal=True):
        for text, draft in (("mission.publish", False), ("mission.keep_draft", True)):
            st.button(
                texts(text),
                key=text,
                type="secondary" if draft else "primary",
                on_click=_create,
                args=(page, replace(form, draft=draft)),
            )
    _drafts(page, association)


def draw_edit(page: Page, mission: Mission, association: Association) -> None:
    """Draw the form of a mission that is there."""
    key = f"edit-{mission.id}-{mission.version}"
    form = replace(_fields(page, key, association, mission), id=mission.id, version=mission.version)
    st.button(
        page.texts("mission.save"),
        key=f"save-{key}",
        type="primary",
        icon=":material/save:",
        on_click=_save,
        args=(page, form),
    )


def _fields(page: Page, key: str, association: Association, old: Mission | None) -> MissionForm:
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
    left, middle, right = st.columns(3)
    type_ = left.selectbox(
        texts("missions.type"),
        [None, *MissionType],
        index=_index(list(MissionType), old.mission_type if old else None),
        format_func=lambda one: texts(f"mission_type.{one}" if one else "mission.unsaid"),
        key=f"{key}-type",
    )
    duration = middle.selectbox(
        texts("mission.duration"),
        [None, *MissionDuration],
        index=_index(list(MissionDuration), old.duration if old else None),
        format_func=lambda one: texts(f"mission_duration.{one}" if one else "mission.unsaid"),
        key=f"{key}-duration",
    )
    places = right.number_input(
        texts("mission.places"), 1, PLACES_MOST, old.places if old else 5, key=f"{key}-places"
    )
    qualification = st.radio(
        texts("mission.qualification"),
        list(Qualification),
        index=list(Qualification).index(old.qualification if old else Qualification.OPEN_TO_ALL),
        format_func=lambda one: texts(f"qualification.{one}"),
        horizontal=True,
        key=f"{key}-qualification",
    )
    goals = st.multiselect(
        texts("missions.goals"),
        list(_GOALS),
        sorted(old.goals if old else association.goals),
        placeholder=texts("association.choose"),
        format_func=lambda n: f"{n} {texts(f'goal.{n}')}",
        key=f"{key}-goals",
    )
    with st.container(horizontal=True):
        car = st.checkbox(
            texts("mission.needs_car"), old.needs_car if old else False, key=f"{key}-car"
        )
        licence = st.checkbox(
            texts("mission.needs_licence"), old.needs_licence if old else False, key=f"{key}-lic"
        )
    return MissionForm(
        id=key,
        association_id=association.id,
        title=title or "",
        description=description or "",
        starts=starts,
        ends=ends,
        places=int(places),
        location=location,
        duration=duration,
        mission_type=type_,
        qualification=qualification or Qualification.OPEN_TO_ALL,
        goals=frozenset(goals),
        needs_car=car,
        needs_licence=licence,
    )


def _index(choices: list[MissionType] | list[MissionDuration], chosen: str | None) -> int:
    """Where a choice stands behind the first one, which says nothing."""
    return 0 if chosen is None else 1 + [str(one) for one in choices].index(str(chosen))


def series(page: Page, key: str) -> tuple[Rhythm, int]:
    """Draw how often it takes place, and how many times; answers with both."""
    texts = page.texts
    left, right = st.columns(2)
    rhythm = left.selectbox(
        texts("mission.rhythm"),
        list(Rhythm),
        format_func=lambda one: texts(f"rhythm.{one}"),
        key=f"{key}-rhythm",
    )
    times = 1
    rhythm = rhythm or Rhythm.ONCE
    if rhythm is not Rhythm.ONCE:
        times = int(right.number_input(texts("mission.times"), 2, SERIES_MOST, 4, key=f"{key}-n"))
        st.caption(texts("mission.series_help"))
    return rhythm, times


def _create(page: Page, form: MissionForm) -> None:
    def act() -> None:
        made = missions.save(page.store, signed_in.user(page.store), form, acting.now())
        _leave()
        st.query_params["mission"] = made[0].id

    acting.attempt(act, "mission.kept" if form.draft else "mission.published")


def _save(page: Page, form: MissionForm) -> None:
    acting.attempt(
        lambda: missions.save(page.store, signed_in.user(page.store), form, acting.now()),
        "mission.saved",
    )


def _drafts(page: Page, association: Association) -> None:
    """The drafts of an association, to go on with."""
    found = page.store.missions.drafts(association.id, limit=20).items
    if not found:
        return
    st.markdown(f"**{page.texts('mission.drafts')}**")
    for draft in found:
        st.button(
            draft.title,
            key=f"draft-{draft.id}",
            type="tertiary",
            icon=":material/edit_note:",
            on_click=_open,
            args=(draft.id,),
        )


def _open(mission_id: str) -> None:
    _leave()
    st.query_params["mission"] = mission_id


def is_editable(mission: Mission) -> bool:
    """Whether an edit still makes sense."""
    return mission.status not in {MissionStatus.DONE, MissionStatus.CANCELLED}
