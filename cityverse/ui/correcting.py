"""Places that readers find wrong, for managers: what the article says, and both places."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from cityverse.community import corrections
from cityverse.community.corrections import Case, Decision
from cityverse.data.store import Store
from cityverse.domain.corrections import REASON_LONGEST
from cityverse.domain.kinds import Kind
from cityverse.domain.places import Location
from cityverse.errors import CityVerseError, InvalidField, VersionConflict, WrongState
from cityverse.map import layers, tiles
from cityverse.map.pins import Pin
from cityverse.news.aliases import candidates
from cityverse.settings import current
from cityverse.ui import markup, placing, signed_in
from cityverse.ui.placing import name_of
from cityverse.ui.server import started, tiles_folder
from cityverse.ui.shell import Page

_SAID = "correcting_said"
_MAP_HEIGHT = 320
# A narrow view from above, wide enough for both pins of most articles.
_ZOOM, _ZOOM_BOTH = 14.5, 12.0


def draw(page: Page) -> None:
    """Draw the whole page, for who may decide on places."""
    texts = page.texts
    st.title(texts("correcting.title"))
    st.caption(texts("correcting.intro"))
    _say(page)
    waiting = corrections.waiting(page.store, page.user)
    if waiting:
        _choose(page, waiting)
    else:
        st.info(texts("correcting.none"), icon=":material/task_alt:")
    _accepted(page)
    _aliases(page)


def _say(page: Page) -> None:
    said = st.session_state.pop(_SAID, None)
    if isinstance(said, VersionConflict | WrongState):
        st.warning(page.texts("correcting.meanwhile"), icon=":material/group:")
    elif isinstance(said, InvalidField) and said.field == "reason":
        st.error(page.texts("correcting.reason_missing"), icon=":material/error:")
    elif isinstance(said, CityVerseError):
        st.error(page.texts.error(said), icon=":material/error:")
    elif isinstance(said, str):
        st.success(said, icon=":material/check:")


def _choose(page: Page, waiting: list[Case]) -> None:
    texts = page.texts
    cases = {case.proposal.id: case for case in waiting}
    chosen = st.selectbox(
        texts.count("correcting.waiting", len(waiting)),
        list(cases),
        format_func=lambda i: cases[i].article.title if i in cases else i,
        key="case",
    )
    case = cases.get(chosen or "")
    if case is not None:
        _one(page, case)


def _one(page: Page, case: Case) -> None:
    texts, article, proposal = page.texts, case.article, case.proposal
    left, right = st.columns(2, gap="medium")
    with left:
        evidence = article.location.evidence if article.location else ()
        st.html(
            f"<h3>{markup.marked(article.title, 'title', evidence)}</h3>"
            f"<p style='opacity:.8'>{markup.text(article.source_name)} · "
            f"{markup.text(texts.moment(article.published, page.now))}</p>"
            f"<p>{markup.marked(article.summary, 'summary', evidence)}</p>"
            f"<p>{_labelled(page, 'correcting.now', article.location)}<br>"
            f"{_labelled(page, 'correcting.proposed', proposal.location)}</p>"
        )
        if proposal.text:
            st.html(
                f"<p><strong>{markup.text(texts('correcting.word'))}</strong> "
                f"{markup.text(proposal.text)}</p>"
            )
        if article.correction is not None:
            st.caption(texts("evidence.reader"))
            _undo_button(page, article.id, "one")
        _form(page, case)
    with right:
        _map(page, article.location, proposal.location)


def _labelled(page: Page, key: str, location: Location | None) -> str:
    place = markup.text(name_of(page.texts, location))
    return f"<strong>{markup.text(page.texts(key))}</strong> {place}"


def _map(page: Page, now: Location | None, proposed: Location | None) -> None:
    """Both places; the one that is proposed with another sign."""
    texts = page.texts
    pins = [
        Pin(f"{kind}:{key}", kind, at.lat, at.lon, texts(key), at.place, at.precision)
        for kind, key, at in (
            (Kind.NEWS, "correcting.now", now),
            (Kind.EVENT, "correcting.proposed", proposed),
        )
        if at is not None
    ]
    if not pins:
        return
    tile_set = tiles.current(tiles_folder(current())) if started() else None
    view = layers.View(
        lat=sum(pin.lat for pin in pins) / len(pins),
        lon=sum(pin.lon for pin in pins) / len(pins),
        zoom=_ZOOM_BOTH if len(pins) > 1 else _ZOOM,
        pitch=0,
        bearing=0,
    )
    st.pydeck_chart(
        layers.deck(pins, tile_set, theme=page.theme, view=view),
        height=_MAP_HEIGHT,
        alt=texts.count("map.alt", len(pins)),
    )
    signs = " · ".join(f"{texts(f'kind.{pin.kind}.one')} = {pin.title}" for pin in pins)
    attribution = "" if tile_set is None or tile_set.generated else f" {tile_set.attribution}"
    st.caption(markup.label(f"{signs}{attribution}"))


def _form(page: Page, case: Case) -> None:
    texts, proposal = page.texts, case.proposal
    key = f"{proposal.id}-{proposal.version}"
    known = placing.places(page.store)
    place = known.of(proposal.location) if proposal.location else None
    said = (case.article.title, case.article.summary)
    words = candidates(said, place, known) if place else []
    with st.form(f"decide-{key}"):
        if place and words:
            st.selectbox(
                texts("correcting.alias", place=place.name),
                [None, *words],
                format_func=lambda word: word or texts("correcting.no_alias"),
                index=1,
                key=f"alias-{key}",
                help=texts("correcting.alias_help"),
            )
        st.text_input(texts("correcting.reason"), max_chars=REASON_LONGEST, key=f"reason-{key}")
        seen = (page.store, proposal.id, proposal.version)
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button(
                texts("correcting.accept"),
                icon=":material/check:",
                type="primary",
                on_click=_accept,
                args=(page, *seen),
            )
            st.form_submit_button(
                texts("correcting.decline"),
                icon=":material/close:",
                on_click=_decline,
                args=(page, *seen),
            )


def _do(said: str, act: Callable[[], None]) -> None:
    """A callback runs before the page and its guard: each act asks for itself who is here."""
    try:
        act()
    except CityVerseError as error:
        st.session_state[_SAID] = error
    else:
        st.session_state[_SAID] = said


def _decision(proposal_id: str, version: int) -> Decision:
    key = f"{proposal_id}-{version}"
    reason = str(st.session_state.get(f"reason-{key}", ""))
    alias = st.session_state.get(f"alias-{key}")
    return Decision(proposal_id, version, reason, alias if isinstance(alias, str) else None)


def _accept(page: Page, store: Store, proposal_id: str, version: int) -> None:
    decision, now = _decision(proposal_id, version), datetime.now(UTC)

    def act() -> None:
        who = signed_in.user(store)
        corrections.accept(store, who, decision, placing.places(store), now)
        if decision.alias is not None:
            placing.places.clear()

    _do(page.texts("correcting.was_accepted"), act)


def _decline(page: Page, store: Store, proposal_id: str, version: int) -> None:
    decision, now = _decision(proposal_id, version), datetime.now(UTC)
    _do(
        page.texts("correcting.was_declined"),
        lambda: corrections.decline(store, signed_in.user(store), decision, now),
    )


def _accepted(page: Page) -> None:
    """What was corrected, to take it back."""
    cases = corrections.accepted(page.store, page.user)
    if not cases:
        return
    st.subheader(page.texts("correcting.accepted"))
    for case in cases:
        with st.container(border=True):
            st.html(
                f"<p style='margin:0'><strong>{markup.text(case.article.title)}</strong><br>"
                f"{markup.text(name_of(page.texts, case.article.location))}</p>"
            )
            _undo_button(page, case.article.id, "list")


def _undo_button(page: Page, article_id: str, where: str) -> None:
    st.button(
        page.texts("correcting.undo"),
        icon=":material/undo:",
        key=f"undo-{where}-{article_id}",
        on_click=_do,
        args=(
            page.texts("correcting.was_undone"),
            lambda: corrections.undo(page.store, signed_in.user(page.store), article_id),
        ),
    )


def _aliases(page: Page) -> None:
    """The names that were learned."""
    found = corrections.aliases(page.store, page.user)
    if not found:
        return
    st.subheader(page.texts("correcting.aliases"))
    st.caption(page.texts("correcting.aliases_help"))
    for alias in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(f"<p style='margin:0'>{markup.text(f'{alias.written} → {alias.place}')}</p>")
            st.button(
                page.texts("correcting.forget"),
                key=f"forget-{alias.words}",
                type="tertiary",
                on_click=_do,
                args=(
                    page.texts("correcting.was_forgotten"),
                    lambda words=alias.words: corrections.forget_alias(
                        page.store, signed_in.user(page.store), words
                    ),
                ),
            )
