"""What tests are about, made through the services."""

from __future__ import annotations

import os
import re
import uuid
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts import editing as accounts
from app.core import keys
from app.core.access import Person
from app.core.ledger import BIDDER, SYSTEM
from app.core.money import Money
from app.extensions import db
from app.models import Account, Agency, EmailCode, Offer, Property, User
from app.offers import codes, recording
from app.offers.document import Bidder, Draft
from app.offers.mailboxes import reachable
from app.offers.recording import ConfirmationInput
from app.offers.submitting import Sending, submit
from app.properties import editing as properties

PASSWORD = "o parolă destul de lungă"


def make_agency(name: str = "Casa Bună Imobiliare") -> uuid.UUID:
    return accounts.create_agency(name, f"contact-{uuid.uuid4().hex[:8]}@agentie.example")


def make_user(agency_id: uuid.UUID, role: str = "agent", **values: Any) -> User:
    """A user whose password is `PASSWORD`."""
    email = values.pop("email", f"{role}-{uuid.uuid4().hex[:8]}@agentie.example")
    new = accounts.NewUser(
        email, values.pop("full_name", "Ioana Ștefănescu"), role=role, phone="+40712034567", **values
    )
    return db.session.get_one(User, accounts.create_user(agency_id, new, PASSWORD))


def hash_of(user: User) -> str:
    """The hash of a person's password."""
    return db.session.scalars(select(Account.password_hash).where(Account.id == user.account_id)).one()


def person_of(user: User) -> Person:
    """The user as whoever a request is signed in as."""
    return Person(user, db.session.get_one(Agency, user.agency_id), uuid.uuid4(), "")


def make_property(agency_id: uuid.UUID, agent_id: uuid.UUID, **values: Any) -> Property:
    """A property that takes offers, asking 125,000 EUR."""
    given = {
        "agent_id": agent_id,
        "title": "Apartament cu 3 camere în Mănăștur",
        "title_en": "Three-room apartment in Mănăștur",
        "city": "Cluj-Napoca",
        "county": "Cluj",
        "asking_minor": 125_000_00,
        "accepts_offers": True,
        **values,
    }
    return db.session.get_one(Property, properties.create(agency_id, given, by=SYSTEM))


def make_draft(**values: Any) -> Draft:
    given: dict[str, Any] = {
        "bidder": Bidder("Andrei Țurcanu", "andrei.turcanu@client.example", "+40722000111"),
        "amount": Money(118_500_00, "EUR"),
        "financing": "cash",
        "payment_term_days": 30,
        **values,
    }
    return Draft.of(**given)


def make_sending(prop: Property, **values: Any) -> Sending:
    given: dict[str, Any] = {
        "nonce": os.urandom(16),
        "link_version": prop.link_version,
        "language": "ro",
        "source": "link",
        "texts": {},
        "address": "192.0.2.7",
        "browser": "Testing/1.0",
        **values,
    }
    return Sending(**given)


def make_offer(prop: Property, draft: Draft | None = None, **sending: Any) -> uuid.UUID:
    """Send an offer through the service, from the private page of one that it replaces; its id."""
    draft = draft or make_draft()
    if draft.replaces:
        sending.setdefault("own_page", db.session.scalar(select(Offer.id).where(Offer.reference == draft.replaces)))
    return submit(prop, draft, make_sending(prop, **sending), by=BIDDER).offer_id


def mailed_code(offer_id: uuid.UUID) -> str:
    """The digits of the last code that was sent for an offer, as its bidder reads them in their mailbox."""
    db.session.rollback()
    last = db.session.scalars(
        select(EmailCode).where(EmailCode.offer_id == offer_id).order_by(EmailCode.n.desc())
    ).first()
    assert last, "no code was sent"
    key = keys.offer_key(last.agency_id, offer_id)
    assert key
    digits = codes.digits_of(last.agency_id, offer_id, last.n, key)
    assert digits, "the code is good for nothing any more"
    return digits


def confirm(offer_id: uuid.UUID, said: ConfirmationInput) -> None:
    """What was recorded is confirmed by its bidder: with the code from their mailbox, where they have one."""
    offer = db.session.get_one(Offer, offer_id)
    digits = ""
    if reachable(offer.agency_id, offer_id):
        assert codes.send_another(offer)
        digits = mailed_code(offer_id)
    assert recording.confirm(db.session.get_one(Offer, offer_id), said, digits).state == "done"


def login(client: FlaskClient, user: User) -> TestResponse:
    """Sign in through the form."""
    page = client.get("/login").get_data(as_text=True)
    data = {"email": user.email, "password": PASSWORD, "csrf_token": csrf(page)}
    response = client.post("/login", data=data)
    assert response.status_code == 303, response.status_code
    return response


def csrf(page: str) -> str:
    """The token of the first form of a page."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, "no csrf_token on the page"
    return found.group(1)
