"""An export into a store, which keeps what it has.

Everything is looked at before anything is written: that each file is the one the manifest
names, each line an item its table can hold, each object whole, and that what must be unique
is free here. Then each item is written where there is none of its key, so that a repetition
finishes what was interrupted, and finds every difference again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cityverse.data import folders, typed
from cityverse.data.client import ConditionFailed, Dynamo, Item, encode, mapped
from cityverse.data.export import FORMAT, MANIFEST, MEDIA, VERSION, Told, object_file, table_file
from cityverse.data.objects import Objects
from cityverse.data.registry import BUCKETS, EXPORTED, Table, table
from cityverse.errors import CityVerseError, Conflict, InputError

_MANIFEST_MOST = 1_000_000
_THREADS = 8
# A batch is what one read answers: 100 items, and 16 MB of them.
_BATCH, _BATCH_BYTES = 100, 4_000_000
_PIECE = 8 * 1024 * 1024
_PIECES_MOST = 10_000
_KEY_BYTES_MOST = 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CONTENT_TYPE = re.compile(r"[!-~][ -~]{0,999}")
_PREFIXES = tuple(prefix for bucket in BUCKETS for prefix in bucket.prefixes)
# What must be unique comes first; days come before the items they list.
_FIRST = ("Claim", "Day")


@dataclass(slots=True)
class Report:
    """What an import did: items and objects written, those there already, and what differs."""

    written: int = 0
    known: int = 0
    conflicts: list[str] = field(default_factory=list)


class ClaimsTaken(Conflict):
    """Values that must be unique belong to other items here; ``conflicts`` names each."""

    def __init__(self, conflicts: list[str], written: int = 0) -> None:
        """``written`` is how many claims were written before somebody took the others."""
        done = f"{written} claims were written" if written else "nothing was imported"
        super().__init__(
            f"{len(conflicts)} values that must be unique belong to other items here: {done}"
        )
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True)
class _Said:
    """What the manifest says of a file."""

    lines: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Object:
    """A line of the list of objects."""

    key: str
    content_type: str
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """Where its bytes are."""
        return f"media/{object_file(self.key)}"


def import_(
    dynamo: Dynamo,
    objects: Objects,
    folder: Path,
    *,
    told: Told = lambda *_: None,
    report: Report | None = None,
) -> Report:
    """Write an export into this store, which keeps what it has; answers with a report.

    Items that are there and equal are passed over. Raises InputError when the export is not
    whole or was changed, and ClaimsTaken when what must be unique belongs to something else
    here; then nothing was written, unless the folder or the store changed meanwhile.
    ``report`` says how far it came, also when it was interrupted.
    """
    report = Report() if report is None else report
    manifest = _read_manifest(folder)
    tables = _tables(folder, manifest)
    for one in tables:
        said, done = manifest[table_file(one.name)], 0
        for batch in _batches(_items(folder, one, said)):
            done += len(batch)
            told(f"checking {one.name}", done, said.lines)
    for number, found in enumerate(_objects(folder, manifest[MEDIA]), 1):
        _check_object(folder, number, found)
        told("checking media", number, manifest[MEDIA].lines)
    _check_claims(dynamo, folder, manifest)
    for one in tables:
        _import_table(dynamo, one, folder, manifest, report, told)
    _import_media(objects, folder, manifest[MEDIA], report, told)
    return report


def _read_manifest(folder: Path) -> dict[str, _Said]:
    try:
        content = folders.read_json(folder, MANIFEST, _MANIFEST_MOST)
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise InputError(f"{folder} holds no export that is whole") from error
        raise
    try:
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            raise ValueError("it is not of this kind or version")
        files = {name: _said(said) for name, said in content["files"].items()}
        if MEDIA not in files:
            raise ValueError("it does not name the objects")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error) if type(error) is ValueError else "it is no manifest"
        raise InputError(f"{folder / MANIFEST} cannot be read: {why}") from error
    return files


def _said(content: Any) -> _Said:
    said = _Said(content["lines"], content["bytes"], content["sha256"])
    counts = all(type(number) is int and number >= 0 for number in (said.lines, said.bytes))
    if not counts or not _is_digest(said.sha256):
        raise ValueError("what it says of a file cannot be read")
    return said


def _is_digest(content: Any) -> bool:
    return isinstance(content, str) and _DIGEST.fullmatch(content) is not None


def _tables(folder: Path, manifest: dict[str, _Said]) -> list[Table]:
    """The tables of an export in the order of writing; raises InputError for unknown ones."""
    known = {table_file(one.name): one for one in EXPORTED}
    if unknown := sorted(manifest.keys() - known.keys() - {MEDIA}):
        raise InputError(f"the export has files that are not known here: {_named(unknown)}")
    there = {f"tables/{path.name}" for path in (folder / "tables").glob("*.jsonl")}
    if unnamed := sorted(there - manifest.keys()):
        raise InputError(f"{folder / MANIFEST} does not name {_named(unnamed)}")
    found = [known[name] for name in sorted(manifest.keys() & known.keys())]
    return sorted(found, key=lambda one: one.name not in _FIRST)


def _named(names: list[str]) -> str:
    return ", ".join(name[:80].encode("ascii", "backslashreplace").decode() for name in names[:9])


def _lines(folder: Path, name: str, said: _Said) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers; raises InputError when it is not the one named."""
    digest, number, size = hashlib.sha256(), 0, 0
    with folders.reading(folder, name) as file:
        try:
            for line in folders.lines(file, said.bytes):
                number += 1
                yield number, line
                digest.update(line)
                size += len(line)
        except (ValueError, OSError) as error:
            raise InputError(f"{folder / name}, line {number + 1}: {error}") from error
    if (digest.hexdigest(), number, size) != (said.sha256, said.lines, said.bytes):
        raise InputError(f"{folder / name} was changed since it was exported")


def _items(folder: Path, one: Table, said: _Said) -> Iterator[tuple[Item, int]]:
    """The items of a table, and how large each is as a line."""
    name = table_file(one.name)
    for number, line in _lines(folder, name, said):
        try:
            yield typed.read_line(line, one), len(line)
        except ValueError as error:
            raise _wrong(folder, name, number, error) from error


def _wrong(folder: Path, name: str, number: int, why: object) -> InputError:
    return InputError(f"{folder / name}, line {number}: {why}")


def _objects(folder: Path, said: _Said) -> Iterator[_Object]:
    for number, line in _lines(folder, MEDIA, said):
        try:
            yield _object(line)
        except ValueError as error:
            raise _wrong(folder, MEDIA, number, error) from error


def _object(line: bytes) -> _Object:
    try:
        content = json.loads(line)
        found = _Object(content["key"], content["type"], content["size"], content["sha256"])
        key = found.key.encode()
        right = (
            found.key.startswith(_PREFIXES)
            and len(key) <= _KEY_BYTES_MOST
            and _CONTENT_TYPE.fullmatch(found.content_type)
            and type(found.size) is int
            and 0 <= found.size <= _PIECE * _PIECES_MOST
            and _is_digest(found.sha256)
            and f"media/{content['file']}" == found.file
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("is no object that can be imported") from error
    if not right:
        raise ValueError("is no object that can be imported")
    return found


def _pieces(folder: Path, found: _Object) -> Generator[bytes]:
    """The bytes of an object; raises InputError at the end unless they are those exported."""
    digest, left = hashlib.sha256(), found.size
    with folders.reading(folder, found.file) as file:
        while piece := file.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            yield piece
    if left or digest.hexdigest() != found.sha256:
        raise InputError(f"{folder / found.file} was changed since it was exported")


def _check_object(folder: Path, number: int, found: _Object) -> None:
    try:
        for _ in _pieces(folder, found):
            pass
    except InputError as error:
        raise _wrong(folder, MEDIA, number, error) from error


def _batches(items: Iterable[tuple[Item, int]]) -> Iterator[list[Item]]:
    """The items in batches that are bounded in number and size."""
    batch: list[Item] = []
    size = 0
    for item, length in items:
        batch.append(item)
        size += length
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_claims(dynamo: Dynamo, folder: Path, manifest: dict[str, _Said]) -> None:
    """Raise ClaimsTaken with every value that belongs to something else; only reads.

    Raises InputError for a value that the export itself gives twice.
    """
    claims = table("Claim")
    said = manifest.get(table_file(claims.name))
    taken: list[str] = []
    given: set[bytes] = set()  # digests: values may be long, and many
    for batch in _batches(_items(folder, claims, said)) if said else ():
        for item in batch:
            digest = hashlib.blake2b(item["id"].encode(), digest_size=16).digest()
            if digest in given:
                raise InputError(f"the export gives {_name(claims, item)[:80]!a} twice")
            given.add(digest)
        there = _there(dynamo, claims, batch)
        taken += [_name(claims, i) for i in batch if there.get(_key(claims, i), i) != i]
    if taken:
        raise ClaimsTaken(taken)


def _key(one: Table, item: Item) -> tuple[str, ...]:
    return tuple(item[name] for name in (one.partition, one.sort) if name)


def _key_item(one: Table, item: Item) -> Item:
    return {name: item[name] for name in (one.partition, one.sort) if name}


def _name(one: Table, item: Item) -> str:
    return " ".join((one.name, *_key(one, item)))


def _there(dynamo: Dynamo, one: Table, batch: list[Item]) -> dict[tuple[str, ...], Item]:
    """What the store has under the keys of these items."""
    keys = {_key(one, item): _key_item(one, item) for item in batch}
    return {_key(one, item): item for item in dynamo.get_many(one.name, list(keys.values()))}


def _import_table(
    dynamo: Dynamo,
    one: Table,
    folder: Path,
    manifest: dict[str, _Said],
    report: Report,
    told: Told,
) -> None:
    said, done = manifest[table_file(one.name)], 0
    before = len(report.conflicts)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="import") as pool:
        for batch in _batches(_items(folder, one, said)):
            there = _there(dynamo, one, batch)
            new = [item for item in batch if _key(one, item) not in there]
            for item in batch:
                if _key(one, item) in there:
                    _note_known(report, one, item, there[_key(one, item)])
            _write(dynamo, pool, one, new, report)
            done += len(batch)
            told(one.name, done, said.lines)
    if one.name == "Claim" and len(report.conflicts) > before:  # taken since they were checked
        raise ClaimsTaken(report.conflicts[before:], report.written)


def _note_known(report: Report, one: Table, item: Item, there: Item | None) -> None:
    if there == item:
        report.known += 1
    else:
        report.conflicts.append(_name(one, item))


def _write(
    dynamo: Dynamo, pool: ThreadPoolExecutor, one: Table, items: list[Item], report: Report
) -> None:
    """Write these items where there are none of their keys; counts all that were written."""
    failure: CityVerseError | None = None
    writes = [pool.submit(_put_new, dynamo, one, item) for item in items]
    for item, write in zip(items, writes, strict=True):
        try:
            write.result()
            report.written += 1
        except ConditionFailed:
            _note_known(report, one, item, dynamo.get(one.name, _key_item(one, item)))
        except CityVerseError as error:
            failure = error
    if failure is not None:
        raise failure


@mapped
def _put_new(dynamo: Dynamo, one: Table, item: Item) -> None:
    dynamo.client.put_item(
        TableName=one.name,
        Item=encode(item),
        ConditionExpression="attribute_not_exists(#key)",
        ExpressionAttributeNames={"#key": one.partition},
    )


def _import_media(objects: Objects, folder: Path, said: _Said, report: Report, told: Told) -> None:
    for number, found in enumerate(_objects(folder, said), 1):
        there = objects.size(found.key)
        if there is None:
            _put_object(objects, folder, found)
            report.written += 1
        elif there == found.size and _is_same(objects, found):
            report.known += 1
        else:
            report.conflicts.append(f"object {found.key}")
        told("media", number, said.lines)


def _put_object(objects: Objects, folder: Path, found: _Object) -> None:
    # What turns out to be changed is not written: both take the pieces to their end first.
    with closing(_pieces(folder, found)) as pieces:
        if found.size > _PIECE:
            objects.put_parts(found.key, pieces, found.content_type)
        else:
            objects.put(found.key, b"".join(pieces), found.content_type)


def _is_same(objects: Objects, found: _Object) -> bool:
    content_type, pieces = objects.download(found.key)
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return (content_type, digest.hexdigest()) == (found.content_type, found.sha256)
