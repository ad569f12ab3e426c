"""Who is signed in, on every run; and the ways into and out of a session.

The only authority is the cookie of the present connection. What stands in the session
state says nothing: whoever knows a Streamlit session id could get at it. So it is emptied
as soon as it belongs to somebody else.
"""

from __future__ import annotations

import functools
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, NoReturn, ParamSpec

import streamlit as st

from cityverse.accounts import accounts as use_cases
from cityverse.accounts.accounts import Accounts, Client, Session
from cityverse.accounts.addresses import network_of
from cityverse.accounts.http import (
    END,
    OWN_HEADER,
    PROVIDER,
    START,
    cookie_name,
    proof_cookie_name,
)
from cityverse.accounts.http import SIGN_IN as SIGN_IN_PATH
from cityverse.data.store import Store
from cityverse.domain import policy
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.errors import CityVerseError, CodeNeeded
from cityverse.settings import current
from cityverse.ui import components
from cityverse.ui.texts import Texts

log = logging.getLogger(__name__)

P = ParamSpec("P")
Opened = str | tuple[str, tuple[str, ...]]
# Whose state this is: the id of a session token, which opens nothing.
_OWNER = "_session_id"
_HANDING = "_handing_over"
# The key of a text that the next page shows once.
NOTICE = "_notice"
# What stays of the state when somebody else is signed in, or nobody any more.
_KEPT = ("language",)


@dataclass(slots=True)
class _HandOver:
    """What the browser is asked to bring to a route, and where it goes then.

    ``ready`` once there is something to bring, or ``step`` where a code is to follow first.
    ``after`` is the step that this comes after; empty for the first one.
    """

    url: str
    next_path: str
    # Whose connection asked for it; nobody else is shown it.
    cookie: str | None
    ticket: str = ""
    codes: tuple[str, ...] = ()
    ready: bool = False
    after: str = ""
    step: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    id: str = field(default_factory=lambda: secrets.token_hex(8))


@st.cache_resource
def _accounts(_store: Store) -> Accounts:
    return use_cases.over(current(), _store)


def accounts(store: Store) -> Accounts:
    """The use cases of accounts, one of them for the whole process."""
    return _accounts(store)


def _cookie() -> str | None:
    return _cookie_of(cookie_name(current()))


def _cookie_of(name: str) -> str | None:
    found = st.context.cookies.get(name)
    return found if isinstance(found, str) else None


def proof() -> str | None:
    """The cookie by which a provider has proven an e-mail to this browser, if there is one."""
    return _cookie_of(proof_cookie_name(current())) if current().oidc else None


def session(store: Store) -> Session | None:
    """Who is signed in now, and by which token: read from the store at every call.

    Raises StoreError: where nothing can be read, nobody is signed in.
    """
    cookie = _cookie()
    found = None if cookie is None else accounts(store).session(cookie)
    owner = None if found is None else found.token.id
    if st.session_state.get(_OWNER, owner) != owner:
        _await_opening()
        _forget()
    if owner is not None:
        st.session_state[_OWNER] = owner
    return found


def user(store: Store) -> User | None:
    """Who is signed in now; see ``session``."""
    found = session(store)
    return None if found is None else found.user


def _await_opening() -> None:
    """Where this session ended because a first click is opening another, go on with that."""
    wanted = st.session_state.get(_HANDING)
    if isinstance(wanted, _HandOver) and wanted.cookie == _cookie():
        with wanted.lock:
            opened = wanted.ready
        if opened:
            st.rerun()


def _forget() -> None:
    kept = {name: st.session_state[name] for name in _KEPT if name in st.session_state}
    st.session_state.clear()
    for name, value in kept.items():
        st.session_state[name] = value


def client(texts: Texts) -> Client:
    """Who asks, for limits and for the language of e-mails."""
    address = st.context.ip_address
    return Client(network_of(address if isinstance(address, str) else None), texts.language)


def to_provider(next_path: str) -> None:
    """Let the browser go to the provider to sign in, and to a page when that is done."""
    wanted = _HandOver(PROVIDER, SIGN_IN_PATH, _cookie(), ticket=next_path, ready=True)
    st.session_state[_HANDING] = wanted


def begin_anew() -> None:
    """Forget what was begun, so that the next ``begin`` does not go on with it."""
    st.session_state.pop(_HANDING, None)


def begin(opened: Callable[[], Opened], next_path: str = "/", after: str = "") -> NoReturn:
    """Start a session by what ``opened`` does: a ticket, and perhaps recovery codes to show.

    The next run hands the ticket to the browser, and codes are shown until one has noted
    them. A second click begins a run beside the first one, whose state is lost: it waits
    for what the first one opens, and goes on with it; that may be the question for a code,
    to be answered by another ``begin``, ``after`` this step. Raises what ``opened`` raises.
    """
    wanted = st.session_state.get(_HANDING)
    if (
        not isinstance(wanted, _HandOver)
        or wanted.cookie != _cookie()
        or (wanted.url, wanted.after) != (START, after)
    ):
        wanted = _HandOver(START, next_path, _cookie(), after=after)
        st.session_state[_HANDING] = wanted
    with wanted.lock:
        if wanted.step:
            raise CodeNeeded(wanted.step)
        if not wanted.ready:
            try:
                answer = opened()
            except CodeNeeded as needed:
                wanted.step = needed.step
                raise
            wanted.ticket, wanted.codes = (answer, ()) if isinstance(answer, str) else answer
            wanted.next_path, wanted.ready = next_path, True
    st.rerun()


def end(found: Session, store: Store, next_path: str = "/") -> None:
    """End this session, at once and everywhere its cookie may have been copied to."""
    accounts(store).sign_out(found.token)
    leave(next_path)


def leave(next_path: str = "/") -> None:
    """Let the browser drop the cookie of a session that has ended."""
    _forget()
    st.session_state[_HANDING] = _HandOver(END, next_path, _cookie(), ready=True)


def hand_over(texts: Texts) -> bool:
    """Draw what ``begin`` or ``leave`` asked for; True while the browser is at it.

    The browser loads the next page itself: only a new connection shows a new cookie.
    """
    wanted = st.session_state.get(_HANDING)
    if not isinstance(wanted, _HandOver) or not wanted.ready:
        return False
    if wanted.cookie != _cookie():
        _forget()
        return False
    starting = wanted.url != END
    if wanted.codes:
        _show_codes(texts, wanted.codes)
    else:
        st.markdown(texts("account.signing_in" if starting else "account.signing_out"))
    failed = components.session(
        {
            "url": wanted.url,
            "ticket": wanted.ticket,
            "next": wanted.next_path,
            "id": wanted.id,
            "header": OWN_HEADER,
            "label": texts("second.codes_kept") if wanted.codes else "",
        },
        key="session",
    )
    if failed == wanted.id:
        _forget()
        st.session_state[NOTICE] = "account.session_failed"
        st.rerun()
    return True


def _show_codes(texts: Texts, codes: tuple[str, ...]) -> None:
    st.subheader(texts("second.codes_title"))
    st.markdown(texts("second.codes_intro"))
    st.code("\n".join(codes), language=None)


def guarded(
    store: Callable[[], Store], action: Action, of: policy.Owned | str | None = None
) -> Callable[[Callable[Concatenate[User, P], None]], Callable[P, None]]:
    """For callbacks and fragments: these run without the page, and so without its guard.

    What is decorated gets who is signed in, now, as its first argument. What is not allowed
    is not done, and the page says so. ``of`` is the item, or whose it is; one's own account
    where it is None.
    """

    def decorate(call: Callable[Concatenate[User, P], None]) -> Callable[P, None]:
        @functools.wraps(call)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                who = user(store())
                allowed = policy.require(who, action, of or (who.id if who else None))
            except CityVerseError as error:
                log.info("%s was refused: %s", action, error)
                st.session_state[NOTICE] = error.key
                return
            call(allowed, *args, **kwargs)

        return wrapper

    return decorate
