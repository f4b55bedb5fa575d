"""Properties as a CRM sends them: created or changed by its own id, one or a hundred in one unit of work."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import attributes

from app.core import keys
from app.core.clock import now
from app.core.errors import Conflict, DomainError, Invalid, QuotaReached, StaleVersion
from app.core.ids import new_id
from app.core.language import msgid
from app.core.ledger import Actor
from app.core.quotas import hold_bytes, left, quotas
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.models import Agency, OfferState, Property, User
from app.models.agency import ASSISTANT, OWNER
from app.models.property import GONE
from app.properties import photos
from app.properties.editing import (
    BACKDATED,
    CHANGEABLE,
    CURRENCY_STANDS,
    drop_pictures,
    has_offers,
    open_again,
    record_change,
    record_creation,
)
from app.properties.handover import hand_over
from app.properties.plausible import unusual
from app.properties.representation import is_our_photo, property_json

UNKNOWN_AGENT = "Nobody in the agency signs in with this address; the administrator is responsible instead"
UNUSUAL = msgid("Hardly any property of its type has such a size: look whether a separator was meant otherwise")
LINK_OFF = "Only what is for sale takes offers: the link was turned off"
LINK_CLOSED = "The link takes no offers while the property is not available"
NOT_FOR_SALE = msgid("Only a property that is for sale takes offers")
ARCHIVED = msgid("An archived property takes no offers")
WINDOW = msgid("The end comes after the beginning")
PASSED = msgid("This time has passed")
TWICE = msgid("Named twice in one request")
TAKEN = "Another property has this external_id."


_USERS = select(User).where(User.agency_id == bindparam("agency_id")).order_by(User.created_at)
_HELD = select(Property).where(Property.agency_id == bindparam("agency_id")).execution_options(populate_existing=True)
_HELD_BY_EXTERNAL = _HELD.where(Property.external_id.in_(bindparam("those", expanding=True)))
_HELD_BY_ID = _HELD.where(Property.id.in_(bindparam("those", expanding=True)))


@dataclass(frozen=True, slots=True)
class SentProperty:
    """One property as it was sent: columns, the agent's e-mail or None.

    `photo` is the address of a picture to copy; None leaves what is there, and an empty one removes it.
    `kept` are columns that have a default for a new property and otherwise stay as they are.
    """

    columns: Mapping[str, Any]
    agent_email: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    photo: str | None = None


@dataclass(slots=True)
class Synced:
    """The result for one property: `created`, `updated`, `unchanged` or `error`."""

    status: str
    property_id: uuid.UUID | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    error: DomainError | None = None
    warnings: list[tuple[str, str]] = field(default_factory=list)


def upsert(
    agency_id: uuid.UUID, sent: Sequence[SentProperty], *, by: Actor, version: int | None = None, only_new: bool = False
) -> list[Synced]:
    """Create or change each by its `external_id`; one that is refused spoils no other. The order is kept.

    With a `version`, only what exists in that version (0: in any) is changed, and with `only_new` nothing that exists;
    all else is refused as `StaleVersion`.
    """
    with writing(agency_id) as tx:
        unit = _Unit(tx, by)
        present = unit.load(_HELD_BY_EXTERNAL, [item.columns["external_id"] for item in sent])
        by_external = {prop.external_id: prop for prop in present}
        seen: set[str] = set()
        for item in sent:
            external_id = item.columns["external_id"]
            if external_id in seen:
                unit.refuse(Invalid({"external_id": [TWICE]}))
            else:
                seen.add(external_id)
                current = by_external.get(external_id)
                changed = version is not None and (current is None or version not in {0, current.version})
                if changed or (only_new and current):
                    unit.refuse(StaleVersion())
                else:
                    unit.take(item, current)
        return unit.finish()


def create(agency_id: uuid.UUID, sent: SentProperty, *, by: Actor) -> Synced:
    """A new property; raises `Invalid`, and `Conflict` when another has its `external_id`."""
    with writing(agency_id) as tx:
        unit = _Unit(tx, by)
        unit.free(sent.columns.get("external_id"), None)
        unit.take(sent, None)
        return _one(unit.finish())


def change(
    property_id: uuid.UUID, agency_id: uuid.UUID, sent: SentProperty, *, by: Actor, version: int | None = None
) -> Synced:
    """Change some columns of one; raises `Invalid`, and `Conflict` when `version` is not the present one."""
    with writing(agency_id) as tx:
        unit = _Unit(tx, by)
        current = unit.load(_HELD_BY_ID, [property_id])[0]
        if version is not None and current.version != version:
            raise Conflict
        unit.free(sent.columns.get("external_id"), current.id)
        unit.take(sent, current)
        return _one(unit.finish())


def _one(done: list[Synced]) -> Synced:
    if done[0].error:
        raise done[0].error
    return done[0]


class _Unit:
    """Some properties within one unit of work: all are set, written together, then recorded one by one."""

    def __init__(self, tx: UnitOfWork, by: Actor) -> None:
        hold_bytes(tx)
        self.tx, self.by = tx, by
        self.room: int | None = None  # for new ones, once the first comes
        self.usual: str | None = None
        self.done: list[Synced] = []
        self.to_record: list[tuple[Synced, Property, Callable[[], None] | None]] = []
        self.photos: dict[uuid.UUID, str] = {}
        self.handed: dict[uuid.UUID, list[uuid.UUID]] = {}
        users = db.session.scalars(_USERS, {"agency_id": tx.agency_id}).all()
        self.users = {user.id: user for user in users}
        self.by_email = {user.email: user for user in users if user.active and user.role != ASSISTANT}
        self.owner = next(user for user in users if user.role == OWNER and user.active)

    def load(self, query: Select[Property], those: Sequence[Any]) -> Sequence[Property]:
        found = db.session.scalars(query, {"agency_id": self.tx.agency_id, "those": those}).all()
        for prop in found:
            attributes.set_committed_value(prop, "agent", self.users[prop.agent_id])
        return found

    def free(self, external_id: str | None, but: uuid.UUID | None) -> None:
        """Raise `Conflict` when another property has this id."""
        if external_id is None:
            return
        mine = (Property.agency_id == self.tx.agency_id, Property.external_id == external_id)
        other = db.session.scalar(select(Property.id).where(*mine))
        if other is not None and other != but:
            raise Conflict(TAKEN)

    def refuse(self, error: DomainError) -> None:
        self.done.append(Synced("error", error=error))

    def take(self, sent: SentProperty, current: Property | None) -> None:
        """Set the columns of one, or refuse it."""
        if current is None and not self._has_room():
            self.refuse(QuotaReached("properties", quotas().properties))
            return
        outcome = Synced("created" if current is None else "updated")
        values = dict(sent.columns)
        if sent.agent_email is not None or current is None:
            values["agent_id"] = self._agent(sent.agent_email, outcome)
        before = _values(current) if current else {**DEFAULTS, "currency": self._currency(), **sent.kept}
        after = {**before, **values}
        errors = _errors(after, values, current)
        if current and after["currency"] != before["currency"] and has_offers(self.tx, current.id):
            errors["currency"] = [CURRENCY_STANDS]
        if errors:
            self.refuse(Invalid(errors))
            return
        if after["accepts_offers"] and after["transaction_type"] != "sale":
            after["accepts_offers"] = False
            outcome.warnings.append(("/transaction_type", LINK_OFF))
        if after["accepts_offers"] and after["availability"] in GONE:
            outcome.warnings.append(("/availability", LINK_CLOSED))
        outcome.warnings += [
            (f"/{name}", UNUSUAL) for name in unusual(after) if {name, "property_type"} & sent.columns.keys()
        ]
        self.done.append(outcome)
        if current is None:
            current = self._create(after, outcome)
        else:
            changed = {k: v for k, v in after.items() if before[k] != v}
            if sent.photo == "" and current.photo_id:
                changed["photo_id"] = None
                drop_pictures(self.tx, current.id)
                photos.forget(self.tx, current.id)
            self._change(current, changed, outcome)
        if sent.photo and not is_our_photo(sent.photo):
            self.photos[current.id] = sent.photo

    def _currency(self) -> str:
        """What a new property is priced in."""
        if self.usual is None:
            self.usual = db.session.scalars(select(Agency.currency).where(Agency.id == self.tx.agency_id)).one()
        return self.usual

    def _has_room(self) -> bool:
        if self.room is None:
            self.room = left(self.tx, "properties", select(Property.id).where(Property.agency_id == self.tx.agency_id))
        self.room -= 1
        return self.room >= 0

    def finish(self) -> list[Synced]:
        """Write all, record and announce each, and show them as they now are."""
        db.session.flush()
        self.tx.flush()
        photos.wish(self.tx, self.photos)
        counts = self._counts()
        key, since = keys.agency_key(self.tx.agency_id, "secret"), self.tx.seq + 1
        for outcome, prop, record in self.to_record:
            outcome.property_id, outcome.version = prop.id, prop.version
            outcome.shown = property_json(prop, offers_count=counts.get(prop.id, 0))
            if record:
                record()
                kind = f"property.{outcome.status}"
                self.tx.announce(kind, self.by, outcome.shown, key=key, property_id=prop.id)
        hand_over(self.tx, self.handed, since, by=self.by)
        return self.done

    def _agent(self, email: str | None, outcome: Synced) -> uuid.UUID:
        found = self.by_email.get(email.strip().lower()) if email else None
        if email and found is None:
            outcome.warnings.append(("/agent/email", UNKNOWN_AGENT))
        return (found or self.owner).id

    def _create(self, values: dict[str, Any], outcome: Synced) -> Property:
        """A new row, written with the others; what is returned only shows it."""
        at = self.tx.at
        row = {"id": new_id(), **values, "version": 1, "link_version": 1, "created_at": at, "updated_at": at}
        self.tx.add(Property, **row)
        prop = Property(agency_id=self.tx.agency_id, **row)
        attributes.set_committed_value(prop, "agent", self.users[prop.agent_id])
        self.to_record.append((outcome, prop, lambda: record_creation(self.tx, prop, self.by)))
        return prop

    def _change(self, prop: Property, changed: dict[str, Any], outcome: Synced) -> None:
        if not changed:
            outcome.status = "unchanged"
            self.to_record.append((outcome, prop, None))
            return
        for name, value in changed.items():
            setattr(prop, name, value)
        open_again(prop)
        prop.version += 1
        prop.updated_at = self.tx.at
        attributes.set_committed_value(prop, "agent", self.users[prop.agent_id])
        if "agent_id" in changed:
            self.handed.setdefault(prop.agent_id, []).append(prop.id)
        self.to_record.append((outcome, prop, lambda: record_change(self.tx, prop, changed, self.by)))

    def _counts(self) -> dict[uuid.UUID, int]:
        old = [prop.id for outcome, prop, _ in self.to_record if outcome.status != "created"]
        if not old:
            return {}
        query = select(OfferState.property_id, func.count()).where(
            OfferState.agency_id == self.tx.agency_id, OfferState.property_id.in_(old)
        )
        return {row[0]: row[1] for row in db.session.execute(query.group_by(OfferState.property_id))}


DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(CHANGEABLE),
    "property_type": "apartment",
    "transaction_type": "sale",
    "availability": "available",
    "show_exact_address": False,
    "country": "RO",
    "accepts_offers": False,
    "signature_required": False,
    "code_required": False,
    "field_rules": {},
}


def _values(prop: Property) -> dict[str, Any]:
    return {name: getattr(prop, name) for name in CHANGEABLE}


def _errors(after: Mapping[str, Any], sent: Mapping[str, Any], current: Property | None) -> dict[str, list[str]]:
    """What the columns cannot be together."""
    found: dict[str, list[str]] = {}
    if sent.get("accepts_offers"):
        if after["transaction_type"] != "sale":
            found["accepts_offers"] = [NOT_FOR_SALE]
        elif current is not None and current.archived_at:
            found["accepts_offers"] = [ARCHIVED]
    opens, closes = after["offers_open_at"], after["offers_close_at"]
    if opens and opens < now() - BACKDATED and opens != (current.offers_open_at if current else None):
        found["offers_open_at"] = [PASSED]
    if opens and closes and opens >= closes:
        found["offers_open_at" if "offers_close_at" not in sent else "offers_close_at"] = [WINDOW]
    return found
