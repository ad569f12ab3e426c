"""The texts of e-mails, by language."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT = "fr"
UNASKED = frozenset({"decision", "report_decided", "appeal_decided"})
_FOLDER = Path(__file__).parent / "letters"


@cache
def catalogue(language: str) -> dict[str, Any]:
    """All letters of a language; of French for one there are none of."""
    file = _FOLDER / f"{language}.toml"
    known = {path.stem for path in _FOLDER.glob("*.toml")}
    text = (file if language in known else _FOLDER / f"{DEFAULT}.toml").read_text("utf-8")
    return tomllib.loads(text)


def letter(language: str, name: str, first_name: str, **values: str) -> tuple[str, str]:
    """Subject and text of a letter to somebody, whose first name may be unknown."""
    words = catalogue(language)
    greeting = words["greeting"].format(name=first_name) if first_name else words["stranger"]
    body = words[name]["text"].format(**values)
    # What nobody asks for cannot be ignored as not asked for.
    ending = words["short_ending" if name in UNASKED else "ending"]
    return words[name]["subject"], f"{greeting}\n{body}{ending}"
