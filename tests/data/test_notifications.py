"""Notifications: told once, newest first, read or not, gone after a while."""

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers import NOW
from people_helpers import all_pages, nobody, notification, rows, user

from cityverse.data.lists import PAGE_MOST
from cityverse.domain.notifications import KEPT
from cityverse.errors import InvalidField, NotFound


@pytest.fixture
def people(dynamo):
    people = nobody(dynamo)
    people.users.create(user())
    people.users.create(user("u2"))
    return people


def minute(n):
    return NOW + timedelta(minutes=n)


def tell(people, *minutes):
    for n in minutes:
        assert people.notifications.tell(notification(f"n{n}", created=minute(n)))


def unread(people):
    return people.notifications.unread(people.users.get("u1"))


def test_the_same_is_told_once_and_stays_read(people):
    told = notification(text="Bravo", actor_id="u2", actor_name="Ana")
    assert people.notifications.tell(told)
    people.notifications.read(told, minute(5))
    assert not people.notifications.tell(told)
    assert people.notifications.page("u1", limit=9).items == (replace(told, read_at=minute(5)),)


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_pages_run_from_the_newest_and_back(people, limit):
    tell(people, 3, 1, 0, 4, 2)
    people.notifications.tell(notification("other", user_id="u2"))
    forward, backward = all_pages(lambda **p: people.notifications.page("u1", **p), limit)
    assert [n.id for n in forward] == ["n4", "n3", "n2", "n1", "n0"]
    assert backward == forward


def test_what_is_new_does_not_move_a_cursor(people):
    tell(people, 0, 1, 2)
    first = people.notifications.page("u1", limit=2)
    tell(people, 9)
    second = people.notifications.page("u1", limit=2, cursor=first.next)
    assert [n.id for n in second.items] == ["n0"]
    back = people.notifications.page("u1", limit=2, cursor=second.previous)
    assert [n.id for n in back.items] == ["n2", "n1"]
    assert back.previous is not None


def test_reading_one_keeps_the_first_time(people):
    tell(people, 0, 1)
    assert unread(people) == 2
    read = people.notifications.read(notification("n1", created=minute(1)), minute(5))
    assert people.notifications.read(read, minute(6)).read_at == minute(5)
    assert unread(people) == 1


def test_having_seen_all_is_one_fact_that_never_goes_back(people):
    tell(people, 0, 1, 2)
    assert people.users.notified("u1", minute(1))
    assert unread(people) == 1
    assert not people.users.notified("u1", minute(0))
    assert not people.users.notified("u1", minute(1))
    assert unread(people) == 1
    people.users.notified("u1", minute(2))
    assert unread(people) == 0
    tell(people, 3)
    assert unread(people) == 1
    with pytest.raises(NotFound):
        people.users.notified("nobody", NOW)


def test_the_count_of_unread_is_bounded(people):
    tell(people, *range(PAGE_MOST + 3))
    assert unread(people) == PAGE_MOST


def test_nothing_that_is_not_there_is_read(people):
    with pytest.raises(NotFound):
        people.notifications.read(notification(), NOW)
    assert rows(people.store.dynamo, "Notification") == []


def test_it_expires(people):
    tell(people, 0)
    (row,) = rows(people.store.dynamo, "Notification")
    assert row["expires"] == int((NOW + KEPT).timestamp())


def test_it_can_be_told_in_the_transaction_of_what_happened(people):
    write = people.notifications.write_of(notification())
    people.store.dynamo.transact([write])
    assert unread(people) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"),
        ({"user_id": "a b"}, "user_id"),
        ({"topic": "gossip"}, "topic"),
        ({"target": ""}, "target"),
        ({"text": "x" * 301}, "text"),
        ({"actor_name": "a\x07"}, "actor_name"),
        ({"actor_id": "?"}, "actor_id"),
        ({"created": NOW.replace(tzinfo=None)}, "created"),
    ],
)
def test_bad_fields_are_refused_by_name(changes, field):
    with pytest.raises(InvalidField) as refused:
        notification(**changes).check()
    assert refused.value.field == field
