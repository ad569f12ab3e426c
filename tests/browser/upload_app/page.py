import streamlit as st

from cityverse.data import media
from cityverse.data.store import secret
from cityverse.data.uploads import Tickets, Uploads
from cityverse.settings import current
from cityverse.ui import video
from cityverse.ui.texts import Texts


@st.cache_resource
def uploads():
    return Uploads(media.connect(current()), Tickets(secret(current())), bytes_most=40_000_000)


arrived = video.choose(uploads(), "tester", Texts("fr"), "film")
if arrived:
    st.session_state["arrived"] = arrived
if "arrived" in st.session_state:
    st.markdown(f"arrived {st.session_state['arrived']}")
