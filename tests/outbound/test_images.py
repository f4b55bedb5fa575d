"""Pictures that were made to keep a decoder busy, or to fill the memory of the web."""

from __future__ import annotations

import base64
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageCms

from app.outbound.images import MAX_PIXELS, NotAPicture, is_a_dot, read_photo, read_signature
from tests.patterns import ROOT, slow

MEGABYTES = 600  # at most of a process that decoded the largest pictures there may be, several at once


def saved(kind: str, size: tuple[int, int] = (640, 480), mode: str = "RGB", **how: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red" if mode != "L" else 90).save(out, kind, **how)
    return out.getvalue()


def scans(count: int, size: tuple[int, int] = (4000, 4000)) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    body = saved("JPEG", size, progressive=True, quality=20)
    last = body[body.rindex(b"\xff\xda") : -2]
    return body[:-2] + last * count + body[-2:]


def hidden(mark: bytes) -> bytes:
    """The same behind a mark that decoders pass over, and whoever takes it for a segment skips the scans by."""
    body = scans(4004)
    return body[:2] + mark + body[2:]


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def png(*chunks: bytes, size: tuple[int, int] = (8, 8)) -> bytes:
    """A PNG with more chunks in front of its pixels."""
    whole = saved("PNG", (8, 8))
    head = chunk(b"IHDR", size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big") + b"\x08\x02\0\0\0")
    return whole[:8] + head + b"".join(chunks) + whole[33:]


def frames(kind: str) -> bytes:
    out = io.BytesIO()
    many = [Image.new("RGB", (400, 400), (n % 256, 0, 0)) for n in range(200)]
    many[0].save(out, kind, save_all=True, append_images=many[1:])
    return out.getvalue()


def canvas() -> bytes:
    """A WebP that claims the largest canvas and holds one dot."""
    dot = saved("WEBP", (1, 1))[12:]
    most = (16383 - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + (10).to_bytes(4, "little") + b"\0\0\0\0" + most + most + dot
    return b"RIFF" + len(body).to_bytes(4, "little") + body


ZEROS = zlib.compress(bytes(50_000_000), 9)
BOMBS: dict[str, Callable[[], bytes]] = {
    "scans": lambda: scans(4004),
    "scans behind a mark of restart": lambda: hidden(b"\xff\xd0"),
    "scans behind the last mark of restart": lambda: hidden(b"\xff\xff\xd7"),
    "scans behind an escaped byte": lambda: hidden(b"\xff\x00"),
    "scans behind a second beginning": lambda: hidden(b"\xff\xd8"),
    "scans of many pixels": lambda: scans(30, (6000, 6000)),
    "segments": lambda: saved("JPEG")[:2] + b"\xff\xfe\0\x02" * 2_000_000 + saved("JPEG")[2:],
    "chunks": lambda: png(*[chunk(b"tEXt", b"a\0")] * 600_000),
    "pixels in PNG": lambda: png(size=(60_000, 60_000)),
    "pixels in JPEG": lambda: saved("JPEG").replace((480).to_bytes(2, "big"), b"\xff\xff", 1),
    "pixels in WebP": canvas,
    "pixels of WebP": lambda: saved("WEBP", (4000, 4001)),
    "pixels of lossless WebP": lambda: saved("WEBP", (4000, 4001), lossless=True),
    "animated PNG": lambda: frames("PNG"),
    "animated WebP": lambda: frames("WEBP"),
    "animated GIF": lambda: frames("GIF"),
    "text in PNG": lambda: png(*[chunk(b"zTXt", b"a\0\0" + ZEROS)] * 100),
    "text of a language in PNG": lambda: png(*[chunk(b"iTXt", b"a\0\x01\0\0\0" + ZEROS)] * 100),
    "nothing": lambda: b"",
    "a beginning": lambda: b"\xff\xd8\xff",
    "a beginning of PNG": lambda: b"\x89PNG\r\n\x1a\n",
    "a beginning of WebP": lambda: b"RIFF\0\0\0\0WEBPVP8X",
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_keep_a_decoder_busy_is_refused(name: str) -> None:
    body = BOMBS[name]()

    def read() -> None:
        with pytest.raises(NotAPicture):
            read_photo(body)

    assert not slow(read)


@pytest.mark.parametrize("name", ["chunks", "animated PNG", "text in PNG", "pixels in PNG", "nothing"])
def test_a_drawn_signature_is_read_as_carefully(name: str) -> None:
    def read() -> None:
        with pytest.raises(NotAPicture):
            read_signature("data:image/png;base64," + base64.b64encode(BOMBS[name]()).decode())

    assert not slow(read)


@pytest.mark.parametrize(
    ("kind", "mode", "how"),
    [
        ("JPEG", "RGB", {"progressive": True}), ("JPEG", "L", {}), ("JPEG", "CMYK", {}), ("PNG", "RGBA", {}),
        ("PNG", "P", {}), ("PNG", "LA", {}), ("PNG", "1", {}), ("PNG", "I;16", {}), ("WEBP", "RGBA", {}),
        ("WEBP", "RGB", {"lossless": True, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
        ("PNG", "RGB", {"icc_profile": bytes(1_000_000)}),
    ],
)  # fmt: skip
def test_honest_pictures_of_every_kind_come_through(kind: str, mode: str, how: dict[str, object]) -> None:
    out = io.BytesIO()
    Image.new(mode, (2000, 1000)).save(out, kind, **how)
    picture = read_photo(out.getvalue())
    assert (picture.width, picture.height, picture.mime) == (1280, 640, "image/jpeg")


def test_a_photo_on_its_side_is_set_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_photo(saved("JPEG", (3000, 2000), exif=exif))
    assert (picture.width, picture.height) == (853, 1280)


MEMORY = """
import io, resource, sys, threading
from PIL import Image
from app.outbound.image_caps import WEBP_PIXELS
from app.outbound.images import read_photo
bodies = []
for kind, mode, how in (("PNG", "RGBA", {}), ("JPEG", "RGB", {"progressive": True}), ("WEBP", "RGB", {})):
    size = (4000, 4000) if kind == "WEBP" else (8000, 5000)
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **how)
    bodies.append(out.getvalue())
open(sys.argv[1], "wb").write(b"".join(len(body).to_bytes(4, "big") + body for body in bodies))
"""
DECODING = """
import sys, threading
from app.outbound.image_caps import WEBP_PIXELS
from app.outbound.images import read_photo
held, bodies, at = open(sys.argv[1], "rb").read(), [], 0
while at < len(held):
    size = int.from_bytes(held[at : at + 4], "big")
    bodies.append(held[at + 4 : at + 4 + size])
    at += 4 + size
for body in bodies:
    together = [threading.Thread(target=read_photo, args=(body,)) for _ in range(2)]
    [one.start() for one in together]
    [one.join() for one in together]
told = dict(line.split(":", 1) for line in open("/proc/self/status") if line.startswith(("VmHWM", "VmRSS")))
print(int(told["VmHWM"].split()[0]) // 1024, int(told["VmRSS"].split()[0]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_memory_of_a_process_stays_that_of_one_picture(tmp_path: object) -> None:
    assert MAX_PIXELS == 8000 * 5000
    where = f"{tmp_path}/pictures"
    for program in (MEMORY, DECODING):  # apart: making them takes memory too
        done = subprocess.run(
            [sys.executable, "-c", program, where], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
        )
    most, left = map(int, done.stdout.split())
    assert most < MEGABYTES and left < MEGABYTES / 2, (most, left)


def pixel(body: bytes, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    with Image.open(io.BytesIO(body)) as image:
        found = image.convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    return tuple(int(part) for part in found)


def lines(mode: str) -> Image.Image:
    """A plan as architects export them: black lines on nothing."""
    plan = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
    plan.paste((0, 0, 0, 255), (100, 0, 140, 300))
    return plan.convert(mode)


def palette() -> bytes:
    image = Image.new("P", (400, 300), 0)
    image.putpalette([255, 0, 255, 0, 0, 0])
    image.paste(1, (100, 0, 140, 300))
    out = io.BytesIO()
    image.save(out, "PNG", transparency=0)
    return out.getvalue()


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def deep(**how: object) -> bytes:
    image = Image.new("I;16", (400, 300), 0x8000)
    return encoded(image, "PNG", **how)


@pytest.mark.parametrize(
    ("body", "paper", "line"),
    [
        (lambda: encoded(lines("RGBA"), "PNG"), 255, 0),
        (lambda: encoded(lines("LA"), "PNG"), 255, 0),
        (lambda: encoded(lines("RGBA"), "WEBP", lossless=True), 255, 0),
        (lambda: encoded(lines("RGBA"), "WEBP"), 255, 0),
        (palette, 255, 0),
        (lambda: encoded(Image.new("RGB", (400, 300), (9, 9, 9)), "PNG", transparency=(9, 9, 9)), 255, 255),
        (lambda: encoded(Image.new("L", (400, 300), 7), "PNG", transparency=7), 255, 255),
        (deep, 128, 128),
        (lambda: deep(transparency=0x8000), 255, 255),
        (lambda: encoded(Image.new("1", (400, 300), 1), "PNG"), 255, 255),
        (lambda: encoded(Image.new("CMYK", (400, 300), (0, 0, 0, 255)), "JPEG"), 0, 0),
        (lambda: encoded(Image.new("CMYK", (400, 300), (0, 0, 0, 0)), "JPEG"), 255, 255),
    ],
)
def test_a_picture_is_kept_as_it_was_seen(body: Callable[[], bytes], paper: int, line: int) -> None:
    kept = read_photo(body()).body
    assert all(abs(part - paper) < 6 for part in pixel(kept, (10, 10)))
    assert all(abs(part - line) < 12 for part in pixel(kept, (120, 150)))


def test_edges_of_a_transparent_picture_have_no_dark_rim() -> None:
    """What is hidden behind full transparency may be black: none of it may show when the picture is made smaller."""
    image = Image.new("RGBA", (4000, 3000), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (1001, 0, 4000, 3000))
    kept = read_photo(encoded(image, "PNG")).body
    assert min(min(pixel(kept, (x, 400))) for x in range(300, 340)) > 245


def test_colours_are_those_of_the_pictures_own_profile() -> None:
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (400, 300), (60, 120, 200))
    plain = pixel(read_photo(encoded(image, "PNG")).body)
    assert pixel(read_photo(encoded(image, "PNG", icc_profile=srgb)).body) == plain
    for broken in (b"x", bytes(200), srgb[:100], linear):
        assert pixel(read_photo(encoded(image, "PNG", icc_profile=broken)).body)


def test_a_signature_on_nothing_is_ink_on_white_and_a_dot_is_known() -> None:
    def drawn(*box: int) -> bytes:
        image = Image.new("RGBA", (600, 200), (0, 0, 0, 0))
        image.paste((0, 0, 0, 255), box)
        return read_signature("data:image/png;base64," + base64.b64encode(encoded(image, "PNG")).decode())

    assert pixel(drawn(100, 50, 400, 60)) == (255, 255, 255) and pixel(drawn(100, 50, 400, 60), (200, 55)) == (0, 0, 0)
    assert is_a_dot(drawn(100, 50, 104, 54)) and is_a_dot(drawn(0, 0, 40, 12))
    assert (
        not is_a_dot(drawn(100, 50, 400, 54))
        and not is_a_dot(drawn(100, 20, 104, 180))
        and not is_a_dot(drawn(9, 9, 90, 40))
    )


def noted(count: int, size: int) -> bytes:
    """EXIF of so many notes, each of which claims more bytes than there are."""
    notes = b"".join(struct.pack("<HHLL", tag + 1, 7, size * 2, 8) for tag in range(count))
    return b"II*\0" + struct.pack("<LH", 8, count) + notes + b"\0" * (4 + size)


@pytest.mark.parametrize("notes", [noted(5_000, 10), noted(65_000, 10)])
def test_broken_notes_of_a_camera_leave_no_line_each_in_the_log(notes: bytes) -> None:
    """Two lines were printed for each of 65,535, for every picture, and kept in memory for ever."""
    says = "import sys; from app.outbound.images import read_photo; print(read_photo(sys.stdin.buffer.read()).width)"
    body = png(chunk(b"eXIf", notes))
    done = subprocess.run([sys.executable, "-c", says], input=body, capture_output=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == (b"8\n", b"")
