"""Takes the pictures of the documentation: five cameras over the demo city, light and dark.

    python -m benchmarks.pages.pictures [FOLDER]

Starts a city of its own in a temporary folder, as `make run` does. A few minutes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.drawing import HOOK, ROOT
from benchmarks.pages import chromium

# Latitude, longitude and zoom, as in the address of a shared view.
CAMERAS = {
    "city": "48.85900,2.34200,12.3",
    "cite": "48.85500,2.34700,15",
    "tower": "48.85830,2.29450,15",
    "etoile": "48.87380,2.29500,14.6",
    "canal": "48.87900,2.36800,14.6",
}
_SIZE = {"width": 1360, "height": 860}
_WAIT_MS = 240_000


def take(folder: Path) -> list[Path]:
    """Write all pictures into a folder; answers with their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with _city() as address, chromium.launched() as browser:
        for theme in ("light", "dark"):
            for name, at in CAMERAS.items():
                file = folder / f"map-{name}-{theme}.jpg"
                _picture(browser, f"{address}/?at={at}", theme, file)
                print(file, flush=True)  # noqa: T201
                files.append(file)
    return files


def _picture(browser: Browser, url: str, theme: str, file: Path) -> None:
    context = browser.new_context(
        viewport=_SIZE, color_scheme="dark" if theme == "dark" else "light", locale="fr-FR"
    )
    page = context.new_page()
    page.add_init_script(HOOK)
    page.goto(url, timeout=_WAIT_MS)
    page.set_default_timeout(_WAIT_MS)
    page.evaluate("window.first")
    page.screenshot(path=file, type="jpeg", quality=82, timeout=_WAIT_MS)
    context.close()


@contextmanager
def _city() -> Iterator[str]:
    """A city of its own with the demo items; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="cityverse-pictures-") as folder:
        settings = {
            "CITYVERSE_DATA_DIR": folder,
            "CITYVERSE_PORT": str(port),
            "CITYVERSE_OPEN_BROWSER": "false",
            "CITYVERSE_NEWS_POLL": "false",
            "CITYVERSE_MAP_FETCH": "off",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "cityverse", "run"],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            if not any("Ctrl-C" in line for line in process.stdout):
                raise RuntimeError("the city did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            process.stdout.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures")
