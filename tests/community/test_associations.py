"""Founding, editing, verifying and closing associations, and who is in their teams."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from helpers import association, post
from people_helpers import user

from cityverse.community import associations, posting, teams
from cityverse.community.associations import Wanted
from cityverse.domain.associations import Activity
from cityverse.domain.people import Role
from cityverse.domain.teams import VerificationStatus
from cityverse.errors import (
    InvalidField,
    NotAllowed,
    NotFound,
    NotSignedIn,
    VersionConflict,
    WrongState,
)

NOW = datetime.now(UTC)
RNA = "W751234567"


@pytest.fixture
def people(store):
    made = {"ana": Role.CREATOR, "eve": Role.CREATOR, "zoe": Role.RESIDENT, "max": Role.MANAGER}
    for name, role in made.items():
        store.users.create(user(name, role=role, first_name=name.capitalize()))
    return {name: store.users.get(name) for name in made}


def founded(store, who, item_id="sow", **fields):
    return associations.found(store, who, association(item_id, **fields), NOW)


def asked(store, people):
    return associations.to_verify(store, people["max"], limit=20).items


def decide(store, who, request, *, accepted=True, reason=""):
    associations.decide(store, who, request, NOW, accepted=accepted, reason=reason)


def told(store, user_id):
    return [one.topic.value for one in store.notifications.page(user_id, limit=9).items]


def test_only_creators_found_associations_and_never_verified_ones(store, people):
    made = founded(store, people["ana"], verified=True, owner_id="zoe", demo=True)
    assert (made.owner_id, made.verified, made.demo) == ("ana", False, False)
    with pytest.raises(NotAllowed):
        founded(store, people["zoe"], "b")
    with pytest.raises(NotSignedIn):
        founded(store, None, "b")
    assert [one.id for one in asked(store, people)] == ["sow"]


def test_founded_ten_times_at_once_there_is_one(store, people):
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: founded(store, people["ana"], rna=RNA), range(10)))
    assert {one.rna for one in made} == {RNA}
    assert len(store.associations.page(limit=9).items) == 1
    assert len(asked(store, people)) == 1
    with pytest.raises(NotAllowed):
        founded(store, people["eve"])


def test_a_second_claim_to_a_number_goes_to_the_queue_and_may_win(store, people):
    founded(store, people["ana"], rna=RNA)
    second = founded(store, people["eve"], "reap", rna=RNA)
    assert second.rna is None
    founded(store, people["eve"], "reap", rna=RNA)
    request, first = asked(store, people)
    decide(store, people["max"], first)
    assert (request.rna, request.disputed_with) == (RNA, "sow")
    decide(store, people["max"], request)
    assert store.associations.get("reap").rna == RNA
    assert store.associations.get("reap").verified
    assert (store.associations.get("sow").rna, store.associations.get("sow").verified) == (
        None,
        False,
    )
    assert told(store, "eve") == ["verification"]


def test_two_who_claim_a_number_at_once_do_not_both_have_it(store, people):
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(founded, store, people[who], item, rna=RNA)
            for who, item in (("ana", "sow"), ("eve", "reap"))
        ]
    assert sorted(str(one.result().rna) for one in both) == ["None", RNA]
    assert [bool(one.disputed_with) for one in asked(store, people)].count(True) == 1


def test_declining_needs_a_reason_and_is_told(store, people):
    founded(store, people["ana"])
    (request,) = asked(store, people)
    with pytest.raises(InvalidField):
        decide(store, people["max"], request, accepted=False, reason="  ")
    with pytest.raises(NotAllowed):
        decide(store, people["ana"], request)
    decide(store, people["max"], request, accepted=False, reason="Unknown")
    decided = store.verifications.find("sow")
    assert (decided.status, decided.decided_by) == (VerificationStatus.DECLINED, "max")
    assert asked(store, people) == ()
    for accepted in (True, False):
        with pytest.raises(WrongState):
            decide(store, people["max"], request, accepted=accepted, reason="Again")
    assert not store.associations.get("sow").verified


def test_an_edit_of_name_or_number_is_verified_anew_and_nothing_else_is(store, people):
    made = founded(store, people["ana"])
    decide(store, people["max"], asked(store, people)[0])
    made = store.associations.get("sow")
    kept = associations.edit(store, people["ana"], made, replace(made, description="?"), NOW)
    assert kept.verified
    later = NOW + timedelta(minutes=1)
    other = associations.edit(store, people["ana"], kept, replace(kept, name="Autre"), later)
    assert not other.verified
    assert [one.association_name for one in asked(store, people)] == ["Autre"]
    founded(store, people["eve"], "reap", rna=RNA)
    same = associations.edit(store, people["ana"], other, replace(other, rna=RNA), later)
    assert same.rna is None
    assert store.verifications.find("sow").disputed_with == "reap"


def test_an_edit_is_for_the_team_and_of_what_was_read(store, people):
    made = founded(store, people["ana"])
    with pytest.raises(NotAllowed):
        associations.edit(store, people["eve"], made, replace(made, name="Mine"), NOW)
    associations.edit(store, people["ana"], made, replace(made, description="1"), NOW)
    with pytest.raises(VersionConflict):
        associations.edit(store, people["ana"], made, replace(made, description="2"), NOW)
    taken = replace(store.associations.get("sow"), owner_id="eve", verified=True)
    kept = associations.edit(store, people["ana"], store.associations.get("sow"), taken, NOW)
    assert (kept.owner_id, kept.verified) == ("ana", False)


def invited(store, people, who="zoe"):
    associations.invite(store, people["ana"], "sow", f"{who}@example.org", NOW)


def test_an_invited_person_becomes_an_editor_when_they_accept(store, people):
    founded(store, people["ana"])
    for _ in range(2):
        invited(store, people)
    assert told(store, "zoe") == ["team"]
    assert teams.publishers(store, people["zoe"]) == []
    for _ in range(2):
        associations.accept(store, people["zoe"], "sow")
    assert [one.id for one in teams.publishers(store, people["zoe"])] == ["sow"]
    assert store.associations.get("sow").editors == {"zoe"}
    for _ in range(2):
        associations.leave_out(store, people["ana"], "sow", "zoe")
    assert teams.publishers(store, people["zoe"]) == []
    with pytest.raises(WrongState):
        associations.accept(store, people["zoe"], "sow")


def test_nobody_is_told_who_has_an_account_and_only_owners_invite(store, people):
    founded(store, people["ana"])
    associations.invite(store, people["ana"], "sow", "nobody@example.org", NOW)
    assert associations.team(store, people["ana"], store.associations.get("sow")) == []
    with pytest.raises(NotAllowed):
        associations.invite(store, people["eve"], "sow", "zoe@example.org", NOW)
    with pytest.raises(NotAllowed):
        associations.team(store, people["zoe"], store.associations.get("sow"))


def test_an_invitation_is_declined_or_taken_back(store, people):
    founded(store, people["ana"])
    invited(store, people)
    associations.decline(store, people["zoe"], "sow")
    associations.decline(store, people["zoe"], "sow")
    assert associations.invitations(store, people["zoe"]) == []
    again = NOW + timedelta(minutes=1)
    associations.invite(store, people["ana"], "sow", "zoe@example.org", again)
    with ThreadPoolExecutor(2) as pool:
        joined = pool.submit(associations.accept, store, people["zoe"], "sow")
        out = pool.submit(associations.leave_out, store, people["ana"], "sow", "zoe")
    assert joined.exception() is None or isinstance(joined.exception(), WrongState)
    assert out.exception() is None
    member = store.memberships.find("zoe", "sow")
    assert (member is not None) is ("zoe" in store.associations.get("sow").editors)


def test_the_ownership_changes_when_it_is_accepted_and_not_before(store, people):
    founded(store, people["ana"])
    invited(store, people)
    with pytest.raises(WrongState):
        associations.offer(store, people["ana"], "sow", "zoe")
    associations.accept(store, people["zoe"], "sow")
    associations.offer(store, people["ana"], "sow", "zoe")
    assert store.associations.get("sow").owner_id == "ana"
    associations.decline(store, people["zoe"], "sow")
    assert store.associations.get("sow").editors == {"zoe"}
    associations.offer(store, people["ana"], "sow", "zoe")
    for _ in range(2):
        associations.accept(store, people["zoe"], "sow")
    sow = store.associations.get("sow")
    assert (sow.owner_id, sow.editors) == ("zoe", {"ana"})
    with pytest.raises(NotAllowed):
        associations.close(store, people["ana"], "sow", NOW)
    associations.leave_out(store, people["ana"], "sow", "ana")
    assert store.associations.get("sow").editors == frozenset()
    with pytest.raises(NotFound):
        associations.offer(store, people["zoe"], "sow", "eve")


def test_closing_waits_an_hour_and_takes_everything_along(store, people):
    founded(store, people["ana"], rna=RNA)
    invited(store, people)
    store.posts.create(post("p1", association_id="sow"))
    for _ in range(2):
        associations.close(store, people["ana"], "sow", NOW)
    assert posting.remove_due(store, NOW) == 0
    for _ in range(2):
        associations.keep_open(store, people["ana"], "sow")
    late = NOW + timedelta(hours=1)
    assert posting.remove_due(store, late) == 0
    associations.close(store, people["ana"], "sow", NOW)
    assert posting.remove_due(store, late) == 1
    assert store.associations.find("sow") is store.posts.find("p1") is None
    assert store.memberships.find("zoe", "sow") is store.verifications.find("sow") is None
    assert asked(store, people) == ()
    founded(store, people["eve"], "reap", rna=RNA)
    assert store.associations.get("reap").rna == RNA


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), {"a", "b", "c"}),
        (Wanted(goals=(1, 2)), {"a", "b"}),
        (Wanted(goals=(1, 2), every=True), {"b"}),
        (Wanted(goals=(2,), activities=(Activity.SPORTS,)), {"b", "c"}),
        (Wanted(goals=(2,), activities=(Activity.SPORTS,), every=True), set()),
        (Wanted("jardin"), {"a", "c"}),
        (Wanted("jardin", activities=(Activity.SPORTS,)), {"c"}),
        (Wanted("de"), set()),
    ],
)
def test_the_directory_lets_through_any_or_all(store, wanted, found):
    store.associations.create(association("a", name="Jardin d'en haut", goals=frozenset({1})))
    store.associations.create(association("b", name="Les toits", goals=frozenset({1, 2})))
    store.associations.create(
        association("c", name="Courir au jardin", activities=frozenset({Activity.SPORTS}))
    )
    listed = associations.directory(store, wanted, limit=9).items
    assert {one.id for one in listed} == found
