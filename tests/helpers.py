"""Entities for tests, with every field that a test does not care about filled in; empty tables."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cityverse.data.client import Dynamo
from cityverse.data.registry import TABLES
from cityverse.domain.community import Association, Event, Mission, Post
from cityverse.domain.news import Article, Source
from cityverse.domain.places import Evidence, Location, Precision
from cityverse.settings import Settings, read

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
"""Noon of the day: the engine drops what expired by the real clock, so no fixed date would last.

It may be half a day behind the clock or ahead of it: what must not expire meanwhile expires
``LATER``.
"""
LATER = NOW + timedelta(days=30)


def location(arrondissement: int | None = 9, **changes: Any) -> Location:
    """A place in this arrondissement."""
    fields: dict[str, Any] = {
        "place": "Rue des Martyrs",
        "lat": 48.8804,
        "lon": 2.3403,
        "precision": Precision.STREET,
        "arrondissement": arrondissement,
        "score": 0.9,
        "evidence": (Evidence("title", 0, 15, "rue des Martyrs"),),
    }
    return Location(**(fields | changes))


def association(item_id: str = "a1", **changes: Any) -> Association:
    """An association."""
    fields: dict[str, Any] = {"id": item_id, "name": "Les Semeurs", "created": NOW}
    return Association(**(fields | changes))


def post(item_id: str = "p1", **changes: Any) -> Post:
    """A post of the association ``a1``."""
    fields: dict[str, Any] = {
        "id": item_id,
        "association_id": "a1",
        "association_name": "Les Semeurs",
        "title": "Premières tomates",
        "text": "Cueillies ce matin au jardin",
        "created": NOW,
    }
    return Post(**(fields | changes))


def mission(item_id: str = "m1", **changes: Any) -> Mission:
    """A mission of the association ``a1``."""
    fields: dict[str, Any] = {
        "id": item_id,
        "association_id": "a1",
        "association_name": "Les Semeurs",
        "title": "Planter la haie",
        "description": "Bottes conseillées",
        "created": NOW,
        "starts": NOW,
        "places": 10,
    }
    return Mission(**(fields | changes))


def event(item_id: str = "e1", **changes: Any) -> Event:
    """An event of the association ``a1``."""
    fields: dict[str, Any] = {
        "id": item_id,
        "association_id": "a1",
        "association_name": "Les Semeurs",
        "title": "Troc de graines",
        "description": "Apportez vos sachets",
        "created": NOW,
        "starts": NOW,
        "ends": NOW,
    }
    return Event(**(fields | changes))


def article(item_id: str = "n1", **changes: Any) -> Article:
    """An article of the source ``s1``."""
    fields: dict[str, Any] = {
        "id": item_id,
        "source_id": "s1",
        "source_name": "Le Journal",
        "title": "Une piste cyclable rue des Martyrs",
        "published": NOW,
    }
    return Article(**(fields | changes))


def source(item_id: str = "s1", **changes: Any) -> Source:
    """A source that was never polled."""
    fields: dict[str, Any] = {
        "id": item_id,
        "name": "Le Journal",
        "url": "https://example.org/feed",
    }
    return Source(**(fields | changes))


def stand_in(dynamo: Dynamo, table: str, *ids: str) -> None:
    """Bare rows, for what only asks whether an item is there."""
    for item_id in ids:
        dynamo.put(table, {"id": item_id})


def settings_for(folder: Path, **variables: str) -> Settings:
    """The default settings on a data folder, with some variables set."""
    return read({"CITYVERSE_DATA_DIR": str(folder), **variables})


# The file of the engine of the tests: what it answered stands there, so it tells at once what
# there is to delete, whoever wrote it. Asking some forty tables takes longer than most tests.
_engine_file: Path | None = None


def cleared_by(engine_folder: Path) -> None:
    """Say on which data folder the engine runs whose tables ``clear`` empties."""
    global _engine_file  # noqa: PLW0603 - one engine for all tests of a process
    _engine_file = engine_folder / "engine" / "store.sqlite3"


def clear(dynamo: Dynamo, *tables: str) -> None:
    """Empty these tables, or all."""
    assert _engine_file is not None
    with closing(sqlite3.connect(f"{_engine_file.as_uri()}?mode=ro", uri=True)) as file:
        rows = file.execute("SELECT name, body FROM items JOIN tables USING (ref)").fetchall()
    deletes = [
        (name, {"DeleteRequest": {"Key": {key: item[key] for key in _KEYS[name]}}})
        for name, item in ((name, json.loads(body)) for name, body in rows)
        if name in _KEYS and (not tables or name in tables)
    ]
    for at in range(0, len(deletes), 25):
        requests: dict[str, Any] = defaultdict(list)
        for name, delete in deletes[at : at + 25]:
            requests[name].append(delete)
        answer = dynamo.client.batch_write_item(RequestItems=dict(requests))
        assert not answer.get("UnprocessedItems")


_KEYS = {table.name: [k for k in (table.partition, table.sort) if k] for table in TABLES}
