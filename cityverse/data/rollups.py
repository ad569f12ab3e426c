"""Daily figures, each cause counted once: table Rollup."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Any

from cityverse.data.client import ConditionFailed, Dynamo, put_write, update_write
from cityverse.domain.people import check_whole
from cityverse.domain.rules import check_id, check_text, check_time
from cityverse.errors import InvalidField

TABLE = "Rollup"
# How long a cause is remembered: far longer than any repetition of it can come.
REMEMBERED = timedelta(days=400)
DAYS_MOST = 800
AMOUNT_MOST = 10**12
# Figures stay whole numbers that every program reads exactly.
_SUM_MOST = 2**53 - AMOUNT_MOST


def series_of(metric: str, scope: str) -> str:
    """The name of a series: what is counted, and where (``posts``, ``city`` or an id)."""
    check_id("metric", metric)
    check_id("scope", scope)
    return f"{metric}#{scope}"


class RollupRepository:
    """Figures of a series by day; cents and counts are whole numbers."""

    def __init__(self, dynamo: Dynamo) -> None:
        self.dynamo = dynamo

    def write_of(self, series: str, day: date, amount: int) -> dict[str, Any]:
        """The write that counts, for the transaction of what is counted."""
        _check_series(series)
        check_whole("amount", amount, lowest=-AMOUNT_MOST, highest=AMOUNT_MOST)
        return update_write(
            TABLE,
            {"series": series, "day": day.isoformat()},
            {},
            condition="attribute_not_exists(amount) OR amount BETWEEN :least AND :most",
            values={":least": -_SUM_MOST, ":most": _SUM_MOST},
            added={"amount": amount},
        )

    def add(self, series: str, day: date, amount: int, cause: str, now: datetime) -> bool:
        """Count ``amount`` for a cause; False when the series counted this cause before.

        ``cause`` is any text that tells one act from all others. Raises InvalidField when
        the figure would grow beyond what can be counted exactly.
        """
        check_text("cause", cause, longest=500)
        check_time("now", now)
        receipt = put_write(
            "Receipt",
            {"id": _receipt(series, cause), "expires": int((now + REMEMBERED).timestamp())},
            ConditionExpression="attribute_not_exists(id)",
        )
        try:
            self.dynamo.transact([receipt, self.write_of(series, day, amount)])
        except ConditionFailed as failure:
            if 0 in failure.failed:
                return False
            raise InvalidField("amount", "the figure grows too large") from failure
        return True

    def between(self, series: str, first: date, last: date) -> dict[date, int]:
        """The figure of every day from ``first`` to ``last`` (both included, at most 800 days)."""
        _check_series(series)
        days = (last - first).days + 1
        check_whole("days", days, lowest=1, highest=DAYS_MOST)
        rows = self.dynamo.query(
            TABLE,
            limit=days,
            KeyConditionExpression="series = :series AND #day BETWEEN :first AND :last",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={
                ":series": series,
                ":first": first.isoformat(),
                ":last": last.isoformat(),
            },
            ConsistentRead=True,
        )
        figures = {first + timedelta(days=n): 0 for n in range(days)}
        return figures | {date.fromisoformat(row["day"]): int(row["amount"]) for row in rows}


def _check_series(series: str) -> None:
    metric, _, scope = series.partition("#")
    series_of(metric, scope)


def _receipt(series: str, cause: str) -> str:
    return f"rollup#{hashlib.sha256(f'{series} {cause}'.encode()).hexdigest()}"
