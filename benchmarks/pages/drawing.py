"""A page with nothing but the map, drawn by tiles or with all polygons inside the message."""

import os
from pathlib import Path

import pydeck
import streamlit as st

from benchmarks.map import inline_rows
from cityverse.map import layers, tiles
from cityverse.map.pins import Pin

folder = Path(os.environ["CITYVERSE_BENCH_FOLDER"])
inline = "inline" in st.query_params
st.button("again", on_click=lambda: st.session_state.update(n=st.session_state.get("n", 0) + 1))
number = st.session_state.get("n", 0)
pin = Pin("post:1", "post", 48.86 + number / 1000, 2.342, "A pin", "that moves", "address")
tile_set = None if inline else tiles.current(folder)
deck = layers.deck([pin], tile_set, theme="light", view=layers.View(zoom=14))
if inline:
    houses = pydeck.Layer(
        "PolygonLayer",
        inline_rows(int(os.environ["CITYVERSE_BENCH_INLINE"])),
        get_polygon="p",
        get_elevation="h",
        extruded=True,
    )
    deck.layers = [*deck.layers, houses]
st.pydeck_chart(deck, height=640, key="map")
