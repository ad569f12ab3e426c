"""Daily figures: each cause counted once, read over a span of days."""

from datetime import timedelta

import pytest
from helpers import NOW
from people_helpers import nobody, rows

from cityverse.data.rollups import AMOUNT_MOST, REMEMBERED, series_of
from cityverse.errors import InvalidField

DAY = NOW.date()
SERIES = series_of("posts", "city")


@pytest.fixture
def rollups(dynamo):
    return nobody(dynamo).rollups


def figures(rollups, first=DAY, last=DAY, series=SERIES):
    return list(rollups.between(series, first, last).values())


def test_a_cause_counts_once_in_a_series(rollups):
    assert rollups.add(SERIES, DAY, 3, "post:p1", NOW)
    assert not rollups.add(SERIES, DAY, 3, "post:p1", NOW)
    assert not rollups.add(SERIES, DAY + timedelta(days=1), 5, "post:p1", NOW)
    assert rollups.add(SERIES, DAY, -1, "post:p2", NOW)
    assert rollups.add(series_of("posts", "a1"), DAY, 1, "post:p1", NOW)
    assert figures(rollups, last=DAY + timedelta(days=1)) == [2, 0]
    assert figures(rollups, series="posts#a1") == [1]


def test_days_without_anything_are_zero(rollups):
    rollups.add(SERIES, DAY, 2, "one", NOW)
    rollups.add(SERIES, DAY - timedelta(days=2), 1, "two", NOW)
    rollups.add(SERIES, DAY + timedelta(days=3), 9, "outside", NOW)
    week = rollups.between(SERIES, DAY - timedelta(days=3), DAY + timedelta(days=2))
    assert list(week) == [DAY + timedelta(days=n) for n in range(-3, 3)]
    assert list(week.values()) == [0, 1, 0, 2, 0, 0]


def test_an_act_can_count_in_its_own_transaction(rollups):
    rollups.dynamo.transact([rollups.write_of(SERIES, DAY, 4)])
    assert figures(rollups) == [4]


def test_a_figure_stays_exact_or_does_not_grow(rollups):
    rollups.dynamo.put("Rollup", {"series": SERIES, "day": DAY.isoformat(), "amount": 2**53 - 5})
    with pytest.raises(InvalidField) as refused:
        rollups.add(SERIES, DAY, 10, "one", NOW)
    assert refused.value.field == "amount"
    assert figures(rollups) == [2**53 - 5]
    assert rows(rollups.dynamo, "Receipt") == []


def test_a_cause_is_remembered_for_a_long_time_and_cannot_be_read_back(rollups):
    rollups.add(SERIES, DAY, 1, "somebody@example.org", NOW)
    (receipt,) = rows(rollups.dynamo, "Receipt")
    assert receipt["expires"] == int((NOW + REMEMBERED).timestamp())
    assert "somebody" not in receipt["id"]


@pytest.mark.parametrize(
    ("series", "amount", "cause", "field"),
    [
        ("posts", 1, "c", "scope"),
        ("#city", 1, "c", "metric"),
        ("posts#a#b", 1, "c", "scope"),
        (SERIES, 1.5, "c", "amount"),
        (SERIES, True, "c", "amount"),
        (SERIES, AMOUNT_MOST + 1, "c", "amount"),
        (SERIES, 1, "", "cause"),
        (SERIES, 1, "\ud800", "cause"),
    ],
)
def test_bad_input_is_refused_by_name(rollups, series, amount, cause, field):
    with pytest.raises(InvalidField) as refused:
        rollups.add(series, DAY, amount, cause, NOW)
    assert refused.value.field == field


@pytest.mark.parametrize("days", [-1, 800, 10_000])
def test_the_span_is_bounded(rollups, days):
    with pytest.raises(InvalidField):
        rollups.between(SERIES, DAY, DAY + timedelta(days=days))
