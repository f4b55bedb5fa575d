"""Encrypts and decrypts personal data. Nothing else does.

AES-256-GCM (NIST SP 800-38D). A ciphertext is bound by its associated data to agency, table, column and row, so that
moved anywhere else it does not open. Format: one version byte, 12 bytes of nonce, ciphertext with a 16-byte tag.

Keys: `BIDFLUX_KEYS` (key-encryption keys, first active) wrap a random key per offer and four per agency.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
BLOCK = 512
TAG_BYTES = 16


class CannotOpen(Exception):
    """The ciphertext is not what this key sealed in this place."""


class KeyMissing(CannotOpen):
    """It is sealed under a key that is not among BIDFLUX_KEYS: nothing can be said of it here."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ciphertext lives. `row` is the row's key as text or UUID."""

    agency: uuid.UUID
    table: str
    column: str
    row: str | uuid.UUID

    def aad(self) -> bytes:
        row = self.row.hex if isinstance(self.row, uuid.UUID) else self.row
        return aad_of(self.agency, self.table, self.column) + row.encode()


def aad_of(agency: uuid.UUID, table: str, column: str) -> bytes:
    """What the associated data of every row of a column begins with; the row's own key follows."""
    return f"bidflux/1\0{agency.hex}\0{table}\0{column}\0".encode()


def seal(key: bytes, place: Place, plain: bytes, *, nonce: bytes | None = None) -> bytes:
    """Encrypt `plain` for its place. `nonce` is for known-answer tests only."""
    nonce = nonce or os.urandom(NONCE_BYTES)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, plain, place.aad())


def unseal(key: bytes, place: Place, sealed: bytes) -> bytes:
    """Decrypt what `seal` made for this place; raise `CannotOpen` for anything else."""
    if sealed[:1] != VERSION or len(sealed) < 1 + NONCE_BYTES + 16:
        raise CannotOpen(place.table)
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], place.aad())
    except InvalidTag:
        raise CannotOpen(place.table) from None


def pad(plain: bytes) -> bytes:
    """ISO/IEC 7816-4 padding to a multiple of 512 bytes: the length of a message tells little about it."""
    return plain + b"\x80" + bytes(-(len(plain) + 1) % BLOCK)


def unpad(padded: bytes) -> bytes:
    body = padded.rstrip(b"\0")
    if not body.endswith(b"\x80"):
        raise CannotOpen("padding")
    return body[:-1]


def blind(key: bytes, value: str) -> bytes:
    """The tag of a normalised value for exact search: HMAC-SHA256, first 16 bytes."""
    return hmac.digest(key, value.encode(), hashlib.sha256)[:TAG_BYTES]


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key as it is stored."""

    kek_id: str
    wrapped: bytes


Opener = Callable[[str, str, bytes, bytes], bytes]


class Keyring:
    """The key-encryption keys of this installation; the first wraps, all unwrap."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {self._id(key): key for key in keys}
        self.active = self._id(keys[0])

    @staticmethod
    def _id(key: bytes) -> str:
        return hashlib.sha256(b"bidflux key id\0" + key).hexdigest()[:12]

    @property
    def ids(self) -> list[str]:
        return list(self._keys)

    def new_key(self, place: Place) -> tuple[bytes, Wrapped]:
        """A fresh random key and its wrapped form for `place`."""
        key = os.urandom(KEY_BYTES)
        return key, self.wrap(key, place)

    def wrap(self, key: bytes, place: Place) -> Wrapped:
        return Wrapped(self.active, seal(self._keys[self.active], place, key))

    def unwrap(self, kek_id: str, wrapped: bytes, place: Place) -> bytes:
        if kek_id not in self._keys:
            raise KeyMissing(f"key {kek_id} is not among BIDFLUX_KEYS")
        return unseal(self._keys[kek_id], place, wrapped)

    def opener(self, agency: uuid.UUID, table: str, column: str) -> Opener:
        """For reading a column of many offers at once: a function of an offer's id in hex, its key's `kek_id` and
        `wrapped`, and the ciphertext. The same as `unwrap` and `unseal`, with what is the same for all rows done once.
        """
        wrapping = {kek_id: AESGCM(key).decrypt for kek_id, key in self._keys.items()}
        key_aad, own_aad = aad_of(agency, "offer_key", "wrapped"), aad_of(agency, table, column)
        start, body = len(VERSION), len(VERSION) + NONCE_BYTES

        def opened(row: str, kek_id: str, wrapped: bytes, sealed: bytes) -> bytes:
            own = row.encode()
            if not (wrapped.startswith(VERSION) and sealed.startswith(VERSION)):
                raise CannotOpen(table)
            unwrapped = wrapping.get(kek_id)
            if unwrapped is None:
                raise KeyMissing(f"key {kek_id} is not among BIDFLUX_KEYS")
            try:
                key = unwrapped(wrapped[start:body], wrapped[body:], key_aad + own)
                return AESGCM(key).decrypt(sealed[start:body], sealed[body:], own_aad + own)
            except (InvalidTag, ValueError):
                raise CannotOpen(table) from None

        return opened


def offer_key_place(agency: uuid.UUID, offer: uuid.UUID) -> Place:
    return Place(agency, "offer_key", "wrapped", offer)


def totp_place(account: uuid.UUID) -> Place:
    """Of a person, who is of no one agency."""
    return Place(uuid.UUID(int=0), "totp", "wrapped", account)


def agency_key_place(agency: uuid.UUID, purpose: str) -> Place:
    return Place(agency, "agency_key", "wrapped", purpose)
