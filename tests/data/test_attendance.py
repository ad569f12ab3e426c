"""Who comes to an event: once a person, never more than there are places."""

from dataclasses import replace
from datetime import timedelta

import pytest
from doing_helpers import a_person, an_event, every, settled
from helpers import NOW

from cityverse.errors import Closed, Full, InvalidField, NotFound, VersionConflict


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


def attending(doing, event):
    return doing.events.get(event.id).attending


def test_coming_and_leaving_are_counted_once(doing):
    event = doing.events.create(an_event())
    first = doing.attendance.attend(event.id, "u1", NOW)
    assert doing.attendance.attend(event.id, "u1", NOW + timedelta(hours=1)) == first
    assert attending(doing, event) == 1
    for _ in range(2):
        doing.attendance.leave(event.id, "u1")
    assert attending(doing, event) == 0
    assert doing.attendance.find(event.id, "u1") is None


def test_a_full_event_takes_nobody_until_somebody_leaves(doing):
    event = doing.events.create(an_event(places=1))
    doing.attendance.attend(event.id, "u1", NOW)
    with pytest.raises(Full):
        doing.attendance.attend(event.id, "u2", NOW)
    doing.attendance.leave(event.id, "u1")
    doing.attendance.attend(event.id, "u2", NOW)
    assert attending(doing, event) == 1


@pytest.mark.parametrize("changes", [{"cancelled": True}, {"starts": NOW, "ends": NOW}])
def test_cancelled_and_past_events_take_nobody(doing, changes):
    event = doing.events.create(an_event(**changes))
    with pytest.raises(Closed):
        doing.attendance.attend(event.id, "u1", NOW)
    assert attending(doing, event) == 0


def test_without_an_event_nobody_comes(doing):
    with pytest.raises(NotFound):
        doing.attendance.attend("nowhere", "u1", NOW)


def test_no_edit_leaves_fewer_places_than_people(doing):
    event = doing.events.create(an_event())
    for number in range(2):
        doing.attendance.attend(event.id, f"u{number}", NOW)
    with pytest.raises(InvalidField):
        doing.events.replace(event, replace(event, places=1))
    bounded = doing.events.replace(event, replace(event, places=2))
    assert (bounded.attending, bounded.places_left) == (2, 0)
    with pytest.raises(VersionConflict):
        doing.events.replace(event, replace(event, title="Perdu"))


def test_lists_of_an_event_and_of_a_person(doing):
    user = a_person(doing)
    events = [doing.events.create(an_event()) for _ in range(3)]
    for number, event in enumerate(events):
        doing.attendance.attend(event.id, user, NOW + timedelta(minutes=number))
    doing.attendance.attend(events[0].id, "zoe", NOW)
    mine = every(doing.attendance.of_user, user, limit=2)
    assert [one.event_id for one in mine] == [event.id for event in events[::-1]]
    of_event = every(doing.attendance.of_event, events[0].id, limit=1)
    assert [one.user_id for one in of_event] == [user, "zoe"]
    assert doing.attendance.attended("zoe", [e.id for e in events]) == {events[0].id}
