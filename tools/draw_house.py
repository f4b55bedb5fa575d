"""Draw docs/images/house.svg from the imports of app/. With `--check`, fail when it is not current.

Bands are the layers of the import contract in pyproject.toml, boxes the packages, arrows show who imports from which
layer. A count that is less than a tenth off stays as it was drawn, so that not every change needs a new picture.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "house.svg"

WIDTH, MARGIN, LABEL, LANE = 1000, 16, 104, 22
ROW_WIDTH, GAP, IN_A_ROW, BAND_GAP = 720, 10, 4, 18
LINE_HEIGHT, LETTER_WIDTH = 14, 6.2
COUNTED = re.compile(r'data-package="(\w+)" data-modules="(\d+)" data-lines="(\d+)"')
# What a band is called, by a package that stands in it.
BANDS = {
    "cli": "commands",
    "blueprints": "HTTP",
    "demo": "sample data",
    "workers": "background",
    "web": "for HTTP",
    "offers": "nouns",
    "delivery": "deliveries",
    "outbound": "outside",
    "core": "foundation",
}
STYLE = """
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-size: 11.5px; fill: #1d2733 }
  .page { fill: #ffffff } .band { fill: #eef2f6 } .box { fill: #ffffff; stroke: #b6c2cf }
  .band-name { font-size: 13px; font-weight: 600 } .name { font-size: 15px; font-weight: 600 }
  .count { fill: #4a5765 }
  .lane { stroke: #2f6f9f; stroke-width: 1.5; fill: none } .joint, .head { fill: #2f6f9f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6ebf0 } .page { fill: #14191f } .band { fill: #1e262f } .box { fill: #14191f; stroke: #4a5765 }
    .count { fill: #b3bfcb } .lane { stroke: #7fb8e0 } .joint, .head { fill: #7fb8e0 }
  }"""


@dataclass(frozen=True)
class Package:
    name: str
    about: str
    modules: int
    lines: int

    @property
    def counts(self) -> str:
        return f"{self.modules} module{'s' if self.modules > 1 else ''}, {self.lines:,} lines"


def read_layers() -> list[list[str]]:
    """The layers of the import contract, the highest first."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    return [[name.strip() for name in layer.split(":")] for layer in contract["layers"]]


def read_package(name: str, drawn: str) -> Package:
    folder = ROOT / "app" / name
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    doc = ast.get_docstring(ast.parse((folder / "__init__.py" if folder.is_dir() else files[0]).read_text())) or ""
    modules, lines = len(files), sum(len(file.read_text().splitlines()) for file in files)
    for before in COUNTED.finditer(drawn):
        if before[1] == name:
            modules, lines = keep(int(before[2]), modules), keep(int(before[3]), lines)
    return Package(name, re.split(r"\.\s|\.$", doc.replace("`", ""), maxsplit=1)[0].replace("\n", " "), modules, lines)


def keep(drawn: int, counted: int) -> int:
    """The count as it was drawn while that is less than a tenth off."""
    return drawn if abs(drawn - counted) * 10 < drawn else counted


def read_imports(layers: list[list[str]]) -> dict[int, set[int]]:
    """Which layers import from each layer, by their places from the top."""
    place = {name: number for number, layer in enumerate(layers) for name in layer}
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph("app", exclude_type_checking_imports=True, cache_dir=None)
    importers: dict[int, set[int]] = {number: set() for number in range(len(layers))}
    for module in graph.modules - {"app"}:
        for imported in graph.find_modules_directly_imported_by(module) - {"app"}:
            above, below = place[module.split(".")[1]], place[imported.split(".")[1]]
            if above != below:
                importers[below].add(above)
    return importers


@dataclass(frozen=True)
class Row:
    """Boxes of one height beside each other, as wide as the band has room for."""

    packages: list[Package]
    box_width: int

    def about(self, package: Package) -> list[str]:
        letters = int((self.box_width - 18) / LETTER_WIDTH)
        return textwrap.wrap(package.about, letters, max_lines=4, placeholder=" …")

    @property
    def height(self) -> int:
        return 44 + LINE_HEIGHT * max(len(self.about(package)) for package in self.packages)

    def draw(self, top: int) -> Iterator[str]:
        for number, package in enumerate(self.packages):
            left = MARGIN + LABEL + number * (self.box_width + GAP)
            yield (
                f'<g data-package="{package.name}" data-modules="{package.modules}" data-lines="{package.lines}">'
                f'<rect class="box" x="{left}" y="{top}" width="{self.box_width}" height="{self.height}" rx="5"/>'
            )
            yield f'<text class="name" x="{left + 9}" y="{top + 19}">{package.name}</text>'
            yield f'<text class="count" x="{left + 9}" y="{top + 35}">{package.counts}</text>'
            for place, line in enumerate(self.about(package), 1):
                yield f'<text x="{left + 9}" y="{top + 36 + LINE_HEIGHT * place}">{escape(line)}</text>'
            yield "</g>"


def read_rows(layer: list[str], drawn: str) -> list[Row]:
    columns = min(len(layer), IN_A_ROW)
    packages = [read_package(name, drawn) for name in layer]
    return [
        Row(packages[first : first + columns], ROW_WIDTH // columns - GAP) for first in range(0, len(packages), columns)
    ]


def draw_lane(x: int, right: int, sources: list[int], target: int) -> Iterator[str]:
    """One line for all who import from a layer: a dot where each joins, the head at the layer."""
    yield f'<path class="lane" d="M{x} {min(sources)}V{target}H{right + 7}"/>'
    yield f'<path class="head" d="M{right + 1} {target}l8 -4v8z"/>'
    for source in sources:
        yield f'<path class="lane" d="M{right} {source}H{x}"/><circle class="joint" cx="{x}" cy="{source}" r="3.5"/>'


def draw(drawn: str = "") -> str:
    """The picture as SVG; `drawn` is the one that stands, whose counts are kept while they are near."""
    layers = read_layers()
    right = MARGIN + LABEL + ROW_WIDTH
    shapes: list[str] = []
    bands: list[tuple[int, int]] = []
    top = MARGIN
    for layer in layers:
        rows = read_rows(layer, drawn)
        height = GAP + sum(row.height + GAP for row in rows)
        title = next(BANDS[name] for name in layer if name in BANDS)
        shapes.append(f'<rect class="band" x="{MARGIN}" y="{top}" width="{right - MARGIN}" height="{height}" rx="8"/>')
        shapes.append(f'<text class="band-name" x="{MARGIN + 10}" y="{top + 28}">{title}</text>')
        bands.append((top, height))
        top += GAP
        for row in rows:
            shapes.extend(row.draw(top))
            top += row.height + GAP
        top += BAND_GAP
    shapes.extend(draw_lanes(read_imports(layers), bands, right))
    height = top - BAND_GAP + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title about">\n'
        '<title id="title">The packages of app/ by layer</title>\n'
        '<desc id="about">A line leaves the right side of each band and ends, with an arrow, at each lower band '
        f"that it imports from.</desc>\n<style>{STYLE}\n</style>\n"
        f'<rect class="page" width="{WIDTH}" height="{height}"/>\n' + "\n".join(shapes) + "\n</svg>\n"
    )


def draw_lanes(importers: dict[int, set[int]], bands: list[tuple[int, int]], right: int) -> Iterator[str]:
    """Leaving lines stand in the lower half of a band's side, arrows in the upper, none on another."""
    targets = sorted((target for target in importers if importers[target]), key=lambda target: -min(importers[target]))
    lane_of = {target: right + LANE * (number + 1) for number, target in enumerate(targets)}
    for target in targets:
        sources = []
        for source in sorted(importers[target]):
            top, height = bands[source]
            leaving = [one for one in targets if source in importers[one]]
            step = min(14, height * 3 // 5 // len(leaving))
            sources.append(top + height * 2 // 5 + step * leaving.index(target))
        top, height = bands[target]
        yield from draw_lane(lane_of[target], right, sources, top + 18)


def main() -> int:
    drawn = PICTURE.read_text() if PICTURE.exists() else ""
    picture = draw(drawn)
    if "--check" in sys.argv[1:]:
        if picture != drawn:
            print(f"{PICTURE.relative_to(ROOT)} is not current: python tools/draw_house.py")
        return int(picture != drawn)
    PICTURE.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
