"""What every page begins with: its set-up, its language, its store and the sidebar."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import streamlit as st

from cityverse.community.city import Period
from cityverse.data.store import Store, connect
from cityverse.errors import CityVerseError
from cityverse.settings import current
from cityverse.ui import components, server
from cityverse.ui.address import SEARCH_LONGEST
from cityverse.ui.texts import DEFAULT, LANGUAGES, Texts

log = logging.getLogger(__name__)

LANGUAGE_COOKIE = "cityverse_language"
_ICON = Path(__file__).parents[2] / "static" / "icon.svg"


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page of the sidebar: its script, its URL path, its icon and the key of its title."""

    script: str
    path: str
    icon: str
    title: str


HOME_TITLE = "nav.home"
PAGES = (
    PageLink("Home.py", "/", ":material/map:", HOME_TITLE),
    PageLink("pages/Feed.py", "/Feed", ":material/dynamic_feed:", "nav.feed"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page needs to draw itself."""

    texts: Texts
    store: Store
    now: datetime
    theme: Literal["light", "dark"]
    language: str


@st.cache_resource
def _store() -> Store:
    """One connection for the whole process.

    By now all modules are imported: taking them out of the garbage collector's
    sight makes each rerun several times cheaper.
    """
    gc.collect()
    gc.freeze()
    return connect(current())


def show(title: str, draw: Callable[[Page], None]) -> None:
    """Set a page up, draw its sidebar, then the page itself.

    Errors of the store become a message on the page, with what to do.
    """
    texts = Texts(_language())
    st.set_page_config(
        page_title=f"{texts(title)} · CityVerse", page_icon=str(_ICON), layout="wide"
    )
    st.html(_STYLE)
    _sidebar(texts)
    if st.session_state.pop("search_submitted", False) and title != HOME_TITLE:
        st.switch_page("Home.py")
    _say_how_to_start(texts)
    try:
        draw(Page(texts, _store(), datetime.now(UTC), _theme(), texts.language))
    except CityVerseError as error:
        log.warning("page %s: %s", title, error)
        st.error(texts.error(error), icon=":material/error:")
        if st.button(texts("error.retry"), icon=":material/refresh:"):
            st.rerun()


# The map wants the width; headings and paddings of a document are too generous here.
_STYLE = """
<style>
.block-container { padding: 3.6rem 2rem 2rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
h1:not(.unseen) { font-size: 1.6rem !important; padding: 0 0 0.4rem !important; }
@media (max-width: 640px) {
  .block-container { padding-left: 0.8rem; padding-right: 0.8rem; }
  .st-key-map iframe, .st-key-map [data-testid="stDeckGlJsonChart"] { height: 58vh !important; }
}
[data-testid="stHtml"] a { color: inherit; font-weight: 600; }
mark { background: #ffd97a; color: #20242e; border-radius: 3px; padding: 0 2px; }
</style>
"""


def _language() -> str:
    """The choice made in this session, else in this browser, else French."""
    cookie = st.context.cookies.get(LANGUAGE_COOKIE)
    chosen = st.session_state.get("language", cookie)
    return chosen if isinstance(chosen, str) and chosen in LANGUAGES else DEFAULT


def _theme() -> Literal["light", "dark"]:
    return "dark" if st.context.theme.type == "dark" else "light"


def _sidebar(texts: Texts) -> None:
    if "q" not in st.session_state and "q" in st.query_params:
        st.session_state["q"] = st.query_params["q"][:SEARCH_LONGEST]
    with st.sidebar:
        st.markdown("### :material/location_city: CityVerse")
        st.text_input(
            texts("search.label"),
            key="q",
            type="search",
            placeholder=texts("search.placeholder"),
            icon=":material/search:",
            max_chars=SEARCH_LONGEST,
            persist_state="session",
            on_change=_search_submitted,
        )
        for link in PAGES:
            st.page_link(link.script, label=texts(link.title), icon=link.icon)
        st.divider()
        _preferences(texts)


def _search_submitted() -> None:
    """The results stand on the first page, wherever one searches, and from all times."""
    st.session_state["search_submitted"] = True
    if st.session_state["q"]:
        st.session_state["period"] = Period.ALL


def _preferences(texts: Texts) -> None:
    chosen = components.preferences(
        {
            "language": texts.language,
            "languageLabel": texts("preferences.language"),
            "languages": [[code, texts(f"preferences.languages.{code}")] for code in LANGUAGES],
            "themeLabel": texts("preferences.theme"),
            "themes": [
                [name, texts(f"preferences.themes.{name}")] for name in ("system", "light", "dark")
            ],
            "paths": [link.path for link in PAGES],
        },
        key="preferences",
    )
    if chosen in LANGUAGES and chosen != texts.language:
        st.session_state["language"] = chosen
        st.rerun()


def _say_how_to_start(texts: Texts) -> None:
    """Without the routes of app.py there are no buildings."""
    if not server.started():
        st.warning(texts("start.hint"), icon=":material/info:")
