"""The picture of the house is drawn from the imports and shows every package."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tests.conftest import ROOT
from tools import draw_house


def packages_drawn(picture: str) -> set[str]:
    ElementTree.fromstring(picture)
    return set(re.findall(r'data-package="(\w+)"', picture))


def test_every_package_stands_in_the_picture() -> None:
    packages = {path.parent.name for path in ROOT.glob("app/*/__init__.py")} | {"config", "extensions"}
    assert packages_drawn(draw_house.PICTURE.read_text()) == packages == packages_drawn(draw_house.draw())


def test_a_count_that_is_near_is_not_drawn_anew() -> None:
    assert draw_house.keep(1000, 1099) == 1000 == draw_house.keep(1000, 901)
    assert draw_house.keep(1000, 1100) == 1100
    assert draw_house.keep(1, 2) == 2


def test_nothing_is_cut_in_the_picture() -> None:
    assert "…" not in draw_house.PICTURE.read_text(), "shorten the first sentence of the package's docstring"
