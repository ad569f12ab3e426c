"""Videos: what the headers of an MP4 or WebM file say, read piece by piece.

A video is not decoded. Its container is walked box by box within fixed limits, and
refused unless it is whole, of formats browsers play, and of bounded length. What
tells of its maker or of where it was made (titles, positions) is named as patches,
with which a copy is made.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cityverse.domain.media import VIDEO_SECONDS_MOST, VIDEO_SIDE_MOST
from cityverse.errors import InvalidField

Fetch = Callable[[int, int], bytes]
"""Reads bytes of the file: where from, and how many at most."""

_BLOCK = 64 * 1024
_READS_MOST = 2000
_BOXES_MOST = 20_000
_INDEX_BYTES_MOST = 24_000_000
_DEPTH_MOST = 8

_BRANDS = frozenset(
    {
        b"M4V ",
        *b"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 mp71 avc1".split(),
        *b"av01 dash MSNV M4VH M4VP".split(),
    }
)
_TOP = frozenset(
    b"ftyp styp moov mdat free skip wide moof mfra sidx ssix prft emsg meta uuid udta pdin".split()
)
_HOLDERS = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl"))
_VIDEO_CODECS = frozenset((b"avc1", b"avc3", b"hvc1", b"hev1", b"av01", b"vp09", b"vp08"))
_AUDIO_CODECS = frozenset((b"mp4a", b"Opus", b"fLaC", b"ac-3", b"ec-3", b".mp3"))
_TELLING = frozenset((b"udta", b"meta", b"uuid"))
_TEXT_TRACKS = frozenset((b"text", b"subt", b"sbtl", b"clcp", b"hint"))

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_DOCTYPE, _INFO, _TRACKS, _TAGS, _ATTACHMENTS = (
    *(0x4282, 0x1549A966, 0x1654AE6B, 0x1254C367, 0x1941A469),
)
_TIMECODE_SCALE, _DURATION, _TITLE = 0x2AD7B1, 0x4489, 0x7BA9
_TRACK, _TRACK_TYPE, _CODEC, _ENCODINGS = 0xAE, 0x83, 0x86, 0x6D80
_PICTURE, _WIDTH, _HEIGHT, _VOID = 0xE0, 0xB0, 0xBA, 0xEC
_TOP_EBML = frozenset(
    (_INFO, _TRACKS, _CLUSTER, _TAGS, _VOID, 0x114D9B74, 0x1C53BB6B, 0x1043A770, 0xBF)
)
_WEBM_VIDEO = frozenset((b"V_VP8", b"V_VP9", b"V_AV1"))
_WEBM_AUDIO = frozenset((b"A_VORBIS", b"A_OPUS"))
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Patch:
    """What a copy of the file has at an offset instead: ``data``, then ``zeros`` zero bytes."""

    offset: int
    data: bytes
    zeros: int


@dataclass(slots=True)
class Video:
    """What the headers say; 0 where they say nothing. ``seconds`` may be unknown (0)."""

    content_type: str
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    patches: list[Patch] = field(default_factory=list)


def looks_like_video(start: bytes) -> bool:
    """Whether the first 16 bytes of a file may begin an MP4 or WebM file."""
    return start[4:8] == b"ftyp" or start[:4] == _EBML.to_bytes(4)


def check_video(size: int, fetch: Fetch) -> Video:
    """What a file of ``size`` bytes is; raises InvalidField when it is refused.

    At most 2,000 pieces of 64 KB and one index of 24 MB are fetched.
    """
    file = _File(size, fetch)
    start = file.read(0, 16)
    try:
        if start[4:8] == b"ftyp":
            return _check_mp4(file)
        if start[:4] == _EBML.to_bytes(4):
            return _check_webm(file)
    except struct.error as error:
        raise _refused("damaged: a header is cut short") from error
    raise _refused("no MP4 or WebM video")


def _refused(reason: str) -> InvalidField:
    return InvalidField("video", reason)


class _File:
    """Bounded reading, one block in memory."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self.size = size
        self._fetch = fetch
        self._at, self._block = 0, b""
        self._reads = self._boxes = 0

    def read(self, offset: int, length: int) -> bytes:
        """These bytes; fewer only at the end of the file."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        if not self._at <= offset or end > self._at + len(self._block):
            self._reads += 1
            if self._reads > _READS_MOST:
                raise _refused("in too many pieces")
            wanted = min(max(_BLOCK, end - offset), self.size - offset)
            self._at, self._block = offset, self._fetch(offset, wanted)
            if len(self._block) != wanted:
                raise _refused("incomplete")
        return self._block[offset - self._at : end - self._at]

    def count(self) -> None:
        """One more box; raises InvalidField when there are too many."""
        self._boxes += 1
        if self._boxes > _BOXES_MOST:
            raise _refused("in too many pieces")


@dataclass(frozen=True, slots=True)
class _Box:
    """A box or element: its type, where it begins, where its content begins and ends."""

    kind: bytes
    at: int
    start: int
    end: int


def _boxes(file: _File, start: int, end: int) -> Iterator[_Box]:
    at = start
    while at < end:
        file.count()
        head = file.read(at, 16)
        if len(head) < 8 or at + 8 > end:
            raise _refused("damaged: a box is cut short")
        size, kind, content = int.from_bytes(head[:4]), head[4:8], at + 8
        if size == 1:
            if len(head) < 16:
                raise _refused("damaged: a box is cut short")
            size, content = int.from_bytes(head[8:16]), at + 16
        elif size == 0:
            size = end - at
        if size < content - at or at + size > end:
            raise _refused("damaged: a box is larger than what holds it")
        yield _Box(kind, at, content, at + size)
        at += size


def _check_mp4(file: _File) -> Video:
    video = Video("video/mp4")
    seen: set[bytes] = set()
    for box in _boxes(file, 0, file.size):
        if box.kind not in _TOP:
            raise _refused("holds what no MP4 video holds")
        if box.kind == b"ftyp":
            _check_brands(file, box)
        elif box.kind == b"moov":
            if b"moov" in seen:
                raise _refused("damaged: it has two indexes")
            if box.end - box.at > _INDEX_BYTES_MOST:
                raise _refused("its index is too large")
            file.read(box.at, box.end - box.at)
            _read_index(file, box, video, 0)
        elif box.kind in _TELLING:
            video.patches.append(_freed(box))
        seen.add(box.kind)
    if not {b"moov", b"mdat"} <= seen:
        raise _refused("incomplete")
    if not video.width:
        raise _refused("has no picture in a format that browsers play")
    return video


def _check_brands(file: _File, box: _Box) -> None:
    brands = file.read(box.start, min(box.end - box.start, 400))
    if brands[:4] == b"qt  ":
        raise _refused("a QuickTime film: convert it to MP4")
    if not {brands[n : n + 4] for n in range(0, len(brands), 4) if n != 4} & _BRANDS:
        raise _refused("no MP4 video")


def _freed(box: _Box) -> Patch:
    """The patch that makes a box into free room of the same size."""
    # The long form of the size stands behind the type.
    size = (box.end - box.at).to_bytes(8) if box.start - box.at == 16 else b""
    return Patch(box.at + 4, b"free" + size, box.end - box.start)


def _read_index(file: _File, holder: _Box, video: Video, depth: int) -> None:
    if depth > _DEPTH_MOST:
        raise _refused("damaged: boxes in too many layers")
    handler = b""
    for box in _boxes(file, holder.start, holder.end):
        if box.kind == b"mvhd":
            video.seconds = _seconds(file.read(box.start, 32))
        elif box.kind == b"hdlr" and holder.kind == b"mdia":
            handler = file.read(box.start, 12)[8:12]
            if handler not in {b"vide", b"soun"} | _TEXT_TRACKS:
                raise _refused("has a track of positions or other data: save it without")
        elif box.kind == b"stsd":
            _check_codec(file.read(box.start, 64), video)
        elif box.kind in _TELLING:
            video.patches.append(_freed(box))
        elif box.kind in _HOLDERS:
            _read_index(file, box, video, depth + 1)
    if video.seconds > VIDEO_SECONDS_MOST:
        raise _refused(f"longer than {VIDEO_SECONDS_MOST // 60} minutes")


def _seconds(header: bytes) -> float:
    if header[:1] == b"\x01":
        scale, duration = struct.unpack(">IQ", header[20:32])
        unknown = 2**64 - 1
    else:
        scale, duration = struct.unpack(">II", header[12:20])
        unknown = 2**32 - 1
    if not scale:
        raise _refused("damaged: it has no time scale")
    return 0.0 if duration == unknown else float(duration / scale)


def _check_codec(description: bytes, video: Video) -> None:
    """Read the first sample entry: the codec, and of a picture its size."""
    codec = description[12:16]
    if codec in {b"encv", b"enca", b"drms", b"drmi"}:
        raise _refused("encrypted")
    if codec in _VIDEO_CODECS:
        width, height = struct.unpack(">HH", description[40:44])
        _note_size(video, width, height)
    elif codec not in _AUDIO_CODECS | {b"tx3g", b"wvtt", b"stpp", b"c608", b"text", b"rtp "}:
        raise _refused(f"in a format that browsers do not play ({_readable(codec)})")


def _note_size(video: Video, width: int, height: int) -> None:
    if not (0 < width <= VIDEO_SIDE_MOST and 0 < height <= VIDEO_SIDE_MOST):
        raise _refused(f"a picture of {width} by {height} pixels")
    video.width, video.height = max(width, video.width), max(height, video.height)


def _readable(codec: bytes) -> str:
    return "".join(chr(c) if 32 <= c < 127 else "?" for c in codec[:20])


@dataclass(frozen=True, slots=True)
class _Element:
    """An EBML element; ``end`` is _UNKNOWN where its length is."""

    id: int
    at: int
    start: int
    end: int


def _element(file: _File, at: int, end: int) -> _Element:
    file.count()
    head = file.read(at, 12)
    id_length = _vint_length(head[:1])
    if id_length > 4:
        raise _refused("damaged: an element is cut short")
    size_length = _vint_length(head[id_length : id_length + 1])
    start = at + id_length + size_length
    raw = head[id_length : id_length + size_length]
    if len(raw) < size_length or start > end:
        raise _refused("damaged: an element is cut short")
    mask = (1 << 7 * size_length) - 1
    size = int.from_bytes(raw) & mask
    element_id = int.from_bytes(head[:id_length])
    if size == mask:
        return _Element(element_id, at, start, _UNKNOWN)
    if start + size > end:
        raise _refused("damaged: an element is larger than what holds it")
    return _Element(element_id, at, start, start + size)


def _vint_length(first: bytes) -> int:
    if not first or not first[0]:
        raise _refused("damaged: an element is cut short")
    return 9 - first[0].bit_length()


def _elements(file: _File, holder: _Element) -> Iterator[_Element]:
    at = holder.start
    while at < holder.end:
        element = _element(file, at, holder.end)
        if element.end == _UNKNOWN:
            raise _refused("damaged: an element has no end")
        yield element
        at = element.end


def _check_webm(file: _File) -> Video:
    head = _element(file, 0, file.size)
    if head.end == _UNKNOWN or head.end - head.at > 4096:
        raise _refused("damaged: its header is too large")
    kinds = {e.id: file.read(e.start, e.end - e.start) for e in _elements(file, head)}
    if kinds.get(_DOCTYPE, b"").rstrip(b"\0") != b"webm":
        raise _refused("no WebM video")
    segment = _element(file, head.end, file.size)
    if segment.id != _SEGMENT:
        raise _refused("no WebM video")
    end = file.size if segment.end == _UNKNOWN else segment.end
    if end != file.size:
        raise _refused("has something appended")
    video = Video("video/webm")
    has_cluster = _walk_segment(file, segment.start, end, video)
    if not has_cluster:
        raise _refused("incomplete")
    if not video.width:
        raise _refused("has no picture in a format that browsers play")
    return video


def _walk_segment(file: _File, at: int, end: int, video: Video) -> bool:
    has_cluster = False
    while at < end:
        element = _element(file, at, end)
        if element.id == _ATTACHMENTS:
            raise _refused("has files attached")
        if element.id not in _TOP_EBML:
            raise _refused("holds what no WebM video holds")
        if element.end == _UNKNOWN:
            # Recorded live: nothing but clusters follow, whose ends are not known.
            if element.id != _CLUSTER or not video.width:
                raise _refused("damaged: an element has no end")
            return True
        has_cluster = has_cluster or element.id == _CLUSTER
        if element.id == _INFO:
            _read_info(file, element, video)
        elif element.id == _TRACKS:
            _read_tracks(file, element, video)
        elif element.id == _TAGS:
            video.patches.append(_voided(element.at, element.end))
        at = element.end
    return has_cluster


def _read_info(file: _File, info: _Element, video: Video) -> None:
    scale, duration = 1_000_000, 0.0
    for element in _elements(file, info):
        if element.id == _TIMECODE_SCALE:
            scale = int.from_bytes(file.read(element.start, min(8, element.end - element.start)))
        elif element.id == _DURATION:
            raw = file.read(element.start, element.end - element.start)
            if len(raw) not in {4, 8}:
                raise _refused("damaged: its length cannot be read")
            duration = struct.unpack(">f" if len(raw) == 4 else ">d", raw)[0]
        elif element.id == _TITLE:
            video.patches.append(_voided(element.at, element.end))
    seconds = duration * scale / 1e9
    if not 0 <= seconds <= VIDEO_SECONDS_MOST:  # not a number fails as well
        raise _refused(f"longer than {VIDEO_SECONDS_MOST // 60} minutes")
    video.seconds = seconds


def _read_tracks(file: _File, tracks: _Element, video: Video) -> None:
    for track in _elements(file, tracks):
        if track.id != _TRACK:
            continue
        kind, codec, size = 0, b"", (0, 0)
        for element in _elements(file, track):
            if element.id == _TRACK_TYPE:
                kind = int.from_bytes(file.read(element.start, 8)[: element.end - element.start])
            elif element.id == _CODEC:
                codec = file.read(element.start, min(40, element.end - element.start))
            elif element.id == _ENCODINGS:
                raise _refused("encrypted or compressed")
            elif element.id == _PICTURE:
                size = _picture_size(file, element)
        codec = codec.rstrip(b"\0")
        if kind == 1 and codec in _WEBM_VIDEO:
            _note_size(video, *size)
        elif not (kind == 2 and codec in _WEBM_AUDIO) and kind != 17:
            raise _refused(f"in a format that browsers do not play ({_readable(codec)})")


def _picture_size(file: _File, picture: _Element) -> tuple[int, int]:
    found = {
        element.id: int.from_bytes(file.read(element.start, min(8, element.end - element.start)))
        for element in _elements(file, picture)
        if element.id in {_WIDTH, _HEIGHT}
    }
    return found.get(_WIDTH, 0), found.get(_HEIGHT, 0)


def _voided(at: int, end: int) -> Patch:
    """The patch that makes an element into room of the same size that says nothing."""
    length = end - at
    width = 8 if length >= 9 else 1
    rest = length - 1 - width
    size = (rest | 1 << 7 * width).to_bytes(width)
    return Patch(at, bytes([_VOID]) + size, rest)


def patched(block: bytes, offset: int, patches: Sequence[Patch]) -> bytes:
    """The part of a file that begins at ``offset``, with those patches that touch it."""
    changed = bytearray(block)
    end = offset + len(block)
    for patch in patches:
        low = max(patch.offset, offset)
        high = min(patch.offset + len(patch.data) + patch.zeros, end)
        if low < high:
            kept = patch.data[low - patch.offset : high - patch.offset]
            changed[low - offset : high - offset] = kept.ljust(high - low, b"\0")
    return bytes(changed)
