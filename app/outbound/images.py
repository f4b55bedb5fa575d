"""Pictures from outside, re-encoded before anything is kept: no metadata, no surprises, capped in pixels."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms, ImageMath, ImageOps, UnidentifiedImageError

from app.core.errors import TooMany
from app.outbound.image_caps import check

MAX_PIXELS = 40_000_000
PHOTO_BYTES = 10 * 1024 * 1024
PHOTO_EDGE = 1280
SIGNATURE_BYTES = 512 * 1024
SIGNATURE_EDGE = 1200
DOT = 0.08  # of width and of height: less is a touch, not a name
PATIENCE = 10  # seconds
_SMOOTH = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
_DEEP = 1 / 256  # of 16 bits of grey, eight are kept
_PHOTOS, _SIGNATURES = threading.Lock(), threading.Lock()  # apart: no photo holds up a signature
NOTES = 128 * 1024  # bytes of EXIF in which to look for how the camera was held; a JPEG can have 64 KB in one part
warnings.filterwarnings("ignore", module=r"PIL\.")  # one line for each of 65,535 notes that are wrong, for each picture
SIGNATURE_PIXELS = 4_000_000  # a pad across a large tablet has less than half of that


class NotAPicture(ValueError):
    """The bytes are no picture that we take."""


@dataclass(frozen=True, slots=True)
class Picture:
    mime: str
    width: int
    height: int
    body: bytes

    def columns(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.body).digest()
        return {"mime": self.mime, "width": self.width, "height": self.height, "body": self.body, "sha256": digest}


def _open(body: bytes, formats: tuple[str, ...], most: int) -> Image.Image:
    """`most` pixels: a few bytes can claim very many, and each takes four when it is drawn."""
    try:
        check(body, most)
        image = Image.open(io.BytesIO(body), formats=formats)
        image.draft("RGB", (PHOTO_EDGE * 2, PHOTO_EDGE * 2))  # of a JPEG, no more is unpacked than will be kept
        if image.width * image.height > most:
            raise NotAPicture("too many pixels")
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise NotAPicture(str(error)) from None
    return image


@contextmanager
def _in_turn(lock: threading.Lock) -> Iterator[None]:
    """One at a time in this process: memory is that of one picture. Raises `TooMany` after a while of waiting."""
    if not lock.acquire(timeout=PATIENCE):
        raise TooMany(PATIENCE)
    try:
        yield
    finally:
        lock.release()


def _upright(image: Image.Image) -> Image.Image:
    """As the camera was held; a picture whose notes are broken, or go on and on, stays as it is."""
    if len(image.info.get("exif") or b"") > NOTES:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever a stranger's file makes their reader do
        return image


def _smooth(image: Image.Image) -> Image.Image:
    """In a mode that can be made smaller without jags, transparent where it was."""
    if image.mode.startswith("I"):
        deep = image.convert("I")
        grey = deep.point(lambda value: value * _DEEP).convert("L")  # a plain conversion would cut all to white
        hole = image.info.get("transparency")
        if isinstance(hole, int):
            seen = ImageMath.lambda_eval(lambda of: of["convert"]((of["deep"] != hole) * 255, "L"), deep=deep)
            grey.putalpha(seen)
        return grey
    if "transparency" in image.info or image.mode in {"P", "PA", "La", "RGBa"}:
        return image.convert("RGBA")
    return image if image.mode in _SMOOTH else image.convert("RGB")


def _as_seen(image: Image.Image) -> Image.Image:
    """In sRGB, by the picture's own profile; one that is broken or of another kind of colour is not minded."""
    profile = image.info.get("icc_profile")
    alpha = image.getchannel("A") if image.mode in {"LA", "RGBA"} else None
    plain = image.convert({"LA": "L", "RGBA": "RGB"}[image.mode]) if alpha else image
    if profile and plain.mode in {"L", "RGB", "CMYK"}:
        try:
            own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            plain = ImageCms.profileToProfile(plain, own, srgb, outputMode="RGB") or plain
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    plain = plain.convert("RGB")
    if alpha:
        plain.putalpha(alpha)
    return plain


def _on_white(image: Image.Image) -> Image.Image:
    """Without transparency: what nothing covers is white, as paper is."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def read_photo(body: bytes) -> Picture:
    """JPEG, PNG or WebP in; an upright JPEG of at most 1280 pixels out, EXIF dropped.

    Raises `NotAPicture`, and `TooMany` where others' pictures keep us busy.
    """
    with _in_turn(_PHOTOS):
        image = _open(body, ("JPEG", "PNG", "WEBP"), MAX_PIXELS)
        image = _smooth(image)
        image.thumbnail((PHOTO_EDGE, PHOTO_EDGE))
        image = _on_white(_as_seen(_upright(image)))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80, optimize=True, progressive=True)
    return Picture("image/jpeg", image.width, image.height, out.getvalue())


def is_a_dot(signature: bytes) -> bool:
    """Whether the ink of a signature, as `read_signature` gives it, fills hardly any of its width and height."""
    with Image.open(io.BytesIO(signature)) as image:
        ink = image.point(lambda grey: 255 if grey < 160 else 0).getbbox()
        if ink is None:
            return True
        left, top, right, bottom = ink
        return (right - left) < image.width * DOT and (bottom - top) < image.height * DOT


def read_signature(data_url: str) -> bytes:
    """A PNG data URL in; a small greyscale PNG on white out. Raises `NotAPicture` for anything else, or a blank."""
    head, _, encoded = data_url.partition(",")
    if head != "data:image/png;base64" or len(encoded) > SIGNATURE_BYTES * 4 // 3:
        raise NotAPicture("not a PNG data URL of acceptable size")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NotAPicture("not base64") from None
    with _in_turn(_SIGNATURES):
        drawn = _smooth(_open(raw, ("PNG",), SIGNATURE_PIXELS))
        drawn.thumbnail((SIGNATURE_EDGE, SIGNATURE_EDGE))
    image = _on_white(drawn.convert("RGBA")).convert("L")
    low, high = image.getextrema()
    if not isinstance(low, int | float) or not isinstance(high, int | float) or high - low < 32:
        raise NotAPicture("blank")
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
