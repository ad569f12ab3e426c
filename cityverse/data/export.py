"""The whole store as a folder, and back.

``tables/<Table>.jsonl`` has one item a line, ``{"Item": {…}}`` in DynamoDB's typed JSON
(as DynamoDB's own export to S3 writes it); ``media.jsonl`` one object a line, whose bytes
lie in ``media/``. ``manifest.json`` comes last and says that the export is whole. Both
ways go on where they were interrupted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from cityverse.data import scan
from cityverse.data.client import ConditionFailed, Dynamo, decode, encode, mapped
from cityverse.data.objects import Objects, Place
from cityverse.data.registry import BUCKETS, TABLES, table
from cityverse.errors import Conflict, InputError

Told = Callable[[str, int, int], None]
"""Told what is done: of which part, how much, and of how much (0: unknown)."""

UNITS = 500
"""How many read units a second an export takes."""

_FORMAT, _VERSION = "cityverse-export", 1
_MANIFEST, _STATE, _MEDIA = "manifest.json", "export-state.json", "media.jsonl"
_THREADS = 8
_BATCH = 400
_LINE_MOST = 4_000_000
_MANIFEST_MOST = 1_000_000
_PIECE = 8 * 1024 * 1024
_OBJECTS_A_PAGE = 50
# Facts that belong to this very store.
_OWN = ("worker", "sweep#", "import#", "backfill")
# What must be unique comes first, so that a store that cannot take it is left alone; days come
# before the items they list.
_FIRST = ("Claim", "Day")


@dataclass(slots=True)
class _File:
    """How far a file of an export is: its lines and bytes, and where its source goes on."""

    lines: int = 0
    bytes: int = 0
    after: Any = None
    done: bool = False


@dataclass(slots=True)
class Report:
    """What an import did: items and objects written, those there already, and what differs."""

    written: int = 0
    known: int = 0
    conflicts: list[str] = field(default_factory=list)


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
    if (folder / _MANIFEST).exists():
        raise InputError(f"{folder} holds an export already")
    state = _resumed(folder)
    for one in TABLES:
        name = f"tables/{one.name}.jsonl"
        file = state.setdefault(name, _File())
        if not file.done:
            _export_table(dynamo, one.name, folder, state, told, units)
        told(one.name, file.lines, file.lines)
    file = state.setdefault(_MEDIA, _File())
    if not file.done:
        _export_media(objects, folder, state, told)
    manifest = {
        "format": _FORMAT,
        "version": _VERSION,
        "made": datetime.now(UTC).isoformat(),
        "files": {
            name: {"lines": f.lines, "bytes": f.bytes, "sha256": _digest(folder / name)}
            for name, f in state.items()
        },
    }
    _write(folder / _MANIFEST, manifest)
    (folder / _STATE).unlink()
    return manifest


def _resumed(folder: Path) -> dict[str, _File]:
    """The state of an export that was interrupted; a new one in an empty folder."""
    path = folder / _STATE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # names and password hashes lie in it
        if not path.exists():
            if any(folder.iterdir()):
                raise InputError(f"{folder} is not empty")
            (folder / "tables").mkdir()
            (folder / "media").mkdir()
            return {}
        state = {name: _File(**f) for name, f in json.loads(path.read_bytes()).items()}
        for name, file in state.items():
            if not _is_file_of_export(name) or (folder / name).is_symlink():
                raise ValueError(f"{name} is no file of an export")
            os.truncate(folder / name, file.bytes)
        return state
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{folder} cannot be used for an export: {error}") from error


def _save(folder: Path, state: dict[str, _File]) -> None:
    files = {
        name: {"lines": f.lines, "bytes": f.bytes, "after": f.after, "done": f.done}
        for name, f in state.items()
    }
    _write(folder / _STATE, files)


def _write(path: Path, content: Any) -> None:
    """Write a file as a whole or not at all."""
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _appending(path: Path, size: int) -> IO[bytes]:
    """The file, open to go on behind its first ``size`` bytes."""
    file = path.open("ab")
    file.truncate(size)
    return file


def _export_table(
    dynamo: Dynamo, name: str, folder: Path, state: dict[str, _File], told: Told, units: int
) -> None:
    path = f"tables/{name}.jsonl"
    done, about = state[path], dynamo.count(name)
    with _appending(folder / path, done.bytes) as file:
        for page in scan.pages(dynamo, name, done.after, units=units):
            items = [item for item in page.items if not (name == "Meta" and _is_own(item))]
            _append(file, done, [{"Item": item} for item in items])
            done.after, done.done = page.after, page.after is None
            _save(folder, state)
            told(name, done.lines, max(about, done.lines))


def _is_own(item: dict[str, Any]) -> bool:
    return str(item["id"].get("S", "")).startswith(_OWN)


def _append(file: IO[bytes], done: _File, lines: Sequence[Any]) -> None:
    data = b"".join(json.dumps(_plain(line), sort_keys=True).encode() + b"\n" for line in lines)
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
    done.lines += len(lines)
    done.bytes += len(data)


def _plain(value: Any) -> Any:
    """Typed JSON with binary values as Base64."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _typed(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute as boto3 takes it: binary values from Base64."""
    ((kind, content),) = value.items()
    if kind == "B":
        return {"B": base64.b64decode(content)}
    if kind == "BS":
        return {"BS": [base64.b64decode(part) for part in content]}
    if kind == "M":
        return {"M": {name: _typed(part) for name, part in content.items()}}
    if kind == "L":
        return {"L": [_typed(part) for part in content]}
    return value


def _export_media(objects: Objects, folder: Path, state: dict[str, _File], told: Told) -> None:
    done = state[_MEDIA]
    prefixes = [prefix for bucket in BUCKETS for prefix in bucket.prefixes]
    first, *place = done.after or [0, "", ""]
    with _appending(folder / _MEDIA, done.bytes) as file:
        for number in range(first, len(prefixes)):
            after: Place | None = Place(*place) if number == first and done.after else Place()
            while after is not None:
                versions, after = objects.versions(prefixes[number], after, most=_OBJECTS_A_PAGE)
                keys = [v.key for v in versions if v.latest and not v.deletion]
                _append(file, done, [_export_object(objects, key, folder) for key in keys])
                done.after = [number + 1, "", ""] if after is None else [number, *_of(after)]
                _save(folder, state)
                told("media", done.lines, 0)
    done.done = True
    _save(folder, state)


def _of(place: Place) -> tuple[str, str]:
    return place.key, place.version


def _export_object(objects: Objects, key: str, folder: Path) -> dict[str, Any]:
    # Keys are whatever somebody chose them to be, so none of them is the name of a file.
    name = hashlib.sha256(key.encode()).hexdigest()
    digest, size = hashlib.sha256(), 0
    with (folder / "media" / name).open("wb") as file:
        content_type, pieces = objects.download(key)
        for piece in pieces:
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    return {
        "key": key,
        "type": content_type,
        "size": size,
        "sha256": digest.hexdigest(),
        "file": name,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def import_(
    dynamo: Dynamo, objects: Objects, folder: Path, *, told: Told = lambda *_: None
) -> Report:
    """Write an export into this store, which keeps what it has; answers with a report.

    Items that are there and equal are passed over, so a repetition finishes what was
    interrupted. Raises InputError when the export is not whole or was changed, Conflict
    when what must be unique belongs to something else here, before any item is written.
    """
    manifest, mark = _read_manifest(folder)
    names = {name.removeprefix("tables/").removesuffix(".jsonl"): name for name in manifest}
    known = {one.name for one in TABLES}
    if unknown := sorted(names.keys() - known - {_MEDIA.removesuffix(".jsonl")}):
        raise InputError(f"the export has tables that are not known here: {', '.join(unknown)}")
    _check_files(folder, manifest, told)
    row = {"id": f"import#{mark}"}
    progress = (dynamo.get("Meta", row) or {}).get("lines", {})
    report = Report()
    for one in sorted(known & names.keys(), key=lambda name: name not in _FIRST):
        lines = manifest[names[one]]["lines"]
        path = folder / names[one]
        # What must be unique is looked at anew each time, or a second try would pass.
        start = 0 if one == "Claim" else int(progress.get(one, 0))
        for done in _import_table(dynamo, one, path, start, report):
            told(one, done, lines)
            progress[one] = done
            dynamo.put("Meta", {**row, "lines": progress})
        if one == "Claim" and report.conflicts:
            raise Conflict(
                f"{len(report.conflicts)} values that must be unique belong to other items here"
            )
    _import_media(objects, folder, manifest[_MEDIA]["lines"], report, told)
    dynamo.delete("Meta", row)
    return report


def _read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    try:
        with (folder / _MANIFEST).open("rb") as file:
            data = file.read(_MANIFEST_MOST)
        manifest = json.loads(data)
        if (manifest["format"], manifest["version"]) != (_FORMAT, _VERSION):
            raise ValueError("not of this kind or version")
        files: dict[str, Any] = manifest["files"]
        if _MEDIA not in files or not all(_is_file_of_export(name) for name in files):
            raise ValueError("names files that are none of an export")
    except FileNotFoundError as error:
        raise InputError(f"{folder} holds no export that is whole") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / _MANIFEST} cannot be read: {error}") from error
    return files, hashlib.sha256(data).hexdigest()[:32]


def _is_file_of_export(name: str) -> bool:
    bare = name.removeprefix("tables/").removesuffix(".jsonl")
    return name == _MEDIA or (name == f"tables/{bare}.jsonl" and bare.isalnum())


def _check_files(folder: Path, files: dict[str, Any], told: Told) -> None:
    for number, (name, said) in enumerate(files.items()):
        try:
            changed = _digest(folder / name) != said["sha256"]
        except OSError as error:
            raise InputError(f"{folder / name} cannot be read: {error.strerror}") from error
        if changed:
            raise InputError(f"{folder / name} was changed since it was exported")
        told("checked", number + 1, len(files))


def _lines(path: Path, start: int) -> Iterator[Any]:
    """What the lines of a file hold, from this one on; raises InputError."""
    with path.open("rb") as file:
        for number in range(1, 2**62):
            line = file.readline(_LINE_MOST)
            if not line:
                return
            if number <= start:
                continue
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("is too long, or cut short")
                yield json.loads(line)
            except ValueError as error:
                raise InputError(f"{path}, line {number}: {error}") from error


def _import_table(
    dynamo: Dynamo, name: str, path: Path, done: int, report: Report
) -> Iterator[int]:
    """Write the items of a table; tells after each batch how many lines are done."""
    lines = _lines(path, done)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="import") as pool:
        while batch := list(islice(lines, _BATCH)):
            try:
                items = [decode({n: _typed(v) for n, v in one["Item"].items()}) for one in batch]
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise InputError(f"{path} holds what is no item: {error}") from error
            for written in pool.map(lambda item: _import_item(dynamo, name, item), items):
                if written is None:
                    report.written += 1
                elif written:
                    report.conflicts.append(written)
                else:
                    report.known += 1
            done += len(batch)
            yield done


def _import_item(dynamo: Dynamo, name: str, item: dict[str, Any]) -> str | None:
    """None when it was written, "" when it was there, else what is in the way."""
    keyed = table(name)
    key = {k: item[k] for k in (keyed.partition, keyed.sort) if k}
    if name == "Meta":
        dynamo.put(name, item)
        return None
    try:
        _put_new(dynamo, name, item, keyed.partition)
    except ConditionFailed:
        same = dynamo.get(name, key) == item
        return "" if same else f"{name} {' '.join(map(str, key.values()))}"
    return None


@mapped
def _put_new(dynamo: Dynamo, name: str, item: dict[str, Any], partition: str) -> None:
    dynamo.client.put_item(
        TableName=name,
        Item=encode(item),
        ConditionExpression="attribute_not_exists(#key)",
        ExpressionAttributeNames={"#key": partition},
    )


def _import_media(objects: Objects, folder: Path, total: int, report: Report, told: Told) -> None:
    for number, line in enumerate(_lines(folder / _MEDIA, 0)):
        try:
            key, file = str(line["key"]), str(line["file"])
            path = folder / "media" / hashlib.sha256(key.encode()).hexdigest()
            if file != path.name or _digest(path) != line["sha256"]:
                raise ValueError("was changed since it was exported")
            objects.bucket_of(key)
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise InputError(f"the object of line {number + 1} of {_MEDIA}: {error}") from error
        there = objects.size(key)
        if there is None:
            with path.open("rb") as body:
                pieces = iter(lambda body=body: body.read(_PIECE), b"")  # type: ignore[misc]
                if line["size"] > _PIECE:
                    objects.put_parts(key, pieces, str(line["type"]))
                else:
                    objects.put(key, next(pieces, b""), str(line["type"]))
            report.written += 1
        elif there == line["size"]:
            report.known += 1
        else:
            report.conflicts.append(f"object {key}")
        told("media", number + 1, total)
