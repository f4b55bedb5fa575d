"""Everything that was sent with an offer, as label and value in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from app.contacts import show_phone
from app.money import Money, from_decimal_text
from app.offer_document import Document
from app.presentation import days, label, show_date, show_money, show_percent


@dataclass(frozen=True, slots=True)
class Row:
    """`long` values are free text, which may hold line ends."""

    name: str
    label: str
    value: str
    long: bool = False


def offer_rows(document: Document, asking: Money | None) -> list[Row]:
    """The terms, in the order in which they were asked; what was left out has no row."""
    terms = document.terms
    return [
        row for row in (*_amount(terms, asking), *_time(terms), *_conditions(terms), *_signature(terms)) if row.value
    ]


def bidder_rows(document: Document) -> list[Row]:
    """Who offers: name, e-mail, phone, company, co-buyers, representative."""
    bidder, terms = document.bidder, document.terms
    company = bidder.company_name or ""
    if company and bidder.tax_id:
        company = f"{company} ({_('tax number')} {bidder.tax_id})"
    co_buyers = terms["co_buyers"]
    found = [
        Row("full_name", _("Full name"), bidder.full_name),
        Row("email", _("E-mail"), bidder.email),
        Row("phone", _("Phone"), show_phone(bidder.phone)),
        Row("company", _("Company"), company),
        Row("co_buyers", ngettext("Co-buyer", "Co-buyers", max(1, len(co_buyers))), ", ".join(co_buyers)),
        Row("represented_by", _("Represented by"), terms["represented_by"] or ""),
    ]
    return [row for row in found if row.value]


def amount_line(amount: Money, asking: Money | None) -> str:
    """`118.500 EUR (94,8% din prețul cerut de 125.000 EUR)`."""
    if not asking or asking.currency != amount.currency:
        return show_money(amount)
    percent = show_percent(amount.minor, asking.minor)
    compared = _("%(percent)s of the asking price of %(price)s", percent=percent, price=show_money(asking))
    return f"{show_money(amount)} ({compared})"


def _money(terms: dict[str, Any], name: str) -> str:
    text = terms[name]
    return show_money(Money(from_decimal_text(text), terms["currency"])) if text else ""


def _day(text: str | None) -> str:
    return show_date(date.fromisoformat(text)) if text else ""


def _amount(terms: dict[str, Any], asking: Money | None) -> Iterator[Row]:
    amount = Money(from_decimal_text(terms["amount"]), terms["currency"])
    yield Row("amount", _("Amount offered"), amount_line(amount, asking))
    yield Row("financing", _("Financing"), label("financing", terms["financing"]))
    yield Row("own_funds", _("Own funds"), _money(terms, "own_funds_amount"))
    yield Row("credit", _("Credit"), _money(terms, "credit_amount"))
    program = terms["credit_program"]
    yield Row("credit_program", _("Credit programme"), label("credit_program", program) if program else "")
    approved = terms["credit_preapproved"]
    if approved is not None:
        yield Row("credit_preapproved", _("Credit pre-approved"), _("Yes") if approved else _("No"))
    percent = terms["advance_percent"]
    yield Row("advance", _("Advance"), _money(terms, "advance_amount") or (f"{percent}%" if percent else ""))


def _time(terms: dict[str, Any]) -> Iterator[Row]:
    term = _("%(days)s from the pre-contract to full payment", days=days(terms["payment_term_days"]))
    yield Row("payment_term", _("Payment term"), term)
    yield Row("payment_term_note", _("Note on the payment term"), terms["payment_term_note"] or "", long=True)
    yield Row("valid_until", _("Valid until"), _day(terms["valid_until"]))
    yield Row("precontract_date", _("Preferred date of the pre-contract"), _day(terms["precontract_date"]))
    yield Row("deed_date", _("Preferred date of the deed"), _day(terms["deed_date"]))


def _conditions(terms: dict[str, Any]) -> Iterator[Row]:
    conditions = terms["conditions"]
    kinds = "; ".join(label("condition", kind) for kind in conditions["kinds"])
    yield Row("conditions", _("Conditions"), kinds)
    yield Row("conditions_text", _("Other conditions"), conditions["text"] or "", long=True)
    yield Row("message", _("Message"), terms["message"] or "", long=True)


def _signature(terms: dict[str, Any]) -> Iterator[Row]:
    signature = terms["signature"]
    if signature:
        typed = signature.get("text")
        kind = label("signature", signature["kind"])
        yield Row("signature", _("Signature"), f"{kind}: {typed}" if typed else kind)
