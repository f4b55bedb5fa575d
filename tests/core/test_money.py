"""Money is read the way people type it, and never a thousand times off."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from babel.localedata import locale_identifiers
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import MAX_MINOR, Money, NotMoney, OtherCurrency, from_decimal_text, read_amount, show


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


@pytest.mark.parametrize("typed", ["", "o sută", "-5", "1.25.000", "12 5000", "1e9", "9" * 15, "1.000,000.00", "½"])
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


CASES = json.loads((Path(__file__).parent / "amounts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["typed"] for case in CASES])
def test_every_spelling_means_what_the_table_says(case: dict[str, Any]) -> None:
    if case["minor"] is None:
        with pytest.raises(NotMoney):
            read_amount(case["typed"])
        return
    read = read_amount(case["typed"])
    assert (read.minor, read.other, read.currency, read.doubtful) == (
        case["minor"],
        case.get("other"),
        case.get("currency"),
        case.get("doubtful", False),
    )


@pytest.mark.parametrize(
    ("typed", "currency"),
    [
        ("700.000 lei", "EUR"), ("€230.000", "RON"), ("230.000 RON", "EUR"), ("250.000 $", "EUR"), ("£ 5.000", "RON"),
        ("CHF 125.000", "EUR"), ("125.000 usd", "RON"), ("euro 5.000 lei", "EUR"), ("125 mii de lei", "EUR"),
        ("100.000 dolari", "EUR"), ("125 000 ₽", "EUR"),
    ],
)  # fmt: skip
def test_another_currency_is_never_dropped(typed: str, currency: str) -> None:
    with pytest.raises(OtherCurrency):
        read_amount(typed, currency)


@given(st.integers(1, 10**11), st.booleans(), st.sampled_from(locale_identifiers()))
def test_what_any_locale_writes_reads_back_or_is_asked_about(minor: int, whole: bool, locale: str) -> None:
    minor = minor // 100 * 100 + 100 if whole else minor
    places = "#,##0" if whole else "#,##0.00"
    pattern = Locale.parse(locale).decimal_formats[None].pattern.replace("#,##0.###", places)
    text = format_decimal(Decimal(minor) / 100, pattern, locale=locale, numbering_system="default")
    try:
        read = read_amount(text)
    except NotMoney:
        assert locale.partition("_")[0] not in {"ro", "en", "de", "fr", "it", "es", "hu", "bg", "ru", "ar", "fa", "hi"}
        return
    assert read.minor == minor or read.other == minor


@given(st.integers(0, MAX_MINOR))
def test_decimal_strings_round_trip(minor: int) -> None:
    assert from_decimal_text(Money(minor, "EUR").text) == minor
