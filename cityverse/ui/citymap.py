"""The 3D map on a page, and which item was picked on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cityverse.community.city import CityItem
from cityverse.domain.places import Location
from cityverse.map import layers, tiles
from cityverse.map.pins import Pin, spread
from cityverse.news import places
from cityverse.settings import current
from cityverse.ui import markup
from cityverse.ui.server import started, tiles_folder
from cityverse.ui.shell import Page

HEIGHT = 640


def draw(page: Page, items: Sequence[CityItem], view: layers.View) -> str | None:
    """Draw items on the city; answers with the key of one just picked, else None."""
    pins = spread([_pin(page, item, item.location) for item in items if item.location])
    tile_set = tiles.current(tiles_folder(current())) if started() else None
    deck = layers.deck(pins, tile_set, theme=page.theme, view=view)
    state = st.pydeck_chart(
        deck,
        height=HEIGHT,
        key="map",
        on_select="rerun",
        selection_mode="single-object",
        alt=page.texts.count("map.alt", len(pins)),
    )
    st.caption(_caption(page, tile_set))
    return _just_picked(state)


def _pin(page: Page, item: CityItem, location: Location) -> Pin:
    facts = [item.by, page.texts.moment(item.when, page.now)]
    if item.demo:
        facts.append(page.texts("item.demo_short"))
    return Pin(
        id=item.key,
        kind=item.kind,
        lat=location.lat,
        lon=location.lon,
        title=item.title,
        subtitle=" · ".join(facts),
        precision=location.precision,
        demo=item.demo,
    )


def _caption(page: Page, tile_set: tiles.TileSetInfo | None) -> str:
    """Where buildings and names of places come from, as their licences ask."""
    buildings = _of_buildings(page, tile_set)
    completed = (current().data_dir / places.FOLDER / places.TABLE).is_file()
    return f"{buildings} {page.texts('map.places')}" if completed else buildings


def _of_buildings(page: Page, tile_set: tiles.TileSetInfo | None) -> str:
    if tile_set is None:
        return page.texts("map.no_buildings")
    if tile_set.generated:
        return page.texts("map.sample")
    return markup.label(tile_set.attribution)


def _just_picked(state: Any) -> str | None:
    """The picked pin, once: the selection itself stays as long as nothing else is picked."""
    picked = next(
        (
            row.get("id")
            for rows in state["selection"]["objects"].values()
            for row in rows
            if isinstance(row, dict) and ":" in str(row.get("id", ""))
        ),
        None,
    )
    before = st.session_state.get("map_picked")
    st.session_state["map_picked"] = picked
    return picked if picked != before else None
