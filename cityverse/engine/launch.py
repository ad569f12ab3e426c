"""Using the engine from other processes: find the one that runs, start one, borrow one."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO

from cityverse.engine.server import ENDPOINT_FILE, HOST, LOCK_FILE
from cityverse.errors import EngineError
from cityverse.processes import following

# Held shared by everyone who borrows an engine: the last one out stops it.
_USERS_FILE = "engine.users"
# The pid of an engine that a borrower started, and that no supervisor looks after.
_BORROWED_FILE = "engine.borrowed"
_HEALTH_SECONDS = 2.0
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_LOG_BYTES = 5_000_000
_FILE_BYTES = 10_000
_DISK_LEAST = 1_000_000

# Engines that serve other borrowers still; held so that they are reaped when they end.
_left_running: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Endpoint:
    """How to reach an engine: URL, keys and region for boto3."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str


class EngineProcess:
    """An engine that this process started."""

    def __init__(self, process: subprocess.Popen[bytes], endpoint: Endpoint) -> None:
        """Take charge of ``process``, which answers at ``endpoint``."""
        self.process = process
        self.endpoint = endpoint

    def stop(self, timeout: float = _STOP_SECONDS) -> int:
        """Stop the engine, by force after ``timeout`` seconds; returns its exit code.

        Either way nothing acknowledged is lost.
        """
        self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def running(data_dir: Path) -> Endpoint | None:
    """The engine that answers on ``data_dir``, or None."""
    found = _read_endpoint(data_dir)
    if found is None:
        return None
    endpoint, pid = found
    alive = _is_alive(pid) and _lock_is_held(data_dir) and _answers(endpoint)
    return endpoint if alive else None


def start(
    data_dir: Path, port: int = 0, *, timeout: float = 30.0, with_this_process: bool = False
) -> EngineProcess:
    """Start an engine on ``data_dir`` as a child in a session of its own.

    ``port`` 0 chooses a free one. Its log is ``logs/engine.log`` in the folder. With
    ``with_this_process`` it ends when this process does, however that ends. Raises
    EngineError with what the engine said when it does not answer within ``timeout``
    seconds.
    """
    data_dir = data_dir.absolute()
    with _open_log(data_dir) as log:
        said_before = log.tell()
        process = subprocess.Popen(  # noqa: S603 - our own program
            [
                *(sys.executable, "-m", "cityverse.engine"),
                *("--data-dir", str(data_dir), "--port", str(port)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment() | (following() if with_this_process else {}),
            start_new_session=True,
        )
    line = _first_line(process, timeout)
    try:
        return EngineProcess(process, Endpoint(**json.loads(line)))
    except (ValueError, TypeError) as error:
        ended = process.poll()
        process.kill()  # it has ended already, unless it took too long
        process.wait()
        said = _last_line(data_dir, said_before)
        raise EngineError(said or _why(data_dir, ended, timeout)) from error


@contextmanager
def borrowed(data_dir: Path, *, timeout: float = 30.0) -> Iterator[Endpoint]:
    """Use the engine that runs on ``data_dir``, or one started for this purpose.

    An engine started this way serves everyone who borrows it meanwhile, and is stopped
    by the last of them. Raises EngineError when none can be had within ``timeout``
    seconds.
    """
    data_dir = data_dir.absolute()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data_dir / _USERS_FILE).open("a")
    except OSError as error:
        raise EngineError(f"cannot write to {data_dir}: {error.strerror}") from error
    with file as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        found: Endpoint | EngineProcess | None = None
        try:
            found = _find_or_start(data_dir, timeout)
            yield found.endpoint if isinstance(found, EngineProcess) else found
        finally:
            _stop_if_last(data_dir, users)
            if isinstance(found, EngineProcess) and found.process.poll() is None:
                _left_running.append(found.process)


def _find_or_start(data_dir: Path, timeout: float) -> Endpoint | EngineProcess:
    deadline = monotonic() + timeout
    while True:
        if (endpoint := running(data_dir)) is not None:
            return endpoint
        try:
            engine = start(data_dir, timeout=max(1.0, deadline - monotonic()))
        except EngineError:
            # Another command was quicker, and its engine is about to answer.
            if not _lock_is_held(data_dir) or monotonic() > deadline:
                raise
            sleep(_LOOK_SECONDS)
            continue
        try:
            (data_dir / _BORROWED_FILE).write_text(str(engine.process.pid))
        except OSError as error:
            engine.stop()
            raise EngineError(f"cannot write to {data_dir}: {error.strerror}") from error
        return engine


def _stop_if_last(data_dir: Path, users: IO[str]) -> None:
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        # Whoever wants to borrow now waits until the engine has gone, then starts one.
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    found = _read_endpoint(data_dir)
    try:
        pid = int((data_dir / _BORROWED_FILE).read_text())
    except (OSError, ValueError):
        return
    if found is not None and found[1] == pid and _lock_is_held(data_dir):
        _terminate(pid, data_dir)
    (data_dir / _BORROWED_FILE).unlink(missing_ok=True)


def _terminate(pid: int, data_dir: Path) -> None:
    deadline = monotonic() + _STOP_SECONDS
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while _lock_is_held(data_dir) and monotonic() < deadline:
            sleep(_LOOK_SECONDS)
        if _lock_is_held(data_dir):
            os.kill(pid, signal.SIGKILL)


def _read_endpoint(data_dir: Path) -> tuple[Endpoint, int] | None:
    try:
        with (data_dir / ENDPOINT_FILE).open("rb") as file:
            content = json.loads(file.read(_FILE_BYTES))
        pid = int(content.pop("pid"))
        return Endpoint(**content), pid
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lock_is_held(data_dir: Path) -> bool:
    """Whether an engine holds the folder; shared, so that two who look do not meet."""
    try:
        with (data_dir / LOCK_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _answers(endpoint: Endpoint) -> bool:
    port = int(endpoint.endpoint.rpartition(":")[2])
    connection = http.client.HTTPConnection(HOST, port, timeout=_HEALTH_SECONDS)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _why(data_dir: Path, ended: int | None, timeout: float) -> str:
    """Why an engine that could not even log did not come up."""
    if shutil.disk_usage(data_dir).free < _DISK_LEAST:
        return f"the engine cannot write to {data_dir}: the disk is full"
    if ended is not None:
        return f"the engine ended at once, with exit code {ended}"
    return f"the engine did not answer within {timeout:.0f} s"


def _environment() -> dict[str, str]:
    """This environment without AWS credentials, and with the package to be found."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    package = str(Path(__file__).parents[2])
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{package}{os.pathsep}{inherited}" if inherited else package
    return environment


@contextmanager
def _open_log(data_dir: Path) -> Iterator[IO[bytes]]:
    path = data_dir / "logs" / "engine.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        log = path.open("ab")
    except OSError as error:
        raise EngineError(f"the engine cannot use {data_dir}: {error}") from error
    with log:
        yield log


def _first_line(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    """The first line the engine prints; empty when it ends or takes too long."""
    assert process.stdout is not None  # noqa: S101 - started with a pipe
    deadline = monotonic() + timeout
    line = b""
    with process.stdout as stdout:
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - monotonic()))
            chunk = os.read(stdout.fileno(), _FILE_BYTES) if ready else b""
            if not chunk:
                return b""
            line += chunk
    return line


def _last_line(data_dir: Path, offset: int) -> str:
    with (data_dir / "logs" / "engine.log").open("rb") as log:
        log.seek(offset)
        lines = log.read(1_000_000).decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
