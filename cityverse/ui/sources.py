"""The sources of news and their health, for managers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from cityverse.community import sources
from cityverse.domain.news import Source, SourceStatus
from cityverse.errors import CityVerseError, FetchError
from cityverse.news import opml
from cityverse.news.discover import Preview
from cityverse.settings import current
from cityverse.ui import markup, signed_in, withdrawing
from cityverse.ui.shell import Page

_PREVIEW, _SAID = "source_preview", "source_said"
_URL_LONGEST = 2048
REASONS = (
    *("timeout", "too_large", "dns", "tls", "connect", "redirects", "refused_address"),
    *("protocol", "unreadable", "store", "unexpected"),
)


def draw(page: Page) -> None:
    """Draw the whole page, for who may manage sources."""
    texts = page.texts
    st.title(texts("sources.title"))
    st.caption(texts("sources.intro"))
    _say(page)
    found = sources.listed(page.store, page.user)
    _figures(page, found)
    if found:
        st.dataframe(_table(page, found), hide_index=True, width="stretch")
        _one(page, found)
    else:
        st.info(texts("sources.empty"), icon=":material/rss_feed:")
    _add(page)
    _lists(page)


def _say(page: Page) -> None:
    """What the last act came to."""
    said = st.session_state.pop(_SAID, None)
    if isinstance(said, CityVerseError):
        st.error(_failure(page, said), icon=":material/error:")
    elif isinstance(said, str):
        st.success(said, icon=":material/check:")


def _failure(page: Page, error: CityVerseError) -> str:
    if isinstance(error, FetchError):
        return f"{page.texts.error(error)} {reason(page, error.reason)}"
    return page.texts.error(error)


def reason(page: Page, word: str) -> str:
    """Why a source could not be read, in words; ``word`` is that of ``Source.error``."""
    if word.startswith("http_"):
        return page.texts("reason.http", status=word.removeprefix("http_"))
    return page.texts(f"reason.{word if word in REASONS else 'unexpected'}")


def _figures(page: Page, found: list[Source]) -> None:
    texts = page.texts
    active = [source for source in found if source.status is SourceStatus.ACTIVE]
    failing = [source for source in active if source.error]
    articles, located = sum(s.articles for s in found), sum(s.located for s in found)
    share = f"{located / articles:.0%}" if articles else "–"
    with st.container(horizontal=True):
        st.metric(texts("sources.active"), len(active))
        st.metric(texts("sources.failing"), len(failing))
        st.metric(texts("sources.articles"), articles)
        st.metric(texts("sources.located"), share)


def _table(page: Page, found: list[Source]) -> pd.DataFrame:
    texts = page.texts
    return pd.DataFrame(
        {
            texts("sources.name"): [source.name for source in found],
            texts("sources.state"): [_state(page, source) for source in found],
            texts("sources.last_success"): [_when(page, s.last_success_at) for s in found],
            texts("sources.next_check"): [
                _when(page, s.next_check_at) if s.status is SourceStatus.ACTIVE else "–"
                for s in found
            ],
            texts("sources.articles"): [source.articles for source in found],
            texts("sources.located"): [
                f"{s.located / s.articles:.0%}" if s.articles else "–" for s in found
            ],
        }
    )


def _when(page: Page, moment: datetime | None) -> str:
    return page.texts("sources.never") if moment is None else page.texts.moment(moment, page.now)


def _state(page: Page, source: Source) -> str:
    if source.status is SourceStatus.PAUSED:
        return page.texts("sources.paused")
    if source.error:
        return reason(page, source.error)
    if source.last_check_at is None:
        return page.texts("sources.not_yet")
    return page.texts("sources.incomplete" if source.warning else "sources.well")


def _one(page: Page, found: list[Source]) -> None:
    """One source, and what can be done about it."""
    texts = page.texts
    names = {source.id: source.name for source in found}
    chosen = st.selectbox(
        texts("sources.choose"), list(names), format_func=lambda i: names.get(i, i), key="source"
    )
    source = next((one for one in found if one.id == chosen), None)
    if source is None:
        return
    with st.container(border=True):
        st.html(
            f"<p><strong>{markup.text(source.name)}</strong> — "
            f"{markup.link(source.url, source.url)}</p><p>{markup.text(_state(page, source))}</p>"
        )
        if source.error:
            st.caption(texts.count("sources.failures", source.error_count))
        with st.container(horizontal=True):
            if source.status is SourceStatus.ACTIVE:
                _act(page, "sources.check_now", ":material/refresh:", _check, source.id)
                _act(page, "sources.pause", ":material/pause:", _pause, source.id)
            else:
                _act(page, "sources.resume", ":material/play_arrow:", _resume, source.id)
            if not source.configured:
                _act(page, "sources.remove", ":material/delete:", _remove, source.id)
        withdrawing.listed(page, source.id)


def _act(
    page: Page, text: str, icon: str, call: Callable[[Page, str], str], source_id: str
) -> None:
    st.button(
        page.texts(text), icon=icon, key=text, on_click=_do, args=(lambda: call(page, source_id),)
    )


def _do(act: Callable[[], str]) -> None:
    """A callback runs before the page and its guard: each act asks for itself who is here."""
    try:
        st.session_state[_SAID] = act()
    except CityVerseError as error:
        st.session_state[_SAID] = error


def _check(page: Page, source_id: str) -> str:
    sources.check_now(page.store, signed_in.user(page.store), source_id, datetime.now(UTC))
    return page.texts("sources.will_check")


def _pause(page: Page, source_id: str) -> str:
    sources.pause(page.store, signed_in.user(page.store), source_id)
    return page.texts("sources.was_paused")


def _resume(page: Page, source_id: str) -> str:
    sources.resume(page.store, signed_in.user(page.store), source_id, datetime.now(UTC))
    return page.texts("sources.will_check")


def _remove(page: Page, source_id: str) -> str:
    sources.remove(page.store, signed_in.user(page.store), source_id)
    return page.texts("sources.was_removed")


def _add(page: Page) -> None:
    """From any address to a feed: look first, then add."""
    texts = page.texts
    st.subheader(texts("sources.add"))
    with st.form("probe"):
        url = st.text_input(
            texts("sources.address"),
            max_chars=_URL_LONGEST,
            placeholder="https://",
            key="probe_url",
        )
        wanted = st.form_submit_button(texts("sources.look"), icon=":material/search:")
    if wanted:
        _look(page, url)
    found = st.session_state.get(_PREVIEW)
    if isinstance(found, Preview):
        _preview(page, found)


def _look(page: Page, url: str) -> None:
    st.session_state.pop(_PREVIEW, None)
    try:
        with st.spinner(page.texts("sources.looking")):
            found = sources.probe(page.user, url, allow_private=current().news_allow_private)
    except CityVerseError as error:
        st.error(_failure(page, error), icon=":material/error:")
        return
    st.session_state[_PREVIEW] = found


def _preview(page: Page, found: Preview) -> None:
    texts = page.texts
    with st.container(border=True):
        rows = "".join(f"<li>{markup.text(entry.title)}</li>" for entry in found.entries)
        st.html(
            f"<p><strong>{markup.text(found.title or found.url)}</strong><br>"
            f"{markup.link(found.url, found.url)}</p><ul>{rows}</ul>"
        )
        if not found.entries:
            st.caption(texts("sources.no_entries"))
        st.button(
            texts("sources.add_this"),
            icon=":material/add:",
            key="add_source",
            on_click=_do,
            args=(lambda: _add_previewed(page, found),),
        )


def _add_previewed(page: Page, found: Preview) -> str:
    sources.add(page.store, signed_in.user(page.store), found)
    st.session_state.pop(_PREVIEW, None)
    return page.texts("sources.was_added")


def _lists(page: Page) -> None:
    """Lists of feeds in and out."""
    texts = page.texts
    st.subheader(texts("sources.lists"))
    with st.form("opml", clear_on_submit=True):
        file = st.file_uploader(texts("sources.file"), type=["opml", "xml"], max_upload_size=1)
        wanted = st.form_submit_button(texts("sources.import"), icon=":material/upload:")
    if wanted and file is not None:
        _import(page, file.read(opml.LONGEST + 1))
    st.download_button(
        texts("sources.export"),
        lambda: sources.export_opml(page.store, signed_in.user(page.store), "CityVerse"),
        file_name="cityverse.opml",
        mime="text/x-opml",
        icon=":material/download:",
        on_click="ignore",
    )


def _import(page: Page, data: bytes) -> None:
    try:
        done = sources.import_opml(page.store, page.user, data)
    except CityVerseError as error:
        st.error(page.texts.error(error), icon=":material/error:")
        return
    st.success(
        page.texts("sources.imported", added=len(done.added), known=done.known),
        icon=":material/check:",
    )
    if done.left_out:
        st.caption(page.texts("sources.left_out"))
    for line in done.left_out:
        st.text(line)
