"""People, their e-mails, follows and awards against a plain model, one act after the other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import pytest
from helpers import NOW, association
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule
from people_helpers import follow, nobody, rows, user

from cityverse.domain.people import Status, closed
from cityverse.domain.points import CAUSES, award_for, hour_award
from cityverse.errors import AlreadyExists, NotFound, Taken, VersionConflict

WHO = st.sampled_from(["u1", "u2", "u3"])
WHERE = st.sampled_from(["a1", "a2"])
NAMES = st.sampled_from(["ana", "bob", "Zoë"])
SPELLINGS = st.sampled_from([str, str.upper, str.title, lambda text: f" {text}\t"])
NUMBERS = st.none() | st.integers(1, 2)
CAUSE = st.sampled_from([CAUSES["mission"], CAUSES["banner"]])
# Each example has names of its own, so that no table needs to be emptied.
EXAMPLES = itertools.count(1)


@dataclass
class Person:
    """What the model knows of a person."""

    version: int
    email: str | None
    follows: set[str] = field(default_factory=set)
    causes: dict[str, int] = field(default_factory=dict)
    hours: int = 0


@dataclass
class Body:
    """What the model knows of an association."""

    version: int
    rna: str | None


class PeopleMachine(RuleBasedStateMachine):
    """Every act says what the model says, and leaves the store as the model is."""

    people = None  # set by the test
    users_read = Bundle("users_read")
    bodies_read = Bundle("bodies_read")

    def __init__(self):
        super().__init__()
        self.mark = f"{next(EXAMPLES)}"
        self.persons: dict[str, Person] = {}
        self.bodies: dict[str, Body] = {}
        self.gone: set[str] = set()

    def own(self, name):
        """An id of this example."""
        return f"{name}-{self.mark}"

    def email(self, name, spelling):
        return spelling(f"{name}.{self.mark}@example.org")

    def email_owner(self, email):
        plain = email.strip().casefold()
        return next((one for one, p in self.persons.items() if p.email == plain), None)

    @rule(target=users_read, who=WHO, name=NAMES, spelling=SPELLINGS)
    def sign_up(self, who, name, spelling):
        who, email = self.own(who), self.email(name, spelling)
        if who in self.gone:  # ids are never used again
            return self.people.users.find(who)
        attempt = user(who, email=email)
        if who in self.persons:
            with pytest.raises(AlreadyExists) as refused:
                self.people.users.create(attempt)
            assert not isinstance(refused.value, Taken)
        elif self.email_owner(email):
            with pytest.raises(Taken):
                self.people.users.create(attempt)
        else:
            self.people.users.create(attempt)
            self.persons[who] = Person(1, email.strip().casefold())
        return self.people.users.find(who)

    @rule(target=users_read, who=WHO)
    def read(self, who):
        return self.people.users.find(self.own(who))

    @rule(old=users_read, name=NAMES, spelling=SPELLINGS)
    def change_email(self, old, name, spelling):
        if old is None:
            return
        person, email = self.persons.get(old.id), self.email(name, spelling)
        new = replace(old, email=email, status=Status.ACTIVE, first_name="Camille")
        if person is None or person.version != old.version:
            with pytest.raises(VersionConflict):
                self.people.users.replace(old, new)
        elif self.email_owner(email) not in {None, old.id}:
            with pytest.raises(Taken):
                self.people.users.replace(old, new)
        else:
            self.people.users.replace(old, new)
            person.version, person.email = person.version + 1, email.strip().casefold()

    @rule(old=users_read)
    def close(self, old):
        person = old and self.persons.get(old.id)
        if not person:
            return
        if person.version != old.version:
            with pytest.raises(VersionConflict):
                self.people.users.replace(old, closed(old))
        else:
            self.people.users.replace(old, closed(old))
            person.version, person.email = person.version + 1, None

    @rule(old=consumes(users_read))
    def delete_person(self, old):
        if not (old and old.id in self.persons):
            return
        self.people.store.deletion.delete("User", old.id)
        del self.persons[old.id]
        self.gone.add(old.id)

    @rule(target=bodies_read, where=WHERE, number=NUMBERS)
    def register(self, where, number):
        where, rna = self.own(where), self.rna(number)
        attempt = association(where, rna=rna)
        if where in self.bodies:
            with pytest.raises(AlreadyExists):
                self.people.store.associations.create(attempt)
        elif self.rna_owner(rna):
            with pytest.raises(Taken):
                self.people.store.associations.create(attempt)
        else:
            self.people.store.associations.create(attempt)
            self.bodies[where] = Body(1, rna)
        return self.people.store.associations.find(where)

    @rule(old=bodies_read, number=NUMBERS)
    def change_number(self, old, number):
        if old is None:
            return
        body, rna = self.bodies[old.id], self.rna(number)
        if body.version != old.version:
            with pytest.raises(VersionConflict):
                self.people.store.associations.replace(old, replace(old, rna=rna))
        elif self.rna_owner(rna) not in {None, old.id}:
            with pytest.raises(Taken):
                self.people.store.associations.replace(old, replace(old, rna=rna))
        else:
            self.people.store.associations.replace(old, replace(old, rna=rna))
            body.version, body.rna = body.version + 1, rna

    def rna(self, number):
        return number and f"W{number:03}{int(self.mark):06}"

    def rna_owner(self, rna):
        return rna and next((one for one, b in self.bodies.items() if b.rna == rna), None)

    @rule(who=WHO, where=WHERE)
    def follow(self, who, where):
        who, where = self.own(who), self.own(where)
        if who not in self.persons or where not in self.bodies:
            with pytest.raises(NotFound):
                self.people.follows.follow(follow(who, where))
            return
        changed = where not in self.persons[who].follows
        assert self.people.follows.follow(follow(who, where)) == changed
        self.persons[who].follows.add(where)

    @rule(who=WHO, where=WHERE)
    def unfollow(self, who, where):
        who, where = self.own(who), self.own(where)
        follows = self.persons[who].follows if who in self.persons else set()
        assert self.people.follows.unfollow(who, where) == (where in follows)
        follows.discard(where)

    @rule(who=WHO, cause=CAUSE)
    def award(self, who, cause):
        who = self.own(who)
        self.give(who, award_for(who, cause, NOW))

    @rule(who=WHO, hour=st.integers(0, 1))
    def spend_an_hour(self, who, hour):
        who = self.own(who)
        if self.give(who, hour_award(who, NOW.replace(hour=hour))):
            self.persons[who].hours += 1

    def give(self, who, award):
        if who not in self.persons:
            with pytest.raises(NotFound):
                self.people.awards.give(award)
            return False
        fresh = award.cause not in self.persons[who].causes
        assert self.people.awards.give(award) == fresh
        self.persons[who].causes[award.cause] = award.points
        return fresh

    def teardown(self):
        for table in ("Follow", "Award"):
            assert not {row["user_id"] for row in rows(self.people.store.dynamo, table)} & self.gone
        for who, person in self.persons.items():
            kept = self.people.users.get(who)
            assert (kept.version, kept.email_normalised) == (person.version, person.email)
            assert (kept.score, kept.hours) == (sum(person.causes.values()), person.hours)
            assert kept.following == len(person.follows)
            followed = self.people.follows.of_user(who, limit=100).items
            assert {one.association_id for one in followed} == person.follows
            if person.email:
                assert self.people.users.find_by_email(person.email) == kept
        for where, body in self.bodies.items():
            kept = self.people.store.associations.get(where)
            assert (kept.version, kept.rna) == (body.version, body.rna)
            followers = {who for who, one in self.persons.items() if where in one.follows}
            assert kept.followers == len(followers)
            listed = self.people.follows.of_association(where, limit=100).items
            assert {one.user_id for one in listed} == followers
        owners = [self.email(name, str.casefold) for name in ("ana", "bob", "zoë")]
        for email in owners:
            owner = self.people.users.find_by_email(email)
            assert (owner and owner.id) == self.email_owner(email)


def run_machine(dynamo, **limits):
    class Machine(PeopleMachine):
        people = nobody(dynamo)

    Machine.TestCase.settings = settings(
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        **limits,
    )
    Machine.TestCase("runTest").runTest()


def test_the_store_does_what_the_model_does(dynamo):
    run_machine(dynamo, max_examples=15, stateful_step_count=25)


@pytest.mark.slow
def test_the_store_does_what_the_model_does_for_long(dynamo):
    run_machine(dynamo, max_examples=200, stateful_step_count=60)
