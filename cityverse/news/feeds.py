"""The configured list of news sources: the built-in one or a TOML file of the same form."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cityverse.domain.rules import check_id, check_link, check_text
from cityverse.errors import InputError, InvalidField

BUILT_IN = Path(__file__).with_name("feeds.toml")

_LONGEST_FILE = 1024 * 1024
_KEYS = {"id", "name", "url", "home"}
_HEADER = re.compile(r"^\s*\[\[\s*feed\s*\]\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """One source to poll: a stable id, a name to show, the feed and the page behind it."""

    id: str
    name: str
    url: str
    home: str | None = None


def load(path: str | Path | None = None) -> tuple[FeedConfig, ...]:
    """The sources of ``path`` (default: the built-in list), in its order.

    Raises InputError that names the file and the line at fault.
    """
    file = Path(path) if path else BUILT_IN
    try:
        with file.open("rb") as stream:
            data = stream.read(_LONGEST_FILE + 1)
        if len(data) > _LONGEST_FILE:
            raise InputError(f"{file}: over {_LONGEST_FILE} bytes")
        text = data.decode("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file}: {error}") from error
    return _feeds(file, text, document)


def _feeds(file: Path, text: str, document: dict[str, Any]) -> tuple[FeedConfig, ...]:
    rows = document.get("feed", [])
    if set(document) - {"feed"} or not isinstance(rows, list):
        raise InputError(f"{file}: only [[feed]] tables are expected")
    lines = [text.count("\n", 0, match.end()) + 1 for match in _HEADER.finditer(text)]
    feeds: list[FeedConfig] = []
    for number, row in enumerate(rows):
        line = lines[number] if number < len(lines) else 1
        try:
            feed = _feed(row)
            if any(feed.id == other.id for other in feeds):
                raise InvalidField("id", f"{feed.id!r} is used twice")
        except InvalidField as error:
            raise InputError(f"{file}, line {line}: {error}") from error
        feeds.append(feed)
    return tuple(feeds)


def _feed(row: Any) -> FeedConfig:
    if not isinstance(row, dict):
        raise InvalidField("feed", "must be a table")
    for key in sorted(_KEYS - {"home"} - set(row)):
        raise InvalidField(key, "is missing")
    for key in sorted(set(row) - _KEYS):
        raise InvalidField(key, "is not a setting of a feed")
    feed = FeedConfig(row["id"], row["name"], row["url"], row.get("home"))
    check_id("id", feed.id)
    check_text("name", feed.name, longest=120)
    if not isinstance(feed.url, str):
        raise InvalidField("url", "must be a text")
    check_link("url", feed.url)
    check_link("home", feed.home)
    return feed
