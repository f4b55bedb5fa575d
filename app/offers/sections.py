"""An offer as a person reads it: titled sections of rows, the same on review, receipt, dashboard and in mails."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from app.core.contacts import show_phone
from app.core.formats import percent_text, show_date, show_money, show_percent
from app.core.labels import label
from app.core.money import Money, from_decimal_text


class Row(NamedTuple):
    """`field` is the form field that changes it."""

    label: str
    value: str
    field: str

    @property
    def long(self) -> bool:
        """Free text, which may hold line ends."""
        return self.field in {"message", "conditions_text", "payment_term_note"} or "\n" in self.value


class Section(NamedTuple):
    title: str
    rows: list[Row]


def sections(terms: dict[str, Any], asking_price: str | None = None) -> list[Section]:
    """`terms` as in the document (`Draft.terms()`); rows that say nothing are left out."""
    found = [
        Section(_("About you"), _bidder(terms)),
        Section(_("The offer"), _amount(terms, asking_price)),
        Section(_("Financing"), _financing(terms)),
        Section(_("Terms"), _terms(terms)),
    ]
    kept = [Section(title, [row for row in rows if row.value]) for title, rows in found]
    return [section for section in kept if section.rows]


def signature_row(terms: dict[str, Any], *, counts: bool) -> Row | None:
    """How it was signed, where the signature itself cannot be shown; and that it does not count, while that is so."""
    signature = terms["signature"]
    if signature is None:
        return None
    kind = label("signature", signature["kind"])
    how = f"{kind}: {signature['text']}" if signature["text"] else kind
    if not counts:
        missing = _("not signed yet: the code sent to the client's e-mail address was not entered")
        how = f"{how} – {missing}"
    return Row(_("Signature"), how, "signature")


def money_text(text: str | None, currency: str) -> str:
    """A decimal string of the document, shown in full; empty for None."""
    return show_money(Money(from_decimal_text(text), currency)) if text else ""


def _day(text: str | None) -> str:
    return show_date(date.fromisoformat(text)) if text else ""


def _bidder(terms: dict[str, Any]) -> list[Row]:
    bidder = terms["bidder"]
    company = bidder["type"] == "company"
    return [
        Row(_("Full name"), bidder["full_name"], "full_name"),
        Row(_("E-mail"), bidder["email"], "email"),
        Row(_("Phone"), show_phone(bidder["phone"]), "phone"),
        Row(_("Company"), bidder["company_name"] or "" if company else "", "company_name"),
        Row(_("Tax id (CUI)"), bidder["tax_id"] or "" if company else "", "tax_id"),
        Row(_("Co-buyers"), ", ".join(terms["co_buyers"]), "co_buyers"),
        Row(_("Represented by"), terms["represented_by"] or "", "represented_by"),
    ]


def _amount(terms: dict[str, Any], asking_price: str | None) -> list[Row]:
    amount, currency = terms["amount"], terms["currency"]
    share = ""
    if asking_price:
        share = show_percent(from_decimal_text(amount), from_decimal_text(asking_price))
    return [
        Row(_("Amount offered"), money_text(amount, currency), "amount"),
        Row(_("Of the asking price"), share, ""),
        Row(_("Replaces the offer"), terms.get("replaces") or "", "replaces"),
    ]


def _financing(terms: dict[str, Any]) -> list[Row]:
    currency, approved = terms["currency"], terms["credit_preapproved"]
    program = terms["credit_program"]
    return [
        Row(_("Type of financing"), label("financing", terms["financing"]), "financing"),
        Row(_("Own funds"), money_text(terms["own_funds_amount"], currency), "own_funds_amount"),
        Row(_("Credit"), money_text(terms["credit_amount"], currency), "credit_amount"),
        Row(_("Credit programme"), label("credit_program", program) if program else "", "credit_program"),
        Row(
            _("Credit pre-approved"),
            "" if approved is None else _("Yes") if approved else _("No"),
            "credit_preapproved",
        ),
    ]


def _terms(terms: dict[str, Any]) -> list[Row]:
    days = terms["payment_term_days"]
    conditions = [label("condition", kind) for kind in terms["conditions"]["kinds"]]
    advance = money_text(terms["advance_amount"], terms["currency"])
    if not advance and terms["advance_percent"]:
        advance = percent_text(terms["advance_percent"])
    return [
        Row(_("Payment term"), ngettext("%(num)d day", "%(num)d days", days), "payment_term_days"),
        Row(_("Note on the payment term"), terms["payment_term_note"] or "", "payment_term_note"),
        Row(_("Valid until"), _day(terms["valid_until"]), "valid_until"),
        Row(_("Advance"), advance, "advance_amount"),
        Row(_("Conditions"), "\n".join(conditions), "conditions"),
        Row(_("Other conditions"), terms["conditions"]["text"] or "", "conditions_text"),
        Row(_("Preferred date of the pre-contract"), _day(terms["precontract_date"]), "precontract_date"),
        Row(_("Preferred date of the deed"), _day(terms["deed_date"]), "deed_date"),
        Row(_("Message"), terms["message"] or "", "message"),
    ]
