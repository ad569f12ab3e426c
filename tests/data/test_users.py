"""People: one e-mail each, edits that lose nothing, and what only events may change."""

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers import NOW, association, clear, location, stand_in
from hypothesis import given
from hypothesis import strategies as st
from people_helpers import nobody, rows, user

from cityverse.data.users import SEEN_EVERY
from cityverse.domain.associations import Activity
from cityverse.domain.people import (
    Consent,
    Role,
    SocialLinks,
    Status,
    closed,
    normalised_email,
)
from cityverse.errors import AlreadyExists, InvalidField, NotFound, Taken, VersionConflict


@pytest.fixture
def people(dynamo):
    people = nobody(dynamo)
    clear(dynamo, "Media")
    for one in ("M1", "M2"):
        dynamo.put("Media", {"id": one, "state": "ready", "version": 1})
    return people


@pytest.fixture
def store(people):
    return people.store


FULL = user(
    email="Chloé.Martin@Exämple.org",
    password_hash="$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$aGFzaA",
    role=Role.CREATOR,
    consents=(Consent("2026-01", NOW),),
    verified_at=NOW,
    description="Jardinière",
    profile_media_id="M1",
    links=SocialLinks(x="https://x.example/chloe"),
    goals=frozenset({2, 15}),
    address=location(),
)


def test_all_of_a_person_is_kept(people):
    created = people.users.create(FULL)
    assert people.users.get("u1") == created == replace(FULL, version=1)


SPELLINGS = [
    "ana@example.org",
    "ANA@Example.ORG",
    "  ana@example.org\n",
    "ａｎａ＠ｅｘａｍｐｌｅ．ｏｒｇ",
    "ana@example。org",
]


def test_an_email_belongs_to_one_person_in_any_spelling(people):
    people.users.create(user("u1", email="Ana@example.org"))
    for other in SPELLINGS:
        with pytest.raises(Taken) as refused:
            people.users.create(user("u2", email=other))
        assert refused.value.field == "email"
        assert people.users.find_by_email(other).id == "u1"
    assert people.users.find("u2") is None


def test_domains_of_other_scripts_have_one_form(people):
    people.users.create(user("u1", email="zoe@café.example"))
    with pytest.raises(Taken):
        people.users.create(user("u2", email="zoe@CAFE\u0301.example"))
    with pytest.raises(Taken):
        people.users.create(user("u3", email="zoe@xn--caf-dma.example"))


@given(st.text(max_size=20), st.sampled_from(["example.org", "café.example", "ΣΊΣΥΦΟΣ.example"]))
def test_the_one_form_of_an_email_stays_as_it_is(local, domain):
    try:
        once = normalised_email(f"{local}@{domain}")
    except InvalidField:
        return
    assert normalised_email(once) == once
    for spelling in (once.upper(), f" {once}\t"):
        if spelling.strip().casefold() == once:
            assert normalised_email(spelling) == once


@pytest.mark.parametrize(
    "email",
    [
        "", " ", "ana", "@example.org", "ana@", "ana@example", "ana@@example.org",
        "a b@example.org",
        "ana\u200b@example.org", "ana\x00@example.org", "ana@exa mple.org", "ana@-a.org",
        "ana@1.2.3.4", ".ana@example.org", "a..b@example.org", "ana@example..org", "ana@.org",
        f"{'a' * 65}@example.org", f"ana@{'a' * 64}.org", f"ana@{'a.' * 130}org", 7, "ana@[::1]",
        "ana@example.org\u2028<b@example.org", "\ud800@example.org", '"a"@example.org',
    ],
)  # fmt: skip
def test_what_is_no_email_is_refused_by_name(email):
    with pytest.raises(InvalidField) as refused:
        user(email=email).check()
    assert refused.value.field == "email"


def test_what_is_no_email_is_nobodys(people):
    with pytest.raises(InvalidField):
        people.users.create(user(email="ana"))
    assert people.users.find_by_email("ana") is None
    assert [*rows(people.store.dynamo, "User"), *rows(people.store.dynamo, "Claim")] == []


def test_a_changed_email_frees_the_old_one(people):
    first = people.users.create(user("u1", email="old@example.org"))
    people.users.create(user("u2", email="theirs@example.org"))
    with pytest.raises(Taken):
        people.users.replace(first, replace(first, email="Theirs@example.org"))
    second = people.users.replace(first, replace(first, email="new@example.org"))
    assert people.users.find_by_email("old@example.org") is None
    assert people.users.find_by_email("NEW@example.org") == second
    people.users.create(user("u3", email="Old@example.org"))


def test_another_spelling_of_ones_own_email_is_no_conflict(people):
    first = people.users.create(user(email="ana@example.org"))
    second = people.users.replace(first, replace(first, email="Ana@Example.org"))
    assert people.users.find_by_email("ana@example.org") == second


def test_a_closed_account_keeps_nothing_that_names_the_person(people):
    first = people.users.create(FULL)
    people.users.seen("u1", NOW)
    gone = people.users.replace(first, closed(first))
    (row,) = rows(people.store.dynamo, "User")
    assert gone.status is Status.CLOSED
    assert gone.session_version == first.session_version + 1
    text = repr(row)
    for secret in ("Chlo", "Camille", "Roche", "argon2", "Jardin", "x.example", "Martyrs", "M1"):
        assert secret not in text
    assert rows(people.store.dynamo, "Claim") == []
    people.users.create(replace(FULL, id="u2", profile_media_id=None))
    assert people.store.dynamo.get("Media", {"id": "M1"})["state"] == "deleted"


def test_deleting_a_person_frees_the_email(people):
    first = people.users.create(user())
    people.store.deletion.delete("User", first.id)
    assert rows(people.store.dynamo, "Claim") == []


def test_creating_twice_is_refused(people):
    people.users.create(user())
    with pytest.raises(AlreadyExists) as refused:
        people.users.create(user())
    assert not isinstance(refused.value, Taken)


def test_being_here_is_noted_once_in_a_while_and_disturbs_no_edit(people):
    first = people.users.create(user())
    assert people.users.seen("u1", NOW)
    assert not people.users.seen("u1", NOW + SEEN_EVERY)
    later = NOW + SEEN_EVERY + timedelta(seconds=1)
    assert people.users.seen("u1", later)
    people.users.replace(first, replace(first, description="Bonjour"))
    assert people.users.get("u1").last_seen == later
    with pytest.raises(NotFound):
        people.users.seen("nobody", NOW)
    assert people.users.find("nobody") is None


def test_an_edit_never_writes_counters(people):
    first = people.users.create(user())
    people.users.replace(first, replace(first, score=900, hours=3, following=7, last_seen=NOW))
    kept = people.users.get("u1")
    assert (kept.score, kept.hours, kept.following, kept.last_seen) == (0, 0, 0, None)


def test_a_stale_edit_is_refused(people):
    first = people.users.create(user())
    people.users.replace(first, replace(first, role=Role.MANAGER))
    with pytest.raises(VersionConflict):
        people.users.replace(first, replace(first, role=Role.ADMIN))
    assert people.users.get("u1").role is Role.MANAGER


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": None}, "email"),
        ({"first_name": ""}, "first_name"),
        ({"first_name": "a\x07"}, "first_name"),
        ({"last_name": "x" * 81}, "last_name"),
        ({"role": "king"}, "role"),
        ({"status": "admin"}, "status"),
        ({"session_version": 1.5}, "session_version"),
        ({"score": -1}, "score"),
        ({"hours": True}, "hours"),
        ({"goals": frozenset({18})}, "goals"),
        ({"goals": frozenset({1.5})}, "goals"),
        ({"links": SocialLinks(youtube="javascript:alert(1)")}, "links.youtube"),
        ({"description": "x" * 10_000}, "description"),
        ({"profile_media_id": "../etc"}, "profile_media_id"),
        ({"consents": (Consent("", NOW),)}, "consents.version"),
        ({"consents": (Consent("1", NOW),) * 101}, "consents"),
        ({"created": NOW.replace(tzinfo=None)}, "created"),
        ({"address": location(lat=1.0)}, "location.lat"),
        ({"id": "u 1"}, "id"),
    ],
)
def test_bad_fields_are_refused_by_name(changes, field):
    with pytest.raises(InvalidField) as refused:
        user(**changes).check()
    assert refused.value.field == field


def test_all_of_an_association_is_kept(store):
    full = association(
        rna="W751234567",
        owner_id="u1",
        editors=frozenset({"u2", "u3"}),
        activities=frozenset({Activity.SPORTS, Activity.RECREATION}),
        links=SocialLinks(facebook="https://facebook.example/semeurs"),
        profile_media_id="M1",
        banner_media_id="M2",
    )
    stand_in(store.dynamo, "User", "u1")
    created = store.associations.create(full)
    assert store.associations.get("a1") == created == replace(full, version=1)


def test_a_register_number_belongs_to_one_association(store):
    first = store.associations.create(association("a1", rna="W751234567"))
    with pytest.raises(Taken) as refused:
        store.associations.create(association("a2", rna="W751234567"))
    assert refused.value.field == "rna"
    store.associations.replace(first, replace(first, rna="W751234568"))
    store.associations.create(association("a2", rna="W751234567"))
    store.associations.create(association("a3"))
    store.associations.create(association("a4"))


@pytest.mark.parametrize(
    "rna", ["", "W75123456", "W7512345678", "w751234567", "W751234567\n", "W75123456٣", 751234567]
)
def test_what_is_no_register_number_is_refused(rna):
    with pytest.raises(InvalidField) as refused:
        association(rna=rna).check()
    assert refused.value.field == "rna"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"owner_id": ""}, "owner_id"),
        ({"editors": frozenset({"a b"})}, "editors"),
        ({"editors": frozenset(f"u{n}" for n in range(51))}, "editors"),
        ({"activities": frozenset({"knitting"})}, "activities"),
        ({"followers": -1}, "followers"),
        ({"banner_media_id": "/"}, "banner_media_id"),
    ],
)
def test_bad_fields_of_an_association_are_refused_by_name(changes, field):
    with pytest.raises(InvalidField) as refused:
        association(**changes).check()
    assert refused.value.field == field


def test_deleting_again_leaves_the_email_of_the_next_person_alone(people):
    first = people.users.create(user("u1", email="ana@example.org"))
    people.store.deletion.delete("User", first.id)
    second = people.users.create(user("u2", email="ana@example.org"))
    people.store.deletion.delete("User", first.id)
    assert people.users.find_by_email("ana@example.org") == second
    with pytest.raises(Taken):
        people.users.create(user("u3", email="ana@example.org"))
