"""What the readers of both formats of video share: bounded reading, patches, refusals."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cityverse.domain.media import VIDEO_SECONDS_MOST, VIDEO_SIDE_MOST
from cityverse.errors import InvalidField

Fetch = Callable[[int, int], bytes]
"""Reads bytes of the file: where from, and how many at most."""

PATCHES_MOST = 200_000

_BLOCK = 64 * 1024
_READS_MOST = 2000
_PARTS_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Patch:
    """What a copy of the file has at an offset instead: ``data``, then ``zeros`` zero bytes."""

    offset: int
    data: bytes
    zeros: int

    @property
    def end(self) -> int:
        """Where the file is as it was again."""
        return self.offset + len(self.data) + self.zeros


@dataclass(slots=True)
class Video:
    """What the headers say; 0 where they say nothing. ``seconds`` may be unknown (0).

    The patches are in order and do not overlap.
    """

    content_type: str
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    patches: list[Patch] = field(default_factory=list)

    def note_size(self, width: int, height: int) -> None:
        """Take note of a picture; raises InvalidField when it is too large, or nothing."""
        if not (0 < width <= VIDEO_SIDE_MOST and 0 < height <= VIDEO_SIDE_MOST):
            raise refused(f"a picture of {width} by {height} pixels")
        self.width, self.height = max(width, self.width), max(height, self.height)

    def note_seconds(self, seconds: float) -> None:
        """Take note of the length; raises InvalidField when it is too long, or none."""
        if not 0 <= seconds <= VIDEO_SECONDS_MOST:  # not a number fails as well
            raise refused(f"longer than {VIDEO_SECONDS_MOST // 60} minutes")
        self.seconds = seconds


def refused(reason: str) -> InvalidField:
    """The refusal of a video, for this reason."""
    return InvalidField("video", reason)


def readable(codec: bytes) -> str:
    """The name of a codec, for a refusal."""
    return "".join(chr(c) if 32 <= c < 127 else "?" for c in codec[:20])


class VideoFile:
    """Bounded reading of a file of ``size`` bytes, ``block`` bytes of it in memory."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self.size = size
        self.block = _BLOCK
        self._fetch = fetch
        self._at, self._bytes = 0, b""
        self._reads = self._parts = 0

    def read(self, offset: int, length: int) -> bytes:
        """These bytes; fewer only at the end of the file."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        if not self._at <= offset or end > self._at + len(self._bytes):
            self._reads += 1
            if self._reads > _READS_MOST:
                raise refused("in too many pieces")
            wanted = min(max(self.block, end - offset), self.size - offset)
            self._at, self._bytes = offset, self._fetch(offset, wanted)
            if len(self._bytes) != wanted:
                raise refused("incomplete")
        return self._bytes[offset - self._at : end - self._at]

    def count(self) -> None:
        """One more box or element; raises InvalidField when there are too many."""
        self._parts += 1
        if self._parts > _PARTS_MOST:
            raise refused("in too many pieces")


def patched(block: bytes, offset: int, patches: Sequence[Patch]) -> bytes:
    """The part of a file that begins at ``offset``, with those patches that touch it."""
    end = offset + len(block)
    first = max(0, bisect_right(patches, offset, key=lambda patch: patch.offset) - 1)
    changed: bytearray | None = None
    for number in range(first, len(patches)):
        patch = patches[number]
        if patch.offset >= end:
            break
        low, high = max(patch.offset, offset), min(patch.end, end)
        if low < high:
            changed = bytearray(block) if changed is None else changed
            kept = patch.data[low - patch.offset : high - patch.offset]
            changed[low - offset : high - offset] = kept.ljust(high - low, b"\0")
    return block if changed is None else bytes(changed)
