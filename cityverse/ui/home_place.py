"""Where one lives, as precisely as one likes: a place of the gazetteer, seen by nobody else."""

from __future__ import annotations

import streamlit as st

from cityverse.domain.people import User
from cityverse.domain.places import Location
from cityverse.errors import CityVerseError
from cityverse.news.aliases import location_of
from cityverse.ui import markup, placing, signed_in
from cityverse.ui.shell import Page

_NAME_LONGEST = 80


def draw(page: Page, user: User) -> None:
    """Draw what is known, and the way to say, change or forget it."""
    texts = page.texts
    with st.container(border=True):
        st.subheader(texts("home_place.title"))
        st.caption(texts("home_place.intro"))
        if user.address is not None:
            place = markup.literal(placing.name_of(texts, user.address))
            st.markdown(texts("home_place.now", place=place))
            if st.button(texts("home_place.forget"), icon=":material/home_pin:"):
                _keep(page, user, None)
        chosen = _chosen(page)
        if st.button(texts("home_place.save"), key="home_place_save", disabled=chosen is None):
            _keep(page, user, chosen)


def _chosen(page: Page) -> Location | None:
    texts = page.texts
    typed = st.text_input(
        texts("home_place.search"), max_chars=_NAME_LONGEST, key="home_place_name"
    ).strip()
    if not typed:
        return None
    found = [location_of(place) for place in placing.places(page.store).find(typed)]
    if not found:
        st.caption(texts("home_place.none"))
        return None
    number = st.radio(
        texts("home_place.choose"),
        range(len(found)),
        format_func=lambda n: placing.name_of(texts, found[n]) if n < len(found) else "",
        index=None,
        key=f"home_place_choice-{typed}",
    )
    return None if number is None else found[number]


def _keep(page: Page, user: User, home: Location | None) -> None:
    try:
        signed_in.accounts(page.store).live_at(user, home)
    except CityVerseError as error:
        st.error(page.texts.error(error), icon=":material/error:")
        return
    st.session_state[signed_in.NOTICE] = "profile.saved"
    st.rerun()
