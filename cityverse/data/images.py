"""Pictures as uploaded to pictures as served: decoded, shrunk and encoded anew.

Nothing of the uploaded bytes survives but pixels: no EXIF or GPS, no colour profile,
no text, nothing appended. What is no single picture within the limits is refused
before it is decoded.
"""

from __future__ import annotations

import io
import struct
import threading
from dataclasses import dataclass

from PIL import Image

from cityverse.domain.media import (
    IMAGE_BYTES_MOST,
    PIXELS_MOST,
    SIDE_LONGEST,
    THUMBNAIL_LONGEST,
)
from cityverse.errors import InvalidField

_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 82
_ORIENTATION = 0x0112
# What each orientation of EXIF asks for, in Pillow's words.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A picture of 40 MP takes up to 350 MB while it is worked on.
_TURN = threading.Lock()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to serve, with its thumbnail, both WebP; width and height in pixels."""

    full: bytes
    thumbnail: bytes
    width: int
    height: int


def reencode(data: bytes) -> Picture:
    """The picture in ``data`` (JPEG, PNG or WebP), at most 2048 pixels a side.

    Raises InvalidField when it is none, or over a limit. One picture is worked on at a
    time, so that memory stays bounded however many are uploaded.
    """
    if not data:
        raise _refused("the file is empty")
    if len(data) > IMAGE_BYTES_MOST:
        raise _refused(f"more than {IMAGE_BYTES_MOST // 1_000_000} MB")
    _check_size(_webp_size(data))  # Pillow makes room for a WebP picture as it opens it
    with _TURN:
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                return _picture(image)
        except InvalidField:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _refused(_TOO_LARGE) from error
        except MemoryError as error:
            raise _refused("takes too much memory to read") from error
        # A decoder that is fed hostile bytes raises whatever its parts raise.
        except Exception as error:
            raise _refused("no JPEG, PNG or WebP picture, or a damaged one") from error


_TOO_LARGE = f"more than {PIXELS_MOST // 1_000_000} million pixels"


def _refused(reason: str) -> InvalidField:
    return InvalidField("image", reason)


def _check_size(size: tuple[int, int] | None) -> None:
    if size is not None and size[0] * size[1] > PIXELS_MOST:
        raise _refused(_TOO_LARGE)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of the canvas a WebP file announces; None for any other file."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        if body[0] & 2:
            raise _refused("an animation")
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = struct.unpack("<I", body[1:5])[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:10])
    return width & 0x3FFF, height & 0x3FFF


def _picture(image: Image.Image) -> Picture:
    _check_size(image.size)
    # Many telephones put a second, smaller picture behind the first one.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise _refused("an animation")
    turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    image.draft("RGB", (SIDE_LONGEST, SIDE_LONGEST))  # a JPEG need not be decoded in full
    bare = _plain(image)
    bare.thumbnail((SIDE_LONGEST, SIDE_LONGEST), reducing_gap=2.0)
    if turn is not None:
        bare = bare.transpose(turn)
    full, (width, height) = _webp(bare), bare.size
    bare.thumbnail((THUMBNAIL_LONGEST, THUMBNAIL_LONGEST))
    return Picture(full, _webp(bare), width, height)


def _plain(image: Image.Image) -> Image.Image:
    """The pixels as 8-bit RGB, or RGBA where anything is transparent; nothing else."""
    if image.mode.startswith("I"):  # 16-bit greys, of which a conversion would keep the low bits
        image = image.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    image.load()
    plain = image if image.mode == mode else image.convert(mode)  # a copy takes up to 160 MB
    plain.info.clear()
    return plain


def _webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY, method=4, exif=b"", icc_profile=b"", xmp=b"")
    return out.getvalue()
