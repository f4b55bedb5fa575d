"""Test agencies: where `bfx_test_` keys lead. An agency of its own with sample data, which writes to nobody."""

from __future__ import annotations

import random
import secrets
import uuid

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts import editing as accounts
from app.core.clock import now
from app.extensions import db
from app.models import Agency
from app.offers import samples
from app.properties.samples import SAMPLES, make

PROPERTIES, OFFERS = 6, 20


def test_agency_of(agency_id: uuid.UUID) -> uuid.UUID:
    """The agency's test agency, made with sample data when there is none."""
    wanted = select(Agency.id).where(Agency.test_of_id == agency_id)
    found = db.session.scalar(wanted)
    if found is not None:
        return found
    parent = db.session.get_one(Agency, agency_id)
    try:
        made = accounts.create_agency(
            f"{parent.name} (test)"[:200], parent.email, zone=parent.zone, language=parent.language, test_of=agency_id
        )
    except IntegrityError:  # someone was faster
        return db.session.scalars(wanted).one()
    _fill(made)
    return made


def _fill(agency_id: uuid.UUID) -> None:
    name = f"test-{agency_id.hex[-12:]}@test.example"  # signs in nowhere: nobody learns the password
    owner = accounts.NewUser(name, "Ioana Test", role="owner", phone="+40700000000")
    agent_id = accounts.create_user(agency_id, owner, secrets.token_urlsafe(24))
    made = [
        make(agency_id, agent_id, given, external_id=f"TEST-{number + 1:03d}")
        for number, given in enumerate(SAMPLES[:PROPERTIES])
    ]
    samples.seed(agency_id, made, OFFERS, random.Random(now().timestamp()))  # noqa: S311  # nosec B311 - samples
