"""The forms of streamlit-authenticator, over our own accounts.

Its widgets draw and check what was typed; whatever it keeps, hashes, counts or sends
itself is replaced: the model is ours, there is no cookie of its own, no waiting, and no
state that says somebody is signed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit_authenticator import Authenticate
from streamlit_authenticator.controllers import AuthenticationController
from streamlit_authenticator.utilities import RegisterError, ResetError, Validator

from cityverse.accounts.accounts import SignUp
from cityverse.domain.people import Role
from cityverse.errors import InputError
from cityverse.ui.texts import Texts

# It draws the change of a password only where this is set, and the sign-in only where not.
_STATUS = "authentication_status"
_PROBLEMS = {
    "Passwords do not match": "account.different",
    "Password/repeat password fields cannot be empty": "account.empty",
    "No new password provided": "account.empty",
    "New and current passwords are the same": "account.same",
}


class _Ours(Validator):  # type: ignore[misc]
    """Lets everything pass: the use cases check it, by the rules of the domain."""

    def validate_email(self, email: str) -> bool:
        return True

    def validate_name(self, name: str) -> bool:
        return True

    def validate_username(self, username: str) -> bool:
        return True

    def validate_password(self, password: str) -> bool:
        return True

    def validate_length(self, variable: str, min_length: int = 0, max_length: int = 0) -> bool:
        return len(variable) >= min_length


class _Model:
    """What the widgets call with what was typed."""

    def __init__(self) -> None:
        self.typed: tuple[str, ...] | None = None

    def login(self, username: str, password: str, *_: Any) -> None:
        self.typed = (username or "", password or "")

    def register_user(
        self, first_name: str, last_name: str, email: str, _: str, password: str, *__: Any
    ) -> tuple[str, str, str]:
        self.typed = (first_name, last_name, email, password)
        return email, email, first_name

    def reset_password(self, _: str, password: str, new_password: str, *__: Any) -> bool:
        self.typed = (password, new_password)
        return True


class _Controller(AuthenticationController):  # type: ignore[misc]
    def __init__(self, model: _Model) -> None:
        self.validator = _Ours()
        self.authentication_model = model


class _NoCookie:
    """Sessions are not its business."""

    def get_cookie(self) -> None:
        return None

    set_cookie = delete_cookie = get_cookie


class _Widgets(Authenticate):  # type: ignore[misc]
    def __init__(self, texts: Texts) -> None:
        self.model = _Model()
        self.path = None
        self.attrs = {
            "login_sleep_time": 0,
            "password_instructions": texts("account.password_help"),
        }
        self.cookie_controller = _NoCookie()
        self.authentication_controller = _Controller(self.model)


def sign_in(texts: Texts, key: str) -> tuple[str, str] | None:
    """Draw the form; answers with e-mail and password when it is sent, else None."""
    widgets = _Widgets(texts)
    fields = {
        "Form name": texts("account.sign_in"),
        "Username": texts("account.email"),
        "Password": texts("account.password"),
        "Login": texts("account.sign_in"),
    }
    with _status(value=False):
        widgets.login(fields=fields, key=key)
    typed = widgets.model.typed
    return None if typed is None else (typed[0], typed[1])


def sign_up(texts: Texts, role: Role, key: str, *, consents: bool) -> SignUp | None:
    """Draw the form; answers with what was filled in when it is sent, else None.

    Raises WrongInput with the key of a text.
    """
    widgets = _Widgets(texts)
    fields = {
        "Form name": texts("account.sign_up"),
        "First name": texts("account.first_name"),
        "Last name": texts("account.last_name"),
        "Email": texts("account.email"),
        "Password": texts("account.password"),
        "Repeat password": texts("account.password_again_short"),
        "Register": texts("account.create"),
    }
    draw = lambda: widgets.register_user(  # noqa: E731
        fields=fields, captcha=False, merge_username_email=True, password_hint=False, key=key
    )
    _explained(draw)
    typed = widgets.model.typed
    if typed is None:
        return None
    first_name, last_name, email, password = typed
    return SignUp(email, password, first_name, last_name, role, consents)


def change_password(texts: Texts, key: str) -> tuple[str, str] | None:
    """Draw the form; answers with the present and the new password when it is sent, else None.

    Raises WrongInput with the key of a text.
    """
    widgets = _Widgets(texts)
    fields = {
        "Form name": texts("profile.password"),
        "Current password": texts("account.password_present"),
        "New password": texts("account.password_new"),
        "Repeat password": texts("account.password_again"),
        "Reset": texts("profile.password_change"),
    }
    with _status(value=True):
        _explained(lambda: widgets.reset_password("", fields=fields, key=key))
    typed = widgets.model.typed
    return None if typed is None else (typed[0], typed[1])


class WrongInput(InputError):
    """What was typed cannot be meant; ``key`` names the text that says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key  # type: ignore[misc]


def _explained(draw: Callable[[], object]) -> None:
    try:
        draw()
    except (RegisterError, ResetError) as error:
        raise WrongInput(_PROBLEMS[str(error)]) from error


@contextmanager
def _status(*, value: bool) -> Iterator[None]:
    st.session_state[_STATUS] = value
    try:
        yield
    finally:
        st.session_state.pop(_STATUS, None)
