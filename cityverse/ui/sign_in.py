"""The page on which one signs in, signs up, and arrives by a link from an e-mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st

from cityverse.accounts.accounts import OPEN_ROLES, TERMS_VERSION, Accounts, SignUp
from cityverse.accounts.mail import OUTBOX
from cityverse.accounts.second_factor import CODE_LONGEST
from cityverse.accounts.tokens import Proof
from cityverse.domain.people import EMAIL_LONGEST, NAME_LONGEST, Link, Purpose, Role
from cityverse.errors import (
    AccountNeeded,
    CityVerseError,
    CodeNeeded,
    PasswordNeeded,
    StepExpired,
    StoreError,
)
from cityverse.settings import current
from cityverse.ui import authenticator, markup, signed_in
from cityverse.ui.shell import HOME_TITLE, PAGES, PROFILE, SIGN_IN, Page

_WIDTH = 560
_SENT = "account_sent"
# The password was right: the step to the code, and where one goes then.
_STEP = "account_step"
_CAME_TO_NOTHING: Final = {
    "cancelled": "provider.cancelled",
    "unverified": "provider.unverified",
    "unavailable": "provider.unavailable",
    "refused": "provider.refused",
    "limited": "provider.limited",
}
_WAYS: Final = ("account.sign_in", "account.sign_up", "account.forgotten")
_PASSWORD_INPUT_MOST = 1024


def draw(page: Page) -> None:
    """Draw the whole page."""
    with column():
        st.title(page.texts("account.title"))
        token = st.query_params.get("link")
        sent = st.session_state.get(_SENT)
        proof = signed_in.proof()
        step = st.session_state.get(_STEP)
        if step is not None and page.user is None:
            _ask_code(page, *step)
        elif token is not None:
            _land(page, token)
        elif sent is not None:
            show_sent(page, *sent)
        elif page.user is not None:
            _already(page)
        elif proof is not None and _arrive(page, proof):
            pass
        else:
            _choose(page)


@contextmanager
def column() -> Iterator[None]:
    """A column of the width of a form, in the middle."""
    with st.container(horizontal_alignment="center"), st.container(width=_WIDTH, key="account"):
        yield


def next_path() -> str:
    """The page one came from; the first page where one came from nowhere."""
    came_from = st.session_state.get("came_from")
    return next((link.path for link in PAGES if link.path == came_from), "/")


def say(page: Page, error: CityVerseError) -> None:
    """Say what went wrong with a form; what was typed stays. Raises what the page says."""
    if isinstance(error, StoreError):
        st.error(page.texts.error(error), icon=":material/cloud_off:")
    else:
        st.error(page.texts.error(error), icon=":material/error:")


def sent(key: str, email: str) -> None:
    """From the next run on, say that a message is on its way."""
    st.session_state[_SENT] = (key, email)


def show_sent(page: Page, key: str, email: str) -> None:
    """Say that a message is on its way, and where it is on a machine that sends none."""
    texts = page.texts
    st.subheader(texts("account.sent_title"))
    st.success(texts(key, email=markup.literal(email)), icon=":material/mail:")
    say_outbox(page)
    st.button(texts("account.back"), icon=":material/arrow_back:", on_click=_back)


def say_outbox(page: Page) -> None:
    """Where messages are on a machine that sends none."""
    settings = current()
    if settings.mail == "outbox":
        folder = markup.literal(str(settings.data_dir / OUTBOX))
        st.info(page.texts("account.outbox", folder=folder), icon=":material/folder:")


def _back() -> None:
    st.session_state.pop(_SENT, None)


def _already(page: Page) -> None:
    texts = page.texts
    email = markup.literal((page.user and page.user.email) or "")
    st.info(texts("account.already", email=email), icon=":material/check_circle:")
    home = next(link for link in PAGES if link.title == HOME_TITLE)
    for link in (home, PROFILE):
        st.page_link(link.script, label=texts(link.title), icon=link.icon)


def _choose(page: Page) -> None:
    texts = page.texts
    _offer_provider(page)
    way = st.segmented_control(
        texts("account.choose"),
        _WAYS,
        default=_WAYS[0],
        format_func=texts,
        label_visibility="collapsed",
        required=True,
        key="account_way",
        width="stretch",
    )
    ways: dict[str, Callable[[Page], None]] = dict(
        zip(_WAYS, (_sign_in, _sign_up, _forgotten), strict=True)
    )
    ways[way](page)


def _sign_in(page: Page, next_page: str | None = None) -> None:
    typed = authenticator.sign_in(page.texts, key="sign_in_form")
    if typed is None:
        return
    open_, client = _accounts(page).sign_in, signed_in.client(page.texts)
    _begin(page, lambda: open_(*typed, client), next_page or next_path())


def _ask_code(page: Page, step: str, path: str) -> None:
    texts = page.texts
    with st.form("code_form"):
        st.subheader(texts("second.ask_title"))
        st.markdown(texts("second.ask_intro"))
        code = code_input(page, "second.code_any", "sign_in_code")
        wanted = st.form_submit_button(texts("second.enter"), type="primary")
    st.button(texts("second.again"), icon=":material/arrow_back:", on_click=_forget_step)
    if not wanted:
        return
    open_, client = _accounts(page).enter_code, signed_in.client(texts)
    try:
        signed_in.begin(lambda: open_(step, code, client), path, after=step)
    except StepExpired:
        _forget_step()
        st.session_state[signed_in.NOTICE] = StepExpired.key
        st.rerun()
    except CityVerseError as error:
        say(page, error)


def code_input(page: Page, label: str, key: str) -> str:
    """Draw the field of a code; answers with what was typed."""
    return st.text_input(
        page.texts(label), max_chars=CODE_LONGEST, autocomplete="one-time-code", key=key
    )


def _forget_step() -> None:
    st.session_state.pop(_STEP, None)
    signed_in.begin_anew()


def _begin(page: Page, opened: Callable[[], str], path: str) -> None:
    """Start a session; ask for a code where one is needed; say what went wrong."""
    try:
        signed_in.begin(opened, path)
    except CodeNeeded as needed:
        st.query_params.clear()
        st.session_state[_STEP] = (needed.step, path)
        st.rerun()
    except CityVerseError as error:
        say(page, error)


def _role(page: Page) -> Role:
    return st.radio(
        page.texts("account.i_am"),
        OPEN_ROLES,
        format_func=lambda role: page.texts(f"role.{role}"),
        horizontal=True,
        key="sign_up_role",
    )


def _form(page: Page, role: Role) -> SignUp | None:
    """Draw what is asked of somebody new; answers with it when it is sent."""
    texts = page.texts
    consents = st.checkbox(texts("account.consents", version=TERMS_VERSION), key="sign_up_consents")
    try:
        return authenticator.sign_up(texts, role, "sign_up_form", consents=consents)
    except CityVerseError as error:
        say(page, error)
        return None


def _sign_up(page: Page) -> None:
    form = _form(page, _role(page))
    if form is None:
        return
    try:
        _accounts(page).sign_up(form, signed_in.client(page.texts))
    except CityVerseError as error:
        say(page, error)
        return
    sent("account.sent_sign_up", form.email)
    st.rerun()


def _forgotten(page: Page) -> None:
    texts = page.texts
    with st.form("forgotten_form"):
        st.subheader(texts("account.forgotten"))
        st.caption(texts("account.reset_intro"))
        email = st.text_input(texts("account.email"), max_chars=EMAIL_LONGEST, autocomplete="email")
        wanted = st.form_submit_button(texts("account.send"), type="primary")
    if not wanted:
        return
    try:
        _accounts(page).ask_reset(email, signed_in.client(texts))
    except CityVerseError as error:
        say(page, error)
        return
    sent("account.sent_reset", email)
    st.rerun()


def _accounts(page: Page) -> Accounts:
    return signed_in.accounts(page.store)


# By a provider


def _offer_provider(page: Page) -> None:
    """The way by a provider, where one is set; and why the last try came to nothing."""
    texts, settings = page.texts, current()
    if not settings.oidc:
        return
    why = _CAME_TO_NOTHING.get(st.query_params.get("provider", ""))
    if why is not None:
        st.error(texts(why, name=markup.literal(settings.oidc)), icon=":material/error:")
    with st.container(border=True):
        st.button(
            texts("provider.go", name=markup.literal(settings.oidc)),
            icon=":material/passkey:",
            width="stretch",
            key="to_provider",
            on_click=signed_in.to_provider,
            args=(next_path(),),
        )
        st.caption(texts("provider.intro"))


def _arrive(page: Page, cookie: str) -> bool:
    """Go on with an e-mail that the provider has proven; False where that cannot be used."""
    accounts = _accounts(page)
    proof = accounts.proven(cookie)
    if proof is None:
        return False
    path = next((link.path for link in PAGES if link.path == proof.next_path), "/")
    try:
        signed_in.begin(lambda: accounts.enter_by(cookie), path)
    except CodeNeeded as needed:
        st.session_state[_STEP] = (needed.step, path)
        st.rerun()
    except PasswordNeeded:
        _ask_password(page, cookie, proof, path)
    except AccountNeeded:
        _ask_names(page, cookie, proof, path)
    except StepExpired:
        return False
    except CityVerseError as error:
        say(page, error)
        _leave_proof(page)
    return True


def _ask_password(page: Page, cookie: str, proof: Proof, path: str) -> None:
    texts = page.texts
    with st.form("join_form"):
        st.subheader(texts("landing.confirm_title"))
        st.markdown(texts("provider.join_intro", email=markup.literal(proof.email)))
        password = _password("account.password", page, "current-password")
        wanted = st.form_submit_button(texts("landing.confirm"), type="primary")
    _leave_proof(page)
    if wanted:
        join, client = _accounts(page).join, signed_in.client(texts)
        _begin(page, lambda: join(cookie, password, client), path)


def _ask_names(page: Page, cookie: str, proof: Proof, path: str) -> None:
    texts = page.texts
    role = _role(page)
    with st.form("provider_form"):
        st.subheader(texts("account.sign_up"))
        st.markdown(texts("provider.sign_up_intro", email=markup.literal(proof.email)))
        first, last = (
            st.text_input(
                texts(f"account.{name}"), given, max_chars=NAME_LONGEST, autocomplete=autocomplete
            )
            for name, given, autocomplete in (
                ("first_name", proof.first_name, "given-name"),
                ("last_name", proof.last_name, "family-name"),
            )
        )
        consents = st.checkbox(texts("account.consents", version=TERMS_VERSION))
        wanted = st.form_submit_button(texts("account.create"), type="primary")
    _leave_proof(page)
    if wanted:
        form = SignUp(proof.email, "", first, last, role, consents)
        create, client = _accounts(page).sign_up_by, signed_in.client(texts)
        _begin(page, lambda: create(cookie, form, client), path)


def _leave_proof(page: Page) -> None:
    """A button that lets the browser forget the proof."""
    st.button(
        page.texts("provider.leave"),
        icon=":material/arrow_back:",
        key="leave_proof",
        on_click=signed_in.leave,
        args=(SIGN_IN.path,),
    )


# Arriving by a link


def _land(page: Page, token: str) -> None:
    try:
        link = _accounts(page).open_link(token)
    except CityVerseError as error:
        say(page, error)
        st.page_link(SIGN_IN.script, label=page.texts(SIGN_IN.title), icon=SIGN_IN.icon)
        return
    _LANDINGS[link.purpose](page, link, token)


def _land_confirm(page: Page, link: Link, token: str) -> None:
    texts = page.texts
    with st.form("confirm_form"):
        st.subheader(texts("landing.confirm_title"))
        st.markdown(texts("landing.confirm_intro", email=markup.literal(link.email or "")))
        password = _password("account.password", page, "current-password")
        wanted = st.form_submit_button(texts("landing.confirm"), type="primary")
    if wanted:
        confirm, client = _accounts(page).confirm, signed_in.client(texts)
        _begin(page, lambda: confirm(token, password, client), "/")


def _land_reset(page: Page, link: Link, token: str) -> None:
    texts = page.texts
    with st.form("reset_form"):
        st.subheader(texts("landing.reset_title"))
        st.markdown(texts("landing.reset_intro", email=markup.literal(link.email or "")))
        password = _password("account.password_new", page, "new-password", with_help=True)
        again = _password("account.password_again", page, "new-password")
        wanted = st.form_submit_button(texts("landing.reset"), type="primary")
    if not wanted:
        return
    if password != again:
        st.error(texts("account.different"), icon=":material/error:")
        return
    reset, client = _accounts(page).reset, signed_in.client(texts)
    _begin(page, lambda: reset(token, password, client), "/")


def _land_email(page: Page, link: Link, token: str) -> None:
    texts = page.texts
    email = markup.literal(link.email or "")
    st.subheader(texts("landing.email_title"))
    st.markdown(texts("landing.email_intro", email=email))
    if not st.button(texts("landing.email"), type="primary"):
        return
    try:
        _accounts(page).change_email(token)
    except CityVerseError as error:
        say(page, error)
        return
    st.success(texts("landing.email_done", email=email), icon=":material/check_circle:")


def _land_claim(page: Page, _: Link, token: str) -> None:
    texts = page.texts
    st.subheader(texts("landing.claim_title"))
    st.markdown(texts("landing.claim_intro"))
    if page.user is not None:
        _claim_as_known(page, token)
    elif st.toggle(texts("landing.claim_sign_in"), key="claim_sign_in"):
        _sign_in(page, f"{SIGN_IN.path}?link={token}")
    else:
        _claim_as_new(page, token)


def _claim_as_known(page: Page, token: str) -> None:
    if not st.button(page.texts("landing.claim"), type="primary"):
        return
    try:
        _accounts(page).claim(page.user, token)
    except CityVerseError as error:
        say(page, error)
        return
    st.query_params.clear()
    st.session_state[signed_in.NOTICE] = "landing.claim_done"
    st.rerun()


def _claim_as_new(page: Page, token: str) -> None:
    form = _form(page, Role.RESIDENT)
    if form is None:
        return
    claim = _accounts(page).claim_as_new
    _begin(page, lambda: claim(form, token), "/")


_LANDINGS: Final[dict[Purpose, Callable[[Page, Link, str], None]]] = {
    Purpose.CONFIRM: _land_confirm,
    Purpose.RESET: _land_reset,
    Purpose.EMAIL: _land_email,
    Purpose.CLAIM: _land_claim,
}


def _password(key: str, page: Page, autocomplete: str, *, with_help: bool = False) -> str:
    return st.text_input(
        page.texts(key),
        type="password",
        max_chars=_PASSWORD_INPUT_MOST,
        autocomplete=autocomplete,
        help=page.texts("account.password_help") if with_help else None,
    )
