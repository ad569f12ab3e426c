"""Videos: what the headers of an MP4 or WebM file say, and what a copy must leave out.

A video is not decoded. Its container is walked within fixed limits, read piece by piece,
and refused unless it is whole, of formats browsers play, and of bounded length. A copy
keeps what playing needs, by lists of what that is: everything else (titles, dates,
positions, tracks that are neither picture nor sound, bytes that no track refers to) is
named as patches, which make it free room of the same size, so that nothing moves.
"""

from __future__ import annotations

import struct

from cityverse.data.video_files import Fetch, Patch, Video, VideoFile, patched, refused
from cityverse.data.video_mp4 import check_mp4
from cityverse.data.video_webm import EBML, check_webm

__all__ = ["Fetch", "Patch", "Video", "check_video", "looks_like_video", "patched"]


def looks_like_video(start: bytes) -> bool:
    """Whether the first 16 bytes of a file may begin an MP4 or WebM file."""
    return start[4:8] == b"ftyp" or start[:4] == EBML.to_bytes(4)


def check_video(size: int, fetch: Fetch) -> Video:
    """What a file of ``size`` bytes is; raises InvalidField when it is refused.

    Reads forward in pieces of 64 KB, at most 2,000 (of a WebM file 4 MB, since all of its
    blocks are looked at), and of an MP4 file one index of 24 MB.
    """
    file = VideoFile(size, fetch)
    start = file.read(0, 16)
    try:
        if start[4:8] == b"ftyp":
            video = check_mp4(file)
        elif start[:4] == EBML.to_bytes(4):
            video = check_webm(file)
        else:
            raise refused("no MP4 or WebM video")
    except struct.error as error:
        raise refused("damaged: a header is cut short") from error
    if not video.width:
        raise refused("has no picture in a format that browsers play")
    video.patches.sort(key=lambda patch: patch.offset)
    return video
