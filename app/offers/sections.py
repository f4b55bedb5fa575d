"""An offer as a person reads it: titled sections of rows, the same on review, receipt, dashboard and in mails."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask_babel import gettext as _

from app.core.formats import show_percent
from app.core.labels import label
from app.core.money import from_decimal_text
from app.offers.fields import BY_NAME, FIELDS, TEXT, Group


class Row(NamedTuple):
    """`field` is the form field that changes it."""

    label: str
    value: str
    field: str

    @property
    def long(self) -> bool:
        """Free text, which may hold line ends."""
        field = BY_NAME.get(self.field)
        return "\n" in self.value or (field is not None and (field.long or field.kind is TEXT))


class Section(NamedTuple):
    title: str
    rows: list[Row]


def sections(terms: dict[str, Any], asking_price: str | None = None) -> list[Section]:
    """`terms` as in the document (`Draft.terms()`); rows that say nothing are left out."""
    offered, *more = _rows(terms, Group.OFFER)
    share = show_percent(from_decimal_text(terms["amount"]), from_decimal_text(asking_price)) if asking_price else ""
    found = [
        Section(_("About you"), _rows(terms, Group.BIDDER)),
        Section(_("The offer"), [offered, Row(_("Of the asking price"), share, ""), *more]),
        Section(_("Financing"), _rows(terms, Group.FINANCING)),
        Section(_("Terms"), _rows(terms, Group.TERMS) + _rows(terms, Group.MESSAGE)),
    ]
    kept = [Section(title, [row for row in rows if row.value]) for title, rows in found]
    return [section for section in kept if section.rows]


def _rows(terms: dict[str, Any], group: Group) -> list[Row]:
    """What a group of fields says, a field a row."""
    shown = [field for field in FIELDS if field.group is group and field.shown]
    return [Row(str(field.title), field.said(terms, terms["currency"]), field.name) for field in shown]


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
