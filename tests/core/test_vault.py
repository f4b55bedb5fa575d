"""A ciphertext opens in its own place only."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.core import keys
from app.core.unit_of_work import housekeeping
from app.core.vault import (
    CannotOpen,
    KeyMissing,
    Keyring,
    Place,
    agency_key_place,
    blind,
    offer_key_place,
    pad,
    seal,
    unpad,
    unseal,
)
from app.extensions import db
from app.models import AgencyKey, OfferKey, OfferTag
from app.offers.details import offer_by_id, open_offer
from tests.factories import make_agency, make_offer, make_property, make_user

KEY = bytes(range(32))
PLACE = Place(uuid.UUID(int=1), "offer_body", "body", uuid.UUID(int=2))


def test_known_answers() -> None:
    sealed = seal(KEY, PLACE, b"salut", nonce=bytes(12))
    assert sealed.hex() == "01000000000000000000000000" + "7dddd9abc13aa2e365d876edb063358caaff32c2c3"
    assert blind(KEY, "ana@client.example").hex() == "01440eba0aa9a0a09198ec25fe4eae8c"


def test_known_answers_of_wrapped_keys() -> None:
    """A database written once opens for ever: the name of a key, and both ways in."""
    ring, offer = Keyring((bytes(reversed(KEY)), KEY)), uuid.UUID(int=2)
    assert ring.ids == ["366a7d7fd928", "9c173edd2a31"] and ring.active == ring.ids[0]
    wrapped = bytes.fromhex(
        "01000102030405060708090a0b6723f438e1c0e43ca568bda09dc45642b3e7b507c44e694b005edfbe21543e8da6b1f7e4bacfcefe7674c52ef865e0b2"
    )
    assert ring.unwrap("9c173edd2a31", wrapped, offer_key_place(PLACE.agency, offer)) == bytes(range(32, 64))
    opened = ring.opener(PLACE.agency, "offer_body", "body")
    sealed = bytes.fromhex("010c0d0e0f10111213141516172aa03b47575c6ecaba12b044309d3845672fb7c6b404deab")
    assert opened(offer.hex, "9c173edd2a31", wrapped, sealed) == "Țurcanu".encode()
    assert unseal(bytes(range(32, 64)), PLACE, sealed) == "Țurcanu".encode()


def test_many_are_opened_as_one_is_and_in_their_own_place_only() -> None:
    ring, offer, other = Keyring((KEY,)), PLACE.row, uuid.UUID(int=9)
    assert isinstance(offer, uuid.UUID)
    key, held = ring.new_key(offer_key_place(PLACE.agency, offer))
    sealed = seal(key, PLACE, b"salut")
    opened = ring.opener(PLACE.agency, "offer_body", "body")
    assert opened(offer.hex, held.kek_id, held.wrapped, sealed) == b"salut"
    foreign = ring.new_key(offer_key_place(PLACE.agency, other))[1]
    for row, kek, wrapped, body in (
        (other.hex, held.kek_id, held.wrapped, sealed),
        (offer.hex, held.kek_id, foreign.wrapped, sealed),
        (offer.hex, held.kek_id, held.wrapped[:-1], sealed),
        (offer.hex, held.kek_id, b"", sealed),
        (offer.hex, held.kek_id, held.wrapped, sealed[:-1]),
        (offer.hex, held.kek_id, held.wrapped, b""),
        (offer.hex, held.kek_id, held.wrapped, b"\x02" + sealed[1:]),
        (offer.hex, held.kek_id, b"\x02" + held.wrapped[1:], sealed),
    ):
        with pytest.raises(CannotOpen, match="offer_body"):
            opened(row, kek, wrapped, body)
    with pytest.raises(KeyMissing, match="key 000000000000 is not among BIDFLUX_KEYS"):
        opened(offer.hex, "0" * 12, held.wrapped, sealed)
    for place in (
        (other, "offer_body", "body"),
        (PLACE.agency, "offer_file", "body"),
        (PLACE.agency, "offer_body", "x"),
    ):
        with pytest.raises(CannotOpen):
            ring.opener(*place)(offer.hex, held.kek_id, held.wrapped, sealed)


def test_moved_anywhere_else_it_does_not_open() -> None:
    sealed = seal(KEY, PLACE, b"salut")
    assert unseal(KEY, PLACE, sealed) == b"salut"
    for other in (
        replace(PLACE, agency=uuid.UUID(int=9)),
        replace(PLACE, table="offer_file"),
        replace(PLACE, column="name"),
        replace(PLACE, row=uuid.UUID(int=3)),
    ):
        with pytest.raises(CannotOpen):
            unseal(KEY, other, sealed)


@given(st.integers(0, 33), st.integers(1, 255))
def test_a_flipped_bit_does_not_open(place: int, mask: int) -> None:
    sealed = bytearray(seal(KEY, PLACE, b"salut"))
    sealed[place % len(sealed)] ^= mask
    with pytest.raises(CannotOpen):
        unseal(KEY, PLACE, bytes(sealed))


def test_the_places_of_wrapped_keys_never_change() -> None:
    agency, offer = uuid.UUID(int=1), uuid.UUID(int=2)
    assert agency_key_place(agency, "secret").aad() == b"bidflux/1\0" + b"0" * 31 + b"1\0agency_key\0wrapped\0secret"
    assert (
        offer_key_place(agency, offer).aad()
        == b"bidflux/1\0" + b"0" * 31 + b"1\0offer_key\0wrapped\0" + b"0" * 31 + b"2"
    )


def test_nothing_can_be_sealed_and_what_is_too_short_does_not_open() -> None:
    empty = seal(KEY, PLACE, b"")
    assert unseal(KEY, PLACE, empty) == b""
    for cut in range(len(empty)):
        with pytest.raises(CannotOpen):
            unseal(KEY, PLACE, empty[:cut])


@given(st.binary(max_size=1200))
def test_padding_hides_the_length_and_comes_off(plain: bytes) -> None:
    assert len(pad(plain)) % 512 == 0 and unpad(pad(plain)) == plain
    for spoilt in (plain, plain + b"\x80X\0", plain + b"\x80X"):
        if not spoilt.rstrip(b"\0").endswith(b"\x80"):
            with pytest.raises(CannotOpen):
                unpad(spoilt)


def test_rotation_rewraps_everything_in_batches_and_changes_nothing_else(either_app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    offers = [make_offer(prop) for _ in range(5)]
    tags = set(db.session.execute(select(OfferTag.tag, OfferTag.offer_id)).all())
    new = bytes(reversed(KEY))
    either_app.extensions["bidflux_keyring"] = Keyring((new, *either_app.extensions["bidflux_settings"].keys))
    done = []
    while True:
        with housekeeping() as connection:
            count = keys.rewrap_batch(connection, limit=2)
        if not count:
            break
        done.append(count)
    assert sum(done) == 5 + 4 and len(done) > 1
    either_app.extensions["bidflux_keyring"] = Keyring((new,))
    either_app.extensions["bidflux_agency_keys"].clear()
    assert {k for t in (OfferKey, AgencyKey) for k in db.session.scalars(select(t.kek_id))} == {Keyring((new,)).active}
    for offer in offers:
        row = offer_by_id(offer)
        assert row and open_offer(*row).document
    assert set(db.session.execute(select(OfferTag.tag, OfferTag.offer_id)).all()) == tags


def test_a_key_that_is_missing_is_named(app: Flask) -> None:
    agency = make_agency()
    offer = make_offer(make_property(agency, make_user(agency).id))
    app.extensions["bidflux_keyring"] = Keyring((KEY,))
    row = offer_by_id(offer)
    assert row
    with pytest.raises(CannotOpen, match="not among BIDFLUX_KEYS"):
        open_offer(*row)
