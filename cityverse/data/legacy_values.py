"""Values of the earlier prototype, in all the forms it wrote them, to values of today.

Each reader answers with None (or nothing) for what it cannot read; the caller says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from cityverse.domain.associations import Activity
from cityverse.domain.community import MissionDuration, MissionType, Qualification
from cityverse.domain.places import EAST, NORTH, SOUTH, WEST, Location, Precision
from cityverse.domain.rules import check_link
from cityverse.errors import InvalidField

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_POSTCODE = re.compile(r"\b75[01](\d\d)\b")
_DIGITS = re.compile(r"\d{9,16}(\.\d{1,9})?")
_FORMATS = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%a %b %d %Y %H:%M:%S GMT%z")

ACTIVITIES = {
    "arts & culture": Activity.ARTS_AND_CULTURE,
    "sports": Activity.SPORTS,
    "social action": Activity.SOCIAL_ACTION,
    "recreation": Activity.RECREATION,
    "humanitary": Activity.HUMANITARIAN_AID,
}
DURATIONS = {
    "1 day": MissionDuration.ONE_DAY,
    "several days": MissionDuration.SEVERAL_DAYS,
    "several weeks": MissionDuration.SEVERAL_WEEKS,
    "several months": MissionDuration.SEVERAL_MONTHS,
}
MISSION_TYPES = {
    "food aid": MissionType.FOOD_AID,
    "social support": MissionType.SOCIAL_SUPPORT,
    "teaching and tutoring": MissionType.TEACHING,
    "environmental protection": MissionType.ENVIRONMENT,
    "support for the homeless": MissionType.HOMELESS_SUPPORT,
    "medical support": MissionType.MEDICAL_SUPPORT,
    "cultural and social activities": MissionType.CULTURE,
    "administrative management and communication": MissionType.ADMINISTRATION,
    # Two options that its list had glued into one.
    "vocational training,legal support": MissionType.VOCATIONAL_TRAINING,
    "vocational training": MissionType.VOCATIONAL_TRAINING,
    "legal support": MissionType.LEGAL_SUPPORT,
    "prevention and awareness-raising": MissionType.PREVENTION,
}
QUALIFICATIONS = {
    "open to all": Qualification.OPEN_TO_ALL,
    "professional": Qualification.PROFESSIONAL,
}


def text(value: Any) -> str:
    """A text without control characters or blanks around it; numbers as text, else empty."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return _CONTROL.sub("", str(value)).strip()
    return ""


def whole(value: Any) -> int | None:
    """A whole number, also where it was written as text or with decimals of no value."""
    found = number(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def number(value: Any) -> Decimal | None:
    """A finite number below a thousand million, also where it was written as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        found = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < 10**9 else None


def truth(value: Any) -> bool | None:
    """A yes or no, also where it was written as text or number."""
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
        text(value).lower()
    )


def moment(value: Any) -> datetime | None:
    """A time in any form it was written: ISO 8601 with ``T`` or a blank, with or without a
    zone (else UTC), day/month/year, as browsers write it, as HTTP does, or seconds since 1970.
    """
    digits = _DIGITS.fullmatch(text(value))
    found = _from_seconds(float(digits[0])) if digits else _from_text(text(value))
    if found is None:
        return None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found if 1970 <= found.year < 2200 else None


def _from_seconds(seconds: float) -> datetime | None:
    if seconds > 10**11:
        seconds /= 1000  # milliseconds, as browsers count
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _from_text(value: str) -> datetime | None:
    bare = re.sub(r"\s*\([^)]*\)$", "", value)
    try:
        return datetime.fromisoformat(bare)
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return datetime.strptime(bare, form)  # noqa: DTZ007 - the zone is added by the caller
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(bare)
    except ValueError:
        return None


def point(value: Any) -> tuple[float, float] | None:
    """Latitude and longitude of a list, or of ``latitude``/``lat``/``y`` and its sibling.

    The two are put right where they were swapped; None outside of what the map shows.
    """
    if isinstance(value, dict):
        pair = [value.get("latitude", value.get("lat", value.get("y"))),
                value.get("longitude", value.get("lon", value.get("x")))]  # fmt: skip
    else:
        pair = list(value)[:2] if isinstance(value, list | tuple) and len(value) >= 2 else []
    numbers = [found for part in pair if (found := number(part)) is not None]
    if len(numbers) != 2:
        return None
    for lat, lon in (numbers, numbers[::-1]):
        if SOUTH <= lat <= NORTH and WEST <= lon <= EAST:
            return float(lat), float(lon)
    return None


def location(address: Any, coordinates: Any) -> Location | None:
    """An address with its point; None when the point is none of the map's."""
    found = point(coordinates)
    if found is None:
        return None
    place = text(address)[:200]
    code = _POSTCODE.search(place)
    arrondissement = int(code[1]) if code and 1 <= int(code[1]) <= 20 else None
    if not place:
        place = f"{found[0]:.4f}, {found[1]:.4f}"
    return Location(place, *found, Precision.ADDRESS, arrondissement)


def goals(value: Any) -> frozenset[int]:
    """Numbers of Sustainable Development Goals out of whole copies of them, or numbers."""
    parts = value if isinstance(value, list | tuple | set) else []
    numbers = (whole(part.get("goal") if isinstance(part, dict) else part) for part in parts)
    return frozenset(n for n in numbers if n is not None and 1 <= n <= 17)


def label(value: Any) -> str:
    """The label of an option, folded: options were ``{id, label}`` or bare texts."""
    return text(value.get("label") if isinstance(value, dict) else value).lower()


def rows(value: Any) -> Iterator[dict[str, Any]]:
    """The maps of a list; nothing for anything else."""
    if isinstance(value, list | tuple):
        yield from (part for part in value if isinstance(part, dict))


def link(value: Any) -> str | None:
    """An address one can open, or None."""
    address = text(value)
    try:
        check_link("link", address)
    except InvalidField:
        return None
    return address


def derived_id(*parts: Any) -> str:
    """An id for what had none, the same each time."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values in their order, none twice."""
    return tuple(dict.fromkeys(values))
