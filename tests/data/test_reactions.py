"""One reaction a person and post; the counters of the post equal the rows."""

from dataclasses import replace

import pytest
from doing_helpers import a_post, every, settled
from helpers import NOW

from cityverse.domain.reactions import ReactionKind
from cityverse.errors import InvalidField, NotFound

LIKE, LOVE, SAD = ReactionKind.LIKE, ReactionKind.LOVE, ReactionKind.SAD


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


def counted(doing, post):
    return {kind: n for kind, n in doing.posts.get(post.id).reactions.items() if n}


def test_a_reaction_is_set_changed_and_withdrawn(doing):
    post = doing.posts.create(a_post())
    doing.reactions.react(post.id, "u1", LIKE, NOW)
    doing.reactions.react(post.id, "u2", LIKE, NOW)
    assert counted(doing, post) == {LIKE: 2}
    doing.reactions.react(post.id, "u1", SAD, NOW)
    assert counted(doing, post) == {LIKE: 1, SAD: 1}
    assert doing.reactions.find(post.id, "u1").reaction is SAD
    doing.reactions.withdraw(post.id, "u1")
    assert counted(doing, post) == {LIKE: 1}
    assert doing.reactions.find(post.id, "u1") is None


def test_repetitions_change_nothing(doing):
    post = doing.posts.create(a_post())
    first = doing.reactions.react(post.id, "u1", LOVE, NOW)
    assert doing.reactions.react(post.id, "u1", LOVE, NOW.replace(hour=13)) == first
    assert counted(doing, post) == {LOVE: 1}
    doing.reactions.withdraw(post.id, "u1")
    doing.reactions.withdraw(post.id, "u1")
    assert counted(doing, post) == {}


def test_no_reaction_without_a_post(doing):
    with pytest.raises(NotFound):
        doing.reactions.react("nowhere", "u1", LIKE, NOW)
    assert doing.reactions.find("nowhere", "u1") is None
    with pytest.raises(InvalidField):
        doing.reactions.react("no id", "u1", LIKE, NOW)


def test_an_edit_of_the_post_leaves_its_counters(doing):
    post = doing.posts.create(a_post())
    doing.reactions.react(post.id, "u1", LIKE, NOW)
    doing.posts.replace(post, replace(post, title="Autrement"))
    assert counted(doing, post) == {LIKE: 1}
    doing.reactions.withdraw(post.id, "u1")
    assert counted(doing, post) == {}


def test_own_reactions_and_those_of_a_post_are_listed(doing):
    posts = [doing.posts.create(a_post()) for _ in range(3)]
    for number in range(5):
        doing.reactions.react(posts[0].id, f"u{number}", LIKE, NOW)
    doing.reactions.react(posts[1].id, "u0", SAD, NOW)
    own = doing.reactions.of_user("u0", [post.id for post in posts])
    assert own == {posts[0].id: LIKE, posts[1].id: SAD}
    listed = every(doing.reactions.of_post, posts[0].id, limit=2)
    assert [row.user_id for row in listed] == [f"u{n}" for n in range(5)]
