"""Routes for the browser: building tiles, and the base layers as GeoJSON."""

from __future__ import annotations

import gzip
import logging
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


def routes(folder: Path) -> list[BaseRoute]:
    """The routes over the tile sets in ``folder``; a replaced file is served at once."""
    complained: set[str] = set()

    # A plain function: Starlette runs it in a thread, so reading a file blocks nobody.
    def tile(request: Request) -> Response:
        name, version = request.path_params["name"], request.path_params["version"]
        z, x, y = (request.path_params[axis] for axis in "zxy")
        found = tiles.opened(folder, name) if name.replace("-", "").isalnum() else None
        if found is None or found.info.version != version:
            return PlainTextResponse("no such tile set", 404, _SHORTLY)
        if z > _DEEPEST or x >= 2**z or y >= 2**z:
            return PlainTextResponse("no such tile: out of range", 404, _SHORTLY)
        try:
            data = found.tile(z, x, y)
        except MapInputUnreadable as error:
            if version not in complained:
                complained.add(version)
                log.error("%s", error)
            return PlainTextResponse("the tile set is damaged", 503, _SHORTLY)
        if data is None:
            return Response(status_code=204, headers=_FOREVER)
        return _answer(request, data, _TILE, f'"{version}-{z}-{x}-{y}"')

    return [
        Route("/tiles/{name}/{version}/{z:int}/{x:int}/{y:int}.pbf", tile, methods=["GET"]),
        Route("/map/base/{version}/{name}.geojson", _base_layer, methods=["GET"]),
    ]


def _base_layer(request: Request) -> Response:
    version, name = request.path_params["version"], request.path_params["name"]
    if version != base.version() or name not in base.NAMES:
        return PlainTextResponse("no such layer", 404, _SHORTLY)
    return _answer(request, base.gzipped(name), "application/geo+json", f'"{version}-{name}"')


def _answer(request: Request, gzipped: bytes, media_type: str, etag: str) -> Response:
    headers = {**_FOREVER, "ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    if not gzipped.startswith(b"\x1f\x8b"):
        return Response(gzipped, media_type=media_type, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(gzipped, media_type=media_type, headers=headers)
    return Response(gzip.decompress(gzipped), media_type=media_type, headers=headers)
