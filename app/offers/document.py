"""The canonical document of an offer: the exact bytes that are sealed, committed to and shown ever after.

RFC 8785 (JSON Canonicalization Scheme). Amounts are decimal strings. A random 32-byte salt inside the document, and so
under the offer's key, keeps the commitment from being guessed and blinds it when the key is destroyed.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from app.core.canonical_json import canonical
from app.core.money import Money
from app.offers.fields import BY_NAME, FIELDS, nested

SCHEMA_NO = 1


def schema_name(number: int) -> str:
    """How a document says which kind of document it is."""
    return f"bidflux.offer/{number}"


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
    """An offer as a bidder means it: read, checked, not yet sent. `said` holds what was read, by field."""

    bidder: Bidder
    said: Mapping[str, Any]
    signature: Signature | None = None

    @classmethod
    def of(cls, bidder: Bidder, signature: Signature | None = None, **said: Any) -> Draft:
        """From values by name; those left out were not said. `KeyError` for a name that no field has."""
        for name in said:
            BY_NAME[name]
        return cls(bidder, said, signature)

    @property
    def amount(self) -> Money:
        amount: Money = self.said["amount"]
        return amount

    @property
    def financing(self) -> str:
        return str(self.said["financing"])

    @property
    def payment_term_days(self) -> int:
        return int(self.said["payment_term_days"])

    @property
    def valid_until(self) -> date | None:
        return self.said.get("valid_until")

    @property
    def replaces(self) -> str | None:
        return self.said.get("replaces")

    def terms(self) -> dict[str, Any]:
        """What was offered, under the names of the API."""
        values = {**self.said, **self.bidder.shown}
        kept = {field.name: field.kept(values.get(field.name)) for field in FIELDS}
        shown = self.signature.shown if self.signature else None
        money = {"amount": kept["amount"], "currency": self.amount.currency}
        return {**money, **nested(kept), "signature": shown}


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
    return canonical({"schema": schema_name(SCHEMA_NO), **header, "offer": terms, "salt": salt.hex()})


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
    return " ".join(plain.translate(_HEARD).split())


class _Heard(dict[int, str | None]):
    """What is heard of each character, looked up once; no more of them than names are made of."""

    def __missing__(self, code: int) -> str | None:
        if len(self) >= MOST_CHARACTERS:
            self.clear()
        c = chr(code)
        category = unicodedata.category(c)
        self[code] = heard = None if category in _UNHEARD else " " if category[0] == "P" or c == "·" else c
        return heard


_HEARD, MOST_CHARACTERS = _Heard(), 5_000
_UNHEARD = {"Mn", "Me", "Cf", "Cc"}
