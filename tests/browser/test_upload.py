"""A video on its way from a browser to the store."""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from helpers import settings_for, stand_in
from playwright.sync_api import expect

from cityverse.data.client import Dynamo, dynamodb_client

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "media"))

from media_files import mp4  # noqa: E402


@pytest.fixture(scope="module")
def upload_page(dashboard, city_folder):
    """The address of a page with an upload, over the store of the dashboard."""
    client = dynamodb_client(settings_for(city_folder))
    stand_in(Dynamo(client), "User", "tester")
    client.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(
        [sys.executable, *command, "--server.address", "127.0.0.1", "--server.headless", "true"],
        cwd=HERE / "upload_app",
        env={**os.environ, "CITYVERSE_DATA_DIR": str(city_folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in process.stdout:
            if "URL:" in line:
                break
        else:
            pytest.fail("the page did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture
def page(chromium, upload_page):
    context = chromium.new_context(locale="fr-FR")
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.goto(upload_page)
    page.wait_for_selector("input[type=file]")
    yield page
    context.close()


def film(tmp_path, size):
    path = tmp_path / "film.mp4"
    path.write_bytes(mp4(data=b"x" * size))
    return path


def test_a_video_of_several_parts_survives_a_broken_connection(page, upload_page, tmp_path):
    path = film(tmp_path, 17_000_000)
    broken = []

    def break_once(route):
        if not broken and "8388608-" in route.request.headers.get("content-range", ""):
            broken.append(True)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/upload/**", break_once)
    page.locator("input[type=file]").set_input_files(path)
    arrived = page.get_by_text(re.compile("arrived \\w+"))
    expect(arrived).to_be_visible(timeout=60_000)
    assert broken
    expect(page.get_by_text("La vidéo est arrivée.")).to_be_visible(timeout=60_000)
    address = f"{upload_page}/m/{arrived.inner_text().split()[1]}"
    request = urllib.request.Request(address, headers={"Range": "bytes=0-7"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.read()[4:] == b"ftyp"


def test_what_is_no_video_is_refused_in_words(page, tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"<html>" * 1000)
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_text("Cette vidéo n'est pas acceptée")).to_be_visible(timeout=60_000)


def test_a_file_that_is_too_large_is_never_sent(page, tmp_path):
    asked = []
    page.on("request", lambda request: "/upload/" in request.url and asked.append(request.url))
    path = tmp_path / "film.mp4"
    with path.open("wb") as sparse:
        sparse.truncate(40_000_001)
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_text("Ce fichier est vide ou trop grand.")).to_be_visible(timeout=60_000)
    assert asked == []
