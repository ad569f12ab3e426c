"""Processes that end with the one that started them, and folders that belong to one process."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cityverse.errors import EngineError

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
