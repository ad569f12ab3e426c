"""Products: a unique name, stored under the seed's attribute, and one to twenty points."""

from dataclasses import replace

import pytest
from doing_helpers import a_post, a_product, an_association, every, settled, unique
from helpers import NOW, location

from cityverse.errors import InvalidField, NotFound, Taken


@pytest.fixture
def doing(dynamo):
    return settled(dynamo)


def test_the_name_is_stored_as_the_seed_calls_it(doing):
    product = doing.products.create(a_product())
    item = doing.dynamo.get("Product", {"id": product.id})
    assert item["nom"] == product.name
    assert "name" not in item
    assert doing.products.get(product.id) == product
    renamed = doing.products.replace(product, replace(product, name=unique("Autre ")))
    assert doing.products.get(product.id) == renamed


def test_no_two_products_have_the_same_name_in_any_form(doing):
    word = unique("Épicerie ")
    first = doing.products.create(a_product(name=f"{word} du canal"))
    for name in (f"{word} du canal", f"{word.upper()}  DU   Canal", f" {word} du\tcanal "):
        with pytest.raises(Taken) as taken:
            doing.products.create(a_product(name=name))
        assert taken.value.field == "name"
    other = doing.products.create(a_product())
    with pytest.raises(Taken):
        doing.products.replace(other, replace(other, name=first.name.lower()))
    renamed = doing.products.replace(first, replace(first, name=unique("Libre ")))
    doing.products.replace(other, replace(other, name=f"{word} du canal"))
    doing.deletion.delete("Product", renamed.id)
    doing.products.create(a_product(name=renamed.name))


def test_a_product_lies_at_its_first_point(doing):
    association_id = doing.associations.create(an_association()).id
    points = (location(9), location(18, lat=48.8927))
    product = doing.products.create(a_product(association_id=association_id, points=points))
    page = doing.products.page
    assert page(limit=3, association_id=association_id).items == (product,)
    first, second = points
    near, other = ((one.lat, one.lon) for one in points)
    assert product in doing.products.near(*near, metres=200, limit=100).items
    assert product not in doing.products.near(*other, metres=200, limit=100).items
    assert product in page(limit=100, arrondissement=first.arrondissement).items
    assert product not in page(limit=100, arrondissement=second.arrondissement).items
    moved = doing.products.replace(product, replace(product, points=points[::-1]))
    assert moved in doing.products.near(*other, metres=200, limit=100).items
    assert moved in page(limit=100, arrondissement=second.arrondissement).items
    assert moved.points == points[::-1]  # all of them, for the map


def test_posts_of_a_product_are_listed_from_the_newest(doing):
    product = doing.products.create(a_product())
    about = doing.posts.create(a_post(product_id=product.id))
    earlier = doing.posts.create(a_post(product_id=product.id, created=NOW.replace(hour=1)))
    plain = doing.posts.create(a_post())
    assert every(doing.posts.of_product, product.id, limit=1) == [about, earlier]
    assert "product_id" not in doing.dynamo.get("Posts", {"id": plain.id})
    with pytest.raises(NotFound):
        doing.posts.create(a_post(product_id="nowhere"))
    with pytest.raises(InvalidField):
        doing.posts.replace(plain, replace(plain, product_id=product.id))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"points": ()}, "points"),
        ({"points": (location(9),) * 21}, "points"),
        ({"points": (location(9, lat=0.0),)}, "location.lat"),
        ({"name": ""}, "name"),
        ({"links": ("ftp://example.org",)}, "links"),
        ({"links": ("https://example.org",) * 2}, "links"),
        ({"media": tuple(f"m{n}" for n in range(11))}, "media"),
    ],
)
def test_the_field_that_breaks_a_rule_is_named(changes, field):
    with pytest.raises(InvalidField) as refused:
        a_product(**changes).check()
    assert refused.value.field == field
