"""Follows: a toggle by key, both counters, both lists."""

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers import NOW, association
from people_helpers import CURSORS, all_pages, follow, nobody, rows, user

from cityverse.data.cursors import Position
from cityverse.data.lists import PAGE_MOST
from cityverse.errors import InvalidField, NotFound


@pytest.fixture
def people(dynamo):
    people = nobody(dynamo)
    people.users.create(user("u1"))
    people.store.associations.create(association("a1"))
    return people


def counts(people, user_id="u1", association_id="a1"):
    return (
        people.users.get(user_id).following,
        people.store.associations.get(association_id).followers,
    )


def test_following_twice_counts_once(people):
    assert people.follows.follow(follow())
    assert not people.follows.follow(follow(created=NOW + timedelta(days=1)))
    assert counts(people) == (1, 1)
    assert people.follows.find("u1", "a1") == follow()


def test_unfollowing_twice_counts_once(people):
    people.follows.follow(follow())
    assert people.follows.unfollow("u1", "a1")
    assert not people.follows.unfollow("u1", "a1")
    assert counts(people) == (0, 0)
    assert people.follows.find("u1", "a1") is None


def test_what_was_never_followed_cannot_be_unfollowed(people):
    assert not people.follows.unfollow("u1", "a1")
    assert not people.follows.unfollow("nobody", "nothing")
    assert counts(people) == (0, 0)


@pytest.mark.parametrize("missing", [{"user_id": "u9"}, {"association_id": "a9"}])
def test_both_ends_must_be_there(people, missing):
    with pytest.raises(NotFound) as refused:
        people.follows.follow(follow(**missing))
    assert next(iter(missing.values())) in str(refused.value)
    assert rows(people.store.dynamo, "Follow") == []
    assert counts(people) == (0, 0)


def test_what_is_being_deleted_is_not_followed_but_can_be_left(people):
    people.follows.follow(follow())
    people.users.create(user("u2"))
    people.store.dynamo.update(
        "Association",
        {"id": "a1"},
        UpdateExpression="SET deleting = :yes",
        ExpressionAttributeValues={":yes": True},
    )
    with pytest.raises(NotFound):
        people.follows.follow(follow("u2"))
    assert people.follows.unfollow("u1", "a1")
    assert counts(people) == (0, 0)


@pytest.mark.parametrize("gone", [["a"], ["u"], ["a", "u"]])
def test_a_follow_goes_even_when_what_counted_it_is_gone(people, gone):
    people.follows.follow(follow())
    if "a" in gone:
        people.store.dynamo.delete("Association", {"id": "a1"})
    if "u" in gone:
        people.store.dynamo.delete("User", {"id": "u1"})
    assert people.follows.unfollow("u1", "a1")
    assert rows(people.store.dynamo, "Follow") == []
    if "a" not in gone:
        assert people.store.associations.get("a1").followers == 0
    if "u" not in gone:
        assert people.users.get("u1").following == 0
    assert len(rows(people.store.dynamo, "User")) == ("u" not in gone)
    assert len(rows(people.store.dynamo, "Association")) == ("a" not in gone)


def test_an_edit_of_the_association_leaves_its_followers_alone(people):
    before = people.store.associations.get("a1")
    people.follows.follow(follow())
    people.store.associations.replace(before, replace(before, name="Les Semeuses"))
    assert counts(people) == (1, 1)


@pytest.mark.parametrize("limit", [1, 3, 7, 8, 100])
def test_both_lists_page_forward_and_back(people, limit):
    for n in range(7):
        people.users.create(user(f"v{n}"))
        people.store.associations.create(association(f"b{n}"))
        people.follows.follow(follow("u1", f"b{n}"))
        # Two at the same moment keep an order too.
        people.follows.follow(follow(f"v{n}", "a1", created=NOW + timedelta(minutes=n // 2)))
    forward, backward = all_pages(lambda **p: people.follows.of_user("u1", **p), limit)
    assert [f.association_id for f in forward] == [f"b{n}" for n in range(7)]
    assert backward == forward
    forward, backward = all_pages(lambda **p: people.follows.of_association("a1", **p), limit)
    assert [f.user_id for f in forward] == [f"v{n}" for n in range(6, -1, -1)]
    assert backward == forward


def test_new_follows_do_not_move_a_cursor(people):
    for n in range(6):
        people.users.create(user(f"v{n}"))
    for n in range(4):
        people.follows.follow(follow(f"v{n}", created=NOW + timedelta(minutes=n)))
    first = people.follows.of_association("a1", limit=2)
    people.follows.follow(follow("v4", created=NOW + timedelta(minutes=9)))
    people.follows.follow(follow("v5", created=NOW - timedelta(minutes=9)))
    second = people.follows.of_association("a1", limit=9, cursor=first.next)
    assert [f.user_id for f in second.items] == ["v1", "v0", "v5"]
    back = people.follows.of_association("a1", limit=9, cursor=second.previous)
    assert [f.user_id for f in back.items] == ["v4", "v3", "v2"]


def test_a_forged_or_foreign_cursor_starts_at_the_first_page(people):
    for n in range(3):
        people.store.associations.create(association(f"b{n}"))
        people.follows.follow(follow("u1", f"b{n}"))
    first = people.follows.of_user("u1", limit=2)
    assert first.previous is None
    foreign = CURSORS.write("Follow//u2", Position("b1", "next"))
    beyond = CURSORS.write("Follow//u1", Position("b2", "next"))
    forged = first.next[:-2] + ("AA" if first.next[-2:] != "AA" else "BB")
    for cursor in (foreign, forged, beyond, "", "é", "x" * 5000):
        assert people.follows.of_user("u1", limit=2, cursor=cursor) == first


def test_an_empty_list_is_an_empty_page(people):
    page = people.follows.of_user("u1", limit=5)
    assert (page.items, page.next, page.previous) == ((), None, None)


@pytest.mark.parametrize("limit", [0, -1, PAGE_MOST + 1])
def test_the_size_of_a_page_is_bounded(people, limit):
    with pytest.raises(InvalidField):
        people.follows.of_user("u1", limit=limit)


def test_which_of_many_are_followed(people):
    people.follows.follow(follow())
    assert people.follows.followed("u1", ["a1", "a2", "a1"]) == {"a1"}
    assert people.follows.followed("u1", []) == frozenset()


def test_a_follow_with_bad_ids_is_refused(people):
    with pytest.raises(InvalidField):
        people.follows.follow(follow("a b"))
