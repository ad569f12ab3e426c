"""Many at once: one winner where one may win, counters equal to rows, nothing lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from helpers import NOW, association, stand_in
from people_helpers import (
    THREADS,
    at_once,
    decision,
    follow,
    nobody,
    notification,
    report,
    rows,
    user,
)

from cityverse.data.repository import claim_id
from cityverse.domain.points import CAUSES, award_for, hour_award
from cityverse.errors import AlreadyExists, Taken, VersionConflict

ROUNDS = pytest.mark.parametrize(
    "rounds", [4, pytest.param(200, marks=pytest.mark.slow)], ids=["4", "200"]
)
DAY = NOW.date()


@pytest.fixture
def people(dynamo):
    return nobody(dynamo)


def outcomes(answers):
    """How many answers there are of each kind: the name of an error, or the answer itself."""
    counted = {}
    for answer in answers:
        kind = type(answer).__name__ if not isinstance(answer, bool) else answer
        counted[kind] = counted.get(kind, 0) + 1
    return counted


SPELLED = (
    "ana{n}@example.org",
    "ANA{n}@EXAMPLE.ORG",
    " ana{n}@example.org ",
    "ａna{n}@example。org",
)


@ROUNDS
def test_one_of_many_gets_an_email(people, rounds):
    for n in range(rounds):
        answers = at_once(
            *(
                partial(people.users.create, user(f"u{n}-{t}", email=SPELLED[t % 4].format(n=n)))
                for t in range(THREADS)
            )
        )
        assert outcomes(answers) == {"User": 1, "Taken": THREADS - 1}
        (winner,) = [a for a in answers if not isinstance(a, Taken)]
        assert people.users.find_by_email(f"Ana{n}@example.org") == winner
    assert len(rows(people.store.dynamo, "User")) == rounds
    assert len(rows(people.store.dynamo, "Claim")) == rounds


@ROUNDS
def test_one_of_many_takes_over_an_email_that_becomes_free(people, rounds):
    """Everybody changes to the e-mail of the one who gives it up at the same moment."""
    everyone = [people.users.create(user(f"u{t}", email=f"own{t}@example.org")) for t in range(16)]
    holder = everyone[0]
    for n in range(rounds):
        wanted = holder.email
        at_once(
            partial(people.users.replace, holder, replace(holder, email=f"new{n}@example.org")),
            *(
                partial(people.users.replace, one, replace(one, email=wanted))
                for one in everyone
                if one.id != holder.id
            ),
        )
        stored = people.users.find_many(one.id for one in everyone)
        everyone = [stored[one.id] for one in everyone]
        claims = {row["id"]: row["owner"] for row in rows(people.store.dynamo, "Claim")}
        claimed = {claim_id("User", "email", one.email_normalised): one.id for one in everyone}
        assert claims == claimed
        assert len(claimed) == THREADS
        holder = next((one for one in everyone if one.email == wanted), everyone[n % THREADS])


@ROUNDS
def test_one_of_many_gets_a_register_number(people, rounds):
    for n in range(rounds):
        answers = at_once(
            *(
                partial(
                    people.store.associations.create,
                    association(f"a{n}-{t}", rna=f"W{n:09}"),
                )
                for t in range(THREADS)
            )
        )
        assert outcomes(answers) == {"Association": 1, "Taken": THREADS - 1}
    assert len(rows(people.store.dynamo, "Association")) == rounds


@ROUNDS
def test_followers_are_counted_whatever_people_do_at_once(people, rounds):
    people.store.associations.create(association("a1"))
    everyone = [people.users.create(user(f"u{t}")).id for t in range(8)]
    for n in range(rounds):
        # Each person does two things at once, from two windows.
        acts = [
            partial(people.follows.unfollow, one, "a1")
            if (n + t + window) % 3 == 0
            else partial(people.follows.follow, follow(one))
            for t, one in enumerate(everyone)
            for window in (0, 1)
        ]
        answers = at_once(*acts)
        assert all(isinstance(answer, bool) for answer in answers), answers
        there = {row["user_id"] for row in rows(people.store.dynamo, "Follow")}
        assert people.store.associations.get("a1").followers == len(there)
        for one in everyone:
            assert people.users.get(one).following == (one in there)


@ROUNDS
def test_following_at_once_counts_once(people, rounds):
    people.users.create(user())
    for n in range(rounds):
        people.store.associations.create(association(f"a{n}"))
        answers = at_once(*[partial(people.follows.follow, follow("u1", f"a{n}"))] * THREADS)
        assert outcomes(answers) == {True: 1, False: THREADS - 1}
        assert people.store.associations.get(f"a{n}").followers == 1
        answers = at_once(*[partial(people.follows.unfollow, "u1", f"a{n}")] * THREADS)
        assert outcomes(answers) == {True: 1, False: THREADS - 1}
        assert people.store.associations.get(f"a{n}").followers == 0
    assert people.users.get("u1").following == 0


@ROUNDS
def test_edits_and_follows_at_once_lose_neither(people, rounds):
    people.store.associations.create(association("a1"))
    everyone = [people.users.create(user(f"u{t}")).id for t in range(THREADS - 2)]
    for n in range(rounds):
        before = people.store.associations.get("a1")
        edits = [
            partial(people.store.associations.replace, before, replace(before, name=f"{n} {k}"))
            for k in (0, 1)
        ]
        act = (lambda one: partial(people.follows.unfollow, one, "a1")) if n % 2 else (
            lambda one: partial(people.follows.follow, follow(one))
        )  # fmt: skip
        answers = at_once(*edits, *map(act, everyone))
        assert sorted(type(a).__name__ for a in answers[:2]) == ["Association", "VersionConflict"]
        assert all(answer is True for answer in answers[2:]), answers
        after = people.store.associations.get("a1")
        assert after.followers == (0 if n % 2 else len(everyone))
        assert after.name in {f"{n} 0", f"{n} 1"}


@ROUNDS
def test_a_cause_earns_once_and_all_causes_add_up(people, rounds):
    causes = list(CAUSES.values())[:3]
    for n in range(rounds):
        people.users.create(user(f"u{n}"))
        awards = [award_for(f"u{n}", cause, NOW) for cause in causes]
        awards.append(hour_award(f"u{n}", NOW))
        answers = at_once(*(partial(people.awards.give, award) for award in awards * 4))
        assert outcomes(answers) == {True: len(awards), False: 3 * len(awards)}
        kept = people.users.get(f"u{n}")
        assert kept.score == sum(award.points for award in awards)
        assert kept.hours == 1


@ROUNDS
def test_figures_count_each_cause_once(people, rounds):
    for n in range(rounds):
        series = f"posts#a{n}"
        answers = at_once(
            *(
                partial(people.rollups.add, series, DAY, 10, f"post:{t % 4}", NOW)
                for t in range(THREADS)
            )
        )
        assert outcomes(answers) == {True: 4, False: THREADS - 4}
        assert people.rollups.between(series, DAY, DAY) == {DAY: 40}


@ROUNDS
def test_a_ticket_is_used_once_and_a_notification_told_once(people, rounds):
    # Ahead of the clock: what has expired the engine may sweep away at any moment.
    expires = datetime.now(UTC) + timedelta(days=1)
    stand_in(people.store.dynamo, "User", "u1")
    for n in range(rounds):
        told = notification(f"n{n}", created=NOW + timedelta(seconds=n))
        answers = at_once(
            *[partial(people.revoked.revoke, f"t{n}", expires)] * 8,
            *[partial(people.notifications.tell, told)] * 8,
        )
        assert outcomes(answers[:8]) == outcomes(answers[8:]) == {True: 1, False: 7}
    assert len(rows(people.store.dynamo, "Notification")) == rounds


@ROUNDS
def test_two_moderators_never_both_decide_a_report(people, rounds):
    stand_in(people.store.dynamo, "User", "u1")
    for n in range(rounds):
        target = f"post:p{n}"
        reports = at_once(
            *(partial(people.reports.create, report(f"r{n}-{t}", target=target)) for t in range(8))
        )
        assert outcomes(reports) == {"Report": 1, "Taken": 7}
        (pending,) = [r for r in reports if not isinstance(r, Taken)]
        # Half of them repeat the same decision, as a browser does.
        answers = at_once(
            *(
                partial(
                    people.decisions.decide,
                    decision(f"d{n}-{t // 2}", target=target),
                    [pending],
                )
                for t in range(8)
            )
        )
        assert all(isinstance(a, AlreadyExists | VersionConflict) for a in answers if a is not None
                   and not hasattr(a, "moderator_id"))  # fmt: skip
        made = [a for a in answers if hasattr(a, "moderator_id")]
        assert len(made) == 1
        assert people.reports.get(pending.id).decision_id == made[0].id
    assert len(rows(people.store.dynamo, "Decision")) == rounds
    assert rows(people.store.dynamo, "Claim") == []
