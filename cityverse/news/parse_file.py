"""``news parse FILE``: a feed file as lines of JSON, read in a child process on a leash.

The child may use so much memory and time and no more, whatever the file does to the
parser; its output is passed on only when it has read everything.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from cityverse.errors import FeedUnreadable
from cityverse.news.decode import LONGEST
from cityverse.news.parse import Entry, parse
from cityverse.news.text import speak_utf8

_SECONDS = 9.0
_MEMORY = 380 * 1024 * 1024
_REFUSED = 3
"""Exit code of a child that found the file unreadable; its one line says why."""


def parse_file(path: str | Path, out: TextIO) -> None:
    """Write one JSON object a line to ``out`` for each entry of the feed in ``path``.

    Raises FeedUnreadable, with nothing written, when the file is missing, no feed, or
    needs over 9 s or 380 MB.
    """
    package_root = str(Path(__file__).resolve().parents[2])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(  # noqa: S603 (our own module, no shell)
            [sys.executable, "-m", "cityverse.news.parse_file", str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FeedUnreadable(f"{path}: not read within {_SECONDS:g} s") from error
    if done.returncode == _REFUSED:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1]
        raise FeedUnreadable(f"{path}: {reason}")
    if done.returncode != 0:
        raise FeedUnreadable(f"{path}: reading it failed or took over {_MEMORY >> 20} MB")
    speak_utf8(out)
    out.write(done.stdout.decode("utf-8"))


def entry_line(entry: Entry) -> str:
    """An entry as one line of JSON; times are ISO 8601 with their offset."""
    row = {
        "id": entry.id,
        "title": entry.title,
        "link": entry.link,
        "published": entry.published.isoformat() if entry.published else None,
        "updated": entry.updated.isoformat() if entry.updated else None,
        "summary": entry.summary,
        "author": entry.author,
        "image": entry.image,
        "lat": entry.lat,
        "lon": entry.lon,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _limit_memory() -> None:
    """Bound this process' memory where the platform can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(LONGEST + 1)
    except OSError as error:
        raise FeedUnreadable(error.strerror or str(error)) from error


def _child(path: str) -> int:
    _limit_memory()
    gc.disable()  # a tenth faster, and this process does not live long enough to need it
    try:
        entries = parse(_read(path)).entries
    except FeedUnreadable as error:
        sys.stderr.write(" ".join(str(error).split()))
        return _REFUSED
    except MemoryError:
        return 1
    for entry in entries:
        sys.stdout.write(entry_line(entry))
    return 0


if __name__ == "__main__":
    sys.exit(_child(sys.argv[1]))
