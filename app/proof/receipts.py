"""Receipts: made once by a worker, kept sealed beside the offer, owed to the bidder as a mail of their own."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime, timedelta

from flask import current_app, g
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import delete, select

from app.core import keys
from app.core.clock import now
from app.core.errors import Conflict
from app.core.formats import show_datetime, signature_worth
from app.core.language import LANGUAGES
from app.core.ledger import SYSTEM
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.core.urls import base_url
from app.core.vault import Place, seal
from app.delivery.composing import NoLongerOwed
from app.delivery.registry import Receipts
from app.extensions import db
from app.models import Offer, OfferFile, OfferKey
from app.offers.fields import money_text
from app.offers.sections import sections, signature_row
from app.proof import receipt_reading as reading
from app.proof.authority import Authority
from app.proof.pdf.receipt import ReceiptContent, draw
from app.proof.pdf.sheet import SheetBlock
from app.proof.receipt_reading import BY_PAGE, RECEIPT_KEPT, RECEIPT_MAIL, ReceiptFacts
from app.proof.sealing import seal_pdf

LATER = timedelta(seconds=10)  # the mails that somebody waits for go first


def authority() -> Authority:
    found: Authority = current_app.extensions["bidflux_authority"]
    return found


def to_registry() -> Receipts:
    """How deliveries make receipts, and what those wait for."""
    return Receipts(make, after=reading.CONFIRMS, only_made=RECEIPT_KEPT)


def owe(tx: UnitOfWork, offer_id: uuid.UUID, *, mailed: bool = True) -> None:
    """Owe the bidder a receipt. One that is not `mailed` is only made, as all are in a test agency."""
    template = RECEIPT_MAIL if mailed and tx.sends_mail else RECEIPT_KEPT
    tx.owe("receipt", template, about("offer", offer_id), offer_id=offer_id, after=LATER)


def ask(offer: Offer) -> None:
    """Have a receipt made for an offer that has none, without a mail. Raises `Conflict` once it is forgotten."""
    agency_id, offer_id = offer.agency_id, offer.id
    with writing(agency_id) as tx:
        state = reading.state_of(agency_id, offer_id)
        if state == "erased":
            raise Conflict(_("The person has been forgotten: what they sent can no longer be read."))
        if state == "none":
            tx.owe("receipt", RECEIPT_KEPT, about("offer", offer_id), offer_id=offer_id)


def make(agency_id: uuid.UUID, offer_id: uuid.UUID) -> bytes:
    """The sealed receipt, the same bytes every time; made now unless there is one. Raises `NoLongerOwed`
    once its person is forgotten.

    One recorded by somebody else is made anew once its bidder has confirmed it.
    """
    facts = reading.facts_of(agency_id, offer_id)
    if facts is None:
        raise NoLongerOwed("erased")
    if reading.is_current(agency_id, offer_id, facts.opened.confirmed_at):
        stored = reading.stored(agency_id, offer_id)
        if stored:
            return stored
    identity = authority().seal()
    offer = facts.opened.offer.offer
    g.language, g.zone = offer.language, facts.opened.prop.agency.zone
    with force_locale(offer.language):
        paper = paper_of(facts)
    db.session.rollback()  # no transaction stays open over what takes long
    pdf = seal_pdf(draw(paper), identity)
    with writing(agency_id) as tx:
        if reading.is_current(agency_id, offer_id, facts.opened.confirmed_at):
            pdf = reading.stored(agency_id, offer_id) or pdf  # somebody was faster
        else:
            _keep(tx, offer_id, pdf, identity.fingerprint)
    return pdf


def _keep(tx: UnitOfWork, offer_id: uuid.UUID, pdf: bytes, seal_name: str) -> None:
    """Under the lock, which an erasure takes too: no receipt outlives the key of its offer."""
    alive = select(OfferKey.offer_id).where(OfferKey.agency_id == tx.agency_id, OfferKey.offer_id == offer_id)
    key = keys.offer_key(tx.agency_id, offer_id)
    if tx.connection.scalar(alive) is None or key is None:
        raise NoLongerOwed("erased")
    tx.connection.execute(
        delete(OfferFile).where(
            OfferFile.agency_id == tx.agency_id, OfferFile.offer_id == offer_id, OfferFile.kind == "receipt"
        )
    )
    digest = hashlib.sha256(pdf).digest()
    body_ct = seal(key, Place(tx.agency_id, "offer_file", "receipt", offer_id), pdf)
    tx.add(OfferFile, offer_id=offer_id, kind="receipt", mime="application/pdf", sha256=digest, body_ct=body_ct)
    tx.record("receipt.sealed", offer_id, SYSTEM, {"sha256": digest.hex(), "seal": seal_name})


def check_url(reference: str, commitment: str) -> str:
    """Where a receipt is checked: what its QR code opens."""
    return f"{base_url()}/verify?offer={reference}&hash={commitment}"


def paper_of(facts: ReceiptFacts) -> ReceiptContent:
    """The words of a receipt, in the language of the request for it."""
    opened, entry, document = facts.opened, facts.entry, facts.document
    offer = opened.offer.offer
    you, *terms = sections(document.terms, document.body["property"]["asking_price"])
    prop, agency = document.body["property"], opened.prop.agency
    about = [
        (_("Property"), prop["title"]),
        (_("Asking price"), money_text(prop["asking_price"], offer.currency)),
        (_("Received"), f"{show_datetime(offer.submitted_at)} · {offer.submitted_at:%Y-%m-%d %H:%M:%S} UTC"),
        (_("Sent to"), f"{agency.name}, {agency.email}"),
    ]
    left = [SheetBlock(part.title, [(row.label, row.value) for row in part.rows]) for part in terms]
    right = [SheetBlock(you.title, [(row.label, row.value) for row in you.rows])]
    if signed := signature_row(document.terms, counts=opened.offer.state.signed):
        right.append(SheetBlock(signed.label, [(_("Kind"), signed.value)], facts.signature, signature_worth()))
    right.append(SheetBlock(_("What happened"), [(show_datetime(at), _step(kind)) for at, kind in facts.steps]))
    right.append(SheetBlock(_("How the offer came in"), text=_origin(facts)))
    return ReceiptContent(
        language=offer.language,
        title=_("Receipt of the offer %(reference)s", reference=offer.reference),
        lead=agency.name,
        amount=money_text(document.terms["amount"], offer.currency),
        about=[(name, value) for name, value in about if value],
        left=left,
        right=right,
        proof=_proof(facts),
        foot=_("%(reference)s · sealed by BidFlux for %(agency)s", reference=offer.reference, agency=agency.name),
        page_word=_("page"),
        check_url=check_url(offer.reference, offer.commitment.hex()),
        check_hint=_("Check this receipt: scan, or open %(address)s", address=f"{base_url()}/verify"),
        lacking=lacking_letters(),
        at=now(),
        files={
            "offer.json": facts.text,
            "ledger.json": json.dumps(
                {"previous": entry.previous.hex(), "body": entry.body.decode(), "hash": entry.hash.hex()}
            ).encode(),
        },
    )


def lacking_letters() -> str:
    """What stands at the end of a paper on which a letter could not be drawn."""
    return str(
        _(
            "A letter that no font here can draw is shown as a box with its Unicode number; the data that come with"
            " this paper hold it as it was written."
        )
    )


def _proof(facts: ReceiptFacts) -> list[SheetBlock]:
    """The small print: what binds this paper to the agency's register, and the texts that were shown."""
    offer, entry = facts.opened.offer.offer, facts.entry
    rows = [
        (_("Fingerprint (SHA-256)"), offer.commitment.hex()),
        (_("Number in the register"), str(entry.seq)),
        (_("Head of the register"), entry.hash.hex()),
    ]
    what = _(
        "The attached offer.json is the offer exactly as it was kept; its SHA-256 is the fingerprint. The entries of"
        " the register are chained by hashes, so none can be changed or left out unseen. Any change to this file breaks"
        " its seal."
    )
    contract = _("Accepting an offer is not a contract: in Romania a property is sold only before a notary.")
    blocks = [SheetBlock(_("Proof"), rows, text=f"{what} {contract}")]
    names = {"notice": _("Privacy notice, read by the sender"), "rules": _("Rules of the offer, shown before sending")}
    for kind, (digest, body) in facts.texts.items():
        close = "\n".join(line for line in body.splitlines() if line.strip())  # without the empty lines
        blocks.append(SheetBlock(names.get(kind, kind), [("SHA-256", digest)], text=close))
    return blocks


def _step(kind: str) -> str:
    words = {
        "offer.submitted": _("The offer was received and entered in the register"),
        "offer.confirmed.code": _("The client confirmed, with the code from their mailbox, that the offer is theirs"),
        "offer.confirmed.held_link": _("It was confirmed through a link that the agency held"),
        "offer.replaced.code": _("It took the place of an earlier offer, by a code sent to the address of that offer"),
        "offer.replaced.mailed_link": _("It took the place of an earlier offer, by a link mailed to its address alone"),
        "offer.replaced.private_page": _("It took the place of an earlier offer, from that offer's private page"),
        "offer.replaced.held_link": _("It took the place of an earlier offer, by a link that the agency held"),
        BY_PAGE: _(
            "The client confirmed their signature on their private page, whose link is sent to their address alone"
        ),
        "offer.code_confirmed": _("The code sent to the client's e-mail address was entered"),
        "mail.offer_agent": _("The agent's mail server took the notice of it"),
        "mail.offer_bidder": _("The client's mail server took the confirmation"),
        "mail.offer_confirm": _("The client's mail server took the request to confirm it"),
    }
    return str(words.get(kind, kind))


def _confirmed(facts: ReceiptFacts) -> str:
    """Whose word it is that the offer is the client's."""
    confirmed = facts.opened.confirmed
    if confirmed is None:
        return str(_("The client has not confirmed it."))
    if confirmed.by_code:
        return str(_("The client confirmed it with a code sent to their e-mail address."))
    return str(
        _("It was confirmed through a link that the agency held: this does not show that the client confirmed it.")
    )


def _answered(facts: ReceiptFacts) -> str:
    """Who had the link of a request for a better offer. Of before that was written down nothing is claimed."""
    body = facts.document.body
    proof, shown = body.get("previous_proof"), body.get("link_shown")
    words = {
        "mailed_link": _("Through a personal link that went to the client's e-mail address and to nobody else."),
        "private_page": _("From the client's private page, whose link is sent to their e-mail address alone."),
        "code": _("Through a personal link; the client entered a code sent to their e-mail address."),
        "held_link": _("Through a link that the agency held: this does not show that the client sent it."),
    }
    how = words.get(proof or "", _("Through a personal link that the agency could see too."))
    if shown:
        who = {"name": shown["to"], "when": show_datetime(datetime.fromisoformat(shown["at"]))}
        how = f"{how} " + _("The link was shown to %(name)s of the agency on %(when)s.", **who)
    return str(how)


def _origin(facts: ReceiptFacts) -> str:
    """How the link reached the bidder, and what is known of who they are."""
    offer, language = facts.opened.offer.offer, facts.opened.offer.offer.language
    if offer.source != "link":
        how = _("Recorded by the agency for the client, who gave it in another way.")
        how = f"{how} {_confirmed(facts)}"
    elif facts.asked_by_mail:
        how = _answered(facts)
    else:
        how = _(
            "Through the property's offer link (no. %(number)s), which whoever has it can use.",
            number=offer.link_version,
        )
        if facts.opened.confirmed and not facts.opened.confirmed.by_code:
            how = f"{how} {_confirmed(facts)}"
    coded = facts.opened.confirmed is not None and facts.opened.confirmed.by_code
    mail = _("The e-mail address was confirmed by a code.") if coded else _("The e-mail address was not confirmed.")
    if any(kind == BY_PAGE for _at, kind in facts.steps):
        mail = _("The e-mail address was confirmed from the client's private page, whose link is sent there alone.")
    if facts.code_asked and not facts.opened.confirmed:
        mail = f"{mail} " + _("The signature counts once the code sent there is entered.")
    shown = _("Form in %(language)s.", language=LANGUAGES[language].name)
    return " ".join((how, mail, shown, _("Identity not verified.")))
