"""Filling a database: the demo agency, and any number of properties to put offers in."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.errors import UnnamedConcern
from app.core.ids import new_id
from app.core.ledger import BIDDER, SYSTEM, Actor
from app.core.unit_of_work import writing
from app.demo import content
from app.demo.pictures import draw
from app.extensions import db
from app.models import Offer, Property
from app.offers import deciding, samples
from app.offers.replacing import PRIVATE_PAGE, Grounds
from app.offers.submitting import FACTS, prepare, store
from app.proof import receipts
from app.properties import editing as properties
from app.properties.samples import SAMPLES, make

RECEIPTS = 15  # of the latest offers; the worker makes them once it runs


def seed_agency(password: str) -> tuple[uuid.UUID, str]:
    """The demo agency with its people, properties and sixty offers; returns its id and an API key."""
    pick = random.Random(7)  # noqa: S311  # nosec B311 - the same demo every time
    agency_id = accounts.create_agency(content.AGENCY, "contact@bulevard.example")
    owner = accounts.NewUser(content.OWNER[1], content.OWNER[0], role="owner", phone=content.OWNER[2])
    accounts.create_user(agency_id, owner, password)
    people = [accounts.NewUser(email, name, phone=phone) for name, email, phone in content.AGENTS]
    agents = [accounts.create_user(agency_id, person, password) for person in people]
    made = [_property(agency_id, agents[n % len(agents)], n, given) for n, given in enumerate(SAMPLES)]
    offers = samples.seed(agency_id, [property_id for property_id, opened in made if opened], 57, pick)
    _corrected(agency_id, offers, pick)
    _decide(agency_id, offers, pick)
    for property_id, given in zip((property_id for property_id, _opened in made), SAMPLES, strict=True):
        _final_state(property_id, given)
    for offer_id in offers[-RECEIPTS:]:
        receipts.ask(db.session.get_one(Offer, offer_id))
    return agency_id, accounts.create_api_key(agency_id, "CRM", by=SYSTEM)


def seed_properties(agency_id: uuid.UUID, agent_id: uuid.UUID, count: int) -> list[uuid.UUID]:
    """`count` plain properties that take offers."""
    made = []
    for n in range(count):
        given = SAMPLES[n % len(SAMPLES)]
        made.append(make(agency_id, agent_id, given, title=f"{given['title']} ({n + 1})"))
    return made


def _property(agency_id: uuid.UUID, agent_id: uuid.UUID, n: int, given: dict[str, Any]) -> tuple[uuid.UUID, bool]:
    """One property with its picture; and whether offers have come in for it."""
    property_id = make(agency_id, agent_id, given, external_id=f"DEMO-{n + 1:03d}")
    properties.set_photo(db.session.get_one(Property, property_id), draw(given["picture"], n), by=SYSTEM)
    days = given["days"]
    return property_id, days is None or days[0] < 0


def _final_state(property_id: uuid.UUID, given: dict[str, Any]) -> None:
    """Windows and switches, once the offers are in."""
    values: dict[str, Any] = {}
    if given.get("off"):
        values["accepts_offers"] = False
    if days := given["days"]:
        today = now().replace(hour=15, minute=0, second=0, microsecond=0)
        opens, closes = (today + timedelta(days=n) for n in days)
        values |= {"offers_open_at": opens, "offers_close_at": closes}
    if values:
        properties.change(db.session.get_one(Property, property_id), values, by=SYSTEM)


def _corrected(agency_id: uuid.UUID, offers: list[uuid.UUID], pick: random.Random) -> None:
    """Three bidders who sent a better offer in place of their first."""
    for offer_id in (offers[20], offers[35], offers[50]):
        earlier = db.session.get_one(Offer, offer_id)
        shown = db.session.execute(FACTS.where(Property.id == earlier.property_id)).one()
        sealed = prepare(agency_id, samples.draft(shown, pick))
        with writing(agency_id) as tx:
            sending = replace(samples.sending_of(shown, {}, pick), grounds=Grounds(offer_id, PRIVATE_PAGE))
            store(tx, shown, sealed, sending, by=BIDDER)
        offers.append(sealed.offer_id)


def _decide(agency_id: uuid.UUID, offers: list[uuid.UUID], pick: random.Random) -> None:
    """Two thirds opened, some of those answered, by whoever is responsible."""
    query = select(Offer.id, Property.agent_id).join(Property, Property.id == Offer.property_id)
    agents = {row[0]: row[1] for row in db.session.execute(query.where(Offer.id.in_(offers)))}
    for offer_id in offers[:40]:
        by = Actor("user", agents[offer_id])
        status = pick.choice(("viewed", "viewed", "rejected", "rejected", "accepted"))
        try:
            deciding.decide(offer_id, agency_id, status, by=by, reason=content.REASONS.get(status))
        except UnnamedConcern:  # it was replaced, or another one is accepted: nobody would here
            deciding.decide(offer_id, agency_id, "viewed", by=by)


def stress_agency(name: str) -> tuple[uuid.UUID, uuid.UUID]:
    """An agency for large amounts, with one owner who signs in nowhere."""
    agency_id = accounts.create_agency(name, f"seed-{new_id().hex[-8:]}@seed.example")
    owner = accounts.NewUser(f"owner-{new_id().hex[-8:]}@seed.example", name, role="owner")
    return agency_id, accounts.create_user(agency_id, owner, new_id().hex)
