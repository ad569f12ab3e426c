"""Missions as use cases: who may what, races, and what the worker does once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from helpers import association, location, mission
from hypothesis import given
from hypothesis import strategies as st
from people_helpers import at_once, user

from cityverse.community import missions
from cityverse.community.missions import ApplicationForm, MissionForm, Search
from cityverse.domain.applications import (
    KEPT,
    ApplicationState,
    Presence,
    Refusal,
    application_id,
)
from cityverse.domain.community import MissionStatus
from cityverse.domain.missions import (
    TRANSITIONS,
    Rhythm,
    check_transition,
    choices,
    repeated,
)
from cityverse.domain.notifications import Topic
from cityverse.errors import (
    Closed,
    InvalidField,
    NotAllowed,
    NotSignedIn,
    VersionConflict,
    WrongState,
)

NOW = datetime.now(UTC).replace(microsecond=0)
SOON = NOW + timedelta(hours=20)
S, M = ApplicationState, MissionStatus
FORM = ApplicationForm("Envie d'aider", phone="06 11 22 33 44", age=30, address="2 rue Monge")


@pytest.fixture
def city(store):
    for who in ("boss", "ana", "bob", "eve"):
        store.users.create(user(who, first_name=who.title(), last_name=""))
    store.associations.create(association("sow", name="Les Semeurs", owner_id="boss"))
    store.missions.create(mission("m1", association_id="sow", starts=SOON, places=1))
    return store


def person(city, who):
    return city.users.get(who)


def ask(city, who, now=NOW):
    return missions.apply(city, person(city, who), "m1", FORM, now)


def topics(city, who):
    return [one.topic for one in city.notifications.page(who, limit=50).items]


def form(**changes):
    fields = {
        "id": "new", "association_id": "sow", "title": "Tailler", "description": "",
        "starts": SOON, "ends": SOON + timedelta(hours=2), "places": 3,
    }  # fmt: skip
    return MissionForm(**(fields | changes))


def test_a_form_sent_ten_times_is_one_application_and_tells_the_team_once(city):
    ana = person(city, "ana")
    answers = at_once(*[lambda: missions.apply(city, ana, "m1", FORM, NOW)] * 10)
    assert {one.id for one in answers} == {application_id("m1", "ana")}
    assert len(city.applications.of_mission("m1", limit=50).items) == 1
    assert topics(city, "boss") == [Topic.APPLICATION]


def test_two_people_approve_the_last_place(city):
    one, two = ask(city, "ana"), ask(city, "bob")
    boss = person(city, "boss")
    at_once(*(lambda a=a: missions.approve(city, boss, a.id, NOW) for a in (one, two)))
    states = {city.applications.get(a.id).state for a in (one, two)}
    assert states == {S.APPROVED, S.WAITING}
    assert city.missions.get("m1").approved == 1
    has_it = next(a for a in (one, two) if city.applications.get(a.id).state is S.APPROVED)
    waits = two if has_it is one else one
    missions.withdraw(city, person(city, has_it.user_id), "m1", NOW)
    assert city.applications.get(waits.id).state is S.APPROVED
    stored = city.missions.get("m1")
    assert (stored.approved, stored.waiting, stored.status) == (1, 0, M.FULL)
    assert Topic.PLACE_FREED in topics(city, waits.user_id)


def test_a_mission_that_ends_while_one_applies_takes_nobody(city):
    with pytest.raises(Closed):
        ask(city, "ana", SOON + timedelta(seconds=1))
    boss = person(city, "boss")
    answers = at_once(
        lambda: ask(city, "ana"),
        lambda: missions.set_status(city, boss, "m1", M.CLOSED, NOW),
    )
    applied = city.applications.find(application_id("m1", "ana"))
    assert (applied is None) == isinstance(answers[0], Closed)
    assert city.missions.get("m1").status is M.CLOSED


def test_only_the_team_decides_and_only_both_sides_read(city):
    one = ask(city, "ana")
    eve = person(city, "eve")
    for act in (
        lambda who: missions.approve(city, who, one.id, NOW),
        lambda who: missions.refuse(city, who, one.id, Refusal.OTHER, NOW),
        lambda who: missions.applications(city, who, "m1"),
        lambda who: missions.thread(city, who, one.id),
        lambda who: missions.say(city, who, one.id, "q1", "Bonjour", NOW),
        lambda who: missions.save(city, who, form(), NOW),
        lambda who: missions.set_status(city, who, "m1", M.CLOSED, NOW),
        lambda who: missions.note_presence(city, who, one.id, Presence.PRESENT, 60, SOON),
    ):
        with pytest.raises(NotAllowed):
            act(eve)
        with pytest.raises(NotSignedIn):
            act(None)
    with pytest.raises(NotAllowed):
        missions.approve(city, person(city, "ana"), one.id, NOW)


def test_both_sides_write_and_are_told_and_a_message_sent_twice_is_one(city):
    one = ask(city, "ana")
    for _ in range(2):
        missions.say(city, person(city, "ana"), one.id, "q1", "À quelle heure ?", NOW)
        missions.say(city, person(city, "boss"), one.id, "q2", "À dix heures", NOW)
    thread = missions.thread(city, person(city, "ana"), one.id)
    assert [(m.text, m.team) for m in thread.messages] == [
        ("À quelle heure ?", False), ("À dix heures", True),
    ]  # fmt: skip
    assert topics(city, "boss").count(Topic.APPLICATION_MESSAGE) == 1
    assert topics(city, "ana") == [Topic.APPLICATION_MESSAGE]
    city.deletion.delete("User", "ana")
    assert city.messages.page(one.id, limit=10).items == ()


def test_a_mission_deleted_takes_its_threads_along(city):
    one = ask(city, "ana")
    missions.say(city, person(city, "ana"), one.id, "q1", "Bonjour", NOW)
    city.deletion.delete("Association", "sow")
    assert city.missions.find("m1") is None
    assert city.applications.find(one.id) is None
    assert city.messages.page(one.id, limit=10).items == ()


def test_a_series_is_made_once_and_an_edit_sent_twice_changes_once(city):
    boss = person(city, "boss")
    wanted = form(rhythm=Rhythm.WEEKLY, times=3)
    first = missions.save(city, boss, wanted, NOW)
    assert missions.save(city, boss, wanted, NOW) == first
    assert len(first) == 3
    assert {one.series_id for one in first} == {"new"}
    edited = form(id="new-0", version=1, title="Tailler la haie")
    done = missions.save(city, boss, edited, NOW)
    assert missions.save(city, boss, edited, NOW) == done
    with pytest.raises(VersionConflict):
        missions.save(city, boss, replace(edited, title="Autre"), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"ends": SOON - timedelta(hours=1)},
        {"starts": NOW - timedelta(days=2), "ends": NOW - timedelta(days=1)},
        {"places": 0},
        {"title": " "},
        {"rhythm": Rhythm.DAILY, "times": 53},
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(city, changes):
    with pytest.raises(InvalidField):
        missions.save(city, person(city, "boss"), form(**changes), NOW)
    assert city.missions.find("new") is None


def test_places_that_are_added_go_to_those_in_line(city):
    boss = person(city, "boss")
    one, two, three = ask(city, "ana"), None, None
    missions.approve(city, boss, one.id, NOW)
    two, three = ask(city, "bob", NOW), ask(city, "eve", NOW + timedelta(minutes=1))
    missions.approve(city, boss, two.id, NOW)
    stored = city.missions.get("m1")
    wanted = form(
        id="m1", version=stored.version, title=stored.title, description=stored.description,
        starts=stored.starts, ends=None, places=2,
    )  # fmt: skip
    missions.save(city, boss, wanted, NOW)
    assert city.applications.get(two.id).state is S.APPROVED
    assert city.applications.get(three.id).state is S.WAITING


def test_cancelling_tells_those_who_applied_and_can_be_taken_back(city):
    ask(city, "ana")
    boss = person(city, "boss")
    for _ in range(2):
        missions.set_status(city, boss, "m1", M.CANCELLED, NOW)
    assert topics(city, "ana") == [Topic.MISSION_CHANGED]
    with pytest.raises(Closed):
        ask(city, "bob")
    assert missions.set_status(city, boss, "m1", M.OPEN, NOW).status is M.OPEN
    with pytest.raises(WrongState):
        missions.set_status(city, boss, "m1", M.DONE, NOW)


def test_a_draft_is_found_by_nobody_and_published_by_its_team(city):
    boss = person(city, "boss")
    (draft,) = missions.save(city, boss, form(draft=True), NOW)
    assert draft.id not in {one.id for one in missions.find(city, Search(), NOW).items}
    assert missions.find(city, Search(text="tailler"), NOW).items == ()
    assert missions.about(city, person(city, "ana"), draft.id) is None
    with pytest.raises(Closed):
        missions.apply(city, person(city, "ana"), draft.id, FORM, NOW)
    missions.set_status(city, boss, draft.id, M.OPEN, NOW)
    assert draft.id in {one.id for one in missions.find(city, Search(), NOW).items}
    with pytest.raises(WrongState):
        missions.discard(city, boss, draft.id)


def test_the_worker_reminds_ends_and_erases_once(city):
    one, two = ask(city, "ana"), ask(city, "bob")
    missions.approve(city, person(city, "boss"), one.id, NOW)
    assert missions.tend(city, NOW)["reminded"] == 1
    assert missions.tend(city, NOW + timedelta(hours=1))["reminded"] == 0
    assert topics(city, "ana").count(Topic.MISSION_SOON) == 1
    after = SOON + timedelta(days=2)
    assert missions.tend(city, after)["ended"] == 1
    assert missions.tend(city, after)["ended"] == 0
    assert city.missions.get("m1").status is M.DONE
    assert city.applications.get(two.id).refusal is Refusal.OVER
    early = missions.tend(city, SOON + KEPT - timedelta(hours=1))
    assert early["erased"] == 0
    assert missions.tend(city, SOON + KEPT + timedelta(hours=1))["erased"] == 2
    stored = city.applications.get(one.id)
    assert (stored.phone, stored.address, stored.age, stored.interests) == ("", "", None, "")
    assert missions.tend(city, SOON + KEPT + timedelta(hours=1))["erased"] == 0


def test_a_mission_moved_to_a_later_time_keeps_what_it_needs(city):
    one = ask(city, "ana")
    stored = city.missions.get("m1")
    later = SOON + timedelta(days=50)
    city.missions.replace(stored, replace(stored, starts=later))
    assert missions.tend(city, SOON + KEPT + timedelta(hours=1))["erased"] == 0
    assert city.applications.get(one.id).phone
    assert missions.tend(city, later + KEPT + timedelta(hours=1))["erased"] == 1


def test_near_a_place_and_by_arrondissement(city):
    near = location(9)
    city.missions.create(mission("m2", association_id="sow", starts=SOON, location=near))
    around = Search(near=(near.lat, near.lon), metres=500)
    assert [one.id for one in missions.find(city, around, NOW).items] == ["m2"]
    assert [one.id for one in missions.find(city, Search(arrondissement=9), NOW).items] == ["m2"]
    assert missions.find(city, Search(arrondissement=18), NOW).items == ()


@given(status=st.sampled_from(M), hours=st.integers(-50, 50))
def test_what_is_offered_is_what_is_allowed(status, hours):
    one = mission(starts=NOW + timedelta(hours=hours), status=status)
    for other in M:
        if other in choices(one, NOW):
            check_transition(one, other, NOW)
            assert other in TRANSITIONS[status]
        else:
            with pytest.raises(WrongState):
                check_transition(one, other, NOW)


@given(
    first=st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    rhythm=st.sampled_from(Rhythm),
    times=st.integers(1, 52),
)
def test_a_series_rises_on_one_weekday_at_one_time(first, rhythm, times):
    moments = list(repeated(first, rhythm, times))
    assert len(moments) == (1 if rhythm is Rhythm.ONCE else times)
    assert moments == sorted(set(moments))
    assert {one.time() for one in moments} == {first.time()}
    if rhythm is not Rhythm.DAILY:
        assert {one.weekday() for one in moments} == {first.weekday()}
    if rhythm is Rhythm.MONTHLY:
        months = [one.year * 12 + one.month for one in moments]
        assert months == list(range(months[0], months[0] + times))
