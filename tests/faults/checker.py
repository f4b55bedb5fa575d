"""Holds the database against what clients were told and what receivers wrote down."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from typing import Any

import time_machine
from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook

from app.core.signed_links import RECEIPT, sign
from app.extensions import db
from app.models import Agency, Decision, Delivery, Event, LedgerEntry, Offer, OfferBody, OfferKey, OfferState
from app.proof.receipt_reading import RECEIPT_KEPT
from app.proof.register import verify_chain
from tests.faults.rig import Rig, Stage
from tests.faults.senders import Senders

STATES = ("pending", "leased", "delivered", "dead", "cancelled")
Figures = dict[str, int]


def check(rig: Rig, stage: Stage, senders: Senders) -> Figures:
    """Raises `AssertionError` for whatever is lost; returns what was counted. In an application context."""
    db.session.rollback()
    offers = set(db.session.scalars(select(Offer.id)))
    answered = set(senders.answered)
    assert not senders.errors, senders.errors
    assert len(answered) == len(senders.answered), "two receipts for one offer"
    assert answered <= offers, f"{len(answered - offers)} offers with a receipt are lost"
    _books(offers)
    _decisions(senders)
    states = _states()
    mails, calls = _mails(rig), _calls(rig, stage.secret)
    _owed(offers)
    for offer in sorted(offers - answered)[:50] + sorted(answered)[:20]:
        assert rig.ask("GET", f"/r/{sign(RECEIPT, offer)}")[0] == 200, "an offer without an answerable receipt"
    entries, fault = verify_chain(db.session.get_one(Agency, stage.agency_id))
    assert fault is None, fault
    return {
        "offers sent": senders.count,
        "answered with a receipt": len(answered),
        "senders who gave up": senders.gave_up,
        "offers kept": len(offers),
        "statuses set": len(senders.decided),
        "ledger entries, chain valid": entries,
        **{f"deliveries {state}": states[state] for state in STATES},
        "mails that came twice": mails,
        "calls that came twice": calls,
        "faults": len(rig.kills),
    }


def _count(table: Any, *where: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def _books(offers: set[Any]) -> None:
    """One row of each kind for each offer: nothing half there."""
    for table in (OfferBody, OfferKey, OfferState):
        assert _count(table) == len(offers), table
    entries = db.session.scalars(select(LedgerEntry.object_id).where(LedgerEntry.kind == "offer.submitted"))
    recorded = db.session.scalars(select(LedgerEntry.object_id).where(LedgerEntry.kind == "offer.recorded"))
    assert Counter([*entries, *recorded]) == Counter(offers)
    assert Counter(db.session.scalars(select(Event.offer_id).where(Event.type == "offer.created"))) == Counter(offers)
    numbers = sorted(db.session.scalars(select(Event.seq)))
    assert numbers == list(range(1, len(numbers) + 1)), "events with a gap"


def _decisions(senders: Senders) -> None:
    status = {row.offer_id: row.status for row in db.session.execute(select(OfferState.offer_id, OfferState.status))}
    for offer, said in senders.decided.items():
        assert status[offer] == said, "a status that was answered is lost"
    made = Counter(db.session.scalars(select(Decision.offer_id)))
    told = Counter(db.session.scalars(select(Event.offer_id).where(Event.type == "offer.status_changed")))
    assert made == told == Counter(list(senders.decided)), "each decision once, each with its event"


def _states() -> Counter[str]:
    states = Counter(db.session.scalars(select(Delivery.state)))
    assert sum(states[state] for state in STATES) == _count(Delivery)
    assert not states["dead"] and not states["cancelled"], states
    return states


def _mails(rig: Rig) -> int:
    came = _came(rig.lines("mails"), "hash")
    mailed = (Delivery.kind != "webhook", Delivery.state == "delivered", Delivery.template != RECEIPT_KEPT)
    for ident in db.session.scalars(select(Delivery.id).where(*mailed)):
        assert len(set(came[str(ident)])) == 1, f"a mail that never came, or came with {len(came[str(ident)])} bodies"
    return sum(len(bodies) > 1 for bodies in came.values())


def _calls(rig: Rig, secret: str) -> int:
    lines = rig.lines("calls")
    verifier = Webhook(secret)
    for line in lines:
        body = base64.b64decode(line["body"])
        with time_machine.travel(line["at"], tick=False):  # a stamp is good for five minutes, the run takes longer
            verifier.verify(body, line["headers"])
        line["hash"] = hashlib.sha256(body).hexdigest()
    came = _came(lines, "hash")
    for ident in db.session.scalars(
        select(Delivery.id).where(Delivery.kind == "webhook", Delivery.state == "delivered")
    ):
        assert len(set(came[str(ident)])) == 1, "a call that never came, or came with two bodies"
    return sum(len(bodies) > 1 for bodies in came.values())


def _came(lines: list[dict[str, Any]], what: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        found[line["id"]].append(line[what])
    return found


def _owed(offers: set[Any]) -> None:
    """Who must hear of each offer: the agent and the bidder by mail, the CRM by a call."""
    owed: dict[Any, set[str]] = defaultdict(set)
    for offer, kind, template in db.session.execute(select(Delivery.offer_id, Delivery.kind, Delivery.template)):
        owed[offer].add(f"{kind} {template}")
    for offer in offers:
        assert {"mail offer_agent", "webhook offer.created"} <= owed[offer], owed[offer]
        assert owed[offer] & {"mail offer_bidder", "mail offer_confirm"}, owed[offer]


def unsettled(*, with_receipts: bool) -> int:
    """How many deliveries wait or are under way."""
    db.session.rollback()
    open_ = [Delivery.state.in_(("pending", "leased"))]
    if not with_receipts:
        open_.append(Delivery.kind != "receipt")
    return _count(Delivery, *open_)
