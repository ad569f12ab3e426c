"""A real browser in front of a really started CityVerse."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from cityverse.map.build import build

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The heart of the city is enough, and software drawing stays quick.
HEART = (48.851, 2.335, 48.863, 2.358)
# Drawn without a graphics card, on a machine that may be busy.
WAITS_MS = 60_000
OPTIONS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path():
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CITYVERSE_REQUIRE_BROWSER"):
        pytest.fail("no Chromium was found, and CITYVERSE_REQUIRE_BROWSER asks for one")
    if found is None:
        pytest.skip("no Chromium was found: install it to run the browser tests")
    return found


# No longer than a module: while Playwright runs, its event loop runs in the thread of the
# tests, and no test after it could start one of its own.
@pytest.fixture(scope="module")
def chromium(chromium_path):
    expect.set_options(timeout=WAITS_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def city_folder(tmp_path_factory):
    """The data folder of the dashboard."""
    return tmp_path_factory.mktemp("browser")


@contextmanager
def started(folder, **settings):
    """A dashboard over a data folder, started as `make run` does; gives its address."""
    port = int(settings.pop("port", 0)) or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "cityverse", "run"],
        cwd=ROOT,
        env={
            **os.environ,
            "CITYVERSE_DATA_DIR": str(folder),
            "CITYVERSE_PORT": str(port),
            "CITYVERSE_OPEN_BROWSER": "false",
            "CITYVERSE_NEWS_POLL": "false",
            "CITYVERSE_MAP_FETCH": "off",
            **settings,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = []
        for line in process.stdout:
            told.append(line)
            if "Ctrl-C" in line:
                break
        else:
            pytest.fail("it did not start:\n" + "".join(told))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def dashboard(chromium_path, city_folder):
    """The address of a dashboard with the demo city."""
    build("sample", city_folder / "tiles" / "sample.mbtiles", bbox=HEART)
    with started(city_folder) as address:
        yield address


class Reader:
    """One person's browser; remembers what went wrong in it and whom it asked."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(locale="fr-FR", **options)
        self.address = address
        self.faults = []
        self.outside = []
        self.page = self.new_page()

    def new_page(self):
        page = self.context.new_page()
        page.set_default_timeout(WAITS_MS)
        page.on("console", lambda said: said.type == "error" and self._fault(said.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        return page

    def _fault(self, text):
        # Streamlit looks for its server below the path of each page first.
        if "404 (Not Found)" not in text:
            self.faults.append(text)

    def _asked(self, url):
        if not url.startswith((self.address, "data:", "blob:")):
            self.outside.append(url)

    def open(self, path="/"):
        self.page.goto(self.address + path)
        self.page.wait_for_selector("button[data-kind]")
        return self

    def cards(self):
        return self.page.locator("button[data-kind]")

    def dialog(self):
        return self.page.get_by_role("dialog")


@pytest.fixture
def reader(chromium, dashboard):
    made = []

    def make(**options):
        options.setdefault("viewport", {"width": 1100, "height": 760})
        made.append(Reader(chromium, dashboard, **options))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
