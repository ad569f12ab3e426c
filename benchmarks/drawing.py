"""What the browser does: the map by tiles, against polygons inside, against a bare page.

Headless Chromium without a graphics card. Measured is until the last call to WebGL, with
nothing of earlier drawings left to do: what the graphics card itself takes is left out,
since it is the same for the same houses and software says nothing of it.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from benchmarks.map import INLINE
from benchmarks.pages import chromium
from cityverse.map.build import build

ROOT = Path(__file__).parent.parent
WAYS = {"polygons inside": "/?inline=1", "tiles": "/", "a bare page": "/bare"}
ROUNDS = 3
RERUNS = 5
RERUN_RATIO = 10
BARE_RATIO = 1.2
_PAGES = Path(__file__).parent / "pages"
_WAIT_MS = 180_000
_SIZE = {"width": 1000, "height": 760}

Row = dict[str, Any]

HOOK = """
window.drawn = {last: 0, contexts: new Set()};
for (const name of ["drawElements", "drawArrays", "drawElementsInstanced", "drawArraysInstanced"]) {
  const original = WebGL2RenderingContext.prototype[name];
  WebGL2RenderingContext.prototype[name] = function (...rest) {
    window.drawn.last = performance.now();
    window.drawn.contexts.add(this);
    return original.apply(this, rest);
  };
}
window.timed = (act, quiet) => new Promise(resolve => {
  const began = performance.now(), pixel = new Uint8Array(4);
  const look = () => {
    const last = window.drawn.last;
    if (last < began || performance.now() - last < quiet) return setTimeout(look, 50);
    // Reading a pixel waits for all that was asked for, so that it does not delay the next.
    for (const gl of window.drawn.contexts) {
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    }
    resolve((last - began) / 1000);
  };
  act();
  look();
});
window.first = window.timed(() => {}, 3000);
"""
_AGAIN = """
window.timed(window.again || (() => document.querySelector(".stButton button").click()), 1000)
"""


def run() -> list[Row]:
    """Measure in a temporary folder; rows as `bench --json` prints them."""
    with tempfile.TemporaryDirectory(prefix="cityverse-bench-") as folder:
        build("sample", Path(folder) / "sample.mbtiles")
        with _served(folder) as address, chromium.launched() as browser:
            # By turns: the load of a machine changes from minute to minute.
            rounds = [
                {way: _measured(browser, address + path) for way, path in WAYS.items()}
                for _ in range(ROUNDS)
            ]
    return _rows(rounds)


def _rows(rounds: list[dict[str, tuple[float, float]]]) -> list[Row]:
    rows = []
    for number, metric in enumerate(("first_draw_s", "rerun_s")):
        least = {way: min(one[way][number] for one in rounds) for way in rounds[0]}
        for way, seconds in least.items():
            rows.append(_row(way, metric, seconds))
        inside = _ratio(rounds, number, "polygons inside", "tiles")
        bare = _ratio(rounds, number, "tiles", "a bare page")
        rows.append(
            _row("polygons inside against tiles", metric, least["tiles"], ratio=inside)
            | ({"budget": RERUN_RATIO, "held": inside >= RERUN_RATIO} if number else {})
        )
        rows.append(
            _row("tiles against a bare page", metric, least["tiles"], ratio=bare)
            | {"budget": BARE_RATIO, "held": bare <= BARE_RATIO}
        )
    return rows


def _row(case: str, metric: str, value: float, ratio: float | None = None) -> Row:
    row = {"bench": "drawing", "case": case, "size": INLINE, "metric": metric}
    row |= {"value": round(value, 2), "compared_with": None, "budget": None, "held": None}
    return row | {"ratio": None if ratio is None else round(ratio, 2)}


def _ratio(rounds: list[dict[str, tuple[float, float]]], number: int, one: str, two: str) -> float:
    return statistics.median(each[one][number] / each[two][number] for each in rounds)


def _measured(browser: Browser, url: str) -> tuple[float, float]:
    """Seconds from opening a page to the end of its drawing, and from a click to the end."""
    context = browser.new_context(viewport=_SIZE)
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    page.add_init_script(HOOK)
    try:
        page.goto(url, timeout=_WAIT_MS)
        first = page.evaluate("window.first")
        return first, statistics.median(page.evaluate(_AGAIN) for _ in range(RERUNS))
    finally:
        context.close()


@contextmanager
def _served(folder: str) -> Iterator[str]:
    """The pages of ``pages`` under Streamlit's server; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", str(_PAGES / "server.py")),
            *(f"--server.port={port}", "--logger.level=error"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}
        | {"CITYVERSE_BENCH_FOLDER": folder, "CITYVERSE_BENCH_INLINE": str(INLINE)},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < ends:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/bare", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the page to measure did not start")
