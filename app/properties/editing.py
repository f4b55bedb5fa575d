"""Properties and their links. Each change that matters is a ledger entry and an event."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import joinedload

from app.core import keys
from app.core.errors import Conflict, Invalid, StaleVersion
from app.core.ids import new_id
from app.core.language import msgid
from app.core.ledger import Actor
from app.core.quotas import hold_bytes, hold_rows
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.models import OfferState, Property, Upload
from app.outbound.images import Picture
from app.properties.handover import CHANGED, hand_over
from app.properties.representation import property_json
from app.properties.witnessed import facts_of

CHANGEABLE = frozenset(
    {
        "agent_id", "external_id", "title", "title_en", "description", "description_en", "property_type",
        "transaction_type", "availability", "address", "show_exact_address", "zone", "city", "county", "country",
        "usable_area_sqm", "built_area_sqm", "land_area_sqm", "rooms", "asking_minor", "currency", "price_vat",
        "buyer_commission", "crm_url", "accepts_offers", "offers_open_at", "offers_close_at", "signature_required",
        "code_required", "field_rules",
    }
)  # fmt: skip
BACKDATED = timedelta(days=1)  # by how much a window may be said to have opened already
LINK_FIELDS = ("offers_open_at", "offers_close_at", "signature_required", "code_required", "field_rules")
# Two currencies in one list could be neither ordered nor compared, and each offer would look like another amount.
CURRENCY_STANDS = msgid("The currency stays as it is: offers were made in it. Archive the property and add it anew")


def create(agency_id: uuid.UUID, values: Mapping[str, Any], *, by: Actor) -> uuid.UUID:
    """Create a property; `values` holds columns named in `CHANGEABLE`, `agent_id` and `title` among them."""
    property_id = new_id()
    with writing(agency_id) as tx:
        hold_bytes(tx)
        hold_rows(tx, "properties", select(Property.id).where(Property.agency_id == agency_id))
        prop = Property(id=property_id, agency_id=agency_id, created_at=tx.at, updated_at=tx.at, **_known(values))
        db.session.add(prop)
        db.session.flush()
        record_creation(tx, prop, by)
        _announce(tx, prop, "property.created", by)
    return property_id


def change(prop: Property, values: Mapping[str, Any], *, by: Actor, version: int | None = None) -> bool:
    """Change columns of a property; return False when nothing differs.

    Raises `Conflict` when `version` moved on, `Invalid` for another currency than that of its offers.
    """
    property_id, agency_id = prop.id, prop.agency_id
    with writing(agency_id) as tx:
        hold_bytes(tx)
        current = load_property(property_id)
        if version is not None and version != current.version:
            raise Conflict
        before = {name: getattr(current, name) for name in CHANGEABLE}
        changed = {name: value for name, value in _known(values).items() if before[name] != value}
        if not changed:
            return False
        if "currency" in changed and has_offers(tx, property_id):
            raise Invalid({"currency": [CURRENCY_STANDS]})
        for name, value in changed.items():
            setattr(current, name, value)
        open_again(current)
        _touch(tx, current)
        db.session.flush()
        since = tx.seq + 1
        record_change(tx, current, changed, by)
        _announce(tx, current, "property.updated", by)
        if "agent_id" in changed:
            hand_over(tx, {current.agent_id: [current.id]}, since, by=by)
    return True


def has_offers(tx: UnitOfWork, property_id: uuid.UUID) -> bool:
    """Whether any was ever made, those since withdrawn or erased among them."""
    mine = (OfferState.agency_id == tx.agency_id, OfferState.property_id == property_id)
    return tx.connection.scalar(select(OfferState.offer_id).where(*mine).limit(1)) is not None


def switch_link(tx: UnitOfWork, property_id: uuid.UUID, *, on: bool, by: Actor) -> bool:
    """Turn a link on or off within a unit of work; return False when it already was so, or cannot be."""
    current = load_property(property_id)
    if current.accepts_offers == on or (on and (current.gone or current.transaction_type != "sale")):
        return False
    current.accepts_offers = on
    _touch(tx, current)
    tx.record("link.on" if on else "link.off", current.id, by, _window(current) | facts_of(current))
    _announce(tx, current, "property.updated", by)
    return True


def rotate_link(prop: Property, *, by: Actor, version: int | None = None) -> None:
    """A new link; the old one stops at once. Raises `StaleVersion` when `version` is not the present one."""
    with writing(prop.agency_id) as tx:
        current = load_property(prop.id)
        if version not in {None, current.version}:
            raise StaleVersion
        current.link_version += 1
        _touch(tx, current)
        tx.record("link.rotated", current.id, by, {"version": current.link_version, **facts_of(current)})
        _announce(tx, current, "link.rotated", by)


def archive(prop: Property, *, by: Actor, version: int | None = None) -> None:
    """Take a property off the list; its link stops, its offers stay. Raises `StaleVersion` when `version` is not the
    present one, nor, where it was archived already, the one before."""
    with writing(prop.agency_id) as tx:
        current = load_property(prop.id)
        _held_at(current, version, done=current.archived_at is not None)
        if current.archived_at:
            return
        if current.accepts_offers:
            current.accepts_offers = False
            tx.record("link.off", current.id, by)
        current.archived_at = tx.at
        _touch(tx, current)
        tx.record("property.archived", current.id, by, facts_of(current))
        _announce(tx, current, "property.archived", by)


def restore(prop: Property, *, by: Actor, version: int | None = None) -> None:
    """Bring an archived property back to the list; its link stays off until it is turned on. Raises as `archive`."""
    with writing(prop.agency_id) as tx:
        current = load_property(prop.id)
        _held_at(current, version, done=current.archived_at is None)
        if current.archived_at is None:
            return
        current.archived_at = None
        open_again(current)
        _touch(tx, current)
        tx.record("property.restored", current.id, by, facts_of(current))
        _announce(tx, current, "property.updated", by)


def _held_at(current: Property, version: int | None, *, done: bool) -> None:
    """A step that was taken already may be asked for once more with the version before it."""
    if version not in {None, current.version, current.version - 1 if done else None}:
        raise StaleVersion


def open_again(prop: Property) -> None:
    """Clear what its bidders were told of a property that was gone and is on the market again."""
    if not prop.gone:
        prop.told_at = None


def set_photo(prop: Property, picture: Picture | None, *, by: Actor) -> None:
    """Replace the property's picture, already re-encoded; None removes it."""
    with writing(prop.agency_id) as tx:
        if picture:
            hold_bytes(tx)
        put_photo(tx, prop.id, picture, by=by)


def put_photo(tx: UnitOfWork, property_id: uuid.UUID, picture: Picture | None, *, by: Actor) -> None:
    """The same within a unit of work."""
    current = load_property(property_id)
    drop_pictures(tx, current.id)
    current.photo_id = None
    if picture:
        current.photo_id = new_id()
        row = {"id": current.photo_id, "agency_id": tx.agency_id, "property_id": current.id, "created_at": tx.at}
        tx.connection.execute(insert(Upload), {**row, **picture.columns()})
        tx.weigh(len(picture.body))
    _touch(tx, current)
    tx.record("property.updated", current.id, by, {"fields": ["photo"]})
    _announce(tx, current, "property.updated", by)


def drop_pictures(tx: UnitOfWork, property_id: uuid.UUID) -> None:
    """Delete what a property shows of itself."""
    tx.connection.execute(delete(Upload).where(Upload.agency_id == tx.agency_id, Upload.property_id == property_id))


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(values) - CHANGEABLE
    if unknown:
        raise ValueError(f"not columns that change: {sorted(unknown)}")
    return dict(values)


def load_property(property_id: uuid.UUID) -> Property:
    """The property with its agent, as it is under the lock."""
    return db.session.scalars(
        select(Property)
        .where(Property.id == property_id)
        .options(joinedload(Property.agent))
        .execution_options(populate_existing=True)
    ).one()


def announce_change(tx: UnitOfWork, prop: Property, by: Actor) -> int:
    """A new version, and its event; returns the event's number."""
    _touch(tx, prop)
    return _announce(tx, prop, "property.updated", by)


def _touch(tx: UnitOfWork, prop: Property) -> None:
    prop.version += 1
    prop.updated_at = tx.at


def record_creation(tx: UnitOfWork, prop: Property, by: Actor) -> None:
    """The ledger's entries for a new property."""
    tx.record("property.created", prop.id, by, {"agent": str(prop.agent_id), **facts_of(prop)})
    if prop.accepts_offers:
        tx.record("link.on", prop.id, by, _window(prop))


def record_change(tx: UnitOfWork, prop: Property, changed: Mapping[str, Any], by: Actor) -> None:
    """The ledger's entries for columns that changed."""
    if "availability" in changed:
        tx.record("property.availability", prop.id, by, {"to": prop.availability})
    if "accepts_offers" in changed:
        tx.record("link.on" if prop.accepts_offers else "link.off", prop.id, by, _window(prop))
    elif any(name in changed for name in LINK_FIELDS):
        tx.record("link.changed", prop.id, by, _window(prop))
    if "agent_id" in changed:
        tx.record(CHANGED, prop.id, by, {"agent": str(prop.agent_id)})
    tx.record(
        "property.updated",
        prop.id,
        by,
        {"fields": sorted({"photo_id": "photo"}.get(name, name) for name in changed), **facts_of(prop)},
    )


def _window(prop: Property) -> dict[str, Any]:
    return {
        "opens_at": prop.offers_open_at.isoformat() if prop.offers_open_at else None,
        "closes_at": prop.offers_close_at.isoformat() if prop.offers_close_at else None,
        "signature_required": prop.signature_required,
        "code_required": prop.code_required,
        "version": prop.link_version,
    }


def _announce(tx: UnitOfWork, prop: Property, kind: str, by: Actor) -> int:
    db.session.flush()
    db.session.refresh(prop, ["agent"])
    of_it = (OfferState.agency_id == tx.agency_id, OfferState.property_id == prop.id)
    offers = db.session.scalar(select(func.count()).select_from(OfferState).where(*of_it)) or 0
    return tx.announce(
        kind,
        by,
        property_json(prop, offers_count=offers),
        key=keys.agency_key(tx.agency_id, "secret"),
        property_id=prop.id,
    )
