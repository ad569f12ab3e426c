"""The server: ``streamlit run app.py`` (``make run`` does this and all around it)."""

import streamlit as st

from cityverse.processes import follow_parent
from cityverse.settings import current
from cityverse.ui import server

follow_parent()
app = st.App("Home.py", routes=server.routes(current()), middleware=server.middleware(current()))
