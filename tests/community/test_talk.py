"""Reactions, comments and follows: whose they are, and what sending twice does."""

from dataclasses import replace
from datetime import timedelta

import pytest
from helpers import NOW, association, post
from hypothesis import given
from hypothesis import strategies as st
from people_helpers import user

from cityverse.community import talk
from cityverse.community.talk import Draft, threaded
from cityverse.domain.comments import Comment
from cityverse.domain.community import AuthorKind
from cityverse.domain.people import Status
from cityverse.domain.reactions import ReactionKind
from cityverse.errors import AlreadyExists, InvalidField, NotAllowed, NotFound, NotSignedIn

LIKE, WOW = ReactionKind.LIKE, ReactionKind.WOW


@pytest.fixture
def ana(store):
    return store.users.create(user("ana", email="ana@example.org", first_name="Ana", last_name="B"))


@pytest.fixture
def zoe(store):
    return store.users.create(user("zoe", email="zoe@example.org", first_name="Zoé", last_name=""))


@pytest.fixture
def square(store, zoe):
    """A post of an association, and one of a resident."""
    store.associations.create(association("sow"))
    store.posts.create(post("p1", association_id="sow"))
    store.posts.create(
        post(
            "p2",
            association_id=None,
            association_name="",
            author_kind=AuthorKind.RESIDENT,
            user_id="zoe",
            user_name="Zoé",
        )
    )
    return store


def said(store, post_id="p1"):
    return [
        (one.depth, one.comment.user_name, one.comment.text)
        for one in talk.about(store, None, post_id).comments
    ]


def test_one_reaction_a_person_changed_and_taken_back(square, ana):
    for kind in (LIKE, LIKE, WOW):
        talk.react(square, ana, "p1", kind, NOW)
    found = talk.about(square, ana, "p1")
    assert (found.mine, found.post.reactions[LIKE], found.post.reactions[WOW]) == (WOW, 0, 1)
    talk.react(square, ana, "p1", None, NOW)
    talk.react(square, ana, "p1", None, NOW)
    found = talk.about(square, ana, "p1")
    assert (found.mine, sum(found.post.reactions.values())) == (None, 0)


def test_answers_stand_below_what_they_answer(square, ana, zoe):
    talk.comment(square, ana, Draft("c1", "p1", " Bravo "), NOW)
    talk.comment(square, zoe, Draft("c2", "p1", "Et moi"), NOW + timedelta(seconds=1))
    talk.comment(square, zoe, Draft("c3", "p1", "Merci Ana", "c1"), NOW + timedelta(seconds=2))
    assert said(square) == [(0, "Ana B", "Bravo"), (1, "Zoé", "Merci Ana"), (0, "Zoé", "Et moi")]
    assert talk.about(square, None, "p1").post.comments == 3


def test_the_same_form_sent_ten_times_says_it_once(square, ana):
    for _ in range(10):
        talk.comment(square, ana, Draft("c1", "p2", "Bravo"), NOW)
    assert said(square, "p2") == [(0, "Ana B", "Bravo")]
    assert len(square.notifications.page("zoe", limit=10).items) == 1


def test_nobody_takes_the_form_of_another(square, ana, zoe):
    talk.comment(square, ana, Draft("c1", "p1", "Bravo"), NOW)
    with pytest.raises(AlreadyExists):
        talk.comment(square, zoe, Draft("c1", "p1", "Volé"), NOW)
    assert said(square) == [(0, "Ana B", "Bravo")]


def test_who_is_answered_is_told_and_nobody_tells_themselves(square, ana, zoe):
    talk.comment(square, ana, Draft("c1", "p2", "Bravo Zoé"), NOW)
    talk.comment(square, zoe, Draft("c2", "p2", "Merci", "c1"), NOW)
    talk.comment(square, zoe, Draft("c3", "p2", "Encore merci"), NOW)
    (to_zoe,) = square.notifications.page("zoe", limit=10).items
    (to_ana,) = square.notifications.page("ana", limit=10).items
    assert (to_zoe.actor_name, to_zoe.text, to_zoe.target) == ("Ana B", "Bravo Zoé", "post:p2")
    assert (to_ana.actor_name, to_ana.text) == ("Zoé", "Merci")


def test_an_edit_says_so_and_a_deleted_comment_keeps_its_answers(square, ana, zoe):
    talk.comment(square, ana, Draft("c1", "p1", "Bravo"), NOW)
    talk.comment(square, zoe, Draft("c2", "p1", "Merci", "c1"), NOW)
    talk.edit(square, ana, "c1", "Bravo !", NOW + timedelta(minutes=1))
    assert square.comments.get("c1").edited_at == NOW + timedelta(minutes=1)
    talk.withdraw(square, ana, "c1")
    talk.withdraw(square, ana, "c1")
    assert said(square) == [(0, "", ""), (1, "Zoé", "Merci")]
    talk.withdraw(square, zoe, "c2")
    assert said(square) == []
    assert talk.about(square, None, "p1").post.comments == 0


def test_following_is_a_state(square, ana):
    talk.follow(square, ana, "sow", NOW)
    talk.follow(square, ana, "sow", NOW)
    assert [one.name for one in talk.followed_by(square, ana)] == ["Les Semeurs"]
    assert talk.about(square, ana, "p1").followed
    talk.unfollow(square, ana, "sow")
    talk.unfollow(square, ana, "sow")
    assert talk.followed_by(square, ana) == []
    assert square.associations.get("sow").followers == 0


ACTS = {
    "react": lambda store, who: talk.react(store, who, "p1", LIKE, NOW),
    "take back": lambda store, who: talk.react(store, who, "p1", None, NOW),
    "comment": lambda store, who: talk.comment(store, who, Draft("c9", "p1", "x"), NOW),
    "edit": lambda store, who: talk.edit(store, who, "c1", "x", NOW),
    "withdraw": lambda store, who: talk.withdraw(store, who, "c1"),
    "follow": lambda store, who: talk.follow(store, who, "sow", NOW),
    "unfollow": lambda store, who: talk.unfollow(store, who, "sow"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_nothing_is_done_for_who_is_not_signed_in_or_suspended(square, ana, zoe, act):
    talk.comment(square, zoe, Draft("c1", "p1", "Moi"), NOW)
    with pytest.raises(NotSignedIn):
        act(square, None)
    with pytest.raises(NotAllowed):
        act(square, replace(ana, status=Status.SUSPENDED))
    found = talk.about(square, ana, "p1")
    assert (found.mine, found.followed, found.post.comments) == (None, False, 1)
    assert square.comments.get("c1").text == "Moi"


@pytest.mark.parametrize("act", [ACTS["edit"], ACTS["withdraw"]])
def test_what_another_said_is_left_alone(square, ana, zoe, act):
    talk.comment(square, zoe, Draft("c1", "p1", "Moi"), NOW)
    with pytest.raises(NotAllowed):
        act(square, ana)
    assert said(square) == [(0, "Zoé", "Moi")]


def test_what_is_gone_takes_nothing_more(square, ana):
    square.deletion.delete("Posts", "p1")
    assert talk.about(square, ana, "p1") is None
    for act in (ACTS["react"], ACTS["comment"]):
        with pytest.raises(NotFound):
            act(square, ana)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 2001, "a\x00b"])
def test_what_is_no_comment_is_refused_by_name(square, ana, text):
    with pytest.raises(InvalidField) as refused:
        talk.comment(square, ana, Draft("c1", "p1", text), NOW)
    assert refused.value.field == "text"
    assert said(square) == []


@given(st.lists(st.tuples(st.integers(0, 14), st.booleans()), max_size=15))
def test_every_comment_stands_once_after_what_it_answers(shapes):
    comments = [
        Comment(
            id=f"c{number}",
            post_id="p1",
            user_id="ana",
            user_name="Ana",
            text="x",
            created=NOW,
            parent_id=f"c{answered}" if answered < number else None,
            deleted=deleted,
        )
        for number, (answered, deleted) in enumerate(shapes)
    ]
    placed = [one.comment for one in threaded(comments)]
    assert len({one.id for one in placed}) == len(placed)
    assert {c.id for c in comments if not c.deleted} <= {c.id for c in placed}
    where = {one.id: number for number, one in enumerate(placed)}
    assert all(where[c.parent_id] < where[c.id] for c in placed if c.parent_id)
