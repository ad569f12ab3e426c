"""``make run``: starts everything on this machine, watches over it, and ends it whole.

Engine, worker and dashboard are processes of their own. Each ends with this one,
however it ends; one that dies is started again, the engine on the same port and
data, so that the others go on with the connections they have.
"""

from __future__ import annotations

import collections
import contextlib
import hmac
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol
from urllib.parse import urlsplit

from cityverse.engine import launch
from cityverse.errors import CityVerseError, EngineError
from cityverse.processes import CommandPart, only_one
from cityverse.settings import Settings

log = logging.getLogger(__name__)

_DISK_LEAST = 300 * 1024 * 1024
_READY_WITHIN = 60.0
_LOOK_EVERY = 0.2
# A part that dies so often within a minute will not be helped by another start.
_DEATHS_MOST = 5


def run(settings: Settings) -> int:
    """Start everything, open the browser, and stay until stopped; answers with the exit code."""
    stop = threading.Event()
    with _stopped_by_signals(stop):
        if settings.store == "aws":
            return _run_dashboard(settings, stop)
        _check_disk(settings.data_dir)
        refusal = (
            f"CityVerse runs on {settings.data_dir} already: stop it first, "
            "or set CITYVERSE_DATA_DIR"
        )
        with only_one(settings.data_dir / "run.lock", refusal):
            return _run_dashboard(settings, stop)


def _run_dashboard(settings: Settings, stop: threading.Event) -> int:
    _check_port(settings.host, settings.port)
    (settings.data_dir / "logs").mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as ending:
        parts: list[Part] = []

        def start(part: Part) -> None:
            part.start()
            parts.append(part)
            ending.callback(part.stop)

        _say(f"data       {settings.data_dir}")
        if settings.store == "embedded":
            start(EnginePart(settings.data_dir))
            _say("engine     ready")
        building = _start_sample_city(settings.data_dir, ending)
        _prepare_store(settings)
        _wait_for_sample_city(building, stop)
        start(_worker(settings))
        dashboard = _dashboard(settings)
        start(dashboard)
        url = f"http://{_shown_host(settings.host)}:{settings.port}"
        if not _wait_until_ready(url, dashboard, stop):
            return 0 if stop.is_set() else _fail("the dashboard did not start", settings)
        _offer_first_admin(settings)
        _say(f"dashboard  {url}  (Ctrl-C stops everything)")
        if settings.open_browser:
            webbrowser.open(url)
        return _watch(parts, stop)


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(what: str, settings: Settings) -> int:
    free = shutil.disk_usage(settings.data_dir).free
    why = "the disk is full" if free < _DISK_LEAST else f"see {settings.data_dir / 'logs'}"
    print(f"cityverse: {what}; {why}", file=sys.stderr)
    return 1


def _shown_host(host: str) -> str:
    return "localhost" if host in {"127.0.0.1", "0.0.0.0", "::1", "::"} else host  # noqa: S104


@contextlib.contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_disk(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise EngineError(f"cannot use the data folder {folder}: {error.strerror}") from error
    if free < _DISK_LEAST:
        raise EngineError(
            f"the disk is nearly full: {free // 2**20} MB are free at {folder}, "
            f"{_DISK_LEAST // 2**20} MB are needed"
        )


def _check_port(host: str, port: int) -> None:
    """Fail early and clearly; the moment between this look and the start is the dashboard's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise EngineError(
                f"cannot listen on {host}:{port} ({error.strerror}): "
                "stop what uses it, or set CITYVERSE_PORT"
            ) from error


class Part(Protocol):
    """One of the processes of a running CityVerse."""

    name: str

    def start(self) -> None:
        """Start it; raises EngineError when it does not come up."""

    def alive(self) -> bool:
        """Whether it still runs."""

    def stop(self) -> None:
        """End it, gently at first; ending twice is no error."""


class EnginePart:
    """The embedded engine; started again it keeps its port, so clients need not know."""

    name = "engine"

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._port = 0
        self._engine: launch.EngineProcess | None = None

    def start(self) -> None:
        """Start it on the port it had before, if any."""
        if self._engine is None and launch.running(self._data_dir):
            _end_borrowed(self._data_dir)
        self._engine = launch.start(self._data_dir, self._port, with_this_process=True)
        self._port = urlsplit(self._engine.endpoint.endpoint).port or 0

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._engine is not None and self._engine.process.poll() is None

    def stop(self) -> None:
        """End it within ten seconds."""
        if self._engine is not None:
            self._engine.stop()


def _end_borrowed(data_dir: Path) -> None:
    """End an engine that a command left behind; raises EngineError when one still uses it."""
    with launch.borrowed(data_dir):
        pass  # the last who borrowed it stops it
    if launch.running(data_dir):
        raise EngineError(
            f"another CityVerse command is at work on {data_dir}: wait until it has ended"
        )


def _worker(settings: Settings) -> CommandPart:
    return CommandPart(
        "worker", ["-m", "cityverse", "worker"], settings.data_dir / "logs" / "worker.log"
    )


def _dashboard(settings: Settings) -> CommandPart:
    return CommandPart(
        "dashboard",
        _dashboard_command(settings),
        settings.data_dir / "logs" / "dashboard.log",
        _dashboard_environment(settings),
    )


def _dashboard_command(settings: Settings) -> list[str]:
    options = {
        "--server.address": settings.host,
        "--server.port": str(settings.port),
        "--server.headless": "true",
    }
    flat = [part for pair in options.items() for part in pair]
    return ["-m", "streamlit", "run", "app.py", *flat]


def _dashboard_environment(settings: Settings) -> dict[str, str]:
    # The server believes X-Forwarded-For and -Proto from these alone, not from loopback.
    believed = {"FORWARDED_ALLOW_IPS": ",".join(map(str, settings.trusted_proxies))}
    if not settings.session_secret:
        return believed
    # Streamlit's own cookies must be good at every instance, too.
    own = hmac.new(settings.session_secret.encode(), b"streamlit cookies", "sha256").hexdigest()
    return {**believed, "STREAMLIT_SERVER_COOKIE_SECRET": own}


def dashboard(settings: Settings) -> NoReturn:
    """Be the dashboard, alone and in the foreground; for containers. Ends the process."""
    from streamlit.web import cli

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(Path(__file__).parent.parent)
    os.environ.update(_dashboard_environment(settings))
    _, _, *arguments = _dashboard_command(settings)
    cli.main(arguments, prog_name="streamlit")
    sys.exit(0)


def _prepare_store(settings: Settings) -> None:
    from cityverse.community import demo
    from cityverse.data import provision
    from cityverse.data.store import connect

    steps = provision.apply(settings)
    _say("store      " + (f"completed in {steps} steps" if steps else "complete"))
    if settings.demo:
        added = demo.fill_if_new(connect(settings))
        if added:
            _say(f"demo       {added} items, labelled as such; `seed --remove` takes them away")


def _offer_first_admin(settings: Settings) -> None:
    """Print, once, the link by which whoever runs this becomes its first admin."""
    from cityverse.accounts import accounts
    from cityverse.data.store import connect

    store = connect(settings)
    if store.links.has_admin():
        return
    link = accounts.over(settings, store).offer_first_admin()
    if link is not None:
        _say(f"admin      become the administrator, once, within 7 days: {link}")
    else:
        _say("admin      there is none yet: `python -m cityverse users grant EMAIL admin`")


def _start_sample_city(data_dir: Path, ending: contextlib.ExitStack) -> CommandPart | None:
    """Build the sample city in a process of its own, unless it is there already.

    One that an earlier version generated is shown until the new one is there; then there
    is nothing to wait for.
    """
    from cityverse.map.tiles import generator, sample_generator

    tiles = data_dir / "tiles" / "sample.mbtiles"
    if tiles.exists() and generator(tiles) == sample_generator():
        return None
    command = ["-m", "cityverse", "map", "build", "--source", "sample", "--output", str(tiles)]
    building = CommandPart("map", command, data_dir / "logs" / "map.log")
    building.start()
    ending.callback(building.stop)
    if tiles.exists():
        _say("map        the sample city is of an earlier version, and is built anew meanwhile")
        return None
    return building


def _wait_for_sample_city(building: CommandPart | None, stop: threading.Event) -> None:
    if building is None or building.process is None:
        return
    began = time.monotonic()
    while building.alive() and not stop.wait(_LOOK_EVERY):
        if sys.stdout.isatty():
            seconds = time.monotonic() - began
            print(f"\rmap        building the sample city … {seconds:3.0f} s", end="", flush=True)
    if sys.stdout.isatty():
        print("\r\x1b[K", end="")
    if building.alive():
        return
    if building.process.returncode == 0:
        _say(f"map        sample city built in {time.monotonic() - began:.0f} s")
    else:
        _say(f"map        the sample city could not be built, see {building.log_file}")


def _wait_until_ready(url: str, dashboard: CommandPart, stop: threading.Event) -> bool:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and dashboard.alive():
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer,  # noqa: S310
        ):
            if answer.status == 200:
                return True
        if stop.wait(_LOOK_EVERY):
            return False
    return False


def _watch(parts: list[Part], stop: threading.Event) -> int:
    """Start again what dies, until stopped; answers with the exit code."""
    deaths: dict[str, collections.deque[float]] = collections.defaultdict(collections.deque)
    while not stop.wait(_LOOK_EVERY):
        for part in parts:
            if part.alive():
                continue
            recent = deaths[part.name]
            recent.append(time.monotonic())
            while recent and recent[0] < time.monotonic() - 60:
                recent.popleft()
            if len(recent) > _DEATHS_MOST:
                _say(f"cityverse: the {part.name} keeps ending; see its log. Stopping.")
                return 1
            _say(f"{part.name:10} ended and is started again")
            _start_again(part.start)
    _say("stopping")
    return 0


def _start_again(start: Callable[[], None]) -> None:
    try:
        start()
    except CityVerseError as error:
        log.error("start failed: %s", error)
