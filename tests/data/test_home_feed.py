"""What one follows as one list, and lists that only some items pass."""

import random
from datetime import timedelta

import pytest
from helpers import NOW, clear, event, post, stand_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityverse.data.cursors import Cursors
from cityverse.data.events import EventRepository
from cityverse.data.posts import PostRepository
from cityverse.data.repository import Window
from cityverse.errors import InvalidField

KEY = Cursors(b"k" * 32)


class Posts(PostRepository):
    """Posts without search words, which are not what is tried here."""

    def texts_of(self, entity):
        return None


class Events(EventRepository):
    """Events without search words."""

    def texts_of(self, entity):
        return None


@pytest.fixture(scope="module")
def written(dynamo):
    """45 posts of nine associations, of very different diligence; newest first."""
    clear(dynamo)
    stand_in(dynamo, "Association", *(f"a{n}" for n in range(9)))
    chosen, repository, made = random.Random(7), Posts(dynamo, KEY), []
    for n in range(45):
        author = f"a{min(chosen.randrange(30), chosen.randrange(9))}"
        created = NOW - timedelta(minutes=chosen.randrange(4000))
        made.append(repository.create(post(f"p{n:03}", association_id=author, created=created)))
    return repository, sorted(made, key=lambda p: (p.created, p.id), reverse=True)


def walk(page, turn, way):
    """All pages from one on, in one direction."""
    pages = [page]
    while getattr(pages[-1], way) is not None:
        pages.append(turn(getattr(pages[-1], way)))
        assert len(pages) < 200
    return pages


def ids_of(pages):
    return [item.id for page in pages for item in page.items]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    followed=st.sets(st.sampled_from([f"a{n}" for n in range(10)]), max_size=10),
    limit=st.integers(4, 40),
    start=st.none() | st.integers(0, 4000),
)
def test_the_home_feed_equals_the_merged_list_both_ways(written, followed, limit, start):
    repository, made = written
    window = Window(None if start is None else NOW - timedelta(minutes=start))
    expected = [
        p.id
        for p in made
        if p.association_id in followed and (window.start is None or p.created >= window.start)
    ]

    def turn(cursor):
        return repository.home(followed, limit=limit, window=window, cursor=cursor)

    pages = walk(turn(None), turn, "next")
    assert ids_of(pages) == expected
    back = walk(pages[-1], turn, "previous")
    assert ids_of(reversed(back)) == expected


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    keeps=st.sampled_from([1, 2, 5, 13, 60, 1000]),
    limit=st.integers(2, 20),
    looked_at=st.integers(4, 50),
    association=st.none() | st.sampled_from(["a0", "a5"]),
)
def test_a_filtered_list_loses_and_doubles_nothing_both_ways(
    written, keeps, limit, looked_at, association
):
    repository, made = written
    kept = {p.id for n, p in enumerate(made) if n % keeps == keeps - 1}
    expected = [p.id for p in made if p.id in kept and association in (None, p.association_id)]
    looks = []

    def turn(cursor):
        looks.append(0)

        def where(one):
            looks[-1] += 1
            return one.id in kept

        return repository.page(
            limit=limit,
            cursor=cursor,
            where=where,
            looked_at=looked_at,
            association_id=association,
        )

    pages = walk(turn(None), turn, "next")
    assert ids_of(pages) == expected
    assert max(looks) <= looked_at
    for page in pages:
        assert len(page.items) <= limit
        # Few items and a way on: only because the bound was met, and it says so.
        assert page.more or page.next is None or len(page.items) == limit
    back = walk(pages[-1], turn, "previous")
    assert ids_of(reversed(back)) == expected


def test_a_cursor_keeps_its_place_when_posts_arrive_and_follows_change(store):
    stand_in(store.dynamo, "Association", "a0", "a9")
    posts = Posts(store.dynamo, KEY)
    for n in range(8):
        posts.create(post(f"p{n}", association_id=f"a{n % 2}", created=NOW - timedelta(hours=n)))
    first = posts.home(["a0", "a1"], limit=3)
    posts.create(post("new", association_id="a1", created=NOW + timedelta(hours=1)))
    posts.create(post("x", association_id="a9", created=NOW - timedelta(hours=3, minutes=30)))
    second = posts.home(["a0", "a1"], limit=3, cursor=first.next)
    assert ids_of([second]) == ["p3", "p4", "p5"]
    assert ids_of([posts.home(["a0", "a1"], limit=3, cursor=second.previous)]) == ["p0", "p1", "p2"]
    wider = posts.home(["a0", "a1", "a9"], limit=3, cursor=first.next)
    assert ids_of([wider]) == ["p3", "x", "p4"]


def test_a_forged_cursor_or_one_of_another_list_starts_at_the_first_page(store):
    posts = Posts(store.dynamo, KEY)
    for n in range(6):
        posts.create(post(f"p{n}", created=NOW - timedelta(hours=n)))
    foreign = posts.page(limit=2).next
    first = posts.home(["a1"], limit=2)
    assert posts.home(["a1"], limit=2, cursor=foreign) == first
    assert posts.home(["a1"], limit=2, cursor="x" * 50) == first


def test_events_of_what_one_follows_run_forward(store):
    stand_in(store.dynamo, "Association", "a0")
    events = Events(store.dynamo, KEY)
    for n in (3, 1, 2, 0):
        starts = NOW + timedelta(days=n)
        author = f"a{n % 2}"
        events.create(event(f"e{n}", association_id=author, starts=starts, ends=starts))
    assert ids_of([events.home(["a0", "a1"], limit=3)]) == ["e0", "e1", "e2"]


def test_following_nothing_is_an_empty_page_and_too_much_is_refused(store):
    assert store.posts.home([], limit=5).items == ()
    with pytest.raises(InvalidField, match="associations"):
        store.posts.home([f"a{n}" for n in range(101)], limit=5)


def test_following_many_reads_little_of_each(store):
    """The first pages of all are read at once, and one that has much is read on alone."""
    stand_in(store.dynamo, "Association", "busy", *(f"a{n}" for n in range(25, 40)))
    posts = Posts(store.dynamo, KEY)
    for n in range(40):
        author = "busy" if n < 25 else f"a{n}"
        posts.create(post(f"p{n:02}", association_id=author, created=NOW - timedelta(hours=n)))
    asked = []

    def note(params, **_):
        asked.append(params["ExpressionAttributeValues"][":partition"]["S"])

    events = store.dynamo.client.meta.events
    events.register("provide-client-params.dynamodb.Query", note, unique_id="home")
    try:
        followed = ["busy", *(f"a{n}" for n in range(25, 40))]
        page = posts.home(followed, limit=20)
    finally:
        events.unregister("provide-client-params.dynamodb.Query", unique_id="home")
    assert ids_of([page]) == [f"p{n:02}" for n in range(20)]
    assert sorted(set(asked)) == sorted(followed)
    assert [asked.count(one) for one in followed[1:]] == [1] * 15
    assert asked.count("busy") <= 4


def test_a_filter_bounds_what_is_read(store):
    posts = Posts(store.dynamo, KEY)
    for n in range(30):
        posts.create(post(f"p{n:02}", created=NOW - timedelta(hours=n)))
    page = posts.page(limit=3, where=lambda _: False, looked_at=12)
    assert (page.items, page.more, page.previous) == ((), True, None)
    on = posts.page(limit=3, where=lambda p: p.id == "p20", looked_at=12, cursor=page.next)
    assert ids_of([on]) == ["p20"]
    end = posts.page(limit=3, where=lambda _: False, looked_at=12, cursor=on.next)
    assert (end.items, end.more, end.next) == ((), False, None)
    assert end.previous is not None
