"""The whole store as a folder.

``tables/<Table>.jsonl`` has one item a line, ``{"Item": {…}}`` in DynamoDB's typed JSON
(as DynamoDB's own export to S3 writes it); ``media.jsonl`` one object a line, whose bytes
lie in ``media/``. ``manifest.json`` comes last and says that the export is whole. An
export goes on where it was interrupted; ``imports.py`` has the way back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from cityverse.data import folders, scan, typed
from cityverse.data.client import Dynamo
from cityverse.data.objects import Objects, Place
from cityverse.data.registry import BUCKETS, EXPORTED
from cityverse.errors import InputError, NotFound

Told = Callable[[str, int, int], None]
"""Told what is done: of which part, how much, and of how much (0: unknown)."""

UNITS = 500
"""How many read units a second an export takes."""

FORMAT, VERSION = "cityverse-export", 1
MANIFEST, MEDIA = "manifest.json", "media.jsonl"

_STATE = "export-state.json"
_STATE_MOST = 1_000_000
_OBJECTS_A_PAGE = 50
# Facts that belong to this very store.
_OWN = ("worker", "sweep#", "backfill")


@dataclass(slots=True)
class _File:
    """How far a file of an export is: its lines and bytes, and where its source goes on."""

    lines: int = 0
    bytes: int = 0
    after: Any = None
    done: bool = False


def export(
    dynamo: Dynamo,
    objects: Objects,
    folder: Path,
    *,
    told: Told = lambda *_: None,
    units: int = UNITS,
) -> dict[str, Any]:
    """Write everything into ``folder``; answers with the manifest.

    An interrupted one goes on where it was. Raises InputError when the folder holds
    something else, or an export that is whole.
    """
    try:
        return _export(dynamo, objects, folder, told, units)
    except OSError as error:  # no room, no leave
        raise InputError(f"{folder} cannot be used for an export: {error}") from error


def _export(
    dynamo: Dynamo, objects: Objects, folder: Path, told: Told, units: int
) -> dict[str, Any]:
    if (folder / MANIFEST).exists():
        raise InputError(f"{folder} holds an export already")
    state = _resumed(folder)
    for one in EXPORTED:
        name = table_file(one.name)
        file = state.setdefault(name, _File())
        if not file.done:
            _export_table(dynamo, one.name, folder, state, told, units)
        told(one.name, file.lines, file.lines)
    file = state.setdefault(MEDIA, _File())
    if not file.done:
        _export_media(objects, folder, state, told)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "made": datetime.now(UTC).isoformat(),
        "files": {
            name: {"lines": f.lines, "bytes": f.bytes, "sha256": _digest(folder, name)}
            for name, f in state.items()
        },
    }
    folders.write_whole(folder, MANIFEST, _json(manifest))
    (folder / _STATE).unlink()
    return manifest


def table_file(table: str) -> str:
    """The name of the file with the items of a table."""
    return f"tables/{table}.jsonl"


def object_file(key: str) -> str:
    """The name of the file with the bytes of an object.

    Keys are whatever somebody chose them to be, so none of them is the name of a file.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def _resumed(folder: Path) -> dict[str, _File]:
    """The state of an export that was interrupted; a new one in an empty folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    begun = (folder / _STATE).exists()
    if not begun and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty")
    folder.chmod(0o700)  # names and password hashes lie in it
    state = _read_state(folder) if begun else {}
    _save(folder, state)
    for inside in ("tables", "media"):
        (folder / inside).mkdir(mode=0o700, exist_ok=True)
    return state


def _read_state(folder: Path) -> dict[str, _File]:
    known = {MEDIA, *(table_file(one.name) for one in EXPORTED)}
    found = folders.read_json(folder, _STATE, _STATE_MOST)
    try:
        state = {name: _File(**said) for name, said in found.items()}
        for name, file in state.items():
            if name not in known or not _is_state(file, media=name == MEDIA):
                raise ValueError(f"{name[:80]!a} is no file of an export")
            folders.writing(folder, name, after=file.bytes).close()
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / _STATE} cannot be read: {error}") from error
    return state


def _is_state(file: _File, *, media: bool) -> bool:
    if media:
        after = [type(part) for part in file.after or (0, "", "")] == [int, str, str]
    else:
        after = file.after is None or isinstance(file.after, dict)
    counts = all(type(count) is int and count >= 0 for count in (file.lines, file.bytes))
    return after and counts and type(file.done) is bool


def _save(folder: Path, state: dict[str, _File]) -> None:
    folders.write_whole(folder, _STATE, _json({n: asdict(f) for n, f in state.items()}))


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _export_table(
    dynamo: Dynamo, name: str, folder: Path, state: dict[str, _File], told: Told, units: int
) -> None:
    path = table_file(name)
    done, about = state[path], dynamo.count(name)
    with folders.writing(folder, path, after=done.bytes) as file:
        for page in scan.pages(dynamo, name, done.after, units=units):
            items = [item for item in page.items if not (name == "Meta" and _is_own(item))]
            _append(file, done, [typed.write_line(item) for item in items])
            done.after, done.done = page.after, page.after is None
            _save(folder, state)
            told(name, done.lines, max(about, done.lines))


def _is_own(item: dict[str, Any]) -> bool:
    return str(item["id"].get("S", "")).startswith(_OWN)


def _append(file: IO[bytes], done: _File, lines: Sequence[bytes]) -> None:
    data = b"".join(lines)
    file.write(data)
    folders.keep(file)
    done.lines += len(lines)
    done.bytes += len(data)


def _export_media(objects: Objects, folder: Path, state: dict[str, _File], told: Told) -> None:
    done = state[MEDIA]
    prefixes = [prefix for bucket in BUCKETS for prefix in bucket.prefixes]
    first, *place = done.after or [0, "", ""]
    with folders.writing(folder, MEDIA, after=done.bytes) as file:
        for number in range(first, len(prefixes)):
            after: Place | None = Place(*place) if number == first and done.after else Place()
            while after is not None:
                versions, after = objects.versions(prefixes[number], after, most=_OBJECTS_A_PAGE)
                keys = [v.key for v in versions if v.latest and not v.deletion]
                lines = [_export_object(objects, key, folder) for key in keys]
                _append(file, done, [line for line in lines if line])
                done.after = [number + 1, "", ""] if after is None else [number, *_of(after)]
                _save(folder, state)
                told("media", done.lines, 0)
    done.done = True
    _save(folder, state)


def _of(place: Place) -> tuple[str, str]:
    return place.key, place.version


def _export_object(objects: Objects, key: str, folder: Path) -> bytes:
    """The line of an object, whose bytes are written; nothing when it is gone meanwhile."""
    name = object_file(key)
    digest, size = hashlib.sha256(), 0
    try:
        content_type, pieces = objects.download(key)
    except NotFound:
        return b""
    with folders.writing(folder, f"media/{name}") as file:
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        folders.keep(file)
    line = {
        "key": key,
        "type": content_type,
        "size": size,
        "sha256": digest.hexdigest(),
        "file": name,
    }
    return json.dumps(line, sort_keys=True).encode() + b"\n"


def _digest(folder: Path, name: str) -> str:
    with folders.reading(folder, name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
