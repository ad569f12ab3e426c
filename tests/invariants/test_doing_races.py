"""Sixteen threads at once, round after round: what must hold holds after each."""

import random
from dataclasses import replace
from functools import partial

import pytest
from doing_helpers import (
    THREADS,
    a_campaign,
    a_comment,
    a_contribution,
    a_mission,
    a_post,
    a_product,
    an_application,
    an_association,
    an_event,
    at_once,
    every,
    rows,
    settled,
    unique,
)
from helpers import NOW, stand_in

from cityverse.domain.applications import ApplicationState
from cityverse.domain.comments import Comment
from cityverse.domain.community import MissionStatus
from cityverse.domain.giving import Contribution, ContributionState
from cityverse.domain.products import Product
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import AlreadyExists, Conflict, NotFound, StoreThrottled, Taken

# Few words to search for, since they are not what is tried here.
BRIEF = {"title": "", "text": "Jardin", "association_name": "A"}
FINAL = [ApplicationState.APPROVED, ApplicationState.REFUSED]
USERS = [f"u{number}" for number in range(THREADS)]


@pytest.fixture(params=[4, pytest.param(200, marks=pytest.mark.slow)])
def rounds(request):
    return range(request.param)


@pytest.fixture(params=[3, pytest.param(200, marks=pytest.mark.slow)])
def few_rounds(request):
    """For what takes long, and is tried in another way as well."""
    return range(request.param)


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


def assert_counters_equal_rows(doing, post_id):
    listed = [row.reaction for row in every(doing.reactions.of_post, post_id)]
    counters = doing.posts.get(post_id).reactions
    assert counters == {kind: listed.count(kind) for kind in ReactionKind}


def test_reactions(doing, rounds):
    """Few people, so that the same row is fought for as well as the same counters."""
    post = doing.posts.create(a_post())
    chance = random.Random(1)
    for _ in rounds:
        calls = [
            partial(doing.reactions.withdraw, post.id, chance.choice(USERS[:5]))
            if chance.random() < 0.3
            else partial(
                doing.reactions.react,
                post.id,
                chance.choice(USERS[:5]),
                chance.choice(list(ReactionKind)),
                NOW,
            )
            for _ in USERS
        ]
        answers = at_once(calls)
        assert not [a for a in answers if isinstance(a, NotFound)]
        assert_counters_equal_rows(doing, post.id)


def test_comments(doing, rounds):
    post = doing.posts.create(a_post())
    here = []
    for _ in rounds:
        doomed = here[:4]
        calls = [partial(doing.comments.delete, one) for one in doomed * 2]
        calls += [partial(doing.comments.create, a_comment(post.id)) for _ in range(4)]
        twice = a_comment(post.id)
        calls += [partial(doing.comments.create, twice)] * (THREADS - len(calls))
        answers = at_once(calls)
        made = {a.id: a for a in answers if isinstance(a, Comment)}
        assert sum(isinstance(a, Comment) for a in answers) == len(made)
        here = [one for one in here if one not in doomed] + list(made.values())
        stored = every(doing.comments.of_post, post.id)
        alive = {one.id for one in stored if not one.deleted}
        assert alive == {one.id for one in here}
        assert doing.posts.get(post.id).comments == len(alive)


def test_an_edit_of_a_comment_is_never_lost(doing, rounds):
    post = doing.posts.create(a_post())
    for _ in rounds:
        comment = doing.comments.create(a_comment(post.id))
        answers = at_once([partial(doing.comments.edit, comment, user, NOW) for user in USERS])
        (won,) = (a for a in answers if isinstance(a, Comment))
        assert doing.comments.get(comment.id) == won


def test_approvals_never_exceed_the_places(doing, rounds):
    """People are approved and refused while editors add places and take them away."""
    mission = doing.missions.create(a_mission(places=4))
    applications = [an_application(mission.id, user) for user in USERS[:12]]
    ids = [one.id for one in at_once([partial(doing.applications.create, a) for a in applications])]
    chance = random.Random(2)
    for _ in rounds:
        stored = doing.missions.get(mission.id)
        calls = [
            partial(doing.applications.move, one, chance.choice(FINAL), NOW)
            for one in chance.choices(ids, k=13)
        ]
        calls += [
            partial(doing.missions.replace, stored, replace(stored, places=chance.randint(1, 8)))
            for _ in range(3)
        ]
        answers = at_once(calls)
        assert any(not isinstance(a, Exception) for a in answers)
        assert_places_hold(doing, mission.id)


def test_the_last_place_is_given_once(doing, few_rounds):
    mission = doing.missions.create(a_mission(places=1))
    ids = [doing.applications.create(an_application(mission.id, user)).id for user in USERS]
    for _ in few_rounds:
        move = partial(doing.applications.move, state=ApplicationState.APPROVED, now=NOW)
        answers = at_once([partial(move, one) for one in ids])
        (won,) = (a for a in answers if not isinstance(a, Exception))
        assert all(isinstance(a, Conflict) for a in answers if a is not won)
        assert_places_hold(doing, mission.id)
        doing.applications.move(won.id, ApplicationState.REFUSED, NOW)


def assert_places_hold(doing, mission_id):
    mission = doing.missions.get(mission_id)
    states = [one.state for one in every(doing.applications.of_mission, mission_id)]
    assert mission.approved == states.count(ApplicationState.APPROVED) <= mission.places
    assert (mission.status is MissionStatus.FULL) == (mission.places_left == 0)


def test_one_application_a_person(doing, rounds):
    mission = doing.missions.create(a_mission())
    for number in rounds:
        stand_in(doing.dynamo, "User", f"u{number}")
        application = an_application(mission.id, f"u{number}")
        answers = at_once([partial(doing.applications.create, application) for _ in USERS])
        assert sum(isinstance(a, AlreadyExists) for a in answers) == THREADS - 1
    assert len(every(doing.applications.of_mission, mission.id)) == len(rounds)


def test_a_request_repeated_makes_one_contribution(doing, rounds):
    """While it is sent again and again, the one before is confirmed, refused and refunded."""
    campaign = doing.campaigns.create(a_campaign())
    before = doing.contributions.contribute(a_contribution(campaign.id), unique("request"))
    states = [ContributionState.CONFIRMED, ContributionState.REFUSED, ContributionState.REFUNDED]
    for number in rounds:
        request = unique("request")
        gift = a_contribution(campaign.id, cents=number + 1)
        calls = [partial(doing.contributions.contribute, gift, request) for _ in range(8)]
        calls += [
            partial(doing.contributions.move, before.id, states[n % (2 + number % 2)], NOW)
            for n in range(8)
        ]
        answers = at_once(calls)
        assert len({a.id for a in answers[:8] if isinstance(a, Contribution)}) == 1
        before = answers[0]
        assert_sum_holds(doing, campaign.id)
    entries = every(doing.contributions.of_campaign, campaign.id)
    assert len([one for one in entries if one.corrects is None]) == len(rounds) + 1


def assert_sum_holds(doing, campaign_id):
    entries = every(doing.contributions.of_campaign, campaign_id)
    counted = {ContributionState.CONFIRMED, ContributionState.REFUNDED}
    campaign = doing.campaigns.get(campaign_id)
    assert campaign.raised == sum(e.cents for e in entries if e.state in counted) >= 0
    gifts = [e for e in entries if e.state is ContributionState.CONFIRMED and not e.corrects]
    assert campaign.gifts == len(gifts)


def test_attendance_never_exceeds_the_places(doing, rounds):
    event = doing.events.create(an_event(places=5))
    chance = random.Random(3)
    for _ in rounds:
        calls = [
            partial(doing.attendance.leave, event.id, user)
            if chance.random() < 0.4
            else partial(doing.attendance.attend, event.id, user, NOW)
            for user in chance.choices(USERS, k=THREADS)
        ]
        at_once(calls)
        attending = doing.events.get(event.id).attending
        assert attending == len(every(doing.attendance.of_event, event.id)) <= event.places


def test_a_product_name_is_given_once(doing, rounds):
    for _ in rounds:
        name = unique("Épicerie ")
        forms = [name, name.upper(), f" {name}", name.replace(" ", "   ")]
        answers = at_once(
            [partial(doing.products.create, a_product(name=forms[n % 4])) for n in range(THREADS)]
        )
        assert sum(isinstance(a, Product) for a in answers) == 1
        assert sum(isinstance(a, Taken) for a in answers) == THREADS - 1


def test_nobody_gets_in_between_a_deletion(doing, rounds):
    """What is created while its parent goes is refused, or goes too."""
    for number in rounds:
        post = doing.posts.create(a_post(**BRIEF))
        doing.comments.create(a_comment(post.id))
        calls = [partial(doing.deletion.delete, "Posts", post.id)] * 2
        calls += [partial(doing.comments.create, a_comment(post.id)) for _ in range(7)]
        calls += [
            partial(doing.reactions.react, post.id, user, ReactionKind.WOW, NOW)
            for user in USERS[:7]
        ]
        random.Random(number).shuffle(calls)
        answers = at_once(calls)
        assert not [a for a in answers if isinstance(a, StoreThrottled)]
        assert doing.posts.find(post.id) is None
        assert every(doing.comments.of_post, post.id) == []
        assert every(doing.reactions.of_post, post.id) == []


def test_nobody_publishes_for_an_association_that_goes(doing, few_rounds):
    for number in few_rounds:
        association = doing.associations.create(an_association())
        of_it = {"association_id": association.id, "description": "", "association_name": "A"}
        calls = [partial(doing.deletion.delete, "Association", association.id)]
        calls += [partial(doing.missions.create, a_mission(**of_it)) for _ in range(8)]
        calls += [partial(doing.products.create, a_product(**of_it)) for _ in range(7)]
        random.Random(number).shuffle(calls)
        at_once(calls)
        for repository in (doing.missions, doing.products):
            assert repository.page(limit=5, association_id=association.id).items == ()
    assert not [row for row in rows(doing.dynamo, "Association") if "deleting" in row]
