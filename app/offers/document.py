"""The canonical document of an offer: the exact bytes that are sealed, committed to and shown ever after.

RFC 8785 (JSON Canonicalization Scheme). Amounts are decimal strings. A random 32-byte salt inside the document, and so
under the offer's key, keeps the commitment from being guessed and blinds it when the key is destroyed.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from app.core.canonical_json import canonical
from app.core.money import Money

SCHEMA_NO = 1
SCHEMA = "bidflux.offer/1"


@dataclass(frozen=True, slots=True)
class Bidder:
    full_name: str
    email: str | None
    phone: str
    type: str = "person"
    company_name: str | None = None
    tax_id: str | None = None

    @property
    def folded_name(self) -> str:
        return fold(self.full_name)

    @property
    def shown(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Signature:
    """A simple electronic signature: a drawn image (PNG, re-encoded by us) or the typed name."""

    kind: str
    text: str | None = None
    image: bytes | None = None

    @property
    def shown(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.image).hexdigest() if self.image else None
        return {"kind": self.kind, "text": self.text, "image_sha256": digest}


@dataclass(frozen=True, slots=True)
class Draft:
    """An offer as a bidder means it: read, checked, not yet sent."""

    bidder: Bidder
    amount: Money
    financing: str
    payment_term_days: int
    own_funds: Money | None = None
    credit: Money | None = None
    credit_program: str | None = None
    credit_preapproved: bool | None = None
    payment_term_note: str | None = None
    valid_until: date | None = None
    advance_amount: Money | None = None
    advance_percent: str | None = None
    conditions: tuple[str, ...] = ()
    conditions_text: str | None = None
    precontract_date: date | None = None
    deed_date: date | None = None
    co_buyers: tuple[str, ...] = ()
    represented_by: str | None = None
    message: str | None = None
    replaces: str | None = None
    signature: Signature | None = None

    def terms(self) -> dict[str, Any]:
        """What was offered, under the names of the API."""
        return {
            "amount": self.amount.text,
            "currency": self.amount.currency,
            "financing": self.financing,
            "own_funds_amount": self.own_funds.text if self.own_funds else None,
            "credit_amount": self.credit.text if self.credit else None,
            "credit_program": self.credit_program,
            "credit_preapproved": self.credit_preapproved,
            "payment_term_days": self.payment_term_days,
            "payment_term_note": self.payment_term_note,
            "valid_until": self.valid_until.isoformat() if self.valid_until else None,
            "advance_amount": self.advance_amount.text if self.advance_amount else None,
            "advance_percent": self.advance_percent,
            "conditions": {"kinds": sorted(self.conditions), "text": self.conditions_text},
            "precontract_date": self.precontract_date.isoformat() if self.precontract_date else None,
            "deed_date": self.deed_date.isoformat() if self.deed_date else None,
            "message": self.message,
            "bidder": self.bidder.shown,
            "co_buyers": list(self.co_buyers),
            "represented_by": self.represented_by,
            "signature": self.signature.shown if self.signature else None,
            "replaces": self.replaces,
        }


@dataclass(frozen=True, slots=True)
class Document:
    """An opened document. `body` is the parsed JSON."""

    body: dict[str, Any] = field(repr=False)

    @property
    def terms(self) -> dict[str, Any]:
        terms: dict[str, Any] = self.body["offer"]
        return terms

    @property
    def bidder(self) -> Bidder:
        return Bidder(**self.terms["bidder"])


def encode(header: dict[str, Any], terms: dict[str, Any], salt: bytes) -> bytes:
    """The canonical bytes."""
    return canonical({"schema": SCHEMA, **header, "offer": terms, "salt": salt.hex()})


def decode(text: bytes) -> Document:
    return Document(msgspec.json.decode(text))


def commitment(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


# Letters with a stroke, which no normalisation takes apart.
_STROKES = str.maketrans({**dict(zip("łđøðħŧı", "ldodhti", strict=True)), "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"})
_APOSTROPHES = str.maketrans(dict.fromkeys("'’‘ʼʻ`´′"))


def fold(text: str) -> str:
    """For searching names: no case, no diacritics, no apostrophes, a space for any other mark, single spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_APOSTROPHES)).translate(_STROKES)
    seen = (
        " " if unicodedata.category(c)[0] == "P" or c == "·" else c
        for c in plain
        if unicodedata.category(c) not in _UNHEARD
    )
    return " ".join("".join(seen).split())


_UNHEARD = {"Mn", "Me", "Cf", "Cc"}
