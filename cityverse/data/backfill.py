"""Fills in what older items lack: attributes of indexes, days, search rows, claims.

An item that lacks nothing is not written. What cannot be read as an item of today is
told, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cityverse.data import codec, scan
from cityverse.data.client import ConditionFailed, Dynamo, decode, encode, update_write
from cityverse.data.repository import Repository
from cityverse.data.store import Store
from cityverse.data.timeline import TimelineRepository
from cityverse.errors import InvalidField

Told = Callable[[str], None]

_META = {"id": "backfill"}


@dataclass(slots=True)
class Report:
    """How many items were looked at and completed, and what is wrong with the others."""

    seen: int = 0
    completed: int = 0
    problems: list[str] = field(default_factory=list)


def backfill(store: Store, *, told: Told = lambda _: None, units: int = 100) -> Report:
    """Complete every item of every repository, at about ``units`` read units a second.

    Goes on where it was interrupted; may be repeated.
    """
    report = Report()
    repositories = store.repositories()
    begun = store.dynamo.get("Meta", _META) or {}
    for name in sorted(repositories):
        if name < begun.get("table", ""):
            continue
        after = begun.get("after") if name == begun.get("table") else None
        start = None if after is None else encode(after)
        for page in scan.pages(store.dynamo, name, start, units=units):
            for item in page.items:
                _complete(repositories[name], decode(item), report)
            place: dict[str, Any] = {} if page.after is None else {"after": decode(page.after)}
            store.dynamo.put("Meta", {**_META, "table": name, **place})
        told(f"{name}: {report.seen} items seen, {report.completed} completed so far")
    store.dynamo.delete("Meta", _META)
    return report


def _complete(repository: Repository[Any], item: dict[str, Any], report: Report) -> None:
    report.seen += 1
    try:
        entity = codec.from_item(repository.entity, item)
        entity.check()
    except InvalidField as error:
        report.problems.append(f"{repository.table} {item.get('id')}: {error}")
        return
    wanted = {
        **repository.keys_of(entity),
        "schema_version": codec.SCHEMA_VERSION,
        "version": entity.version or 1,
    }
    missing = {name: value for name, value in wanted.items() if name not in item}
    if not missing:
        return
    if isinstance(repository, TimelineRepository):
        repository._enter_bucket(entity)
    try:
        _write(repository.dynamo, repository, entity, missing, bool(item.get("version")))
    except ConditionFailed:
        # Changed at this very moment, or what must be unique belongs to another item.
        report.problems.append(f"{repository.table} {entity.id}: in conflict with another item")
        return
    report.completed += 1


def _write(
    dynamo: Dynamo,
    repository: Repository[Any],
    entity: Any,
    missing: dict[str, Any],
    has_version: bool,
) -> None:
    unchanged = "#version = :version" if has_version else "attribute_not_exists(#version)"
    update = update_write(
        repository.table,
        {"id": entity.id},
        missing,
        condition=f"attribute_exists(id) AND {unchanged}",
        names={"#version": "version"},
        values={":version": entity.version} if has_version else None,
    )
    claims = [_claim_or_own(put) for put in repository._claims(entity).values()]
    dynamo.transact([update, *claims, *repository._also(entity)])


def _claim_or_own(put: dict[str, Any]) -> dict[str, Any]:
    """A claim that may be there already if it is this very item's."""
    owned = dict(put["Put"])
    owned["ConditionExpression"] = "attribute_not_exists(id) OR #owner = :owner"
    owned["ExpressionAttributeNames"] = {"#owner": "owner"}
    owned["ExpressionAttributeValues"] = {":owner": owned["Item"]["owner"]}
    return {"Put": owned}
