"""The SQLite file behind the engine: tables, items and small documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from cityverse.errors import EngineError

# "CVen"; tells our file from any other SQLite file.
_APPLICATION_ID = 0x4356656E
_FORMAT = 1
_SCHEMA = f"""
CREATE TABLE documents (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tables (
    ref INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    definition TEXT NOT NULL, UNIQUE (account, region, name));
CREATE TABLE items (
    ref INTEGER NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (ref, pk, sk)) WITHOUT ROWID;
CREATE TABLE tokens (
    account TEXT NOT NULL, region TEXT NOT NULL, token TEXT NOT NULL, completed REAL NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (account, region, token)) WITHOUT ROWID;
CREATE INDEX tokens_completed ON tokens (completed);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_FORMAT};
"""
_LOAD_CHUNK = 2_000
# DynamoDB answers a repeated client token for ten minutes.
_TOKEN_SECONDS = 600.0

TableKey = tuple[str, str, str]
"""Account, region and name of a table."""


@dataclass(slots=True)
class Changes:
    """What one request changed; written whole or not at all.

    ``drop`` holds table refs whose definition and items go; ``define`` holds (ref, key,
    definition as JSON); ``put`` (ref, pk, sk, item as JSON); ``remove`` (ref, pk, sk);
    ``documents`` name -> JSON; ``tokens`` (account, region, client token of a transaction,
    seconds since 1970, its answer as JSON). Drops are applied first.
    """

    drop: list[int] = field(default_factory=list)
    define: list[tuple[int, TableKey, str]] = field(default_factory=list)
    put: list[tuple[int, str, str, str]] = field(default_factory=list)
    remove: list[tuple[int, str, str]] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    tokens: list[tuple[str, str, str, float, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any((self.drop, self.define, self.put, self.remove, self.documents, self.tokens))


class Store:
    """The open SQLite file. Use it from the thread that made it."""

    def __init__(self, path: Path) -> None:
        """Open ``path``, creating it when it does not exist.

        Raises EngineError when it exists and is not a readable store; the file is
        then left as it was.
        """
        self.path = path
        if not path.exists():
            _create(path)
        # Looked at read-only first: a file that turns out unreadable must not be touched,
        # and closing a writable connection may move the write-ahead log into it.
        self._check()
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        """Close the file; every change written before is in it."""
        self._connection.close()

    def documents(self) -> dict[str, str]:
        """Every document, name -> JSON."""
        return dict(self._connection.execute("SELECT name, body FROM documents").fetchall())

    def tables(self) -> list[tuple[int, TableKey, str]]:
        """Every table as (ref, key, definition as JSON)."""
        rows = self._connection.execute("SELECT ref, account, region, name, definition FROM tables")
        return [(ref, (account, region, name), body) for ref, account, region, name, body in rows]

    def items(self) -> Iterator[tuple[int, str]]:
        """Every item, in chunks: (ref, JSON list of [pk, sk, item, pk, sk, item, …]).

        One JSON text for many items makes a restart several times faster than one each.
        """
        cursor = self._connection.execute("SELECT ref, pk, sk, body FROM items ORDER BY ref")
        while rows := cursor.fetchmany(_LOAD_CHUNK):
            for ref, group in groupby(rows, key=itemgetter(0)):
                yield ref, f"[{','.join(f'{pk},{sk},{body}' for _, pk, sk, body in group)}]"

    def tokens(self, since: float) -> list[tuple[str, str, str, str]]:
        """Client tokens completed after ``since``: (account, region, token, answer as JSON)."""
        rows = self._connection.execute(
            "SELECT account, region, token, body FROM tokens WHERE completed > ?", (since,)
        )
        return rows.fetchall()

    def write(self, changes: Changes) -> None:
        """Write ``changes`` in one transaction, on disk when this returns.

        Raises EngineError with nothing written when the disk does not take it.
        """
        try:
            self._write(changes)
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise EngineError(f"{self.path} cannot be written: {error}") from error

    def _write(self, changes: Changes) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        if changes.drop:
            refs = [(ref,) for ref in changes.drop]
            connection.executemany("DELETE FROM items WHERE ref = ?", refs)
            connection.executemany("DELETE FROM tables WHERE ref = ?", refs)
        if changes.define:
            connection.executemany(
                "INSERT OR REPLACE INTO tables VALUES (?, ?, ?, ?, ?)",
                [(ref, *key, definition) for ref, key, definition in changes.define],
            )
        if changes.put:
            connection.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", changes.put)
        if changes.remove:
            connection.executemany(
                "DELETE FROM items WHERE ref = ? AND pk = ? AND sk = ?", changes.remove
            )
        if changes.documents:
            connection.executemany(
                "INSERT OR REPLACE INTO documents VALUES (?, ?)", list(changes.documents.items())
            )
        if changes.tokens:
            oldest = min(token[3] for token in changes.tokens) - _TOKEN_SECONDS
            connection.execute("DELETE FROM tokens WHERE completed < ?", (oldest,))
            connection.executemany(
                "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)", changes.tokens
            )
        connection.execute("COMMIT")

    def _check(self) -> None:
        try:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as connection:
                (application,) = connection.execute("PRAGMA application_id").fetchone()
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if application != _APPLICATION_ID:
                    raise unreadable(self.path, "it is not a store of this engine")
                if version != _FORMAT:
                    raise unreadable(self.path, f"its format is {version}, this engine's {_FORMAT}")
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise unreadable(self.path, str(verdict).replace("\n", " "))
        except sqlite3.Error as error:
            raise unreadable(self.path, str(error)) from error


def unreadable(path: Path, reason: str) -> EngineError:
    """The error of a start that is refused because ``path`` cannot be read."""
    return EngineError(
        f"{path} is unreadable ({reason}); nothing was changed: put a copy of it back, "
        "or move the folder away to begin anew"
    )


def _create(path: Path) -> None:
    """Make an empty store under another name first: a half-made one never has the final name."""
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        with closing(sqlite3.connect(new)) as connection:
            connection.executescript(_SCHEMA)
        new.chmod(0o600)
        new.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise EngineError(f"{path} cannot be made: {error}") from error
