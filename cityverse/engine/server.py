"""The engine's process: ``serve`` is it, in the foreground, until it is told to stop.

In the data folder: ``engine.lock`` (held while an engine runs), ``engine.json`` (how to
reach it, there while it answers), and ``engine/`` with the credentials, ``store.sqlite3``
(tables, items, buckets), ``objects/`` (S3 bodies) and ``state/`` (other services).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import json
import logging
import os
import secrets
import signal
import socket
import string
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Any

from cityverse.engine import private_names
from cityverse.engine.files import write_atomically
from cityverse.engine.guard import Guard, verify_every_signature
from cityverse.engine.store import Store, unreadable
from cityverse.errors import EngineError

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
REGION = "eu-west-3"
ENDPOINT_FILE = "engine.json"
LOCK_FILE = "engine.lock"

# What the data module and the templates speak to; nothing that runs code or containers.
_SERVICES = (
    "cloudformation,cloudwatch,dynamodb,dynamodbstreams,events,iam,kms,logs,s3,"
    "secretsmanager,sns,sqs,ssm,sts,tagging"
)
# Loggers of ministack that tell of every bucket and every start.
_TALKATIVE = ("ministack", "persistence", "s3", "dynamodb")
_FOREIGN_PREFIXES = ("AWS_", "MINISTACK_", "LOCALSTACK_", "S3_", "LAMBDA_", "DOCKER_")
_FOREIGN_NAMES = ("EDGE_PORT", "USE_SSL", "CLOUDTRAIL_RECORDING")
# A lock is asked for again for this long: `launch` looks at it for an instant.
_LOCK_SECONDS = 0.5
_COMMIT_SECONDS = 1.0
_STOP_SECONDS = 8.0


def serve(data_dir: Path, port: int) -> int:
    """Run the engine on ``data_dir`` until SIGTERM or SIGINT; the exit code is 0.

    ``port`` 0 chooses a free one. Once it answers it writes ``engine.json`` and one line
    of the same JSON to stdout; nothing else goes there. Raises EngineError when it cannot
    start, or had to stop because the disk refused a write. To be called once in a
    process, on its main thread: it sets the environment and the signal handlers.
    """
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    data_dir = data_dir.absolute()
    try:
        home = data_dir / "engine"
        for folder in (home, home / "state", home / "objects"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(data_dir), _listening(port) as listener:
            credentials = _credentials(home / "credentials.json")
            _set_environment(home, listener.getsockname()[1], credentials)
            for name in _TALKATIVE:
                logging.getLogger(name).setLevel(logging.WARNING)
            with _stdout_to_stderr() as stdout:
                return _run(data_dir, listener, credentials, stdout)
    except OSError as error:
        raise EngineError(f"the engine cannot use {data_dir}: {error}") from error


def _run(data_dir: Path, listener: socket.socket, credentials: dict[str, str], stdout: int) -> int:
    home = data_dir / "engine"
    _refuse_missing_store(home)
    store = Store(home / "store.sqlite3")
    try:
        engine = _Engine(home, store)
        endpoint = {
            "endpoint": f"http://{HOST}:{listener.getsockname()[1]}",
            **credentials,
            "region": REGION,
        }
        asyncio.run(engine.serve(listener, data_dir / ENDPOINT_FILE, endpoint, stdout))
        if engine.failure:
            raise EngineError(f"the engine stopped: {engine.failure}")
        return 0
    finally:
        (data_dir / ENDPOINT_FILE).unlink(missing_ok=True)
        store.close()


class _Engine:
    """ministack with durable tables and buckets, and the server in front of it."""

    def __init__(self, home: Path, store: Store) -> None:
        """Import ministack, whose environment is set, and load everything from disk."""
        from cityverse.engine import objects

        objects.recover(home / "objects")
        failures = objects.Failures()
        _check_states(home / "state")
        private_names.verify()
        import ministack.app as application
        from ministack.core import persistence

        from cityverse.engine.durability import WriteThrough
        from cityverse.engine.queries import SortedQueries

        self.failure = ""
        self._application: Any = application
        self._persistence: Any = persistence
        self._stop: asyncio.Event | None = None
        gc.disable()  # a restart makes millions of objects and no garbage
        dynamodb = application._get_module("dynamodb")
        SortedQueries(dynamodb)
        self._dynamodb = WriteThrough(dynamodb, store, self._fail)
        s3 = application._get_module("s3")
        self._s3 = objects.ObjectFiles(s3, store, failures, self._fail)
        self._restore_others()
        gc.freeze()
        gc.enable()
        application._ready_scripts_state["status"] = "completed"
        verify_every_signature()
        self._guard = Guard(application.app)

    async def serve(
        self, listener: socket.socket, file: Path, endpoint: dict[str, str], stdout: int
    ) -> None:
        """Answer on ``listener`` until a signal or a failure; says so once it listens."""
        from hypercorn.asyncio import serve
        from hypercorn.config import Config

        self._stop = stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._application._MAIN_LOOP = loop
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

        async def until_stopped() -> None:  # awaited by the server once it listens
            _announce(file, {**endpoint, "pid": os.getpid()}, endpoint, stdout)
            await self._commit_until(stop)
            file.unlink(missing_ok=True)
            _end_at_last(1 if self.failure else 0)

        config = Config()
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        config.keep_alive_timeout = 75
        config.read_timeout = 120
        config.graceful_timeout = 3.0
        config.loglevel = "WARNING"
        await serve(self._guard, config, shutdown_trigger=until_stopped)  # type: ignore[arg-type]
        if not self.failure:
            self._dynamodb.commit()
            self._s3.commit()
            self._persistence.save_all(self._others())

    async def _commit_until(self, stop: asyncio.Event) -> None:
        """Carry to disk what no request waits for: expired items, tables made by a stack."""
        complaint = ""
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _COMMIT_SECONDS)
            try:
                self._dynamodb.commit()
                self._s3.commit()
            except EngineError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    _log.error("%s", complaint)

    def _fail(self, reason: str) -> None:
        """Stop: memory may differ from disk, so the next start must read the disk."""
        self.failure = self.failure or reason
        self._guard.closed = True
        if self._stop is not None:
            self._stop.set()

    def _restore_others(self) -> None:
        for name, module in self._application._state_map.items():
            if name in ("dynamodb", "s3"):
                continue
            state = self._persistence.load_state(name)
            if not state:
                continue
            try:
                self._application._get_module(module).load_persisted_state(state)
            except Exception as error:  # whatever a service makes of a state it cannot use
                path = Path(self._persistence.STATE_DIR, f"{name}.json")
                raise unreadable(path, str(error)) from error

    def _others(self) -> dict[str, Any]:
        states: dict[str, Any] = self._application._build_persistence_save_dict()
        return {name: state for name, state in states.items() if name not in ("dynamodb", "s3")}


def _check_states(folder: Path) -> None:
    """Raise EngineError if a service's state file would be taken for absent."""
    from ministack.core.persistence import _state_format_version

    for path in sorted(folder.glob("*.json")):
        try:
            state = json.loads(path.read_bytes())
        except ValueError as error:
            raise unreadable(path, str(error)) from error
        found = state.get("__ministack_format__", 0) if isinstance(state, dict) else 0
        if found > _state_format_version(path.stem):
            raise unreadable(path, f"its format {found} is of a newer version")


def _refuse_missing_store(home: Path) -> None:
    """Raise EngineError if there are objects or states whose store has gone."""
    store = home / "store.sqlite3"
    if not store.exists() and any(any((home / name).iterdir()) for name in ("objects", "state")):
        raise unreadable(store, "it is missing, though what belongs to it is there")


def _announce(file: Path, content: dict[str, Any], endpoint: dict[str, str], stdout: int) -> None:
    write_atomically(file, json.dumps(content).encode())
    with suppress(BrokenPipeError):
        os.write(stdout, json.dumps(endpoint).encode() + b"\n")


def _end_at_last(code: int) -> None:
    """End the process even if something of ministack will not: all that counts is on disk."""
    timer = threading.Timer(_STOP_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; raises EngineError if another engine does."""
    deadline = monotonic() + _LOCK_SECONDS
    with (data_dir / LOCK_FILE).open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if monotonic() > deadline:
                    raise EngineError(f"another engine runs on {data_dir}") from error
                sleep(0.02)
        # Left by an engine that was killed.
        (data_dir / ENDPOINT_FILE).unlink(missing_ok=True)
        yield


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """Take the port on loopback; raises EngineError if it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(256)
        except OSError as error:
            what = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
            raise EngineError(f"port {port} of {HOST} {what}") from error
        yield listener


@contextmanager
def _stdout_to_stderr() -> Iterator[int]:
    """Send whatever anything prints to stderr; yields a descriptor of the real stdout."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield stdout
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _credentials(path: Path) -> dict[str, str]:
    """The engine's own keys, made at the first start and kept."""
    if not path.exists():
        letters = string.ascii_uppercase + string.digits
        made = {
            "access_key": "CV" + "".join(secrets.choice(letters) for _ in range(18)),
            "secret_key": secrets.token_urlsafe(30),
        }
        write_atomically(path, json.dumps(made).encode())
    try:
        kept = json.loads(path.read_bytes())
        return {"access_key": str(kept["access_key"]), "secret_key": str(kept["secret_key"])}
    except (ValueError, KeyError, TypeError) as error:
        raise unreadable(path, str(error)) from error


def _set_environment(home: Path, port: int, credentials: dict[str, str]) -> None:
    """Give ministack its settings; it reads them when it is imported."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN_PREFIXES) or name in _FOREIGN_NAMES:
            del os.environ[name]
    os.environ.update(
        {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": credentials["access_key"],
            "AWS_SECRET_ACCESS_KEY": credentials["secret_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "S3_DATA_DIR": str(home / "objects"),
            "S3_PERSIST": "1",
            "SERVICES": _SERVICES,
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(home / "state"),
        }
    )
