"""All texts of the pages, by language.

``Texts("fr")("home.title")`` looks a text up in ``texts/fr.toml`` and fills its
placeholders. A key with a number has two forms, ``….one`` and ``….other``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta

from cityverse.community.city import CITY_ZONE
from cityverse.errors import CityVerseError, InvalidField

LANGUAGES: Final = ("fr", "en")
DEFAULT: Final = "fr"
_FOLDER = Path(__file__).parent / "texts"
_RECENT_DAYS = 7


@cache
def catalogue(language: str) -> dict[str, str]:
    """Every text of a language by its dotted key."""
    tree = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return dict(_flat(tree))


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{name}.")
        else:
            pairs.append((prefix + name, value))
    return pairs


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts, dates and numbers of one language."""

    language: str = DEFAULT

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its placeholders filled; KeyError for a key nobody wrote."""
        return catalogue(self.language)[key].format(**values)

    def count(self, key: str, number: int) -> str:
        """A text that says a number: French counts 0 and 1 as singular, English only 1."""
        singular = number < 2 if self.language == "fr" else number == 1
        return self(f"{key}.{'one' if singular else 'other'}", number=number)

    def error(self, error: CityVerseError) -> str:
        """What a page tells about an error; the rule of a field where it can be named."""
        if isinstance(error, InvalidField) and f"field.{error.field}" in catalogue(self.language):
            return self(f"field.{error.field}")
        return self(error.key)

    def ordinal(self, arrondissement: int) -> str:
        """``18e`` or ``18th``."""
        if self.language == "fr":
            return f"{arrondissement}{'er' if arrondissement == 1 else 'e'}"
        endings = {1: "st", 2: "nd", 3: "rd"}
        teen = 10 <= arrondissement % 100 < 20
        return f"{arrondissement}{'th' if teen else endings.get(arrondissement % 10, 'th')}"

    def language_name(self, code: str) -> str:
        """What a language (ISO 639-1) is called; the code itself where nobody knows."""
        names = Locale.parse(self.language).languages
        return str(names.get(code, code))

    def moment(self, when: datetime, now: datetime) -> str:
        """A time as people say it: a distance when near, a date when far."""
        local, today = when.astimezone(CITY_ZONE), now.astimezone(CITY_ZONE).date()
        days = (local.date() - today).days
        clock = format_time(local, "short", locale=self.language)
        if days == 0 and when <= now:
            return format_timedelta(when - now, add_direction=True, locale=self.language)
        if days == 0:
            return self("time.today", clock=clock)
        if days == 1:
            return self("time.tomorrow", clock=clock)
        if days == -1:
            return self("time.yesterday", clock=clock)
        if abs(days) < _RECENT_DAYS:
            return format_datetime(local, "EEEE d MMMM, HH:mm", locale=self.language)
        return format_date(local.date(), "long", locale=self.language)

    def full_moment(self, when: datetime) -> str:
        """Day and time in full, in Paris."""
        return format_datetime(
            when.astimezone(CITY_ZONE), "EEEE d MMMM y, HH:mm", locale=self.language
        )
