"""Files made in code: good ones, and the hostile ones that must be refused."""

import io
import struct
import zlib

from PIL import Image, PngImagePlugin

SCRIPT = b"<script>alert(1)</script>"


def picture(size=(60, 40), mode="RGB", form="PNG", **options):
    """A picture with some content."""
    image = Image.new(mode, size)
    image.paste(Image.linear_gradient("L").resize((size[0], max(1, size[1] // 2))).convert(mode))
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def photo():
    """A JPEG with EXIF: lying on its side, with a position, a maker and a colour profile."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 52.0, 30.0)
    return picture((60, 40), form="JPEG", exif=exif, icc_profile=b"profile" * 40, comment=b"secret")


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *, depth=8, color=0, data=b"", extra=b""):
    """A PNG file with any header."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", data or zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def bomb(side):
    """A real picture of side × side white pixels in a few hundred KB."""
    packer = zlib.compressobj(6)
    row = b"\0" + b"\xff" * ((side + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png(side, side, depth=1, data=data)


def animation(form):
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=50)
    return out.getvalue()


def webp_header(kind, body):
    part = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(part) + 4) + b"WEBP" + part


def text_bomb():
    """A PNG whose text grows to 30 MB when it is read."""
    packed = zlib.compress(b"a" * 30_000_000)
    return png(8, 8, extra=chunk(b"zTXt", b"Comment\0\0" + packed))


def saved(form):
    return picture(form=form)


def meta_png():
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "secret")
    return picture(pnginfo=info)


def pdf(body=b"", end=b"%%EOF\n"):
    """The smallest document, with an object of its own."""
    out = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]"
    out += b"/Count 0>>endobj\n" + body
    at = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \ntrailer<</Size 3/Root 1 0 R>>\n"
    return out + b"startxref\n%d\n" % at + end


def box(kind, body=b"", *, size=None, long=False):
    length = len(body) + (16 if long else 8) if size is None else size
    if long:
        return struct.pack(">I", 1) + kind + struct.pack(">Q", length) + body
    return struct.pack(">I", length) + kind + body


# Where the data begins, and how much it is: known once all is put together.
OFFSET, SIZE = b"\xfe\xed\xc0\xde", b"\xfe\xed\xf0\x0d"


def table(kind, *rows, head=b""):
    """A table of an index: its rows are numbers of 4 bytes, or bytes."""
    body = b"".join(r if isinstance(r, bytes) else struct.pack(">I", r) for r in rows)
    return box(kind, bytes(4) + (head or struct.pack(">I", 1)) + body)


def chunks(*where):
    """The index of a track: one chunk with one sample, or these (offset, size)."""
    count = struct.pack(">I", len(where) or 1)
    where = where or ((OFFSET, SIZE),)
    return (
        table(b"stts", 1, 1)
        + table(b"stsc", 1, 1, 1)
        + table(b"stsz", *(size for _, size in where), head=bytes(4) + count)
        + table(b"stco", *(offset for offset, _ in where), head=count)
    )


def header(number):
    return box(b"tkhd", bytes(12) + struct.pack(">I", number) + bytes(68))


def entry(handler, codec, width=640, height=360, boxes=b""):
    """The description of what a track holds."""
    if handler != b"vide":
        return box(codec, bytes(28) + boxes)
    return box(codec, bytes(24) + struct.pack(">HH", width, height) + bytes(50) + boxes)


def track(handler=b"vide", codec=b"avc1", width=640, height=360, extra=b"", **more):
    """A track; ``more`` has number, name, index, references, boxes, inside and kept."""
    stsd = table(b"stsd", entry(handler, codec, width, height, more.get("boxes", b"")))
    reference = more.get("reference", box(b"url ", b"\0\0\0\1"))
    minf = (
        box(b"vmhd", bytes(12))
        + box(b"dinf", table(b"dref", reference))
        + box(b"stbl", stsd + (more.get("index") or chunks()) + more.get("beside", b""))
        + more.get("inside", b"")
    )
    media = (
        box(b"mdhd", bytes(24))
        + box(b"hdlr", bytes(8) + handler + bytes(12) + more.get("name", b""))
        + box(b"minf", minf)
    )
    number = more.get("number", 1 + b"videsounmetatext".find(handler) // 4)
    return box(b"trak", header(number) + box(b"mdia", media) + extra)


def film(*tops):
    """An MP4 file of these boxes, in which tracks know where the data is."""
    out = b"".join(tops)
    at = out.rfind(b"mdat")
    length = struct.unpack(">I", out[at - 4 : at])[0] - 8 if at >= 4 else 0
    return out.replace(OFFSET, struct.pack(">I", at + 4)).replace(SIZE, struct.pack(">I", length))


def mp4(
    *,
    brand=b"isom",
    seconds=10,
    tracks=None,
    extra=b"",
    top=b"",
    data=b"x" * 1000,
    scale=1000,
):
    """An MP4 file by its boxes; ``top`` stands before the data."""
    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, scale, seconds * scale) + bytes(80))
    moov = box(b"moov", mvhd + (track() if tracks is None else tracks) + extra)
    return film(box(b"ftyp", brand + bytes(4) + brand), moov, top, box(b"mdat", data))


def position():
    """What a telephone writes beside a film."""
    return box(b"udta", box(b"\xa9xyz", b"\0\x12\x15\xc7+48.8584+002.2945/"))


def element(number, body, *, size=None, width=None):
    length = len(body) if size is None else size
    width = width or next(n for n in range(1, 9) if length < (1 << 7 * n) - 1)
    head = number.to_bytes((number.bit_length() + 7) // 8)
    return head + (length | 1 << 7 * width).to_bytes(width) + body


def number(value):
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8))


def webm_track(codec=b"V_VP9", width=640, height=360, kind=1, extra=b"", track=1):
    video = element(0xE0, element(0xB0, number(width)) + element(0xBA, number(height)))
    about = element(0xD7, number(track)) + element(0x83, number(kind)) + element(0x86, codec)
    return element(0xAE, about + (video if kind == 1 else b"") + extra)


def block(data=b"x" * 400, track=1, kind=0xA3):
    return element(kind, bytes([0x80 | track, 0, 0, 0]) + data)


def webm(
    *,
    doctype=b"webm",
    seconds=10.0,
    tracks=None,
    top=b"",
    live=False,
    tags=b"",
    head=b"",
    info=b"",
    blocks=None,
):
    """A WebM file by its elements; ``tags`` stand behind the cluster."""
    length = element(0x4489, struct.pack(">d", seconds * 1000))
    about = element(0x1549A966, element(0x2AD7B1, number(1_000_000)) + length + info)
    inside = about + element(0x1654AE6B, webm_track() if tracks is None else tracks) + top
    cluster = element(0xE7, b"\0") + (block() if blocks is None else blocks)
    unknown = b"\x01" + b"\xff" * 7
    if live:
        inside += b"\x1f\x43\xb6\x75" + unknown + cluster + tags
    else:
        inside += element(0x1F43B675, cluster) + tags
    start = element(0x1A45DFA3, element(0x4282, doctype) + head)
    if live:
        return start + b"\x18\x53\x80\x67" + unknown + inside
    return start + element(0x18538067, inside)


def hostile_images():
    """Name to bytes: nothing of these may be stored."""
    good, jpeg, webp = picture(), picture(form="JPEG"), picture(form="WEBP")
    return {
        "nothing": b"",
        "one byte": b"\x89",
        "bomb of 400 million pixels": bomb(20_000),
        "a header of two thousand million pixels a side": png(2**31 - 1, 2**31 - 1),
        "a header of 50,000 by 50,000": png(50_000, 50_000, depth=16, color=6),
        "width 0": png(0, 100),
        "a JPEG header of 65,535 by 65,535": jpeg.replace(
            jpeg[jpeg.index(b"\xff\xc0") : jpeg.index(b"\xff\xc0") + 9],
            b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff",
        ),
        "a WebP canvas of 16 million a side": webp_header(b"VP8X", b"\0" * 4 + b"\xff" * 6),
        "a lossless WebP of 16,384 a side": webp_header(
            b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(9)
        ),
        "a lossy WebP of 16,383 a side": webp_header(
            b"VP8 ", b"\x30\x01\x00\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(9)
        ),
        "a PNG with 30 MB of text": text_bomb(),
        "a PNG cut in its header": good[:20],
        "a PNG cut in the middle": good[: len(good) // 2],
        "a JPEG cut in its header": jpeg[:30],
        "a JPEG cut in the middle": jpeg[: len(jpeg) // 2],
        "a WebP cut in the middle": webp[: len(webp) // 2],
        "a PNG of noise": png(600, 600, data=zlib.compress(b"\x07" * 360_600)[:-30] + b"\xff" * 30),
        "an animated PNG": animation("PNG"),
        "an animated WebP": animation("WEBP"),
        "a GIF": saved("GIF"),
        "a GIF that is a script": b"GIF89a/*" + saved("GIF")[8:] + b"*/=1;" + SCRIPT,
        "a TIFF": saved("TIFF"),
        "a BMP": saved("BMP"),
        "an ICO": saved("ICO"),
        "a PPM": saved("PPM"),
        "an EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(id) run\n",
        "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "HTML named .png": b"<!doctype html><html><body>" + SCRIPT + b"</body></html>",
        "HTML behind a PNG signature": b"\x89PNG\r\n\x1a\n<html>" + SCRIPT,
        "a program of Windows": b"MZ" + bytes(58) + b"\x80\0\0\0PE\0\0" + bytes(500),
        "a program of Linux": b"\x7fELF" + bytes(500),
        "a zip": b"PK\x03\x04" + bytes(500),
        "a PDF": pdf(),
        "a PHP script": b"<?php system($_GET['c']); ?>",
        "26 MB": good + bytes(25_000_001),
    }


def hostile_documents():
    return {
        "nothing": b"",
        "no end": pdf(end=b""),
        "cut in the middle": pdf()[:60],
        "HTML before it": b"<html>" + pdf(),
        "a zip behind it": pdf() + b"PK\x05\x06" + bytes(18),
        "a script behind it": pdf() + SCRIPT,
        "an end that points nowhere": pdf().replace(b"startxref\n", b"startxref\n9"),
        "an end far outside": pdf(end=b"%%EOF").replace(b"startxref\n", b"startxref\n99999"),
        "encrypted": pdf(b"3 0 obj<</Encrypt 4 0 R>>endobj\n"),
        "a script": pdf(b"3 0 obj<</S/JavaScript/JS(app.alert(1))>>endobj\n"),
        "a program to start": pdf(b"3 0 obj<</S/Launch/F(cmd.exe)>>endobj\n"),
        "a file attached": pdf(b"3 0 obj<</Type/EmbeddedFile>>endobj\n"),
        "a picture": picture(),
        "too large": pdf(bytes(25_000_000)),
    }


def hostile_videos():
    deep = b""
    for _ in range(60):
        deep = box(b"trak", deep)
    good, live = mp4(), webm()
    return {
        "one byte": b"\0",
        "a picture": picture(),
        "HTML": b"<!doctype html>" + SCRIPT,
        "an MP4 signature and HTML": b"\0\0\0\x18ftypisom" + bytes(12) + SCRIPT,
        "a box of 4 GB": box(b"ftyp", b"isom0000isom") + box(b"moov", size=2**32 - 1),
        "a box of 2^63 bytes": box(b"ftyp", b"isom0000isom") + box(b"moov", size=2**63, long=True),
        "a box smaller than its header": box(b"ftyp", b"isom0000isom") + box(b"free", size=3),
        "a long box smaller than its header": good + box(b"free", size=9, long=True),
        "no index": box(b"ftyp", b"isom0000isom") + box(b"mdat", b"x" * 100),
        "no data": mp4()[: -len(box(b"mdat", b"x" * 1000))],
        "cut in its data": good[:-5],
        "cut in its index": good[:100],
        "something appended": good + SCRIPT,
        "a box that is none": good + box(b"evil", SCRIPT),
        "two indexes": mp4(top=mp4()[20:-1008]),
        "boxes in 60 layers": mp4(tracks=deep),
        "a hundred thousand boxes": mp4(top=box(b"free") * 100_000),
        "a fragment before the index": box(b"ftyp", b"isom0000isom") + box(b"moof"),
        "a fragment of 5 MB": mp4(top=box(b"moof", bytes(5_000_000))),
        "a header of 5 MB": box(b"ftyp", b"isom0000isom" + bytes(5_000_000)) + good[20:],
        "an index of 30 MB": mp4(extra=box(b"free", bytes(30_000_000))),
        "no time scale": mp4(scale=0),
        "30 hours": mp4(seconds=30 * 3600),
        "no picture": mp4(tracks=track(b"soun", b"mp4a")),
        "a picture of 0 by 0": mp4(tracks=track(width=0, height=0)),
        "a picture of 60,000 by 60,000": mp4(tracks=track(width=60_000, height=60_000)),
        "encrypted": mp4(tracks=track(codec=b"encv")),
        "Apple ProRes": mp4(tracks=track(codec=b"apcn")),
        "nothing but positions of a camera": mp4(tracks=track(b"meta", b"gpmd")),
        "two tracks of one number": mp4(tracks=track() + track()),
        "forty tracks": mp4(tracks=b"".join(track(number=n) for n in range(1, 41))),
        "two indexes of one track": mp4(tracks=track(beside=chunks())),
        "two handlers of one track": mp4(tracks=track().replace(b"mdhd", b"hdlr")),
        "no index of a track": mp4(tracks=track(index=box(b"free"))),
        "data that is elsewhere": mp4(
            tracks=track(reference=box(b"url ", bytes(4) + b"http://evil.example/"))
        ),
        "samples in the header": mp4(tracks=track(index=chunks((0, 20)))),
        "samples behind the end": mp4(tracks=track(index=chunks((OFFSET, 2**32 - 1)))),
        "samples across the end": mp4(tracks=track(index=chunks((OFFSET, 1001)))),
        "four thousand million samples": mp4(
            tracks=track(
                index=table(b"stsc", 1, 2**32 - 1, 1)
                + table(b"stsz", head=struct.pack(">II", 2**32 - 1, 2**32 - 1))
                + table(b"stco", OFFSET)
            )
        ),
        "a table longer than its box": mp4(
            tracks=track(
                index=table(b"stsc", 1, 1, 1)
                + table(b"stsz", SIZE, head=struct.pack(">II", 0, 2**31))
                + table(b"stco", OFFSET)
            )
        ),
        "chunks without an order": mp4(
            tracks=track(
                index=table(b"stsc", 2, 1, 1)
                + table(b"stsz", SIZE, head=struct.pack(">II", 0, 1))
                + table(b"stco", OFFSET)
            )
        ),
        "no samples at all": mp4(data=b""),
        "a version of the future": mp4(tracks=track().replace(b"tkhd\0", b"tkhd\7")),
        "QuickTime": mp4(brand=b"qt  "),
        "an image in the container": mp4(brand=b"heic"),
        "Matroska": webm(doctype=b"matroska"),
        "an element of 2^56 bytes": live[:5] + b"\x01" + b"\xff" * 6 + b"\xfe" + live[5:],
        "an EBML header of 5 MB": webm(head=element(0xEC, bytes(5_000_000))),
        "an EBML bomb": webm(top=element(0xEC, b"") * 100_000),
        "an element without an end": webm(top=b"\xec\xff"),
        "a block without an end": webm(live=True, blocks=b"\xa3\xff" + b"x" * 100),
        "a group without an end": webm(live=True, blocks=b"\xa0\xff" + block(kind=0xA1)),
        "another file behind a live cluster": webm(live=True) + webm(),
        "files attached behind a live cluster": webm(
            live=True, tags=element(0x1941A469, b"x" * 50)
        ),
        "an endless number of blocks": webm(blocks=b"\xec\x80" * 1_600_000),
        "clusters before the tracks": webm(info=b"").replace(
            b"\x16\x54\xae\x6b", b"\x12\x54\xc3\x67"
        ),
        "tracks twice": webm(top=element(0x1654AE6B, webm_track())),
        "two tracks of one number, in WebM": webm(tracks=webm_track() * 2),
        "a number of 9 bytes": webm(info=element(0x2AD7B1, bytes(9))),
        "Vorbis without its headers": webm(
            tracks=webm_track()
            + webm_track(b"A_VORBIS", kind=2, track=2, extra=element(0x63A2, b"x" * 40))
        ),
        "Opus without its header": webm(
            tracks=webm_track()
            + webm_track(b"A_OPUS", kind=2, track=2, extra=element(0x63A2, b"x" * 40))
        ),
        "an id of 8 bytes": b"\x1a\x45\xdf\xa3\x84\x01\0\0\0",
        "WebM cut in the middle": live[:-100],
        "WebM and something appended": live + SCRIPT,
        "WebM without clusters": webm()[:20],
        "files attached": webm(top=element(0x1941A469, b"x" * 50)),
        "WebM of 30 hours": webm(seconds=30 * 3600.0),
        "WebM of no length at all": webm(seconds=float("nan")),
        "WebM of a foreign codec": webm(tracks=webm_track(b"V_MPEG4/ISO/AVC")),
        "WebM encrypted": webm(tracks=webm_track(extra=element(0x6D80, b"x"))),
        "WebM without a picture": webm(tracks=webm_track(b"A_OPUS", kind=2)),
    }
