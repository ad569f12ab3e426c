"""What every page begins with: its set-up, its language, its store and the sidebar."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec

import streamlit as st

from cityverse.accounts.accounts import Session
from cityverse.community import notices
from cityverse.community.city import Period
from cityverse.data.store import Store, connect
from cityverse.domain import policy
from cityverse.domain.people import User
from cityverse.domain.policy import Action
from cityverse.errors import CityVerseError
from cityverse.settings import current
from cityverse.ui import components, markup, server, signed_in
from cityverse.ui.address import SEARCH_LONGEST
from cityverse.ui.texts import DEFAULT, LANGUAGES, Texts

P = ParamSpec("P")
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
    needs: Action = Action.READ


HOME_TITLE = "nav.home"
SIGN_IN = PageLink("pages/SignIn.py", "/SignIn", ":material/login:", "nav.sign_in")
PROFILE = PageLink(
    "pages/Profile.py",
    "/Profile",
    ":material/account_circle:",
    "nav.profile",
    Action.EDIT_ACCOUNT,
)
NOTIFICATIONS = PageLink(
    "pages/Notifications.py",
    "/Notifications",
    ":material/notifications:",
    "nav.notifications",
    Action.EDIT_ACCOUNT,
)
PRIVACY = PageLink("pages/Privacy.py", "/Privacy", ":material/shield_person:", "nav.privacy")
LEGAL = PageLink("pages/Legal.py", "/Legal", ":material/gavel:", "nav.legal")
MODERATION = PageLink("pages/Moderation.py", "/Moderation", ":material/balance:", "nav.moderation")
ASSOCIATIONS = PageLink(
    "pages/Associations.py", "/Associations", ":material/diversity_3:", "nav.associations"
)
# These stand below the others, in their own order.
_APART = frozenset({NOTIFICATIONS, SIGN_IN, PROFILE, PRIVACY, LEGAL, MODERATION})
PAGES = (
    PageLink("Home.py", "/", ":material/map:", HOME_TITLE),
    PageLink("pages/Feed.py", "/Feed", ":material/dynamic_feed:", "nav.feed"),
    ASSOCIATIONS,
    PageLink("pages/Missions.py", "/Missions", ":material/volunteer_activism:", "nav.missions"),
    PageLink("pages/Campaigns.py", "/Campaigns", ":material/favorite:", "nav.campaigns"),
    PageLink("pages/Events.py", "/Events", ":material/event:", "nav.events"),
    PageLink(
        "pages/Calendar.py", "/Calendar", ":material/calendar_month:", "nav.calendar", Action.ATTEND
    ),
    NOTIFICATIONS,
    PageLink(
        "pages/Sources.py", "/Sources", ":material/rss_feed:", "nav.sources", Action.MANAGE_SOURCES
    ),
    PageLink(
        "pages/Places.py",
        "/Places",
        ":material/wrong_location:",
        "nav.places",
        Action.DECIDE_PLACES,
    ),
    PageLink(
        "pages/Buildings.py",
        "/Buildings",
        ":material/location_city:",
        "nav.buildings",
        Action.MANAGE_MAP,
    ),
    SIGN_IN,
    PROFILE,
    PRIVACY,
    LEGAL,
    MODERATION,
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page needs to draw itself."""

    texts: Texts
    store: Store
    now: datetime
    theme: Literal["light", "dark"]
    language: str
    session: Session | None = None

    @property
    def user(self) -> User | None:
        """Who is signed in, as the store knew them when this run began."""
        return None if self.session is None else self.session.user


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
    """Set a page up, draw its sidebar, then the page itself for those who may see it.

    Errors of the store become a message on the page, with what to do.
    """
    texts = Texts(_language())
    st.set_page_config(
        page_title=f"{texts(title)} · CityVerse", page_icon=str(_ICON), layout="wide"
    )
    st.html(_STYLE)
    if signed_in.hand_over(texts):
        return
    link = next(link for link in PAGES if link.title == title)
    session, failure = _session()
    _sidebar(texts, session)
    if st.session_state.pop("search_submitted", False) and title != HOME_TITLE:
        st.switch_page("Home.py")
    _say_how_to_start(texts)
    _notice(texts)
    _say_what_is_withheld(texts, session, link)
    try:
        if failure is not None:
            raise failure
        page = Page(texts, _store(), datetime.now(UTC), _theme(), texts.language, session)
        if _admitted(page, link):
            draw(page)
    except CityVerseError as error:
        log.warning("page %s: %s", title, error)
        st.error(texts.error(error), icon=":material/error:")
        if st.button(texts("error.retry"), icon=":material/refresh:"):
            st.rerun()


def _session() -> tuple[Session | None, CityVerseError | None]:
    """Who is signed in; nobody where that cannot be read, with the reason."""
    try:
        return signed_in.session(_store()), None
    except CityVerseError as error:
        return None, error


def guarded(
    action: Action, of: policy.Owned | str | None = None
) -> Callable[[Callable[Concatenate[User, P], None]], Callable[P, None]]:
    """For callbacks and fragments; see ``signed_in.guarded``."""
    return signed_in.guarded(_store, action, of)


def _admitted(page: Page, link: PageLink) -> bool:
    """Whether who is here may see the page; else it says what to do."""
    if link is not SIGN_IN:
        st.session_state["came_from"] = link.path
    user = page.user
    if policy.may(user, link.needs, user.id if user else None):
        return True
    if user is None:
        st.info(page.texts("error.not_signed_in"), icon=":material/lock:")
        st.page_link(SIGN_IN.script, label=page.texts(SIGN_IN.title), icon=SIGN_IN.icon)
    else:
        st.error(page.texts("error.not_allowed"), icon=":material/lock:")
    return False


def _notice(texts: Texts) -> None:
    """Say what the run before this one left to be said."""
    key = st.session_state.pop(signed_in.NOTICE, None)
    if key is None:
        return
    if key == "account.session_failed" or key.startswith("error."):
        st.warning(texts(key), icon=":material/info:")
    else:
        st.success(texts(key), icon=":material/check_circle:")


def _say_what_is_withheld(texts: Texts, session: Session | None, link: PageLink) -> None:
    """Lead those whose role waits for a second factor to where they set it up."""
    if session is None or session.withheld is None:
        return
    role = texts(f"role.{session.withheld}")
    st.warning(texts("second.needed", role=role), icon=":material/key:")
    if link is not PROFILE:
        st.page_link(PROFILE.script, label=texts("second.begin"), icon=PROFILE.icon)


# The map wants the width; headings and paddings of a document are too generous here.
_STYLE = """
<style>
.block-container { padding: 3.6rem 2rem 2rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
h1:not(.unseen) { font-size: 1.6rem !important; padding: 0 0 0.4rem !important; }
h2, h3 { font-size: 1.25rem !important; }
@media (max-width: 640px) {
  .block-container { padding-left: 0.8rem; padding-right: 0.8rem; }
  .st-key-map iframe, .st-key-map [data-testid="stDeckGlJsonChart"] { height: 58vh !important; }
}
.st-key-account h3 { font-size: 1.2rem !important; padding: 0 !important; }
[data-testid="stHtml"] a { color: inherit; font-weight: 600; }
.gallery { display: grid; gap: 8px; grid-template-columns: 1fr; margin: .4rem 0; }
.gallery.n2 { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.gallery img, .gallery video { width: 100%; border-radius: 10px; display: block; }
.gallery.n2 img { aspect-ratio: 4 / 3; object-fit: cover; }
.gallery img { max-height: 420px; object-fit: contain; background: #8882; }
.gallery video { max-height: 420px; background: #000; grid-column: 1 / -1; }
.labelled { border: 1px solid #b26a00; border-left-width: 8px; border-radius: 8px;
  padding: 4px 12px; margin: 0 0 .6rem; }
.preview { border-left: 3px solid #8886; padding: 2px 0 2px 12px; margin: .5rem 0;
  overflow-wrap: anywhere; font-size: .92rem; }
.association { display: flex; gap: 16px; align-items: center; }
.association h1 { margin: 0; }
.association p { margin: 0; opacity: .8; }
.association .logo { width: 84px; height: 84px; border-radius: 18px; object-fit: cover; }
.banner { width: 100%; max-height: 220px; object-fit: cover; border-radius: 14px; display: block; }
.chip, .goal { display: inline-block; border: 1px solid #8886; border-radius: 999px;
  padding: 2px 12px; margin: 0 6px 6px 0; font-size: .86rem; }
.goal { border: 1px solid var(--goal); border-left: 12px solid var(--goal); }
.g1 { --goal: #e5243b; }
.g2 { --goal: #dda63a; }
.g3 { --goal: #4c9f38; }
.g4 { --goal: #c5192d; }
.g5 { --goal: #ff3a21; }
.g6 { --goal: #26bde2; }
.g7 { --goal: #fcc30b; }
.g8 { --goal: #a21942; }
.g9 { --goal: #fd6925; }
.g10 { --goal: #dd1367; }
.g11 { --goal: #fd9d24; }
.g12 { --goal: #bf8b2e; }
.g13 { --goal: #3f7e44; }
.g14 { --goal: #0a97d9; }
.g15 { --goal: #56c02b; }
.g16 { --goal: #00689d; }
.g17 { --goal: #19486a; }
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


def _sidebar(texts: Texts, session: Session | None) -> None:
    user = None if session is None else session.user
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
            if link not in _APART and policy.may(user, link.needs):
                st.page_link(link.script, label=texts(link.title), icon=link.icon)
        st.divider()
        _account(texts, session)
        _preferences(texts)
        for link in (MODERATION, PRIVACY, LEGAL):
            st.page_link(link.script, label=texts(link.title), icon=link.icon)


def _account(texts: Texts, session: Session | None) -> None:
    """Who is signed in, and the way out; or the way in, where sessions can be had."""
    if session is None:
        if server.started():
            st.page_link(SIGN_IN.script, label=texts(SIGN_IN.title), icon=SIGN_IN.icon)
        return
    user = session.user
    st.page_link(NOTIFICATIONS.script, label=_unread(texts, user), icon=NOTIFICATIONS.icon)
    st.page_link(
        PROFILE.script, label=markup.label(f"{user.first_name} {user.last_name}"), icon=PROFILE.icon
    )
    st.caption(texts(f"role.{user.role}"))
    st.button(
        texts("account.sign_out"),
        icon=":material/logout:",
        on_click=_sign_out,
        width="stretch",
        key="sign_out",
    )


def _unread(texts: Texts, user: User) -> str:
    """The title of the notifications with how many were not read."""
    title = texts(NOTIFICATIONS.title)
    try:
        number = notices.unread(_store(), user)
    except CityVerseError:
        return title  # the page itself says what is wrong
    return f"{title} ({number})" if number else title


def _sign_out() -> None:
    """A callback, so it looks for itself who is signed in."""
    session = signed_in.session(_store())
    if session is None:
        signed_in.leave()
    else:
        signed_in.end(session, _store())


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
