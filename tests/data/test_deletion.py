"""Deleting with children: complete after any interruption, and nobody gets in between."""

from dataclasses import replace

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
    settled,
    unique,
)
from helpers import NOW, clear

from cityverse.data import deletion
from cityverse.data.client import Dynamo
from cityverse.data.media import MediaRepository
from cityverse.data.ties import MARK
from cityverse.data.users import UserRepository
from cityverse.domain.applications import ApplicationState
from cityverse.domain.community import AuthorKind
from cityverse.domain.giving import ContributionState
from cityverse.domain.media import Media, MediaKind, MediaPlace, MediaState, new_media_id
from cityverse.domain.people import Follow, User
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import InputError, NotFound

TABLES = (
    *("Association", "Posts", "Mission", "Event", "Donation", "Product", "Comment"),
    *("Reaction", "Application", "Donations", "Attendance", "Follow", "Term", "Demo"),
)


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


@pytest.fixture
def empty(dynamo):
    clear(dynamo, *TABLES, "Claim", "Receipt", "User", "Media")


def left(dynamo):
    """How many rows each table still holds."""
    counts = {table: len(rows(dynamo, table)) for table in (*TABLES, "Claim", "Receipt")}
    counts["Association"] -= 1  # the one that is there from the beginning
    # Receipts of contributions expire by themselves.
    counts["Receipt"] -= sum(
        row["id"]["S"].startswith("contribution#") for row in rows(dynamo, "Receipt")
    )
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


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("table", ["Donation", "Association"])
def test_what_was_confirmed_stays_for_the_accounts(doing, table, monkeypatch):
    monkeypatch.setattr(deletion, "_AT_ONCE", 2)
    association = doing.associations.create(an_association(name="Les Lilas"))
    campaign = doing.campaigns.create(a_campaign(association_id=association.id, title="Un toit"))
    gifts = [
        doing.contributions.contribute(a_contribution(campaign.id), unique("request"))
        for _ in range(6)
    ]
    states = ContributionState
    doing.contributions.move(gifts[0].id, states.CONFIRMED, NOW)
    doing.contributions.move(gifts[1].id, states.CONFIRMED, NOW)
    doing.contributions.move(gifts[1].id, states.REFUNDED, LATER)
    doing.contributions.move(gifts[2].id, states.REFUSED, NOW)
    doing.deletion.delete(table, association.id if table == "Association" else campaign.id)
    assert doing.campaigns.find(campaign.id) is None
    kept = doing.contributions.of_user("u1", limit=20).items
    assert {(g.id, g.cents) for g in kept if not g.corrects} == {(g.id, g.cents) for g in gifts[:2]}
    assert sum(g.cents for g in kept) == gifts[0].cents
    assert {g.campaign_title for g in kept} == {"Un toit"}
    assert {(g.association_id, g.association_name) for g in kept} == {
        (association.id, campaign.association_name)
    }
    with pytest.raises(NotFound):
        doing.contributions.move(gifts[0].id, states.REFUNDED, LATER)


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
@pytest.mark.parametrize("make", EVERY)
def test_it_can_be_interrupted_at_every_call(doing, make, after):
    assert interrupted(doing, make, after=after) >= 4


@pytest.mark.slow
@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("after", [True, False])
def test_the_deletion_of_an_association_can_be_interrupted_nearly_everywhere(doing, after):
    # One of three calls is broken each way: what it consists of is tried at every call.
    calls = interrupted(doing, association_with_children, after=after, first=int(after), step=3)
    assert calls >= 30


def test_others_keep_what_is_theirs(doing):
    mine, other = post_with_children(doing)[1], post_with_children(doing)[1]
    doing.deletion.delete("Posts", mine)
    assert doing.posts.get(other).comments == 2
    assert len(doing.comments.of_post(other, limit=9).items) == 3
    assert len(doing.reactions.of_post(other, limit=9).items) == 2


def halfway(doing, table, item_id, calls=1):
    """Break the deletion after so many calls: right after the mark was set."""
    with pytest.raises(Broken):
        Doing(Dynamo(BreakingClient(doing.dynamo.client, calls - 1, after=True))).deletion.delete(
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


@pytest.mark.parametrize("demo", [True, False])
def test_an_association_that_comes_again_publishes_at_once(doing, demo):
    association = an_association(demo=demo)
    for _ in range(2):
        doing.associations.create(association)
        post = doing.posts.create(a_post(association_id=association.id))
        doing.deletion.delete("Association", association.id)
        assert doing.posts.find(post.id) is None


@pytest.mark.parametrize("make", [a_post, a_mission, an_event, a_campaign, a_product])
def test_nothing_is_published_for_an_association_that_never_was(doing, make):
    item = make(association_id="never-was")
    repository = next(r for r in repositories(doing) if r.entity is type(item))
    with pytest.raises(NotFound):
        repository.create(item)
    assert repository.find(item.id) is None


def repositories(doing):
    return (doing.posts, doing.missions, doing.events, doing.campaigns, doing.products)


class Meanwhile:
    """A client that does something once, right before its ``at``-th call."""

    def __init__(self, client, at, act):
        self._client, self._at, self._act, self.calls = client, at, act, 0

    def __getattr__(self, name):
        def call(**request):
            number, self.calls = self.calls, self.calls + 1
            if number == self._at:
                self._act()
            return getattr(self._client, name)(**request)

        return call


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_what_comes_again_in_the_middle_of_a_slow_deletion_is_left_alone(doing, monkeypatch, step):
    """A second deletion overtakes the first one, and the association is there again."""
    monkeypatch.setattr(deletion, "_AT_ONCE", 2)
    association, number = an_association(rna=None), 0
    while True:
        doing.associations.create(association)
        old = [doing.posts.create(a_post(association_id=association.id)) for _ in range(3)]
        doing.follows.follow(Follow("u1", association.id, NOW))
        again = []

        def overtake(again=again):
            doing.deletion.delete("Association", association.id)
            again.append(doing.associations.create(association))
            again.append(doing.posts.create(a_post(association_id=association.id)))
            again.append(doing.comments.create(a_comment(again[1].id)))
            doing.follows.follow(Follow("u2", association.id, NOW))

        client = Meanwhile(doing.dynamo.client, number, overtake)
        Doing(Dynamo(client)).deletion.delete("Association", association.id)
        assert doing.posts.find_many(one.id for one in old) == {}
        # Begun after the new one came, a deletion is one of the new one.
        if not again or number == 0:
            assert doing.associations.find(association.id) is None
        else:
            assert doing.associations.get(association.id).followers == 1
            assert doing.comments.find(again[2].id) == again[2]
            assert doing.posts.get(again[1].id).comments == 1
            assert doing.follows.find("u2", association.id)
            doing.deletion.delete("Association", association.id)
        if not again:
            return
        number += step


def test_a_post_that_comes_again_keeps_what_is_said_of_it(doing):
    for number in range(1, 99):
        post = doing.posts.create(a_post())
        doing.comments.create(a_comment(post.id))
        doing.reactions.react(post.id, "u1", ReactionKind.LIKE, NOW)
        again = []

        def overtake(post=post, again=again):
            doing.deletion.delete("Posts", post.id)
            again.append(doing.posts.create(post))
            again.append(doing.comments.create(a_comment(post.id)))
            doing.reactions.react(post.id, "u1", ReactionKind.SAD, NOW)

        client = Meanwhile(doing.dynamo.client, number, overtake)
        Doing(Dynamo(client)).deletion.delete("Posts", post.id)
        if not again:
            assert doing.posts.find(post.id) is None
            return
        assert doing.comments.of_post(post.id, limit=9).items == (again[1],)
        assert doing.reactions.find(post.id, "u1").reaction is ReactionKind.SAD


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_a_child_that_comes_again_elsewhere_is_left_alone(doing, step):
    """While its association goes, a post is deleted, and its id given to a resident's."""
    elsewhere = {
        "author_kind": AuthorKind.RESIDENT, "association_id": None, "association_name": "",
        "user_id": "u1", "user_name": "Camille",
    }  # fmt: skip
    for number in range(1, 99, step):
        association = doing.associations.create(an_association())
        posts = [doing.posts.create(a_post(association_id=association.id)) for _ in range(2)]
        again = []

        def overtake(again=again, posts=posts):
            for one in posts:
                doing.deletion.delete("Posts", one.id)
                again.append(doing.posts.create(replace(one, **elsewhere)))

        client = Meanwhile(doing.dynamo.client, number, overtake)
        Doing(Dynamo(client)).deletion.delete("Association", association.id)
        assert doing.associations.find(association.id) is None
        if not again:
            return
        assert set(doing.posts.find_many(one.id for one in posts).values()) == set(again)


def test_files_are_hidden_with_the_item_they_belong_to(doing):
    media = MediaRepository(doing.dynamo)

    def a_file():
        one = Media(new_media_id(), "u1", MediaKind.IMAGE, MediaPlace.POST, "image/webp", 9, NOW)
        return media.create(one)

    mine, kept, dropped, other = (a_file() for _ in range(4))
    post = doing.posts.create(a_post(media=(kept.id, dropped.id)))
    with pytest.raises(NotFound):  # a file belongs to one item, so that nobody takes it down
        doing.posts.create(a_post(media=(kept.id,)))
    with pytest.raises(NotFound):
        doing.posts.replace(post, replace(post, media=("nothing",)))
    edited = doing.posts.replace(post, replace(post, media=(kept.id, mine.id)))
    assert not media.get(dropped.id).visible_to("u1")
    assert media.get(kept.id).visible_to(None)
    halfway(doing, "Posts", post.id, calls=4)
    assert edited.media == (kept.id, mine.id)
    assert not any(media.get(one).visible_to("u1") for one in edited.media)
    doing.deletion.delete("Posts", post.id)
    assert media.get(other.id).visible_to(None)
    with pytest.raises(NotFound):
        doing.posts.create(a_post(media=(mine.id,)))


@pytest.mark.parametrize(
    ("make", "table"),
    [(a_mission, "Mission"), (an_event, "Event"), (a_campaign, "Donation"), (a_product, "Product")],
)
def test_files_go_with_everything_that_is_published(doing, make, table):
    media = MediaRepository(doing.dynamo)
    file = Media(new_media_id(), "u1", MediaKind.IMAGE, MediaPlace.POST, "image/webp", 9, NOW)
    item = make(media=(media.create(file).id,))
    next(r for r in repositories(doing) if r.table == table).create(item)
    doing.deletion.delete(table, item.id)
    assert media.get(file.id).state is MediaState.DELETED


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
        doing.deletion.delete("Badge", "b1")
