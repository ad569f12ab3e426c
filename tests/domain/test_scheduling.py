"""When a source is asked again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from helpers import source
from hypothesis import given
from hypothesis import strategies as st

from cityverse.domain.news import SourceStatus, after_failure, after_success

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SHORTEST = timedelta(minutes=20)

jitters = st.floats(0, 1)
pauses = st.none() | st.floats() | st.integers(-(10**30), 10**30).map(float)


def success(before, **changes):
    answer = {"etag": '"1"', "last_modified": None, "content_hash": "h", "articles": 2}
    return after_success(before, NOW, **(answer | changes))


@given(asked=st.integers(-(10**20), 10**20), jitter=jitters)
def test_after_success_it_waits_as_asked_within_bounds(asked, jitter):
    after = success(source(), asked_interval=asked, jitter=jitter)
    pause = after.next_check_at - NOW
    assert SHORTEST <= pause <= DAY * 1.1
    if SHORTEST.total_seconds() <= asked <= DAY.total_seconds():
        assert pause >= timedelta(seconds=asked)


@given(errors=st.integers(0, 10_000), retry_after=pauses, jitter=jitters)
def test_after_failure_it_never_waits_less_than_usual_or_more_than_a_day(
    errors, retry_after, jitter
):
    before = source(error_count=errors)
    after = after_failure(before, NOW, "timeout", retry_after=retry_after, jitter=jitter)
    assert SHORTEST <= after.next_check_at - NOW <= DAY * 1.1
    assert after.error_count == errors + 1
    assert after.error == "timeout"


@given(errors=st.integers(0, 50))
def test_each_failure_in_a_row_waits_at_least_as_long_as_the_one_before(errors):
    first = after_failure(source(error_count=errors), NOW, "dns")
    second = after_failure(first, NOW, "dns")
    assert second.next_check_at >= first.next_check_at


def test_the_first_failures_double_the_pause():
    pauses, current = [], source()
    for _ in range(4):
        current = after_failure(current, NOW, "timeout")
        pauses.append((current.next_check_at - NOW) / SHORTEST)
    assert pauses == [1, 2, 4, 8]


@given(seconds=st.floats(1200, 86_400))
def test_a_server_is_not_asked_before_it_wants(seconds):
    after = after_failure(source(), NOW, "http_429", retry_after=seconds)
    assert after.next_check_at >= NOW + timedelta(seconds=seconds)


def test_success_forgets_failures_and_ends_the_lease():
    before = source(error_count=7, error="dns", lease_until=NOW, articles=3)
    after = success(before)
    assert (after.error_count, after.error, after.lease_until) == (0, None, None)
    assert (after.articles, after.last_success_at, after.etag) == (5, NOW, '"1"')


def test_failure_keeps_what_the_next_request_needs():
    before = source(etag='"1"', last_modified="yesterday", content_hash="h", last_success_at=NOW)
    after = after_failure(before, NOW + DAY, "timeout")
    assert (after.etag, after.last_modified, after.content_hash) == ('"1"', "yesterday", "h")
    assert after.last_success_at == NOW
    assert after.last_check_at == NOW + DAY


@pytest.mark.parametrize(("reason", "until"), [("http_410", 1), ("http_404", 5)])
def test_a_feed_that_is_gone_is_paused(reason, until):
    current = source()
    for count in range(1, until + 1):
        assert current.status is SourceStatus.ACTIVE
        current = after_failure(current, NOW, reason)
        assert current.error_count == count
    assert current.status is SourceStatus.PAUSED


def test_a_source_is_due_when_its_time_has_come():
    assert source().due(NOW)
    assert source(next_check_at=NOW).due(NOW)
    assert not source(next_check_at=NOW + timedelta(seconds=1)).due(NOW)
    assert not source(status=SourceStatus.PAUSED).due(NOW)


@given(
    shift=st.timedeltas(timedelta(days=-3650), timedelta(days=3650)),
    errors=st.integers(0, 40),
    jitter=jitters,
    retry_after=pauses,
    asked=st.integers(0, 10**6),
)
def test_the_schedule_knows_no_clock_but_the_time_it_is_given(
    shift, errors, jitter, retry_after, asked
):
    """The same state at another time leads to the same pause and the same state."""
    before = source(error_count=errors, etag='"1"', articles=4)
    kinds = {"retry_after": retry_after, "jitter": jitter}
    pairs = [
        [after_failure(before, at, "timeout", **kinds) for at in (NOW, NOW + shift)],
        [
            after_success(
                before,
                at,
                etag=None,
                last_modified=None,
                content_hash=None,
                articles=1,
                asked_interval=asked,
                jitter=jitter,
            )
            for at in (NOW, NOW + shift)
        ],
    ]
    for here, there in pairs:
        assert there.next_check_at - here.next_check_at == shift
        times = ("next_check_at", "last_check_at", "last_success_at")
        same = dict.fromkeys(times)
        assert replace(here, **same) == replace(there, **same)


def test_a_broken_source_is_tried_once_a_day_and_one_success_makes_it_whole():
    current = source()
    for _ in range(12):
        current = after_failure(current, NOW, "timeout")
    assert current.status is SourceStatus.ACTIVE
    assert current.next_check_at - NOW == DAY
    assert current.due(NOW + DAY)
    again = success(current)
    assert again.next_check_at - NOW == SHORTEST
    assert (after_failure(again, NOW, "timeout").next_check_at - NOW) == SHORTEST


def test_an_address_from_a_redirect_is_doubted_after_three_failures():
    current = source(
        url="https://new.example/feed", configured_url="https://example.org/feed", etag='"1"'
    )
    seen = []
    for _ in range(4):
        current = after_failure(current, NOW, "connect")
        seen.append(current.url)
    assert seen == ["https://new.example/feed"] * 2 + ["https://example.org/feed"] * 2
    assert current.etag is None
    assert current.error_count == 4
