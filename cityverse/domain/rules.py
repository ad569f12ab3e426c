"""Rules that fields of every kind share. Each raises InvalidField naming the field."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from urllib.parse import urlsplit

from cityverse.errors import InvalidField

# Tab and line feed may stand in a text; every other control character may not.
# Half of a surrogate pair is no character at all.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


def check_id(field: str, value: str) -> None:
    """An id is 1 to 64 letters, digits and ``_ . : -``."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidField(field, "an id is 1 to 64 letters, digits and _ . : -")


def check_text(field: str, value: str, *, longest: int, required: bool = True) -> None:
    """A text of at most ``longest`` characters without control characters."""
    if not isinstance(value, str):
        raise InvalidField(field, "must be a text")
    if required and not value.strip():
        raise InvalidField(field, "must not be empty")
    if len(value) > longest:
        raise InvalidField(field, f"has {len(value)} characters, at most {longest} are allowed")
    if _CONTROL.search(value):
        raise InvalidField(field, "holds a control character")


def check_link(field: str, value: str | None) -> None:
    """An address is absolute, http or https, without credentials, of at most 2,048 characters."""
    if value is None:
        return
    try:
        parts = urlsplit(value)
        usable = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and parts.port != 0
        )
    except ValueError:
        usable = False
    if not usable or len(value) > 2048 or _CONTROL.search(value) or any(map(str.isspace, value)):
        raise InvalidField(field, "must be an http or https address of at most 2048 characters")


def check_time(field: str, value: datetime | None) -> None:
    """A time knows its time zone and lies between 1970 and 2199; None is no time."""
    if value is None:
        return
    if value.tzinfo is None:
        raise InvalidField(field, "must have a time zone")
    if not 1970 <= value.year < 2200:
        raise InvalidField(field, "lies outside 1970 to 2199")


def check_between(field: str, value: float, lowest: float, highest: float) -> None:
    """A number within both bounds, which are allowed themselves."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidField(field, "must be a number")
    if not lowest <= value <= highest:
        raise InvalidField(field, f"must lie between {lowest:g} and {highest:g}")


def fold(text: str) -> str:
    """Lower case without accents or ligatures, for comparing and searching."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
    return bare.replace("œ", "oe").replace("æ", "ae")
