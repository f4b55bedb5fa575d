"""How large properties are: one table for pages, which ask about what lies outside, and the API and feeds, which warn.

The bounds are wide: what lies outside is rather a separator that was read or typed wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AREAS = ("usable_area_sqm", "built_area_sqm", "land_area_sqm")
SIZES = (*AREAS, "rooms")
# The most that is taken at all.
MOST = {"usable_area_sqm": 10_000_000, "built_area_sqm": 10_000_000, "land_area_sqm": 100_000_000, "rooms": 1_000}
_UNITS_OF_AREA = {
    **dict.fromkeys(
        ("", "mp", "m p", "m", "m²", "mpu", "mp utili", "metri pătrați", "metri patrati", "sqm", "sq m", "qm"), 1
    ),
    **dict.fromkeys(("ha", "hectar", "hectare"), 10_000),
    **dict.fromkeys(("ar", "ari"), 100),
}
_UNITS_OF_ROOMS = dict.fromkeys(("", "camere", "cameră", "camera", "cam", "room", "rooms"), 1)
UNITS = {**dict.fromkeys(AREAS, _UNITS_OF_AREA), "rooms": _UNITS_OF_ROOMS}
_LARGE = {
    "usable_area_sqm": (2, 300_000), "built_area_sqm": (2, 500_000), "land_area_sqm": (5, 20_000_000),
    "rooms": (1, 500),
}  # fmt: skip
_USUAL: dict[str, dict[str, tuple[float, float]]] = {
    "apartment": {
        "usable_area_sqm": (8, 1_000), "built_area_sqm": (10, 1_500), "land_area_sqm": (1, 10_000), "rooms": (1, 20),
    },
    "house": {
        "usable_area_sqm": (15, 5_000), "built_area_sqm": (15, 6_000), "land_area_sqm": (15, 1_000_000),
        "rooms": (1, 60),
    },
    "land": {**_LARGE, "land_area_sqm": (10, 100_000_000)},
}  # fmt: skip


def is_usual(name: str, value: float, property_type: str) -> bool:
    """Whether a property of that type has such a size."""
    least, most = _USUAL.get(property_type, _LARGE)[name]
    return least <= value <= most


def unusual(columns: Mapping[str, Any]) -> list[str]:
    """The sizes among a property's columns that hardly any of its type has."""
    kind = columns["property_type"]
    return [name for name in SIZES if columns.get(name) is not None and not is_usual(name, columns[name], kind)]
