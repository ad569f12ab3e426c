"""DynamoDB made durable: what a request changed is on disk before its answer leaves.

ministack keeps tables in memory. Every change of an item goes through two of its
functions, which are wrapped to note the key. After a request's handler, the noted
keys' present values go to SQLite in one transaction, so that a TransactWriteItems
lands whole or not at all. Handlers run one at a time on the event loop.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from cityverse.engine.store import Changes, Store, TableKey, unreadable
from cityverse.errors import EngineError

_log = logging.getLogger(__name__)

_DOCUMENT = "dynamodb"
# What ministack keeps of tables beside their definitions.
_SETTINGS = (
    "_tags",
    "_ttl_settings",
    "_pitr_settings",
    "_kinesis_destinations",
    "_contributor_insights",
    "_resource_policies",
)
# These never change a definition or a setting, so neither is compared after them.
_ITEM_ACTIONS = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "DescribeTable",
        "GetItem",
        "ListTables",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
# They answer before their work is done, or promise to keep what only memory holds.
_REFUSED_ACTIONS = frozenset({"CreateBackup", "ImportTable"})

Answer = tuple[int, dict[str, str], Any]
Item = dict[str, Any]


class WriteThrough:
    """Carries every change of DynamoDB into the store, and back at the start."""

    def __init__(self, dynamodb: Any, store: Store, on_failure: Callable[[str], None]) -> None:
        """Wrap ``dynamodb``, the service module of ministack.

        ``on_failure`` is told one line when memory and disk may differ and the process
        must start again from disk.
        """
        self._dynamodb = dynamodb
        self._store = store
        self._on_failure = on_failure
        self._lock = threading.RLock()
        # Changed keys since the last commit, each with its value before.
        self._before: dict[tuple[TableKey, str, str], Item | None] = {}
        # What the store holds: table -> (ref, TableId, definition as JSON).
        self._saved: dict[TableKey, tuple[int, str, str]] = {}
        self._saved_settings = ""
        # Client tokens of transactions since the last commit: a retry after a restart must
        # be answered, not applied again.
        self._tokens: dict[TableKey, dict[str, Any]] = {}
        self._restore()
        self._set_item, dynamodb._set_item = dynamodb._set_item, self._noting_set
        self._remove_item, dynamodb._remove_item = dynamodb._remove_item, self._noting_remove
        self._keep_token, dynamodb._txn_token_store = dynamodb._txn_token_store, self._noting_token
        self._handle, dynamodb.handle_request = dynamodb.handle_request, self._handle_request
        # Its thread for expired items takes this lock, and some handlers take it again.
        dynamodb._lock = self._lock

    def commit(self, *, definitions: bool = True) -> None:
        """Write everything that changed; raises EngineError with nothing written."""
        with self._lock:
            changes = Changes()
            saved = dict(self._saved)
            if definitions or any(key not in saved for key, _, _ in self._before):
                self._add_definitions(changes, saved)
            self._add_items(changes, saved)
            changes.tokens = [
                (*key, entry["completed_at"], _json(entry)) for key, entry in self._tokens.items()
            ]
            if changes:
                self._store.write(changes)
            self._saved = saved
            self._saved_settings = changes.documents.get(_DOCUMENT, self._saved_settings)
            self._before.clear()
            self._tokens.clear()

    async def _handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if action in _REFUSED_ACTIONS:
            return _error("ValidationException", f"{action} is not offered by this engine", 400)
        # The handler never suspends, so holding the lock across the await blocks nobody else.
        with self._lock:
            try:
                answer: Answer = await self._handle(method, path, headers, body, query)
            except Exception:
                self._roll_back()
                raise
            try:
                self.commit(definitions=action not in _ITEM_ACTIONS)
            except EngineError as error:
                _log.error("%s was not stored: %s", action, error)
                self._roll_back()
                if action not in _ITEM_ACTIONS:
                    self._on_failure(str(error))
                return _error("InternalServerError", "The request could not be stored", 500)
        return answer

    def _noting_set(self, table: dict[str, Any], pk: str, sk: str, item: Item) -> Item | None:
        with self._lock:
            before: Item | None = self._set_item(table, pk, sk, item)
            self._before.setdefault((_key_of(table), pk, sk), before)
        return before

    def _noting_remove(self, table: dict[str, Any], pk: str, sk: str) -> Item | None:
        with self._lock:
            before: Item | None = self._remove_item(table, pk, sk)
            self._before.setdefault((_key_of(table), pk, sk), before)
        return before

    def _noting_token(self, token: str, entry: dict[str, Any]) -> None:
        from ministack.core.responses import get_account_id, get_region

        self._keep_token(token, entry)
        self._tokens[get_account_id(), get_region(), token] = entry

    def _roll_back(self) -> None:
        """Give every noted key its value before, so that memory equals the disk."""
        for key in self._tokens:
            self._dynamodb._txn_idempotency._data.pop(key, None)
        self._tokens.clear()
        for (key, pk, sk), before in self._before.items():
            table = self._dynamodb._tables._data.get(key)
            if table is None:
                continue
            if before is None:
                self._remove_item(table, pk, sk)
            else:
                self._set_item(table, pk, sk, before)
        self._before.clear()

    def _add_definitions(
        self, changes: Changes, saved: dict[TableKey, tuple[int, str, str]]
    ) -> None:
        """Add new, changed and dropped tables; a table the store does not hold comes whole."""
        live = dict(self._dynamodb._tables._data)
        for key in [key for key in saved if key not in live]:
            changes.drop.append(saved.pop(key)[0])
        for key, table in live.items():
            definition = self._definition(table)
            held = saved.get(key)
            if held is not None and held[1] != table["TableId"]:
                changes.drop.append(held[0])
                held = None
            if held is not None and held[2] == definition:
                continue
            ref = held[0] if held else 1 + max((ref for ref, _, _ in saved.values()), default=0)
            saved[key] = (ref, table["TableId"], definition)
            changes.define.append((ref, key, definition))
            if held is None:
                changes.put += [
                    (ref, json.dumps(pk), json.dumps(sk), _json(item))
                    for pk, group in list(table["items"].items())
                    for sk, item in list(group.items())
                ]
        settings = self._settings()
        if settings != self._saved_settings:
            changes.documents[_DOCUMENT] = settings

    def _add_items(self, changes: Changes, saved: dict[TableKey, tuple[int, str, str]]) -> None:
        tables = self._dynamodb._tables._data
        for key, pk, sk in self._before:
            table = tables.get(key)
            if table is None:  # dropped with all its items
                continue
            ref = saved[key][0]
            item = table["items"].get(pk, {}).get(sk)
            if item is None:
                changes.remove.append((ref, json.dumps(pk), json.dumps(sk)))
            else:
                changes.put.append((ref, json.dumps(pk), json.dumps(sk), _json(item)))

    def _definition(self, table: dict[str, Any]) -> str:
        derived = ("items", self._dynamodb._INDEX_MEMBERS, "ItemCount", "TableSizeBytes")
        return _json({name: value for name, value in table.items() if name not in derived})

    def _settings(self) -> str:
        return _json({name: getattr(self._dynamodb, name) for name in _SETTINGS})

    def _restore(self) -> None:
        try:
            self._restore_definitions()
            self._restore_items()
            for *key, text in self._store.tokens(time.time() - self._dynamodb._TXN_TOKEN_TTL):
                self._dynamodb._txn_idempotency._data[tuple(key)] = json.loads(text)
        except (ValueError, KeyError, TypeError) as error:
            raise unreadable(self._store.path, f"{type(error).__name__}: {error}") from error

    def _restore_definitions(self) -> None:
        from ministack.core.persistence import _json_object_hook

        for ref, key, text in self._store.tables():
            table = json.loads(text)
            self._saved[key] = (ref, table["TableId"], text)
            self._dynamodb._tables._data[key] = {**table, "items": defaultdict(dict)}
        settings = self._store.documents().get(_DOCUMENT)
        if settings is not None:
            self._saved_settings = settings
            for name, scoped in json.loads(settings, object_hook=_json_object_hook).items():
                getattr(self._dynamodb, name)._data.update(scoped._data)

    def _restore_items(self) -> None:
        tables = self._dynamodb._tables._data
        by_ref = {ref: tables[key]["items"] for key, (ref, _, _) in self._saved.items()}
        for ref, text in self._store.items():
            items = by_ref[ref]
            values = json.loads(text)
            for pk, sk, item in zip(values[::3], values[1::3], values[2::3], strict=True):
                items[pk][sk] = item
        for table in tables.values():
            self._dynamodb._update_counts(table)


def _key_of(table: dict[str, Any]) -> TableKey:
    _, _, _, region, account, _ = table["TableArn"].split(":", 5)
    return account, region, table["TableName"]


def _json(value: Any) -> str:
    from ministack.core.persistence import _json_default

    return json.dumps(value, default=_json_default, separators=(",", ":"))


def _error(code: str, message: str, status: int) -> Answer:
    from ministack.core.responses import error_response_json

    answer: Answer = error_response_json(code, message, status)
    return answer
