"""Awards: once a cause, with the points in the same transaction; badges with their own names."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from helpers import NOW
from people_helpers import all_pages, nobody, rows, user

from cityverse.data.awards import AwardRepository
from cityverse.domain.points import CAUSES, Award, Badge, award_for, hour_award
from cityverse.errors import InvalidField, NotFound, Taken

MISSION = CAUSES["mission"]


@pytest.fixture
def people(dynamo):
    people = nobody(dynamo)
    people.users.create(user())
    return people


def test_a_cause_earns_its_points_once(people):
    given = award_for("u1", MISSION, NOW)
    assert people.awards.give(given)
    assert not people.awards.give(award_for("u1", MISSION, NOW + timedelta(days=9)))
    assert people.users.get("u1").score == MISSION.points == 900
    assert people.awards.find("u1", "once:mission") == given
    assert given.badge_id == "mission"


def test_an_hour_of_the_clock_counts_once(people):
    at = NOW.replace(minute=1)
    paris = timezone(timedelta(hours=1))
    later = at + timedelta(hours=1)
    moments = (at, at.replace(minute=59), at.astimezone(paris), later)
    given = [people.awards.give(hour_award("u1", moment)) for moment in moments]
    assert given == [True, False, False, True]
    kept = people.users.get("u1")
    assert (kept.hours, kept.score) == (2, 4)


def test_nobody_is_given_nothing(people):
    with pytest.raises(NotFound):
        people.awards.give(award_for("u9", MISSION, NOW))
    assert rows(people.store.dynamo, "Award") == []
    assert people.users.find("u9") is None


def test_an_edit_in_between_loses_no_points(people):
    before = people.users.get("u1")
    people.awards.give(award_for("u1", MISSION, NOW))
    people.users.replace(before, replace(before, description="Bonjour"))
    assert people.users.get("u1").score == 900


@pytest.mark.parametrize("limit", [1, 4, 12, 100])
def test_awards_are_listed_apart_from_hours(people, limit):
    for cause in CAUSES.values():
        people.awards.give(award_for("u1", cause, NOW))
    for n in range(5):
        people.awards.give(hour_award("u1", NOW + timedelta(hours=n)))
    forward, backward = all_pages(lambda **p: people.awards.once("u1", **p), limit)
    assert [a.cause for a in forward] == sorted(f"once:{name}" for name in CAUSES)
    assert backward == forward
    forward, backward = all_pages(lambda **p: people.awards.hours("u1", **p), limit)
    assert [a.created for a in forward] == [NOW + timedelta(hours=n) for n in range(5)]
    assert backward == forward


def test_the_lists_of_hours_and_of_awards_share_no_cursor(people):
    for n in range(3):
        people.awards.give(hour_award("u1", NOW + timedelta(hours=n)))
    first = people.awards.hours("u1", limit=1)
    assert people.awards.once("u1", limit=1, cursor=first.next).items == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"points": -1}, "points"),
        ({"points": 1.5}, "points"),
        ({"points": 100_001}, "points"),
        ({"hours": 2}, "hours"),
        ({"cause": ""}, "cause"),
        ({"user_id": "a b"}, "user_id"),
        ({"badge_id": ""}, "badge_id"),
    ],
)
def test_bad_awards_are_refused_by_name(changes, field):
    award = Award(**({"user_id": "u1", "cause": "c", "points": 1, "created": NOW} | changes))
    repository = AwardRepository.__new__(AwardRepository)  # without a connection to write to
    with pytest.raises(InvalidField) as refused:
        repository.give(award)
    assert refused.value.field == field


def test_a_badge_is_kept_and_its_name_is_its_own(people):
    people.store.dynamo.put("Media", {"id": "M1", "state": "ready", "version": 1})
    badge = Badge("b1", "Bénévole d'or", NOW, "Dix missions", "M1")
    created = people.badges.create(badge)
    assert people.badges.get("b1") == created == replace(badge, version=1)
    with pytest.raises(Taken):
        people.badges.create(Badge("b2", "BENEVOLE  D'OR ", NOW))
    people.badges.replace(created, replace(created, name="Bénévole d'argent"))
    people.badges.create(Badge("b2", "Bénévole d'or", NOW))
