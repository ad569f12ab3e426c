"""Makes the text of a feed safe and digestible for feedparser, in one pass over its tags.

The prologue goes (with its DOCTYPE, so that no entity is ever declared), control
characters go, references and bare ampersands are mended, and what would cost
unbounded time or memory (depth, huge tags, floods of tags, endless author or date
fields) is refused or cut.
"""

from __future__ import annotations

import html.entities
import re
from dataclasses import dataclass

from cityverse.errors import FeedUnreadable

DEEPEST = 256
LONGEST_TAG = 64 * 1024
MOST_TAGS = 1_000_000
MOST_TAGS_OF_ENTRY = 5_000
MOST_MENDS = 300_000
ENTRIES_READ = 10_000
"""Entries after these are left out: a feed of more is an archive, not news."""

_TAG_USUAL = 1_000
_ROOTS = {"rss", "rdf", "feed", "channel"}
_ATOM = ("http://www.w3.org/2005/atom", "http://purl.org/atom/", "https://www.w3.org/2005/atom")
# feedparser's own patterns need more than linear time on these when they are very long.
_SHORT = {
    "author", "creator", "managingeditor", "webmaster", "name", "email", "contributor", "publisher",
    "pubdate", "date", "published", "updated", "modified", "created", "issued", "lastbuilddate",
    "expirationdate", "guid", "id", "link", "uri", "url", "ttl", "point", "lat", "long", "width",
    "height", "language", "generator", "docs", "category", "subject", "keywords",
}  # fmt: skip
_SHORT_LONGEST = 4096
_TEXT_LONGEST = 300_000
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufeff\ufffe\uffff]")
_TOKEN = re.compile(r"<!\[CDATA\[|<!--|<[/A-Za-z_][^<>]*>|<|&")
_REFERENCE = re.compile(
    r"&(?:#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,9}))|([A-Za-z][A-Za-z0-9]{1,31}));"
)
_NAME = re.compile(r"</?(?:[\w.-]+:)?([\w.-]+)")
_XML_NAMES = {"amp", "lt", "gt", "quot", "apos"}
_PROLOGUE_LONGEST = 512 * 1024
_WARNING = re.compile(r"<(?:br|b|p|pre|div|font)\b", re.IGNORECASE)
_HTML_START = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_FEED_START = re.compile(
    r"<(?:\?xml\b|(?:[\w.-]{1,20}:)?(?:rss|RDF|feed|channel)[\s>])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Markup:
    """Clean XML from its root element on, and where each of its entries starts.

    ``truncated`` tells that the root element is never closed: the end of the feed is missing.
    """

    text: str
    entries: tuple[int, ...]
    truncated: bool


def strip_controls(text: str) -> str:
    """``text`` without control characters (tab and line ends stay), surrogates and marks."""
    return _CONTROL.sub("", text)


def repair(text: str) -> Markup:
    """Mend the XML of a feed; FeedUnreadable when it is none or passes a limit."""
    root = _find_root(text)
    return _Repairer(text, root).run()


def _find_root(text: str) -> int:
    """Offset of the root element's tag, behind declaration, comments and DOCTYPE."""
    at = _skip_space(text, 0)
    if not text.startswith("<", at) or _WARNING.match(text, at):
        at = _after_junk(text, at)
    while text.startswith(("<?", "<!"), at):
        if at > _PROLOGUE_LONGEST:
            raise FeedUnreadable("the prologue has no end")
        at = _skip_space(text, _after_declaration(text, at))
    tag = _TOKEN.match(text, at)
    if tag is None or len(tag[0]) < 3 or tag[0].startswith(("</", "<!")):
        raise FeedUnreadable("not a feed: no root element")
    _check_root(tag[0])
    return at


def _skip_space(text: str, at: int) -> int:
    end = len(text)
    while at < end and text[at] in " \t\r\n\u00a0\u200b":
        at += 1
    return at


def _after_junk(text: str, at: int) -> int:
    """Some servers print warnings before the feed: look a little further for its start."""
    window = text[at : at + 8192]
    found = _FEED_START.search(window)
    if found is None or _HTML_START.search(window[: found.start()]):
        raise FeedUnreadable("not a feed: neither XML nor JSON")
    return at + found.start()


def _after_declaration(text: str, at: int) -> int:
    if text.startswith("<!--", at):
        closing = "-->"
    elif text.startswith("<?", at):
        closing = "?>"
    else:
        return _after_doctype(text, at)
    end = text.find(closing, at + 2)
    if end < 0:
        raise FeedUnreadable("the prologue has no end")
    return end + len(closing)


def _after_doctype(text: str, at: int) -> int:
    """Offset behind a DOCTYPE, with its internal subset between square brackets."""
    if text[at : at + 9].lower() != "<!doctype":
        raise FeedUnreadable("not a feed: no root element")
    if re.match(r"<!doctype\s+html\b", text[at : at + 200], re.IGNORECASE):
        raise FeedUnreadable("an HTML page, not a feed")
    closing, opening = text.find(">", at), text.find("[", at)
    if closing >= 0 and (opening < 0 or closing < opening):
        return closing + 1
    inside = re.compile(r"""\]\s{0,1000}>""").search(text, opening) if opening >= 0 else None
    if inside is None:
        raise FeedUnreadable("the prologue has no end")
    return inside.end()


def _check_root(tag: str) -> None:
    match = _NAME.match(tag)
    name = match[1].lower() if match else ""
    if name == "html":
        raise FeedUnreadable("an HTML page, not a feed")
    if name not in _ROOTS:
        raise FeedUnreadable(f"not a feed: its root element is <{name[:40]}>")
    namespace = re.search(r"""\sxmlns\s?=\s?["']([^"'<>]{0,300})""", tag)
    if name == "feed" and namespace and not namespace[1].strip().lower().startswith(_ATOM):
        raise FeedUnreadable("not a feed: <feed> of another namespace than Atom")


class _Repairer:
    """One pass: copies the text in pieces and keeps count of depth, tags and entries."""

    def __init__(self, text: str, root: int) -> None:
        self.text = text
        self.at = root
        self.copied = root
        self.pieces: list[str] = []
        self.length = 0
        self.depth = 0
        self.tags = 0
        self.entry_depth = 0
        self.entry_tags = 0
        self.mends = 0
        self.cut: tuple[int, int] | None = None
        self.entries: list[int] = []
        self.root = ""
        self.whole = False

    def run(self) -> Markup:
        match_token = _TOKEN.search
        text = self.text
        while (token := match_token(text, self.at)) is not None:
            if self.cut and token.start() >= self.cut[0]:
                self._replace(*self.cut, "")
                self.cut = None
                continue
            self.at = token.end()
            found = token[0]
            if found == "&":
                self._reference(token.start())
            elif found == "<":
                self._stray(token.start())
            elif found == "<!--":
                self._comment(token.start())
            elif found == "<![CDATA[":
                self._cdata()
            elif not self._tag(token.start(), found):
                break
        else:
            self._copy_to(self.cut[0] if self.cut else len(text))
        return Markup("".join(self.pieces), tuple(self.entries), not self.whole)

    def _put(self, piece: str) -> None:
        self.pieces.append(piece)
        self.length += len(piece)

    def _copy_to(self, end: int) -> None:
        if end > self.copied:
            self._put(self.text[self.copied : end])
        self.copied = end

    def _replace(self, start: int, end: int, by: str) -> None:
        self.mends += 1
        if self.mends > MOST_MENDS:
            raise FeedUnreadable("broken beyond repair")
        self._copy_to(start)
        self._put(by)
        self.copied = self.at = end

    def _reference(self, at: int) -> None:
        match = _REFERENCE.match(self.text, at)
        if match is None:
            self._replace(at, at + 1, "&amp;")
            return
        self.at = match.end()
        digits16, digits10, name = match.groups()
        if name is None:
            code = int(digits16, 16) if digits16 else int(digits10)
            if not _is_character(code):
                self._replace(at, match.end(), "\ufffd" if code > 31 else " ")
        elif name not in _XML_NAMES:
            known = html.entities.html5.get(name + ";")
            by = known if known and not set(known) & set("<>&") else f"&amp;{name};"
            self._replace(at, match.end(), by)

    def _stray(self, at: int) -> None:
        """A "<" that opens nothing: the end of a cut file, or a sign in a text."""
        end = self.text.find("<", at + 1)
        if (end if end >= 0 else len(self.text)) - at > LONGEST_TAG:
            raise FeedUnreadable(f"one tag has over {LONGEST_TAG} characters")
        if self.text.startswith(("<?", "<!"), at):
            closing = self.text.find(">", at, at + LONGEST_TAG)
            self._replace(at, closing + 1 if closing >= 0 else at + 2, "")
        else:
            self._replace(at, at + 1, "&lt;")

    def _comment(self, at: int) -> None:
        end = self.text.find("-->", at + 4)
        self._replace(at, end + 3 if end >= 0 else len(self.text), "")

    def _cdata(self) -> None:
        end = self.text.find("]]>", self.at)
        whole = end >= 0
        end = end if whole else len(self.text)
        if end - self.at > _TEXT_LONGEST:
            self._replace(self.at + _TEXT_LONGEST, end, "")
        self.at = end
        if whole:
            self.at += 3
        else:
            self._copy_to(end)
            self._put("]]>")

    def _tag(self, start: int, tag: str) -> bool:
        """Count one tag; False when enough entries have been read."""
        self.tags += 1
        if len(tag) > LONGEST_TAG:
            raise FeedUnreadable(f"one tag has over {LONGEST_TAG} characters")
        self.entry_tags += 1
        if len(tag) > _TAG_USUAL:  # attributes cost feedparser as much as tags do
            self.entry_tags += tag.count("=")
        if self.tags > MOST_TAGS or self.entry_tags > MOST_TAGS_OF_ENTRY:
            raise FeedUnreadable("too many tags, in one entry or in all")
        match = _NAME.match(tag)
        name = match[1].lower() if match else ""
        self.root = self.root or name
        if tag[1] == "/":
            self.whole = self.whole or name == self.root
            self.depth = self.entry_depth if name in {"item", "entry"} else self.depth - 1
            return True
        if name in {"item", "entry"}:
            if len(self.entries) == ENTRIES_READ:
                self._copy_to(start)
                self.whole = True  # what is missing was left out, not lost on the way
                return False
            self._copy_to(start)
            self.entries.append(self.length)
            self.entry_depth, self.entry_tags = self.depth, 0
        if tag[-2] == "/":
            self.whole = self.whole or self.depth == 0
        else:
            self.depth += 1
            if self.depth > DEEPEST:
                raise FeedUnreadable(f"elements nested over {DEEPEST} deep")
            self._cut_long(_SHORT_LONGEST if name in _SHORT else _TEXT_LONGEST)
        return True

    def _cut_long(self, longest: int) -> None:
        """Plan to cut the text behind a tag where it is longer than any honest feed's."""
        start = self.at
        if self.text.find("<", start, start + longest) >= 0 or start + longest > len(self.text):
            if longest == _SHORT_LONGEST and self.text.startswith("<![CDATA[", start):
                self._cut_short_cdata(start + 9)
            return
        end = self.text.find("<", start)
        keep_to = start + longest
        reference = self.text.rfind("&", keep_to - 40, keep_to)
        self.cut = (reference if reference >= 0 else keep_to, end if end >= 0 else len(self.text))

    def _cut_short_cdata(self, start: int) -> None:
        end = self.text.find("]]>", start)
        if end - start > _SHORT_LONGEST:
            self._replace(start + _SHORT_LONGEST, end, "")
            self.at = end


def _is_character(code: int) -> bool:
    """Whether XML 1.0 allows this code point (surrogates and most controls it does not)."""
    if code < 32:
        return code in {9, 10, 13}
    return code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF and code not in {0xFFFE, 0xFFFF}
