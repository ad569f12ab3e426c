"""Which buildings the map shows, and how far the real ones are, for managers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st
from babel.dates import format_timedelta
from babel.numbers import format_decimal

from cityverse.community import buildings
from cityverse.community.buildings import Buildings
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.errors import CityVerseError
from cityverse.map.realcity import SOURCES, Status
from cityverse.map.tiles import GENERATED
from cityverse.settings import current
from cityverse.ui import markup, shell
from cityverse.ui.shell import Page

KNOWN = (GENERATED, *SOURCES)
_SAID = "buildings_said"
_BEST = ""
_LOOK_EVERY = 3
_ERROR_LONGEST = 400


def draw(page: Page) -> None:
    """Draw the whole page, for who may look after the map."""
    texts = page.texts
    st.title(texts("buildings.title"))
    st.caption(texts("buildings.intro"))
    found = buildings.look(current(), page.user)
    _said(page)
    _shown(page, found)
    st.subheader(texts("buildings.fetch"))
    if not found.fetches:
        st.info(texts("buildings.not_here"), icon=":material/cloud:")
        return
    st.caption(texts("buildings.fetch_intro"))
    at_work = found.status.running or found.waiting
    st.fragment(_fetching, run_every=_LOOK_EVERY if at_work else None)(page, at_work)


def _said(page: Page) -> None:
    said = st.session_state.pop(_SAID, None)
    if isinstance(said, CityVerseError):
        st.error(page.texts.error(said), icon=":material/error:")
    elif isinstance(said, str):
        st.success(page.texts(said), icon=":material/check:")


def _shown(page: Page, found: Buildings) -> None:
    """What is on the map, what lies here, and the choice among it."""
    texts = page.texts
    if found.shown is None:
        st.warning(texts("buildings.none"), icon=":material/domain_disabled:")
    else:
        name, origin = _name(page, found.shown.name), found.shown.attribution
        with st.container(border=True, key="buildings_shown"):
            st.caption(texts("buildings.shown"))
            st.html(f"<p><strong>{markup.text(name)}</strong><br>{markup.text(origin)}</p>")
    if not found.sets:
        return
    if found.shown is not None and found.shown.name not in {s.info.name for s in found.sets}:
        st.info(texts("buildings.elsewhere"), icon=":material/cloud:")
    st.subheader(texts("buildings.sets"))
    st.dataframe(_table(page, found), hide_index=True, width="stretch")
    names = [_BEST, *(one.info.name for one in found.sets)]
    st.selectbox(
        texts("buildings.choose"),
        names,
        index=names.index(found.chosen) if found.chosen in names else 0,
        format_func=lambda name: _name(page, name) if name else texts("buildings.automatic"),
        help=texts("buildings.choose_help"),
        key="buildings_choice",
        on_change=_choose,
    )


def _table(page: Page, found: Buildings) -> pd.DataFrame:
    texts = page.texts
    return pd.DataFrame(
        {
            texts("buildings.name"): [_name(page, one.info.name) for one in found.sets],
            texts("buildings.attribution"): [one.info.attribution for one in found.sets],
            texts("buildings.made"): [texts.moment(one.made, page.now) for one in found.sets],
            texts("buildings.size"): [
                texts("buildings.megabytes", size=format_decimal(size, "0.0", locale=page.language))
                for size in (one.size / 1e6 for one in found.sets)
            ],
        }
    )


def _name(page: Page, name: str) -> str:
    return page.texts(f"buildings.set_{name}") if name in KNOWN else name


@shell.guarded(Action.MANAGE_MAP)
def _fetching(who: User, page: Page, at_work: bool) -> None:
    """How far it is, and what can be done; draws itself anew while something is going on."""
    found = buildings.look(current(), who)
    if (found.status.running or found.waiting) is not at_work or _SAID in st.session_state:
        st.rerun()  # the page itself changes when it begins, when it ends, when there is news
    _progress(page, found)
    texts = page.texts
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if found.status.running or found.waiting:
            st.button(texts("buildings.stop"), icon=":material/stop:", key="stop", on_click=_stop)
            return
        st.selectbox(
            texts("buildings.source"),
            ("auto", *SOURCES),
            format_func=lambda s: (
                _name(page, s) if s in SOURCES else texts("buildings.source_auto")
            ),
            key="buildings_source",
            width=320,
        )
        st.button(
            texts(_START.get(found.status.state, "buildings.start")),
            icon=":material/download:",
            key="start",
            type="primary",
            on_click=_start,
        )


_START = {"done": "buildings.again", "stopped": "buildings.continue"}


def _progress(page: Page, found: Buildings) -> None:
    texts, status = page.texts, found.status
    if status.running:
        st.progress(min(1.0, max(0.0, status.share)), text=_far(page, status))
    elif found.waiting:
        st.progress(0.0, text=texts("buildings.waiting"))
    elif status.state == "failed":
        _failed(page, status)
    elif status.state == "done":
        st.success(
            texts(
                "buildings.state_done",
                buildings=format_decimal(status.buildings, locale=texts.language),
                source=_name(page, status.source),
                when=_when(page, status.at),
            ),
            icon=":material/check_circle:",
        )
    else:
        key = "buildings.state_stopped" if status.state == "stopped" else "buildings.state_idle"
        st.info(texts(key, share=f"{status.share:.0%}"), icon=":material/info:")
    if current().map_fetch == "off":
        st.caption(texts("buildings.off"))


def _far(page: Page, status: Status) -> str:
    texts, share = page.texts, f"{status.share:.0%}"
    if status.state == "building":
        return texts("buildings.building", share=share)
    said = texts("buildings.progress", share=share, done=status.done, total=status.total)
    if status.remaining is None:
        return said
    left = format_timedelta(timedelta(seconds=status.remaining), locale=texts.language)
    return f"{said} · {texts('buildings.remaining', time=left)}"


def _failed(page: Page, status: Status) -> None:
    texts, when = page.texts, _when(page, status.at)
    if status.reached:
        error = markup.label(status.error[:_ERROR_LONGEST])
        st.error(texts("buildings.state_failed", when=when, error=error), icon=":material/error:")
    else:
        st.warning(texts("buildings.state_unreachable", when=when), icon=":material/wifi_off:")
    if status.next_try is not None and status.next_try > datetime.now(UTC):
        st.caption(texts("buildings.next_try", when=_when(page, status.next_try)))


def _when(page: Page, moment: datetime | None) -> str:
    return "" if moment is None else page.texts.moment(moment, datetime.now(UTC))


@shell.guarded(Action.MANAGE_MAP)
def _choose(who: User) -> None:
    name = st.session_state["buildings_choice"] or None
    _do(lambda: buildings.show(current(), who, name), "buildings.was_chosen")


@shell.guarded(Action.MANAGE_MAP)
def _start(who: User) -> None:
    source = st.session_state["buildings_source"]
    _do(lambda: buildings.fetch(current(), who, source), "buildings.asked")


@shell.guarded(Action.MANAGE_MAP)
def _stop(who: User) -> None:
    _do(lambda: buildings.stop(current(), who), "buildings.stop_asked")


def _do(act: Callable[[], None], done: str) -> None:
    try:
        act()
        st.session_state[_SAID] = done
    except CityVerseError as error:
        st.session_state[_SAID] = error
