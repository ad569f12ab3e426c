"""Creating, replacing and deleting one item, with all that follows from it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers import LATER, NOW, article, association, clear, event, mission, post, source

from cityverse.data import client
from cityverse.data.repository import LeafRepository
from cityverse.domain.points import Badge
from cityverse.errors import AlreadyExists, InvalidField, NotFound, Taken, VersionConflict

CHILDREN = {"Association", "Posts", "Mission", "Event", "Donation", "Product", "User"}

EVERY = {
    "associations": association,
    "posts": post,
    "missions": mission,
    "events": event,
    "news": article,
    "sources": source,
}


def rows(store, table):
    return [
        i
        for p in store.dynamo.client.get_paginator("scan").paginate(TableName=table)
        for i in p["Items"]
    ]


@pytest.mark.parametrize("kind", EVERY)
def test_what_is_created_can_be_read(store, kind):
    clear(store.dynamo, "Association" if kind == "associations" else "Receipt")
    repository, entity = getattr(store, kind), EVERY[kind]()
    created = repository.create(entity)
    assert created == replace(entity, version=1)
    assert repository.get(entity.id) == created
    assert repository.find_many([entity.id, "nobody", entity.id]) == {entity.id: created}


def test_what_is_not_there_is_not_found(store):
    assert store.posts.find("p1") is None
    with pytest.raises(NotFound):
        store.posts.get("p1")


def test_creating_twice_is_refused_and_changes_nothing(store):
    created = store.posts.create(post())
    with pytest.raises(AlreadyExists):
        store.posts.create(post(title="Another one"))
    assert store.posts.get("p1") == created
    assert store.search("post", "another") == []


def test_many_items_are_found_over_several_batches(store, monkeypatch):
    monkeypatch.setattr(client, "BATCH_GET_MOST", 10)
    ids = [f"s{n}" for n in range(25)]
    for item_id in ids[:-1]:
        store.sources.create(source(item_id))
    assert set(store.sources.find_many(ids)) == set(ids[:-1])


def test_a_stale_replacement_is_refused_and_changes_nothing(store):
    first = store.posts.create(post())
    second = store.posts.replace(first, replace(first, title="Deuxième récolte"))
    assert second.version == 2
    with pytest.raises(VersionConflict):
        store.posts.replace(first, replace(first, title="Perdue"))
    assert store.posts.get("p1") == second
    assert store.search("post", "perdue") == []


def test_replacing_what_was_deleted_is_refused(store):
    first = store.posts.create(post())
    store.deletion.delete("Posts", first.id)
    with pytest.raises(VersionConflict):
        store.posts.replace(first, replace(first, title="Revenant"))
    assert rows(store, "Term") == []


def test_search_rows_follow_edits_and_deletes(store):
    first = store.posts.create(post(title="Premières tomates", text="cueillies au jardin"))
    assert [f.item_id for f in store.search("post", "tomates")] == ["p1"]
    second = store.posts.replace(first, replace(first, title="Premières courges"))
    assert store.search("post", "tomates") == []
    assert [f.item_id for f in store.search("post", "courges jardin")] == ["p1"]
    moved = store.posts.replace(second, replace(second, created=NOW - timedelta(days=40)))
    assert [f.order[:10] for f in store.search("post", "courges")] == [
        moved.created.date().isoformat()
    ]
    store.deletion.delete("Posts", moved.id)
    assert rows(store, "Term") == []


def test_deleting_twice_is_no_error(store):
    created = store.news.create(article(demo=True))
    store.news.delete(created)
    store.news.delete(created)
    assert store.news.find("n1") is None
    assert rows(store, "Demo") == []
    assert store.news.page(limit=3).items == ()


def test_deleting_what_changed_since_it_was_read_is_refused(store):
    first = store.news.create(article())
    store.news.replace(first, replace(first, title="Courges"))
    with pytest.raises(VersionConflict):
        store.news.delete(first)
    assert [f.item_id for f in store.search("news", "courges")] == ["n1"]


def test_a_stale_delete_frees_no_claim_of_another(store):
    """The name went to another badge while the id was given to a new one, of the same version."""
    first = store.badges.create(Badge("b1", "Premier pas", NOW))
    store.badges.delete(first)
    again = store.badges.create(Badge("b1", "Second pas", NOW))
    other = store.badges.create(Badge("b2", "Premier pas", NOW))
    with pytest.raises(VersionConflict):
        store.badges.delete(first)
    assert store.badges.find_many(["b1", "b2"]) == {"b1": again, "b2": other}
    with pytest.raises(Taken):
        store.badges.create(Badge("b3", "Premier pas", NOW))


def test_what_has_children_is_deleted_in_one_way_only(store):
    """Nothing but the deletion with children can delete these, since there is no such method."""
    alone = {t for t, r in store.repositories().items() if isinstance(r, LeafRepository)}
    assert alone.isdisjoint(CHILDREN)
    assert alone | CHILDREN == set(store.repositories())
    for name, repository in store.repositories().items():
        assert hasattr(repository, "delete") == (name not in CHILDREN)


def test_the_demo_mark_follows_the_item(store):
    first = store.posts.create(post(demo=True))
    assert store.demo_ids("Posts", most=9) == ["p1"]
    store.posts.replace(first, replace(first, demo=False))
    assert store.demo_ids("Posts", most=9) == []


def test_what_breaks_a_rule_is_never_written(store):
    with pytest.raises(InvalidField):
        store.posts.create(post(text=""))
    first = store.posts.create(post())
    with pytest.raises(InvalidField):
        store.posts.replace(first, replace(first, text="x" * 10_000))
    assert store.posts.get("p1") == first


def test_an_article_expires_with_its_words(store):
    store.news.create(article(expires_at=LATER))
    expiries = {r["expires"]["N"] for t in ("News", "Term") for r in rows(store, t)}
    assert expiries == {str(int(LATER.timestamp()))}


def test_the_longest_item_of_each_kind_can_be_stored_and_replaced(store):
    words = " ".join(f"mot{n:04}" for n in range(600))[:5000]
    first = store.posts.create(post(title=words[:200], text=words, demo=True))
    changed = store.posts.replace(first, replace(first, title="autre " * 30, text=words[::-1]))
    assert store.posts.get("p1") == changed


def test_a_fact_about_the_store_is_kept(store):
    assert store.meta("worker") is None
    store.set_meta("worker", seen_at="now", polling=1)
    assert store.meta("worker") == {"id": "worker", "seen_at": "now", "polling": 1}


def test_a_store_holds_nothing_until_it_holds_something(store):
    clear(store.dynamo)
    assert store.holds_nothing()
    store.sources.create(source())
    assert store.holds_nothing()
    store.associations.create(association())
    assert not store.holds_nothing()


def test_items_put_there_by_hand_count_as_something(store):
    clear(store.dynamo)
    store.dynamo.put("Posts", {"id": "by-hand", "description": "of an older program"})
    assert not store.holds_nothing()


def test_an_edit_never_moves_to_another_item(store):
    one, other = store.posts.create(post("p1")), store.posts.create(post("p2"))
    with pytest.raises(InvalidField):
        store.posts.replace(one, replace(one, id="p2"))
    assert store.posts.get("p2") == other
