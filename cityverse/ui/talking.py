"""Below a post, in its dialog: reactions, comments and answers; and following an association.

A dialog reruns by itself, without its page: who is signed in is asked anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st
from ulid import ULID

from cityverse.community import talk
from cityverse.community.talk import Draft, Placed, Talk
from cityverse.data.store import Store
from cityverse.domain.comments import COMMENT_LONGEST, Comment
from cityverse.domain.moderation import Moderated
from cityverse.domain.people import ANONYMOUS, User
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import CityVerseError
from cityverse.ui import markup, posted, reporting, signed_in
from cityverse.ui.shell import SIGN_IN, Page

_SIGNS = {
    ReactionKind.LIKE: "👍",
    ReactionKind.LOVE: "❤️",
    ReactionKind.HAHA: "😄",
    ReactionKind.WOW: "😮",
    ReactionKind.SAD: "😢",
    ReactionKind.ANGRY: "😠",
}
# The state of the dialog: which page of comments, and what is being written.
_CURSOR, _ANSWERING, _EDITING, _DELETING = (
    "talk_cursor",
    "talk_answering",
    "talk_editing",
    "talk_deleting",
)
_REPORTING = "talk_reporting"
_DRAFT, _FAILURE = "talk_draft", "talk_failure"


def draw(page: Page, post_id: str) -> None:
    """Draw all about a post; for those who are not signed in, to read."""
    who = signed_in.user(page.store)
    found = talk.about(page.store, who, post_id, st.session_state.get(_CURSOR))
    if found is None:
        posted.gone(page, who, post_id)
        return
    posted.actions(page, who, found.post)
    failure = st.session_state.pop(_FAILURE, None)
    if isinstance(failure, CityVerseError):
        st.error(page.texts.error(failure), icon=":material/error:")
    _reactions(page, found, who)
    if found.post.association_id is not None:
        _follow(page, who, found.post.association_id, found.followed)
    st.markdown(f"**{page.texts.count('talk.comments', found.post.comments)}**")
    for placed in found.comments:
        _comment(page, placed, who)
    _paging(page, found)
    if who is None:
        st.page_link(SIGN_IN.script, label=page.texts("talk.sign_in"), icon=SIGN_IN.icon)
    else:
        _form(page, post_id, found)


def draw_follow(page: Page, association_id: str) -> None:
    """Draw the way to follow an association, in its dialog."""
    who = signed_in.user(page.store)
    _follow(page, who, association_id, talk.is_followed(page.store, who, association_id))


def close() -> None:
    """Forget what was being written."""
    posted.close()
    for name in (_CURSOR, _ANSWERING, _EDITING, _DELETING, _REPORTING, _DRAFT, _FAILURE):
        st.session_state.pop(name, None)


def _try(act: Callable[[], None]) -> bool:
    """Do something; what stands against it is said when the dialog is drawn next."""
    try:
        act()
    except CityVerseError as error:
        st.session_state[_FAILURE] = error
        return False
    return True


def _now() -> datetime:
    return datetime.now(UTC)


def _reactions(page: Page, found: Talk, who: User | None) -> None:
    post, texts = found.post, page.texts
    if who is None:
        shown = (f"{_SIGNS[kind]} {n}" for kind, n in post.reactions.items() if n)
        st.caption(" · ".join(shown) or texts("talk.no_reactions"))
        return
    key = f"reaction-{post.id}"
    st.session_state[key] = found.mine
    st.pills(
        texts("talk.reactions"),
        list(ReactionKind),
        format_func=lambda kind: f"{_SIGNS[kind]} {post.reactions[kind] or ''}".strip(),
        key=key,
        on_change=_react,
        args=(page.store, post.id, key),
        help=texts("talk.reactions_help"),
    )


def _react(store: Store, post_id: str, key: str) -> None:
    chosen = st.session_state.get(key)
    _try(lambda: talk.react(store, signed_in.user(store), post_id, chosen, _now()))


def _follow(page: Page, who: User | None, association_id: str, followed: bool) -> None:
    if who is not None:
        follow_button(page, association_id, followed)


def follow_button(page: Page, association_id: str, followed: bool) -> None:
    """The way to follow an association, or to follow it no longer."""
    st.button(
        page.texts("talk.unfollow" if followed else "talk.follow"),
        icon=":material/notifications_off:" if followed else ":material/add_alert:",
        key=f"follow-{association_id}",
        on_click=_unfollow if followed else _do_follow,
        args=(page.store, association_id),
    )


def _do_follow(store: Store, association_id: str) -> None:
    _try(lambda: talk.follow(store, signed_in.user(store), association_id, _now()))


def _unfollow(store: Store, association_id: str) -> None:
    _try(lambda: talk.unfollow(store, signed_in.user(store), association_id))


def _comment(page: Page, placed: Placed, who: User | None) -> None:
    comment = placed.comment
    mine = who is not None and comment.user_id == who.id and not comment.deleted
    if mine and st.session_state.get(_EDITING) == comment.id:
        _edit_form(page, comment)
        return
    st.html(_said(page, placed))
    if comment.deleted or comment.moderation is Moderated.HIDDEN:
        return
    if who is None:
        _report(page, comment)
        return
    with st.container(horizontal=True, gap="small"):
        _small(page, "talk.answer", _begin, (_ANSWERING, comment.id))
        if mine:
            _small(page, "talk.edit", _begin, (_EDITING, comment.id))
            _small(page, "talk.delete", _begin, (_DELETING, comment.id))
        else:
            _small(page, "report.open", _begin, (_REPORTING, comment.id))
    if not mine and st.session_state.get(_REPORTING) == comment.id:
        reporting.form(page, f"comment:{comment.id}")
    if mine and st.session_state.get(_DELETING) == comment.id:
        _ask_to_delete(page, comment)


def _report(page: Page, comment: Comment) -> None:
    """For who is not signed in and so can do nothing else."""
    _small(page, "report.open", _begin, (_REPORTING, comment.id))
    if st.session_state.get(_REPORTING) == comment.id:
        reporting.form(page, f"comment:{comment.id}")


def _small(page: Page, text: str, call: Callable[..., None], args: tuple[str, ...]) -> None:
    key = f"{text}-{args[-1]}"
    st.button(page.texts(text), key=key, type="tertiary", on_click=call, args=args)


def _begin(state: str, comment_id: str) -> None:
    """Answer, edit, delete or report this comment, and do nothing else meanwhile."""
    reporting.close()
    for name in (_ANSWERING, _EDITING, _DELETING, _REPORTING):
        st.session_state.pop(name, None)
    st.session_state[state] = comment_id


def _stop(*names: str) -> None:
    for name in names:
        st.session_state.pop(name, None)


def _said(page: Page, placed: Placed) -> str:
    texts, comment = page.texts, placed.comment
    margin = f"margin:0 0 0 {1.4 * placed.depth:.1f}rem"
    if comment.deleted or comment.moderation is Moderated.HIDDEN:
        said = texts("talk.deleted" if comment.deleted else "talk.hidden")
        return f"<p style='{margin};opacity:.7'><em>{markup.text(said)}</em></p>"
    unnamed = comment.user_id == ANONYMOUS
    name = texts("talk.unnamed") if unnamed else comment.user_name
    facts = [texts.moment(comment.created, _now())]
    if comment.edited_at is not None:
        facts.append(texts("talk.edited"))
    if comment.moderation is Moderated.LABELLED:
        facts.append(f"⚠ {texts('moderation.labelled')}")
    if comment.demo:
        facts.append(texts("item.demo_short"))
    return (
        f"<div style='{margin}'><strong>{markup.text(name)}</strong> "
        f"<span style='opacity:.7'>{markup.text(' · '.join(facts))}</span>"
        f"<p style='margin:.1rem 0 0'>{markup.text(comment.text)}</p></div>"
    )


def _ask_to_delete(page: Page, comment: Comment) -> None:
    st.warning(page.texts("talk.delete_ask"), icon=":material/delete:")
    with st.container(horizontal=True, gap="small"):
        _small(page, "talk.delete_no", lambda *_: _stop(_DELETING), (comment.id,))
        st.button(
            page.texts("talk.delete_yes"),
            key=f"delete-{comment.id}",
            on_click=_delete,
            args=(page.store, comment.id),
        )


def _delete(store: Store, comment_id: str) -> None:
    if _try(lambda: talk.withdraw(store, signed_in.user(store), comment_id)):
        _stop(_DELETING)


def _edit_form(page: Page, comment: Comment) -> None:
    key = f"edit-{comment.id}"
    with st.form(f"form-{key}"):
        st.text_area(
            page.texts("talk.edit"), comment.text, max_chars=COMMENT_LONGEST, key=key, height=90
        )
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button(
                page.texts("talk.save"), on_click=_save, args=(page.store, comment.id, key)
            )
            st.form_submit_button(page.texts("talk.cancel"), on_click=_stop, args=(_EDITING,))


def _save(store: Store, comment_id: str, key: str) -> None:
    text = st.session_state.get(key, "")
    if _try(lambda: talk.edit(store, signed_in.user(store), comment_id, text, _now())):
        _stop(_EDITING)


def _form(page: Page, post_id: str, found: Talk) -> None:
    """The form of a new comment; its id is made once, so that sending it twice says it once."""
    texts = page.texts
    answered = next(
        (p.comment for p in found.comments if p.comment.id == st.session_state.get(_ANSWERING)),
        None,
    )
    draft_id = st.session_state.setdefault(_DRAFT, str(ULID()))
    if answered is not None:
        st.caption(texts("talk.answering", name=markup.label(answered.user_name)))
        _small(page, "talk.answer_no", lambda *_: _stop(_ANSWERING), (answered.id,))
    with st.form(f"say-{draft_id}"):
        st.text_area(
            texts("talk.say"),
            max_chars=COMMENT_LONGEST,
            key=f"text-{draft_id}",
            height=90,
            placeholder=texts("talk.say_hint"),
        )
        st.form_submit_button(
            texts("talk.send"),
            icon=":material/send:",
            on_click=_send,
            args=(page.store, post_id, draft_id, answered.id if answered else None),
        )


def _send(store: Store, post_id: str, draft_id: str, parent_id: str | None) -> None:
    text = st.session_state.get(f"text-{draft_id}", "")
    if not text.strip():
        return
    draft = Draft(draft_id, post_id, text, parent_id)
    if _try(lambda: talk.comment(store, signed_in.user(store), draft, _now())):
        # Another form, and so an empty one.
        _stop(_DRAFT, _ANSWERING)


def _paging(page: Page, found: Talk) -> None:
    if found.previous is None and found.next is None:
        return
    with st.container(horizontal=True, gap="small"):
        for text, cursor in (("talk.earlier", found.previous), ("talk.later", found.next)):
            if cursor is not None:
                st.button(page.texts(text), key=text, on_click=_go, args=(cursor,))


def _go(cursor: str) -> None:
    st.session_state[_CURSOR] = cursor
