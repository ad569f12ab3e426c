"""Writing a post: what is typed is kept at once, and sent once however often one clicks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any

import streamlit as st
from ulid import ULID

from cityverse.community import posting, teams
from cityverse.community.city import CITY_ZONE
from cityverse.data.store import Store
from cityverse.domain.community import LINKS_MOST, MEDIA_MOST, TEXT_LONGEST
from cityverse.domain.media import MediaKind
from cityverse.domain.people import User
from cityverse.domain.places import Location
from cityverse.domain.posting import SCHEDULED_AHEAD_MOST, Draft, DraftState
from cityverse.domain.rules import check_link
from cityverse.errors import CityVerseError, FetchError, InvalidField
from cityverse.news import preview
from cityverse.settings import current
from cityverse.ui import files, markup, places, signed_in, video
from cityverse.ui.shell import SIGN_IN, Page

# The state: the draft being written, whether the form is open, what went wrong, files taken.
_DRAFT, _OPEN, _FAILURE, _TAKEN, _SENT = (
    "composer_draft",
    "composer_open",
    "composer_failure",
    "composer_taken",
    "composer_sent",
)
TOOLS = ("files", "film", "link", "place", "later")
_ICONS = {
    "files": ":material/image:",
    "film": ":material/movie:",
    "link": ":material/link:",
    "place": ":material/location_on:",
    "later": ":material/schedule:",
}
_URL_LONGEST = 2048
_ATTACHED = {
    MediaKind.IMAGE: "attached.picture",
    MediaKind.VIDEO: "attached.film",
    MediaKind.PDF: "attached.document",
}


def draw(page: Page) -> None:
    """Draw the way to write a post, for who is signed in."""
    _say(page)
    if page.user is None:
        st.page_link(SIGN_IN.script, label=page.texts("post.sign_in"), icon=SIGN_IN.icon)
        return
    if not st.session_state.get(_OPEN):
        _closed(page, page.user)
        return
    draft = _draft(page.store, page.user)
    with st.container(border=True, key="composer"):
        _form(page, page.user, draft)


def _say(page: Page) -> None:
    failure = st.session_state.pop(_FAILURE, None)
    if isinstance(failure, FetchError) and failure.reason == "refused_address":
        st.error(page.texts("post.link_private"), icon=":material/error:")
    elif isinstance(failure, CityVerseError):
        st.error(page.texts.error(failure), icon=":material/error:")
    sent = st.session_state.pop(_SENT, None)
    if sent is not None:
        st.success(page.texts(sent), icon=":material/check_circle:")


def _closed(page: Page, user: User) -> None:
    """A button to begin, and what waits for its time or could not be published."""
    texts = page.texts
    kept = posting.drafts(page.store, user)
    waiting = [draft for draft in kept if draft.state is DraftState.SCHEDULED or draft.failure]
    writing = next((d for d in kept if d not in waiting and not d.empty), None)
    st.button(
        texts("post.go_on" if writing else "post.write"),
        icon=":material/edit:",
        key="compose",
        type="primary",
        on_click=_open,
        args=(writing,),
    )
    for draft in waiting:
        _waiting(page, draft)


def _waiting(page: Page, draft: Draft) -> None:
    texts = page.texts
    words = markup.label(draft.text[:80])
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if draft.due is not None:
            st.markdown(texts("post.waits", when=texts.full_moment(draft.due), words=words))
        else:
            st.markdown(f"{texts('post.not_published', words=words)} {texts(draft.failure)}")
        args = (page.store, draft.id)
        st.button(texts("post.change"), key=f"hold-{draft.id}", on_click=_hold, args=args)


def _open(draft: Draft | None) -> None:
    st.session_state[_OPEN] = True
    if draft is not None:
        st.session_state[_DRAFT] = draft


def _try(act: Callable[[], object]) -> bool:
    try:
        act()
    except CityVerseError as error:
        st.session_state[_FAILURE] = error
        return False
    return True


def _now() -> datetime:
    return datetime.now(UTC)


def _hold(store: Store, draft_id: str) -> None:
    def hold() -> None:
        most = current().resident_posts
        _open(posting.hold(store, signed_in.user(store), draft_id, _now(), most=most))

    _try(hold)


def _draft(store: Store, user: User) -> Draft:
    """The draft of this window, else the newest that was kept, else a new one."""
    draft = st.session_state.get(_DRAFT)
    if not isinstance(draft, Draft) or draft.user_id != user.id:
        kept = posting.drafts(store, user)
        draft = next((one for one in kept if one.state is DraftState.WRITING), None)
        draft = draft or Draft(str(ULID()), user.id, _now())
        st.session_state[_DRAFT] = draft
    return draft


def _typed(draft: Draft) -> Draft:
    """The draft with what stands in the fields now."""
    typed: dict[str, Any] = {
        "text": st.session_state.get(f"compose-text-{draft.id}", draft.text),
        "association_id": st.session_state.get(f"compose-as-{draft.id}", draft.association_id),
    }
    return replace(draft, updated=_now(), failure="", **typed)


def _keep(store: Store, change: Callable[[Draft], Draft] = lambda draft: draft) -> None:
    """A callback: keep what was typed, with a further change; what fails is said."""
    draft = st.session_state.get(_DRAFT)
    if not isinstance(draft, Draft):
        return

    def keep() -> None:
        changed = _typed(draft)
        st.session_state[_DRAFT] = changed
        st.session_state[_DRAFT] = changed = change(changed)
        posting.keep(store, signed_in.user(store), changed)

    _try(keep)


def _form(page: Page, user: User, draft: Draft) -> None:
    texts = page.texts
    if draft.failure:
        st.warning(texts(draft.failure), icon=":material/info:")
    _as_whom(page, user, draft)
    st.text_area(
        texts("post.text"),
        draft.text,
        max_chars=TEXT_LONGEST,
        height=140,
        key=f"compose-text-{draft.id}",
        placeholder=texts("post.hint"),
        on_change=_keep,
        args=(page.store,),
    )
    _attached(page, draft)
    tool = st.pills(
        texts("post.add"),
        TOOLS,
        format_func=lambda name: f"{_ICONS[name]} {texts(f'post.tool.{name}')}",
        key="compose-tool",
        label_visibility="collapsed",
    )
    if tool is not None:
        _DRAWN[tool](page, user, draft)
    _buttons(page, draft, later=tool == "later")


def _as_whom(page: Page, user: User, draft: Draft) -> None:
    texts = page.texts
    mine = teams.publishers(page.store, user)
    names = {one.id: one.name for one in mine}
    if draft.association_id is not None and draft.association_id not in names:
        st.warning(texts("error.publisher_gone"), icon=":material/info:")
    if not mine:
        st.session_state.pop(f"compose-as-{draft.id}", None)
        most = current().resident_posts
        st.caption(texts("post.as_resident_only", most=most))
        if draft.association_id is not None:
            st.session_state[_DRAFT] = replace(draft, association_id=None)
        return
    choices = [None, *names]
    chosen = draft.association_id if draft.association_id in names else None
    st.selectbox(
        texts("post.as"),
        choices,
        index=choices.index(chosen),
        format_func=lambda one: names.get(one, "") if one else texts("post.as_resident"),
        key=f"compose-as-{draft.id}",
        on_change=_keep,
        args=(page.store,),
    )


def _attached(page: Page, draft: Draft) -> None:
    """What goes with the text, each with a way to leave it out."""
    texts, store = page.texts, page.store
    shown = list(zip(draft.files, draft.file_kinds, strict=False))
    if shown:
        st.html(files.gallery(texts, shown))
    with st.container(horizontal=True, gap="small"):
        for number, (media, kind) in enumerate(shown, 1):
            label = texts("post.leave_out", what=texts(_ATTACHED[kind], number=number))
            _drop(label, f"drop-{media}", store, partial(_without, media_id=media))
        for one in draft.previews:
            label = texts("post.leave_out", what=markup.label(one.title[:60]))
            _drop(label, f"drop-{one.url}", store, partial(_unlinked, url=one.url))
        if draft.location is not None:
            label = texts("post.leave_out", what=markup.label(draft.location.place))
            _drop(label, "drop-place", store, lambda d: replace(d, location=None))


def _drop(label: str, key: str, store: Store, change: Callable[[Draft], Draft]) -> None:
    st.button(
        label, key=key, icon=":material/close:", type="tertiary", on_click=_keep,
        args=(store, change),
    )  # fmt: skip


def _without(draft: Draft, media_id: str) -> Draft:
    left = [pair for pair in zip(draft.files, draft.file_kinds, strict=True) if pair[0] != media_id]
    return replace(
        draft, files=tuple(one for one, _ in left), file_kinds=tuple(kind for _, kind in left)
    )


def _unlinked(draft: Draft, url: str) -> Draft:
    return replace(
        draft,
        links=tuple(link for link in draft.links if link != url),
        previews=tuple(one for one in draft.previews if one.url != url),
    )


def _files(page: Page, user: User, draft: Draft) -> None:
    """Pictures and documents; each is taken once, as soon as it has arrived."""
    number = st.session_state.get(_TAKEN, 0)
    key = f"compose-files-{number}"
    st.file_uploader(
        page.texts("post.files", most=MEDIA_MOST, megabytes=files.MEGABYTES),
        type=[*files.PICTURES, "pdf"],
        accept_multiple_files=True,
        max_upload_size=files.MEGABYTES,
        key=key,
        on_change=_take,
        args=(page.store, key),
    )


def _take(store: Store, key: str) -> None:
    for file in st.session_state.get(key) or ():

        def add(draft: Draft, name: str = file.name, data: bytes = file.getvalue()) -> Draft:
            who = signed_in.user(store)
            if len(draft.files) >= MEDIA_MOST:
                raise InvalidField("media", "too many")
            if who is None:
                return draft
            return posting.with_file(store, who, draft, files.add(who.id, name, data))

        _keep(store, add)
    st.session_state[_TAKEN] = st.session_state.get(_TAKEN, 0) + 1


def _film(page: Page, user: User, draft: Draft) -> None:
    arrived = video.choose(files.uploads(), user.id, page.texts, "compose-film")
    if arrived and arrived not in draft.files:
        _keep(page.store, lambda d: posting.with_file(page.store, page.user, d, arrived))
        st.rerun()


def _link(page: Page, user: User, draft: Draft) -> None:
    texts = page.texts
    with st.form("compose-link", border=False):
        url = st.text_input(
            texts("post.link"), max_chars=_URL_LONGEST, placeholder="https://", key="compose-url"
        )
        wanted = st.form_submit_button(texts("post.link_add"), icon=":material/add:")
    if wanted and url.strip():
        with st.spinner(texts("post.link_looking")):
            _keep(page.store, lambda d: _linked(d, url.strip()))
        st.rerun()


def _linked(draft: Draft, url: str) -> Draft:
    url = url if "://" in url else f"https://{url}"
    check_link("links", url)
    if url in draft.links:
        return draft
    if len(draft.links) >= LINKS_MOST:
        raise InvalidField("links", "too many")
    found = preview.look(url, allow_private=current().news_allow_private)
    return replace(draft, links=(*draft.links, url), previews=(*draft.previews, found))


def _place(page: Page, user: User, draft: Draft) -> None:
    text = st.session_state.get(f"compose-text-{draft.id}", draft.text)

    def choose(chosen: Location) -> None:
        _keep(page.store, lambda d: replace(d, location=chosen))

    places.choose(page, choose, key="compose", present=draft.location, text=text)


def _later(page: Page, user: User, draft: Draft) -> None:
    texts = page.texts
    tomorrow = page.now.astimezone(CITY_ZONE).date() + timedelta(days=1)
    last = (page.now + SCHEDULED_AHEAD_MOST).date()
    day, clock = st.columns(2)
    day.date_input(
        texts("post.day"),
        tomorrow,
        min_value=page.now.astimezone(CITY_ZONE).date(),
        max_value=last,
        key="compose-day",
    )
    clock.time_input(texts("post.time"), time(9), key="compose-time")
    st.caption(texts("post.later_help"))


_DRAWN: dict[str, Callable[[Page, User, Draft], None]] = {
    "files": _files,
    "film": _film,
    "link": _link,
    "place": _place,
    "later": _later,
}


def _buttons(page: Page, draft: Draft, *, later: bool) -> None:
    texts = page.texts
    with st.container(horizontal=True, gap="small"):
        st.button(
            texts("post.schedule" if later else "post.publish"),
            type="primary",
            icon=":material/send:",
            key="compose-send",
            on_click=_send,
            args=(page.store, later),
        )
        st.button(texts("post.close"), key="compose-close", on_click=_close, args=(page.store,))
        if not draft.empty:
            st.button(
                texts("post.discard"), key="compose-discard", type="tertiary",
                icon=":material/delete:", on_click=_discard, args=(page.store, draft.id),
            )  # fmt: skip
    st.caption(texts("post.kept"))


def _send(store: Store, later: bool) -> None:
    draft = st.session_state.get(_DRAFT)
    if not isinstance(draft, Draft):
        return  # a second click: it was sent already
    draft = _typed(draft)
    if not draft.text.strip():
        st.session_state[_FAILURE] = InvalidField("text", "must not be empty")
        return

    def send() -> None:
        who, most = signed_in.user(store), current().resident_posts
        if later:
            posting.schedule(store, who, draft, _due(), _now(), most=most)
        else:
            posting.publish(store, who, draft, _now(), most=most)

    if _try(send):
        _forget()
        st.session_state[_SENT] = "post.scheduled" if later else "post.published"
        st.session_state.pop("feed_cursor", None)


def _due() -> datetime:
    day, clock = st.session_state["compose-day"], st.session_state["compose-time"]
    return datetime.combine(day, clock, CITY_ZONE).astimezone(UTC)


def _close(store: Store) -> None:
    _keep(store)
    _forget()


def _discard(store: Store, draft_id: str) -> None:
    if _try(lambda: posting.discard(store, signed_in.user(store), draft_id)):
        _forget()


def _forget() -> None:
    for name in (_DRAFT, _OPEN, "compose-tool"):
        st.session_state.pop(name, None)
