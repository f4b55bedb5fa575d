"""Signed links: short, for one purpose, and nothing but ids."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import signed_links
from app.core.signed_links import (
    ACCOUNT,
    BIDDER,
    BIDDER_PASS,
    CURSOR,
    DEVICE,
    INVITATION,
    OFFER_LINK,
    PHOTO,
    PRIVACY,
    RECEIPT,
    REQUEST,
    SELLER,
    SELLER_PASS,
    SETUP,
    STAMP,
    AccountLink,
    BadToken,
    Device,
    OfferLink,
    Purpose,
    Stamp,
    TimedId,
    read,
    sign,
)

PROPERTY = uuid.UUID("0192a4be-0000-7000-8000-000000000001")
KEY = "a secret of forty letters, kept for tests"
# What earlier versions signed with that key: those links are in people's mailboxes.
SENT: tuple[tuple[Purpose[Any], Any, str], ...] = (
    (OFFER_LINK, OfferLink(PROPERTY, 258), "AZKkvgAAcACAAAAAAAAAAQEC.cIfJLdhj19jzGGqHX7PFUK4oszsuVdKqRNDaB2YUhMo"),
    (RECEIPT, PROPERTY, "AZKkvgAAcACAAAAAAAAAAQ.frSY2hroLBUw-nkAE-PtRAG4bPaphX4gSPdt3hyPJXs"),
    (BIDDER, PROPERTY, "AZKkvgAAcACAAAAAAAAAAQ.WmdmV-t37dHvRyGdrWKm4Qsrlbo_ZnxS5_6votlPQ7k"),
    (SELLER, PROPERTY, "AZKkvgAAcACAAAAAAAAAAQ.492OWF_LZjAnEc49gE5MhS2cecs2RvT1F-qHAc62zck"),
    (PRIVACY, PROPERTY, "AZKkvgAAcACAAAAAAAAAAQ.oaWcwLPX7ZATIDtJT9ZYYonKEpevORgK_PHb976hLNw"),
    (PHOTO, PROPERTY, "AZKkvgAAcACAAAAAAAAAAQ.ApX60zN9Cbuji-JFTJjpnKCzR0ZMg9_I19hqaGcHCQU"),
    (REQUEST, PROPERTY, "AZKkvgAAcACAAAAAAAAAAQ.hxO_hgoE-yJmKd3HoymWfxAks8dCfo7XuAc21tP_oLE"),
    (
        ACCOUNT,
        AccountLink(PROPERTY, 2e9, bytes.fromhex("330670965d23e63a")),
        "AZKkvgAAcACAAAAAAAAAAUHdzWUAAAAAMwZwll0j5jo.PpMOLTab9f9p4y9fLMljbHP9_FruSvlyQE0MMK9JF5E",
    ),
    (
        INVITATION,
        TimedId(PROPERTY, 1764000000.25),
        "AZKkvgAAcACAAAAAAAAAAUHaSSBAEAAA.mlukNNkVFy1BDJfRpbNLgDhppV1-86x-4RA9luP2T54",
    ),
    (SETUP, PROPERTY, "AZKkvgAAcACAAAAAAAAAAQ.JzK6gsXtOHbN0-1Lvm9YKvoWb1axnS3SP1PZfkdEyz4"),
    (
        BIDDER_PASS,
        TimedId(PROPERTY, 2e9),
        "AZKkvgAAcACAAAAAAAAAAUHdzWUAAAAA.89n2NHp4l405dBYUDGrb0EEi9KOWw5ewmwTAmJr90Q8",
    ),
    (
        SELLER_PASS,
        TimedId(PROPERTY, 2e9),
        "AZKkvgAAcACAAAAAAAAAAUHdzWUAAAAA.CbQo-pjN5ItgQFPcbknzwE8q4-M3T_J5kBMXA3fiYjU",
    ),
    (
        DEVICE,
        Device(uuid.UUID("8e43ca37-7012-28e7-4983-efdbd0cff5c1"), bytes(range(12))),
        "jkPKN3ASKOdJg-_b0M_1wQABAgMEBQYHCAkKCw.mfgfZrMXVP-rRbjOTUvqiore2rNU0ee-LVp2pWdi5dU",
    ),
    (CURSOR, b'["x","2",3]', "WyJ4IiwiMiIsM10.lVcn_TWgAfzRgZpF4FF5OeaHYYlGzIkPv1wpxEPIGZg"),
    (
        STAMP,
        Stamp(PROPERTY, bytes(16), 1764000000.5, 1764000015.0, b"s" * 32, b"t" * 32),
        "AZKkvgAAcACAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAABB2kkgQCAAAEHaSSBDwAAAc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3N0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dHR0dA.JklNv7XMzukJMrl-EXtyYQf4ow10IO8YRzCxFpnz5RA",
    ),
)


@pytest.mark.parametrize(("purpose", "payload", "token"), SENT, ids=[purpose.name for purpose, _, _ in SENT])
def test_a_token_is_what_it_always_was(app: Flask, purpose: Purpose[Any], payload: Any, token: str) -> None:
    app.config.update(SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=[])
    assert sign(purpose, payload) == token
    assert read(purpose, token) == payload


def test_each_purpose_is_tried_and_takes_no_other_purposes_token(app: Flask) -> None:
    purposes = [one for one in vars(signed_links).values() if isinstance(one, Purpose)]
    assert {purpose.name for purpose, _, _ in SENT} == {purpose.name for purpose in purposes}
    assert len({purpose.name for purpose in purposes}) == len(purposes) == len(SENT)
    for signed, payload, _token in SENT:
        for purpose in purposes:
            if purpose is not signed:
                with pytest.raises(BadToken):
                    read(purpose, sign(signed, payload))


def test_a_token_of_one_row_is_refused_for_another(app: Flask) -> None:
    token = sign(BIDDER_PASS, TimedId(PROPERTY, 2e9))
    assert read(BIDDER_PASS, token, PROPERTY).moment == 2e9
    with pytest.raises(BadToken):
        read(BIDDER_PASS, token, uuid.uuid4())


def test_a_token_fits_into_a_message_and_reads_back(app: Flask) -> None:
    token = sign(OFFER_LINK, OfferLink(PROPERTY, 65_535))
    assert len(token) <= 72 and len(sign(RECEIPT, PROPERTY)) <= 72
    assert read(OFFER_LINK, token).property_id == PROPERTY and read(OFFER_LINK, token).version == 65_535


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(place=st.integers(0, 67), letter=st.sampled_from("ABCxyz019-_."))
def test_any_changed_letter_is_refused(app: Flask, place: int, letter: str) -> None:
    token = sign(OFFER_LINK, OfferLink(PROPERTY, 1))
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        with pytest.raises(BadToken):
            read(OFFER_LINK, changed)


def test_a_link_outlives_a_change_of_the_secret_while_the_old_one_is_a_fallback(app: Flask) -> None:
    token, old = sign(OFFER_LINK, OfferLink(PROPERTY, 1)), app.config["SECRET_KEY"]
    app.config.update(SECRET_KEY="n" * 40, SECRET_KEY_FALLBACKS=[old])
    assert read(OFFER_LINK, token).property_id == PROPERTY
    app.config["SECRET_KEY_FALLBACKS"] = []
    with pytest.raises(BadToken):
        read(OFFER_LINK, token)


def test_the_spare_bits_of_the_last_letter_are_not_spare(app: Flask) -> None:
    """One link is one string: base64 would read four different last letters alike."""
    token = sign(OFFER_LINK, OfferLink(PROPERTY, 1))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in letters.replace(token[-1], ""):
        with pytest.raises(BadToken):
            read(OFFER_LINK, token[:-1] + letter)
