"""The columns of exported offers: the name for machines, the label for people, what kind of value, and the value."""

from __future__ import annotations

import enum
from datetime import date
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l

from app.money import from_decimal_text
from app.queries.offer_list import OfferLine


class Kind(enum.Enum):
    """What a value is. Money is minor units, a percentage of 100, a moment aware."""

    TEXT = "text"
    PHONE = "phone"
    CODE = "code"
    MONEY = "money"
    PERCENT = "percent"
    COUNT = "count"
    MOMENT = "moment"
    DAY = "day"
    YES = "yes"
    STATUS = "status"
    FINANCING = "financing"
    SOURCE = "source"
    CHANNEL = "channel"
    PROGRAM = "program"


class Column(NamedTuple):
    """`width` in characters, for workbooks."""

    name: str
    label: Any
    kind: Kind
    width: int = 14


COLUMNS = (
    Column("reference", _l("Reference"), Kind.CODE),
    Column("submitted_at", _l("Submitted"), Kind.MOMENT, 18),
    Column("status", _l("Status"), Kind.STATUS),
    Column("property_title", _l("Property"), Kind.TEXT, 36),
    Column("property_external_id", _l("CRM id"), Kind.TEXT),
    Column("amount", _l("Amount"), Kind.MONEY),
    Column("currency", _l("Currency"), Kind.CODE, 9),
    Column("asking_price_at_submission", _l("Asking price"), Kind.MONEY),
    Column("percent_of_asking_price", _l("% of asking price"), Kind.PERCENT),
    Column("financing", _l("Financing"), Kind.FINANCING),
    Column("own_funds_amount", _l("Own funds"), Kind.MONEY),
    Column("credit_amount", _l("Credit"), Kind.MONEY),
    Column("credit_program", _l("Credit programme"), Kind.PROGRAM),
    Column("credit_preapproved", _l("Credit pre-approved"), Kind.YES),
    Column("payment_term_days", _l("Payment term, in days"), Kind.COUNT),
    Column("payment_term_note", _l("Note on the payment term"), Kind.TEXT, 24),
    Column("valid_until", _l("Valid until"), Kind.DAY),
    Column("full_name", _l("Full name"), Kind.TEXT, 26),
    Column("email", _l("E-mail"), Kind.TEXT, 30),
    Column("phone", _l("Phone"), Kind.PHONE, 16),
    Column("company_name", _l("Company"), Kind.TEXT, 24),
    Column("tax_id", _l("Tax id (CUI)"), Kind.TEXT),
    Column("message", _l("Message"), Kind.TEXT, 40),
    Column("signed", _l("Signed"), Kind.YES),
    Column("source", _l("Source"), Kind.SOURCE),
    Column("channel", _l("How it came"), Kind.CHANNEL, 18),
    Column("confirmed", _l("Confirmed"), Kind.YES),
    Column("is_latest", _l("Latest"), Kind.YES),
    Column("withdrawn_at", _l("Withdrawn"), Kind.MOMENT, 18),
    Column("id", _l("Id"), Kind.CODE, 38),
)
_NOBODY: dict[str, Any] = {}


def values(line: OfferLine) -> tuple[Any, ...]:
    """One offer, in the order of `COLUMNS`; None where there is nothing, as after a person has been forgotten."""
    terms = line.document.terms if line.document else _NOBODY
    bidder = terms.get("bidder", _NOBODY)
    asking, own, credit = line.asking_minor, terms.get("own_funds_amount"), terms.get("credit_amount")
    until: date | None = line.valid_until
    return (
        line.reference,
        line.submitted_at,
        line.status,
        line.property_title,
        line.external_id,
        line.amount.minor,
        line.amount.currency,
        asking,
        line.amount.minor * 100 / asking if asking else None,
        line.financing,
        from_decimal_text(own) if own else None,
        from_decimal_text(credit) if credit else None,
        terms.get("credit_program"),
        terms.get("credit_preapproved"),
        line.term_days,
        terms.get("payment_term_note"),
        until,
        bidder.get("full_name"),
        bidder.get("email"),
        bidder.get("phone"),
        bidder.get("company_name"),
        bidder.get("tax_id"),
        terms.get("message"),
        line.signed,
        line.source,
        line.document.body.get("channel") if line.document else None,
        None if line.source == "link" else not line.unconfirmed,
        line.latest,
        line.withdrawn_at,
        line.id,
    )
