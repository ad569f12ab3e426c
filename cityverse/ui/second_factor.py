"""The second factor in one's own account: switching it on and off, and recovery codes."""

from __future__ import annotations

import streamlit as st

from cityverse.accounts import second_factor
from cityverse.accounts.accounts import Accounts
from cityverse.domain.people import SecondFactor, User
from cityverse.errors import CityVerseError
from cityverse.ui import sign_in, signed_in
from cityverse.ui.shell import Page

# The secret that is being set up: it opens nothing before a code of it was confirmed.
_SETTING_UP = "second_factor_secret"
_PASSWORD_MOST = 1024
_PICTURE_WIDTH = 240


def draw(page: Page, user: User) -> None:
    """Draw this part of the account, for who is signed in."""
    texts = page.texts
    with st.container(border=True, key="second_factor"):
        st.subheader(texts("second.title"))
        secret = st.session_state.get(_SETTING_UP)
        if user.second_factor is not None:
            st.session_state.pop(_SETTING_UP, None)
            _manage(page, user, user.second_factor)
        elif secret is not None:
            _set_up(page, user, secret)
        else:
            st.caption(texts("second.off"))
            st.button(texts("second.begin"), icon=":material/key:", on_click=_begin)


def _begin() -> None:
    st.session_state[_SETTING_UP] = second_factor.new_secret()


def _cancel() -> None:
    st.session_state.pop(_SETTING_UP, None)


def _accounts(page: Page) -> Accounts:
    return signed_in.accounts(page.store)


def _set_up(page: Page, user: User, secret: str) -> None:
    texts = page.texts
    st.markdown(texts("second.scan"))
    picture = second_factor.picture(secret, user.email or "")
    st.image(picture, width=_PICTURE_WIDTH)
    st.caption(texts("second.key"))
    grouped = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    st.code(grouped, language=None, wrap_lines=True)
    with st.form("second_factor_form", border=False):
        code = sign_in.code_input(page, "second.code", "second_factor_code")
        password = _password(page, "second_factor_password")
        wanted = st.form_submit_button(texts("second.confirm"), type="primary")
    st.button(texts("second.cancel"), on_click=_cancel)
    if not wanted:
        return
    switch_on, client = _accounts(page).switch_on, signed_in.client(texts)
    try:
        signed_in.begin(lambda: switch_on(user, secret, password, code, client), "/Profile")
    except CityVerseError as error:
        sign_in.say(page, error)


def _manage(page: Page, user: User, factor: SecondFactor) -> None:
    texts = page.texts
    st.markdown(texts("second.on", day=texts.moment(factor.since, page.now)))
    st.caption(texts("second.left", number=len(factor.recovery)))
    with st.expander(texts("second.manage"), icon=":material/key:"):
        with st.form("second_factor_manage", border=False):
            password = _password(page, "second_factor_password")
            code = sign_in.code_input(page, "second.code_any", "second_factor_code")
            with st.container(horizontal=True):
                renews = st.form_submit_button(texts("second.renew"))
                ends = st.form_submit_button(texts("second.switch_off"))
        if renews or ends:
            _change(page, user, password, code, ends=ends)


def _change(page: Page, user: User, password: str, code: str, *, ends: bool) -> None:
    use_cases, client = _accounts(page), signed_in.client(page.texts)
    try:
        if ends:
            use_cases.switch_off(user, password, code, client)
            st.session_state[signed_in.NOTICE] = "second.switched_off"
        else:
            renew = use_cases.new_recovery_codes
            signed_in.begin(lambda: renew(user, password, code, client), "/Profile")
    except CityVerseError as error:
        sign_in.say(page, error)
        return
    st.rerun()


def _password(page: Page, key: str) -> str:
    return st.text_input(
        page.texts("account.password_present"),
        type="password",
        max_chars=_PASSWORD_MOST,
        autocomplete="current-password",
        key=key,
    )
