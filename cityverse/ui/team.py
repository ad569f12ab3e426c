"""The team of an association, invitations into it, its end, and the queue of managers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from cityverse.community import associations
from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.community import Association
from cityverse.domain.people import EMAIL_LONGEST, User
from cityverse.domain.policy import Action
from cityverse.domain.teams import REASON_LONGEST, Membership, Standing, Verification
from cityverse.errors import CityVerseError
from cityverse.ui import markup, signed_in
from cityverse.ui.shell import Page

_SAID, _CLOSING, _CURSOR = "association_said", "association_closing", "verify_cursor"
_QUEUE_SIZE = 20


def tell(what: CityVerseError | str) -> None:
    """What the next run of the page says: an error, or the key of a text."""
    st.session_state[_SAID] = what


def say(page: Page) -> None:
    """Say what the last act came to."""
    said = st.session_state.pop(_SAID, None)
    if isinstance(said, CityVerseError):
        st.error(page.texts.error(said), icon=":material/error:")
    elif isinstance(said, str):
        st.success(page.texts(said), icon=":material/check_circle:")


def _do(act: Callable[[Store, User | None], object], store: Store, done: str) -> None:
    """A callback: it looks for itself who is signed in."""
    try:
        act(store, signed_in.user(store))
    except CityVerseError as error:
        tell(error)
    else:
        tell(done)


def _button(
    page: Page, text: str, key: str, act: Callable[[Store, User | None], object], done: str
) -> None:
    st.button(page.texts(text), key=key, on_click=_do, args=(act, page.store, done))


def invitations(page: Page, user: User) -> None:
    """What somebody was asked to become, with both answers."""
    for one in associations.invitations(page.store, user):
        asked = "offered" if one.standing is Standing.OFFERED else "invited"
        body = one.association_id
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            name = markup.label(one.association_name)
            st.markdown(page.texts(f"members.you_{asked}", name=name))
            _button(
                page, "members.accept", f"accept-{body}",
                partial(associations.accept, association_id=body), "members.accepted",
            )  # fmt: skip
            _button(
                page, "members.decline", f"decline-{body}",
                partial(associations.decline, association_id=body), "members.declined",
            )  # fmt: skip


def draw(page: Page, association: Association) -> None:
    """Draw who is in the team, and for the owner what can be done about it."""
    texts = page.texts
    st.title(texts("members.title", name=markup.label(association.name)))
    owns = policy.may(page.user, Action.HAND_OVER_ASSOCIATION, association)
    members = associations.team(page.store, page.user, association)
    for member in members:
        _member(page, association, member, owns=owns)
    if not members:
        st.info(texts("members.empty"), icon=":material/group:")
    if not owns:
        _leave(page, association)
        return
    with st.form("invite", clear_on_submit=True):
        email = st.text_input(texts("members.email"), max_chars=EMAIL_LONGEST, key="invite_email")
        wanted = st.form_submit_button(texts("members.invite"), icon=":material/person_add:")
    if wanted and email.strip():
        now = datetime.now(UTC)
        _do(
            lambda s, who: associations.invite(s, who, association.id, email, now),
            page.store, "members.asked",
        )  # fmt: skip
        st.rerun()
    _end(page, association)


def _member(page: Page, association: Association, member: Membership, *, owns: bool) -> None:
    texts, body, person = page.texts, association.id, member.user_id
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        name = markup.label(member.user_name)
        st.markdown(f"**{name}** · {texts(f'members.standing.{member.standing}')}")
        if not owns:
            return
        _button(
            page, "members.remove", f"remove-{person}",
            lambda s, who: associations.leave_out(s, who, body, person), "members.removed",
        )  # fmt: skip
        if member.standing is Standing.EDITOR:
            _button(
                page, "members.offer", f"offer-{person}",
                lambda s, who: associations.offer(s, who, body, person), "members.was_offered",
            )  # fmt: skip


def _leave(page: Page, association: Association) -> None:
    user = page.user
    if user is not None:
        _button(
            page, "members.leave", "leave",
            lambda s, who: associations.leave_out(s, who, association.id, user.id), "members.left",
        )  # fmt: skip


def _end(page: Page, association: Association) -> None:
    """Closing, after asking once."""
    if association.closing is not None:
        closing(page, association)
        return
    if st.session_state.get(_CLOSING) != association.id:
        st.button(
            page.texts("association.close"), key="close", icon=":material/delete:",
            on_click=_ask, args=(association.id,),
        )  # fmt: skip
        return
    st.warning(page.texts("association.close_ask"), icon=":material/delete:")
    with st.container(horizontal=True, gap="small"):
        st.button(page.texts("association.close_no"), key="close-no", on_click=_ask, args=(None,))
        _button(page, "association.close_yes", "close-yes", _closer(association.id),
                "association.was_closed")  # fmt: skip


def _ask(association_id: str | None) -> None:
    st.session_state[_CLOSING] = association_id


def _closer(association_id: str) -> Callable[[Store, User | None], None]:
    def close(store: Store, who: User | None) -> None:
        associations.close(store, who, association_id, datetime.now(UTC))
        _ask(None)

    return close


def closing(page: Page, association: Association) -> None:
    """Say that an association is about to go, and let its owner keep it."""
    if association.closing is None:
        return
    when = page.texts.full_moment(association.closing)
    st.warning(page.texts("association.closing", when=when), icon=":material/delete:")
    if policy.may(page.user, Action.HAND_OVER_ASSOCIATION, association):
        _button(
            page, "association.keep", "keep-open",
            lambda s, who: associations.keep_open(s, who, association.id), "association.kept",
        )  # fmt: skip


def queue(page: Page, back: Callable[[], None]) -> None:
    """Draw the associations that wait for a manager."""
    texts = page.texts
    st.title(texts("verify.title"))
    st.button(texts("association.back"), icon=":material/arrow_back:", type="tertiary",
              on_click=back)  # fmt: skip
    found = associations.to_verify(
        page.store, page.user, limit=_QUEUE_SIZE, cursor=st.session_state.get(_CURSOR)
    )
    if not found.items:
        st.info(texts("verify.empty"), icon=":material/verified:")
    for request in found.items:
        _request(page, request)
    for text, cursor in (("feed.newer", found.previous), ("feed.older", found.next)):
        if cursor is not None:
            st.button(texts(text), key=f"verify-{text}", on_click=_turn, args=(cursor,))


def _turn(cursor: str) -> None:
    st.session_state[_CURSOR] = cursor


def _request(page: Page, request: Verification) -> None:
    texts, key = page.texts, f"reason-{request.id}"
    with st.container(border=True):
        number = request.rna or texts("verify.no_number")
        asked = texts.moment(request.created, page.now)
        st.html(
            f"<p><strong>{markup.text(request.association_name)}</strong> · "
            f"{markup.text(number)} · {markup.text(asked)}</p>"
        )
        if request.disputed_with is not None:
            st.warning(_dispute(page, request), icon=":material/gavel:")
        st.text_area(texts("verify.reason"), max_chars=REASON_LONGEST, key=key, height=80)
        with st.container(horizontal=True, gap="small"):
            for text, accepted in (("verify.accept", True), ("verify.decline", False)):
                _button(page, text, f"{text}-{request.id}", _decider(request, key, accepted),
                        "verify.done")  # fmt: skip


def _dispute(page: Page, request: Verification) -> str:
    other = page.store.associations.find(request.disputed_with or "")
    name = other.name if other else page.texts("talk.unnamed")
    return page.texts("verify.disputed", name=markup.label(name))


def _decider(
    request: Verification, key: str, accepted: bool
) -> Callable[[Store, User | None], None]:
    def decide(store: Store, who: User | None) -> None:
        reason = st.session_state.get(key, "")
        associations.decide(
            store, who, request, datetime.now(UTC), accepted=accepted, reason=reason
        )

    return decide
