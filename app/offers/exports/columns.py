"""The columns of exported offers: the name for machines, the label for people, what kind of value, and the value."""

from __future__ import annotations

import enum
from datetime import date
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l

from app.core.money import decimal_text
from app.core.raw_rows import id_text
from app.offers.exports.reading import Exported, SentBidder, SentTerms


class Kind(enum.Enum):
    """What a value is. Money is decimal text, a percentage of 100, a moment aware; conditions are a list."""

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
    PROOF = "proof"
    PROGRAM = "program"
    CONDITIONS = "conditions"


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
    Column("advance_amount", _l("Advance"), Kind.MONEY),
    Column("advance_percent", _l("Advance, in percent"), Kind.PERCENT),
    Column("conditions", _l("Conditions"), Kind.CONDITIONS, 30),
    Column("conditions_text", _l("Other conditions"), Kind.TEXT, 30),
    Column("precontract_date", _l("Preferred date of the pre-contract"), Kind.DAY),
    Column("deed_date", _l("Preferred date of the deed"), Kind.DAY),
    Column("full_name", _l("Full name"), Kind.TEXT, 26),
    Column("email", _l("E-mail"), Kind.TEXT, 30),
    Column("phone", _l("Phone"), Kind.PHONE, 16),
    Column("company_name", _l("Company"), Kind.TEXT, 24),
    Column("tax_id", _l("Tax id (CUI)"), Kind.TEXT),
    Column("co_buyers", _l("Co-buyers"), Kind.TEXT, 26),
    Column("represented_by", _l("Represented by"), Kind.TEXT, 24),
    Column("message", _l("Message"), Kind.TEXT, 40),
    Column("signed", _l("Signed"), Kind.YES),
    Column("source", _l("Source"), Kind.SOURCE),
    Column("channel", _l("How it came"), Kind.CHANNEL, 18),
    Column("confirmed", _l("Confirmed"), Kind.YES),
    Column("confirmation", _l("Confirmed by"), Kind.PROOF, 22),
    Column("is_latest", _l("Latest"), Kind.YES),
    Column("withdrawn_at", _l("Withdrawn"), Kind.MOMENT, 18),
    Column("id", _l("Id"), Kind.CODE, 38),
)
_NOTHING = SentTerms(SentBidder())


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def values(line: Exported) -> list[Any]:
    """One offer, in the order of `COLUMNS`; None where there is nothing, as after a person has been forgotten."""
    ident, sent = line.id, line.sent
    terms = sent.offer if sent else _NOTHING
    bidder = terms.bidder
    amount, asking, source = line.amount_minor, line.asking_minor, line.source
    return [
        line.reference,
        line.submitted_at,
        line.status,
        line.property_title,
        line.external_id,
        decimal_text(amount),
        line.currency,
        decimal_text(asking) if asking else None,
        amount * 100 / asking if asking else None,
        line.financing,
        terms.own_funds_amount,
        terms.credit_amount,
        terms.credit_program,
        terms.credit_preapproved,
        line.term_days,
        terms.payment_term_note,
        line.valid_until,
        terms.advance_amount,
        float(terms.advance_percent) if terms.advance_percent else None,
        terms.conditions.kinds or None,
        terms.conditions.text,
        _day(terms.precontract_date),
        _day(terms.deed_date),
        bidder.full_name,
        bidder.email,
        bidder.phone,
        bidder.company_name,
        bidder.tax_id,
        "; ".join(terms.co_buyers) if terms.co_buyers else None,
        terms.represented_by,
        terms.message,
        line.signed,
        source,
        sent.channel if sent else None,
        None if source == "link" and line.proof is None else line.proof == "code",
        line.proof,
        line.latest,
        line.withdrawn_at,
        id_text(ident),
    ]
