"""Choosing when something begins and ends, in the time of Paris."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import streamlit as st

from cityverse.community.city import CITY_ZONE
from cityverse.ui.shell import Page


def choose(
    page: Page, key: str, starts: datetime | None, ends: datetime | None
) -> tuple[datetime, datetime | None]:
    """Draw the four fields; an end without a date has the date of the start."""
    texts = page.texts
    begun = (starts or _soon(page.now)).astimezone(CITY_ZONE)
    over = None if ends is None else ends.astimezone(CITY_ZONE)
    day, clock, last_day, last_clock = st.columns(4)
    first = day.date_input(
        texts("when.day"), begun.date(), key=f"{key}-day", format="DD/MM/YYYY", min_value=_EARLIEST
    )
    at = clock.time_input(texts("when.clock"), begun.time(), key=f"{key}-clock")
    last = last_day.date_input(
        texts("when.last_day"),
        None if over is None else over.date(),
        key=f"{key}-last-day",
        format="DD/MM/YYYY",
        min_value=_EARLIEST,
    )
    until = last_clock.time_input(
        texts("when.last_clock"),
        None if over is None else over.time(),
        key=f"{key}-last-clock",
    )
    begins = _moment(first if isinstance(first, date) else begun.date(), at or begun.time())
    if until is None and not isinstance(last, date):
        return begins, None
    end_day = last if isinstance(last, date) else begins.date()
    return begins, _moment(end_day, until or time(23, 59))


_EARLIEST = date(2020, 1, 1)


def _soon(now: datetime) -> datetime:
    """Ten in the morning, a week from now."""
    day = now.astimezone(CITY_ZONE).date() + timedelta(days=7)
    return datetime.combine(day, time(10), CITY_ZONE)


def _moment(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock.replace(tzinfo=None), CITY_ZONE)
