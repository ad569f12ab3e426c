"""The demo city: complete, labelled, the same every time, and gone when removed."""

import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from helpers import association, clear, post
from hypothesis import given, settings
from hypothesis import strategies as st

from cityverse.community import demo
from cityverse.domain.places import Precision

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
SMALL = {
    "associations": 3,
    "posts": 5,
    "missions": 2,
    "events": 2,
    "campaigns": 2,
    "news": 4,
}
MAKERS = {
    "associations": "association",
    "posts": "post",
    "missions": "mission",
    "events": "event",
    "campaigns": "campaign",
    "news": "article",
}


def city(now=NOW, sizes=demo.SIZES):
    """Every item of a demo city, by kind."""
    made = demo._City(now, sizes)
    return {
        kind: [getattr(made, MAKERS[kind])(n) for n in range(count)]
        for kind, count in sizes.items()
    }


@pytest.fixture(scope="module")
def usual():
    return city()


def everything(made):
    return list(itertools.chain.from_iterable(made.values()))


def test_every_item_is_sound_and_labelled(usual):
    for item in everything(usual):
        item.check()
        assert item.demo
        assert item.id.startswith("demo-")
    assert {kind: len(items) for kind, items in usual.items()} == demo.SIZES


def test_it_uses_all_goals_and_all_arrondissements(usual):
    goals = frozenset().union(*(one.goals for one in usual["associations"]))
    assert goals == frozenset(range(1, 18))
    drawn = [item for kind in ("posts", "missions", "events", "news") for item in usual[kind]]
    assert {i.location.arrondissement for i in drawn if i.location} == set(range(1, 21))


def test_names_and_texts_do_not_repeat(usual):
    assert len({one.name for one in usual["associations"]}) == 14
    for kind in ("posts", "missions", "events", "campaigns", "news"):
        titles = Counter(item.title for item in usual[kind])
        assert titles.most_common(1)[0][1] == 1, titles.most_common(3)


def test_what_an_association_publishes_bears_its_name(usual):
    names = {one.id: one.name for one in usual["associations"]}
    for kind in ("posts", "missions", "events", "campaigns"):
        for item in usual[kind]:
            assert names[item.association_id] == item.association_name


def test_campaigns_are_of_verified_associations_and_nobody_gave(usual):
    verified = {one.id for one in usual["associations"] if one.verified}
    for campaign in usual["campaigns"]:
        assert campaign.association_id in verified
        assert campaign.takes_contributions(NOW)
        assert (campaign.raised, campaign.gifts) == (0, 0)


def test_no_placeholder_is_left(usual):
    texts = json.dumps([repr(item) for item in everything(usual)])
    assert not {"{at}", "{n}", "[rue", "  "} & set(texts.split())
    assert "{" not in texts.replace("frozenset({", "")
    assert "  " not in texts


def test_articles_say_where_they_come_from_and_keep(usual):
    for article in usual["news"]:
        assert (article.source_id, article.source_name) == ("demo", "Actualités de démonstration")
        assert article.link is None
        assert article.expires_at is None


def test_articles_are_of_every_precision_and_some_of_the_whole_city(usual):
    precisions = Counter(a.location and a.location.precision for a in usual["news"])
    assert set(precisions) == {None, *Precision}
    assert 2 <= precisions[None] <= 3


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 100_000))
def test_evidence_stands_where_it_says(number):
    article = demo._City(NOW, demo.SIZES).article(number)
    article.check()
    if article.location is None:
        return
    assert article.location.evidence
    for evidence in article.location.evidence:
        text = getattr(article, evidence.field)
        assert text[evidence.start : evidence.end] == evidence.words
        assert evidence.words.lower() == article.location.place.lower()


@settings(max_examples=40, deadline=None)
@given(
    now=st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    number=st.integers(0, 100_000),
)
def test_times_are_sensible_whenever_it_is_filled(now, number):
    made = demo._City(now, demo.SIZES)
    post_, mission, event, article = (
        make(number) for make in (made.post, made.mission, made.event, made.article)
    )
    for moment, days in ((post_.created, 10), (article.published, 5), (event.created, 10)):
        assert now - timedelta(days=days) - timedelta(hours=14) <= moment <= now
        assert 8 <= moment.astimezone(PARIS).hour < 22
    for moment in (mission.starts, event.starts):
        assert now <= moment <= now + timedelta(days=15)
        assert 8 <= moment.astimezone(PARIS).hour < 21
    assert event.starts < event.ends
    for item in (post_, mission, event, article):
        item.check()


def test_events_are_spread_over_two_weeks(usual):
    days = {(event.starts - NOW).days for event in usual["events"]}
    assert len(days) >= 13


def test_a_large_city_varies_its_texts():
    made = demo._City(NOW, {**demo.SIZES, "posts": 5000, "associations": 500})
    texts = {made.post(n).text for n in range(5000)}
    assert len(texts) > 3500
    assert len({made.association(n).name for n in range(500)}) == 500
    authors = {made.post(n).association_id for n in range(5000)}
    assert len(authors) > 400


def test_places_lie_in_their_arrondissements(shared):
    from shapely.geometry import Point, shape

    path = shared / "data" / "boundaries" / "arrondissements.geojson"
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    areas = {f["properties"]["c_ar"]: shape(f["geometry"]) for f in features}
    wrong = {
        place.words: place.arrondissement
        for place in demo._places(*demo._PRECISIONS)
        if not areas[place.arrondissement].contains(Point(place.lon, place.lat))
    }
    assert wrong == {}


def test_filling_again_adds_nothing(store):
    assert demo.fill(store, SMALL, now=NOW) == 18
    before = store.posts.get("demo-post-0003")
    assert demo.fill(store, SMALL, now=NOW + timedelta(days=3)) == 0
    assert store.posts.get("demo-post-0003") == before
    assert demo.fill(store, {**SMALL, "posts": 7}, now=NOW) == 2


def test_a_filled_city_is_listed_and_found(store):
    demo.fill(store, SMALL, now=NOW)
    assert len(store.posts.page(limit=50).items) == 5
    assert len(store.associations.page(limit=50).items) == 3
    assert store.search("association", "semeurs ourcq")[0].item_id == "demo-association-0001"


def test_progress_is_told(store):
    told = []
    demo.fill(store, SMALL, now=NOW, progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 18), (8, 18), (10, 18), (12, 18), (14, 18), (18, 18)]


def test_an_interrupted_filling_is_completed(store, monkeypatch):
    clear(store.dynamo)
    monkeypatch.setattr(demo, "SIZES", SMALL)

    def interrupt(done, total):
        if done > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.fill_if_new(store, interrupt)
    assert demo.fill_if_new(store) == 8
    assert len(store.news.page(limit=50).items) == 4
    assert demo.fill_if_new(store) == 0


def test_a_city_removed_before_it_was_complete_stays_away(store, monkeypatch):
    clear(store.dynamo)
    monkeypatch.setattr(demo, "SIZES", SMALL)

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.fill_if_new(store, interrupt)
    assert demo.remove(store) == 3
    assert demo.fill_if_new(store) == 0


def test_removing_takes_every_trace_away_and_nothing_else(store):
    clear(store.dynamo)
    store.associations.create(association())
    own = store.posts.create(post("own"))
    demo.fill(store, SMALL, now=NOW)
    assert demo.remove(store) == 18
    assert demo.remove(store) == 0
    assert store.posts.page(limit=9).items == (own,)
    assert len(store.associations.page(limit=9).items) == 1
    assert store.news.page(limit=9).items == ()
    rows = store.dynamo.client.scan(TableName="Term")["Items"]
    assert not any("demo-" in row["order"]["S"] for row in rows)
    assert store.dynamo.count("Demo") == 0


def test_an_interrupted_removal_is_completed(store):
    demo.fill(store, SMALL, now=NOW)

    def interrupt(removed, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.remove(store, interrupt)
    # A mark whose item is gone already must not keep it from ending.
    store.dynamo.put("Demo", {"table": "Posts", "id": "demo-post-9999"})
    assert demo.remove(store) == 16
    assert store.dynamo.count("Demo") == 0
    assert demo.fill_if_new(store) == 0


def test_what_is_published_has_somebody_who_publishes_it(store):
    assert demo.fill(store, {"posts": 2}, now=NOW) == 3
    (one,) = store.associations.page(limit=9).items
    assert {post.association_id for post in store.posts.page(limit=9).items} == {one.id}


def test_a_new_store_is_filled_once_and_not_after_a_removal(store, monkeypatch):
    clear(store.dynamo)
    monkeypatch.setattr(demo, "SIZES", SMALL)
    assert demo.fill_if_new(store) == 18
    assert demo.fill_if_new(store) == 0
    demo.remove(store)
    assert store.holds_nothing()
    assert demo.fill_if_new(store) == 0
    assert demo.fill(store, SMALL) == 18


def test_a_store_with_things_of_its_own_is_left_alone(store):
    store.posts.create(post())
    assert demo.fill_if_new(store) == 0
    clear(store.dynamo, "Posts", "Day", "Term")
    assert demo.fill(store, {"news": 1}) == 1


def test_items_edited_meanwhile_are_removed_too(store):
    from dataclasses import replace

    demo.fill(store, SMALL, now=NOW)
    old = store.posts.get("demo-post-0001")
    store.posts.replace(old, replace(old, title="Changed by somebody"))
    assert demo.remove(store) == 18
    assert store.search("post", "changed") == []
