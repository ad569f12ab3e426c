"""Doing something from a callback, and saying on the next run what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from cityverse.errors import CityVerseError
from cityverse.ui.shell import Page

_FAILURE, _DONE = "act_failure", "act_done"


def attempt(act: Callable[[], object], done: str | None = None) -> bool:
    """Do something; ``done`` is the key of the text that says so. False when it failed."""
    try:
        act()
    except CityVerseError as error:
        st.session_state[_FAILURE] = error
        return False
    if done is not None:
        st.session_state[_DONE] = done
    return True


def say(page: Page) -> None:
    """Draw what the last act came to, once."""
    failure = st.session_state.pop(_FAILURE, None)
    done = st.session_state.pop(_DONE, None)
    if isinstance(failure, CityVerseError):
        st.error(page.texts.error(failure), icon=":material/error:")
    elif isinstance(done, str):
        st.success(page.texts(done), icon=":material/check_circle:")


def now() -> datetime:
    """The present moment; a callback runs later than the page it was drawn by."""
    return datetime.now(UTC)
