"""One's own account: name, e-mail, password, sessions, and its end."""

from __future__ import annotations

import streamlit as st

from cityverse.accounts.accounts import Accounts
from cityverse.domain.people import EMAIL_LONGEST, NAME_LONGEST, User
from cityverse.errors import CityVerseError
from cityverse.ui import (
    authenticator,
    digesting,
    home_place,
    markup,
    second_factor,
    sign_in,
    signed_in,
)
from cityverse.ui.shell import Page

_PASSWORD_MOST = 1024


def draw(page: Page) -> None:
    """Draw the whole page, for who is signed in."""
    user = page.user
    if user is None:
        return
    with sign_in.column():
        st.title(page.texts("profile.title"))
        _identity(page, user)
        home_place.draw(page, user)
        digesting.draw(page, user)
        _email(page, user)
        _password(page, user)
        second_factor.draw(page, user)
        _sessions(page, user)
        _delete(page, user)


def _accounts(page: Page) -> Accounts:
    return signed_in.accounts(page.store)


def _identity(page: Page, user: User) -> None:
    texts = page.texts
    with st.form("identity_form"):
        st.subheader(texts("profile.identity"))
        first, last = st.columns(2)
        first_name = first.text_input(
            texts("account.first_name"),
            user.first_name,
            max_chars=NAME_LONGEST,
            autocomplete="given-name",
        )
        last_name = last.text_input(
            texts("account.last_name"),
            user.last_name,
            max_chars=NAME_LONGEST,
            autocomplete="family-name",
        )
        wanted = st.form_submit_button(texts("profile.save"))
    if not wanted:
        return
    try:
        _accounts(page).rename(user, first_name, last_name)
    except CityVerseError as error:
        sign_in.say(page, error)
        return
    st.session_state[signed_in.NOTICE] = "profile.saved"
    st.rerun()


def _email(page: Page, user: User) -> None:
    texts = page.texts
    with st.form("email_form"):
        st.subheader(texts("profile.email"))
        st.caption(texts("profile.email_now", email=markup.literal(user.email or "")))
        email = st.text_input(
            texts("profile.email_new"), max_chars=EMAIL_LONGEST, autocomplete="email"
        )
        password = _present_password(page, "email_password")
        wanted = st.form_submit_button(texts("profile.email_change"))
    if not wanted:
        return
    try:
        _accounts(page).ask_email(user, email, password, signed_in.client(texts))
    except CityVerseError as error:
        sign_in.say(page, error)
        return
    st.success(
        texts("account.sent_email", email=markup.literal(email.strip())), icon=":material/mail:"
    )
    sign_in.say_outbox(page)


def _password(page: Page, user: User) -> None:
    if user.password_hash is None:
        _first_password(page, user)
        return
    try:
        typed = authenticator.change_password(page.texts, key="password_form")
        if typed is None:
            return
        change, client = _accounts(page).change_password, signed_in.client(page.texts)
        signed_in.begin(lambda: change(user, *typed, client), "/Profile")
    except CityVerseError as error:
        sign_in.say(page, error)


def _first_password(page: Page, user: User) -> None:
    """Who signs in by a provider has no password, which some of what is here asks for."""
    texts = page.texts
    with st.container(border=True):
        st.subheader(texts("profile.password"))
        st.markdown(texts("provider.no_password"))
        wanted = st.button(texts("account.send"), key="first_password", icon=":material/mail:")
    if not wanted:
        return
    try:
        _accounts(page).ask_reset(user.email or "", signed_in.client(texts))
    except CityVerseError as error:
        sign_in.say(page, error)
        return
    email = markup.literal(user.email or "")
    st.success(texts("account.sent_reset", email=email), icon=":material/mail:")
    sign_in.say_outbox(page)


def _sessions(page: Page, user: User) -> None:
    texts = page.texts
    with st.container(border=True):
        st.subheader(texts("profile.sessions"))
        st.caption(texts("profile.sessions_intro"))
        wanted = st.button(texts("profile.sessions_end"), icon=":material/logout:")
    if not wanted:
        return
    _accounts(page).sign_out_everywhere(user)
    signed_in.leave("/SignIn")
    st.rerun()


def _delete(page: Page, user: User) -> None:
    texts = page.texts
    with st.expander(texts("profile.delete"), icon=":material/delete:"):
        with st.form("delete_form", border=False):
            st.markdown(texts("profile.delete_intro"))
            typed = st.text_input(
                texts("profile.delete_type", email=markup.literal(user.email or "")),
                max_chars=EMAIL_LONGEST,
                autocomplete="off",
            )
            password = _present_password(page, "delete_password")
            wanted = st.form_submit_button(texts("profile.delete_do"))
        if wanted:
            _delete_confirmed(page, user, typed, password)


def _delete_confirmed(page: Page, user: User, typed: str, password: str) -> None:
    texts = page.texts
    if typed.strip() != user.email:
        st.error(texts("profile.delete_differs"), icon=":material/error:")
        return
    try:
        _accounts(page).delete(user, password, signed_in.client(texts))
    except CityVerseError as error:
        sign_in.say(page, error)
        return
    signed_in.leave("/")
    st.rerun()


def _present_password(page: Page, key: str) -> str:
    return st.text_input(
        page.texts("account.password_present"),
        type="password",
        max_chars=_PASSWORD_MOST,
        autocomplete="current-password",
        key=key,
    )
