"""WebM files: the elements that playing needs, the blocks of tracks that are kept, no more.

Elements are described in RFC 8794 (EBML) and RFC 9559 (Matroska). What a copy keeps is in
``_KEPT``, by the element that holds it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from cityverse.data.video_files import (
    PATCHES_MOST,
    Patch,
    Video,
    VideoFile,
    readable,
    refused,
)

EBML = 0x1A45DFA3
_SEGMENT, _CLUSTER, _SEEK_HEAD, _CUES = 0x18538067, 0x1F43B675, 0x114D9B74, 0x1C53BB6B
_INFO, _TRACKS, _TAGS, _CHAPTERS = 0x1549A966, 0x1654AE6B, 0x1254C367, 0x1043A770
_ATTACHMENTS, _VOID, _CHECKSUM = 0x1941A469, 0xEC, 0xBF
_DOCTYPE, _SEEK, _SEEK_ID = 0x4282, 0x4DBB, 0x53AB
_TIMECODE_SCALE, _DURATION, _MUXER, _WRITER = 0x2AD7B1, 0x4489, 0x4D80, 0x5741
_TRACK, _NUMBER, _TYPE, _CODEC, _PRIVATE = 0xAE, 0xD7, 0x83, 0x86, 0x63A2
_ENCODINGS, _PICTURE, _WIDTH, _HEIGHT = 0x6D80, 0xE0, 0xB0, 0xBA
_SOUND, _COLOUR, _MASTERING, _LANGUAGE, _LANGUAGE_TAG = 0xE1, 0x55B0, 0x55D0, 0x22B59C, 0x22B59D
_CUE_POINT, _CUE_PLACE = 0xBB, 0xB7
_SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
_ADDITIONS, _MORE, _ADDITION_ID, _ADDITION = 0x75A1, 0xA6, 0xEE, 0xA5

# The elements that playing needs, by what holds them.
_KEPT = {
    EBML: frozenset((0x4286, 0x42F7, 0x42F2, 0x42F3, _DOCTYPE, 0x4287, 0x4285)),
    _SEEK_HEAD: frozenset((_SEEK,)),
    _SEEK: frozenset((_SEEK_ID, 0x53AC)),
    _INFO: frozenset((_TIMECODE_SCALE, _DURATION, _MUXER, _WRITER)),
    _TRACKS: frozenset((_TRACK,)),
    _TRACK: frozenset(
        (
            *(_NUMBER, 0x73C5, _TYPE, 0xB9, 0x88, 0x55AA, 0x9C, 0x6DE7, 0x6DF8, 0x23E383),
            *(0x23314F, 0x55EE, _CODEC, _PRIVATE, 0x56AA, 0x56BB, _LANGUAGE, _LANGUAGE_TAG),
            *(_PICTURE, _SOUND, _ENCODINGS),
        )
    ),
    _PICTURE: frozenset(
        (
            *(_WIDTH, _HEIGHT, 0x9A, 0x9D, 0x53B8, 0x53C0, 0x54AA, 0x54BB, 0x54CC, 0x54DD),
            *(0x54B0, 0x54BA, 0x54B2, 0x54B3, _COLOUR),
        )
    ),
    _COLOUR: frozenset((*range(0x55B1, 0x55BE), _MASTERING)),
    _MASTERING: frozenset(range(0x55D1, 0x55DB)),
    _SOUND: frozenset((0xB5, 0x78B5, 0x9F, 0x6264)),
    _CUES: frozenset((_CUE_POINT,)),
    _CUE_POINT: frozenset((0xB3, _CUE_PLACE)),
    _CUE_PLACE: frozenset((0xF7, 0xF1, 0xF0, 0xB2, 0x5378, 0xEA)),
    _CLUSTER: frozenset((0xE7, 0xA7, 0xAB, _SIMPLE_BLOCK, _BLOCK_GROUP)),
    _BLOCK_GROUP: frozenset((_BLOCK, 0x9B, 0xFB, 0x75A2, _ADDITIONS)),
    _ADDITIONS: frozenset((_MORE,)),
    _MORE: frozenset((_ADDITION_ID, _ADDITION)),
}
# What is no number of at most 8 bytes, nor holds others: how long it may be.
_LENGTHS = {
    **dict.fromkeys((_CODEC, _DOCTYPE, _LANGUAGE, _LANGUAGE_TAG), 40),
    **dict.fromkeys((_MUXER, _WRITER), 400),
    _PRIVATE: 64_000,
    **dict.fromkeys((_SIMPLE_BLOCK, _BLOCK, _ADDITION), 2**62),
}
_TOP = frozenset((_SEEK_HEAD, _INFO, _TRACKS, _CLUSTER, _CUES))
_TOP_FREED = frozenset((_TAGS, _CHAPTERS, _VOID, _CHECKSUM))
# What ends a cluster whose length is unknown.
_SECTIONS = frozenset((*_TOP, _TAGS, _CHAPTERS, _ATTACHMENTS, EBML, _SEGMENT))

_CODECS = {
    1: frozenset((b"V_VP8", b"V_VP9", b"V_AV1")),
    2: frozenset((b"A_VORBIS", b"A_OPUS")),
}
_ALPHA = 1
_UNKNOWN = -1
_HEAD_BYTES_MOST = 4096
_BLOCK_BYTES = 4 * 1024 * 1024
_ELEMENTS_MOST = 1_500_000
_VORBIS_COMMENT = b"\x03vorbis"


@dataclass(frozen=True, slots=True)
class _Element:
    """An element; ``end`` is _UNKNOWN where its length is."""

    id: int
    at: int
    start: int
    end: int


@dataclass(slots=True)
class _Film:
    """What is known of a file so far."""

    file: VideoFile
    video: Video
    tracks: frozenset[int] = frozenset()  # the numbers of those that are kept
    seen: set[int] = field(default_factory=set)
    elements: int = 0

    def count(self) -> None:
        """One more element in a cluster or index; raises InvalidField for too many."""
        self.elements += 1
        if self.elements > _ELEMENTS_MOST or len(self.video.patches) > PATCHES_MOST:
            raise refused("in too many pieces")

    def void(self, at: int, end: int) -> None:
        """Have a copy say nothing there."""
        self.video.patches.append(_voided(at, end))


def _voided(at: int, end: int) -> Patch:
    """The patch that makes an element into room of the same size that says nothing."""
    length = end - at
    width = 8 if length >= 9 else 1
    rest = length - 1 - width
    size = (rest | 1 << 7 * width).to_bytes(width)
    return Patch(at, bytes([_VOID]) + size, rest)


def check_webm(file: VideoFile) -> Video:
    """What the file says; raises InvalidField, or struct.error, when it is refused."""
    film = _Film(file, Video("video/webm"))
    head = _element(file, 0, file.size)
    if head.end == _UNKNOWN or head.end - head.at > _HEAD_BYTES_MOST:
        raise refused("damaged: its header is too large")
    kinds = {e.id: _content(film, e) for e in _inside(film, head)}
    if kinds.get(_DOCTYPE, b"").rstrip(b"\0") != b"webm":
        raise refused("no WebM video")
    segment = _element(file, head.end, file.size)
    if segment.id != _SEGMENT:
        raise refused("no WebM video")
    end = file.size if segment.end == _UNKNOWN else segment.end
    if end != file.size:
        raise refused("has something appended")
    _read_segment(film, segment.start, end)
    if film.video.width and _CLUSTER not in film.seen:
        raise refused("incomplete")
    return film.video


def _element(file: VideoFile, at: int, end: int) -> _Element:
    head = file.read(at, 12)
    id_length = _vint_length(head[:1])
    if id_length > 4:
        raise refused("damaged: an element is cut short")
    size_length = _vint_length(head[id_length : id_length + 1])
    start = at + id_length + size_length
    raw = head[id_length : id_length + size_length]
    if len(raw) < size_length or start > end:
        raise refused("damaged: an element is cut short")
    mask = (1 << 7 * size_length) - 1
    size = int.from_bytes(raw) & mask
    element_id = int.from_bytes(head[:id_length])
    if size == mask:
        return _Element(element_id, at, start, _UNKNOWN)
    if start + size > end:
        raise refused("damaged: an element is larger than what holds it")
    return _Element(element_id, at, start, start + size)


def _vint_length(first: bytes) -> int:
    if not first or not first[0]:
        raise refused("damaged: an element is cut short")
    return 9 - first[0].bit_length()


def _inside(film: _Film, holder: _Element) -> Iterator[_Element]:
    """The elements in an element that are kept; the others are patched away."""
    at = holder.start
    while at < holder.end:
        film.count()
        element = _element(film.file, at, holder.end)
        if element.end == _UNKNOWN:
            raise refused("damaged: an element has no end")
        if element.id not in _KEPT[holder.id]:
            film.void(element.at, element.end)
        else:
            length = element.end - element.start
            if element.id not in _KEPT and length > _LENGTHS.get(element.id, 8):
                raise refused("damaged: a value is too long")
            yield element
        at = element.end


def _content(film: _Film, element: _Element) -> bytes:
    return film.file.read(element.start, element.end - element.start)


def _number(film: _Film, element: _Element) -> int:
    return int.from_bytes(_content(film, element))


def _read_segment(film: _Film, at: int, end: int) -> None:
    while at < end:
        film.file.count()
        element = _element(film.file, at, end)
        if element.id == _ATTACHMENTS:
            raise refused("has files attached")
        if element.id not in _TOP | _TOP_FREED:
            raise refused("holds what no WebM video holds")
        if element.end == _UNKNOWN:
            # Recorded live: whoever wrote it did not know how long its clusters become.
            if element.id != _CLUSTER:
                raise refused("damaged: an element has no end")
            element = _Element(element.id, element.at, element.start, end)
            at = _read_cluster(film, element, open_ended=True)
        else:
            _read_section(film, element)
            at = element.end
        film.seen.add(element.id)


def _read_section(film: _Film, element: _Element) -> None:
    if element.id in film.seen and element.id in {_INFO, _TRACKS}:
        raise refused("damaged: it says the same thing twice")
    if element.id in _TOP_FREED:
        film.void(element.at, element.end)
    elif element.id == _CLUSTER:
        _read_cluster(film, element, open_ended=False)
    elif element.id == _INFO:
        _read_info(film, element)
    elif element.id == _TRACKS:
        _read_tracks(film, element)
    elif element.id == _CUES:
        for point in _inside(film, element):
            for part in _inside(film, point):
                if part.id == _CUE_PLACE:
                    _keep_all(film, part)
    else:
        _read_seek_head(film, element)


def _keep_all(film: _Film, holder: _Element) -> None:
    for element in _inside(film, holder):
        if element.id in _KEPT:
            _keep_all(film, element)


def _read_seek_head(film: _Film, head: _Element) -> None:
    for seek in _inside(film, head):
        before = len(film.video.patches)
        ids = [_number(film, e) for e in _inside(film, seek) if e.id == _SEEK_ID]
        if not _TOP.issuperset(ids):
            del film.video.patches[before:]
            film.void(seek.at, seek.end)


def _read_info(film: _Film, info: _Element) -> None:
    scale, duration = 1_000_000, 0.0
    for element in _inside(film, info):
        if element.id == _TIMECODE_SCALE:
            scale = _number(film, element)
        elif element.id == _DURATION:
            raw = _content(film, element)
            if len(raw) not in {4, 8}:
                raise refused("damaged: its length cannot be read")
            duration = struct.unpack(">f" if len(raw) == 4 else ">d", raw)[0]
        elif element.end > element.start:  # which programs wrote it: must be there, not true
            film.video.patches.append(Patch(element.start, b"", element.end - element.start))
    film.video.note_seconds(duration * scale / 1e9)


def _read_tracks(film: _Film, tracks: _Element) -> None:
    kept: set[int] = set()
    for track in _inside(film, tracks):
        before = len(film.video.patches)
        found: dict[int, _Element] = {}
        for element in _inside(film, track):
            if element.id in found:
                raise refused("damaged: it says the same thing twice")
            found[element.id] = element
        if _ENCODINGS in found:
            raise refused("encrypted or compressed")
        number, kind = (_number(film, found[i]) if i in found else 0 for i in (_NUMBER, _TYPE))
        if kind not in _CODECS or not number:
            del film.video.patches[before:]
            film.void(track.at, track.end)
            continue
        if number in kept:
            raise refused("damaged: two tracks have the same number")
        kept.add(number)
        _read_track(film, kind, found)
    film.tracks = frozenset(kept)


def _read_track(film: _Film, kind: int, found: dict[int, _Element]) -> None:
    codec = _content(film, found[_CODEC]).rstrip(b"\0") if _CODEC in found else b""
    if codec not in _CODECS[kind]:
        raise refused(f"in a format that browsers do not play ({readable(codec)})")
    if kind == 1:
        size = {_WIDTH: 0, _HEIGHT: 0}
        for element in _inside(film, found[_PICTURE]) if _PICTURE in found else ():
            if element.id in size:
                size[element.id] = _number(film, element)
            elif element.id == _COLOUR:
                _keep_all(film, element)
        film.video.note_size(size[_WIDTH], size[_HEIGHT])
    elif _PICTURE in found:
        film.void(found[_PICTURE].at, found[_PICTURE].end)
    if _SOUND in found:
        _keep_all(film, found[_SOUND])
    if _PRIVATE in found and codec in {b"A_VORBIS", b"A_OPUS"}:
        private = found[_PRIVATE]
        film.video.patches += (
            _blank_vorbis(_content(film, private), private.start)
            if codec == b"A_VORBIS"
            else _blank_opus(_content(film, private), private.start)
        )


def _blank_opus(head: bytes, at: int) -> list[Patch]:
    """What follows the header of Opus."""
    if len(head) < 19 or head[:8] != b"OpusHead":
        raise refused("damaged: its sound cannot be read")
    length = 21 + head[9] if head[18] else 19
    return [Patch(at + length, b"", len(head) - length)] if len(head) > length else []


def _blank_vorbis(headers: bytes, at: int) -> list[Patch]:
    """Another second header of Vorbis, as long, in which there is no comment."""
    sizes: list[int] = []
    begin = 1
    if headers[:1] == b"\2":
        for _ in range(2):
            size = 0
            while headers[begin : begin + 1] == b"\xff":
                size, begin = size + 255, begin + 1
            sizes.append(size + int.from_bytes(headers[begin : begin + 1]))
            begin += 1
    start = begin + sum(sizes[:1])
    length = sizes[1] if sizes else 0
    if headers[start : start + 7] != _VORBIS_COMMENT or not 16 <= length <= len(headers) - start:
        raise refused("damaged: its sound cannot be read")
    vendor = length - 16  # a length, the name of nobody, no comments, and a last bit
    return [
        Patch(at + start, _VORBIS_COMMENT + vendor.to_bytes(4, "little"), vendor + 4),
        Patch(at + start + length - 1, b"\1", 0),
    ]


def _read_cluster(film: _Film, cluster: _Element, *, open_ended: bool) -> int:
    """Look at all blocks of a cluster; answers with where it ends."""
    if _TRACKS not in film.seen:
        raise refused("damaged: its tracks are not where they should be")
    film.file.block = _BLOCK_BYTES  # everything is read from here on
    at, end, kept = cluster.start, cluster.end, _KEPT[_CLUSTER]
    while at < end:
        film.count()
        element = _element(film.file, at, end)
        if open_ended and element.id in _SECTIONS:
            return at
        if element.end == _UNKNOWN:
            raise refused("damaged: an element has no end")
        if element.id == _SIMPLE_BLOCK:
            if _track_of(film, element) not in film.tracks:
                film.void(element.at, element.end)
        elif element.id == _BLOCK_GROUP:
            _read_group(film, element)
        elif element.id not in kept:
            film.void(element.at, element.end)
        elif element.end - element.start > 8:
            raise refused("damaged: a value is too long")
        at = element.end
    return at


def _track_of(film: _Film, block: _Element) -> int:
    """The number of the track a block belongs to; 0 for a block that is none."""
    head = film.file.read(block.start, min(8, block.end - block.start))
    if not head or not head[0]:
        return 0
    length = 9 - head[0].bit_length()
    if len(head) < length:
        return 0
    return int.from_bytes(head[:length]) & ((1 << 7 * length) - 1)


def _read_group(film: _Film, group: _Element) -> None:
    before = len(film.video.patches)
    kept = False
    for element in _inside(film, group):
        if element.id == _BLOCK:
            kept = _track_of(film, element) in film.tracks
            if not kept:
                break
        elif element.id == _ADDITIONS:
            _read_additions(film, element)
    if not kept:
        del film.video.patches[before:]
        film.void(group.at, group.end)


def _read_additions(film: _Film, additions: _Element) -> None:
    """Keep what says how transparent a picture is, and nothing else."""
    for more in _inside(film, additions):
        before = len(film.video.patches)
        ids = [_number(film, e) for e in _inside(film, more) if e.id == _ADDITION_ID]
        if ids not in ([], [_ALPHA]):
            del film.video.patches[before:]
            film.void(more.at, more.end)
