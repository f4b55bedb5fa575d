"""Signed links: short, for one purpose, and nothing but ids."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.signed_links import BadToken, offer_link_token, read_offer_link, read_receipt, receipt_token

PROPERTY = uuid.UUID("0192a4be-0000-7000-8000-000000000001")


def test_a_token_fits_into_a_message_and_reads_back(app: Flask) -> None:
    token = offer_link_token(PROPERTY, 65_535)
    assert len(token) <= 72 and len(receipt_token(PROPERTY)) <= 72
    assert read_offer_link(token).property_id == PROPERTY and read_offer_link(token).version == 65_535


def test_a_token_of_another_purpose_is_refused(app: Flask) -> None:
    with pytest.raises(BadToken):
        read_receipt(offer_link_token(PROPERTY, 1))
    with pytest.raises(BadToken):
        read_offer_link(receipt_token(PROPERTY))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(place=st.integers(0, 67), letter=st.sampled_from("ABCxyz019-_."))
def test_any_changed_letter_is_refused(app: Flask, place: int, letter: str) -> None:
    token = offer_link_token(PROPERTY, 1)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(BadToken):
            read_offer_link(changed)


def test_a_link_outlives_a_change_of_the_secret_while_the_old_one_is_a_fallback(app: Flask) -> None:
    token, old = offer_link_token(PROPERTY, 1), app.config["SECRET_KEY"]
    app.config.update(SECRET_KEY="n" * 40, SECRET_KEY_FALLBACKS=[old])
    assert read_offer_link(token).property_id == PROPERTY
    app.config["SECRET_KEY_FALLBACKS"] = []
    with pytest.raises(BadToken):
        read_offer_link(token)


def test_the_spare_bits_of_the_last_letter_are_not_spare(app: Flask) -> None:
    """One link is one string: base64 would read four different last letters alike."""
    token = offer_link_token(PROPERTY, 1)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in letters.replace(token[-1], ""):
        with pytest.raises(BadToken):
            read_offer_link(token[:-1] + letter)
