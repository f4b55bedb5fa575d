"""Links by which a seller reads the offers. The page is made from the ledger, so none can be left out."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import func, select, update

from app.core.access import Person
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id
from app.core.ledger import SYSTEM
from app.core.unit_of_work import writing
from app.models import Offer, Property, SellerLink

DAYS = (7, 30, 90)
MOST = 10


def create(prop: Property, days: int, *, shows_names: bool, by: Person) -> uuid.UUID:
    """A new link, good for some days (one of `DAYS`). Raises `Invalid` when the property has ten that are open."""
    property_id = prop.id
    if days not in DAYS:
        raise Invalid({"days": ["Choose one of the answers"]})
    with writing(by.agency_id) as tx:
        still = (SellerLink.revoked_at.is_(None), SellerLink.expires_at > tx.at)
        mine = (SellerLink.agency_id == by.agency_id, SellerLink.property_id == property_id)
        if (tx.connection.scalar(select(func.count()).where(*mine, *still)) or 0) >= MOST:
            raise Invalid({"days": ["Too many links"]})
        link_id, until = new_id(), tx.at + timedelta(days=days)
        tx.add(
            SellerLink,
            id=link_id,
            property_id=property_id,
            user_id=by.user.id,
            shows_names=shows_names,
            created_at=tx.at,
            expires_at=until,
            revoked_at=None,
        )
        data = {"link": str(link_id), "names": shows_names, "until": until.isoformat()}
        tx.record("seller.shared", property_id, by.actor, data)
    return link_id


def revoke(prop: Property, link_id: uuid.UUID, *, by: Person) -> None:
    """The link stops at once, also for whoever has it open. Raises `NotFound` for a link of another property."""
    property_id = prop.id
    with writing(by.agency_id) as tx:
        named = (
            SellerLink.agency_id == by.agency_id,
            SellerLink.property_id == property_id,
            SellerLink.id == link_id,
        )
        if tx.connection.scalar(select(SellerLink.id).where(*named)) is None:
            raise NotFound
        done = tx.connection.execute(
            update(SellerLink).where(*named, SellerLink.revoked_at.is_(None)).values(revoked_at=tx.at)
        )
        if done.rowcount:
            tx.record("seller.revoked", property_id, by.actor, {"link": str(link_id)})


def opened(link: SellerLink) -> bool:
    """Record that the button behind the link was pressed, and how many offers there were. False when it is not open."""
    agency_id, property_id, link_id = link.agency_id, link.property_id, link.id
    with writing(agency_id) as tx:
        row = tx.connection.execute(
            select(SellerLink.revoked_at, SellerLink.expires_at).where(SellerLink.id == link_id)
        ).one()
        if row.revoked_at or row.expires_at <= tx.at:
            return False
        count = select(func.count()).where(Offer.agency_id == agency_id, Offer.property_id == property_id)
        data = {"link": str(link_id), "offers": tx.connection.scalar(count) or 0}
        tx.record("seller.opened", property_id, SYSTEM, data)
    return True
