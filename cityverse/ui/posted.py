"""What stands in the dialog of a post beside its words: files, links, and what its team can do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from cityverse.community import posting
from cityverse.community.city import CityItem
from cityverse.data.store import Store
from cityverse.domain.community import TEXT_LONGEST, LinkPreview, Post
from cityverse.domain.people import User
from cityverse.errors import CityVerseError
from cityverse.settings import current
from cityverse.ui import files, markup, signed_in
from cityverse.ui.shell import Page

# What is done in the dialog: which post is edited, or asked whether to delete it.
_EDITING, _DELETING, _FAILURE = "post_editing", "post_deleting", "post_failure"
REMOVED = "post_removed"


def content(page: Page, item: CityItem) -> str:
    """Pictures, films, documents and links as HTML."""
    return files.gallery(page.texts, item.files) + "".join(map(_preview, item.previews))


def _preview(one: LinkPreview) -> str:
    about = f"<br>{markup.text(one.text)}" if one.text else ""
    site = f"<br><small>{markup.text(one.site)}</small>" if one.site else ""
    return f'<div class="preview">{markup.link(one.url, one.title + " ↗")}{about}{site}</div>'


def share(page: Page, item: CityItem) -> None:
    """The address of an item, to be copied."""
    with st.popover(page.texts("item.share"), icon=":material/share:", type="tertiary"):
        st.code(f"{current().address}/?item={item.key}", language=None, wrap_lines=True)


def actions(page: Page, who: User | None, post: Post) -> None:
    """Editing and deleting, for those who may."""
    failure = st.session_state.pop(_FAILURE, None)
    if isinstance(failure, CityVerseError):
        st.error(page.texts.error(failure), icon=":material/error:")
    if post.edited is not None:
        st.caption(page.texts("post.edited", when=page.texts.moment(post.edited, page.now)))
    if not posting.may_change(page.store, who, post):
        return
    if st.session_state.get(_EDITING) == post.id:
        _edit(page, post)
        return
    with st.container(horizontal=True, gap="small"):
        _small(page, "post.edit", ":material/edit:", _begin, (_EDITING, post.id))
        _small(page, "post.delete", ":material/delete:", _begin, (_DELETING, post.id))
    if st.session_state.get(_DELETING) == post.id:
        st.warning(page.texts("post.delete_ask"), icon=":material/delete:")
        with st.container(horizontal=True, gap="small"):
            _small(page, "post.delete_no", ":material/undo:", close, ())
            _small(page, "post.delete_yes", ":material/delete:", _remove, (page.store, post.id))


def gone(page: Page, who: User | None, post_id: str) -> None:
    """Say that a post is gone; who deleted it can have it back for a while."""
    post = page.store.posts.find(post_id)
    if post is None or not post.removed or not posting.may_change(page.store, who, post):
        st.info(page.texts("item.gone"))
        return
    undo(page, post_id)


def undo(page: Page, post_id: str) -> None:
    """Offer to have a deleted post back."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.info(page.texts("post.deleted"), icon=":material/delete:")
        _small(page, "post.undo", ":material/undo:", _restore, (page.store, post_id))


def close() -> None:
    """Forget what was being done."""
    for name in (_EDITING, _DELETING, _FAILURE):
        st.session_state.pop(name, None)


def _small(
    page: Page, text: str, icon: str, call: Callable[..., None], args: tuple[object, ...]
) -> None:
    st.button(
        page.texts(text), key=text, icon=icon, type="tertiary", on_click=call, args=tuple(args)
    )


def _begin(state: str, post_id: str) -> None:
    close()
    st.session_state[state] = post_id


def _try(act: Callable[[], object]) -> bool:
    try:
        act()
    except CityVerseError as error:
        st.session_state[_FAILURE] = error
        return False
    return True


def _edit(page: Page, post: Post) -> None:
    key = f"post-text-{post.id}"
    with st.form(f"edit-{post.id}"):
        st.text_area(
            page.texts("post.text"), post.text, max_chars=TEXT_LONGEST, key=key, height=160
        )
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button(
                page.texts("talk.save"), on_click=_save, args=(page.store, post.id, key)
            )
            st.form_submit_button(page.texts("talk.cancel"), on_click=close)


def _save(store: Store, post_id: str, key: str) -> None:
    text, now = st.session_state.get(key, ""), datetime.now(UTC)
    if _try(lambda: posting.edit(store, signed_in.user(store), post_id, text, now)):
        close()


def _remove(store: Store, post_id: str) -> None:
    now = datetime.now(UTC)
    if _try(lambda: posting.remove(store, signed_in.user(store), post_id, now)):
        close()
        st.session_state[REMOVED] = post_id


def _restore(store: Store, post_id: str) -> None:
    if _try(lambda: posting.restore(store, signed_in.user(store), post_id)):
        st.session_state.pop(REMOVED, None)
