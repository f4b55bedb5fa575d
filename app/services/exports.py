"""Taking offers out: the file, and the record of who took what.

The file is made for Excel with Romanian regional settings, which is what agencies here open it with: UTF-8 with a byte
order mark, semicolons, decimal commas, ISO dates. (`sep=` would break the byte order mark and every other reader; a
comma as separator lands in one column, and a decimal point is read there as a thousands separator.)
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import insert

from app.access import Person
from app.ids import new_id
from app.models import Access
from app.money import from_decimal_text
from app.presentation import label
from app.queries.offer_filter import OfferFilter
from app.queries.offer_list import OfferLine, count_offers
from app.writing import writing

BOM = "\ufeff"
# What Excel takes for a formula, at the start of a cell or after anything that another setting takes for a separator.
_FORMULA = re.compile(r"(^|[;,\t\r\n])(\s*)(?=[=+\-@\t\r])")


def record_export(chosen: OfferFilter, *, by: Person) -> int:
    """Write down that `by` takes out the offers of a filter; return how many they are."""
    count = count_offers(by, chosen)
    with writing(by.agency_id) as tx:
        tx.record("offers.exported", None, by.actor, {"rows": count, "filter": chosen.recordable()})
        row = {"id": new_id(), "agency_id": tx.agency_id, "user_id": by.user.id, "kind": "exported", "at": tx.at}
        tx.connection.execute(insert(Access), row)
    return count


def harmless(text: str) -> str:
    """A cell that no spreadsheet computes."""
    return _FORMULA.sub(r"\1\2'", text.replace("\x00", ""))


def offers_csv(lines: Iterable[OfferLine], zone: str) -> Iterator[str]:
    """The file, a row at a time."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    yield BOM
    for row in _rows(lines, ZoneInfo(zone)):
        writer.writerow([harmless(cell) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _rows(lines: Iterable[OfferLine], zone: ZoneInfo) -> Iterator[list[str]]:
    yield [
        _("Reference"), _("Submitted"), _("Time zone"), _("Status"), _("Property"), _("CRM id"), _("Amount"),
        _("Currency"), _("Asking price"), _("% of asking price"), _("Financing"), _("Own funds"), _("Credit"),
        _("Payment term, in days"), _("Valid until"), _("Full name"), _("E-mail"), _("Phone"), _("Company"),
        _("Tax id (CUI)"), _("Signed"), _("Source"), _("Latest"), _("Withdrawn"),
    ]  # fmt: skip
    for line in lines:
        yield _row(line, zone)


def _row(line: OfferLine, zone: ZoneInfo) -> list[str]:
    asking = line.asking_minor
    bidder = line.document.bidder if line.document else None
    terms = line.document.terms if line.document else {}
    return [
        line.reference,
        line.submitted_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        zone.key,
        label("status", line.status),
        line.property_title,
        line.external_id or "",
        _decimal(line.amount.minor),
        line.amount.currency,
        _decimal(asking),
        f"{line.amount.minor * 100 / asking:.1f}".replace(".", ",") if asking else "",
        label("financing_short", line.financing),
        _decimal_text(terms.get("own_funds_amount")),
        _decimal_text(terms.get("credit_amount")),
        str(line.term_days),
        line.valid_until.isoformat() if line.valid_until else "",
        bidder.full_name if bidder else "",
        bidder.email if bidder else "",
        bidder.phone if bidder else "",
        (bidder.company_name or "") if bidder else "",
        (bidder.tax_id or "") if bidder else "",
        _yes(line.signed),
        label("source", line.source),
        _yes(line.latest),
        _yes(line.withdrawn_at is not None),
    ]


def _yes(value: bool) -> str:
    return str(_("Yes") if value else _("No"))


def _decimal(minor: int | None) -> str:
    return "" if minor is None else f"{minor // 100},{minor % 100:02d}"


def _decimal_text(text: str | None) -> str:
    return _decimal(from_decimal_text(text)) if text else ""
