"""The routes that ``app.py`` adds to Streamlit: tiles, base layers, files, feeds, health."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import BaseRoute, Route

from cityverse import __version__
from cityverse.map import http
from cityverse.settings import Settings
from cityverse.ui import media, outputs

_state = {"started": False}


def routes(settings: Settings) -> list[BaseRoute]:
    """All routes beside Streamlit's own."""
    _state["started"] = True
    return [
        Route("/healthz", _health),
        *http.routes(tiles_folder(settings)),
        *media.routes(settings),
        *outputs.routes(settings),
        *_ENDS,
    ]


def tiles_folder(settings: Settings) -> Path:
    """Where the tile sets lie."""
    return settings.data_dir / "tiles"


def started() -> bool:
    """Whether this process was started through ``app.py``, and so has the routes."""
    return _state["started"]


async def _missing(_: Request) -> PlainTextResponse:
    return PlainTextResponse("not found", 404)


# Below these nothing is a page, so nothing is answered with one.
_ENDS = [Route(f"/{prefix}/{{rest:path}}", _missing) for prefix in ("tiles", "map", "m", "upload")]


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": __version__})
