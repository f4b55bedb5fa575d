"""What tests are about, made through the services."""

from __future__ import annotations

import os
import re
import uuid
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.access import Person
from app.extensions import db
from app.ledger import BIDDER, SYSTEM
from app.models import Agency, Property, User
from app.money import Money
from app.offer_document import Bidder, Draft
from app.services import accounts, properties
from app.services.offers import Sending, submit

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
    return Draft(**given)


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
    """Send an offer through the service; its id."""
    return submit(prop, draft or make_draft(), make_sending(prop, **sending), by=BIDDER).offer_id


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
