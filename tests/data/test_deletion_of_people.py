"""Deleting an account: what is only theirs goes, what others need stays without their name."""

from dataclasses import replace
from functools import partial

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
    at_once,
    every,
    rows,
    settled,
    unique,
)
from helpers import NOW, clear
from people_helpers import follow, notification, report, user

from cityverse.data import deletion
from cityverse.data.client import Dynamo
from cityverse.data.media import MediaRepository
from cityverse.data.store import over
from cityverse.domain.applications import ApplicationState
from cityverse.domain.community import AuthorKind, MissionStatus
from cityverse.domain.giving import ContributionState
from cityverse.domain.media import Media, MediaKind, MediaPlace, MediaState, new_media_id
from cityverse.domain.moderation import ReportStatus
from cityverse.domain.people import ANONYMOUS
from cityverse.domain.points import CAUSES, award_for
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import InvalidField, NotFound

RESIDENT = {
    "author_kind": AuthorKind.RESIDENT,
    "association_id": None,
    "association_name": "",
    "title": "",
}


@pytest.fixture
def doing(dynamo):
    clear(dynamo)
    return settled(dynamo)


class Life:
    """All that one person can leave behind, in the name of an id that nobody else has."""

    def __init__(self, doing):
        self.doing, self.store = doing, over(doing.dynamo, doing.posts._cursors)
        self.media = MediaRepository(doing.dynamo)
        self.id = me = unique("leaving")
        self.store.users.create(user(me, email=f"{me}@example.org", profile_media_id=None))
        self.association = doing.associations.create(an_association(owner_id=me))
        doing.follows.follow(follow(me, self.association.id))
        self.event = doing.events.create(an_event(places=1))
        doing.attendance.attend(self.event.id, me, NOW)
        self.missions = [doing.missions.create(a_mission(places=1)) for _ in range(2)]
        for mission in self.missions:
            one = doing.applications.create(an_application(mission.id, me))
        doing.applications.move(one.id, ApplicationState.APPROVED, NOW)
        self.campaign = doing.campaigns.create(a_campaign())
        for state in ContributionState:
            gift = a_contribution(self.campaign.id, me)
            gift = doing.contributions.contribute(gift, unique("request"))
            if state is ContributionState.REFUNDED:
                doing.contributions.move(gift.id, ContributionState.CONFIRMED, NOW)
            if state is not ContributionState.PLEDGED:
                doing.contributions.move(gift.id, state, LATER)
        self.file, self.shown, self.loose = (self.a_file() for _ in range(3))
        mine = {"user_id": me, "user_name": "Camille"}
        self.post = doing.posts.create(a_post(**RESIDENT, **mine, media=(self.shown,)))
        self.spoken = doing.posts.create(a_post(**mine))
        self.other = doing.posts.create(a_post())
        self.comments = [
            doing.comments.create(a_comment(post.id, **mine)) for post in (self.other, self.post)
        ]
        answer = a_comment(self.other.id, parent_id=self.comments[0].id)
        self.answer = doing.comments.create(answer)
        doing.reactions.react(self.other.id, me, ReactionKind.LOVE, NOW)
        doing.reactions.react(self.other.id, "u1", ReactionKind.LOVE, NOW)
        self.store.awards.give(award_for(me, CAUSES["mission"], NOW))
        self.store.notifications.tell(notification(unique("told"), user_id=me))
        about = notification(unique("told"), actor_id=me, actor_name="Camille Roche")
        self.store.notifications.tell(about)
        self.report = self.store.reports.create(report(unique("report"), reporter_id=me))
        account = self.store.users.get(me)
        self.store.users.replace(account, replace(account, profile_media_id=self.file))

    def a_file(self):
        one = Media(new_media_id(), self.id, MediaKind.IMAGE, MediaPlace.POST, "image/webp", 9, NOW)
        return self.media.create(one).id

    def check_gone(self, *, words_too=False):
        """Nothing names the person, nothing of others is lost, and all counters are right."""
        doing, store = self.doing, self.store
        for table in ("User", "Follow", "Attendance", "Reaction", "Award", "Application", "Claim"):
            assert not [row for row in rows(doing.dynamo, table) if self.id in repr(row)], table
        named = ("Posts", "Comment", "Donations", "Report", "Notification", "Media", "Association")
        said = [repr(row) for table in named for row in rows(doing.dynamo, table)]
        assert not [row for row in said if self.id in row or "Camille Roche" in row]
        assert doing.associations.get(self.association.id).followers == 0
        assert doing.events.get(self.event.id).attending == 0
        assert [doing.missions.get(m.id).approved for m in self.missions] == [0, 0]
        assert {doing.missions.get(m.id).status for m in self.missions} == {MissionStatus.OPEN}
        other = doing.posts.get(self.other.id)
        assert other.reactions[ReactionKind.LOVE] == 1
        assert other.comments == len(
            [one for one in every(doing.comments.of_post, other.id) if not one.deleted]
        )
        gifts = every(doing.contributions.of_campaign, self.campaign.id)
        assert {gift.user_id for gift in gifts} == {ANONYMOUS}
        assert {(g.first_name, g.surname, g.address) for g in gifts} == {("", "", "")}
        assert sorted((g.state, g.cents) for g in gifts) == sorted(
            [*((state, 2_000) for state in ContributionState), (ContributionState.CONFIRMED, -2000)]
        )
        assert doing.campaigns.get(self.campaign.id).raised == 2_000
        kept = store.reports.get(self.report.id)
        assert (kept.reporter_id, kept.status) == (None, ReportStatus.OPEN)
        spoken = doing.posts.get(self.spoken.id)
        assert (spoken.association_id, spoken.user_id, spoken.user_name) == ("a1", None, "")
        assert doing.comments.get(self.answer.id) == self.answer
        assert doing.comments.get(self.comments[0].id).deleted == words_too
        states = {one: self.media.get(one).state for one in (self.file, self.shown, self.loose)}
        assert states.pop(self.shown) is (MediaState.DELETED if words_too else MediaState.READY)
        assert set(states.values()) == {MediaState.DELETED}
        if words_too:
            assert doing.posts.find(self.post.id) is None
        else:
            post = doing.posts.get(self.post.id)
            assert (post.user_id, post.user_name, post.text) == (ANONYMOUS, "", self.post.text)
            assert post.comments == 1
            assert doing.comments.get(self.comments[1].id).text == self.comments[1].text


@pytest.mark.parametrize("words_too", [False, True])
def test_what_is_theirs_goes_and_what_others_need_loses_the_name(doing, words_too, monkeypatch):
    monkeypatch.setattr(deletion, "_AT_ONCE", 2)
    life = Life(doing)
    for _ in range(2):
        doing.deletion.delete_person(life.id, words_too=words_too)
        life.check_gone(words_too=words_too)


def test_a_person_is_deleted_as_everything_else_is(doing):
    life = Life(doing)
    doing.deletion.delete("User", life.id)
    life.check_gone()


def interrupted(doing, numbers, *, after):
    """Break these calls one after the other, and call again each time."""
    for number in numbers:
        life = Life(doing)
        client = BreakingClient(doing.dynamo.client, number, after=after)
        try:
            Doing(Dynamo(client)).deletion.delete("User", life.id)
        except Broken:
            doing.deletion.delete("User", life.id)
        else:
            return client.calls
        life.check_gone()
    return 0


def test_it_can_be_interrupted_here_and_there(doing):
    interrupted(doing, range(0, 200, 67), after=True)


@pytest.mark.slow
@pytest.mark.parametrize("after", [True, False])
def test_it_can_be_interrupted_nearly_everywhere(doing, after):
    # One of three calls is broken each way: there are many, and a life takes long to make.
    assert interrupted(doing, range(int(after), 1_000, 3), after=after) > 40


def attempts(doing, life):
    """Everything that would write the name of the person anew."""
    me, store = life.id, life.store
    post, association = life.other.id, doing.associations.create(an_association()).id
    file = Media(new_media_id(), me, MediaKind.IMAGE, MediaPlace.POST, "image/webp", 9, NOW)
    event = doing.events.create(an_event())
    mission = doing.missions.create(a_mission())
    return [
        partial(doing.follows.follow, follow(me, association)),
        partial(doing.attendance.attend, event.id, me, NOW),
        partial(doing.applications.create, an_application(mission.id, me)),
        partial(
            doing.contributions.contribute, a_contribution(life.campaign.id, me), unique("request")
        ),
        partial(doing.comments.create, a_comment(post, user_id=me)),
        partial(doing.reactions.react, post, me, ReactionKind.WOW, NOW),
        partial(doing.posts.create, a_post(**RESIDENT, user_id=me, user_name="Camille")),
        partial(doing.posts.create, a_post(user_id=me)),
        partial(doing.associations.create, an_association(owner_id=me)),
        partial(store.awards.give, award_for(me, CAUSES["banner"], NOW)),
        partial(store.notifications.tell, notification(unique("told"), user_id=me)),
        partial(store.reports.create, report(unique("report"), reporter_id=me, target="post:x")),
        partial(life.media.create, file),
    ]


def test_nothing_is_written_in_the_name_of_who_is_going_or_gone(doing):
    life = Life(doing)
    breaking = Doing(Dynamo(BreakingClient(doing.dynamo.client, 0, after=True)))
    with pytest.raises(Broken):
        breaking.deletion.delete("User", life.id)
    for finished in (False, True):
        for attempt in attempts(doing, life):
            with pytest.raises(NotFound):
                attempt()
        if not finished:
            doing.deletion.delete("User", life.id)
    life.check_gone()


@pytest.mark.parametrize("rounds", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_nobody_gets_in_between(doing, rounds):
    """Two deletions at once, and everything the person could do at the same moment."""
    for _ in range(rounds):
        life = Life(doing)
        calls = attempts(doing, life) + [partial(doing.deletion.delete, "User", life.id)] * 2
        at_once(calls)
        doing.deletion.delete("User", life.id)
        names = [
            row
            for table in deletion.OF_PERSON
            for row in rows(doing.dynamo, table.table)
            if life.id in repr(row)
        ]
        assert names == []


def test_no_account_bears_the_name_of_all_who_are_gone():
    with pytest.raises(InvalidField):
        user(ANONYMOUS).check()


def test_products_of_others_are_left_alone(doing):
    product = doing.products.create(a_product())
    life = Life(doing)
    doing.deletion.delete("User", life.id)
    assert doing.products.get(product.id) == product
