"""One application a person and mission; approvals never above the places."""

import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest
from doing_helpers import (
    LATER,
    BreakingClient,
    Broken,
    Doing,
    a_mission,
    a_person,
    an_application,
    every,
    settled,
)
from helpers import NOW

from cityverse.data.client import Dynamo
from cityverse.domain.applications import TRANSITIONS, ApplicationState, check_transition
from cityverse.domain.community import MissionStatus
from cityverse.errors import (
    AlreadyExists,
    Closed,
    Full,
    InvalidField,
    NotFound,
    VersionConflict,
    WrongState,
)

S = ApplicationState


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


def apply(doing, mission, user="u1", **changes):
    return doing.applications.create(an_application(mission.id, user, **changes))


def standing(doing, mission):
    stored = doing.missions.get(mission.id)
    return stored.approved, stored.status


def test_approval_takes_a_place_and_refusal_frees_it(doing):
    mission = doing.missions.create(a_mission(places=2))
    one, two = apply(doing, mission, "u1"), apply(doing, mission, "u2")
    assert one.state is S.PENDING
    approved = doing.applications.move(one.id, S.APPROVED, NOW)
    assert (approved.state, approved.changed) == (S.APPROVED, NOW)
    assert doing.applications.move(one.id, S.APPROVED, NOW) == approved
    assert standing(doing, mission) == (1, MissionStatus.OPEN)
    doing.applications.move(two.id, S.APPROVED, NOW)
    assert standing(doing, mission) == (2, MissionStatus.FULL)
    waiting = apply(doing, mission, "u3")
    assert waiting.state is S.WAITING
    with pytest.raises(Full):
        doing.applications.move(waiting.id, S.APPROVED, NOW)
    doing.applications.move(one.id, S.REFUSED, NOW)
    assert standing(doing, mission) == (1, MissionStatus.OPEN)
    doing.applications.move(waiting.id, S.APPROVED, NOW)
    doing.applications.move(two.id, S.WITHDRAWN, NOW)
    assert standing(doing, mission) == (1, MissionStatus.OPEN)


def test_one_application_a_person_and_mission(doing):
    mission = doing.missions.create(a_mission())
    apply(doing, mission)
    with pytest.raises(AlreadyExists):
        apply(doing, mission)
    with pytest.raises(InvalidField):
        doing.applications.create(replace(an_application(mission.id), id="another"))


def test_who_withdrew_may_apply_again(doing):
    mission = doing.missions.create(a_mission())
    first = apply(doing, mission)
    doing.applications.move(first.id, S.WITHDRAWN, NOW)
    with pytest.raises(WrongState):
        doing.applications.move(first.id, S.APPROVED, NOW)
    again = apply(doing, mission, interests="Toujours le jardinage")
    assert (again.state, again.interests) == (S.PENDING, "Toujours le jardinage")
    assert doing.applications.get(first.id) == again
    doing.applications.move(again.id, S.APPROVED, NOW)
    assert standing(doing, mission)[0] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"status": MissionStatus.CLOSED},
        {"status": MissionStatus.CANCELLED},
        {"status": MissionStatus.DONE},
        {"starts": NOW},
        {"starts": NOW - timedelta(days=2), "ends": NOW},
    ],
)
def test_closed_and_past_missions_take_nobody(doing, changes):
    mission = doing.missions.create(a_mission(**changes))
    with pytest.raises(Closed):
        apply(doing, mission)
    assert every(doing.applications.of_mission, mission.id) == []


def test_nobody_is_approved_once_a_mission_is_closed_but_one_can_withdraw(doing):
    mission = doing.missions.create(a_mission(places=2))
    one, two = apply(doing, mission, "u1"), apply(doing, mission, "u2")
    doing.applications.move(one.id, S.APPROVED, NOW)
    mission = doing.missions.get(mission.id)
    doing.missions.replace(mission, replace(mission, status=MissionStatus.CLOSED))
    with pytest.raises(Closed):
        doing.applications.move(two.id, S.APPROVED, NOW)
    doing.applications.move(one.id, S.WITHDRAWN, NOW)
    assert standing(doing, mission) == (0, MissionStatus.CLOSED)


def test_a_mission_that_has_begun_still_takes_people_until_it_ends(doing):
    mission = doing.missions.create(a_mission(starts=NOW - timedelta(days=1), ends=LATER))
    assert apply(doing, mission).state is S.PENDING


def test_without_the_mission_there_is_no_application(doing):
    with pytest.raises(NotFound):
        doing.applications.create(an_application("nowhere"))
    with pytest.raises(NotFound):
        doing.applications.move("nothing", S.APPROVED, NOW)


def test_an_edit_of_the_mission_keeps_its_places_and_its_status_right(doing):
    first = doing.missions.create(a_mission(places=2))
    doing.applications.move(apply(doing, first).id, S.APPROVED, NOW)
    # ``first`` was read before the approval, which does not make the edit stale.
    full = doing.missions.replace(first, replace(first, places=1))
    assert (full.approved, full.status) == (1, MissionStatus.FULL)
    doing.applications.move(apply(doing, first, "u2").id, S.REFUSED, NOW)
    with pytest.raises(VersionConflict):
        doing.missions.replace(first, replace(first, title="Perdue"))
    wider = doing.missions.replace(full, replace(full, places=3))
    assert wider.status is MissionStatus.OPEN
    doing.applications.move(apply(doing, first, "u3").id, S.APPROVED, NOW)
    with pytest.raises(InvalidField):
        doing.missions.replace(wider, replace(wider, places=1))
    assert doing.missions.get(first.id).places == 3


def test_an_edit_never_changes_the_state(doing):
    mission = doing.missions.create(a_mission())
    one = apply(doing, mission)
    doing.applications.replace(one, replace(one, state=S.APPROVED, interests="La taille"))
    stored = doing.applications.get(one.id)
    assert (stored.state, stored.interests) == (S.PENDING, "La taille")


def test_what_is_personal_can_be_erased(doing):
    mission = doing.missions.create(a_mission())
    one = doing.applications.move(apply(doing, mission).id, S.APPROVED, NOW)
    erased = doing.applications.erase(one)
    assert doing.applications.get(one.id) == erased
    item = doing.dynamo.get("Application", {"id": one.id})
    for said in ("Camille", "Martin", "Martyrs", "06", "jardinage"):
        assert said not in repr([item[name] for name in item if name not in {"id", "order"}])
    assert "age" not in item
    assert erased.state is S.APPROVED


def test_deleting_an_approved_application_frees_the_place(doing):
    mission = doing.missions.create(a_mission(places=1))
    one = doing.applications.move(apply(doing, mission).id, S.APPROVED, NOW)
    doing.applications.delete(one)
    doing.applications.delete(one)
    assert standing(doing, mission) == (0, MissionStatus.OPEN)
    assert doing.applications.find(one.id) is None


def test_an_application_and_its_place_go_in_one_write(doing):
    """Before and after each call, either both are there or neither is."""
    mission = doing.missions.create(a_mission(places=1))
    for number in range(9):
        one = apply(doing, mission)
        one = doing.applications.move(one.id, S.APPROVED, NOW)
        client = BreakingClient(doing.dynamo.client, number, after=True)
        with contextlib.suppress(Broken):
            Doing(Dynamo(client)).applications.delete(one)
        there = doing.applications.find(one.id) is not None
        assert standing(doing, mission)[0] == there
        doing.applications.delete(one)
    assert client.calls == 2  # one look at the mission, one write


def test_a_stale_delete_of_an_application_is_refused(doing):
    mission = doing.missions.create(a_mission(places=1))
    one = apply(doing, mission)
    doing.applications.move(one.id, S.APPROVED, NOW)
    with pytest.raises(VersionConflict):
        doing.applications.delete(one)
    assert standing(doing, mission) == (1, MissionStatus.FULL)


def test_lists_of_a_mission_and_of_a_person(doing):
    missions = [doing.missions.create(a_mission()) for _ in range(3)]
    me = a_person(doing)
    mine = [
        apply(doing, one, me, created=NOW + timedelta(minutes=n)) for n, one in enumerate(missions)
    ]
    other = apply(doing, missions[0], "other", created=NOW + timedelta(hours=1))
    of_user = every(doing.applications.of_user, me, limit=2)
    assert of_user == mine[::-1]
    assert every(doing.applications.of_mission, missions[0].id, limit=1) == [mine[0], other]


@pytest.mark.parametrize("old", S)
@pytest.mark.parametrize("new", S)
def test_transitions(old, new):
    if new in TRANSITIONS[old]:
        check_transition(old, new)
    else:
        with pytest.raises(WrongState):
            check_transition(old, new)
