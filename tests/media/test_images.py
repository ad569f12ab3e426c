"""Pictures are encoded anew; what is none, or too large, is refused within bounded memory."""

import io
import subprocess
import sys
import zlib
from pathlib import Path

import media_files
import pytest
from media_files import picture
from PIL import Image, ImageChops

from cityverse.data.images import reencode
from cityverse.domain.media import IMAGE_BYTES_MOST
from cityverse.errors import InvalidField

HOSTILE = media_files.hostile_images()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_reason(name):
    with pytest.raises(InvalidField) as refusal:
        reencode(HOSTILE[name])
    assert refusal.value.field == "image"
    assert len(refusal.value.rule) > 5


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_the_reasons_differ():
    for name, reason in {
        "bomb of 400 million pixels": "million pixels",
        "a header of 50,000 by 50,000": "million pixels",
        "a WebP canvas of 16 million a side": "million pixels",
        "an animated PNG": "animation",
        "an animated WebP": "animation",
        "nothing": "empty",
        "26 MB": f"{IMAGE_BYTES_MOST // 1_000_000} MB",
        "an SVG": "no JPEG, PNG or WebP",
    }.items():
        with pytest.raises(InvalidField, match=reason):
            reencode(HOSTILE[name])


def test_a_photo_is_turned_upright_and_tells_nothing():
    made = reencode(media_files.photo())
    assert (made.width, made.height) == (40, 60)
    for data in (made.full, made.thumbnail):
        image = opened(data)
        assert image.format == "WEBP"
        assert image.size == (40, 60)
        assert not image.getexif()
        assert not {"exif", "icc_profile", "xmp"} & image.info.keys()
        assert not any(word in data for word in (b"EXIF", b"ICCP", b"Maker", b"secret", b"profile"))
    # The light half was above; turned clockwise it is on the right.
    assert opened(made.full).getpixel((35, 55))[0] > opened(made.full).getpixel((5, 55))[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_as_pillow_says(orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = picture((80, 48), form="JPEG", exif=exif, quality=95)
    expected = ImageOps.exif_transpose(opened(data))
    made = opened(reencode(data).full)
    assert made.size == expected.size
    difference = ImageChops.difference(made.convert("L"), expected.convert("L"))
    assert max(difference.resize((4, 4)).tobytes()) < 12


def test_what_is_appended_or_written_beside_is_gone():
    for data in (picture() + media_files.SCRIPT, media_files.meta_png()):
        made = reencode(data)
        assert b"script" not in made.full
        assert b"secret" not in made.full


def test_large_ones_are_shrunk_and_keep_their_shape():
    made = reencode(picture((5000, 2500), form="JPEG"))
    assert opened(made.full).size == (made.width, made.height) == (2048, 1024)
    assert opened(made.thumbnail).size == (400, 200)


def test_a_line_stays_a_line():
    made = reencode(picture((9000, 1)))
    assert (made.width, made.height) == (2048, 1)


@pytest.mark.parametrize(
    ("mode", "form"),
    [("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"), ("L", "JPEG"),
     ("CMYK", "JPEG"), ("RGBA", "WEBP"), ("RGB", "WEBP")],
)  # fmt: skip
def test_every_mode_is_read(mode, form):
    made = reencode(picture(mode=mode, form=form))
    assert opened(made.full).size == (60, 40)
    assert opened(made.full).mode == ("RGBA" if mode.endswith("A") else "RGB")


def test_sixteen_bits_keep_their_light():
    grey = Image.new("I;16", (20, 20), 0x8000)
    out = io.BytesIO()
    grey.save(out, "PNG")
    assert abs(opened(reencode(out.getvalue()).full).getpixel((5, 5))[0] - 128) < 4


def test_transparency_stays():
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, "PNG")
    assert opened(reencode(out.getvalue()).full).getpixel((3, 3))[3] == 0


CHILD = """
import resource, sys, pathlib
from cityverse.data.images import reencode
from cityverse.errors import InvalidField
files = sorted(pathlib.Path(sys.argv[1]).iterdir())
most = int(sys.argv[2])
status = pathlib.Path("/proc/self/statm").read_text().split()[0]
limit = int(status) * resource.getpagesize() + most
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for file in files:
    try:
        made = reencode(file.read_bytes())
        print(file.name, "stored", len(made.full))
    except InvalidField as error:
        print(file.name, "refused", error.rule)
"""


def run_limited(folder):
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), "500000000"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "takes too much memory" not in run.stdout
    return run.stdout.splitlines()


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")


@linux
def test_memory_is_bounded_for_every_hostile_file(tmp_path):
    for number, data in enumerate(HOSTILE.values()):
        (tmp_path / f"{number:02}").write_bytes(data)
    lines = run_limited(tmp_path)
    assert len(lines) == len(HOSTILE)
    assert all("refused" in line for line in lines)


@linux
@pytest.mark.slow
def test_memory_is_bounded_for_the_largest_good_one(tmp_path):
    rows = b"".join(b"\0" + b"\x40\x80\xc0\xff" * 8000 for _ in range(5000))
    data = media_files.png(8000, 5000, color=6, data=zlib.compress(rows, 1))
    (tmp_path / "good").write_bytes(data)
    assert "good stored" in run_limited(tmp_path)[0]


def test_a_telephone_photo_with_a_second_picture_behind_is_taken():
    with io.BytesIO() as file:
        first, second = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (30, 20), "blue")
        first.save(file, "MPO", save_all=True, append_images=[second])
        made = reencode(file.getvalue())
    assert (made.width, made.height) == (60, 40)
    assert opened(made.full).convert("RGB").getpixel((30, 20))[0] > 200
