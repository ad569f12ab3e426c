"""Founding an association and changing what it says of itself; what is typed stays on failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from ulid import ULID

from cityverse.community import associations
from cityverse.data.store import Store
from cityverse.domain.associations import Activity
from cityverse.domain.community import NAME_LONGEST, TEXT_LONGEST, Association
from cityverse.domain.media import MediaPlace
from cityverse.domain.people import GOALS, SocialLinks
from cityverse.domain.places import Location
from cityverse.errors import CityVerseError
from cityverse.ui import files, markup, places, signed_in, team
from cityverse.ui.shell import Page

# The form: the id of what is founded, so that it is founded once, and the place chosen.
_ID, _PLACE, _PICTURES = "association_id", "association_place", "association_pictures"
NETWORKS = ("facebook", "instagram", "x", "youtube")
_LINK_LONGEST = 2048


def draw(page: Page, old: Association | None) -> None:
    """Draw the form; ``old`` is None for a new association."""
    texts = page.texts
    st.title(texts("association.found" if old is None else "association.edit"))
    if page.user is None:
        st.info(texts("error.not_signed_in"), icon=":material/lock:")
        return
    form_id = old.id if old else st.session_state.setdefault(_ID, str(ULID()))
    blank = old or Association(form_id, "", page.now)
    st.caption(texts("association.form_help"))
    _place(page, blank)
    with st.form(f"association-{form_id}", border=True):
        _fields(page, blank)
        st.form_submit_button(
            texts("association.create" if old is None else "talk.save"),
            icon=":material/check:",
            type="primary",
            on_click=_save,
            args=(page.store, old, form_id),
        )
    st.button(texts("talk.cancel"), on_click=_leave, args=(old and old.id,))


def _fields(page: Page, one: Association) -> None:
    texts, key = page.texts, one.id
    st.text_input(texts("association.name"), one.name, max_chars=NAME_LONGEST, key=f"name-{key}")
    st.text_area(
        texts("association.description"),
        one.description,
        max_chars=TEXT_LONGEST,
        height=140,
        key=f"description-{key}",
    )
    st.multiselect(
        texts("association.activities"),
        list(Activity),
        sorted(one.activities),
        format_func=lambda activity: texts(f"activity.{activity}"),
        placeholder=texts("association.choose"),
        key=f"activities-{key}",
    )
    st.multiselect(
        texts("association.goals"),
        GOALS,
        sorted(one.goals),
        format_func=lambda n: f"{n}. {texts(f'goal.{n}')}",
        placeholder=texts("association.choose"),
        key=f"goals-{key}",
    )
    st.text_input(
        texts("association.rna"), one.rna or "", max_chars=10, key=f"rna-{key}",
        placeholder="W751234567", help=texts("association.rna_help"),
    )  # fmt: skip
    left, right = st.columns(2)
    for number, name in enumerate(("website", *NETWORKS)):
        value = one.website if name == "website" else getattr(one.links, name)
        (left, right)[number % 2].text_input(
            texts(f"association.{name}"), value or "", max_chars=_LINK_LONGEST,
            key=f"{name}-{key}", placeholder="https://",
        )  # fmt: skip
    for number, name in enumerate(("profile", "banner")):
        (left, right)[number].file_uploader(
            texts(f"association.{name}"), type=list(files.PICTURES),
            max_upload_size=files.MEGABYTES, key=f"{name}-{key}",
        )  # fmt: skip


def _place(page: Page, one: Association) -> None:
    texts = page.texts
    chosen = st.session_state.get(_PLACE, (one.id, one.location))
    present: Location | None = chosen[1] if chosen[0] == one.id else one.location
    st.subheader(texts("association.address"))
    said = present.place if present else texts("association.no_address")
    st.markdown(f":material/location_on: {markup.label(said)}")

    def choose(location: Location) -> None:
        st.session_state[_PLACE] = (one.id, location)

    places.choose(page, choose, key="association", present=present)


def _typed(old: Association, user_id: str) -> Association:
    """What stands in the form; pictures are stored, each once."""
    key, state = old.id, st.session_state
    words = {name: str(state.get(f"{name}-{key}") or "").strip() for name in _WORDS}
    chosen = state.get(_PLACE, (key, old.location))
    fields: dict[str, Any] = {
        "name": words["name"],
        "description": words["description"],
        "website": _address(words["website"]),
        "rna": words["rna"].upper().replace(" ", "") or None,
        "goals": frozenset(state.get(f"goals-{key}") or ()),
        "activities": frozenset(state.get(f"activities-{key}") or ()),
        "links": SocialLinks(**{name: _address(words[name]) for name in NETWORKS}),
        "location": chosen[1] if chosen[0] == key else old.location,
    }
    for name in ("profile", "banner"):
        file = state.get(f"{name}-{key}")
        if file is not None:
            fields[f"{name}_media_id"] = _picture(user_id, file)
    return replace(old, **fields)


_WORDS = ("name", "description", "website", "rna", *NETWORKS)


def _address(text: str) -> str | None:
    if not text:
        return None
    return text if "://" in text else f"https://{text}"


def _picture(user_id: str, file: Any) -> str:
    kept = st.session_state.setdefault(_PICTURES, {})
    if file.file_id not in kept:
        data = file.getvalue()
        kept[file.file_id] = files.add(user_id, file.name, data, MediaPlace.PROFILE)
    return str(kept[file.file_id])


def _save(store: Store, old: Association | None, form_id: str) -> None:
    now = datetime.now(UTC)
    try:
        who = signed_in.user(store)
        blank = old or Association(form_id, "", now)
        new = _typed(blank, who.id if who else "")
        if old is None:
            saved = associations.found(store, who, new, now)
            team.tell("association.was_founded" if saved.rna == new.rna else "association.disputed")
        else:
            saved = associations.edit(store, who, old, new, now)
            team.tell("profile.saved" if saved.rna == new.rna else "association.disputed")
    except CityVerseError as error:
        team.tell(error)
        return
    _leave(saved.id)


def _leave(association_id: str | None) -> None:
    for name in (_ID, _PLACE, _PICTURES):
        st.session_state.pop(name, None)
    st.query_params.clear()
    if association_id:
        st.query_params["id"] = association_id
