"""Search without Scan: one row for each beginning of a word of an item.

A row lies in the partition of its kind and the first letters of a word, newest
first, and repeats all words of its item, so that a query of several words reads
one partition and intersects without reading items. The words are one text, since
a list of texts would take several times the room.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cityverse.data.client import Dynamo, put_write
from cityverse.data.codec import time_text
from cityverse.domain.rules import fold

TABLE = "Term"
WORDS_MOST = 16
LOOKED_AT_MOST = 200
QUERY_WORDS_MOST = 6
_PREFIX = 3
_WORD = re.compile(r"[a-z0-9]{3,40}")

# Words that stand in nearly every item say nothing.
_STOP = frozenset(
    """
    aux avec ces cette dans des elle est ils elles les leur leurs lui mais nos notre nous par pas
    pour que qui ses son sont sur une vos votre vous paris plus apres avant chez entre the and for
    """.split()  # noqa: SIM905 - a paragraph of words reads better than a list of strings
)


@dataclass(frozen=True, slots=True)
class Searchable:
    """What an item is found by: texts in falling importance, and its place in time."""

    kind: str
    order: datetime
    texts: tuple[str, ...]
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An item that has all words of a query; newest ``order`` first."""

    item_id: str
    order: str


def words_of(*texts: str) -> tuple[str, ...]:
    """The distinct folded words of three letters or more, without those that say nothing."""
    seen: dict[str, None] = {}
    for text in texts:
        for word in _WORD.findall(fold(text)):
            if word not in _STOP:
                seen.setdefault(word)
    return tuple(seen)


def rows(item_id: str, searchable: Searchable) -> list[dict[str, Any]]:
    """The writes that make an item findable; at most ``WORDS_MOST``."""
    words = words_of(*searchable.texts)[:WORDS_MOST]
    common: dict[str, Any] = {
        "order": f"{time_text(searchable.order)}#{item_id}",
        "words": " ".join(words),
    }
    if searchable.expires is not None:
        common["expires"] = searchable.expires
    beginnings = dict.fromkeys(word[:_PREFIX] for word in words)
    return [put_write(TABLE, {"term": f"{searchable.kind}#{b}", **common}) for b in beginnings]


def search(dynamo: Dynamo, kind: str, text: str) -> list[Found] | None:
    """Items of a kind whose words begin with each word of ``text``, newest first.

    None when ``text`` holds no word one can search for. Looks at no more than
    ``LOOKED_AT_MOST`` rows of the longest word, which is taken to be the rarest.
    """
    wanted = words_of(text)[:QUERY_WORDS_MOST]
    if not wanted:
        return None
    rarest = max(wanted, key=len)
    candidates = dynamo.query(
        TABLE,
        limit=LOOKED_AT_MOST,
        KeyConditionExpression="term = :term",
        ExpressionAttributeValues={":term": f"{kind}#{rarest[:_PREFIX]}"},
        ScanIndexForward=False,
    )
    return [
        Found(item_id=row["order"].partition("#")[2], order=row["order"])
        for row in candidates
        if all(f" {word}" in f" {row['words']}" for word in wanted)
    ]
