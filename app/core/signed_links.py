"""Signed tokens: ids only, one salt per purpose, SHA-256, key fallbacks (itsdangerous).

The payload is readable by whoever holds it, and a signature cannot be revoked: version, window and on/off live in
the property's row. Tokens are at most 72 characters, since they travel by SMS.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import uuid
from dataclasses import dataclass

from flask import current_app
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

MAX_TOKEN = 72
OFFER_LINK, RECEIPT, STAMP, REQUEST = "offer-link", "receipt", "form-stamp", "better-offer"
PHOTO, CURSOR = "photo", "cursor"
BIDDER, SELLER = "bidder-page", "seller-page"
PRIVACY = "privacy-request"
ACCOUNT, INVITATION, DEVICE = "account", "invitation", "device"


# What follows one of these in a path is a token: never logged, never told to another site, without any cookie.
SIGNED_PATHS = ("/o/", "/r/", "/s/", "/gdpr/request/", "/account/")


NOTHING = bytes(32)


class BadToken(Exception):
    """Not a token of ours, or not for this purpose."""


@dataclass(frozen=True, slots=True)
class OfferLink:
    property_id: uuid.UUID
    version: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a buyer's form carries in place of a cookie: which form this is, and when it was opened (Unix time).

    `shown` is the digest of what its page showed of the property; a review also names the `terms` that it showed, and
    the moment before which it is not `ready` to be sent.
    """

    nonce: bytes
    opened: float
    shown: bytes = NOTHING
    terms: bytes = NOTHING
    ready: float = 0.0


def _signer(purpose: str) -> Signer:
    keys = [*current_app.config["SECRET_KEY_FALLBACKS"], current_app.config["SECRET_KEY"]]
    return Signer(keys, salt=f"bidflux.{purpose}", key_derivation="hmac", digest_method=hashlib.sha256)


def _sign(purpose: str, payload: bytes) -> str:
    return _signer(purpose).sign(base64_encode(payload)).decode()


def _unsign(purpose: str, token: str, length: int | None) -> bytes:
    """The payload, which has `length` bytes where that is known; raises `BadToken`."""
    try:
        payload = base64_decode(_signer(purpose).unsign(token.encode("ascii")))
        signature = base64_decode(token.rpartition(".")[2])
    except (BadData, UnicodeEncodeError):
        raise BadToken(purpose) from None
    # The last letter of a signature has two bits to spare: one token must be one string.
    if len(payload) != (length or len(payload)) or not token.endswith("." + base64_encode(signature).decode()):
        raise BadToken(purpose)
    return payload


def offer_link_token(property_id: uuid.UUID, version: int) -> str:
    """The token of a property's link: 68 characters."""
    return _sign(OFFER_LINK, property_id.bytes + struct.pack(">H", version))


def read_offer_link(token: str) -> OfferLink:
    if len(token) > MAX_TOKEN:
        raise BadToken(OFFER_LINK)
    payload = _unsign(OFFER_LINK, token, 18)
    return OfferLink(uuid.UUID(bytes=payload[:16]), struct.unpack(">H", payload[16:])[0])


def receipt_token(offer_id: uuid.UUID) -> str:
    """The token of a bidder's page: 66 characters."""
    return _sign(RECEIPT, offer_id.bytes)


def read_receipt(token: str) -> uuid.UUID:
    if len(token) > MAX_TOKEN:
        raise BadToken(RECEIPT)
    return uuid.UUID(bytes=_unsign(RECEIPT, token, 16))


def bidder_token(offer_id: uuid.UUID) -> str:
    """The token of the private link in a bidder's mail: 66 characters."""
    return _sign(BIDDER, offer_id.bytes)


def read_bidder(token: str) -> uuid.UUID:
    if len(token) > MAX_TOKEN:
        raise BadToken(BIDDER)
    return uuid.UUID(bytes=_unsign(BIDDER, token, 16))


def seller_token(link_id: uuid.UUID) -> str:
    """The token of a seller's link: 66 characters."""
    return _sign(SELLER, link_id.bytes)


def read_seller(token: str) -> uuid.UUID:
    if len(token) > MAX_TOKEN:
        raise BadToken(SELLER)
    return uuid.UUID(bytes=_unsign(SELLER, token, 16))


def privacy_token(request_id: uuid.UUID) -> str:
    """The token by which a person proves that an address is theirs."""
    return _sign(PRIVACY, request_id.bytes)


def read_privacy(token: str) -> uuid.UUID:
    if len(token) > MAX_TOKEN:
        raise BadToken(PRIVACY)
    return uuid.UUID(bytes=_unsign(PRIVACY, token, 16))


def account_token(user_id: uuid.UUID, password_hash: str, until: float) -> str:
    """The token by which a colleague chooses a password: until a Unix time, and until the password is another."""
    return _sign(ACCOUNT, user_id.bytes + struct.pack(">d", until) + _mark(password_hash))


def read_account(token: str) -> tuple[uuid.UUID, float, bytes]:
    """Whose it is, until when it is good, and the mark of the password that it replaces."""
    payload = _unsign(ACCOUNT, token[:200], 32)
    until: float = struct.unpack(">d", payload[16:24])[0]
    return uuid.UUID(bytes=payload[:16]), until, payload[24:]


def invitation_token(invitation_id: uuid.UUID, invited_at: float) -> str:
    """The token by which somebody who was asked in chooses a password: that of the last time that they were asked."""
    return _sign(INVITATION, invitation_id.bytes + struct.pack(">d", invited_at))


def read_invitation(token: str) -> tuple[uuid.UUID, float]:
    """Which invitation, and when it was sent (Unix time)."""
    payload = _unsign(INVITATION, token[:200], 24)
    sent: float = struct.unpack(">d", payload[16:])[0]
    return uuid.UUID(bytes=payload[:16]), sent


def is_marked(mark: bytes, password_hash: str) -> bool:
    return hmac.compare_digest(mark, _mark(password_hash))


def _mark(password_hash: str) -> bytes:
    return hashlib.sha256(password_hash.encode()).digest()[:8]


def device_token(email: str) -> str:
    """What a browser keeps in which somebody signed in with this address: bound to it, and new each time."""
    return _sign(DEVICE, hashlib.sha256(email.encode("utf-8", "replace")).digest()[:16] + secrets.token_bytes(12))


def read_device(email: str, token: str) -> str:
    """A name for that browser."""
    payload = _unsign(DEVICE, token[:200], 28)
    if payload[:16] != hashlib.sha256(email.encode("utf-8", "replace")).digest()[:16]:
        raise BadToken(DEVICE)
    return payload[16:].hex()


def pass_token(kind: str, object_id: uuid.UUID, until: float) -> str:
    """What a private link is exchanged for: good for one object, until a Unix time."""
    return _sign(f"{kind}-pass", object_id.bytes + struct.pack(">d", until))


def read_pass(kind: str, object_id: uuid.UUID, token: str) -> float:
    """Until when it is good."""
    payload = _unsign(f"{kind}-pass", token[:200], 24)
    if payload[:16] != object_id.bytes:
        raise BadToken(kind)
    until: float = struct.unpack(">d", payload[16:])[0]
    return until


def photo_token(upload_id: uuid.UUID) -> str:
    """The token of one picture of a property, for whoever shows the property elsewhere."""
    return _sign(PHOTO, upload_id.bytes)


def read_photo_token(token: str) -> uuid.UUID:
    if len(token) > MAX_TOKEN:
        raise BadToken(PHOTO)
    return uuid.UUID(bytes=_unsign(PHOTO, token, 16))


def cursor_token(payload: bytes) -> str:
    """A place in a list of the API, which only we can have named."""
    return _sign(CURSOR, payload)


def read_cursor_token(token: str) -> bytes:
    return _unsign(CURSOR, token, None)


def request_token(request_id: uuid.UUID) -> str:
    """The token by which one bidder sends the better offer they were asked for: 66 characters."""
    return _sign(REQUEST, request_id.bytes)


def read_request(token: str) -> uuid.UUID:
    if len(token) > MAX_TOKEN:
        raise BadToken(REQUEST)
    return uuid.UUID(bytes=_unsign(REQUEST, token, 16))


def form_stamp(property_id: uuid.UUID, stamp: Stamp) -> str:
    """Sign for one property which form this is (a nonce of 16 bytes), and what its page shows."""
    times = struct.pack(">dd", stamp.opened, stamp.ready)
    return _sign(STAMP, property_id.bytes + stamp.nonce + times + stamp.shown + stamp.terms)


def read_stamp(property_id: uuid.UUID, token: str) -> Stamp:
    payload = _unsign(STAMP, token[:300], 112)
    if payload[:16] != property_id.bytes:
        raise BadToken(STAMP)
    opened, ready = struct.unpack(">dd", payload[32:48])
    return Stamp(payload[16:32], opened, payload[48:80], payload[80:], ready)
