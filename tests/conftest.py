"""What all tests share: no network, one embedded engine, an empty store for each test."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import hypothesis
import pytest
from helpers import clear, cleared_by, settings_for, stand_in

from cityverse.data import provision
from cityverse.data.client import Dynamo, dynamodb_client
from cityverse.data.cursors import Cursors
from cityverse.data.store import Store, over
from cityverse.engine.launch import start
from cityverse.engine.server import ENDPOINT_FILE, LOCK_FILE
from cityverse.settings import Settings

# No test is judged by the time it takes: machines are busy.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
# Started in the background, a shell ignores Ctrl-C for all it starts: our own processes must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every connection that leaves this machine, and every name but localhost."""
    patch = pytest.MonkeyPatch()
    connect, connect_ex, getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def checked(sock: socket.socket, address: Any) -> Any:
        if sock.family in {socket.AF_INET, socket.AF_INET6} and not _is_local(address[0]):
            pytest.fail(f"a test wants to connect to {address[0]}", pytrace=True)
        return address

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and not _is_local(host) and not _is_address(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests do not resolve {host!r}")
        return getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", lambda s, a: connect(s, checked(s, a)))
    patch.setattr(socket.socket, "connect_ex", lambda s, a: connect_ex(s, checked(s, a)))
    patch.setattr(socket, "getaddrinfo", resolve)
    yield
    patch.undo()


def _is_address(host: str | bytes) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_local(host: str | bytes) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    if text in {"", "localhost", "0.0.0.0", "::", socket.gethostname()}:
        return True
    return _is_address(text) and ipaddress.ip_address(text.partition("%")[0]).is_loopback


@pytest.fixture(scope="session", autouse=True)
def watched_calls() -> Iterator[None]:
    """Notice every call of the program to the store."""
    with pytest.MonkeyPatch.context() as patch:
        calls.watch(patch)
        yield
    if "CITYVERSE_RECORD_CALLS" in os.environ:
        calls.record(Path(os.environ["CITYVERSE_RECORD_CALLS"]))


@pytest.fixture(autouse=True)
def no_unlisted_call() -> Iterator[None]:
    """Fail a test in which the program makes a call that docs/engines.md does not list."""
    yield
    if calls.unlisted and "CITYVERSE_RECORD_CALLS" not in os.environ:
        found = sorted(calls.unlisted)
        calls.unlisted.clear()
        pytest.fail(f"docs/engines.md does not list {found}: see tests/calls.py")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real input beside the repository; without it the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("the folder `shared` beside the repository is not there")
    return SHARED


@pytest.fixture(scope="session")
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of an engine that runs as long as the tests, with all tables made."""
    folder = tmp_path_factory.mktemp("engine")
    engine = start(folder, with_this_process=True)
    try:
        provision.apply(settings_for(folder))
        cleared_by(folder)
        yield folder
    finally:
        assert engine.stop() == 0


@pytest.fixture(scope="session")
def dynamo(engine_folder: Path) -> Iterator[Dynamo]:
    """One connection to the engine of the tests."""
    client = dynamodb_client(settings_for(engine_folder))
    yield Dynamo(client)
    client.close()


@pytest.fixture
def settings(engine_folder: Path, tmp_path: Path) -> Settings:
    """Settings of an installation with a data folder of its own on the engine of the tests."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in (ENDPOINT_FILE, LOCK_FILE):
        (folder / name).symlink_to(engine_folder / name)
    return settings_for(folder)


@pytest.fixture
def store(dynamo: Dynamo) -> Store:
    """A store that holds nothing but who publishes and who acts in most tests."""
    clear(dynamo)
    stand_in(dynamo, "Association", "a1")
    stand_in(dynamo, "User", "u1", "u2")
    return over(dynamo, Cursors(b"a secret of the tests, 32 bytes."))
