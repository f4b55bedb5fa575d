"""Filling a database: the demo agency, and any number of offers, through the same rows as a real submission."""

from __future__ import annotations

import gc
import random
import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import select

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.errors import Unsaid
from app.core.ids import new_id, new_reference
from app.core.ledger import BIDDER, SYSTEM, Actor
from app.core.money import Money
from app.core.unit_of_work import writing
from app.demo import content
from app.demo.pictures import draw
from app.extensions import db
from app.models import Offer, Property
from app.offers import deciding
from app.offers.document import Bidder, Draft, Signature
from app.offers.replacing import PRIVATE_PAGE, Grounds
from app.offers.submitting import FACTS, Prepared, Sending, prepare, store
from app.proof import receipts, texts
from app.properties import editing as properties

BATCH = 2000
SPAN = timedelta(days=21)
RECEIPTS = 15  # of the latest offers; the worker makes them once it runs


def seed_agency(password: str) -> tuple[uuid.UUID, str]:
    """The demo agency with its people, properties and sixty offers; returns its id and an API key."""
    pick = random.Random(7)  # noqa: S311  # nosec B311 - the same demo every time
    agency_id = accounts.create_agency(content.AGENCY, "contact@bulevard.example")
    owner = accounts.NewUser(content.OWNER[1], content.OWNER[0], role="owner", phone=content.OWNER[2])
    accounts.create_user(agency_id, owner, password)
    people = [accounts.NewUser(email, name, phone=phone) for name, email, phone in content.AGENTS]
    agents = [accounts.create_user(agency_id, person, password) for person in people]
    held = [_property(agency_id, agents[n % len(agents)], n, given) for n, given in enumerate(content.PROPERTIES)]
    offers = seed_offers(agency_id, [property_id for property_id, opened in held if opened], 57, pick)
    _corrected(agency_id, offers, pick)
    _decide(agency_id, offers, pick)
    for property_id, given in zip((h[0] for h in held), content.PROPERTIES, strict=True):
        _final_state(property_id, given)
    for offer_id in offers[-RECEIPTS:]:
        receipts.ask(db.session.get_one(Offer, offer_id))
    return agency_id, accounts.create_api_key(agency_id, "CRM", by=SYSTEM)


def seed_properties(agency_id: uuid.UUID, agent_id: uuid.UUID, count: int) -> list[uuid.UUID]:
    """`count` plain properties that take offers."""
    made = []
    for n in range(count):
        given = dict(content.PROPERTIES[n % len(content.PROPERTIES)])
        values = {k: v for k, v in given.items() if k not in {"picture", "days", "off"}}
        values |= {"title": f"{given['title']} ({n + 1})", "agent_id": agent_id, "accepts_offers": True}
        made.append(properties.create(agency_id, values, by=SYSTEM))
    return made


def seed_offers(
    agency_id: uuid.UUID, property_ids: list[uuid.UUID], count: int, pick: random.Random
) -> list[uuid.UUID]:
    """`count` offers over the past three weeks, in order, with ledger and events; no mail is owed for them."""
    shown = db.session.execute(FACTS.where(Property.id.in_(property_ids))).all()
    notice = {kind: texts.kept(kind, "ro") for kind in ("notice", "rules")}
    last = now()
    moments = iter(sorted(last - SPAN * pick.random() for _ in range(count)))
    made: list[uuid.UUID] = []
    gc.disable()  # nothing here is cyclic, and a tenth of the time would go into finding that out
    while batch := list(islice(moments, BATCH)):
        props = [pick.choice(shown) for _ in batch]
        ready = list(zip(batch, props, _prepared(agency_id, props, pick), strict=True))
        with writing(agency_id) as tx:
            for at, prop, sealed in ready:
                tx.at = at
                sending = _sending(prop, notice, pick)
                store(tx, prop, sealed, sending, by=BIDDER)
                made.append(sealed.offer_id)
    gc.enable()
    return made


def _prepared(agency_id: uuid.UUID, props: list[Any], pick: random.Random) -> list[Prepared]:
    """One offer for each property, under references that nobody has."""
    made = [prepare(agency_id, _draft(prop, pick)) for prop in props]
    while taken := set(
        db.session.scalars(select(Offer.reference).where(Offer.reference.in_([m.reference for m in made])))
    ):
        made = [replace(m, reference=new_reference()) if m.reference in taken else m for m in made]
    return made


def _sending(prop: Any, notice: dict[str, str], pick: random.Random) -> Sending:
    nonce = pick.randbytes(16)
    return Sending(nonce, prop.link_version, "ro", "link", notice, f"192.0.2.{pick.randint(1, 254)}", "Demo")


def _draft(prop: Any, pick: random.Random) -> Draft:
    first, last = pick.choice(content.FIRST), pick.choice(content.LAST)
    asking = prop.asking_minor or 300_000_00
    amount = Money(round(asking * pick.uniform(0.86, 1.04) / 50_000) * 50_000, prop.currency)
    financing = pick.choice(("cash", "credit", "mixed", "mixed"))
    own = Money(round(amount.minor * pick.uniform(0.15, 0.6) / 100_000) * 100_000, prop.currency)
    parts: dict[str, Any] = {}
    if financing != "cash":
        parts = {
            "own_funds": own,
            "credit": Money(amount.minor - own.minor, prop.currency),
            "credit_program": pick.choice(("standard", "standard", "noua_casa")),
            "credit_preapproved": pick.random() < 0.5,
        }
    number = pick.randint(0, 99_999)
    return Draft(
        bidder=Bidder(f"{first} {last}", f"client{number}@client.example", f"+4072{number + 2_000_000:07d}"),
        amount=amount,
        financing=financing,
        payment_term_days=pick.choice((15, 30, 30, 45, 60, 90)),
        payment_term_note=pick.choice(content.NOTES) if financing != "cash" else None,
        conditions=("bank_approval",) if financing != "cash" and pick.random() < 0.6 else (),
        message=pick.choice(content.MESSAGES),
        valid_until=(now() + timedelta(days=pick.randint(5, 40))).date() if pick.random() < 0.4 else None,
        signature=Signature("typed", text=f"{first} {last}") if prop.signature_required else None,
        **parts,
    )


def _property(agency_id: uuid.UUID, agent_id: uuid.UUID, n: int, given: dict[str, Any]) -> tuple[uuid.UUID, bool]:
    """One property with its picture; and whether offers have come in for it."""
    values = {k: v for k, v in given.items() if k not in {"picture", "days", "off"}}
    values |= {"agent_id": agent_id, "accepts_offers": True, "external_id": f"DEMO-{n + 1:03d}"}
    property_id = properties.create(agency_id, values, by=SYSTEM)
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
        sealed = prepare(agency_id, _draft(shown, pick))
        with writing(agency_id) as tx:
            sending = replace(_sending(shown, {}, pick), grounds=Grounds(offer_id, PRIVATE_PAGE))
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
        except Unsaid:  # it was replaced, or another one is accepted: nobody would here
            deciding.decide(offer_id, agency_id, "viewed", by=by)


def stress_agency(name: str) -> tuple[uuid.UUID, uuid.UUID]:
    """An agency for large amounts, with one owner who signs in nowhere."""
    agency_id = accounts.create_agency(name, f"seed-{new_id().hex[-8:]}@seed.example")
    owner = accounts.NewUser(f"owner-{new_id().hex[-8:]}@seed.example", name, role="owner")
    return agency_id, accounts.create_user(agency_id, owner, new_id().hex)
