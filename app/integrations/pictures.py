"""Pictures from outside, re-encoded before anything is kept: no metadata, no surprises, capped in pixels."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 40_000_000
PHOTO_BYTES = 10 * 1024 * 1024
PHOTO_EDGE = 1280
SIGNATURE_BYTES = 512 * 1024
SIGNATURE_EDGE = 1200
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
        image = Image.open(io.BytesIO(body), formats=formats)
        if image.width * image.height > most:
            raise NotAPicture("too many pixels")
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise NotAPicture(str(error)) from None
    return image


def read_photo(body: bytes) -> Picture:
    """JPEG, PNG or WebP in; an upright JPEG of at most 1280 pixels out, EXIF dropped. Raises `NotAPicture`."""
    image = ImageOps.exif_transpose(_open(body, ("JPEG", "PNG", "WEBP"), MAX_PIXELS)).convert("RGB")
    image.thumbnail((PHOTO_EDGE, PHOTO_EDGE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80, optimize=True, progressive=True)
    return Picture("image/jpeg", image.width, image.height, out.getvalue())


def read_signature(data_url: str) -> bytes:
    """A PNG data URL in; a small greyscale PNG on white out. Raises `NotAPicture` for anything else, or a blank."""
    head, _, encoded = data_url.partition(",")
    if head != "data:image/png;base64" or len(encoded) > SIGNATURE_BYTES * 4 // 3:
        raise NotAPicture("not a PNG data URL of acceptable size")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NotAPicture("not base64") from None
    drawn = _open(raw, ("PNG",), SIGNATURE_PIXELS)
    drawn.thumbnail((SIGNATURE_EDGE, SIGNATURE_EDGE))
    white = Image.new("RGBA", drawn.size, "white")
    image = Image.alpha_composite(white, drawn.convert("RGBA")).convert("L")
    low, high = image.getextrema()
    if not isinstance(low, int | float) or not isinstance(high, int | float) or high - low < 32:
        raise NotAPicture("blank")
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
