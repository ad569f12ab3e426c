"""Where the camera of the map stands.

Streamlit tells nothing of how a reader moves the map: what is known, kept in the
address and shared, is the last place that the page itself moved the camera to.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from cityverse.community.city import CityItem, Filter
from cityverse.domain.places import Location, Precision
from cityverse.map import known
from cityverse.map.layers import View
from cityverse.news.aliases import location_of
from cityverse.settings import current
from cityverse.ui import address, narrowing, opening, placing
from cityverse.ui.address import Camera
from cityverse.ui.shell import Page

_PLACES_MOST = 4
_OVER_ITEM = 15.2
_OVER_ARRONDISSEMENT = 13.8
_OVER_NEIGHBOURHOOD = 13.7
_ZOOM = {
    Precision.ADDRESS: 16.4,
    Precision.STREET: 15.6,
    Precision.PLACE: 16.0,
    Precision.PARK: 15.0,
    Precision.QUARTIER: 14.6,
    Precision.ARRONDISSEMENT: _OVER_ARRONDISSEMENT,
}
# The map moves only to a view that differs from the last one it was given.
_HAIR = 0.001


def view(wanted: Filter, items: Sequence[CityItem]) -> View:
    """Over the open item, the area just chosen, the last place flown to, or the city."""
    address.restore("at", address.camera_of)
    shared = "camera_for" not in st.session_state and st.session_state.get("at") is not None
    key = opening.wanted()
    item = next((i for i in items if i.key == key), None)
    if item is not None and item.location is not None:
        st.session_state["at"] = Camera(item.location.lat, item.location.lon, _OVER_ITEM)
    elif not shared and st.session_state.get("camera_for") != _area(wanted):
        st.session_state["at"] = _over(wanted)
    st.session_state["camera_for"] = _area(wanted)
    camera: Camera | None = st.session_state.get("at")
    usual = camera is None or camera == _over(wanted)
    address.write("at", "" if usual or camera is None else address.word_of(camera))
    return View() if camera is None else View(lat=camera.lat, lon=camera.lon, zoom=camera.zoom)


def link() -> str:
    """The address of what is seen: kinds, filters, camera and open item."""
    words = urlencode(st.query_params.to_dict(), safe=",:")
    return f"{current().address}/{'?' if words else ''}{words}"


def places(page: Page, text: str) -> None:
    """Buttons that fly to the places with such a name, if there are any."""
    found = placing.places(page.store).find(text, _PLACES_MOST)
    if not found:
        return
    with st.container(horizontal=True, gap="small", key="fly_to"):
        for number, place in enumerate(found):
            location = location_of(place)
            with st.container(horizontal=True, gap=None, width="content"):
                _place(page, number, location)


def _place(page: Page, number: int, location: Location) -> None:
    st.button(
        placing.name_of(page.texts, location),
        icon=":material/flight_land:",
        key=f"fly-{number}",
        type="tertiary",
        on_click=_fly,
        args=(location.lat, location.lon, _ZOOM[location.precision]),
    )
    st.button(
        page.texts("near.here"),
        icon=":material/my_location:",
        key=f"around-{number}",
        type="tertiary",
        on_click=narrowing.around_here,
        args=(location,),
    )


def _fly(lat: float, lon: float, zoom: float) -> None:
    target = Camera(lat, lon, zoom)
    there = st.session_state.get("at") == target
    st.session_state["at"] = target._replace(zoom=zoom + _HAIR) if there else target


def _area(wanted: Filter) -> tuple[object, ...]:
    return (wanted.arrondissement, wanted.around)


def _over(wanted: Filter) -> Camera | None:
    if wanted.around is not None:
        return Camera(*wanted.around, _OVER_NEIGHBOURHOOD)
    if wanted.arrondissement is None:
        return None
    lat, lon = known.centre(wanted.arrondissement)
    return Camera(lat, lon, _OVER_ARRONDISSEMENT)
