"""S3 made durable: bodies as files, bucket settings in the store, no failure unheard.

ministack writes each object as a data file and a ``.meta.json`` beside it, both by
rename, but logs and forgets a write that failed, flushes nothing to disk, and a kill
between the two renames leaves new bytes under old metadata. Here both files are
staged and flushed first, a start finishes or undoes what a kill interrupted, and a
failed write fails its request.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cityverse.engine.durability import Answer
from cityverse.engine.files import flush_folder, stage, write_atomically
from cityverse.engine.store import Changes, Store, unreadable
from cityverse.errors import EngineError

_log = logging.getLogger(__name__)

_DOCUMENT = "s3"
_META = ".meta.json"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def recover(folder: Path) -> None:
    """Finish or undo writes a kill interrupted, and check every object's metadata.

    Raises EngineError, having changed nothing, when metadata of an object cannot be read.
    """
    staged = list(_files(folder, ".tmp"))
    for path in _files(folder, _META):
        try:
            if not isinstance(json.loads(path.read_bytes()), dict):
                raise ValueError("no JSON object")
        except (OSError, ValueError) as error:
            raise unreadable(path, str(error)) from error
    for path in staged:
        if path.name.endswith(_META + ".tmp"):
            _finish_or_undo(path)
    for path in staged:
        path.unlink(missing_ok=True)


def _finish_or_undo(staged: Path) -> None:
    """Rename staged metadata whose data file already carries the new bytes."""
    meta = staged.with_name(staged.name.removesuffix(".tmp"))
    data = meta.with_name(meta.name.removesuffix(_META))
    try:
        digest = json.loads(staged.read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if data.is_file() and _sha256(data) == digest:
        staged.replace(meta)
        flush_folder(meta.parent)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(suffix):
                yield Path(parent, name)


class Failures(logging.Handler):
    """Hears what ministack's S3 logs, and then forgets, about files it cannot read or write.

    ``lines`` holds what it heard. To be made before the S3 module is imported, which reads
    every object.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        logging.getLogger("s3").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line if it is about a file of an object."""
        line = record.getMessage()
        if "ersist" in line:  # "Failed to persist …", "Failed to read persisted …"
            self.lines.append(line)


class ObjectFiles:
    """Carries every change of S3 to disk, and back at the start."""

    def __init__(
        self, s3: Any, store: Store, failures: Failures, on_failure: Callable[[str], None]
    ) -> None:
        """Wrap ``s3``, the service module of ministack, whose objects are loaded already.

        ``on_failure`` is told one line when memory and disk may differ and the process
        must start again from disk. Raises EngineError when not all could be loaded.
        """
        if failures.lines:
            raise unreadable(Path(s3.DATA_DIR), failures.lines[0])
        self._s3 = s3
        self._store = store
        self._on_failure = on_failure
        self._failures = failures
        self._saved = ""
        self._restore()
        self._handle, s3.handle_request = s3.handle_request, self._handle_request
        s3._persist_object = self._persist_object
        s3._atomic_write = _atomic_write

    def commit(self) -> None:
        """Write the buckets and their settings if they changed; raises EngineError."""
        state = self._state()
        if state != self._saved:
            self._store.write(Changes(documents={_DOCUMENT: state}))
            self._saved = state

    async def _handle_request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        **options: Any,
    ) -> Answer:
        self._failures.lines.clear()
        answer: Answer = await self._handle(method, path, headers, body, query, **options)
        try:
            if method not in _READS:
                self.commit()
        except EngineError as error:
            self._failures.lines.append(str(error))
        if not self._failures.lines:
            return answer
        reason = self._failures.lines[0]
        _log.error("%s of an object failed: %s", method, reason)
        if method not in _READS:
            self._on_failure(reason)
        return _internal_error(self._s3)

    def _persist_object(self, bucket: str, key: str, record: dict[str, Any]) -> None:
        """Write an object's bytes (unless they are on disk already) and its metadata."""
        from ministack.core.responses import get_account_id

        s3 = self._s3
        try:
            data = Path(s3._object_disk_path(bucket, key))
            data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            meta = data.with_name(data.name + _META)
            content = {
                **s3._object_meta_from_record(record),
                **s3._key_history_meta(bucket, key),
                "key": key,
            }
            body = record.get("body")
            if body is None:
                write_atomically(meta, _json(content))
            else:
                content["sha256"] = hashlib.sha256(body).hexdigest()
                staged = stage(data, body), stage(meta, _json(content))
                staged[0].replace(data)
                staged[1].replace(meta)
                flush_folder(data.parent)
            record["body"] = None
            self._forget_bodies(bucket, key, record)
            base = Path(s3.DATA_DIR, get_account_id(), bucket)
            s3._remove_key_files(s3._other_key_disk_path(str(base), key, str(data)))
        except (OSError, ValueError) as error:
            s3.logger.warning("Failed to persist S3 object %s/%s: %s", bucket, key, error)

    def _forget_bodies(self, bucket: str, key: str, record: dict[str, Any]) -> None:
        """Drop from memory the bytes of versions that files hold."""
        current = record.get("version_id") or "null"
        for version in self._s3._object_versions.get((bucket, key)) or []:
            name = version["version_id"]
            if name == current or self._s3._version_file_exists(bucket, key, name):
                version["data"] = None

    def _state(self) -> str:
        from ministack.core.persistence import _json_default

        return json.dumps(self._s3.get_state(), default=_json_default)

    def _restore(self) -> None:
        from ministack.core.persistence import _json_object_hook

        text = self._store.documents().get(_DOCUMENT)
        if text is None:
            return
        try:
            self._s3.load_persisted_state(json.loads(text, object_hook=_json_object_hook))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise unreadable(self._store.path, f"{type(error).__name__}: {error}") from error
        self._saved = text


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def _atomic_write(path: str, data: bytes | str, *, text: bool = False) -> None:
    write_atomically(Path(path), data.encode() if isinstance(data, str) else data)


def _internal_error(s3: Any) -> Answer:
    answer: Answer = s3._error("InternalError", "The request could not be stored or read", 500)
    return answer
