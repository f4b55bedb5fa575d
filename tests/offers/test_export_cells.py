"""Cells of files: short ways give what the long ones gave."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.offers.exports.writing import _Clock, _pieces, harmless

SIGNS, BREAKS = "=+-@\t\r＝＋－＠", ";,\t\r\n"
TYPED = st.text(st.sampled_from("aȚ0129=+-@＝－\t\r\n;, \"'\x00\u00a0²"), max_size=14) | st.text(max_size=20)


def letter_by_letter(text: str) -> str:
    """What a harmless cell is, without any short way."""
    if (text[:1] == "0" and text[1:].isdigit()) or (len(text) > 11 and text.isdigit()):
        return f"'{text}"
    told, begins = [], True
    for c in text.replace("\x00", ""):
        if begins and c in SIGNS:
            told.append("'")
            begins = False
        begins = c in BREAKS or (begins and c.isspace())
        told.append(c)
    return "".join(told)


@settings(max_examples=300)
@example("+40722000111")
@example("a;\n =1")
@example("\x00=1")
@example("²²²²²²²²²²²²")
@given(TYPED)
def test_a_cell_is_as_harmless_as_letter_by_letter(text: str) -> None:
    assert harmless(text) == letter_by_letter(text)


@settings(max_examples=100)
@given(st.lists(st.lists(TYPED, min_size=3, max_size=3), max_size=4), st.sampled_from(";,"))
def test_rows_are_what_the_library_writes(rows: list[list[str]], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows([["a", "b", "c"], *rows])
    assert "".join(_pieces(["a", "b", "c"], iter(rows), delimiter)) == out.getvalue()


@pytest.mark.parametrize("zone", ["Europe/Bucharest", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "UTC"])
def test_local_times_are_right_around_every_change_of_the_clocks(zone: str) -> None:
    clock, here = _Clock(ZoneInfo(zone)), ZoneInfo(zone)
    for day in (
        datetime(2026, 3, 29, tzinfo=UTC),
        datetime(2026, 10, 25, tzinfo=UTC),
        datetime(2026, 4, 4, tzinfo=UTC),
    ):
        for minutes in range(0, 24 * 60, 13):
            at = day + timedelta(minutes=minutes, seconds=minutes % 60)
            held = at.strftime("%Y-%m-%d %H:%M:%S.000007")
            assert clock.text(held) == clock.text(at) == at.astimezone(here).strftime("%Y-%m-%d %H:%M:%S")
