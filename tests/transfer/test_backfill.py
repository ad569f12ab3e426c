"""Older items get what they lack, once, and nothing else of them changes."""

import pytest
from helpers import NOW, association, clear, location, post

from cityverse.data import codec, scan
from cityverse.data.backfill import backfill


def older(store, entity, repository, *lacking):
    """An item as an older program, or a hand, left it."""
    item = {k: v for k, v in codec.to_item(entity).items() if k not in lacking}
    store.dynamo.put(repository.table, item)


@pytest.fixture
def old_store(store):
    clear(store.dynamo)
    for n in range(5):
        entity = post(f"p{n}", location=location(), title="Récolte")
        older(store, entity, store.posts, "schema_version", "version")
    older(store, association("a1"), store.associations, "schema_version", "version")
    return store


def test_older_items_are_listed_found_and_can_be_edited(old_store):
    store = old_store
    assert store.posts.page(limit=9).items == ()
    report = backfill(store, units=10**6)
    assert (report.seen, report.completed, report.problems) == (6, 6, [])
    assert {p.id for p in store.posts.page(limit=9).items} == {f"p{n}" for n in range(5)}
    assert len(store.posts.page(limit=9, arrondissement=9).items) == 5
    assert len(store.search("post", "récolte")) == 5
    old = store.posts.get("p1")
    assert old.version == 1
    import dataclasses

    assert store.posts.replace(old, dataclasses.replace(old, title="Moisson")).version == 2


def test_a_second_round_writes_nothing(old_store):
    backfill(old_store, units=10**6)
    again = backfill(old_store, units=10**6)
    assert (again.seen, again.completed) == (6, 0)


def test_new_items_stay_as_they_are(store):
    created = store.posts.create(post("p1", location=location()))
    before = store.dynamo.get("Posts", {"id": "p1"})
    assert backfill(store, units=10**6).completed == 0
    assert store.dynamo.get("Posts", {"id": "p1"}) == before
    assert store.posts.get("p1") == created


def test_an_interrupted_round_goes_on(old_store, monkeypatch):
    monkeypatch.setattr(scan, "_PAGE", 2)
    real, calls = scan.pages, []

    class Interrupted(Exception):
        pass

    def pages(dynamo, table, after=None, **options):
        for page in real(dynamo, table, after, **options):
            calls.append((table, after))
            if len(calls) == 3:
                raise Interrupted
            yield page

    monkeypatch.setattr(scan, "pages", pages)
    with pytest.raises(Interrupted):
        backfill(old_store, units=10**6)
    backfill(old_store, units=10**6)
    assert len(old_store.posts.page(limit=9).items) == 5
    assert old_store.dynamo.get("Meta", {"id": "backfill"}) is None


def test_what_cannot_be_read_is_told_and_stays(store):
    clear(store.dynamo)
    store.dynamo.put("Posts", {"id": "old", "description": "as it was", "created_on": str(NOW)})
    report = backfill(store, units=10**6)
    assert report.completed == 0
    assert report.problems[0].startswith("Posts old: ")
    assert store.dynamo.get("Posts", {"id": "old"})["description"] == "as it was"
