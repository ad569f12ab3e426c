"""Lists in the order of time equal the plain sorted list, page by page, both ways."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from helpers import NOW, article, clear, event, location, post, stand_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityverse.data import timeline
from cityverse.data.cursors import Cursors
from cityverse.data.events import EventRepository
from cityverse.data.posts import PostRepository
from cityverse.data.repository import Window
from cityverse.data.store import over
from cityverse.data.timeline import SHARDS, bucket_of, order_of
from cityverse.errors import StoreError

START = datetime(2026, 11, 1, tzinfo=UTC)
KEY = Cursors(b"k" * 32)


class Posts(PostRepository):
    """Posts without search words, which are not what is tried here."""

    def texts_of(self, entity):
        return None


class Events(EventRepository):
    """Events without search words."""

    def texts_of(self, entity):
        return None


def sorted_posts(posts, window=None, **wanted):
    window = window or Window()
    kept = [
        p
        for p in posts
        if (window.start is None or p.created >= window.start)
        and (window.end is None or p.created < window.end)
        and wanted.get("association_id") in (None, p.association_id)
        and wanted.get("arrondissement") in (None, p.location and p.location.arrondissement)
    ]
    return [p.id for p in sorted(kept, key=lambda p: order_of(p.created, p.id), reverse=True)]


def forward(repository, limit, **wanted):
    """All ids by following ``next``, and the pages they came on."""
    pages, cursor = [], None
    while True:
        page = repository.page(limit=limit, cursor=cursor, **wanted)
        pages.append(page)
        assert len(pages) < 100
        if page.next is None:
            return [item.id for page in pages for item in page.items], pages
        cursor = page.next


def backward(repository, limit, pages, **wanted):
    """All ids by following ``previous`` from the last page on."""
    ids, cursor = [item.id for item in pages[-1].items], pages[-1].previous
    while cursor is not None:
        page = repository.page(limit=limit, cursor=cursor, **wanted)
        ids = [item.id for item in page.items] + ids
        cursor = page.previous
    return ids


minutes = st.one_of(
    st.integers(0, 3 * 1440),  # crowded days
    st.integers(0, 60 * 1440),  # with gaps of empty days
    st.sampled_from([0, 1440, 2 * 1440]),  # midnight, and equal times
)
drafts = st.lists(
    st.tuples(minutes, st.sampled_from(["a1", "a2"]), st.sampled_from([None, 1, 9, 20])),
    max_size=18,
)
edges = st.none() | st.integers(-1440, 61 * 1440)


def at(minute):
    return None if minute is None else START + timedelta(minutes=minute)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    drafts=drafts,
    limit=st.integers(1, 7),
    start=edges,
    end=edges,
    wanted=st.sampled_from(
        [{}, {}, {"association_id": "a1"}, {"arrondissement": 9}, {"arrondissement": 1}]
    ),
)
def test_pages_equal_the_sorted_list_both_ways(dynamo, drafts, limit, start, end, wanted):
    clear(dynamo, "Posts", "Day")
    stand_in(dynamo, "Association", "a1", "a2")
    repository = Posts(dynamo, KEY)
    posts = [
        post(
            f"p{number}",
            created=at(minute),
            association_id=association,
            location=location(arrondissement) if arrondissement else None,
        )
        for number, (minute, association, arrondissement) in enumerate(drafts)
    ]
    for one in posts:
        repository.create(one)
    window = Window(at(start), at(end))
    expected = sorted_posts(posts, window, **wanted)
    ids, pages = forward(repository, limit, window=window, **wanted)
    assert ids == expected
    assert all(len(page.items) == limit for page in pages[:-1])
    assert pages[0].previous is None
    assert backward(repository, limit, pages, window=window, **wanted) == expected


@pytest.fixture
def posts(store):
    return Posts(store.dynamo, KEY)


def fill(repository, count, step=timedelta(hours=7)):
    return [repository.create(post(f"p{n:02}", created=START + step * n)) for n in range(count)]


def test_a_cursor_keeps_its_place_when_new_items_arrive(posts):
    old = fill(posts, 9)
    first = posts.page(limit=3)
    for n in range(4):
        posts.create(post(f"new{n}", created=START + timedelta(days=30 + n)))
    second = posts.page(limit=3, cursor=first.next)
    assert [p.id for p in second.items] == ["p05", "p04", "p03"]
    assert [p.id for p in posts.page(limit=3, cursor=second.previous).items] == [
        "p08",
        "p07",
        "p06",
    ]
    assert posts.page(limit=3).items[0].id == "new3"
    assert len(old) == 9


def test_the_way_back_meets_what_arrived_meanwhile(posts):
    fill(posts, 4)
    second = posts.page(limit=2, cursor=posts.page(limit=2).next)
    posts.create(post("new", created=START + timedelta(days=30)))
    back = posts.page(limit=2, cursor=second.previous)
    assert [p.id for p in back.items] == ["p03", "p02"]
    assert [p.id for p in posts.page(limit=2, cursor=back.previous).items] == ["new"]


def test_items_that_went_away_do_not_break_the_way(posts):
    made = fill(posts, 6)
    first = posts.page(limit=2)
    for gone in made[2:5]:
        over(posts.dynamo, KEY).deletion.delete("Posts", gone.id)
    second = posts.page(limit=2, cursor=first.next)
    assert [p.id for p in second.items] == ["p01", "p00"]


def test_a_cursor_to_where_nothing_is_left_starts_at_the_first_page(posts):
    made = fill(posts, 4)
    first = posts.page(limit=2)
    for gone in made[:2]:
        over(posts.dynamo, KEY).deletion.delete("Posts", gone.id)
    assert posts.page(limit=2, cursor=first.next) == posts.page(limit=2)


@pytest.mark.parametrize("listing", [{"association_id": "a1"}, {"arrondissement": 9}])
def test_a_cursor_of_another_list_starts_at_the_first_page(posts, listing):
    fill(posts, 4)
    foreign = posts.page(limit=2).next
    for n in range(3):
        posts.create(post(f"x{n}", association_id="a1", location=location(9), created=NOW))
    assert posts.page(limit=2, cursor=foreign, **listing) == posts.page(limit=2, **listing)
    assert posts.page(limit=2, cursor="forged") == posts.page(limit=2)


def test_events_run_forward(store):
    events = Events(store.dynamo, KEY)
    for n in (3, 1, 2, 0):
        starts = NOW + timedelta(days=n)
        events.create(event(f"e{n}", starts=starts, ends=starts))
    ids, pages = forward(events, 3, window=Window(start=NOW + timedelta(days=1)))
    assert ids == ["e1", "e2", "e3"]
    assert len(pages) == 1


def test_an_edit_moves_an_item_to_its_new_time_and_arrondissement(posts):
    fill(posts, 3)
    old = posts.get("p00")
    moved = posts.replace(
        old, post("p00", created=START + timedelta(days=99), location=location(20))
    )
    assert [p.id for p in posts.page(limit=9).items] == ["p00", "p02", "p01"]
    assert posts.page(limit=9, arrondissement=20).items == (moved,)
    posts.replace(moved, post("p00", created=moved.created))
    assert posts.page(limit=9, arrondissement=20).items == ()


def test_equal_times_are_ordered_by_id_across_shards(posts):
    ids = [f"same{n}" for n in range(8)]
    assert len({bucket_of(NOW, i) for i in ids}) == SHARDS
    for item_id in ids:
        posts.create(post(item_id, created=NOW))
    assert forward(posts, 3)[0] == sorted(ids, reverse=True)


def test_more_shards_later_lose_nothing(posts, monkeypatch):
    for n in range(6):
        posts.create(post(f"before{n}", created=NOW))
    monkeypatch.setattr(timeline, "bucket_of", lambda m, i: bucket_of(m, i, shards=7))
    for n in range(12):
        posts.create(post(f"later{n}", created=NOW))
    assert len(forward(posts, 5)[0]) == 18


def test_many_days_are_read_in_one_list(posts, monkeypatch):
    monkeypatch.setattr(timeline, "_BUCKETS_A_READ", 3)
    fill(posts, 12, step=timedelta(days=1))
    ids, _ = forward(posts, 5)
    assert ids == [f"p{n:02}" for n in reversed(range(12))]
    whole = Window(START, START + timedelta(days=12))
    assert forward(posts, 5, window=whole)[0] == ids


@pytest.mark.parametrize("days", [(3, 3), (5, 2), (-9, -1), (40, 41)])
def test_an_empty_window_is_an_empty_page(posts, days):
    fill(posts, 5)
    window = Window(*(START + timedelta(days=d) for d in days))
    page = posts.page(limit=3, window=window)
    assert (page.items, page.next, page.previous) == ((), None, None)


def test_no_query_asks_for_a_range_that_ends_before_it_starts(posts, monkeypatch):
    """DynamoDB refuses such a range, though the embedded engine may not."""
    monkeypatch.setattr(timeline, "_BUCKETS_A_READ", 1)
    fill(posts, 5)
    asked = []

    def note(params, **_):
        asked.append(params["ExpressionAttributeValues"])

    events = posts.dynamo.client.meta.events
    events.register("provide-client-params.dynamodb.Query", note, unique_id="ranges")
    try:
        windows = [
            Window(START, START + timedelta(days=1)),
            Window(START + timedelta(hours=2), START + timedelta(hours=1)),
            Window(START + timedelta(days=3), START),
            Window(end=START),
            Window(start=START + timedelta(days=9)),
        ]
        cursor = posts.page(limit=2).next
        for window in windows:
            forward(posts, 2, window=window)
            posts.page(limit=2, window=window, cursor=cursor)
            posts.page(limit=2, window=window, arrondissement=9)
            posts.page(limit=2, window=window, association_id="a1", cursor=cursor)
    finally:
        events.unregister("provide-client-params.dynamodb.Query", unique_id="ranges")
    ranges = [
        [values[name]["S"] for name in names]
        for values in asked
        for names in ((":low", ":high"), (":first", ":last"))
        if names[0] in values
    ]
    assert len(ranges) > 10
    assert all(low <= high for low, high in ranges)


def test_empty_days_cost_nothing(posts):
    """Two items years apart are read with as many queries as two on neighbouring days."""
    asked = []
    events = posts.dynamo.client.meta.events
    events.register("before-call.dynamodb.Query", lambda **_: asked.append(1), unique_id="cost")
    try:
        costs = []
        for years in (0, 5):
            clear(posts.dynamo, "Posts", "Day")
            fresh = Posts(posts.dynamo, KEY)
            fresh.create(post("p1", created=NOW))
            fresh.create(post("p2", created=NOW - timedelta(days=1 + 365 * years)))
            asked.clear()
            assert len(fresh.page(limit=5).items) == 2
            costs.append(len(asked))
    finally:
        events.unregister("before-call.dynamodb.Query", unique_id="cost")
    assert costs[0] == costs[1]


def test_a_bucket_stays_as_long_as_the_last_of_its_items(store):
    def expiry():
        rows = store.dynamo.client.scan(TableName="Day")["Items"]
        return {int(row["expires"]["N"]) for row in rows if row["timeline"]["S"] == "News"}

    soon, late = NOW + timedelta(days=1), NOW + timedelta(days=90)
    store.news.create(article("n1", expires_at=late))
    assert expiry() == {int(late.timestamp())}
    same_bucket = next(
        f"n{n}" for n in range(2, 99) if bucket_of(NOW, f"n{n}") == bucket_of(NOW, "n1")
    )
    store.news.create(article(same_bucket, expires_at=soon))
    assert expiry() == {int(late.timestamp())}
    keeps = next(f"k{n}" for n in range(2, 99) if bucket_of(NOW, f"k{n}") == bucket_of(NOW, "n1"))
    store.news.create(article(keeps))
    assert min(expiry()) > late.timestamp() * 100


def test_a_list_the_table_has_no_index_for_is_an_error(store):
    store.associations.page(limit=1)
    with pytest.raises(StoreError):
        store.associations.page(limit=1, arrondissement=9)


def test_orders_rise_with_time_then_id():
    orders = [order_of(START, "b"), order_of(START, "c"), order_of(NOW, "a")]
    assert all(low < high for low, high in pairwise(orders))
