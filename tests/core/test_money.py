"""Money is read the way people type it, and never a thousand times off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import MAX_MINOR, Money, NotMoney, from_decimal_text, read_amount, show


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("125.000", 125_000_00), ("125 000,50", 125_000_50), ("125,000.50", 125_000_50), ("125.000,5", 125_000_50),
        ("125000", 125_000_00), ("125000,50", 125_000_50), ("1.250.000", 1_250_000_00), ("€ 125.000", 125_000_00),
        ("125.000 EUR", 125_000_00), ("125 mii", 125_000_00), ("1,2 milioane", 1_200_000_00), ("125k", 125_000_00),
        ("125\u00a0000 lei", 125_000_00), ("12.50", 12_50),
    ],
)  # fmt: skip
def test_romanian_and_english_spellings(typed: str, minor: int) -> None:
    assert read_amount(typed).minor == minor


@pytest.mark.parametrize("typed", ["", "o sută", "-5", "1.25.000", "12 5000", "1e9", "9" * 15, "1.000,000.00", "٣"])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(NotMoney):
        read_amount(typed)


def test_a_lone_comma_group_is_asked_about() -> None:
    assert read_amount("125,000").other == 125_00
    assert read_amount("125.000").other is None


@given(st.integers(1, MAX_MINOR), st.sampled_from(["ro", "en"]), st.sampled_from(["EUR", "RON"]))
def test_what_is_shown_reads_back_as_itself(minor: int, language: str, currency: str) -> None:
    reading = read_amount(show(Money(minor, currency), language))
    assert reading.minor == minor


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        assert 0 <= read_amount(text).minor <= MAX_MINOR
    except NotMoney:
        pass


@given(st.integers(0, MAX_MINOR))
def test_decimal_strings_round_trip(minor: int) -> None:
    assert from_decimal_text(Money(minor, "EUR").text) == minor
