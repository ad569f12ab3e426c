"""Filters of the city: topics, sources, around a place, and what began before today."""

from datetime import UTC, datetime, timedelta

import pytest
from helpers import article, event, location, mission, post

from cityverse.community import city
from cityverse.community.city import Filter, Period
from cityverse.domain.kinds import Kind
from cityverse.domain.news import Topic, TopicName
from cityverse.domain.places import Evidence

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HERE = (48.8804, 2.3403)
SPORT = (Topic(TopicName.SPORT, (Evidence("title", 0, 5, "match"),)),)


def seen(store, **wanted):
    return {item.id for item in city.look(store, Filter(**wanted), NOW).items}


@pytest.fixture
def articles(store):
    """Two of sport, one of which is far away; one of another source; and a post."""
    far = location(20, lat=48.8631, lon=2.3987)
    store.news.create(article("near", published=NOW, topics=SPORT, location=location(9)))
    store.news.create(article("far", published=NOW, topics=SPORT, location=far))
    store.news.create(
        article("other", published=NOW, source_id="s2", topics=SPORT, location=location(9))
    )
    store.news.create(article("plain", published=NOW, source_id="s2", location=None))
    store.posts.create(post("post", created=NOW, location=location(9)))
    return store


def test_a_topic_or_a_source_leaves_articles_alone(articles):
    assert seen(articles) == {"near", "far", "other", "plain", "post"}
    assert seen(articles, topic=TopicName.SPORT) == {"near", "far", "other"}
    assert seen(articles, source="s2") == {"other", "plain"}
    assert seen(articles, source="s2", topic=TopicName.SPORT) == {"other"}
    assert seen(articles, topic=TopicName.SPORT, arrondissement=20) == {"far"}
    assert seen(articles, source="s2", arrondissement=9) == {"other"}
    assert seen(articles, kinds=(Kind.POST,), topic=TopicName.SPORT) == set()
    assert seen(articles, source="nobody") == set()


def test_around_a_place_is_what_lies_within_walking_distance(articles):
    assert seen(articles, around=HERE) == {"near", "other", "post"}
    assert seen(articles, around=HERE, arrondissement=20) == set()
    assert seen(articles, around=HERE, source="s2", topic=TopicName.SPORT) == {"other"}


def test_all_filters_hold_for_a_search_too(articles):
    words = {"text": "jardin", "period": Period.ALL}
    for number, (source, place) in enumerate([("s1", 9), ("s2", 9), ("s2", 20)]):
        articles.news.create(
            article(
                f"found{number}",
                title="Un jardin",
                published=NOW,
                source_id=source,
                topics=SPORT,
                location=location(place) if place == 9 else location(20, lat=48.8631, lon=2.3987),
            )
        )
    assert {"found0", "found1", "found2"} <= seen(articles, **words)
    assert seen(articles, **words, source="s2", around=HERE) == {"found1"}
    assert seen(articles, **words, topic=TopicName.WEATHER) == set()


def test_many_other_articles_do_not_hide_those_of_a_topic(store):
    store.news.create(article("one", published=NOW - timedelta(hours=9), topics=SPORT))
    for number in range(60):
        store.news.create(article(f"n{number}", published=NOW - timedelta(minutes=number)))
    assert seen(store, topic=TopicName.SPORT, limit=20) == {"one"}


def test_what_began_before_today_and_is_not_over_is_listed(store):
    for name, begun, ends in (
        ("going", NOW - 3 * DAY, NOW + timedelta(minutes=5)),
        ("over", NOW - 3 * DAY, NOW - DAY),
        ("endless", NOW - 3 * DAY, None),
        ("ancient", NOW - 40 * DAY, NOW + DAY),
        ("coming", NOW + timedelta(minutes=1), NOW + timedelta(minutes=9)),
    ):
        store.missions.create(
            mission(name, title="Une haie", starts=begun, ends=ends, location=location(9))
        )
    begun = NOW - 2 * DAY
    store.events.create(event("fair", starts=begun, ends=NOW + DAY, location=location(9)))
    expected = {"going", "coming", "fair"}
    for wanted in ({}, {"arrondissement": 9}, {"around": HERE}):
        # Shortly before midnight what is to come may be of tomorrow.
        assert seen(store, period=Period.WEEK, **wanted) == expected, wanted
    assert seen(store, arrondissement=10) == set()
    assert seen(store, text="haie") == {"going", "coming", "ancient"}
    assert "fair" in seen(store, period=Period.TODAY)


def test_a_crowd_of_the_past_does_not_cost_without_end(store, monkeypatch):
    looked = []
    monkeypatch.setattr(city, "_goes_on", lambda ends, now: looked.append(ends))
    monkeypatch.setattr("cityverse.data.timeline.LOOKED_AT_MOST", 5)
    for number in range(8):
        store.events.create(event(f"e{number}", starts=NOW - 2 * DAY, ends=NOW - DAY))
    assert seen(store, kinds=(Kind.EVENT,)) == set()
    assert len(looked) == 5
