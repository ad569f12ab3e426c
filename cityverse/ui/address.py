"""Filters in an address: stable words, the same in every language.

Streamlit's own binding writes the labels people read, which change with the
language; here an address that one reader shares means the same to another, and the
same words behind another path give the same items to a feed reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import streamlit as st

from cityverse.community.city import Filter, Period
from cityverse.domain.kinds import DAILY, Kind
from cityverse.domain.news import TopicName
from cityverse.domain.places import EAST, NORTH, SOUTH, WEST
from cityverse.domain.rules import check_id
from cityverse.errors import InputError, InvalidField
from cityverse.map.layers import ZOOM_LEAST, ZOOM_MOST

SEARCH_LONGEST = 100


class Camera(NamedTuple):
    """Where the camera looks: degrees (WGS 84) and zoom of web maps."""

    lat: float
    lon: float
    zoom: float


def filter_of(words: Mapping[str, str]) -> Filter:
    """The filter that the words of an address ask for; InputError names a bad one."""
    text = words.get("q", "").strip()
    if len(text) > SEARCH_LONGEST:
        raise InputError(f"q: at most {SEARCH_LONGEST} characters")
    try:
        return Filter(
            topic=TopicName(words["topic"]) if words.get("topic") else None,
            source=source_of(words["source"]) if words.get("source") else None,
            around=around_of(words["around"]) if words.get("around") else None,
            kinds=tuple(kinds_of(words["kinds"])) if words.get("kinds") else DAILY,
            period=Period(words.get("period") or Period.WEEK),
            arrondissement=arrondissement_of(words["arrondissement"])
            if words.get("arrondissement")
            else None,
            text=text,
        )
    except ValueError as error:
        raise InputError(f"no filter: {error}") from error


def query_of(wanted: Filter) -> str:
    """The words of a filter, as the part of an address behind the question mark."""
    words = {
        "kinds": "" if wanted.kinds == DAILY else ",".join(wanted.kinds),
        "period": "" if wanted.period is Period.WEEK else wanted.period,
        "arrondissement": str(wanted.arrondissement or ""),
        "topic": wanted.topic or "",
        "source": wanted.source or "",
        "around": "" if wanted.around is None else word_of_point(wanted.around),
        "q": wanted.text,
    }
    return urlencode({name: word for name, word in words.items() if word})


def kinds_of(words: str) -> list[Kind]:
    """Kinds joined by commas; ValueError for a word that is none, or for none at all."""
    kinds = [Kind(word) for word in words.split(",")]
    if any(kind not in DAILY for kind in kinds):
        raise ValueError(f"{words!r} are no kinds one can filter by")
    return kinds


def arrondissement_of(word: str) -> int:
    """A number from 1 to 20; ValueError for anything else."""
    number = int(word) if word.isascii() and word.isdigit() else 0
    if not 1 <= number <= 20:
        raise ValueError(f"{word!r} is no arrondissement")
    return number


def source_of(word: str) -> str:
    """The id of a source; ValueError for what can be none."""
    try:
        check_id("source", word)
    except InvalidField as error:
        raise ValueError(f"{word[:80]!r} is no source") from error
    return word


def around_of(word: str) -> tuple[float, float]:
    """Latitude and longitude joined by a comma; ValueError outside of the city."""
    lat, lon = (float(number) for number in word.split(","))
    if not (SOUTH <= lat <= NORTH and WEST <= lon <= EAST):
        raise ValueError(f"{word[:80]!r} is nowhere in the city")
    return lat, lon


def word_of_point(point: tuple[float, float]) -> str:
    """A point for an address: to some ten metres."""
    return f"{point[0]:.4f},{point[1]:.4f}"


def camera_of(word: str) -> Camera:
    """Latitude, longitude and zoom joined by commas; ValueError outside of the city."""
    lat, lon, zoom = (float(number) for number in word.split(","))
    if not (SOUTH <= lat <= NORTH and WEST <= lon <= EAST and ZOOM_LEAST <= zoom <= ZOOM_MOST):
        raise ValueError(f"{word!r} is nowhere in the city")
    return Camera(lat, lon, zoom)


def word_of(camera: Camera) -> str:
    """A camera for an address: to the metre."""
    return f"{camera.lat:.5f},{camera.lon:.5f},{camera.zoom:g}"


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
