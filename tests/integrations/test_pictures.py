"""Pictures that were made to keep a decoder busy, or to fill the memory of the web."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from app.integrations.pictures import MAX_PIXELS, NotAPicture, read_photo, read_signature
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
from app.integrations.picture_caps import WEBP_PIXELS
from app.integrations.pictures import read_photo
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
from app.integrations.picture_caps import WEBP_PIXELS
from app.integrations.pictures import read_photo
held, bodies, at = open(sys.argv[1], "rb").read(), [], 0
while at < len(held):
    size = int.from_bytes(held[at : at + 4], "big")
    bodies.append(held[at + 4 : at + 4 + size])
    at += 4 + size
for body in bodies:
    together = [threading.Thread(target=read_photo, args=(body,)) for _ in range(3)]
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
