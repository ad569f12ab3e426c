"""What lies near a point, against measuring the distance to every item."""

import random
from datetime import timedelta

import pytest
from helpers import NOW, article, location, post

from cityverse.data.cursors import Cursors
from cityverse.data.near import cell_of, cells_within, distance
from cityverse.data.posts import PostRepository
from cityverse.data.repository import Window
from cityverse.domain.places import EAST, NORTH, SOUTH, WEST
from cityverse.errors import InvalidField

HERE = (48.8804, 2.3403)


class Posts(PostRepository):
    """Posts without search words, which are not what is tried here."""

    def texts_of(self, entity):
        return None


@pytest.fixture
def posts(store):
    return Posts(store.dynamo, Cursors(b"k" * 32))


def at(lat, lon):
    return location(lat=lat, lon=lon)


def scattered(posts, count, chosen, spread=0.012):
    """Posts around HERE, one a minute."""
    made = []
    for n in range(count):
        there = at(
            HERE[0] + chosen.uniform(-spread, spread), HERE[1] + chosen.uniform(-spread, spread)
        )
        made.append(
            posts.create(post(f"p{n:03}", created=NOW - timedelta(minutes=n), location=there))
        )
    return made


def within(made, metres):
    return [p.id for p in made if distance(HERE, (p.location.lat, p.location.lon)) <= metres]


def test_a_known_distance():
    assert distance((48.8584, 2.2945), (48.8530, 2.3499)) == pytest.approx(4098, rel=0.01)


@pytest.mark.parametrize("metres", [1, 250, 500, 1000, 2000])
def test_the_cells_of_a_circle_hold_every_point_of_it(metres):
    chosen = random.Random(metres)
    for _ in range(40):
        lat, lon = chosen.uniform(SOUTH, NORTH), chosen.uniform(WEST, EAST)
        cells = cells_within(lat, lon, metres)
        assert len(cells) == len(set(cells)) <= 40
        for _ in range(25):
            reach = metres / 111_320
            other = (lat + chosen.uniform(-reach, reach), lon + chosen.uniform(-2, 2) * reach)
            if distance((lat, lon), other) <= metres:
                assert cell_of(*other) in cells


@pytest.mark.parametrize(
    ("lat", "lon", "metres", "field"),
    [
        (51.5, 2.34, 500, "lat"),
        (48.88, float("nan"), 500, "lon"),
        (48.88, 2.34, 0, "metres"),
        (48.88, 2.34, 2001, "metres"),
        (48.88, 2.34, float("inf"), "metres"),
    ],
)
def test_what_is_no_circle_on_the_map_is_refused(posts, lat, lon, metres, field):
    with pytest.raises(InvalidField, match=field):
        posts.near(lat, lon, metres=metres, limit=5)


@pytest.mark.parametrize("metres", [500, 1200])
def test_pages_near_a_place_equal_a_measured_list_both_ways(posts, metres):
    made = scattered(posts, 30, random.Random(metres))
    expected = within(made, metres)
    assert expected
    pages, cursor = [], None
    while True:
        page = posts.near(*HERE, metres=metres, limit=5, cursor=cursor)
        pages.append(page)
        assert len(pages) < 40
        if page.next is None:
            break
        cursor = page.next
    assert [p.id for page in pages for p in page.items] == expected
    ids, cursor = [p.id for p in pages[-1].items], pages[-1].previous
    while cursor is not None:
        page = posts.near(*HERE, metres=metres, limit=5, cursor=cursor)
        ids = [p.id for p in page.items] + ids
        cursor = page.previous
    assert ids == expected


def test_new_items_do_not_move_a_cursor_and_other_places_do_not_take_it(posts):
    made = scattered(posts, 12, random.Random(3), spread=0.001)
    first = posts.near(*HERE, metres=500, limit=3)
    posts.create(post("new", created=NOW + timedelta(days=1), location=at(*HERE)))
    second = posts.near(*HERE, metres=500, limit=3, cursor=first.next)
    assert [p.id for p in second.items] == [p.id for p in made[3:6]]
    newest = posts.near(*HERE, metres=499, limit=3, cursor=first.next)
    assert newest.items[0].id == "new"


def test_a_window_and_an_edit_are_heeded(posts):
    made = scattered(posts, 6, random.Random(4), spread=0.001)
    late = Window(start=NOW - timedelta(minutes=2))
    page = posts.near(*HERE, metres=500, limit=9, window=late)
    assert [p.id for p in page.items] == ["p000", "p001", "p002"]
    posts.replace(made[0], post("p000", created=NOW, location=at(48.83, 2.40)))
    posts.replace(made[1], post("p001", created=made[1].created))
    page = posts.near(*HERE, metres=500, limit=9, window=late)
    assert [p.id for p in page.items] == ["p002"]


def test_articles_without_a_place_are_near_nothing(store):
    store.news.create(article("n1"))
    store.news.create(article("n2", location=at(*HERE)))
    page = store.news.near(*HERE, metres=2000, limit=5)
    assert [n.id for n in page.items] == ["n2"]


def test_many_items_just_outside_the_circle_are_not_read_on_for_ever(posts):
    """They share its cells: no more than the bound are looked at, and one can look further."""
    edge = at(HERE[0] + 0.0005, HERE[1])
    for n in range(30):
        posts.create(post(f"x{n:02}", created=NOW - timedelta(minutes=n), location=edge))
    posts.create(post("inside", created=NOW - timedelta(days=1), location=at(*HERE)))
    page = posts.near(*HERE, metres=20, limit=5, looked_at=10)
    looks = 1
    while not page.items:
        assert page.more
        assert page.next is not None
        page = posts.near(*HERE, metres=20, limit=5, looked_at=10, cursor=page.next)
        looks += 1
    assert [p.id for p in page.items] == ["inside"]
    assert (looks, page.more, page.next) == (4, False, None)
