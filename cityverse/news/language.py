"""The language of an article: told from its words, else as its feed says."""

from __future__ import annotations

from functools import cache
from typing import Any

LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "uk", "zh")
"""What is told apart: ISO 639-1 codes."""

# Fewer letters, or less certainty than this, say too little.
_LETTERS_LEAST = 12
_CERTAIN = 0.6


def language_of(text: str, told: str | None = None) -> str | None:
    """The ISO 639-1 code of ``text``; ``told`` (the feed's own word) where the text is unclear."""
    if sum(map(str.isalpha, text)) < _LETTERS_LEAST:
        return told
    language, certainty = _identifier().classify(text)
    return str(language) if certainty >= _CERTAIN else told


@cache
def _identifier() -> Any:
    # Its tables take a second and some 80 MB: only a process that meets articles loads them.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
