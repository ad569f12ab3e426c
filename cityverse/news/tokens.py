"""Text as folded words that remember where they stand, so that every match can be shown."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from cityverse.domain.rules import fold

_WORD = re.compile(r"[^\W_]+")
_ABBREVIATIONS = {
    "bd": "boulevard", "bld": "boulevard", "bvd": "boulevard", "boul": "boulevard",
    "blvd": "boulevard", "av": "avenue", "ave": "avenue", "aven": "avenue", "pl": "place",
    "fbg": "faubourg", "fg": "faubourg", "fb": "faubourg", "pte": "porte", "st": "saint",
    "ste": "sainte", "sts": "saints", "sq": "square", "imp": "impasse", "hop": "hopital",
    "hosp": "hopital", "gal": "general", "pdt": "president", "crs": "cours", "univ": "universite",
    "nd": "notre dame", "cim": "cimetiere",
}  # fmt: skip
FACTS = Path(__file__).with_name("facts")


def read_words(name: str) -> frozenset[str]:
    """The words of ``facts/<name>.txt``; lines that start with "#" are comments."""
    lines = (FACTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


PARTICLES = read_words("particles")
"""Articles and prepositions inside names."""


@lru_cache(maxsize=50_000)
def fold_word(word: str) -> str:
    """One word, lower case, without accents, abbreviations spelled out."""
    plain = "".join(c for c in fold(word) if c.isalnum()) or "_"
    return _ABBREVIATIONS.get(plain, plain)


def fold_phrase(text: str) -> str:
    """``text`` as folded words with single spaces between them."""
    return " ".join(fold_word(word) for word in _WORD.findall(text))


class Tokens:
    """The words of one text.

    ``line`` is all of them folded, with a space on either side of each; ``words[i]``
    stands at ``text[starts[i]:ends[i]]``. ``cased`` tells whether capital letters say
    anything here: a text all in capitals, or without any after its first word, uses
    them for nothing. ``shouted`` tells that it is all in capitals.
    """

    __slots__ = (
        "_first",
        "_last",
        "cased",
        "ends",
        "line",
        "raw",
        "shouted",
        "starts",
        "text",
        "words",
    )

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        for match in _WORD.finditer(text):
            self.raw.append(match[0])
            self.starts.append(match.start())
            self.ends.append(match.end())
        self.words = [fold_word(word) for word in self.raw]
        self._spell_out_signs()
        self.line = f" {' '.join(self.words)} "
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        at = 1
        for number, word in enumerate(self.words):
            self._first[at] = number
            at += len(word)
            self._last[at] = number
            at += 1
        capitals = sum(1 for word in self.raw[1:] if word[0].isupper())
        lower = any(word.islower() and word.isalpha() and len(word) > 1 for word in self.raw)
        self.cased = capitals > 0 and lower
        self.shouted = bool(self.raw) and not lower

    def _spell_out_signs(self) -> None:
        """ "M°" is the metro and "r." before a name a street, which single words do not tell."""
        for number, word in enumerate(self.words):
            if word in {"m", "mo", "r"}:
                sign = self.text[self.ends[number] - 1 : self.ends[number] + 1]
                if word != "r" and sign[-1:] in {"°", "º"}:
                    self.words[number] = "metro"
                elif word == "r" and sign[-1:] == ".":
                    self.words[number] = "rue"

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """First and last word of ``line[start:end]`` (with its outer spaces), if whole words."""
        first, last = self._first.get(start + 1), self._last.get(end - 1)
        return None if first is None or last is None else (first, last)

    def left(self, first: int, count: int = 6) -> str:
        """Up to ``count`` folded words before word ``first``."""
        return " ".join(self.words[max(0, first - count) : first])

    def right(self, last: int, count: int = 4) -> str:
        """Up to ``count`` folded words after word ``last``."""
        return " ".join(self.words[last + 1 : last + 1 + count])

    def after(self, last: int) -> str:
        """What stands between word ``last`` and the next one."""
        following = self.starts[last + 1] if last + 1 < len(self.starts) else len(self.text)
        return self.text[self.ends[last] : following]

    def capital(self, number: int) -> bool:
        """Whether the word starts with a capital letter or a digit."""
        return self.raw[number][0].isupper() or self.raw[number][0].isdigit()
