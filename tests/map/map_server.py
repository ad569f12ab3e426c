"""A server on loopback that answers as the WFS of BD TOPO and as Overpass do, or as told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# West, south, side in degrees: buildings around Notre-Dame, and one far in the west.
HOUSES = [(2.3450 + 0.0010 * n, 48.8530 + 0.0004 * (n % 3), 0.0002) for n in range(8)]
HOUSES.append((2.2700, 48.8500, 0.0003))

Trouble = Callable[["Handler", dict[str, str]], bool]


def ring(west: float, south: float, side: float, *height: float) -> list[list[float]]:
    corners = [(0, 0), (side, 0), (side, side), (0, side), (0, 0)]
    return [[round(west + x, 7), round(south + y, 7), *height] for x, y in corners]


def batiment(number: int, swapped: bool = False, **properties: Any) -> dict[str, Any]:
    """A building as the service gives it: a multipolygon of points with an altitude."""
    points = ring(*HOUSES[number], 57.4)
    if swapped:
        points = [[lat, lon, z] for lon, lat, z in points]
    return {
        "type": "Feature",
        "id": f"batiment.{number}",
        "geometry": {"type": "MultiPolygon", "coordinates": [[points]]},
        "geometry_name": "geometrie",
        "properties": {
            "cleabs": f"BATIMENT{number:016}",
            "nature": "Indifférenciée",
            "usage_1": "Résidentiel",
            "usage_2": None,
            "construction_legere": False,
            "etat_de_l_objet": "En service",
            "nombre_d_etages": 6,
            "hauteur": 21.4 + number,
            "altitude_minimale_sol": 35.2,
            "altitude_minimale_toit": 56.6 + number,
        }
        | properties,
    }


def way(number: int) -> dict[str, Any]:
    """A building as Overpass gives it."""
    return {
        "type": "way",
        "id": 1000 + number,
        "geometry": [{"lon": x, "lat": y} for x, y in ring(*HOUSES[number])],
        "tags": {"building": "yes", "height": str(12 + number)},
    }


def _inside(box: tuple[float, float, float, float], number: int) -> bool:
    west, south, east, north = box
    x, y, side = HOUSES[number]
    return x <= east and x + side >= west and y <= north and y + side >= south


class MapServer:
    """What the server does, and what it was asked.

    ``trouble`` is called for each request; what answers itself returns True. ``systems``
    are the reference systems whose boxes it understands, by whether latitude is first.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.agents: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.trouble: list[Trouble] = []
        self.systems = {"CRS:84": False}
        self.swapped = False
        self.page_most = 1000
        self.total: Callable[[int], Any] = lambda number: number
        self.buildings = [batiment(n) for n in range(len(HOUSES))]
        self.address = ""

    @property
    def wfs(self) -> str:
        return f"{self.address}/wfs/ows"

    @property
    def overpass(self) -> str:
        return f"{self.address}/api/interpreter"

    def features(self, query: dict[str, str]) -> dict[str, Any]:
        *sides, system = query["BBOX"].split(",")
        a, b, c, d = map(float, sides)
        box = (b, a, d, c) if self.systems.get(system) else (a, b, c, d)
        known = system in self.systems
        found = [f for n, f in enumerate(self.buildings) if known and _inside(box, n)]
        start = int(query["STARTINDEX"])
        count = min(int(query["COUNT"]), self.page_most)
        page = found[start : start + count]
        if self.swapped:
            page = [_turned(feature) for feature in page]
        return {
            "type": "FeatureCollection",
            "features": page,
            "totalFeatures": len(found),
            "numberMatched": self.total(len(found)),
            "numberReturned": len(page),
            "timeStamp": "2026-11-22T10:00:00.000Z",
            "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC::CRS84"}},
        }

    def elements(self, query: dict[str, str]) -> dict[str, Any]:
        south, west, north, east = map(
            float, re.search(r"\(([-\d.,]+)\)", query["data"])[1].split(",")
        )
        box = (west, south, east, north)
        found = [way(n) for n in range(len(HOUSES)) if _inside(box, n)]
        return {"version": 0.6, "generator": "Overpass API", "elements": found}


def _turned(feature: dict[str, Any]) -> dict[str, Any]:
    points = feature["geometry"]["coordinates"][0][0]
    turned = [[lat, lon, z] for lon, lat, z in points]
    return feature | {"geometry": {"type": "MultiPolygon", "coordinates": [[turned]]}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: MapServer
    stopping: threading.Event
    lock: threading.Lock

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: str) -> bool:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def raw(self, data: bytes) -> bool:
        self.close_connection = True
        self.wfile.write(data)
        self.wfile.flush()
        return True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        world = self.world
        with self.lock:
            world.asked.append(query)
            world.agents.add(self.headers["User-Agent"])
            world.at_once += 1
            world.most_at_once = max(world.most_at_once, world.at_once)
            trouble = world.trouble.pop(0) if world.trouble else None
        try:
            if trouble is None or not trouble(self, query):
                made = world.elements(query) if "data" in query else world.features(query)
                self.reply(200, json.dumps(made).encode(), Content_Type="application/json")
        finally:
            with self.lock:
                world.at_once -= 1


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up on purpose."""


@contextmanager
def map_server() -> Iterator[MapServer]:
    """A running server."""
    world, stopping = MapServer(), threading.Event()
    handler = type(
        "Bound", (Handler,), {"world": world, "stopping": stopping, "lock": threading.Lock()}
    )
    server = _Server(("127.0.0.1", 0), handler)
    world.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield world
    finally:
        stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


# --- what may go wrong --------------------------------------------------------------------


def passes(handler: Handler, query: dict[str, str]) -> bool:
    return False


def status(code: int, **headers: str) -> Trouble:
    return lambda handler, _query: handler.reply(code, b"<html>sorry</html>", **headers)


def body(data: bytes) -> Trouble:
    return lambda handler, _query: handler.reply(200, data)


def cut(handler: Handler, query: dict[str, str]) -> bool:
    """Half an answer, then the connection ends."""
    return handler.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"features": [{"ty')


def drip(handler: Handler, query: dict[str, str]) -> bool:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not handler.stopping.wait(0.02):
        try:
            handler.raw(b" ")
        except OSError:
            break
    return True


def endless(handler: Handler, query: dict[str, str]) -> bool:
    handler.raw(b"HTTP/1.1 200 OK\r\n\r\n[")
    try:
        while not handler.stopping.is_set():
            handler.raw(b"1," * 50_000)
    except OSError:
        pass
    return True
