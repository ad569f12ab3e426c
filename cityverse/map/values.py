"""What sources write about a building: heights, storeys, names, in all spellings."""

from __future__ import annotations

import math
import re
from typing import Any

from cityverse.map.features import Report

STOREY = 3.1
# The usual height of Paris, for buildings of which nothing is known.
DEFAULT_HEIGHT = 18.0
_HIGHEST = 400.0
_LEVELS_MOST = 130
_TEXT_MOST = 120

_METRES = re.compile(r"\s*(\d{1,9}(?:[.,]\d{1,30})?)\s*(?:m|metre|metres|meter|meters)?\s*")
_FEET = re.compile(r"\s*(\d{1,9})\s*(?:'|ft)\s*(?:(\d{1,9}(?:\.\d{1,30})?)\s*(?:\"|in))?\s*")
_NUMBER = re.compile(r"\s*(\d{1,9}(?:[.,]\d{1,30})?)\s*")
# As the city's plans say it: the ground floor and so many storeys above it.
_ABOVE_GROUND = re.compile(r"\s*R(?:\s*\+\s*(\d{1,3}))?\s*", re.IGNORECASE)


def heights(height: Any, levels: Any, report: Report, *, roof: float = 0.0) -> tuple[float, int]:
    """Height in metres and storeys: as measured, else from storeys and ``roof``, else usual.

    A height that makes no sense counts as none, and is noted in ``report``.
    """
    measured, count = metres(height), storeys(levels)
    if measured is None and height not in (None, ""):
        report.noted["heights without sense"] += 1
    if measured is not None:
        return round(measured, 1), round(count) or max(1, round(measured / STOREY))
    if count:
        return round(count * STOREY + roof, 1), round(count)
    report.noted["of usual height, for want of a better"] += 1
    return DEFAULT_HEIGHT, round(DEFAULT_HEIGHT / STOREY)


def metres(value: Any) -> float | None:
    """A length between 1 and 400 m, as a number or in words; None for anything else."""
    if isinstance(value, str):
        value = _from_words(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 1 <= value <= _HIGHEST else None


def _from_words(text: str) -> float | None:
    if found := _METRES.fullmatch(text):
        return float(found[1].replace(",", "."))
    if found := _FEET.fullmatch(text):
        return int(found[1]) * 0.3048 + float(found[2] or 0) * 0.0254
    return None


def storeys(value: Any) -> float:
    """A number of storeys, the ground floor included (``4``, ``R+3``); 0 for anything else."""
    if isinstance(value, str):
        if found := _ABOVE_GROUND.fullmatch(value):
            value = int(found[1] or 0) + 1
        else:
            found = _NUMBER.fullmatch(value)
            value = float(found[1].replace(",", ".")) if found else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 < value <= _LEVELS_MOST and math.isfinite(value) else 0.0


def text(value: Any) -> str | None:
    """A name or number as printable text of bounded length, or None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int) and abs(value) >= 2**63:
        return None
    whole = str(value)[: 4 * _TEXT_MOST]
    if not whole.isprintable():
        whole = "".join(c if c.isprintable() else " " for c in whole)
    return " ".join(whole.split())[:_TEXT_MOST] or None
