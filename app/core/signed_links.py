"""Signed tokens: ids only, one salt per purpose, SHA-256, key fallbacks (itsdangerous).

The payload is readable by whoever holds it, and a signature cannot be revoked: version, window and on/off live in
the row that the token names. What travels by SMS is at most 72 characters long.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from flask import current_app
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

# What follows one of these in a path is a token: never logged, never told to another site, without any cookie.
SIGNED_PATHS = ("/o/", "/r/", "/s/", "/gdpr/request/", "/account/", "/setup/")
NOTHING = bytes(32)
SIGNATURE = 44  # letters, with the point before it

Payload = TypeVar("Payload")


class BadToken(Exception):
    """Not a token of ours, or not for this purpose."""


class OfferLink(NamedTuple):
    property_id: uuid.UUID
    version: int


class AccountLink(NamedTuple):
    """Whose password it is, until when it may be chosen (Unix time), and the mark of the one that it replaces."""

    user_id: uuid.UUID
    until: float
    mark: bytes


class TimedId(NamedTuple):
    """One row, and a moment (Unix time)."""

    id: uuid.UUID
    moment: float


class Device(NamedTuple):
    """A browser, for one account alone."""

    account: uuid.UUID
    nonce: bytes


class Stamp(NamedTuple):
    """What a buyer's form carries in place of a cookie: which form this is, of which property, and when it was opened
    (Unix time).

    `shown` is the digest of what its page showed of the property; a review also names the `terms` that it showed, and
    the moment before which it is not `ready` to be sent.
    """

    property_id: uuid.UUID
    nonce: bytes
    opened: float
    ready: float = 0.0
    shown: bytes = NOTHING
    terms: bytes = NOTHING


def _alone(row_id: uuid.UUID) -> uuid.UUID:
    return row_id


@dataclass(frozen=True, slots=True)
class Purpose(Generic[Payload]):
    """What a token is good for. Its payload begins with an id; `follows` is the rest, as `struct` writes it, and None
    where the payload is any bytes. Name and layout stay: links that were sent must stay good."""

    name: str
    holds: Callable[..., Payload]
    follows: str | None = ""

    @property
    def layout(self) -> str:
        return f">16s{self.follows}"

    @property
    def length(self) -> int:
        """Of its tokens, in characters."""
        return -(-struct.calcsize(self.layout) * 4 // 3) + SIGNATURE


OFFER_LINK = Purpose("offer-link", OfferLink, "H")  # a property's, for everybody
REQUEST = Purpose("better-offer", _alone)  # one bidder's, who was asked for a better offer
RECEIPT = Purpose("receipt", _alone)  # what was sent, to read
BIDDER = Purpose("bidder-page", _alone)  # the private link of a bidder's mail
SELLER = Purpose("seller-page", _alone)
BIDDER_PASS = Purpose("bidder-page-pass", TimedId, "d")  # what a private link is exchanged for: until the moment
SELLER_PASS = Purpose("seller-page-pass", TimedId, "d")
PRIVACY = Purpose("privacy-request", _alone)  # by which a person proves that an address is theirs
ACCOUNT = Purpose("account", AccountLink, "d8s")
INVITATION = Purpose("invitation", TimedId, "d")  # of the moment when they were last asked in
SETUP = Purpose("setup", _alone)  # by which the first agency is made
PHOTO = Purpose("photo", _alone)  # for whoever shows the property elsewhere
DEVICE = Purpose("device", Device, "12s")
STAMP = Purpose("form-stamp", Stamp, "16sdd32s32s")
CURSOR = Purpose("cursor", bytes, None)  # a place in a list of the API


def sign(purpose: Purpose[Payload], payload: Payload) -> str:
    """The token that holds `payload` for this purpose."""
    return _signer(purpose).sign(base64_encode(_packed(purpose, payload))).decode()


def read(purpose: Purpose[Payload], token: str, of: uuid.UUID | None = None) -> Payload:
    """What a token holds; with `of` it must be that row's. Raises `BadToken`."""
    if purpose.follows is None:
        return purpose.holds(_unsigned(purpose, token))
    if len(token) != purpose.length:
        raise BadToken(purpose.name)
    packed, *rest = struct.unpack(purpose.layout, _unsigned(purpose, token))
    row_id = uuid.UUID(bytes=packed)
    if of is not None and row_id != of:
        raise BadToken(purpose.name)
    return purpose.holds(row_id, *rest)


def _packed(purpose: Purpose[Any], payload: Any) -> bytes:
    if purpose.follows is None:
        return bytes(payload)
    row_id, *rest = payload if isinstance(payload, tuple) else (payload,)
    return struct.pack(purpose.layout, row_id.bytes, *rest)


def _signer(purpose: Purpose[Any]) -> Signer:
    keys = *current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"]
    return _made(keys, purpose.name)


@lru_cache(maxsize=64)
def _made(keys: tuple[str, ...], name: str) -> Signer:
    """The keys of one purpose are derived once, as itsdangerous would for every token."""
    usual = Signer(list(keys), salt=f"bidflux.{name}", key_derivation="hmac", digest_method=hashlib.sha256)
    derived = [usual.derive_key(key) for key in usual.secret_keys]
    return Signer(derived, key_derivation="none", digest_method=hashlib.sha256)


def _unsigned(purpose: Purpose[Any], token: str) -> bytes:
    try:
        payload = base64_decode(_signer(purpose).unsign(token.encode("ascii")))
        signature = base64_decode(token.rpartition(".")[2])
    except (BadData, UnicodeEncodeError):
        raise BadToken(purpose.name) from None
    # The last letter of a signature has two bits to spare: one token must be one string.
    if not token.endswith("." + base64_encode(signature).decode()):
        raise BadToken(purpose.name)
    return payload
