"""A person is forgotten while something about them is under way: nothing of it is kept, and nothing is sent again."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.delivery.dispatcher import dispatch
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.models import Agency, Attempt, Delivery, OfferFile, OfferKey, Property
from app.offers.document import Bidder
from app.privacy import erasure
from app.proof import receipts
from app.proof.register import offer_faults, verify_chain
from app.webhooks import editing as webhooks
from tests import factories
from tests.mail_server import MailServer, Received
from tests.outbound.servers import Request, receiving, reply
from tests.privacy.test_canaries import CANARIES, at_rest, found_in
from tests.webhooks.conftest import LOOPBACK

BIDDER = Bidder(CANARIES["full_name"], CANARIES["email"], "+40722918273")


@pytest.fixture
def open_app(either_app: Flask) -> Iterator[Flask]:
    """On both databases, free to call the loopback."""
    settings = either_app.extensions["bidflux_settings"]
    either_app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=LOOPBACK)
    yield either_app
    close_webhook_dispatcher(either_app)


def offer_of(prop: Property) -> uuid.UUID:
    return factories.make_offer(prop, factories.make_draft(bidder=BIDDER, message=CANARIES["message"]))


def forget(app: Flask, agency_id: uuid.UUID, offer_id: uuid.UUID) -> None:
    """By somebody else, at this very moment: in a thread of its own, and waited for."""

    def act() -> None:
        with app.app_context():
            erasure.erase_all(agency_id, [offer_id], "person")
            db.session.remove()

    thread = threading.Thread(target=act)
    thread.start()
    thread.join(120)
    assert not thread.is_alive(), "whoever sends holds nobody up"


def nothing_left(agency_id: uuid.UUID, offer_id: uuid.UUID, *, tried: int = 0) -> None:
    """`tried`: how often what is cancelled now had been tried before."""
    db.session.rollback()
    assert db.session.scalars(select(OfferKey.offer_id).where(OfferKey.offer_id == offer_id)).all() == []
    assert db.session.scalars(select(OfferFile.offer_id)).all() == []
    owed = db.session.execute(select(Delivery.id, Delivery.state).where(Delivery.offer_id == offer_id)).all()
    assert {row.state for row in owed} <= {"cancelled", "delivered"}
    cancelled = [row.id for row in owed if row.state == "cancelled"]
    assert len(db.session.scalars(select(Attempt.n).where(Attempt.delivery_id.in_(cancelled))).all()) == tried
    assert found_in(at_rest()) == []
    agency = db.session.get_one(Agency, agency_id)
    assert verify_chain(agency)[1] is None and not [*offer_faults(agency)]


def test_while_a_mail_is_being_taken(either_app: Flask, either_smtp: MailServer, prop: Property) -> None:
    agency_id, offer_id = prop.agency_id, offer_of(prop)

    def taking(letter: Received) -> None:
        either_smtp.data = lambda _letter: None
        forget(either_app, agency_id, offer_id)

    either_smtp.data = taking
    dispatch()
    nothing_left(agency_id, offer_id)
    before = len(either_smtp.letters)
    assert dispatch() == 0 and len(either_smtp.letters) == before


def test_while_its_receipt_is_being_sealed(
    either_app: Flask, either_smtp: MailServer, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency_id, offer_id = prop.agency_id, offer_of(prop)
    dispatch()
    with housekeeping() as connection:
        due = update(Delivery).where(Delivery.kind == "receipt")
        connection.execute(due.values(due_at=now() - timedelta(seconds=1)))
    sealing, whole = [], receipts.seal_pdf

    def seal(pdf, identity):  # type: ignore[no-untyped-def]
        sealing.append(len(pdf))
        forget(either_app, agency_id, offer_id)
        return whole(pdf, identity)

    monkeypatch.setattr(receipts, "seal_pdf", seal)
    before = len(either_smtp.letters)
    dispatch()
    assert len(sealing) == 1 and len(either_smtp.letters) == before, "it is not sent either"
    nothing_left(agency_id, offer_id)


def test_while_a_call_is_being_answered_and_no_call_is_made_again(open_app: Flask, prop: Property) -> None:
    agency_id, erased_in = prop.agency_id, threading.Event()
    with receiving() as receiver:
        endpoint_id, _secret = webhooks.create(agency_id, receiver.url, ("offer.created",), by=SYSTEM)
        arrived, meanwhile = offer_of(prop), None
        assert webhook_dispatcher().run() == 1
        meanwhile = offer_of(prop)

        def answer(_request: Request) -> bytes:
            if not erased_in.is_set():
                erased_in.set()
                forget(open_app, agency_id, meanwhile)
            return reply(500, CANARIES["full_name"].encode())

        receiver.answer = answer
        db.session.rollback()
        webhook_dispatcher().run()
        assert erased_in.is_set()
        receiver.answer = lambda _request: reply()
        nothing_left(agency_id, meanwhile)
        erasure.erase_all(agency_id, [arrived], "person")
        came = len(receiver.requests)
        first = select(Delivery.id).where(Delivery.kind == "webhook", Delivery.offer_id == arrived)
        webhooks.resend(agency_id, db.session.scalars(first).one())
        endpoint = webhooks.get_endpoint(agency_id, endpoint_id)
        webhooks.replay(endpoint, now() - timedelta(days=1), by=SYSTEM)
        db.session.rollback()
        assert webhook_dispatcher().run() == 0 and len(receiver.requests) == came, (
            "what was erased is not told once more"
        )
        nothing_left(agency_id, arrived, tried=1)
