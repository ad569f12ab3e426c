"""Filters in the page's address: stable words, the same in every language.

Streamlit's own binding writes the labels people read, which change with the
language; here an address that one reader shares means the same to another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def restore(key: str, read: Callable[[str], Any]) -> None:
    """Give a widget, before it is drawn for the first time, what the address says.

    ``read`` raises ValueError for a word that means nothing; the widget then keeps its
    own default.
    """
    if key in st.session_state or key not in st.query_params:
        return
    try:
        st.session_state[key] = read(st.query_params[key])
    except ValueError:
        del st.query_params[key]


def write(key: str, word: str) -> None:
    """Let the address say ``word``; an empty one, which stands for the default, is left out."""
    if word == st.query_params.get(key, ""):
        return
    if word:
        st.query_params[key] = word
    else:
        del st.query_params[key]
