"""Links for one use, and attempts that are counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from people_helpers import at_once, rows, user

from cityverse.data.client import ConditionFailed
from cityverse.data.throttles import Limit
from cityverse.domain.people import Link, Purpose
from cityverse.errors import AlreadyExists, InvalidField, VersionConflict

NOW = datetime.now(UTC)
LIMIT = Limit("sign-in", 3, timedelta(minutes=15))


def link(link_id="l1", **changes):
    fields = {
        "id": link_id,
        "purpose": Purpose.RESET,
        "created": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "user_id": "u1",
        "session_version": 1,
        "email": "u1@example.org",
    }
    return Link(**(fields | changes))


class TestLinks:
    def test_a_link_is_found_and_outlasts_its_time_by_a_day(self, store, dynamo):
        store.links.issue(link())
        assert store.links.find("l1") == link()
        assert store.links.find("l2") is None
        (row,) = rows(dynamo, "Link")
        assert row["expires"] == int((NOW + timedelta(hours=25)).timestamp())

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": ""},
            {"purpose": "reset"},
            {"email": "no e-mail"},
            {"expires_at": NOW.replace(tzinfo=None)},
            {"session_version": -1},
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, store, changes):
        with pytest.raises(InvalidField):
            store.links.issue(link(**changes))

    def test_a_link_is_used_with_what_it_allows_or_not_at_all(self, store):
        one = store.users.create(user("ada"))
        store.links.issue(link())
        renamed = replace(one, first_name="Augusta")
        after = store.users.replace_along(one, renamed, [store.links.use(link())])
        assert store.links.find("l1").used
        with pytest.raises(ConditionFailed):
            store.users.replace_along(
                after, replace(after, first_name="Eve"), [store.links.use(link())]
            )
        assert store.users.get("ada").first_name == "Augusta"
        with pytest.raises(VersionConflict):
            store.users.replace_along(one, renamed, [store.links.use(link())])

    def test_an_unknown_link_allows_nothing(self, store):
        one = store.users.create(user("ada"))
        with pytest.raises(ConditionFailed):
            store.users.replace_along(one, one, [store.links.use(link("l9"))])

    def test_the_first_admin_is_offered_once(self, store):
        links = [link(f"l{n}", purpose=Purpose.CLAIM, user_id=None) for n in range(8)]
        told = at_once(*[partial(store.links.offer_first_admin, one) for one in links])
        assert told.count(True) == 1
        assert sum(store.links.find(one.id) is not None for one in links) == 1


class TestThrottles:
    def test_a_window_takes_so_many_and_no_more(self, store):
        took = [store.throttles.take(LIMIT, "ada", f"t{n}", NOW) for n in range(5)]
        assert took == [True, True, True, False, False]
        assert store.throttles.take(LIMIT, "eve", "t9", NOW)

    def test_at_once_exactly_so_many_pass(self, store):
        calls = [partial(store.throttles.take, LIMIT, "ada", f"t{n}", NOW) for n in range(16)]
        assert at_once(*calls).count(True) == LIMIT.most

    def test_one_attempt_counts_once_however_often_it_is_said(self, store):
        assert all(store.throttles.take(LIMIT, "ada", "t1", NOW) for _ in range(9))
        assert store.throttles.take(LIMIT, "ada", "t2", NOW)

    def test_what_is_given_back_is_free_again(self, store):
        for n in range(3):
            store.throttles.take(LIMIT, "ada", f"t{n}", NOW)
        store.throttles.give_back(LIMIT, "ada", "t0", NOW)
        store.throttles.give_back(LIMIT, "ada", "t0", NOW)
        assert store.throttles.take(LIMIT, "ada", "t3", NOW)
        assert not store.throttles.take(LIMIT, "ada", "t4", NOW)
        store.throttles.clear(LIMIT, "ada", NOW)
        assert store.throttles.take(LIMIT, "ada", "t4", NOW)

    def test_the_next_window_is_another(self, store):
        for n in range(3):
            store.throttles.take(LIMIT, "ada", f"t{n}", NOW)
        assert store.throttles.take(LIMIT, "ada", "t3", NOW + LIMIT.window)

    def test_the_row_names_nobody_and_expires(self, store, dynamo):
        store.throttles.take(LIMIT, "ada@example.org", "t1", NOW)
        (row,) = rows(dynamo, "Throttle")
        assert "ada" not in str(row)
        assert NOW.timestamp() < row["expires"] <= (NOW + 2 * LIMIT.window).timestamp()


def test_a_person_and_a_revoked_token_are_one_read(store):
    one = store.users.create(user("ada"))
    assert store.users.find_unless_revoked("ada", "t1") == one
    assert store.users.find_unless_revoked("eve", "t1") is None
    store.revoked.revoke("t1", NOW + timedelta(hours=1))
    assert store.users.find_unless_revoked("ada", "t1") is None
    assert store.users.find_unless_revoked("ada", "t2") == one


def test_an_id_is_taken_by_one_link(store):
    store.links.issue(link())
    with pytest.raises(AlreadyExists):
        store.links.issue(link())
