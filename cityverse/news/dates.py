"""Dates as feeds write them: RFC 822, ISO 8601, and the many that are neither."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from cityverse.domain.rules import fold

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(days=366)

_LONGEST = 100
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan janvier janv",
            "february feb fevrier fevr fev",
            "march mar mars",
            "april apr avril avr",
            "may mai",
            "june jun juin",
            "july jul juillet juil",
            "august aug aout aou",
            "september sep sept septembre",
            "october oct octobre",
            "november nov novembre",
            "december dec decembre",
        ),
        start=1,
    )
    for name in names.split()
}
# Hours east of UTC. Names that mean several zones are read as in Europe or North America.
_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "met": 1,
    "cest": 2, "mest": 2, "eet": 2, "eest": 3, "msk": 3, "est": -5, "edt": -4, "cst": -6,
    "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "jst": 9,
}  # fmt: skip
_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[t ,_]+(?P<h>\d\d?)[:h]?(?P<m>\d\d)(?:[:m]?(?P<s>\d\d)(?:[.,]\d+)?)?)?\s*(?P<zone>.*)"
)
_WORDS = re.compile(
    r"(?:[a-z]{2,9}\.?,?\s+)?(?:le\s+)?(\d{1,2})(?:er|st|nd|rd|th)?[\s-]+([a-z]{3,9})\.?,?[\s-]+(\d{4}|\d{2})"
    r"(?:,?\s*(?:a\s+)?(?P<h>\d\d?)\s?[:h]\s?(?P<m>\d\d)?(?::(?P<s>\d\d)(?:\.\d+)?)?)?\s*(?P<zone>.*)"
)
_AMERICAN = re.compile(
    r"(?:[a-z]{3,9},?\s+)?([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+"
    r"(?:(?P<h>\d\d?):(?P<m>\d\d)(?::(?P<s>\d\d))?\s+(?P<zone>[a-z]{1,4})?\s*)?(\d{4})"
    r"(?:,?\s+(?P<h2>\d\d?):(?P<m2>\d\d)(?::(?P<s2>\d\d))?)?\s*(?P<half>am|pm)?"
)
_NUMERIC = re.compile(
    r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})"
    r"(?:[\s,a-]+(?P<h>\d\d?)[:h](?P<m>\d\d)(?::(?P<s>\d\d))?)?\s*(?P<zone>.*)"
)
_OFFSET = re.compile(r"(?:gmt|utc)?\s*([+-])(\d{1,2}):?(\d\d)?")


def parse_date(text: str | None, now: datetime | None = None) -> datetime | None:
    """The moment ``text`` says, aware, or None when it says none or a senseless one.

    A date without a zone is UTC. Before 1990, or more than a year after ``now``
    (default: the clock), is senseless, and so is a bare number of seconds.
    """
    if not text or len(text) > _LONGEST:
        return None
    folded = " ".join(fold(text).split())
    try:
        moment = _read(folded)
    except (ValueError, OverflowError):
        return None
    if moment is None or not EARLIEST <= moment <= (now or datetime.now(UTC)) + FURTHEST_AHEAD:
        return None
    return moment


def _read(text: str) -> datetime | None:
    if match := _ISO.fullmatch(text):
        return _moment(match, match[1], match[2], match[3])
    if match := _WORDS.fullmatch(text):
        return _moment(match, _full_year(match[3]), _MONTHS.get(match[2], 0), match[1])
    if match := _NUMERIC.fullmatch(text):
        return _moment(match, match[3], match[2], match[1])
    if match := _AMERICAN.fullmatch(text):
        return _american(match)
    return None


def _full_year(year: str) -> int:
    """RFC 822 years have two digits: 70 to 99 belong to the last century."""
    number = int(year)
    if len(year) == 2:
        return number + (1900 if number >= 70 else 2000)
    return number


def _moment(
    match: re.Match[str], year: str | int, month: str | int, day: str | int
) -> datetime | None:
    zone = _zone(match["zone"])
    if zone is None:
        return None
    hour, minute, second = (int(match[part] or 0) for part in "hms")
    midnight = datetime(int(year), int(month), int(day), tzinfo=zone)
    # 24:00 and leap seconds are written now and then; anything beyond is nonsense.
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second):
        return None
    return midnight + timedelta(hours=hour, minutes=minute, seconds=second)


def _american(match: re.Match[str]) -> datetime | None:
    month, day, year = match[1], match[2], match[7]
    zone = _zone(match["zone"] or "")
    if zone is None or month not in _MONTHS:
        return None
    hour = int(match["h"] or match["h2"] or 0)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] == "pm" else 0)
    minute = int(match["m"] or match["m2"] or 0)
    second = min(int(match["s"] or match["s2"] or 0), 59)
    return datetime(int(year), _MONTHS[month], int(day), hour, minute, second, tzinfo=zone)


def _zone(text: str) -> timezone | None:
    """The zone a date ends with; None when it cannot be read."""
    text = text.strip().strip("()").strip()
    if not text:
        return UTC
    if text in _ZONES:
        return timezone(timedelta(hours=_ZONES[text]))
    match = _OFFSET.match(text)
    if match is None:
        return None
    hours, minutes = int(match[2]), int(match[3] or 0)
    if hours > 14 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if match[1] == "-" else offset)
