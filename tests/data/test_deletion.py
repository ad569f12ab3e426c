"""Deleting with children: complete after any interruption, and nobody gets in between."""

import pytest
from doing_helpers import (
    LATER,
    BreakingClient,
    Broken,
    Doing,
    a_campaign,
    a_comment,
    a_contribution,
    a_mission,
    a_post,
    a_product,
    an_application,
    an_association,
    an_event,
    rows,
    unique,
)
from helpers import NOW, clear

from cityverse.data import deletion
from cityverse.data.client import Dynamo
from cityverse.data.parents import MARK
from cityverse.data.users import UserRepository
from cityverse.domain.applications import ApplicationState
from cityverse.domain.giving import ContributionState
from cityverse.domain.people import Follow, User
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import InputError, NotFound

TABLES = (
    *("Association", "Posts", "Mission", "Event", "Donation", "Product", "Comment"),
    *("Reaction", "Application", "Donations", "Attendance", "Follow", "Term", "Demo"),
)


@pytest.fixture
def doing(dynamo):
    return Doing(dynamo)


@pytest.fixture
def empty(dynamo):
    clear(dynamo, *TABLES, "Claim", "Receipt", "User")


def left(dynamo):
    """How many rows each table still holds."""
    counts = {table: len(rows(dynamo, table)) for table in (*TABLES, "Claim")}
    return {table: count for table, count in counts.items() if count}


def post_with_children(doing, **changes):
    post = doing.posts.create(a_post(**changes))
    first = doing.comments.create(a_comment(post.id, demo=True))
    doing.comments.create(a_comment(post.id, parent_id=first.id))
    doing.comments.delete(doing.comments.create(a_comment(post.id)))
    doing.reactions.react(post.id, "u1", ReactionKind.LIKE, NOW)
    doing.reactions.react(post.id, "u2", ReactionKind.SAD, NOW)
    return "Posts", post.id


def mission_with_children(doing, **changes):
    mission = doing.missions.create(a_mission(**changes))
    for user in ("u1", "u2", "u3"):
        one = doing.applications.create(an_application(mission.id, user))
    doing.applications.move(one.id, ApplicationState.APPROVED, NOW)
    return "Mission", mission.id


def event_with_children(doing, **changes):
    event = doing.events.create(an_event(**changes))
    for user in ("u1", "u2", "u3"):
        doing.attendance.attend(event.id, user, NOW)
    return "Event", event.id


def campaign_with_children(doing, **changes):
    campaign = doing.campaigns.create(a_campaign(**changes))
    gifts = [
        doing.contributions.contribute(a_contribution(campaign.id, demo=True), unique("request"))
        for _ in range(2)
    ]
    doing.contributions.move(gifts[0].id, ContributionState.CONFIRMED, NOW)
    doing.contributions.move(gifts[0].id, ContributionState.REFUNDED, LATER)
    return "Donation", campaign.id


def product_with_children(doing, **changes):
    product = doing.products.create(a_product(**changes))
    post_with_children(doing, product_id=product.id, **changes)
    return "Product", product.id


def association_with_children(doing, **changes):
    association = doing.associations.create(an_association(rna="W751234567", **changes))
    of_it = {"association_id": association.id, **changes}
    for make in (
        post_with_children,
        mission_with_children,
        event_with_children,
        campaign_with_children,
        product_with_children,
    ):
        make(doing, **of_it)
    return "Association", association.id


EVERY = [
    post_with_children,
    mission_with_children,
    event_with_children,
    campaign_with_children,
    product_with_children,
]


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("make", [*EVERY, association_with_children])
def test_everything_that_belongs_to_it_goes(doing, make, monkeypatch):
    monkeypatch.setattr(deletion, "_AT_ONCE", 2)
    table, item_id = make(doing, demo=True)
    assert left(doing.dynamo)["Demo"] >= 1
    doing.deletion.delete(table, item_id)
    assert left(doing.dynamo) == {}
    doing.deletion.delete(table, item_id)


def interrupted(doing, make, *, after, first=0, step=1):
    """Break one call after the other, then call again; answers with the number of calls."""
    number = first
    while True:
        table, item_id = make(doing, demo=True)
        client = BreakingClient(doing.dynamo.client, number, after=after)
        try:
            Doing(Dynamo(client)).deletion.delete(table, item_id)
        except Broken:
            doing.deletion.delete(table, item_id)
            assert left(doing.dynamo) == {}, f"interrupted at call {number}"
            number += step
        else:
            assert left(doing.dynamo) == {}
            return client.calls


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("make", [post_with_children, event_with_children])
def test_it_can_be_interrupted_after_every_call(doing, make):
    assert interrupted(doing, make, after=True) >= 4


@pytest.mark.usefixtures("empty")
def test_the_deletion_of_an_association_can_be_interrupted_here_and_there(doing):
    assert interrupted(doing, association_with_children, after=True, first=9, step=31) >= 30


@pytest.mark.slow
@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("make", [*EVERY, association_with_children])
def test_it_can_be_interrupted_at_every_call(doing, make, after):
    assert interrupted(doing, make, after=after) >= 4


def test_others_keep_what_is_theirs(doing):
    mine, other = post_with_children(doing)[1], post_with_children(doing)[1]
    doing.deletion.delete("Posts", mine)
    assert doing.posts.get(other).comments == 2
    assert len(doing.comments.of_post(other, limit=9).items) == 3
    assert len(doing.reactions.of_post(other, limit=9).items) == 2


def halfway(doing, table, item_id):
    """Break the deletion right after the mark was set."""
    with pytest.raises(Broken):
        Doing(Dynamo(BreakingClient(doing.dynamo.client, 0, after=True))).deletion.delete(
            table, item_id
        )
    assert MARK in doing.dynamo.get(table, {"id": item_id})


def test_what_is_being_deleted_gets_no_children(doing):
    association = doing.associations.create(an_association())
    parents = {
        "Posts": doing.posts.create(a_post()),
        "Mission": doing.missions.create(a_mission()),
        "Event": doing.events.create(an_event()),
        "Donation": doing.campaigns.create(a_campaign()),
        "Product": doing.products.create(a_product()),
        "Association": association,
    }
    for table, parent in parents.items():
        halfway(doing, table, parent.id)
    ids = {table: parent.id for table, parent in parents.items()}
    of_it = {"association_id": association.id}
    attempts = [
        lambda: doing.comments.create(a_comment(ids["Posts"])),
        lambda: doing.reactions.react(ids["Posts"], "u1", ReactionKind.LIKE, NOW),
        lambda: doing.applications.create(an_application(ids["Mission"])),
        lambda: doing.attendance.attend(ids["Event"], "u1", NOW),
        lambda: doing.contributions.contribute(a_contribution(ids["Donation"]), unique("request")),
        lambda: doing.posts.create(a_post(product_id=ids["Product"])),
        lambda: doing.posts.create(a_post(**of_it)),
        lambda: doing.missions.create(a_mission(**of_it)),
        lambda: doing.events.create(an_event(**of_it)),
        lambda: doing.campaigns.create(a_campaign(**of_it)),
        lambda: doing.products.create(a_product(**of_it)),
        lambda: doing.follows.follow(Follow("u1", association.id, NOW)),
    ]
    for finished in (False, True):
        for attempt in attempts:
            with pytest.raises(NotFound):
                attempt()
        if not finished:
            for table, item_id in ids.items():
                doing.deletion.delete(table, item_id)


def test_an_edit_does_not_take_the_mark_away(doing):
    post = doing.posts.create(a_post())
    halfway(doing, "Posts", post.id)
    doing.posts.replace(post, post)
    with pytest.raises(NotFound):
        doing.comments.create(a_comment(post.id))
    doing.deletion.delete("Posts", post.id)
    assert doing.posts.find(post.id) is None


def test_a_demo_association_may_come_again(doing):
    association = an_association(demo=True)
    for _ in range(2):
        doing.associations.create(association)
        post = doing.posts.create(a_post(association_id=association.id))
        doing.deletion.delete("Association", association.id)
        assert doing.posts.find(post.id) is None


def test_followers_no_longer_follow_what_is_gone(doing):
    users = UserRepository(doing.dynamo)
    association = doing.associations.create(an_association())
    name = unique("follower")
    user = users.create(
        User(id=name, email=f"{name}@example.org", first_name="Zoé", last_name="B", created=NOW)
    )
    doing.follows.follow(Follow(user.id, association.id, NOW))
    doing.deletion.delete("Association", association.id)
    assert doing.follows.find(user.id, association.id) is None
    assert users.get(user.id).following == 0


def test_only_what_has_children_is_deleted_so(doing):
    with pytest.raises(InputError):
        doing.deletion.delete("User", "u1")
