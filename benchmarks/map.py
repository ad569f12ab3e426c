"""The map: polygons inside the message against tiles beside it, building and serving tiles.

The message is what ``st.pydeck_chart`` sends to the browser, taken from Streamlit itself;
Python's work is the CPU time of a whole rerun that draws the map.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import shapely
import streamlit as st
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from streamlit.testing.v1 import AppTest

from cityverse.map import http, known, sample, tiles
from cityverse.map.build import Input, build, tippecanoe_command
from cityverse.map.features import Report, write

INLINE = 50_000
RERUNS = 3
BUILDS = 3
FILE_BUILDS = 2
REQUESTS = 500
BUSY_TILE = (14, 8298, 5635)  # between the Louvre and the Grands Boulevards
MESSAGE_BUDGET = 20_000
MESSAGE_RATIO = 1_000
BUILD_RATIO = 1.3
BUILD_SECONDS = 90
SERVE_RATIO = 1.5

Row = dict[str, Any]


def run() -> list[Row]:
    """Measure in a temporary folder; rows as `bench --json` prints them."""
    # Streamlit wonders at being run outside of its server.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").disabled = True
    with tempfile.TemporaryDirectory(prefix="cityverse-bench-") as folder:
        built, houses = _builds(Path(folder))
        of_file = _from_file(Path(folder), houses)
        return [*_messages(folder, houses), *built, *of_file, _served(Path(folder))]


def _row(case: str, size: int, metric: str, value: float, **more: Any) -> Row:
    nothing = {"compared_with": None, "ratio": None, "budget": None, "held": None}
    row = {"bench": "map", "case": case, "size": size, "metric": metric, "value": value}
    return row | nothing | more


def _builds(folder: Path) -> tuple[list[Row], int]:
    """The sample city from nothing to tiles, and tippecanoe on the same lines, by turns.

    Compared by the CPU time of all processes: a busy machine tells little by the clock.
    """
    lines, alone = folder / "city.geojsonl", folder / "alone"
    with lines.open("w", encoding="utf-8") as file:
        features = list(sample.features(None, Report()))
        write(features, sample.SOURCE, file)
    houses = sum(feature.kind == "house" for feature in features)
    number = len(features)
    del features
    alone.mkdir()
    command = [*tippecanoe_command("a.mbtiles", "a", "a"), "--force", str(lines)]

    def tippecanoe() -> object:
        return subprocess.run(command, cwd=alone, check=True, capture_output=True)

    ours, theirs = [], []
    for _ in range(BUILDS):
        theirs.append(_spent(tippecanoe))
        ours.append(_spent(lambda: build("sample", folder / "sample.mbtiles")))
    (wall, cpu), (wall_alone, cpu_alone) = map(_least, (ours, theirs))
    case = "tiles of the sample city"
    # Of neighbours: the load of a machine changes from minute to minute.
    ratio = statistics.median(a / b for (_, a), (_, b) in zip(ours, theirs, strict=True))
    return [
        _row(case, number, "cpu_s", round(cpu, 2))
        | {"compared_with": f"tippecanoe alone {cpu_alone:.2f} s", "ratio": round(ratio, 2)}
        | {"budget": BUILD_RATIO, "held": ratio <= BUILD_RATIO},
        _row(case, number, "seconds", round(wall, 2))
        | {"compared_with": f"limit; tippecanoe alone {wall_alone:.2f} s"}
        | {"budget": BUILD_SECONDS, "held": wall <= BUILD_SECONDS},
    ], houses


def _from_file(folder: Path, houses: int) -> list[Row]:
    """The houses as a GeoJSON file, read, cleaned and ranked as any real source is."""
    file = folder / "city.geojson"
    with file.open("w", encoding="utf-8") as made:
        made.write('{"type":"FeatureCollection","features":[')
        lines = io.StringIO()
        write((f for f in sample.features(None, Report()) if f.kind == "house"), "x", lines)
        made.write(",".join(lines.getvalue().splitlines()))
        made.write("]}")
    wanted = Input("geojson", file)
    wall, cpu = _least(
        [_spent(lambda: build(wanted, folder / "file.mbtiles")) for _ in range(FILE_BUILDS)]
    )
    (folder / "file.mbtiles").unlink()
    case = "tiles of a GeoJSON file"
    return [
        _row(case, houses, "cpu_s", round(cpu, 2)),
        _row(case, houses, "seconds", round(wall, 2)),
    ]


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and CPU seconds with those of the processes it started."""
    before = os.times()
    wall = _seconds(work)
    return wall, sum(os.times()[:4]) - sum(before[:4])


def _least(spent: list[tuple[float, float]]) -> tuple[float, float]:
    return min(wall for wall, _ in spent), min(cpu for _, cpu in spent)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _messages(folder: str, houses: int) -> list[Row]:
    inline_bytes, inline_cpu = _rerun(AppTest.from_function(_inline, kwargs={"count": INLINE}))
    tile_bytes, tile_cpu = _rerun(AppTest.from_function(_by_tiles, kwargs={"folder": folder}))
    fewer, less = inline_bytes / tile_bytes, inline_cpu / tile_cpu
    return [
        _row("polygons inside the message", INLINE, "bytes", inline_bytes),
        _row("polygons inside the message", INLINE, "cpu_ms", round(1000 * inline_cpu)),
        _row("tiles", houses, "bytes", tile_bytes)
        | {"compared_with": "limit", "budget": MESSAGE_BUDGET, "held": tile_bytes < MESSAGE_BUDGET},
        _row("polygons inside against tiles", houses, "bytes", tile_bytes)
        | {"compared_with": f"{INLINE} inside", "ratio": round(fewer), "budget": MESSAGE_RATIO}
        | {"held": fewer >= MESSAGE_RATIO},
        _row("polygons inside against tiles", houses, "cpu_ms", round(1000 * tile_cpu, 1))
        | {"compared_with": f"{INLINE} inside", "ratio": round(less)},
    ]


def _rerun(page: AppTest) -> tuple[int, float]:
    """Bytes of the chart's message, and the least CPU seconds of a rerun."""
    page.run(timeout=120)
    times = []
    for _ in range(RERUNS):
        began = time.process_time()
        page.run(timeout=120)
        times.append(time.process_time() - began)
    if page.exception:
        raise RuntimeError(page.exception[0].message)
    (chart,) = page.get("deck_gl_json_chart")
    return chart.proto.ByteSize(), min(times)


def _inline(count: int) -> None:
    """A page with buildings as pydeck takes them by itself."""
    import pydeck
    import streamlit as st

    from benchmarks.map import inline_rows

    polygons = pydeck.Layer(
        "PolygonLayer", inline_rows(count), get_polygon="p", get_elevation="h", extruded=True
    )
    st.pydeck_chart(pydeck.Deck(layers=[polygons], map_provider=None))


@st.cache_resource
def inline_rows(count: int) -> list[dict[str, object]]:
    """So many houses of the sample city, as rows of a layer of polygons."""
    houses = (f for f in sample.features(None, Report()) if f.kind == "house")
    return [
        {
            "p": known.to_degrees(shapely.get_coordinates(house.shape)).round(6).tolist(),
            "h": house.height,
        }
        for house, _ in zip(houses, range(count), strict=False)
    ]


def _by_tiles(folder: str) -> None:
    """The same page with the city by tiles, as the map draws it."""
    from pathlib import Path

    import streamlit as st

    from cityverse.map import layers, tiles

    tile_set = tiles.current(Path(folder))
    st.pydeck_chart(layers.deck([], tile_set, theme="dark", view=layers.View()))


def _served(folder: Path) -> Row:
    """One tile from the route, and the same bytes from a static file, by turns."""
    info = tiles.current(folder)
    found = tiles.opened(folder, "sample")
    data = found.tile(*BUSY_TILE) if found else None
    if info is None or data is None:
        raise RuntimeError("the busiest tile is not there")
    files = folder / "files"
    files.mkdir()
    (files / "tile.pbf").write_bytes(data)
    z, x, y = BUSY_TILE
    routes = [*http.routes(folder), Mount("/files", StaticFiles(directory=files))]
    with _serving(Starlette(routes=routes)) as port:
        tile, file = _medians(port, info.url.format(z=z, x=x, y=y), "/files/tile.pbf", len(data))
    ratio = tile / file
    return _row("a tile served", len(data), "p50_ms", round(1000 * tile, 3)) | {
        "compared_with": f"static file {1000 * file:.3f} ms",
        "ratio": round(ratio, 2),
        "budget": SERVE_RATIO,
        "held": ratio <= SERVE_RATIO,
    }


def _medians(port: int, one: str, other: str, length: int) -> tuple[float, float]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(path: str) -> None:
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        if len(answer.read()) != length or answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")

    times: dict[str, list[float]] = {one: [], other: []}
    for _ in range(REQUESTS):
        for path, spent in times.items():
            spent.append(_seconds(lambda path=path: ask(path)))
    connection.close()
    return statistics.median(times[one]), statistics.median(times[other])


@contextmanager
def _serving(app: Starlette) -> Iterator[int]:
    """A server on loopback; gives its port."""
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        if not ready.wait(10):
            raise RuntimeError("the server did not start")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
