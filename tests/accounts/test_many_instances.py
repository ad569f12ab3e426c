"""Two apps and two workers over one store, unprivileged as in the container.

Their tree is read-only to them: they run as a user who owns nothing of it.
"""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from accounts_helpers import HERE, PASSWORD
from feed_server import feed_server
from helpers import post

from cityverse.accounts.http import cookie_name
from cityverse.data import media as media_store
from cityverse.data.codec import time_text
from cityverse.domain.media import MediaPlace
from cityverse.domain.people import Role, Status
from cityverse.engine.launch import running

ROOT = Path(__file__).parents[2]
USER = "10001"
SECRET = "a secret of the tests, 32 bytes."
WITHIN = 60

pytestmark = pytest.mark.slow


def wait_for(condition):
    """Poll a condition of other processes, which nothing can notify us of."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


@pytest.fixture
def start(settings):
    """Start commands of the image, as an unprivileged user where that is possible."""
    engine = running(settings.data_dir)
    made, folders = [], []

    def starter(command, **variables):
        folder = Path(tempfile.mkdtemp(prefix="cityverse-instance-"))
        folders.append(folder)
        before = []
        if os.geteuid() == 0:
            setpriv = shutil.which("setpriv")
            if setpriv is None:
                pytest.skip("running as root, and there is no setpriv to become somebody else")
            os.chown(folder, int(USER), int(USER))
            before = [setpriv, "--reuid", USER, "--regid", USER, "--clear-groups"]
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "cityverse", command],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONDONTWRITEBYTECODE": "1",
                "CITYVERSE_STORE": "aws",
                "CITYVERSE_DATA_DIR": str(folder),
                "CITYVERSE_SESSION_SECRET": SECRET,
                "CITYVERSE_CURSOR_SECRET": SECRET,
                "AWS_ENDPOINT_URL": engine.endpoint,
                "AWS_ACCESS_KEY_ID": engine.access_key,
                "AWS_SECRET_ACCESS_KEY": engine.secret_key,
                "AWS_DEFAULT_REGION": engine.region,
                **variables,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        made.append(process)
        return process

    yield starter
    for process in made:
        process.kill()
        process.wait()
    for folder in folders:
        shutil.rmtree(folder)


def ask(address, cookie=None, body=None):
    """Status and headers of an answer; a body is posted as our own pages do."""
    request = urllib.request.Request(address, data=body)
    if cookie is not None:
        request.add_header("Cookie", cookie)
    if body is not None:
        request.add_header("Origin", "/".join(address.split("/")[:3]))
        request.add_header("Content-Type", "application/json")
        request.add_header("X-CityVerse", "1")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers
    except OSError:
        return 0, {}


@pytest.fixture
def two_apps(start):
    """The addresses of two dashboards."""
    addresses = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = start("app", CITYVERSE_PORT=str(port))
        addresses.append((f"http://127.0.0.1:{port}", process))
    for address, _ in addresses:
        wait_for(lambda address=address: ask(f"{address}/healthz")[0] == 200)
    return addresses


def test_a_session_works_on_both_apps_and_dies_on_both(two_apps, accounts, somebody, settings):
    (first, process), (second, _) = two_apps
    if os.geteuid() == 0:
        assert Path(f"/proc/{process.pid}").stat().st_uid == int(USER)
    person = somebody()
    files = media_store.connect(settings)
    png = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"
        b"\x90wS\xde\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef"
        b"\x00\x00\x00\x00IEND\xaeB`\x82"
    )
    own = files.add_image(person.id, MediaPlace.POST, png, public=False)
    ticket = accounts.sign_in("ada@example.org", PASSWORD, HERE)
    status, headers = ask(f"{first}/session/start", body=json.dumps({"ticket": ticket}).encode())
    assert status == 200
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert cookie.startswith(cookie_name(settings))
    for address in (first, second):
        assert ask(f"{address}/m/{own.id}")[0] == 404
        assert ask(f"{address}/m/{own.id}", cookie)[0] == 200
    assert ask(f"{second}/session/end", cookie, b"{}")[0] == 200
    for address in (first, second):
        assert ask(f"{address}/m/{own.id}", cookie)[0] == 404


def export_of(address, cookie):
    """The role and state that an app knows of somebody; its refusal where it lets nobody in."""
    request = urllib.request.Request(f"{address}/me/export", headers={"Cookie": cookie})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return next(
        one["role"]
        for name in archive.namelist()
        if name.endswith(".json")
        for one in _rows(json.loads(archive.read(name)))
        if "role" in one and "email" in one
    )


def _rows(told):
    """Every object in a document."""
    if isinstance(told, dict):
        yield told
        told = list(told.values())
    if isinstance(told, list):
        for one in told:
            yield from _rows(one)


def test_what_one_app_changes_holds_on_the_other_at_once(two_apps, accounts, somebody, store):
    addresses = [address for address, _ in two_apps]
    person = somebody()
    ticket = accounts.sign_in("ada@example.org", PASSWORD, HERE)
    _, headers = ask(f"{addresses[0]}/session/start", body=json.dumps({"ticket": ticket}).encode())
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert [export_of(one, cookie) for one in addresses] == ["resident"] * 2
    accounts.grant("ada@example.org", Role.MANAGER)
    assert [export_of(one, cookie) for one in addresses] == ["manager"] * 2
    known = store.users.get(person.id)
    store.users.replace(known, replace(known, status=Status.SUSPENDED))
    assert [export_of(one, cookie) for one in addresses] == [401] * 2

    shown = store.posts.create(post(created=datetime.now(UTC)))
    for there in (True, False):
        for address in addresses:
            with urllib.request.urlopen(f"{address}/city.geojson", timeout=10) as answer:
                assert (shown.title in answer.read().decode()) is there
        store.deletion.delete("Posts", shown.id)


LOOKING = """
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

from cityverse.community.city import Filter
from cityverse.data.store import connect
from cityverse.settings import current
from cityverse.ui.looking import look

store = connect(current())
for _ in sys.stdin:
    found = look(SimpleNamespace(store=store, now=datetime.now(UTC)), Filter())
    print("|".join(item.title for item in found.items), flush=True)
"""


def test_the_first_pages_of_two_apps_agree_within_their_time(store, settings):
    """Each keeps what it found for some seconds (docs/instances.md), and not for longer."""
    shown = store.posts.create(post(created=datetime.now(UTC)))
    environment = {
        **os.environ,
        "CITYVERSE_DATA_DIR": str(settings.data_dir),
        "CITYVERSE_CURSOR_SECRET": SECRET,
    }
    apps = [
        subprocess.Popen(
            [sys.executable, "-c", LOOKING],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]

    def looked():
        for app in apps:
            app.stdin.write("\n")
            app.stdin.flush()
        return [shown.title in app.stdout.readline() for app in apps]

    try:
        assert looked() == [True, True]
        store.deletion.delete("Posts", shown.id)
        wait_for(lambda: looked() == [False, False])
    finally:
        for app in apps:
            app.stdin.close()
            app.stdout.close()
            app.wait(WITHIN)


def test_of_two_workers_one_asks_and_the_other_takes_over_when_it_is_killed(store, start):
    with feed_server() as served:
        feeds = Path(tempfile.mkdtemp(prefix="cityverse-feeds-"))
        feeds.chmod(0o755)
        file = feeds / "feeds.toml"
        file.write_text(
            f'[[feed]]\nid = "slow"\nname = "Slow"\nurl = "{served.url}/silent"\n'
            'home = "https://example.org/"\n'
        )
        variables = {
            "CITYVERSE_NEWS_FEEDS": str(file),
            "CITYVERSE_NEWS_ALLOW_PRIVATE": "true",
            "CITYVERSE_MAP_FETCH": "off",
        }
        first = start("worker", **variables)
        assert served.asked_silent.wait(WITHIN)
        second = start("worker", **variables)
        seen = store.meta("worker")["seen_at"]
        wait_for(lambda: store.meta("worker")["seen_at"] != seen)  # a round of the second
        assert len(served.seen) == 1
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        held = store.sources.get("slow").lease_until
        assert held > datetime.now(UTC)
        # As if the lease had run out since.
        store.dynamo.update(
            "NewsSource",
            {"id": "slow"},
            UpdateExpression="SET lease_until = :past",
            ExpressionAttributeValues={
                ":past": time_text(datetime.now(UTC) - timedelta(seconds=1))
            },
        )
        wait_for(lambda: len(served.seen) > 1)
        served.stopping.set()
        second.send_signal(signal.SIGTERM)
        assert second.wait(WITHIN) == 0
        shutil.rmtree(feeds)
