"""Small file work shared by the engine: writes that are whole and on disk, or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def stage(path: Path, data: bytes) -> Path:
    """Write ``data`` beside ``path`` as ``<path>.tmp`` (mode 600), flushed to disk."""
    staged = path.with_name(path.name + ".tmp")
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            staged.unlink()
        raise
    return staged


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of ``path`` by ``data`` in one step; raises OSError."""
    stage(path, data).replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make renames and removals inside ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
