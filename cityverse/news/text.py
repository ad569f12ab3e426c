"""HTML fragments of feeds as plain text."""

from __future__ import annotations

import html
import io
import re
from typing import TextIO

import nh3

from cityverse.news.repair import strip_controls

_LONGEST_HTML = 50_000
_BREAK = re.compile(
    r"<(?:br|/p|/div|/li|/h[1-6]|/tr|/td|/blockquote|hr)\b[^<>]{0,200}>", re.IGNORECASE
)
_MARKUP = re.compile(r"<[A-Za-z/!]|&(?:[A-Za-z]{2,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_TAG = re.compile(r"<[A-Za-z/!?]")
_DROPPED_WHOLE = {
    "script",
    "style",
    "title",
    "textarea",
    "noscript",
    "iframe",
    "svg",
    "math",
    "template",
}
# Marks that turn the direction of what follows: of no use here but to deceive.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Text escaped twice or thrice is met in the wild; more rounds only serve those who mean harm.
_ROUNDS = 3


def plain_text(fragment: object, longest: int) -> str:
    """``fragment`` without markup, on one line, of at most ``longest`` characters.

    Scripts and styles go with their content, references become characters, and a
    text that had to be cut ends with an ellipsis.
    """
    if not isinstance(fragment, str):
        return ""
    text = fragment[:_LONGEST_HTML]
    for _ in range(_ROUNDS):
        if not _MARKUP.search(text):
            break
        text = _strip_markup(text)
    if _TAG.search(text):
        text = text.replace("<", " ")
    text = " ".join(_BIDI.sub("", strip_controls(text)).split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def excerpt(text: str, longest: int) -> str:
    """The start of a plain text, at most ``longest`` characters, ended behind a whole word."""
    if len(text) <= longest:
        return text
    start = text[: longest - 1]
    words = start.rpartition(" ")[0] if len(start.rpartition(" ")[0]) > longest // 2 else start
    return words.rstrip(" ,;:–-") + "…"


def speak_utf8(stream: TextIO) -> None:
    """Make a standard stream UTF-8, whatever the locale says; other streams stay as they are."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="strict")


def _strip_markup(text: str) -> str:
    spaced = _BREAK.sub(" ", text)
    bare = nh3.clean(spaced, tags=set(), clean_content_tags=_DROPPED_WHOLE, strip_comments=True)
    return html.unescape(bare)
