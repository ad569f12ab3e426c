"""The pages that ``bench drawing`` measures, behind one server."""

import importlib.resources
import os
from pathlib import Path

import streamlit as st
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cityverse.map import http, layers, tiles
from cityverse.map.pins import Pin

HERE = Path(__file__).parent
FOLDER = Path(os.environ["CITYVERSE_BENCH_FOLDER"])
BUNDLE = importlib.resources.files("pydeck") / "nbextension" / "static" / "index.js"
PIN = Pin("post:1", "post", 48.86, 2.342, "A pin", "that moves", "address")
BARE = """<!doctype html><style>body {margin: 0}
#deck {width: 936px; height: 640px; position: relative}</style><div id="deck"></div>
<script src="/bare.js"></script><script>
const shown = createDeck({container: document.getElementById("deck"), jsonInput: %s,
  tooltip: true, customLibraries: null, configuration: null});
const moved = row => ({...row, p: [row.p[0], row.p[1] + 0.001, row.p[2]]});
window.again = () => shown.setProps({layers: shown.props.layers.map(layer =>
  layer.id === "pins" ? layer.clone({data: layer.props.data.map(moved)}) : layer)});
</script>"""


def bare(_: object) -> Response:
    """The same map without a dashboard: pydeck's own bundle and one script."""
    view = layers.View(zoom=14)
    deck = layers.deck([PIN], tiles.current(FOLDER), theme="light", view=view)
    return HTMLResponse(BARE % deck.to_json())


def bundle(_: object) -> Response:
    """deck.gl as pydeck brings it."""
    return Response(BUNDLE.read_bytes(), media_type="text/javascript")


app = st.App(
    HERE / "drawing.py",
    routes=[
        Route("/bare", bare),
        Route("/bare.js", bundle),
        *http.routes(FOLDER),
        Mount("/app/static", StaticFiles(directory=HERE.parents[1] / "static")),
    ],
)
