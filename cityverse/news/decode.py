"""From bytes to text: byte order mark, UTF-8 first, then what is declared, cp1252 last."""

from __future__ import annotations

import re
import zlib

from cityverse.errors import FeedUnreadable

LONGEST = 20 * 1024 * 1024
"""Bytes a feed may have, packed or unpacked."""

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# "<" and a letter or "?" in UTF-16 and UTF-32 without a byte order mark.
_WIDE = (
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x00<", "utf-16-be"),
)
# Declared names we believe. ISO-8859-1 and ASCII are read as cp1252, as browsers do.
_CODECS = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "iso-8859-15": "iso-8859-15",
    "latin-9": "iso-8859-15",
    "iso-8859-2": "iso-8859-2",
    "iso-8859-5": "iso-8859-5",
    "iso-8859-7": "iso-8859-7",
    "iso-8859-9": "cp1254",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1253": "cp1253",
    "windows-1254": "cp1254",
    "windows-1255": "cp1255",
    "windows-1256": "cp1256",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "euc-jp": "euc-jp",
    "iso-2022-jp": "iso-2022-jp",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "euc-kr": "cp949",
}
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,300}?encoding\s{0,20}=\s{0,20}["']\s{0,20}([\w.:-]{2,40})"""
)
# A wrong byte here and there in UTF-8 text is a slip; more than this share is another charset.
_SLIPS_PER_LETTER = 0.5
# Each part of packed data copies all that follow: their number is what hostile data grows by.
_MEMBERS_MOST = 100
_SAMPLE = 1024 * 1024
_HIGH = re.compile(rb"[\x80-\xff]")
_SLIPS = re.compile("[\udc80-\udcff]")


def gunzip(data: bytes, longest: int = LONGEST) -> bytes:
    """Unpack gzip data (all its members), at most ``longest`` bytes.

    Raises FeedUnreadable when there are more or the data is broken; what is cut short is
    unpacked as far as it goes.
    """
    out = bytearray()
    rest = data
    for _ in range(_MEMBERS_MOST):
        unpack = zlib.decompressobj(wbits=31)
        try:
            out += unpack.decompress(rest, longest + 1 - len(out))
        except zlib.error as error:
            raise FeedUnreadable("compressed data is broken") from error
        rest = unpack.unused_data
        if len(out) > longest or not rest.startswith(b"\x1f\x8b"):
            break
    else:
        raise FeedUnreadable("compressed data in too many parts")
    if len(out) > longest:
        raise FeedUnreadable(f"unpacks to more than {longest} bytes")
    return bytes(out)


def decode(data: bytes) -> str:
    """The text of a feed, whatever its charset was said to be; never fails on a wrong byte."""
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(codec, "replace")
    start = data[:64].lstrip(b" \t\r\n")
    for prefix, codec in _WIDE:
        if start.startswith(prefix) and b"\x00" in start[1:4] + start[:1]:
            return data.decode(codec, "replace")
    declared = _DECLARED.search(data[:1024])
    codec = _CODECS.get(declared[1].decode("ascii").lower(), "") if declared else ""
    if codec == "iso-2022-jp" and b"\x1b" in data:
        return data.decode(codec, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_eight_bit(data, codec)


def _decode_eight_bit(data: bytes, codec: str) -> str:
    """Bytes that are not UTF-8: UTF-8 with slips, or the declared charset, or cp1252."""
    sample = data[:_SAMPLE]
    slips = len(_SLIPS.findall(sample.decode("utf-8", "surrogateescape")))
    high = len(_HIGH.findall(sample))
    # Latin-1 text has next to no valid sequences: nearly each of its high bytes is a slip.
    if slips <= _SLIPS_PER_LETTER * (high - slips) or not high:
        return _SLIPS.sub(_slip, data.decode("utf-8", "surrogateescape"))
    if codec:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            if codec != "cp1252":
                return data.decode(codec, "replace")
    return data.decode("cp1252", "replace")


def _slip(match: re.Match[str]) -> str:
    """One byte outside any UTF-8 sequence, read as cp1252."""
    return bytes([ord(match[0]) - 0xDC00]).decode("cp1252", "replace")
