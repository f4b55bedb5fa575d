"""`demo seed`: data worth looking at, and large amounts of it."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import select

from app.cli.accounts import find_agency, is_id
from app.cli.output import as_json, say
from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.demo import content, seeding
from app.extensions import db
from app.models import Agency, Property, User
from app.models.agency import OWNER
from app.offers import samples

demo = AppGroup("demo", help="Demonstration data.")


def register(app: Flask) -> None:
    app.cli.add_command(demo)


def seed_demo(password: str) -> dict[str, Any]:
    """Make the demo agency; the owner's way in and a key, as `quickstart.json` names them."""
    _agency_id, key = seeding.seed_agency(password)
    return {"email": content.OWNER[1], "password": password, "api_key": key}


def first_link() -> str | None:
    """The path of an open link that asks for no signature."""
    query = select(Property.id, Property.link_version).where(
        Property.accepts_offers,
        Property.signature_required.is_(False),
        Property.offers_open_at.is_(None),
        Property.offers_close_at.is_(None),
    )
    row = db.session.execute(query.order_by(Property.created_at).limit(1)).one_or_none()
    return f"/o/{sign(OFFER_LINK, OfferLink(row.id, row.link_version))}" if row else None


@demo.command("seed")
@click.option("--properties", "property_count", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--offers", "offer_count", type=click.IntRange(0, 10_000_000), default=1000, show_default=True)
@click.option("--agency", "name", default="Large", show_default=True, help="Id or name; one of a new name is made.")
@as_json
def seed(property_count: int, offer_count: int, name: str, as_json: bool) -> None:
    """Add properties and offers to an agency, fast."""
    began = time.perf_counter()
    agency_id, agent_id = _held(name) or seeding.stress_agency(name)
    made = seeding.seed_properties(agency_id, agent_id, property_count)
    offers = samples.seed(agency_id, made, offer_count, random.SystemRandom())
    seconds = round(time.perf_counter() - began, 1)
    answer = {"agency": str(agency_id), "properties": len(made), "offers": len(offers), "seconds": seconds}
    say(answer, f"{len(made)} properties and {len(offers)} offers in {seconds} s", as_json=as_json)


def _held(name: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """The agency of that id or name, and an owner of it; None for an unknown name. An unknown id is refused."""
    name = " ".join(name.split())
    if name and (is_id(name) or db.session.scalar(select(Agency.id).where(Agency.name == name).limit(1))):
        agency_id = find_agency(name).id
        owner = select(User.id).where(User.agency_id == agency_id, User.role == OWNER, User.active)
        return agency_id, db.session.scalars(owner.limit(1)).one()
    return None
