"""Pictures drawn by code: a calm sky, hills, and what is for sale. The same seed draws the same picture."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw, ImageFilter

from app.outbound.images import Picture

WIDTH, HEIGHT = 1280, 853
SKIES = (((143, 190, 222), (244, 232, 214)), ((236, 178, 140), (250, 232, 205)), ((120, 160, 196), (222, 234, 240)))
WALLS = ((232, 222, 204), (216, 226, 222), (226, 204, 188), (238, 233, 226), (205, 216, 224))
ROOFS = ((158, 84, 66), (94, 88, 92), (132, 98, 78))
GREENS = ((112, 146, 104), (134, 162, 112), (92, 128, 98))


def draw(kind: str, seed: int) -> Picture:
    """`kind` is block, house, land or office."""
    pick = random.Random(seed)  # noqa: S311  # nosec B311 - a picture, no secret
    image = _sky(*pick.choice(SKIES))
    pen = ImageDraw.Draw(image)
    _hills(pen, pick)
    ground = 640
    pen.rectangle((0, ground, WIDTH, HEIGHT), fill=pick.choice(GREENS))
    {"block": _block, "house": _house, "land": _land, "office": _office}[kind](pen, pick, ground)
    for _ in range(pick.randint(3, 6)):
        _tree(pen, pick, pick.choice((pick.randint(20, 240), pick.randint(1040, 1250))), ground + pick.randint(10, 120))
    pen.rectangle((0, 800, WIDTH, HEIGHT), fill=(150, 152, 154))
    out = io.BytesIO()
    image.filter(ImageFilter.SMOOTH).save(out, "JPEG", quality=82, optimize=True, progressive=True)
    return Picture("image/jpeg", WIDTH, HEIGHT, out.getvalue())


def _sky(top: tuple[int, ...], bottom: tuple[int, ...]) -> Image.Image:
    strip = Image.new("RGB", (1, 2))
    strip.putpixel((0, 0), top)
    strip.putpixel((0, 1), bottom)
    image = strip.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(image)
    pen.ellipse((960, 90, 1060, 190), fill=(255, 244, 220))
    return image


def _hills(pen: ImageDraw.ImageDraw, pick: random.Random) -> None:
    for depth, shade in enumerate(((150, 170, 176), (132, 156, 150), (118, 146, 124))):
        base = 480 + depth * 60
        points = [(x, base + pick.randint(-70, 40)) for x in range(0, WIDTH + 161, 160)]
        pen.polygon([(0, HEIGHT), *points, (WIDTH, HEIGHT)], fill=shade)


def _block(pen: ImageDraw.ImageDraw, pick: random.Random, ground: int) -> None:
    floors, columns = pick.randint(5, 7), pick.randint(5, 7)
    wall = pick.choice(WALLS)
    left, right, top = 300, 980, ground - floors * 78
    pen.rectangle((left, top, right, ground), fill=wall)
    pen.rectangle((left - 10, top - 18, right + 10, top), fill=_darker(wall))
    step = (right - left) // columns
    for floor in range(floors):
        for column in range(columns):
            x, y = left + column * step + 22, top + floor * 78 + 18
            glass = (250, 226, 160) if pick.random() < 0.2 else (120, 150, 170)
            pen.rectangle((x, y, x + step - 44, y + 42), fill=glass, outline=(250, 250, 246), width=4)
            if column % 2:
                pen.rectangle((x - 8, y + 34, x + step - 36, y + 56), fill=_darker(wall))
    pen.rectangle((610, ground - 62, 670, ground), fill=(96, 74, 60))


def _house(pen: ImageDraw.ImageDraw, pick: random.Random, ground: int) -> None:
    wall, roof = pick.choice(WALLS), pick.choice(ROOFS)
    left, right, top = 360, 920, ground - 230
    pen.rectangle((left, top, right, ground), fill=wall)
    pen.polygon([(left - 50, top), (640, top - 190), (right + 50, top)], fill=roof)
    pen.rectangle((780, top - 150, 830, top - 40), fill=_darker(roof))
    for x in (420, 740):
        pen.rectangle((x, top + 60, x + 120, top + 150), fill=(126, 156, 174), outline=(250, 250, 246), width=7)
        pen.line((x + 60, top + 60, x + 60, top + 150), fill=(250, 250, 246), width=5)
    pen.rectangle((600, top + 80, 690, ground), fill=(104, 78, 58))
    pen.ellipse((596, top - 110, 684, top - 22), fill=(126, 156, 174), outline=(250, 250, 246), width=7)
    for x in range(40, WIDTH, 46):
        pen.rectangle((x, ground + 60, x + 14, ground + 120), fill=(240, 236, 226))
    pen.rectangle((0, ground + 78, WIDTH, ground + 90), fill=(240, 236, 226))


def _land(pen: ImageDraw.ImageDraw, pick: random.Random, ground: int) -> None:
    for row in range(7):
        shade = tuple(min(255, c + row * 8) for c in pick.choice(GREENS))
        y = ground + row * 24
        pen.polygon([(0, y), (WIDTH, y - 40 + row * 6), (WIDTH, y + 24), (0, y + 30)], fill=shade)
    for x, y in ((220, 700), (1040, 690), (160, 780), (1120, 770)):
        pen.rectangle((x, y - 60, x + 10, y), fill=(122, 92, 66))
    pen.line((225, 650, 1045, 640), fill=(170, 140, 110), width=4)
    pen.line((165, 732, 1125, 722), fill=(170, 140, 110), width=4)


def _office(pen: ImageDraw.ImageDraw, pick: random.Random, ground: int) -> None:
    for left, width, height in ((330, 260, 420), (600, 330, 300)):
        top = ground - height
        pen.rectangle((left, top, left + width, ground), fill=(110, 138, 156))
        for y in range(top + 16, ground - 20, 40):
            shade = pick.choice(((150, 180, 196), (170, 198, 210), (190, 212, 220)))
            pen.rectangle((left + 14, y, left + width - 14, y + 24), fill=shade)
    pen.rectangle((600, ground - 84, 930, ground), fill=(226, 226, 220))
    pen.rectangle((640, ground - 66, 890, ground), fill=(96, 126, 146))


def _tree(pen: ImageDraw.ImageDraw, pick: random.Random, x: int, foot: int) -> None:
    size, green = pick.randint(50, 90), pick.choice(GREENS)
    pen.rectangle((x - 6, foot - size, x + 6, foot), fill=(108, 84, 64))
    pen.ellipse((x - size // 2, foot - size * 2, x + size // 2, foot - size // 2), fill=_darker(green))


def _darker(colour: tuple[int, ...]) -> tuple[int, int, int]:
    red, green, blue = (int(c * 0.84) for c in colour[:3])
    return red, green, blue
