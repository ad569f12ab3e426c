"""MP4 files: the boxes that playing needs, the samples they refer to, and nothing else.

Boxes are described in ISO/IEC 14496-12. What a copy keeps is in ``_KEPT``; of the data,
the samples of tracks of pictures and sound.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cityverse.data.video_files import (
    PATCHES_MOST,
    Patch,
    Video,
    VideoFile,
    readable,
    refused,
)

Ranges = npt.NDArray[np.int64]
"""Bytes of the file, a row each: where they begin and end."""

_INDEX_BYTES_MOST = 24_000_000
_FRAGMENT_BYTES_MOST = 4_000_000
_SAMPLES_MOST = 4_000_000
_TRACKS_MOST = 32
_BRANDS_BYTES_MOST = 400
_CONFIGURATION_BYTES_MOST = 64_000
_STREAMINFO_BYTES = 42

_BRANDS = frozenset(
    {
        b"M4V ",
        *b"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 mp71 avc1".split(),
        *b"av01 dash MSNV M4VH M4VP".split(),
    }
)
_FREE = frozenset(b"free skip wide".split())
_TOP = frozenset(b"ftyp styp moov mdat moof mfra sidx".split())
_TOP_FREED = _FREE | frozenset(b"ssix prft emsg meta uuid udta pdin".split())
_KEPT = {
    b"moov": frozenset(b"mvhd trak mvex".split()),
    b"trak": frozenset(b"tkhd edts mdia".split()),
    b"edts": frozenset((b"elst",)),
    b"mdia": frozenset(b"mdhd hdlr minf".split()),
    b"minf": frozenset(b"vmhd smhd dinf stbl".split()),
    b"dinf": frozenset((b"dref",)),
    b"stbl": frozenset(b"stsd stts ctts stss stsc stsz stco co64".split()),
    b"mvex": frozenset(b"mehd trex".split()),
    b"moof": frozenset(b"mfhd traf".split()),
    b"traf": frozenset(b"tfhd tfdt trun".split()),
    b"mfra": frozenset(b"tfra mfro".split()),
}
_SEVERAL = frozenset(b"trak trex traf trun tfra".split())
# How many bytes a box has, in its versions 0 and 1.
_FIXED = {
    b"mvhd": (100, 112),
    b"tkhd": (84, 96),
    b"mdhd": (24, 36),
    b"vmhd": (12, 12),
    b"smhd": (8, 8),
    b"mehd": (8, 12),
    b"trex": (24, 24),
    b"mfhd": (8, 8),
    b"tfdt": (8, 12),
    b"mfro": (8, 8),
}
_DATED = frozenset(b"mvhd tkhd mdhd".split())
# How many bytes an entry of a table has, in its versions 0 and 1.
_TABLES = {
    b"elst": (12, 20),
    b"stts": (8, 8),
    b"ctts": (8, 8),
    b"stss": (4, 4),
    b"stsc": (12, 12),
    b"stco": (4, 4),
    b"co64": (8, 8),
}
_CODECS = {
    b"vide": frozenset((b"avc1", b"avc3", b"hvc1", b"hev1", b"av01", b"vp09", b"vp08")),
    b"soun": frozenset((b"mp4a", b"Opus", b"fLaC", b"ac-3", b"ec-3", b".mp3")),
}
_SELF = frozenset((b"url ", b"alis"))
_ENCRYPTED = frozenset(b"encv enca drms drmi".split())
_CONFIGURATIONS = frozenset(
    b"avcC hvcC av1C vpcC esds dOps dfLa dac3 dec3 dvcC dvvC".split()
    + b"btrt pasp colr clap fiel mdcv clli SmDm CoLL".split()
)
# What an entry of sound has before its boxes, by its version.
_SOUND_BYTES = {0: 28, 1: 44, 2: 64}


@dataclass(frozen=True, slots=True)
class _Box:
    """A box: its type, where it begins, where its content begins and ends."""

    kind: bytes
    at: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes its content has."""
        return self.end - self.start


@dataclass(slots=True)
class _Film:
    """What is known of a file so far."""

    file: VideoFile
    video: Video
    patches: list[Patch]
    tracks: dict[int, bool] = field(default_factory=dict)  # whether it is kept, by its number
    sizes: dict[int, int] = field(default_factory=dict)  # of samples of fragments, by track
    samples: list[Ranges] = field(default_factory=list)


def check_mp4(file: VideoFile) -> Video:
    """What the file says; raises InvalidField, or struct.error, when it is refused."""
    video = Video("video/mp4")
    film = _Film(file, video, video.patches)
    data: list[tuple[int, int]] = []
    seen: set[bytes] = set()
    for box in _boxes(file, 0, file.size):
        if box.kind in _TOP_FREED:
            film.patches += _freed(box)
        elif box.kind == b"mdat":
            data.append((box.start, box.end))
        elif box.kind not in _TOP:
            raise refused("holds what no MP4 video holds")
        else:
            if box.kind == b"moov" and b"moov" in seen:
                raise refused("damaged: it has two indexes")
            if box.kind == b"moof" and b"moov" not in seen:
                raise refused("damaged: its index is not where it should be")
            _read_top(film, box)
        seen.add(box.kind)
    if b"moov" not in seen or not data:
        raise refused("incomplete")
    if video.width:
        _blank_gaps(film, data)
    return video


def _boxes(file: VideoFile, start: int, end: int) -> Iterator[_Box]:
    at = start
    while at < end:
        file.count()
        head = file.read(at, 16)
        if len(head) < 8 or at + 8 > end:
            raise refused("damaged: a box is cut short")
        size, kind, content = int.from_bytes(head[:4]), head[4:8], at + 8
        if size == 1:
            if len(head) < 16:
                raise refused("damaged: a box is cut short")
            size, content = int.from_bytes(head[8:16]), at + 16
        elif size == 0:
            size = end - at
        if size < content - at or at + size > end:
            raise refused("damaged: a box is larger than what holds it")
        yield _Box(kind, at, content, at + size)
        at += size


def _freed(box: _Box) -> list[Patch]:
    """The patch that makes a box into free room of the same size, where there is any."""
    if box.kind in _FREE:
        return [Patch(box.start, b"", box.size)] if box.size else []
    # The long form of the size stands behind the type.
    size = (box.end - box.at).to_bytes(8) if box.start - box.at == 16 else b""
    return [Patch(box.at + 4, b"free" + size, box.size)]


def _inside(film: _Film, holder: _Box, patches: list[Patch]) -> dict[bytes, list[_Box]]:
    """The boxes in a box that are kept; the others are patched away."""
    found: dict[bytes, list[_Box]] = {}
    for box in _boxes(film.file, holder.start, holder.end):
        if box.kind not in _KEPT[holder.kind]:
            patches += _freed(box)
            continue
        if box.kind in found and box.kind not in _SEVERAL:
            raise refused("damaged: it says the same thing twice")
        found.setdefault(box.kind, []).append(box)
        if box.kind in _FIXED:
            _check_fixed(film, box, patches)
        elif box.kind in _TABLES:
            _check_table(film, box, patches)
    return found


def _one(boxes: dict[bytes, list[_Box]], kind: bytes) -> _Box:
    if kind not in boxes:
        raise refused("damaged: its index is incomplete")
    return boxes[kind][0]


def _ends_at(box: _Box, size: int, patches: list[Patch]) -> None:
    """Check that a box has these bytes, and blank what follows them."""
    if box.size < size:
        raise refused("damaged: its index is incomplete")
    if box.size > size:
        patches.append(Patch(box.start + size, b"", box.size - size))


def _version(film: _Film, box: _Box) -> int:
    version = film.file.read(box.start, 1)[0] if box.size else 2
    if version > 1:
        raise refused("damaged: its index cannot be read")
    return version


def _check_fixed(film: _Film, box: _Box, patches: list[Patch]) -> None:
    version = _version(film, box)
    _ends_at(box, _FIXED[box.kind][version], patches)
    if box.kind in _DATED:
        patches.append(Patch(box.start + 4, b"", 16 if version else 8))


def _check_table(film: _Film, box: _Box, patches: list[Patch]) -> None:
    (count,) = struct.unpack(">I", film.file.read(box.start + 4, 4))
    # The two forms of some tables have their versions for signs alone.
    version = _version(film, box)
    _ends_at(box, 8 + count * _TABLES[box.kind][version], patches)


def _read_top(film: _Film, box: _Box) -> None:
    if box.kind in {b"ftyp", b"styp"}:
        _check_brands(film.file, box)
    elif box.kind == b"moov":
        _hold(film, box, _INDEX_BYTES_MOST)
        _read_index(film, box)
    elif box.kind == b"moof":
        _hold(film, box, _FRAGMENT_BYTES_MOST)
        _read_fragment(film, box)
    elif box.kind == b"sidx":
        _check_segments(film, box)
    else:
        _hold(film, box, _FRAGMENT_BYTES_MOST)
        for one in _inside(film, box, film.patches).get(b"tfra", []):
            _check_random_access(film, one)


def _hold(film: _Film, box: _Box, most: int) -> None:
    """Read a box as a whole, so that what is in it costs no more reads."""
    if box.end - box.at > most:
        raise refused("its index is too large")
    film.file.read(box.at, box.end - box.at)


def _check_brands(file: VideoFile, box: _Box) -> None:
    if box.size > _BRANDS_BYTES_MOST:
        raise refused("damaged: its header is too large")
    brands = file.read(box.start, box.size)
    if box.kind == b"styp":
        return
    if brands[:4] == b"qt  ":
        raise refused("a QuickTime film: convert it to MP4")
    if not {brands[n : n + 4] for n in range(0, len(brands), 4) if n != 4} & _BRANDS:
        raise refused("no MP4 video")


def _read_index(film: _Film, moov: _Box) -> None:
    boxes = _inside(film, moov, film.patches)
    film.video.note_seconds(_seconds(film.file.read(_one(boxes, b"mvhd").start, 32)))
    tracks = boxes.get(b"trak", [])
    if len(tracks) > _TRACKS_MOST:
        raise refused("has too many tracks")
    for trak in tracks:
        _read_track(film, trak)
    for mvex in boxes.get(b"mvex", []):
        for trex in _inside(film, mvex, film.patches).get(b"trex", []):
            track, size = struct.unpack(">4xI8xI", film.file.read(trex.start, 20))
            film.sizes[track] = size


def _seconds(header: bytes) -> float:
    if header[:1] == b"\x01":
        scale, duration = struct.unpack(">IQ", header[20:32])
        unknown = 2**64 - 1
    else:
        scale, duration = struct.unpack(">II", header[12:20])
        unknown = 2**32 - 1
    if not scale:
        raise refused("damaged: it has no time scale")
    return 0.0 if duration == unknown else float(duration / scale)


def _read_track(film: _Film, trak: _Box) -> None:
    """Keep a track of pictures or sound, and make free room of any other."""
    patches: list[Patch] = []
    boxes = _inside(film, trak, patches)
    tkhd, mdia = _one(boxes, b"tkhd"), _one(boxes, b"mdia")
    at = tkhd.start + (20 if _version(film, tkhd) else 12)
    number = int.from_bytes(film.file.read(at, 4))
    if number in film.tracks:
        raise refused("damaged: two tracks have the same number")
    for edts in boxes.get(b"edts", []):
        _inside(film, edts, patches)
    media = _inside(film, mdia, patches)
    hdlr = _one(media, b"hdlr")
    handler = film.file.read(hdlr.start + 8, 4)
    film.tracks[number] = handler in _CODECS
    if handler not in _CODECS:
        film.patches += _freed(trak)
        return
    _one(media, b"mdhd")
    _ends_at(hdlr, 12, patches)  # a name, which may be anything
    inside = _inside(film, _one(media, b"minf"), patches)
    for dinf in inside.get(b"dinf", []):
        for dref in _inside(film, dinf, patches).get(b"dref", []):
            _check_references(film, dref, patches)
    table = _inside(film, _one(inside, b"stbl"), patches)
    _check_descriptions(film, _one(table, b"stsd"), handler, patches)
    film.samples.append(_samples(film, table, patches))
    film.patches += patches


def _check_references(film: _Film, dref: _Box, patches: list[Patch]) -> None:
    for box in _boxes(film.file, dref.start + 8, dref.end):
        # The last bit says: in this very file.
        if box.kind not in _SELF or film.file.read(box.start, 4) != b"\0\0\0\1":
            raise refused("its data is said to be elsewhere")
        _ends_at(box, 4, patches)


def _check_descriptions(film: _Film, stsd: _Box, handler: bytes, patches: list[Patch]) -> None:
    (count,) = struct.unpack(">I", film.file.read(stsd.start + 4, 4))
    entries = list(_boxes(film.file, stsd.start + 8, stsd.end))
    if not entries or len(entries) != count:
        raise refused("damaged: its index is incomplete")
    for entry in entries:
        if entry.kind in _ENCRYPTED:
            raise refused("encrypted")
        if entry.kind not in _CODECS[handler]:
            raise refused(f"in a format that browsers do not play ({readable(entry.kind)})")
        if handler == b"vide":
            head = film.file.read(entry.start, 78)
            film.video.note_size(*struct.unpack(">24xHH50x", head))
            patches.append(Patch(entry.start + 8, b"", 16))
            patches.append(Patch(entry.start + 42, b"", 32))  # the name of the encoder
            fixed = 78
        else:
            (version,) = struct.unpack(">8xH", film.file.read(entry.start, 10))
            patches.append(Patch(entry.start + 12, b"", 4))  # the vendor
            fixed = _SOUND_BYTES.get(version, entry.size + 1)
        if entry.size < fixed:
            raise refused("damaged: its index is incomplete")
        _check_configuration(film, entry.start + fixed, entry.end, patches)


def _check_configuration(film: _Film, start: int, end: int, patches: list[Patch]) -> None:
    while end - start >= 8:
        box = next(_boxes(film.file, start, end))
        if box.kind not in _CONFIGURATIONS or not _is_plain(film, box):
            patches += _freed(box)
        elif box.size > _CONFIGURATION_BYTES_MOST:
            raise refused("damaged: its index cannot be read")
        start = box.end
    if start < end:  # QuickTime ends such lists with four zeros
        patches.append(Patch(start, b"", end - start))


def _is_plain(film: _Film, box: _Box) -> bool:
    """Whether a box of configuration is of a form that has no room for texts."""
    if box.kind == b"colr":
        return film.file.read(box.start, 4) in {b"nclx", b"nclc"} and box.size <= 11
    return box.kind != b"dfLa" or box.size == _STREAMINFO_BYTES


def _array(film: _Film, start: int, kind: str, count: int) -> npt.NDArray[np.int64]:
    width = np.dtype(kind).itemsize
    if count > _SAMPLES_MOST:
        raise refused("in too many pieces")
    data = film.file.read(start, count * width)
    if len(data) != count * width:
        raise refused("damaged: its index is incomplete")
    found = np.frombuffer(data, kind)
    if width == 8 and count and int(found.max()) > film.file.size:
        raise refused("damaged: its index points outside of its data")
    return found.astype(np.int64)


def _samples(film: _Film, table: dict[bytes, list[_Box]], patches: list[Patch]) -> Ranges:
    """Where the chunks of a track are."""
    stsz, stsc = _one(table, b"stsz"), _one(table, b"stsc")
    if len({b"stco", b"co64"} & table.keys()) != 1:
        raise refused("damaged: its index is incomplete")
    wide = b"co64" in table
    offsets_box = _one(table, b"co64" if wide else b"stco")
    constant, count = struct.unpack(">4xII", film.file.read(stsz.start, 12))
    _ends_at(stsz, 12 if constant else 12 + 4 * count, patches)
    (chunks,) = struct.unpack(">4xI", film.file.read(offsets_box.start, 8))
    starts = _array(film, offsets_box.start + 8, ">u8" if wide else ">u4", chunks)
    (rows,) = struct.unpack(">4xI", film.file.read(stsc.start, 8))
    runs = _array(film, stsc.start + 8, ">u4", 3 * rows).reshape(rows, 3)
    last = np.minimum(_last_samples(runs, chunks), count)
    first = np.concatenate(([0], last[:-1])) if chunks else last
    if constant:
        if count * constant > film.file.size:
            raise refused("damaged: its index points outside of its data")
        sizes = (last - first) * constant
    else:
        until = np.concatenate(([0], np.cumsum(_array(film, stsz.start + 12, ">u4", count))))
        sizes = until[last] - until[first]
    return np.stack((starts, starts + sizes), axis=1)


def _last_samples(runs: npt.NDArray[np.int64], chunks: int) -> npt.NDArray[np.int64]:
    """How many samples there are up to the end of each chunk."""
    if not chunks:
        return np.zeros(0, np.int64)
    begin = runs[:, 0]
    if not len(runs) or begin[0] != 1 or (np.diff(begin) <= 0).any() or begin[-1] > chunks:
        raise refused("damaged: its index cannot be read")
    return np.cumsum(np.repeat(runs[:, 1], np.diff(begin, append=chunks + 1)))


def _read_fragment(film: _Film, moof: _Box) -> None:
    boxes = _inside(film, moof, film.patches)
    _one(boxes, b"mfhd")
    end = moof.at  # where the data of the track before ends
    dropped = False
    for number, traf in enumerate(boxes.get(b"traf", [])):
        patches: list[Patch] = []
        inside = _inside(film, traf, patches)
        tfhd = _one(inside, b"tfhd")
        (flags, track), body = struct.unpack(">II", film.file.read(tfhd.start, 8)), tfhd.start + 8
        base, default = moof.at, film.sizes.get(track, 0)
        if flags & 0x01:
            (base,) = struct.unpack(">Q", film.file.read(body, 8))
        elif not flags & 0x020000 and number:
            if dropped:
                raise refused("its pieces depend on a track of other data: save it without")
            base = end
        body += 8 * (flags & 1) + 4 * (flags >> 1 & 1) + 4 * (flags >> 3 & 1)
        if flags & 0x10:
            (default,) = struct.unpack(">I", film.file.read(body, 4))
        body += 4 * (flags >> 4 & 1) + 4 * (flags >> 5 & 1)
        _ends_at(tfhd, body - tfhd.start, patches)
        runs, end = _runs(film, inside.get(b"trun", []), base, default, patches)
        if film.tracks.get(track):
            film.samples.append(runs)
            film.patches += patches
        else:
            film.patches += _freed(traf)
            dropped = True


def _runs(
    film: _Film, truns: list[_Box], base: int, default: int, patches: list[Patch]
) -> tuple[Ranges, int]:
    """Where the samples of a fragment are, and where the last of them ends."""
    found: list[tuple[int, int]] = []
    at = base
    for trun in truns:
        flags, count = struct.unpack(">II", film.file.read(trun.start, 8))
        body = trun.start + 8
        if flags & 0x01:
            (offset,) = struct.unpack(">i", film.file.read(body, 4))
            at, body = base + offset, body + 4
        body += 4 * (flags >> 2 & 1)
        width = (flags >> 8 & 15).bit_count()
        _ends_at(trun, body - trun.start + 4 * width * count, patches)
        if flags & 0x200:
            sizes = _array(film, body, ">u4", width * count).reshape(count, width)
            size = int(sizes[:, flags >> 8 & 1].sum())
        else:
            size = count * default
        found.append((at, at + size))
        at += size
    if not all(0 <= start <= end <= film.file.size for start, end in found):
        raise refused("damaged: its index points outside of its data")
    return np.array(found, np.int64).reshape(-1, 2), at


def _check_segments(film: _Film, sidx: _Box) -> None:
    fixed = 32 if _version(film, sidx) else 24
    (count,) = struct.unpack(">H", film.file.read(sidx.start + fixed - 2, 2))
    _ends_at(sidx, fixed + 12 * count, film.patches)


def _check_random_access(film: _Film, tfra: _Box) -> None:
    wide = _version(film, tfra)
    lengths, count = struct.unpack(">8xII", film.file.read(tfra.start, 16))
    width = (16 if wide else 8) + sum((lengths >> shift & 3) + 1 for shift in (0, 2, 4))
    _ends_at(tfra, 16 + count * width, film.patches)


def _blank_gaps(film: _Film, data: list[tuple[int, int]]) -> None:
    """Patch away all data that no sample of a track that is kept refers to."""
    boxes = np.array(data, np.int64)
    samples = np.concatenate([*film.samples, np.zeros((0, 2), np.int64)])
    samples = samples[samples[:, 0] < samples[:, 1]]
    if not len(samples):
        raise refused("incomplete")
    holder = np.searchsorted(boxes[:, 0], samples[:, 0], "right") - 1
    if (holder < 0).any() or (samples[:, 1] > boxes[holder, 1]).any():
        raise refused("damaged: its index points outside of its data")
    # Each box of data begins and ends with a sample of nothing.
    edges = np.repeat(boxes.reshape(-1, 1), 2, axis=1)
    ranges = np.concatenate((samples, edges))
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    starts = np.maximum.accumulate(ranges[:-1, 1])
    ends = ranges[1:, 0]
    holder = np.searchsorted(boxes[:, 0], starts, "right") - 1
    gaps = (starts < ends) & (ends <= boxes[holder, 1])
    if int(gaps.sum()) > PATCHES_MOST:
        raise refused("in too many pieces")
    film.patches += [
        Patch(int(start), b"", int(end - start))
        for start, end in zip(starts[gaps], ends[gaps], strict=True)
    ]
