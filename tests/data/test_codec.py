"""What goes into the store comes out equal; what does not fit is refused by name."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from helpers import article, association, location, mission, post, source
from hypothesis import given, settings
from hypothesis import strategies as st

from cityverse.data.client import decode, encode
from cityverse.data.codec import SCHEMA_VERSION, from_item, time_text, to_item
from cityverse.domain.community import Association, Event, Mission, MissionStatus, Post
from cityverse.domain.news import (
    Article,
    Correction,
    Source,
    SourceStatus,
    Topic,
    TopicName,
    Withdrawal,
)
from cityverse.domain.places import Evidence, Location, Precision
from cityverse.errors import InvalidField

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
times = st.datetimes(datetime(1971, 1, 1), datetime(2198, 12, 31), timezones=zones)  # noqa: DTZ001
counts = st.integers(0, 2**53)
numbers = st.floats(-1e6, 1e6, allow_subnormal=False).filter(
    lambda x: x == 0 or abs(x) > 1e-120  # the store itself keeps no smaller ones
)
evidence = st.builds(Evidence, texts, counts, counts, texts)
locations = st.builds(
    Location,
    place=texts,
    lat=numbers,
    lon=numbers,
    precision=st.sampled_from(Precision),
    arrondissement=st.none() | st.integers(1, 20),
    score=numbers,
    evidence=st.lists(evidence, max_size=3).map(tuple),
)
topics = st.builds(
    Topic, st.sampled_from(TopicName), st.lists(evidence, min_size=1, max_size=2).map(tuple)
)
placed = st.none() | locations
optional_texts = st.none() | texts
optional_times = st.none() | times
common = {"id": texts, "demo": st.booleans(), "version": counts}
authored = {"association_id": texts, "association_name": texts, "created": times}
entities = st.one_of(
    st.builds(
        Association,
        **common,
        name=texts,
        created=times,
        description=texts,
        website=optional_texts,
        goals=st.frozensets(st.integers(1, 17)),
        location=placed,
        verified=st.booleans(),
    ),
    st.builds(Post, **common, **authored, text=texts, title=texts, location=placed),
    st.builds(
        Mission,
        **common,
        **authored,
        title=texts,
        description=texts,
        starts=times,
        places=counts,
        approved=counts,
        status=st.sampled_from(MissionStatus),
        location=placed,
    ),
    st.builds(
        Event,
        **common,
        **authored,
        title=texts,
        description=texts,
        starts=times,
        ends=times,
        location=placed,
    ),
    st.builds(
        Article,
        **common,
        source_id=texts,
        source_name=texts,
        title=texts,
        published=times,
        link=optional_texts,
        summary=texts,
        author=optional_texts,
        image=optional_texts,
        updated=optional_times,
        location=placed,
        content_hash=texts,
        expires_at=optional_times,
        entry_hash=texts,
        language=optional_texts,
        topics=st.lists(topics, max_size=2).map(tuple),
        withdrawn_at=optional_times,
        correction=st.none() | st.builds(Correction, texts, times, placed),
        withdrawal=st.none() | st.builds(Withdrawal, times, texts),
    ),
    st.builds(
        Source,
        **common,
        name=texts,
        url=texts,
        home=optional_texts,
        status=st.sampled_from(SourceStatus),
        etag=optional_texts,
        last_modified=optional_texts,
        content_hash=optional_texts,
        next_check_at=optional_times,
        last_check_at=optional_times,
        last_success_at=optional_times,
        error_count=counts,
        error=optional_texts,
        interval=counts,
        articles=counts,
        located=counts,
        warning=optional_texts,
        configured=st.booleans(),
        configured_url=optional_texts,
        lease_until=optional_times,
    ),
)


def through_the_store(entity):
    return from_item(type(entity), decode(encode(to_item(entity))))


@settings(max_examples=150, deadline=None)
@given(entities)
def test_round_trip(entity):
    assert through_the_store(entity) == entity


@settings(max_examples=30, deadline=None)
@given(entities)
def test_none_and_empty_sets_take_no_room(entity):
    item = to_item(entity)
    assert item.pop("schema_version") == SCHEMA_VERSION
    left_out = {f.name for f in dataclasses.fields(entity) if f.init} - item.keys()
    assert all(getattr(entity, name) in (None, frozenset()) for name in left_out)


@given(times, times)
def test_times_sort_as_text(one, other):
    assert (time_text(one) < time_text(other)) == (one < other)
    assert (time_text(one) == time_text(other)) == (one == other)


def test_every_entity_and_field_is_covered():
    """A field added to an entity must be added above, else its round trip is not tried."""
    # The others derive their strategies from their types: see tests/invariants.
    for kind in (Article, Source):
        strategy = next(
            s for s in entities.original_strategies if f"builds({kind.__name__}," in repr(s)
        )
        missing = {
            f.name
            for f in dataclasses.fields(kind)
            if f.init and f"{f.name}=" not in repr(strategy)
        }
        assert not missing


def test_attributes_the_entity_does_not_know_are_passed_over():
    item = to_item(post()) | {"bucket": "2026-11-22#1", "new_in_version_9": {"a": [1]}}
    assert from_item(Post, item) == post()


@pytest.mark.parametrize(
    ("entity", "name", "value", "field"),
    [
        (post(), "title", Decimal(7), "title"),
        (post(), "title", ["a"], "title"),
        (post(), "created", Decimal(7), "created"),
        (post(), "created", "yesterday", "created"),
        (post(), "created", "2026-11-22T12:00:00", "created"),
        (post(), "demo", "yes", "demo"),
        (post(), "demo", Decimal(1), "demo"),
        (post(), "version", True, "version"),
        (post(), "version", "1", "version"),
        (post(), "version", Decimal("1.5"), "version"),
        (post(), "version", Decimal("NaN"), "version"),
        (post(), "location", "Paris", "location"),
        (mission(), "status", "ajar", "status"),
        (association(), "goals", [Decimal(1)], "goals"),
        (association(), "goals", {"one"}, "goals"),
        (source(), "etag", Decimal(1), "etag"),
    ],
)
def test_wrong_types_are_refused_by_field(entity, name, value, field):
    with pytest.raises(InvalidField) as refused:
        from_item(type(entity), to_item(entity) | {name: value})
    assert refused.value.field == field


@pytest.mark.parametrize("inner", ["place", "lat", "precision"])
def test_an_inner_entity_that_lacks_a_field_is_refused(inner):
    item = to_item(article(location=location()))
    del item["location"][inner]
    with pytest.raises(InvalidField):
        from_item(Article, item)


def test_an_item_of_another_table_is_refused_with_its_id():
    with pytest.raises(InvalidField) as refused:
        from_item(Post, {"id": "x1", "email": "someone@example.org"})
    assert refused.value.field == "x1"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 5e-324, 1e200])
def test_numbers_the_store_cannot_keep_are_refused(number):
    with pytest.raises(InvalidField) as refused:
        to_item(article(location=location(score=number)))
    assert refused.value.field == "score"


def test_times_come_back_in_utc():
    paris = timezone(timedelta(hours=2))
    back = through_the_store(post(created=datetime(2026, 6, 1, 14, tzinfo=paris)))
    assert back.created.tzinfo is UTC
    assert back.created.hour == 12


def test_an_item_beyond_what_dynamodb_takes_is_refused():
    with pytest.raises(InvalidField, match="too large") as refused:
        to_item(post(text="é" * 180_000))
    assert refused.value.field == "post"
    to_item(post(text="é" * 170_000))
