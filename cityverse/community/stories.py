"""Articles that tell one story, shown as one item with the others behind it.

The rule is simple enough to say to a reader: published within two days of each other,
and titles that share at least three words and a good part of all their words; two
articles at one place need less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cityverse.community.city import CityItem, distance
from cityverse.data.terms import words_of
from cityverse.domain.kinds import Kind

_APART = timedelta(days=2)
# Words that must be shared, and which share of all words of both titles that must be.
_SHARED, _ALIKE = 3, 0.4
_SHARED_HERE, _ALIKE_HERE = 2, 0.25
_SAME_PLACE = 300


@dataclass(slots=True)
class _Story:
    first: CityItem
    words: frozenset[str]
    others: list[CityItem] = field(default_factory=list)


def grouped(items: Iterable[CityItem]) -> list[CityItem]:
    """The items in their order, articles of one story behind the first of them in ``also``.

    An article that knows its place stands before one that does not. Compared is with the
    first article alone, so that a chain of small likenesses makes no story.
    """
    stories: dict[str, _Story] = {}
    by_word: dict[str, list[_Story]] = defaultdict(list)
    for item in items:
        words = frozenset(words_of(item.title)) if item.kind is Kind.NEWS else frozenset()
        near = {id(story): story for word in words for story in by_word[word]}
        story = next((s for s in near.values() if _same(s, item, words)), None)
        if story is not None:
            story.others.append(item)
            continue
        story = stories[item.key] = _Story(item, words)
        for word in words:
            by_word[word].append(story)
    return [_told(story.first, story.others) for story in stories.values()]


def _same(story: _Story, item: CityItem, words: frozenset[str]) -> bool:
    first = story.first
    if first.demo != item.demo or abs(first.published - item.published) > _APART:
        return False
    shared = len(story.words & words)
    alike = shared / len(story.words | words)
    if shared >= _SHARED and alike >= _ALIKE:
        return True
    return shared >= _SHARED_HERE and alike >= _ALIKE_HERE and _at_one_place(first, item)


def _at_one_place(one: CityItem, other: CityItem) -> bool:
    if one.location is None or other.location is None:
        return False
    same_precision = one.location.precision == other.location.precision
    return same_precision and distance(one.location, other.location) <= _SAME_PLACE


def _told(first: CityItem, others: Sequence[CityItem]) -> CityItem:
    if not others:
        return first
    everyone = [first, *others]
    front = next((item for item in everyone if item.location is not None), first)
    return replace(front, also=tuple(item for item in everyone if item is not front))
