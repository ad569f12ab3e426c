"""Posts of associations and of residents."""

from dataclasses import replace

import pytest
from doing_helpers import a_post, settled, unique
from helpers import NOW, location

from cityverse.domain.community import AuthorKind
from cityverse.errors import InvalidField

RESIDENT = {
    "author_kind": AuthorKind.RESIDENT,
    "association_id": None,
    "association_name": "",
    "user_id": "u1",
    "user_name": "Camille",
}


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


def test_a_resident_publishes_without_an_association(doing):
    own = doing.posts.create(a_post(**RESIDENT, location=location(9), title=unique("Lumière")))
    assert doing.posts.get(own.id) == own
    assert (own.author_id, own.author_name) == ("u1", "Camille")
    item = doing.dynamo.get("Posts", {"id": own.id})
    assert "association_id" not in item
    edited = doing.posts.replace(own, replace(own, text="Autrement"))
    assert doing.posts.get(own.id) == edited


def test_an_association_publishes_by_one_of_its_people(doing):
    post = doing.posts.create(a_post(user_id="u1", user_name="Camille"))
    assert (post.author_id, post.author_name) == ("a1", "Les Semeurs")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"association_id": None}, "association_id"),
        ({"association_name": ""}, "association_name"),
        ({**RESIDENT, "user_id": None}, "user_id"),
        ({**RESIDENT, "user_name": ""}, "user_name"),
        ({**RESIDENT, "association_id": "a1"}, "association_id"),
        ({"links": ("javascript:alert(1)",)}, "links"),
        ({"links": tuple(f"https://example.org/{n}" for n in range(11))}, "links"),
        ({"media": ("../m",)}, "media"),
        ({"product_id": ""}, "product_id"),
    ],
)
def test_the_field_that_breaks_a_rule_is_named(changes, field):
    with pytest.raises(InvalidField) as refused:
        a_post(**changes).check()
    assert refused.value.field == field


def test_a_text_that_looks_like_a_state_is_none(doing):
    for attempt in (
        lambda: doing.contributions.move("c1", "confirmed", NOW),
        lambda: doing.applications.move("a1", "approved", NOW),
        lambda: doing.reactions.react("p1", "u1", "like", NOW),
    ):
        with pytest.raises(InvalidField):
            attempt()
