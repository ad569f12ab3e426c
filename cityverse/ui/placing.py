"""In the dialog of an article: "wrong place", for readers who know better."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import streamlit as st
from ulid import ULID

from cityverse.community import corrections
from cityverse.community.city import CityItem
from cityverse.community.corrections import Draft
from cityverse.data.store import Store
from cityverse.domain.corrections import WORD_LONGEST, ProposalStatus
from cityverse.domain.places import Evidence, Location, Precision
from cityverse.errors import CityVerseError
from cityverse.news import places as tables
from cityverse.news.aliases import Places, as_name, house_of, location_of
from cityverse.news.gazetteer import Outlines
from cityverse.news.geocode import Geocoder
from cityverse.settings import current
from cityverse.ui import signed_in
from cityverse.ui.shell import SIGN_IN, Page
from cityverse.ui.texts import Texts

_OPEN, _DRAFT, _SAID = "placing_open", "placing_draft", "placing_said"
_NAME_LONGEST = 80


class _Nowhere(NamedTuple):
    """The choice "no place in Paris"."""


Choice = Location | _Nowhere


@st.cache_resource(ttl=600, show_spinner=False)
def places(_store: Store) -> Places:
    """All places one may choose, made anew every ten minutes."""
    learned = [as_name(alias) for alias in _store.aliases.all()]
    return Places(tables.load_completed(current().data_dir, learned))


@st.cache_resource(show_spinner=False)
def _geocoder() -> Geocoder | None:
    settings = current()
    if not settings.news_geocoder:
        return None
    cache = settings.data_dir / tables.FOLDER / "geocoder.sqlite"
    return Geocoder(settings.news_geocoder, cache, allow_private=settings.news_allow_private)


def draw(page: Page, item: CityItem) -> None:
    """Draw what a reader proposed for an article, or the way to propose something."""
    who = signed_in.user(page.store)
    said = st.session_state.pop(_SAID, None)
    if isinstance(said, CityVerseError):
        st.error(page.texts.error(said), icon=":material/error:")
    elif said is not None:
        st.success(page.texts("placing.thanks"), icon=":material/check_circle:")
    if who is None:
        st.page_link(SIGN_IN.script, label=page.texts("placing.sign_in"), icon=SIGN_IN.icon)
        return
    mine = corrections.mine(page.store, who, item.id)
    if mine is not None and mine.status is ProposalStatus.OPEN:
        proposed = name_of(page.texts, mine.location)
        st.caption(page.texts("placing.waits", place=proposed))
    if st.session_state.get(_OPEN) != item.id:
        st.button(
            page.texts("placing.wrong"),
            icon=":material/wrong_location:",
            key=f"wrong-{item.id}",
            type="tertiary",
            on_click=_begin,
            args=(item.id,),
        )
        return
    _form(page, item)


def close() -> None:
    """Forget what was being proposed."""
    for name in (_OPEN, _DRAFT, _SAID):
        st.session_state.pop(name, None)


def name_of(texts: Texts, location: Location | None) -> str:
    """A place in words: its name and how precisely it says where."""
    if location is None:
        return texts("placing.nowhere")
    parts = [texts(f"precision.{location.precision}")]
    if location.arrondissement and location.precision is not Precision.ARRONDISSEMENT:
        parts.append(texts("place.in", ordinal=texts.ordinal(location.arrondissement)))
    return f"{location.place} ({', '.join(parts)})"


def _begin(item_id: str) -> None:
    st.session_state[_OPEN] = item_id
    st.session_state[_DRAFT] = str(ULID())


def _form(page: Page, item: CityItem) -> None:
    texts = page.texts
    draft_id = st.session_state.setdefault(_DRAFT, str(ULID()))
    with st.container(border=True):
        typed = st.text_input(
            texts("placing.search"),
            max_chars=_NAME_LONGEST,
            placeholder=texts("placing.hint"),
            key=f"place-{draft_id}",
        )
        choices: list[Choice] = [*_found(page, typed), _Nowhere()]
        if typed.strip() and len(choices) == 1:
            st.caption(texts("placing.none"))
        chosen = st.radio(
            texts("placing.choose"),
            range(len(choices)),
            format_func=lambda number: _label(texts, choices, number),
            index=None,
            # Other choices are another question.
            key=f"choice-{draft_id}-{typed}",
        )
        st.text_input(texts("placing.word"), max_chars=WORD_LONGEST, key=f"word-{draft_id}")
        with st.container(horizontal=True, gap="small"):
            st.button(
                texts("placing.send"),
                icon=":material/send:",
                key="placing_send",
                disabled=chosen is None,
                on_click=_send,
                args=(page.store, item.id, draft_id, None if chosen is None else choices[chosen]),
            )
            st.button(texts("talk.cancel"), key="placing_cancel", type="tertiary", on_click=close)


def _label(texts: Texts, choices: list[Choice], number: int) -> str:
    choice = choices[number] if number < len(choices) else _Nowhere()
    return name_of(texts, choice if isinstance(choice, Location) else None)


def _found(page: Page, typed: str) -> list[Location]:
    """The places with such a name; an address first, where it can be asked for."""
    if not typed.strip():
        return []
    known = places(page.store)
    house = house_of(typed)
    if house is None:
        return [location_of(place) for place in known.find(typed)]
    number, street = house
    streets = [location_of(place) for place in known.find(street)]
    return [*_addresses(number, streets[:1]), *streets]


def _addresses(number: str, streets: list[Location]) -> list[Location]:
    geocoder = _geocoder()
    if geocoder is None:
        return []
    found = []
    for street in streets:
        point = geocoder.find(number, street.place, street.arrondissement)
        if point is not None:
            found.append(
                Location(
                    place=f"{number} {street.place}"[:200],
                    lat=point[0],
                    lon=point[1],
                    precision=Precision.ADDRESS,
                    arrondissement=Outlines().near(*point),
                    evidence=(Evidence("reader", 0, 0, ""),),
                )
            )
    return found


def _send(store: Store, article_id: str, draft_id: str, choice: Choice | None) -> None:
    """A callback: it looks for itself who is signed in."""
    if choice is None:
        return
    location = choice if isinstance(choice, Location) else None
    text = str(st.session_state.get(f"word-{draft_id}", ""))
    try:
        corrections.propose(
            store,
            signed_in.user(store),
            Draft(draft_id, article_id, location, text),
            datetime.now(UTC),
        )
    except CityVerseError as error:
        st.session_state[_SAID] = error
        return
    close()
    st.session_state[_SAID] = True
