"""The routes that ``app.py`` adds to Streamlit: tiles, base layers, files, feeds, health."""

from __future__ import annotations

from pathlib import Path

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import BaseRoute, Route

from cityverse import __version__
from cityverse.accounts import accounts as use_cases
from cityverse.accounts import http
from cityverse.data.store import connect
from cityverse.map import http as map_http
from cityverse.map import tiles
from cityverse.map.publish import PublishedSet
from cityverse.settings import Settings
from cityverse.telemetry import FIGURES
from cityverse.ui import calendars, media, outputs, personal, unsubscribing
from cityverse.ui.security import Security

_state = {"started": False}


def routes(settings: Settings) -> list[BaseRoute]:
    """All routes beside Streamlit's own."""
    _state["started"] = True
    if settings.tiles_url:
        published = PublishedSet(settings.tiles_url)
        published.follow()
        tiles.show_published(published.info)
    accounts = http.Connection(lambda: use_cases.over(settings, connect(settings)))
    viewer_of = http.viewer_of(settings, accounts)
    return [
        Route("/healthz", _health),
        *([Route("/metrics", _metrics)] if settings.metrics == "prometheus" else []),
        *map_http.routes(tiles_folder(settings)),
        *http.routes(settings, accounts),
        *media.routes(settings, viewer_of),
        *personal.routes(settings, lambda: accounts().store, viewer_of),
        *outputs.routes(settings),
        *calendars.routes(settings),
        *unsubscribing.routes(settings),
        *_ENDS,
    ]


def middleware(settings: Settings) -> list[Middleware]:
    """What stands before all routes, Streamlit's own too."""
    return [Middleware(Security, settings=settings)]


def tiles_folder(settings: Settings) -> Path:
    """Where the tile sets lie."""
    return settings.data_dir / "tiles"


def started() -> bool:
    """Whether this process was started through ``app.py``, and so has the routes."""
    return _state["started"]


async def _missing(_: Request) -> PlainTextResponse:
    return PlainTextResponse("not found", 404)


# Below these nothing is a page, so nothing is answered with one.
_PREFIXES = ("tiles", "map", "m", "upload", "session", "me", "digest")
_ENDS = [Route(f"/{prefix}/{{rest:path}}", _missing) for prefix in _PREFIXES]


async def _metrics(_: Request) -> PlainTextResponse:
    """Who may read it is decided by ``Security``, as for Streamlit's own figures."""
    return PlainTextResponse(FIGURES.as_prometheus())


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": __version__})
