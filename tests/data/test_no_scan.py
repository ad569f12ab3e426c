"""No page ever reads a whole table."""

import ast
import re
from datetime import timedelta
from pathlib import Path

from helpers import NOW, article, association, clear, event, location, mission, post, source

from cityverse.data.repository import Window
from cityverse.domain.news import SourceStatus

PACKAGE = Path(__file__).parents[2] / "cityverse"
CLIENTS = r"client|dynamo|table|session"
SCANS = {"scan", "batch_execute_statement", "execute_statement", "export_table_to_point_in_time"}
READS = {"GetItem", "BatchGetItem", "Query"}


def scans(source):
    """Lines that call Scan, or a statement that may be one, on what may be a client."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            (node.func.attr in SCANS and re.search(CLIENTS, ast.unparse(node.func.value)))
            or (node.func.attr == "get_paginator" and ast.unparse(node.args[0]).strip("'") in SCANS)
        )
    ]


def test_scan_is_called_in_one_place():
    # The engine implements the word rather than calling it.
    files = [file for file in PACKAGE.rglob("*.py") if file.parent.name != "engine"]
    assert len(files) > 30
    found = {str(file): scans(file.read_text(encoding="utf-8")) for file in files}
    assert [file for file, lines in found.items() if lines] == [str(PACKAGE / "data" / "scan.py")]
    assert len(found[str(PACKAGE / "data" / "scan.py")]) == 1


def test_only_commands_of_an_operator_read_whole_tables():
    using = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if re.search(r"import (.*, )?scan\b|data\.scan", file.read_text(encoding="utf-8"))
    }
    assert using == {"data/export.py", "data/backfill.py", "data/legacy.py"}


def test_a_scan_would_be_seen():
    assert scans("self.dynamo.client.scan(TableName='a')") == [1]
    assert scans("dynamodb.get_paginator('scan').paginate()") == [1]
    assert scans("gazetteer.scan(line)") == []


def test_every_reading_asks_for_keys_or_one_partition(store):
    clear(store.dynamo, "Association")
    for n in range(3):
        at = NOW + timedelta(days=n)
        store.associations.create(association(f"a{n}", created=at))
        store.posts.create(post(f"p{n}", association_id=f"a{n}", created=at, location=location()))
        store.missions.create(mission(f"m{n}", association_id="a0", starts=at, location=location()))
        store.events.create(
            event(f"e{n}", association_id="a0", starts=at, ends=at, location=location())
        )
        store.news.create(article(f"n{n}", published=at, location=location()))
        store.sources.create(source(f"s{n}"))
    asked = []
    events = store.dynamo.client.meta.events
    events.register(
        "before-call.dynamodb", lambda model, **_: asked.append(model.name), unique_id="reads"
    )
    try:
        for repository in (store.posts, store.missions, store.events, store.news):
            page = repository.page(limit=2)
            repository.page(limit=2, cursor=page.next)
            repository.page(limit=2, arrondissement=9)
            repository.page(limit=2, window=Window(NOW, NOW + timedelta(days=9)))
        for repository in (store.posts, store.missions, store.events):
            repository.page(limit=2, association_id="a1")
        store.associations.page(limit=2)
        for kind in ("post", "mission", "event", "news", "association"):
            assert store.search(kind, "martyrs jardin haie graines piste semeurs") == []
        store.sources.due(NOW)
        store.sources.listed(SourceStatus.ACTIVE)
        store.posts.find_many(["p0", "p1"])
        store.posts.get("p0")
        store.meta("demo")
        store.demo_ids("Posts", most=3)
    finally:
        events.unregister("before-call.dynamodb", unique_id="reads")
    assert len(asked) > 30
    assert set(asked) == READS
