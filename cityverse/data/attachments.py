"""Files that belong to an item: a file is shown with one item, and goes with it.

An item that is written with a file takes it, in the same transaction: no other item
can have it then, nor take it down. Where the item goes, or lets go of the file, the
file is marked as deleted: it is shown to nobody from that moment on, and the sweep of
``media.py`` removes its objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cityverse.data.client import Dynamo, Item, update_write
from cityverse.data.codec import time_text
from cityverse.data.ties import Tie
from cityverse.domain.media import MediaState
from cityverse.domain.people import ANONYMOUS

TABLE = "Media"
# The fields in which entities name their files.
_ONE = ("profile_media_id", "banner_media_id", "media_id")
_MANY = "media"


def files_of(entity: object) -> tuple[str, ...]:
    """The ids of all files of an entity, each once."""
    named = (getattr(entity, name, None) for name in _ONE)
    return tuple(dict.fromkeys([*getattr(entity, _MANY, ()), *filter(None, named)]))


def attached(table: str, item_id: str, files: Iterable[str]) -> list[Tie]:
    """The writes by which an item takes its files; each fails where the file is another's."""
    return [
        Tie(
            update_write(
                TABLE,
                {"id": one},
                {"item": _item(table, item_id)},
                condition=("#state = :ready AND (attribute_not_exists(#item) OR #item = :item)"),
                names={"#state": "state", "#item": "item"},
                values={":ready": str(MediaState.READY), ":item": _item(table, item_id)},
                added={"version": 1},
            ),
            f"there is no file {one} that {table} {item_id} can have",
        )
        for one in files
    ]


def detached(
    dynamo: Dynamo, table: str, item_id: str, files: Iterable[str]
) -> list[dict[str, Any]]:
    """The writes that mark those of these files as deleted that belong to the item.

    They fail when a file was changed since it was read just now.
    """
    keys = [{"id": one} for one in files]
    rows = dynamo.get_many(TABLE, keys) if keys else []
    return [
        update_write(
            TABLE,
            {"id": row["id"]},
            {**_deleted(), "version": row["version"] + 1},
            condition="#version = :read AND (attribute_not_exists(#item) OR #item = :item)",
            names={"#version": "version", "#item": "item"},
            values={":read": row["version"], ":item": _item(table, item_id)},
        )
        for row in rows
        if row["state"] == MediaState.READY
        and row.get("item", _item(table, item_id)) == _item(table, item_id)
    ]


def hiding(dynamo: Dynamo, files: Iterable[str], *, hidden: bool) -> list[dict[str, Any]]:
    """The writes that show these files to nobody but their owner, or to all again."""
    keys = [{"id": one} for one in files]
    rows = dynamo.get_many(TABLE, keys) if keys else []
    return [
        update_write(
            TABLE,
            {"id": row["id"]},
            {"hidden": hidden},
            condition="attribute_exists(id)",
            added={"version": 1},
        )
        for row in rows
    ]


def forgetting(row: Item, user_id: str) -> dict[str, Any]:
    """The write that takes the name of its owner from a file, as it is stored.

    A file that is shown with nothing but their account is deleted by it.
    """
    fields = {"owner": ANONYMOUS, "version": row["version"] + 1}
    own = row.get("item", _item("User", user_id)) == _item("User", user_id)
    if own and row["state"] == MediaState.READY:
        fields |= _deleted()
    return update_write(
        TABLE,
        {"id": row["id"]},
        fields,
        ["item"] if own and "item" in row else [],
        condition="#version = :read",
        names={"#version": "version"},
        values={":read": row["version"]},
    )


def _deleted() -> dict[str, Any]:
    return {"state": str(MediaState.DELETED), "deleted": time_text(datetime.now(UTC))}


def _item(table: str, item_id: str) -> str:
    return f"{table}#{item_id}"
