"""A person's copy of what an agency holds about them as a PDF: the same that the JSON says, in words, on pages."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from flask import g
from flask_babel import force_locale, ngettext
from flask_babel import gettext as _

from app.core.clock import from_rfc3339
from app.core.formats import show_datetime
from app.core.labels import STEPS, label
from app.offers.document import Document
from app.offers.fields import money_text
from app.offers.sections import sections, signature_row
from app.proof.pdf.sheet import MARGIN, SIZE, SMALL, WIDTH, Sheet, SheetBlock
from app.proof.receipts import lacking_letters

OFFERS = 20  # in one file: about a second's work


def parts_of(copy: dict[str, Any]) -> int:
    """How many files the copy takes."""
    return max(1, -(-len(copy["offers"]) // OFFERS))


def pdf_of(copy: dict[str, Any], email: str, language: str, zone: str, part: int | None = None) -> bytes:
    """`copy` as `personal_data.held_about` gives it, in that language and zone: all, or its `part`th file, from 1.

    A letter that no font has shows as a box with its number; the JSON has it as it was written.
    """
    offers = copy["offers"] if part is None else copy["offers"][(part - 1) * OFFERS : part * OFFERS]
    g.language, g.zone = language, zone
    with force_locale(language):
        controller = copy["controller"]
        made = from_rfc3339(copy["made_at"])
        sheet = Sheet(
            title=_("What %(agency)s holds about you", agency=controller["name"]),
            language=language,
            foot=_("Copy of your data · %(agency)s", agency=controller["name"]),
            page_word=_("page"),
            at=made,
        )
        sheet.line(controller["name"], SIZE, 4)
        sheet.line(_("What %(agency)s holds about you", agency=controller["name"]), 15, 7, bold=True, tag="H1")
        for name, value in _about(copy, email, show_datetime(made), part):
            sheet.row(name, value, MARGIN, WIDTH, SIZE)
        for offer in offers:
            _offer(sheet, offer)
        sheet.pdf.ln(4)
        sheet.column(
            [SheetBlock(_("What for, on what basis, for how long, and your rights"), text=copy["notice"][language])]
        )
        if sheet.lacking:
            sheet.line(lacking_letters(), SMALL, 4)
        return bytes(sheet.pdf.output())


def _about(copy: dict[str, Any], email: str, made: str, part: int | None) -> Iterator[tuple[str, str]]:
    controller, count = copy["controller"], len(copy["offers"])
    yield _("Asked by"), email
    yield _("Agency"), ", ".join(filter(None, (controller["name"], controller["email"], controller["phone"])))
    yield _("Made on"), made
    none = _("Nothing is held under this address.")
    yield _("Offers"), ngettext("%(num)d offer", "%(num)d offers", count) if count else none
    if part is not None and parts_of(copy) > 1:
        yield _("Part"), _("%(part)s of %(parts)s", part=part, parts=parts_of(copy))


def _offer(sheet: Sheet, copied: dict[str, Any]) -> None:
    offer, document = copied["offer"], Document(copied["as_sent"])
    sheet.pdf.ln(4)
    sheet.room_for(40)
    sheet.line(f"{offer['reference']} · {copied['property']}", 12, 6, bold=True)
    sheet.line(money_text(offer["amount"], offer["currency"]), 11, 6, bold=True)
    facts = [
        (_("Received"), _when(offer["submitted_at"])),
        (_("Source"), label("source", offer["source"])),
        (_("Status"), label("status", offer["status"])),
        (_("Fingerprint (SHA-256)"), copied["commitment_sha256"]),
    ]
    for name, value in facts:
        sheet.row(name, value, MARGIN, WIDTH, SIZE)
    for part in sections(document.terms, offer["asking_price_at_submission"]):
        sheet.column([SheetBlock(part.title, [(row.label, row.value) for row in part.rows])])
    sheet.column(block for block in _blocks(copied, document) if block.rows or block.image or block.text)
    kept = json.dumps(copied["as_sent"], ensure_ascii=False)
    sheet.block(SheetBlock(_("The document as it is kept"), text=kept), MARGIN, WIDTH, small=True)


def _blocks(copied: dict[str, Any], document: Document) -> Iterator[SheetBlock]:
    offer = copied["offer"]
    if signed := signature_row(document.terms, counts=not offer["signature_pending"]):
        yield SheetBlock(signed.label, [(_("Kind"), signed.value)], _picture(copied["signature_png"]))
    if confirmation := copied["confirmation"]:
        rows = [
            (_("Confirmed"), _when(confirmation["at"])),
            (_("Confirmed by"), label("proof", confirmation["proof"])),
            (_("Signature"), confirmation["signature_text"] or ""),
        ]
        yield SheetBlock(_("Confirmation"), [row for row in rows if row[1]], _picture(confirmation["signature_png"]))
    if origin := copied["sent_from"]:
        yield SheetBlock(_("Sent from"), [(_("Network address"), origin["address"]), (_("Browser"), origin["browser"])])
    yield SheetBlock(_("What happened"), [(_when(step["at"]), _step(step)) for step in copied["history"]])
    names = {
        "answer": _("The agency's answer to you"),
        "better_asked": _("A better offer was asked for"),
        "withdrawn": _("What you wrote when you withdrew"),
        "moved": _("Why an agent put the offer elsewhere in their order"),
    }
    written = [(f"{names[words['what']]}\n{_when(words['at'])}", words["text"]) for words in copied["written"]]
    yield SheetBlock(_("Written about the offer"), written)
    yield SheetBlock(_("Notes"), [(_when(note["at"]), note["text"]) for note in copied["notes"]])
    given = _receivers()
    yield SheetBlock(_("Given to others"), [(_when(to["at"]), given[to["to"]]) for to in copied["given_to"]])
    sent = _mails()
    mails = [
        (_when(mail["at"]), f"{sent.get(mail['what'], mail['what'])} · {label('delivery', mail['state'])}")
        for mail in copied["mails"]
    ]
    yield SheetBlock(_("Mails to you"), mails)


def _receivers() -> dict[str, str]:
    """Who outside the agency was given the offer, and how."""
    return {
        "crm_told": _("To the agency's CRM, by a call"),
        "crm_read": _("To the agency's CRM, which read it"),
        "crm_listed": _("To the agency's CRM, in a list that may have held it"),
        "seller": _("To the owner of the property, without your name"),
        "seller_names": _("To the owner of the property, with your name"),
    }


def _mails() -> dict[str, str]:
    """What each mail to a bidder is about, by its template."""
    return {
        "offer_bidder": _("Confirmation that the offer came in"),
        "offer_confirm": _("Request to confirm the offer"),
        "offer_code": _("Code that confirms the signature"),
        "replace_code": _("Code to replace the offer"),
        "offer_replaced": _("That another offer took its place"),
        "receipt_bidder": _("Receipt of the offer"),
        "withdrawn_bidder": _("Confirmation of the withdrawal"),
        "property_gone": _("News that the property is no longer available"),
        "decision_bidder": _("The agency's answer to you"),
        "offer_better": _("A better offer was asked for"),
    }


def _step(step: dict[str, Any]) -> str:
    words = str(STEPS.get(step["what"], step["what"]))
    if step["to"]:
        words = f"{words}: {label('status', step['to']).lower()}"
    return f"{words}\n{step['reason']}" if step["reason"] else words


def _when(moment: str) -> str:
    return show_datetime(from_rfc3339(moment))


def _picture(text: str | None) -> bytes | None:
    return base64.b64decode(text) if text else None
