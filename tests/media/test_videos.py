"""Videos by their structure: refused with a reason, or copied with what playing needs alone."""

import struct
from itertools import pairwise
from pathlib import Path

import media_files
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_files import (
    OFFSET,
    block,
    box,
    chunks,
    element,
    entry,
    mp4,
    number,
    position,
    table,
    track,
    webm,
    webm_track,
)

from cityverse.data.video_files import VideoFile
from cityverse.data.videos import Patch, check_video, patched
from cityverse.errors import InvalidField

VIDEOS = media_files.hostile_videos()
FILMS = {path.name: path.read_bytes() for path in Path(__file__).with_name("films").glob("*.??*")}
FILMS = {name: data for name, data in FILMS.items() if not name.endswith(".md")}
PLACE = b"+48.8584+002.2945/"
# 2024-03-01, 10:00 UTC, in seconds since 1904 and in nanoseconds since 2001.
DATES = (struct.pack(">I", 3792132000), struct.pack(">q", 730980000_000_000_000))


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


def copied(data):
    """The copy that is kept, which says the same, and a copy of it again is equal."""
    video = checked(data)
    patches = video.patches
    assert all(one.end <= two.offset for one, two in pairwise(patches))
    copy = patched(data, 0, patches)
    assert len(copy) == len(data)
    again = checked(copy)
    assert (again.seconds, again.width, again.height) == (video.seconds, video.width, video.height)
    assert patched(copy, 0, again.patches) == copy
    return copy


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
        mp4(brand=b"mp42", tracks=track() + track(b"soun", b"mp4a")),
        mp4(top=box(b"free", bytes(100), long=True)),
        mp4(tracks=track(codec=b"hvc1")),
        mp4(tracks=track(reference=box(b"alis", b"\0\0\0\1"))),
        mp4(tracks=track() + track(b"meta", b"gpmd")),
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


@pytest.mark.parametrize("name", FILMS)
def test_a_real_film_keeps_its_picture_and_loses_the_rest(name):
    data = FILMS[name]
    copy = copied(data)
    assert b"SECRET" in data
    for secret in (b"SECRET", b"48.8584", b"2024", b"ffmpeg", *DATES):
        assert secret not in copy
    # Most of a film is picture and sound, which stay as they are.
    assert sum(a == b for a, b in zip(data, copy, strict=True)) > 0.8 * len(data)


def test_dates_are_in_the_films_that_lose_them():
    assert DATES[0] in FILMS["chapters.mp4"]
    assert DATES[1] in FILMS["live.webm"] + FILMS["plain.webm"] + FILMS["chapters.webm"]


def test_a_long_film_costs_few_reads():
    data = mp4(data=bytes(20_000_000), top=box(b"free", bytes(1_000_000)))
    reader = Reader(data)
    check_video(len(data), reader)
    assert reader.calls < 10
    assert reader.bytes < 1_000_000
    data = webm(blocks=block(bytes(50_000)) * 400)
    reader = Reader(data)
    check_video(len(data), reader)
    assert reader.calls < 12
    assert reader.bytes < 1.2 * len(data)


NEXT = b"\xfe\xed\xc0\xdf"


def fragment(*trafs, data=b"", before=b"", behind=b""):
    """A fragment whose runs are offset by where its data begins."""
    head = box(b"mfhd", bytes(8))
    at = len(box(b"moof", head + b"".join(trafs) + before)) + 8
    inside = b"".join(trafs).replace(OFFSET, struct.pack(">I", at)) + before
    inside = inside.replace(NEXT, struct.pack(">I", at + 10))
    return box(b"moof", head + inside) + box(b"mdat", data) + behind


def traf(*sizes, flags=0x020000, track=1, start=OFFSET, beside=b"", default=None):
    tfhd = struct.pack(">II", flags, track) + (b"" if default is None else default)
    run = struct.pack(">II", 0x201, len(sizes)) + start
    trun = box(b"trun", run + b"".join(struct.pack(">I", size) for size in sizes))
    return box(b"traf", box(b"tfhd", tfhd) + trun + beside)


def empty_index():
    return (
        table(b"stsc", head=bytes(4))
        + table(b"stsz", head=bytes(8))
        + table(b"stco", head=bytes(4))
    )


def live_mp4(*fragments, tracks=None):
    """An MP4 file in fragments."""
    tracks = track(index=empty_index()) if tracks is None else tracks
    mvex = box(b"mvex", box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 0, 10, 0)))
    whole = mp4(tracks=tracks, extra=mvex, data=b"")
    return whole[:-8] + b"".join(fragments)


def grown(data, old, new, *, inner=b"stbl"):
    """A track in which one box is another, and all that holds it is larger."""
    more = len(new) - len(old)
    for kind in (b"trak", b"mdia", b"minf", b"stbl"):
        at = data.index(kind) - 4
        size = struct.unpack(">I", data[at : at + 4])[0] + more
        data = data[:at] + struct.pack(">I", size) + data[at + 4 :]
        if kind == inner:
            break
    return data.replace(old, new)


TEXTS = {
    "positions in the index": mp4(extra=position()),
    "positions of a track": mp4(tracks=track(extra=position())),
    "a box of a maker": mp4(extra=box(b"gps ", PLACE)),
    "free room that is none": mp4(extra=box(b"free", b"freeGPS " + PLACE)),
    "free room in a track": mp4(tracks=track(extra=box(b"skip", PLACE))),
    "free room of a camera": mp4(top=box(b"free", b"freeGPS " + PLACE)),
    "free room to the end": mp4() + box(b"free", PLACE, size=0),
    "a long box": mp4(top=box(b"uuid", PLACE, long=True)),
    "descriptions": mp4(top=box(b"meta", PLACE)),
    "a text right in the index": mp4(extra=box(b"\xa9xyz", PLACE)),
    "who produced it when": mp4(top=box(b"prft", PLACE)),
    "an event": mp4(top=box(b"emsg", PLACE)),
    "descriptions of media": mp4(tracks=track(inside=box(b"meta", PLACE))),
    "beside the samples": mp4(tracks=track(beside=box(b"uuid", PLACE))),
    "groups of samples": mp4(tracks=track(beside=box(b"sgpd", PLACE))),
    "behind the header of a track": mp4(tracks=grown(
        track(), box(b"vmhd", bytes(12)), box(b"vmhd", bytes(12) + PLACE), inner=b"minf")),
    "behind a table": mp4(tracks=track(
        index=chunks() .replace(box(b"stts", bytes(4) + struct.pack(">III", 1, 1, 1)),
                                box(b"stts", bytes(4) + struct.pack(">III", 1, 1, 1) + PLACE)))),
    "the name of a track": mp4(tracks=track(name=PLACE)),
    "the name of an encoder": mp4(
        tracks=track().replace(
            struct.pack(">HH", 640, 360) + bytes(50),
            struct.pack(">HH", 640, 360) + bytes(14) + PLACE + bytes(18),
        )
    ),
    "in a description of samples": mp4(tracks=track(boxes=box(b"uuid", PLACE))),
    "behind a description of samples": mp4(tracks=track(boxes=PLACE[:7])),
    "a colour profile": mp4(tracks=track(boxes=box(b"colr", b"prof" + PLACE))),
    "the vendor of sound": mp4(
        tracks=track()
        + track(b"soun", b"mp4a").replace(
            b"mp4a" + bytes(28), b"mp4a" + bytes(12) + PLACE[:4] + bytes(12)
        )
    ),
    "comments of FLAC": mp4(tracks=track() + track(
        b"soun", b"fLaC", boxes=box(b"dfLa", bytes(42) + PLACE))),
    "behind where its data is": mp4(tracks=track(reference=box(b"url ", b"\0\0\0\1" + PLACE))),
    "data nobody refers to": mp4(
        data=b"x" * 100 + PLACE + b"y" * 100, tracks=track(index=chunks((OFFSET, 100)))),
    "data of another track": mp4(
        data=b"x" * 100 + PLACE,
        tracks=track(index=chunks((OFFSET, 100))) + track(b"text", b"text")),
    "data of a camera": mp4(
        data=b"x" * 100 + PLACE,
        tracks=track(index=chunks((OFFSET, 100))) + track(b"meta", b"gpmd")),
    "another box of data": mp4(top=box(b"mdat", PLACE)),
    "in a fragment": live_mp4(fragment(traf(4, 6), data=b"x" * 10, before=box(b"uuid", PLACE))),
    "in a track of a fragment": live_mp4(
        fragment(traf(4, 6, beside=box(b"udta", PLACE)), data=b"x" * 10)),
    "data of a fragment": live_mp4(fragment(traf(4, 6), data=b"x" * 10 + PLACE)),
    "another track of a fragment": live_mp4(
        fragment(traf(10), traf(18, track=4, start=NEXT),
                 data=b"x" * 10 + PLACE)),
    "an index at the end": mp4() + box(b"mfra", box(b"evil", PLACE)),
    "behind an index at the end": mp4() + box(
        b"mfra", box(b"tfra", struct.pack(">IIII", 0, 1, 0, 0) + PLACE)),
    "behind an index of segments": mp4(top=box(b"sidx", bytes(24) + PLACE)),
    "tags": webm(tags=element(0x1254C367, PLACE)),
    "tags before": webm(top=element(0x1254C367, PLACE)),
    "tags behind a live cluster": webm(live=True, tags=element(0x1254C367, PLACE)),
    "chapters": webm(top=element(0x1043A770, PLACE)),
    "chapters behind a live cluster": webm(live=True, tags=element(0x1043A770, PLACE)),
    "a title": webm(info=element(0x7BA9, PLACE)),
    "a name of a file": webm(info=element(0x7384, PLACE)),
    "a date": webm(info=element(0x4461, PLACE[:8])),
    "a program": webm(info=element(0x4D80, PLACE) + element(0x5741, PLACE)),
    "room that is none": webm(top=element(0xEC, PLACE)),
    "the name of a track, in WebM": webm(tracks=webm_track(extra=element(0x536E, PLACE))),
    "the name of a codec": webm(tracks=webm_track(extra=element(0x258688, PLACE))),
    "the sphere of a picture": webm(tracks=webm_track(extra=element(0x7670, PLACE))),
    "subtitles": webm(
        tracks=webm_track() + webm_track(b"D_WEBVTT/SUBTITLES", kind=17, track=2),
        blocks=block() + block(PLACE, track=2)),
    "subtitles in a group": webm(
        tracks=webm_track() + webm_track(b"D_WEBVTT/SUBTITLES", kind=17, track=2),
        blocks=block() + element(0xA0, element(0x9B, b"\1") + block(PLACE, track=2, kind=0xA1))),
    "a track of positions": webm(
        tracks=webm_track() + webm_track(b"D_GPS", kind=33, track=2, extra=element(0x536E, PLACE))),
    "a block of no track": webm(blocks=block() + block(PLACE, track=9)),
    "a block that is none": webm(blocks=block() + element(0xA3, b"\0" + PLACE)),
    "an element of a cluster": webm(blocks=block() + element(0xAF, PLACE)),
    "an element of a live cluster": webm(live=True, blocks=block() + element(0xAF, PLACE)),
    "room in a live cluster": webm(live=True, blocks=block() + element(0xEC, PLACE)),
    "tags in a cluster": webm(blocks=block() + element(0x1254C367, PLACE)),
    "beside a block": webm(blocks=element(0xA0, block(kind=0xA1) + element(0xC8, PLACE))),
    "an addition to a block": webm(blocks=element(0xA0, block(kind=0xA1) + element(
        0x75A1, element(0xA6, element(0xEE, b"\4") + element(0xA5, PLACE))))),
    "a group of no block": webm(blocks=block() + element(0xA0, element(0x75A1, element(
        0xA6, element(0xA5, PLACE))))),
    "a cue": webm(top=element(0x1C53BB6B, element(0xBB, element(0xB3, b"\0") + element(
        0xB7, element(0xF7, b"\1") + element(0xEC, PLACE))))),
    "where to seek": webm(top=element(0x114D9B74, element(0x4DBB, element(
        0x53AB, number(0x1254C367)) + element(0xEC, PLACE)))),
    "behind the header of Opus": webm(tracks=webm_track() + webm_track(
        b"A_OPUS", kind=2, track=2, extra=element(0x63A2, b"OpusHead" + bytes(11) + PLACE))),
    "the header": webm(head=element(0x4281, PLACE)),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_not_needed_for_playing_is_blanked(name):
    data = TEXTS[name]
    secret = next(s for n in (18, 8, 7, 4) if (s := PLACE[:n]) in data)
    copy = copied(data)
    assert secret not in copy
    assert b"x" * 10 in copy


def test_only_alpha_is_added_to_a_picture():
    for kind in (b"", element(0xEE, b"\1")):
        alpha = element(0x75A1, element(0xA6, kind + element(0xA5, b"transparent")))
        assert b"transparent" in copied(webm(blocks=element(0xA0, block(kind=0xA1) + alpha)))


def test_samples_stay_whatever_lies_between_them():
    data = b"".join(b"sample%02d" % n + PLACE for n in range(50))
    where = [(0, 8)] * 50
    whole = mp4(data=data, tracks=track(index=chunks(*where)))
    begin = whole.index(b"sample00")
    index = chunks(*((begin + n * 26, 8) for n in range(50)))
    copy = copied(mp4(data=data, tracks=track(index=index)))
    assert PLACE not in copy
    assert all(b"sample%02d" % n in copy for n in range(50))


def test_samples_of_one_size_and_chunks_of_several():
    data = b"aabbccdd" + PLACE + b"eeff" + PLACE
    for sizes in (
        table(b"stsz", head=struct.pack(">II", 2, 6)),
        table(b"stsz", *[2] * 6, head=struct.pack(">II", 0, 6)),
    ):
        begin = mp4(data=data).index(b"aabbcc")
        for _ in range(2):  # the second time it is known where the data begins
            index = (
                table(b"stsc", 1, 4, 1, 2, 2, 1, head=struct.pack(">I", 2))
                + sizes
                + table(
                    b"co64", *(struct.pack(">Q", begin + n) for n in (0, 26)),
                    head=struct.pack(">I", 2),
                )
            )  # fmt: skip
            whole = mp4(data=data, tracks=track(index=index))
            begin = whole.index(b"aabbcc")
        copy = copied(whole)
        assert PLACE not in copy
        assert copy.endswith(b"aabbccdd" + bytes(18) + b"eeff" + bytes(18))


def test_fragments_keep_their_samples():
    with_base = traf(
        10, flags=0x000001, default=struct.pack(">Q", 0), start=struct.pack(">i", 0)
    )  # fmt: skip
    data = live_mp4(fragment(traf(4, 6), data=b"x" * 10), fragment(traf(10), data=b"y" * 10))
    copy = copied(data)
    assert b"x" * 10 in copy
    assert b"y" * 10 in copy
    with pytest.raises(InvalidField, match="outside"):
        checked(live_mp4(fragment(with_base, data=b"x" * 10)))
    with pytest.raises(InvalidField, match="outside"):
        checked(live_mp4(fragment(traf(4, 6, start=struct.pack(">i", -5000)), data=b"x" * 10)))


def test_runs_of_a_default_size_that_follow_each_other():
    """Without an offset a run begins where the last one ended; `trex` says 10 a sample."""
    first = box(b"trun", struct.pack(">II", 0x1, 1) + OFFSET)
    second = box(b"trun", struct.pack(">II", 0, 1))
    runs = box(b"traf", box(b"tfhd", struct.pack(">II", 0x020000, 1)) + first + second)
    copy = copied(live_mp4(fragment(runs, data=b"x" * 20 + PLACE)))
    assert b"x" * 20 in copy
    assert PLACE not in copy
    own = box(b"tfhd", struct.pack(">III", 0x020010, 1, 15))
    runs = box(b"traf", own + box(b"trun", struct.pack(">II", 0x1, 1) + OFFSET))
    copy = copied(live_mp4(fragment(runs, data=b"x" * 15 + PLACE)))
    assert b"x" * 15 in copy
    assert PLACE not in copy


def test_pieces_that_depend_on_what_is_left_out_are_refused():
    here = struct.pack(">i", 0)
    picture, text = traf(10, flags=0), traf(10, track=4, flags=0, start=here)
    assert b"x" * 10 + bytes(10) in copied(live_mp4(fragment(picture, text, data=b"x" * 20)))
    text, picture = traf(10, track=4, flags=0), traf(10, flags=0, start=here)
    with pytest.raises(InvalidField, match="depend"):
        checked(live_mp4(fragment(text, picture, data=b"x" * 20)))


def test_too_many_holes_are_refused(monkeypatch):
    monkeypatch.setattr("cityverse.data.video_mp4.PATCHES_MOST", 40)
    data = b"xy" * 50
    begin = mp4(data=data, tracks=track(index=chunks(*[(0, 1)] * 50))).index(b"xyxyxy")
    index = chunks(*((begin + 2 * n, 1) for n in range(50)))
    with pytest.raises(InvalidField, match="too many pieces"):
        checked(mp4(data=data, tracks=track(index=index)))


def test_vorbis_is_left_without_comments():
    comment = b"\x03vorbis" + struct.pack("<I", 4) + b"name" + struct.pack("<II", 1, 27)
    comment += b"LOCATION=" + PLACE + b"\1"
    first, last = b"\x01vorbis" + bytes(23), b"\x05vorbis" + bytes(300)
    private = b"\2" + bytes([len(first), len(comment)]) + first + comment + last
    sound = webm_track(b"A_VORBIS", kind=2, track=2, extra=element(0x63A2, private))
    copy = copied(webm(tracks=webm_track() + sound))
    assert PLACE not in copy
    at = copy.index(b"\x03vorbis")
    vendor = len(comment) - 16
    assert copy[at + 7 : at + len(comment)] == (
        struct.pack("<I", vendor) + bytes(vendor) + bytes(4) + b"\1"
    )
    assert first + copy[at : at + len(comment)] + last in copy


def test_the_second_description_of_samples_is_looked_at_as_well():
    two = box(b"stsd", bytes(4) + struct.pack(">I", 2) + entry(b"vide", b"avc1")
              + entry(b"vide", b"encv"))  # fmt: skip
    one = table(b"stsd", entry(b"vide", b"avc1"))
    with pytest.raises(InvalidField, match="encrypted"):
        checked(mp4(tracks=grown(track(), one, two)))


@given(st.integers(1, 60), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_patching_in_pieces_equals_patching_the_whole(piece, extra):
    data = mp4(extra=position(), top=box(b"meta", b"s" * extra))
    patches = checked(data).patches
    whole = patched(data, 0, patches)
    pieces = (patched(data[at : at + piece], at, patches) for at in range(0, len(data), piece))
    assert b"".join(pieces) == whole


@given(st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=3), st.integers(0, 9)), max_size=9))
def test_patches_are_applied_as_they_say(parts):
    at, patches, expected = 0, [], bytearray(b"x" * 300)
    for gap, data, zeros in parts:
        patches.append(Patch(at + gap, data, zeros))
        at = patches[-1].end
        expected[patches[-1].offset : at] = data + bytes(zeros)
    assert patched(b"x" * 300, 0, patches) == expected
    assert b"".join(patched(b"x" * 10, n, patches) for n in range(0, 300, 10)) == expected


GOOD = [mp4(data=b"x" * 20), webm(), webm(live=True), *TEXTS.values(), *FILMS.values()]
VALUES = [0, 1, 2**7, 2**8 - 1, 2**16 - 1, 2**31, 2**32 - 1]


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_damage_is_refused_or_read_but_never_an_accident(data):
    """Other bytes in the place of some: InvalidField, or a copy as `copied` holds it."""
    file = bytearray(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(file) - 5))
        if data.draw(st.booleans()):
            file[at] = data.draw(st.integers(0, 255))
        else:
            file[at : at + 4] = struct.pack(">I", data.draw(st.sampled_from(VALUES)))
    cut = data.draw(st.integers(0, len(file)))
    for damaged in (bytes(file), bytes(file[:cut])):
        try:
            copied(damaged)
        except InvalidField:
            continue


def test_reading_is_bounded():
    file = VideoFile(10**9, lambda offset, length: bytes(length))
    for n in range(2000):
        file.read(n * 200_000, 8)
    with pytest.raises(InvalidField, match="too many pieces"):
        file.read(0, 8)
    with pytest.raises(InvalidField, match="incomplete"):
        VideoFile(100, lambda offset, length: b"x").read(0, 8)
