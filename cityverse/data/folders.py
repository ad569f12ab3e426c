"""Files of a folder that others may have prepared: nothing is followed, waited for or shared.

A name is that of a file in the folder, or in a folder directly inside it. A link in the place
of either, and whatever is no regular file (a pipe would make its reader wait for ever), is
refused. What is written can be read by its owner alone.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import IO, Any

from cityverse.errors import InputError

LINE_MOST = 4_000_000
"""The longest line; an item of 400 KB takes 2.4 MB where each of its characters is escaped."""

_INSIDE = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def reading(folder: Path, name: str) -> BufferedReader:
    """The file, open to be read; raises InputError, with FileNotFoundError as its cause."""
    try:
        return os.fdopen(_regular(_opened(folder, name, os.O_RDONLY)), "rb")
    except OSError as error:
        raise InputError(f"{folder / name} cannot be read: {_why(error)}") from error


def writing(folder: Path, name: str, *, after: int = 0) -> BufferedWriter:
    """The file, made if need be, open to go on behind its first ``after`` bytes.

    Raises InputError, also when it has fewer bytes than that.
    """
    try:
        descriptor = _regular(_opened(folder, name, os.O_WRONLY | os.O_CREAT))
        file = os.fdopen(descriptor, "wb")
        try:
            os.fchmod(descriptor, 0o600)
            if os.fstat(descriptor).st_size < after:
                raise OSError("it is shorter than it was")
            file.truncate(after)
            file.seek(after)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise InputError(f"{folder / name} cannot be written: {_why(error)}") from error
    return file


def keep(file: IO[bytes]) -> None:
    """Have what was written survive a loss of power."""
    file.flush()
    os.fsync(file.fileno())


def write_whole(folder: Path, name: str, data: bytes) -> None:
    """Write a file as a whole or not at all; raises InputError."""
    draft = f"{name}.draft"
    with writing(folder, draft) as file:
        file.write(data)
        keep(file)
    (folder / draft).replace(folder / name)
    descriptor = os.open(folder, _INSIDE)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(folder: Path, name: str, most: int) -> Any:
    """What a JSON file of at most so many bytes holds; raises InputError."""
    with reading(folder, name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(f"{folder / name} cannot be read: more than {most} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder / name} cannot be read: {error}") from error


def lines(file: IO[bytes], bytes_most: int) -> Iterator[bytes]:
    """The lines of a file, each with its end; raises ValueError for one that cannot be one.

    Reads ``bytes_most`` at most, however large the file grows meanwhile.
    """
    left = bytes_most
    while line := file.readline(min(LINE_MOST, left) if left > 0 else 1):
        left -= len(line)
        if left < 0:
            raise ValueError("goes beyond the size the file should have")
        if not line.endswith(b"\n"):
            raise ValueError(f"is longer than {LINE_MOST} bytes, or cut short")
        yield line


def _opened(folder: Path, name: str, flags: int) -> int:
    *inside, last = name.split("/")
    at = os.open(folder, _INSIDE)
    try:
        for one in inside:
            outer, at = at, os.open(one, _INSIDE | os.O_NOFOLLOW, dir_fd=at)
            os.close(outer)
        return os.open(last, flags | _FILE, 0o600, dir_fd=at)
    finally:
        os.close(at)


def _regular(descriptor: int) -> int:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is no file")
    return descriptor


def _why(error: OSError) -> str:
    return error.strerror or str(error)
