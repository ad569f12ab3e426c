"""Threads of comments, their tombstones and their counter."""

from dataclasses import replace
from datetime import timedelta

import pytest
from doing_helpers import a_comment, a_post, every, rows, settled, unique
from helpers import NOW

from cityverse.domain.people import ANONYMOUS
from cityverse.errors import AlreadyExists, Conflict, InvalidField, NotFound, VersionConflict


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


@pytest.fixture
def post(doing):
    return doing.posts.create(a_post())


def test_comments_and_answers_are_counted_and_listed(doing, post):
    first = doing.comments.create(a_comment(post.id))
    answer = doing.comments.create(
        a_comment(post.id, parent_id=first.id, created=NOW + timedelta(hours=1))
    )
    assert every(doing.comments.of_post, post.id, limit=1) == [first, answer]
    assert doing.posts.get(post.id).comments == 2


def test_the_same_comment_twice_counts_once(doing, post):
    comment = doing.comments.create(a_comment(post.id))
    with pytest.raises(AlreadyExists):
        doing.comments.create(comment)
    assert doing.posts.get(post.id).comments == 1


def test_no_comment_without_its_post_or_what_it_answers(doing, post):
    other = doing.posts.create(a_post())
    elsewhere = doing.comments.create(a_comment(other.id))
    deleted = doing.comments.create(a_comment(post.id))
    doing.comments.delete(deleted)
    for orphan in (
        a_comment("nowhere"),
        a_comment(post.id, parent_id="nothing"),
        a_comment(post.id, parent_id=elsewhere.id),
        a_comment(post.id, parent_id=deleted.id),
    ):
        with pytest.raises(NotFound):
            doing.comments.create(orphan)
        assert doing.comments.find(orphan.id) is None
    assert doing.posts.get(post.id).comments == 0


def test_an_edit_says_when_and_is_never_lost(doing, post):
    comment = doing.comments.create(a_comment(post.id))
    edited = doing.comments.edit(comment, "Bravo à tous !", NOW + timedelta(minutes=5))
    assert (edited.text, edited.edited_at) == ("Bravo à tous !", NOW + timedelta(minutes=5))
    with pytest.raises(VersionConflict):
        doing.comments.edit(comment, "Perdu", NOW)
    assert doing.comments.get(comment.id) == edited
    with pytest.raises(InvalidField):
        doing.comments.edit(edited, "x" * 10_000, NOW)


def test_a_comment_does_not_move_to_another_post(doing, post):
    other = doing.posts.create(a_post())
    comment = doing.comments.create(a_comment(post.id))
    with pytest.raises(InvalidField):
        doing.comments.replace(comment, replace(comment, post_id=other.id))


def test_a_deleted_comment_leaves_a_tombstone_without_words_or_author(doing, post):
    comment = doing.comments.create(a_comment(post.id, id=unique("demo"), demo=True))
    answer = doing.comments.create(a_comment(post.id, parent_id=comment.id))
    doing.comments.delete(comment)
    doing.comments.delete(comment)
    tombstone = doing.comments.get(comment.id)
    assert (tombstone.deleted, tombstone.text, tombstone.user_id) == (True, "", ANONYMOUS)
    assert {c.id for c in every(doing.comments.of_post, post.id)} == {comment.id, answer.id}
    assert doing.posts.get(post.id).comments == 1
    assert comment.id not in {row["id"]["S"] for row in rows(doing.dynamo, "Demo")}
    with pytest.raises(Conflict):
        doing.comments.edit(tombstone, "Revenant", NOW)


def test_deleting_what_was_edited_meanwhile_is_refused(doing, post):
    comment = doing.comments.create(a_comment(post.id))
    doing.comments.edit(comment, "Autre chose", NOW)
    with pytest.raises(VersionConflict):
        doing.comments.delete(comment)
    assert doing.posts.get(post.id).comments == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"text": " "}, "text"),
        ({"text": "x" * 2001}, "text"),
        ({"text": "a\x00"}, "text"),
        ({"user_id": ""}, "user_id"),
        ({"user_name": ""}, "user_name"),
        ({"post_id": "a b"}, "post_id"),
        ({"parent_id": ""}, "parent_id"),
        ({"id": "c", "parent_id": "c"}, "parent_id"),
    ],
)
def test_the_field_that_breaks_a_rule_is_named(changes, field):
    with pytest.raises(InvalidField) as refused:
        a_comment("p1", **changes).check()
    assert refused.value.field == field
