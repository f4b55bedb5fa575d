"""The keys of agencies and offers: made, unwrapped, cached where that is safe, rewrapped."""

from __future__ import annotations

import uuid
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Connection, bindparam, insert, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.core.vault import Keyring, Place, agency_key_place, offer_key_place, totp_place
from app.extensions import db
from app.models import AgencyKey, OfferKey, Totp
from app.models.agency import PURPOSES


def keyring() -> Keyring:
    ring: Keyring = current_app.extensions["bidflux_keyring"]
    return ring


def create_agency_keys(connection: Connection, agency_id: uuid.UUID) -> None:
    """Give a new agency its random keys."""
    rows = []
    for purpose in PURPOSES:
        _, wrapped = keyring().new_key(agency_key_place(agency_id, purpose))
        rows.append({"agency_id": agency_id, "purpose": purpose, "kek_id": wrapped.kek_id, "wrapped": wrapped.wrapped})
    connection.execute(insert(AgencyKey), rows)


def agency_key(agency_id: uuid.UUID, purpose: str) -> bytes:
    """An agency's key for `purpose`: blind_email, blind_phone, content or secret. They never change."""
    cache: dict[tuple[uuid.UUID, str], bytes] = current_app.extensions["bidflux_agency_keys"]
    if (agency_id, purpose) not in cache:
        if len(cache) > 10_000:
            cache.clear()
        for row in db.session.scalars(select(AgencyKey).where(AgencyKey.agency_id == agency_id)):
            place = agency_key_place(agency_id, row.purpose)
            cache[agency_id, row.purpose] = keyring().unwrap(row.kek_id, row.wrapped, place)
    return cache[agency_id, purpose]


def unwrap_offer_key(agency_id: uuid.UUID, offer_id: uuid.UUID, kek_id: str, wrapped: bytes) -> bytes:
    return keyring().unwrap(kek_id, wrapped, offer_key_place(agency_id, offer_id))


def offer_key(agency_id: uuid.UUID, offer_id: uuid.UUID) -> bytes | None:
    """The offer's own key, or None when the person has been forgotten."""
    row = db.session.execute(
        select(OfferKey.kek_id, OfferKey.wrapped).where(OfferKey.agency_id == agency_id, OfferKey.offer_id == offer_id)
    ).one_or_none()
    return unwrap_offer_key(agency_id, offer_id, row.kek_id, row.wrapped) if row else None


def lost_keys(connection: Connection) -> list[str]:
    """The keys that data of this database is sealed under and BIDFLUX_KEYS lacks, by id."""
    named = {
        key for table in (AgencyKey, OfferKey, Totp) for key in connection.scalars(select(table.kek_id).distinct())
    }
    return sorted(named - set(keyring().ids))


def rewrap_batch(connection: Connection, limit: int = 500) -> int:
    """Rewrap up to `limit` keys of each kind under the active key; return how many. Call again until 0."""
    offers = connection.execute(
        select(OfferKey.offer_id, OfferKey.agency_id, OfferKey.kek_id, OfferKey.wrapped)
        .where(_under_another(OfferKey.kek_id))
        .limit(limit)
    ).all()
    if offers:
        changes = [
            _rewrapped(row, offer_key_place(row.agency_id, row.offer_id)) | {"id": row.offer_id} for row in offers
        ]
        of_offer = (OfferKey.offer_id == bindparam("id"), OfferKey.kek_id == bindparam("was"))
        connection.execute(_REWRAP_OFFER.where(*of_offer), changes)
    agencies = connection.execute(select(AgencyKey).where(_under_another(AgencyKey.kek_id)).limit(limit)).all()
    for key in agencies:
        new = _rewrapped(key, agency_key_place(key.agency_id, key.purpose))
        of_agency = (AgencyKey.agency_id == key.agency_id, AgencyKey.purpose == key.purpose)
        connection.execute(update(AgencyKey).where(*of_agency).values(kek_id=new["kek"], wrapped=new["new"]))
    phones = connection.execute(select(Totp).where(_under_another(Totp.kek_id)).limit(limit)).all()
    for phone in phones:
        new = _rewrapped(phone, totp_place(phone.account_id))
        of_account = (Totp.account_id == phone.account_id, Totp.wrapped == phone.wrapped)
        connection.execute(update(Totp).where(*of_account).values(kek_id=new["kek"], wrapped=new["new"]))
    return len(offers) + len(agencies) + len(phones)


_REWRAP_OFFER = update(OfferKey).values(kek_id=bindparam("kek"), wrapped=bindparam("new"))


def _under_another(kek_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Not the active key; as two ranges, for which an index serves."""
    active = keyring().active
    return or_(kek_id < active, kek_id > active)


def _rewrapped(row: Any, place: Place) -> dict[str, Any]:
    """The same key under the active one, and under which it `was`."""
    new = keyring().wrap(keyring().unwrap(row.kek_id, row.wrapped, place), place)
    return {"was": row.kek_id, "kek": new.kek_id, "new": new.wrapped}
