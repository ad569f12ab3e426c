"""PDF documents: whether the structure is that of one document, plain and passive."""

from __future__ import annotations

import re

from cityverse.domain.media import PDF_BYTES_MOST
from cityverse.errors import InvalidField

_HEADER = re.compile(rb"%PDF-[12]\.\d[\r\n ]")
_END = re.compile(rb"startxref\s+(\d{1,10})\s+%%EOF[\s\0]*\Z")
_TAIL = 2048
_TABLE = re.compile(rb"\s*(xref\s|\d{1,10} \d{1,5} obj\b)")
_ACTIVE = re.compile(
    rb"/(JavaScript|JS|Launch|EmbeddedFiles?|EF|RichMedia|SubmitForm|ImportData)(?![A-Za-z])"
)
# A name may spell any of its letters as #hh.
_SPELLED = re.compile(rb"#([0-9A-Fa-f]{2})")


def check_pdf(data: bytes) -> None:
    """Raise InvalidField unless this is one whole PDF document.

    Looks at the header, the end, that the cross-reference lies where the end says, that
    nothing is encrypted, and that no script, attachment or program is named in the open.
    """
    if not data:
        raise _refused("the file is empty")
    if len(data) > PDF_BYTES_MOST:
        raise _refused(f"more than {PDF_BYTES_MOST // 1_000_000} MB")
    if not _HEADER.match(data):
        raise _refused("no PDF document")
    end = _END.search(data, max(0, len(data) - _TAIL))
    if end is None:
        raise _refused("incomplete, or with something appended")
    if not _TABLE.match(data, min(int(end[1]), len(data))):
        raise _refused("damaged: the table of its objects is not where it should be")
    data = _SPELLED.sub(lambda found: bytes([int(found[1], 16)]), data)
    if re.search(rb"/Encrypt\b", data):
        raise _refused("encrypted")
    if _ACTIVE.search(data):
        raise _refused("holds a script, an attachment or a program")


def _refused(reason: str) -> InvalidField:
    return InvalidField("pdf", reason)
