"""The way to report an item, its files or who wrote it; also for who is not signed in."""

from __future__ import annotations

import streamlit as st
from ulid import ULID

from cityverse.community import moderation
from cityverse.community.moderation import Filing
from cityverse.data.store import Store
from cityverse.domain.moderation import Reason
from cityverse.domain.people import EMAIL_LONGEST, NAME_LONGEST
from cityverse.errors import CityVerseError, InvalidField, Taken, TooManyAttempts
from cityverse.ui import acting, signed_in
from cityverse.ui.shell import Page

_TEXT_LONGEST = 2000
_DONE, _FAILURE = "report_done", "report_failure"


def draw(page: Page, target: str) -> None:
    """Draw the form below an item, closed at first."""
    with st.expander(page.texts("report.open"), icon=":material/flag:"):
        form(page, target)


def form(page: Page, target: str) -> None:
    """Draw the form, or what became of the last one."""
    texts = page.texts
    if st.session_state.get(_DONE) == target:
        st.success(texts("report.received"), icon=":material/check_circle:")
        return
    who = signed_in.user(page.store)
    wanted = moderation.targets(page.store, target)
    if not wanted:
        return
    _say(page)
    request = st.session_state.setdefault(f"report-id-{target}", str(ULID()))
    with st.form(f"report-{request}", border=False):
        if len(wanted) > 1:
            st.selectbox(
                texts("report.what"),
                wanted,
                format_func=lambda one: _named(page, one, wanted),
                key=f"what-{request}",
            )
        st.selectbox(
            texts("report.why"),
            list(Reason),
            format_func=lambda one: texts(f"report_reason.{one}"),
            index=None,
            placeholder=texts("report.choose"),
            key=f"why-{request}",
        )
        st.text_area(
            texts("report.text"), max_chars=_TEXT_LONGEST, key=f"text-{request}", height=90
        )
        if who is None:
            st.caption(texts("report.signed_out"))
            st.text_input(texts("report.name"), max_chars=NAME_LONGEST, key=f"name-{request}")
            st.text_input(texts("report.email"), max_chars=EMAIL_LONGEST, key=f"email-{request}")
        st.checkbox(texts("report.good_faith"), key=f"faith-{request}")
        st.form_submit_button(
            texts("report.send"),
            icon=":material/flag:",
            on_click=_send,
            args=(page, page.store, target, wanted, request),
        )


def _named(page: Page, one: str, wanted: list[str]) -> str:
    kind = one.partition(":")[0]
    files = [other for other in wanted if other.startswith("media:")]
    number = f" {files.index(one) + 1}" if kind == "media" and len(files) > 1 else ""
    return page.texts(f"target.{kind}") + number


def _say(page: Page) -> None:
    failure = st.session_state.pop(_FAILURE, None)
    if isinstance(failure, Taken):
        st.info(page.texts("report.already"), icon=":material/info:")
    elif isinstance(failure, TooManyAttempts):
        st.error(page.texts("report.too_many"), icon=":material/error:")
    elif isinstance(failure, InvalidField) and failure.field == "good_faith":
        st.error(page.texts("report.good_faith_missing"), icon=":material/error:")
    elif isinstance(failure, InvalidField) and failure.field in {"text", "reason"}:
        st.error(page.texts("report.why_missing"), icon=":material/error:")
    elif isinstance(failure, CityVerseError):
        st.error(page.texts.error(failure), icon=":material/error:")


def _send(page: Page, store: Store, target: str, wanted: list[str], request: str) -> None:
    """A callback: it asks for itself who is here."""
    state = st.session_state
    reason = state.get(f"why-{request}")
    try:
        if not isinstance(reason, Reason):
            raise InvalidField("reason", "must be chosen")
        what = state.get(f"what-{request}", target)
        filing = Filing(
            id=request,
            target=what if what in wanted else target,
            reason=reason,
            text=str(state.get(f"text-{request}", "")),
            good_faith=bool(state.get(f"faith-{request}")),
            name=str(state.get(f"name-{request}", "")),
            email=str(state.get(f"email-{request}", "")),
            network=signed_in.client(page.texts).network,
        )
        moderation.report(store, signed_in.user(store), filing, acting.now())
    except CityVerseError as error:
        state[_FAILURE] = error
        return
    state[_DONE] = target
    state.pop(f"report-id-{target}", None)


def close() -> None:
    """Forget what became of the last report."""
    for name in (_DONE, _FAILURE):
        st.session_state.pop(name, None)
