"""Text of users and sources on a page: always escaped, links only to http and https."""

from __future__ import annotations

import re
from html import escape

from cityverse.domain.places import Evidence


def text(value: str) -> str:
    """A text as HTML that shows exactly these characters; line feeds become breaks."""
    return escape(value).replace("\n", "<br>")


def link(address: str, label: str) -> str:
    """A link to another site, or only its label when the address is not http or https."""
    if not address.startswith(("https://", "http://")):
        return text(label)
    return (
        f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer nofollow">'
        f"{text(label)}</a>"
    )


def own_link(path: str, label: str) -> str:
    """A link to an address of our own server, in a new tab."""
    return f'<a href="{escape(path)}" target="_blank">{text(label)}</a>'


def marked(value: str, field: str, evidence: tuple[Evidence, ...]) -> str:
    """A text with the words marked that are evidence in this field of an item."""
    parts: list[str] = []
    end = 0
    for found in sorted(evidence, key=lambda e: e.start):
        stands = found.words and value[found.start : found.end] == found.words
        if found.field != field or found.start < end or not stands:
            continue
        parts += [text(value[end : found.start]), f"<mark>{text(found.words)}</mark>"]
        end = found.end
    return "".join([*parts, text(value[end:])])


def label(value: str) -> str:
    """A text for a button, in which Streamlit reads Markdown: every sign of it is escaped."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|~:<>$&" else c for c in value)


def literal(value: str) -> str:
    """A text within Markdown, shown as it is: nothing in it becomes a link or a sign."""
    fence = "`" * (1 + max(map(len, re.findall("`+", value)), default=0))
    shown = " ".join(value.split())
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"
