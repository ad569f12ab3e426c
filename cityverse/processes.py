"""Processes that end with the one that started them, and folders that belong to one process."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cityverse.errors import EngineError

log = logging.getLogger(__name__)

_ROOT = Path(__file__).parent.parent
_STOP_WITHIN = 10.0
PARENT = "CITYVERSE_PARENT_PID"
_PR_SET_PDEATHSIG = 1


def following() -> dict[str, str]:
    """What the environment of a child must say so that ``follow_parent`` there follows us."""
    return {PARENT: str(os.getpid())}


def follow_parent() -> None:
    """Let this process be ended with SIGTERM when the one that started it is gone.

    Does nothing unless the starter asked for it. Linux does it in the kernel, so
    that not even kill -9 of the parent leaves a child; elsewhere a thread looks
    every second.
    """
    parent = int(os.environ.pop(PARENT, "0"))
    if not parent:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it went away before we could follow it
        os.kill(os.getpid(), signal.SIGTERM)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def only_one(lock: Path, refusal: str) -> Iterator[None]:
    """Hold a lock file; raises EngineError with ``refusal`` when another process holds it."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        raise EngineError(f"cannot write to {lock.parent}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EngineError(refusal) from error
        yield


@dataclass
class CommandPart:
    """A Python program of our own, with its output in a log file."""

    name: str
    command: list[str]
    log_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches it through us alone."""
        try:
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            output = self.log_file.open("ab")
        except OSError as error:
            raise EngineError(f"cannot write {self.log_file}: {error.strerror}") from error
        with output:
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, *self.command],
                cwd=_ROOT,
                env={**os.environ, **self.environment, **following(), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds."""
        if self.process is None or not self.alive():
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            log.warning("%s did not end in time and is killed", self.name)
            self.process.kill()
            self.process.wait()
