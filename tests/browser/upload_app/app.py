"""A page with nothing but the upload of a video, as one who is signed in meets it."""

import sys
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[3]))

from cityverse.settings import current
from cityverse.ui import media

app = st.App("page.py", routes=media.routes(current()))
