"""What the ledger says of an offer: one definition, for who writes the entries and for who checks them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec


class Submitted(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The data of `offer.submitted`: no personal text, and the commitment (hex) that pins all the rest.

    Ids are spelled as in RFC 9562. A field that came later has a default, which older entries mean by leaving it out.
    `channel` is how an offer reached the agent who recorded it, `origin` the `witness` of where it was sent from.
    """

    reference: str
    commitment: str
    property: str
    source: str
    previous: str | None
    amount_minor: int
    currency: str
    channel: str | None = None
    origin: str | None = None

    def data(self) -> dict[str, Any]:
        """As the ledger takes it."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    def differing(self, other: Submitted) -> list[str]:
        """The names of the fields in which two differ."""
        return [name for name in self.__struct_fields__ if getattr(self, name) != getattr(other, name)]


class _Body(msgspec.Struct):
    data: Submitted


_read = msgspec.json.Decoder(_Body).decode


def submitted(body: bytes) -> Submitted:
    """What an entry's body says; raises `ValueError` for one that is no submission."""
    return _read(body).data


def witness(sealed: bytes | None) -> str:
    """What an entry says of a sealed text that lies beside it: the SHA-256 of the bytes as they are kept, which tells
    nothing of the text; nothing where there is none. They never change, since only their key is ever wrapped anew."""
    return sha256(sealed).hexdigest() if sealed else ""


def differs(said: str | None, sealed: bytes | None) -> bool:
    """Whether a sealed text is another than an entry says. One of before this was written down says nothing of it."""
    return said is not None and said != witness(sealed)
