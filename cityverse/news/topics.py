"""What an article is about: a list of words for each topic, and nothing else.

The words stand in ``topics.toml``. One in the title is enough, and so are two in the
summary; of more than three topics the three with the most words stay. Each topic keeps
the words that gave it, so that a reader can see why.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

from cityverse.domain.news import Topic, TopicName
from cityverse.domain.places import Evidence
from cityverse.domain.rules import fold

_FILE = Path(__file__).with_name("topics.toml")
_WORD = re.compile(r"[^\W_]+")
_MOST = 3
_WEIGHTS = {"title": 2, "summary": 1}
_WEIGHT_LEAST = 2
_EVIDENCE_MOST = 5
# "plus" and "gaz" are no plurals: of so few letters nothing is taken away.
_PLURAL_LEAST = 4


def topics_of(title: str, summary: str) -> tuple[Topic, ...]:
    """The topics of an article, the one with most words first; none where nothing says one."""
    weights: dict[TopicName, int] = defaultdict(int)
    evidence: dict[TopicName, list[Evidence]] = defaultdict(list)
    seen: set[tuple[TopicName, str]] = set()
    for field, text in (("title", title), ("summary", summary)):
        for name, found in _found(field, text):
            evidence[name].append(found)
            word = fold(found.words)
            if (name, word) not in seen:  # the same word again says nothing new
                seen.add((name, word))
                weights[name] += _WEIGHTS[field]
    names = [name for name in TopicName if weights[name] >= _WEIGHT_LEAST]
    names.sort(key=lambda name: -weights[name])
    return tuple(Topic(name, tuple(evidence[name][:_EVIDENCE_MOST])) for name in names[:_MOST])


def _found(field: str, text: str) -> list[tuple[TopicName, Evidence]]:
    """The words of all topics in a text, the longest phrase that starts at each word."""
    matches = list(_WORD.finditer(text))
    words = [fold(match[0]) for match in matches]
    found: list[tuple[TopicName, Evidence]] = []
    at = 0
    while at < len(words):
        length, names = _longest(words, at)
        start, end = matches[at].start(), matches[at + length - 1].end()
        found += [(name, Evidence(field, start, end, text[start:end])) for name in names]
        at += length
    return found


def _longest(words: list[str], at: int) -> tuple[int, tuple[TopicName, ...]]:
    """How many words the longest phrase from ``at`` on has (1 when none does), and its topics."""
    phrases, stems, most = _lexicon()
    for length in range(min(most, len(words) - at), 0, -1):
        phrase = " ".join(words[at : at + length])
        names = phrases.get(phrase)
        if names is None and phrase[-1] in "sx" and len(phrase) > _PLURAL_LEAST:
            names = phrases.get(phrase[:-1])
        if names is not None:
            return length, names
    stemmed = (names for stem, names in stems if words[at].startswith(stem))
    return 1, next(stemmed, ())


_Names = tuple[TopicName, ...]


@cache
def _lexicon() -> tuple[dict[str, _Names], tuple[tuple[str, _Names], ...], int]:
    """Phrases and stems with their topics, and the number of words of the longest phrase."""
    listed = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    phrases: dict[str, _Names] = {}
    stems: dict[str, _Names] = {}
    for name, words in listed.items():
        for word in words:
            into = stems if word.endswith("*") else phrases
            key = " ".join(_WORD.findall(fold(word)))
            into[key] = (*into.get(key, ()), TopicName(name))
    return phrases, tuple(stems.items()), max(key.count(" ") + 1 for key in phrases)
