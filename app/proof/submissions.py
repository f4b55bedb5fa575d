"""Compares each offer with its entry in the ledger and with what is sealed of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Row, case, exists, func, select

from app.core import keys
from app.core.ledger import id_text, moment_text
from app.core.money import decimal_text
from app.core.raw_rows import hex_of, raw
from app.core.vault import CannotOpen, KeyMissing, unpad
from app.extensions import db
from app.models import Confirmation, EmailCode, LedgerEntry, Offer, OfferBody, OfferFile, OfferKey, OfferTag
from app.offers.document import Bidder, commitment, decode, schema_name
from app.offers.entry import Submitted, submitted
from app.offers.tags import tagger

Opener = Callable[[str, str, bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Means:
    """What offers of one agency are compared with: what opens them, what makes their blind indexes, and the texts
    (SHA-256 in hex) that are as they were when they were shown."""

    body: Opener
    name: Opener
    tags: Callable[[Bidder], dict[str, bytes]]
    texts: Container[str]

    @classmethod
    def of(cls, agency_id: uuid.UUID, texts: Container[str]) -> Means:
        ring = keys.keyring()
        openers = ring.opener(agency_id, "offer_body", "body"), ring.opener(agency_id, "offer_key", "name")
        return cls(*openers, tagger(agency_id), texts)


KIND = "offer.submitted"
LOCKED = "its body cannot be opened here"  # which is no fault of the offer


def offers_and_entries(agency_id: uuid.UUID, offer_id: uuid.UUID | None = None) -> Any:
    """Offers of an agency, or one of them, with what is sealed of them and their entry in the ledger, in the order in
    which `compare` takes them; ids and moments as the driver gives them."""
    entry, tags = LedgerEntry, _tags(agency_id, offer_id)
    return (
        select(
            raw(Offer.id), Offer.reference, raw(Offer.agency_id), raw(Offer.property_id), raw(Offer.submitted_at),
            Offer.source, Offer.language, Offer.link_version, Offer.amount_minor, Offer.currency, Offer.financing,
            Offer.term_days, raw(Offer.valid_until), Offer.signed, Offer.asking_minor, raw(Offer.previous_id),
            Offer.commitment, Offer.schema_no, OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped, OfferKey.name_ct,
            tags.c.email, tags.c.phone, tags.c.n, entry.body, raw(entry.at),
            OfferFile.sha256, exists().where(EmailCode.offer_id == Offer.id),
            exists().where(Confirmation.offer_id == Offer.id, Confirmation.at == Offer.submitted_at),
        )
        .join(OfferBody, OfferBody.offer_id == Offer.id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == Offer.id, isouter=True)
        .join(OfferFile, (OfferFile.offer_id == Offer.id) & (OfferFile.kind == "signature"), isouter=True)
        .join(tags, tags.c.offer_id == Offer.id, isouter=True)
        .join(
            entry,
            (entry.agency_id == Offer.agency_id) & (entry.object_id == Offer.id) & (entry.kind == KIND),
            isouter=True,
        )
        .where(Offer.agency_id == agency_id, *([Offer.id == offer_id] if offer_id else []))
    )  # fmt: skip


def _tags(agency_id: uuid.UUID, offer_id: uuid.UUID | None) -> Any:
    """Gathered once: sought for each offer, SQLite goes through all tags of its agency. Of one offer its own alone:
    whoever holds a receipt asks for that, as often as they like."""
    kinds = (func.max(case((OfferTag.field == kind, OfferTag.tag))).label(kind) for kind in ("email", "phone"))
    mine = [OfferTag.agency_id == agency_id, *([OfferTag.offer_id == offer_id] if offer_id else [])]
    return (
        select(OfferTag.offer_id, *kinds, func.count().label("n")).where(*mine).group_by(OfferTag.offer_id).subquery()
    )


def compare(row: Sequence[Any], means: Means) -> list[str]:
    """What is wrong with an offer; empty when all that is held of it says the same."""
    try:
        return list(_differences(row, means))
    except (TypeError, ValueError, KeyError, AttributeError) as fault:
        return [f"a column holds what it never can ({type(fault).__name__})"]


def _differences(row: Sequence[Any], means: Means) -> Iterator[str]:
    # Taken apart at once: asking a row for each of its columns by name would take a tenth of the whole time.
    (
        offer_id, reference, agency, prop, submitted_at, source, language, link_version, amount_minor, currency,
        financing, term_days, valid_until, signed, asking_minor, previous, digest, schema_no, body_ct, kek_id, wrapped,
        name_ct, email_tag, phone_tag, tagged, entry, at, image, coded, answered,
    ) = row  # fmt: skip
    prop, previous, moment = id_text(prop), id_text(previous) if previous else None, moment_text(submitted_at)
    body, why = _body(offer_id, digest, body_ct, kek_id, wrapped, means.body)
    if why:
        yield why
    yield from _against_entry(
        Submitted(reference, digest.hex(), prop, source, previous, amount_minor, currency), body, entry
    )
    if entry is not None and at != submitted_at:
        yield "submitted_at is not the moment of its entry in the ledger"
    if kek_id is None and tagged:
        yield "it is found by an address or phone, and its bidder was forgotten"
    if body is None:
        return
    terms, sent = body["offer"], body["property"]
    signature = terms["signature"]
    told = (
        body["id"], body["agency_id"], body["reference"], sent["id"], body["submitted_at"], body["source"],
        body["language"], body["link_version"], terms["amount"], terms["currency"], terms["financing"],
        terms["payment_term_days"], terms["valid_until"], signature is not None, sent["asking_price"],
        body["previous_offer_id"], signature["image_sha256"] if signature else None, body["schema"],
    )  # fmt: skip
    held = (
        id_text(offer_id), id_text(agency), reference, prop, moment, source, language, link_version,
        decimal_text(amount_minor), currency, financing, term_days, str(valid_until) if valid_until else None,
        signed, decimal_text(asking_minor) if asking_minor else None, previous,
        image.hex() if image else None, schema_name(schema_no),
    )  # fmt: skip
    if told != held:
        differ = (name for name, one, other in zip(_TOLD, told, held, strict=True) if one != other)
        yield f"{', '.join(differ)} differs from what was sent"
    if source == "link" and not answered and _coded(body) not in {None, bool(coded)}:
        yield "whether its signature takes a code is not what was sent"
    yield from _against_person(
        Bidder(**terms["bidder"]), means, (hex_of(offer_id), kek_id, wrapped, name_ct), (email_tag, phone_tag, tagged)
    )
    if not all(version in means.texts for version in body["texts"].values()):
        yield "a text that its bidder was shown is not kept as it was"


def _against_person(bidder: Bidder, means: Means, name: Any, tags: tuple[Any, Any, Any]) -> Iterator[str]:
    """By what an offer is found: its bidder's name, and the blind indexes of address and phone, which `tags` ends by
    counting: one more would be found too."""
    try:
        if means.name(*name) != bidder.folded_name.encode():
            yield "the name that it is found by is not its bidder's"
    except CannotOpen:
        yield "the name that it is found by does not open"
    try:
        due = means.tags(bidder)
    except KeyMissing:
        return
    if tags != (due.get("email"), due.get("phone"), len(due)):
        yield "the address or phone that it is found by is not its bidder's"


def _coded(body: dict[str, Any]) -> bool | None:
    """Whether a code went out for the signature: where one was given and its property asked for that. None in documents
    of before they said so."""
    asks: bool | None = body["property"].get("code_required")
    return asks and body["offer"]["signature"] is not None


_TOLD = (
    "id", "agency", "reference", "property_id", "submitted_at", "source", "language", "link_version", "amount",
    "currency", "financing", "term_days", "valid_until", "signed", "asking", "previous", "signature", "schema_no",
)  # fmt: skip


def _body(
    offer_id: Any, digest: bytes, body_ct: Any, kek_id: str | None, wrapped: Any, opened: Opener
) -> tuple[dict[str, Any] | None, str | None]:
    """The document, or why it is missing. Neither where the person was forgotten; the commitment stays."""
    if body_ct is None:
        return None, "its body is gone"
    if kek_id is None:
        return None, None
    try:
        canonical = unpad(opened(hex_of(offer_id), kek_id, wrapped, body_ct))
    except KeyMissing as missing:
        return None, f"{LOCKED}: {missing}"
    except CannotOpen:
        return None, "its body does not open"
    if commitment(canonical) != digest:
        return None, "its body is not what was committed to"
    return decode(canonical).body, None


def _against_entry(held: Submitted, body: dict[str, Any] | None, entry: Any) -> Iterator[str]:
    if not isinstance(entry, bytes):
        yield "not in the ledger"
        return
    try:
        told = submitted(entry)
    except ValueError:
        yield "its entry in the ledger is not one"
        return
    # How an offer came in stands in the document and in the entry, in no column.
    channel = body.get("channel") if body else told.channel
    held = replace(held, channel=channel, origin=told.origin)  # what lies beside it is compared for itself
    if held != told:
        names = ", ".join(held.differing(told))
        yield f"{names}: its entry in the ledger says otherwise"


def missing_offers(agency_id: uuid.UUID) -> Iterator[str]:
    """Entries of offers that are not there, and offers that the ledger has more than once."""
    sent = (LedgerEntry.agency_id == agency_id, LedgerEntry.kind == KIND)
    there = exists().where(Offer.id == LedgerEntry.object_id, Offer.agency_id == agency_id)
    query = select(LedgerEntry.seq, LedgerEntry.object_id).where(*sent, ~there).order_by(LedgerEntry.seq)
    for row in db.session.execute(query):
        yield f"offer {row.object_id}: in the ledger (entry {row.seq}), not in the database"
    often = select(LedgerEntry.object_id, func.count().label("n")).where(*sent).group_by(LedgerEntry.object_id)
    for twice in _rows(often.having(func.count() > 1)):
        yield f"offer {twice.object_id}: {twice.n} times in the ledger"


def _rows(query: Any) -> Sequence[Row[Any]]:
    return db.session.execute(query).all()
