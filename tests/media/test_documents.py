"""Documents by their structure; what is refused names a reason, cheaply."""

import media_files
import pytest
from media_files import pdf

from cityverse.data.documents import check_pdf
from cityverse.domain.media import document_name
from cityverse.errors import InvalidField

DOCUMENTS = media_files.hostile_documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_is_refused(name):
    with pytest.raises(InvalidField) as refusal:
        check_pdf(DOCUMENTS[name])
    assert refusal.value.field == "pdf"


def test_a_document_is_taken():
    check_pdf(pdf())
    check_pdf(pdf(end=b"%%EOF\r\n\0\0 "))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("plan.pdf", "plan.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\me\\plan.PDF", "plan.pdf"),
        ("x" * 5000, "x" * 116 + ".pdf"),
        ("", "document.pdf"),
        ('a"\r\nSet-Cookie: b=c', "aSet-Cookie bc.pdf"),
        ("fête à Montmartre.pdf", "fête à Montmartre.pdf"),
        ("plan\u202efdp.exe", "planfdp.exe.pdf"),
        ("...", "document.pdf"),
    ],
)
def test_names_are_harmless(given, kept):
    assert document_name(given) == kept


@pytest.mark.parametrize(
    "named", [b"/J#61vaScript", b"/J#53 ", b"/EmbeddedFiles ", b"/EF <<", b"/SubmitForm "]
)
def test_what_is_active_is_found_however_it_is_spelled(named):
    with pytest.raises(InvalidField, match="script"):
        check_pdf(pdf(named + b"\n"))
