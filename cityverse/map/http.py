"""Routes for the browser: building tiles, and the base layers as GeoJSON."""

from __future__ import annotations

import gzip
import logging
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from cityverse.errors import MapInputUnreadable
from cityverse.map import base, tiles

log = logging.getLogger(__name__)

_TILE = "application/vnd.mapbox-vector-tile"
_FOREVER = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Access-Control-Allow-Origin": "*",
    "Vary": "Accept-Encoding",
}
_SHORTLY = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
_DEEPEST = 22
_NUMBER = re.compile(r"[0-9]{1,8}")


def routes(folder: Path) -> list[BaseRoute]:
    """The routes over the tile sets in ``folder``; a replaced file is served at once."""
    complained: set[str] = set()

    # A plain function: Starlette runs it in a thread, so reading a file blocks nobody.
    def tile(request: Request) -> Response:
        version = request.path_params["version"]
        place = _place(request)
        if place is None:
            return PlainTextResponse("no such tile: out of range", 404, _SHORTLY)
        found = tiles.opened(folder, request.path_params["name"])
        if found is None or found.info.version != version:
            return PlainTextResponse("no such tile set", 404, _SHORTLY)
        try:
            data = found.tile(*place)
        except MapInputUnreadable as error:
            if version not in complained:
                complained.add(version)
                log.error("%s", error)
            return PlainTextResponse("the tile set is damaged", 503, _SHORTLY)
        if data is None:
            return Response(status_code=204, headers=_FOREVER)
        return _answer(request, data, _TILE, '"{}-{}-{}-{}"'.format(version, *place))

    return [
        Route("/tiles/{name}/{version}/{z}/{x}/{y}.pbf", tile, methods=["GET"]),
        Route("/map/base/{version}/{name}.geojson", _base_layer, methods=["GET"]),
    ]


def _place(request: Request) -> tuple[int, int, int] | None:
    """Zoom, column and row, or None where there can be no tile."""
    texts = [request.path_params[axis] for axis in "zxy"]
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return None
    z, x, y = map(int, texts)
    return (z, x, y) if z <= _DEEPEST and max(x, y) < 2**z else None


def _base_layer(request: Request) -> Response:
    version, name = request.path_params["version"], request.path_params["name"]
    if version != base.version() or name not in base.NAMES:
        return PlainTextResponse("no such layer", 404, _SHORTLY)
    return _answer(request, base.gzipped(name), "application/geo+json", f'"{version}-{name}"')


def _answer(request: Request, gzipped: bytes, media_type: str, etag: str) -> Response:
    headers = {**_FOREVER, "ETag": etag}
    # Proxies that compress mark tags as weak, and there may be a list of them.
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not gzipped.startswith(b"\x1f\x8b"):
        return Response(gzipped, media_type=media_type, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(gzipped, media_type=media_type, headers=headers)
    return Response(gzip.decompress(gzipped), media_type=media_type, headers=headers)
