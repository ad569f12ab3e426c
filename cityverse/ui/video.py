"""Choosing a video and sending it to the store, on any page that knows who is signed in."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from cityverse.data.uploads import Uploads
from cityverse.errors import InvalidField
from cityverse.ui import components
from cityverse.ui.texts import Texts

_WORDS = (
    *("choose", "cancel", "preparing", "sending", "resuming", "checking"),
    *("done", "cancelled", "too_large", "refused", "failed"),
)


def choose(uploads: Uploads, owner: str, texts: Texts, key: str) -> str | None:
    """Draw the upload for ``owner``, who is signed in; answers with the id of a video once.

    ``owner`` comes from the session, never from the browser: the ticket that is made for
    the chosen file is for this person and this size.
    """
    kept = f"{key}-ticket"
    words = {name: texts(f"upload.{name}") for name in _WORDS}
    size, finished = components.upload(
        words, ticket=st.session_state.get(kept), most=uploads.bytes_most, key=key
    )
    if size is not None:
        try:
            st.session_state[kept] = uploads.mint(owner, size, datetime.now(UTC))
        except InvalidField:
            st.error(texts("upload.too_large"), icon=":material/error:")
            return None
        st.rerun()
    if finished:
        st.session_state.pop(kept, None)
    return finished
