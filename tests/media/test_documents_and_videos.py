"""Documents and videos by their structure; what is refused names a reason, cheaply."""

import media_files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import mp4, pdf, webm

from cityverse.data.documents import check_pdf
from cityverse.data.videos import check_video, patched
from cityverse.domain.media import document_name
from cityverse.errors import InvalidField

DOCUMENTS = media_files.hostile_documents()
VIDEOS = media_files.hostile_videos()


class Reader:
    """Counts what is fetched."""

    def __init__(self, data):
        self.data, self.calls, self.bytes = data, 0, 0

    def __call__(self, offset, length):
        self.calls += 1
        self.bytes += length
        return self.data[offset : offset + length]


def checked(data):
    return check_video(len(data), Reader(data))


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


@pytest.mark.parametrize("name", VIDEOS)
def test_a_hostile_video_is_refused_within_bounds(name):
    data = VIDEOS[name]
    reader = Reader(data)
    with pytest.raises(InvalidField) as refusal:
        check_video(len(data), reader)
    assert refusal.value.field == "video"
    assert reader.calls <= 2001
    assert reader.bytes < 30_000_000


@pytest.mark.parametrize(
    "data",
    [
        mp4(),
        mp4(brand=b"mp42", tracks=media_files.track() + media_files.track(b"soun", b"mp4a")),
        mp4(top=media_files.box(b"free", bytes(100), long=True)),
        mp4(tracks=media_files.track(codec=b"hvc1")),
    ],
)
def test_mp4_is_taken(data):
    video = checked(data)
    assert (video.content_type, video.width, video.height) == ("video/mp4", 640, 360)
    assert video.seconds == 10


def test_webm_is_taken():
    for data in (webm(), webm(live=True)):
        video = checked(data)
        assert (video.content_type, video.width, video.height) == ("video/webm", 640, 360)
        assert video.seconds == 10


def test_a_long_film_costs_few_reads():
    data = mp4(data=bytes(20_000_000), top=media_files.box(b"free", bytes(1_000_000)))
    reader = Reader(data)
    check_video(len(data), reader)
    assert reader.calls < 10
    assert reader.bytes < 1_000_000


def test_what_tells_of_a_place_is_blanked_and_nothing_else_moves():
    spots = [
        mp4(extra=media_files.position()),
        mp4(tracks=media_files.track(extra=media_files.position())),
        mp4(top=media_files.box(b"uuid", b"+48.8584+002.2945/", long=True)),
        mp4(top=media_files.box(b"meta", b"+48.8584+002.2945/")),
        webm(tags=media_files.element(0x1254C367, b"+48.8584+002.2945/")),
        webm(info=media_files.element(0x7BA9, b"+48.8584+002.2945/ home")),
        webm(info=media_files.element(0x7BA9, b"+48.8")),
    ]
    for data in spots:
        video = checked(data)
        assert len(video.patches) == 1
        copy = patched(data, 0, video.patches)
        assert b"+48.8" in data
        assert b"+48.8" not in copy
        assert len(copy) == len(data)
        again = checked(copy)
        assert not again.patches
        assert (again.seconds, again.width) == (video.seconds, video.width)


@given(st.integers(1, 60), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_patching_in_pieces_equals_patching_the_whole(piece, extra):
    data = mp4(extra=media_files.position(), top=media_files.box(b"meta", b"s" * extra))
    patches = checked(data).patches
    whole = patched(data, 0, patches)
    pieces = (patched(data[at : at + piece], at, patches) for at in range(0, len(data), piece))
    assert b"".join(pieces) == whole


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_damage_is_refused_or_read_but_never_an_accident(data):
    """Random bytes in the place of others: an answer or InvalidField, nothing else."""
    file = bytearray(data.draw(st.sampled_from([mp4(data=b"x" * 20), webm()])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(file) - 1))
        file[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)))
    for damaged in (bytes(file), bytes(file[:cut])):
        try:
            checked(damaged)
        except InvalidField:
            continue


@pytest.mark.parametrize(
    "named", [b"/J#61vaScript", b"/J#53 ", b"/EmbeddedFiles ", b"/EF <<", b"/SubmitForm "]
)
def test_what_is_active_is_found_however_it_is_spelled(named):
    with pytest.raises(InvalidField, match="script"):
        check_pdf(pdf(named + b"\n"))
