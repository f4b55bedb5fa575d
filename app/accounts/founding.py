"""The first agency of an installation, and its owner: made by a link, once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from app.accounts import editing as accounts
from app.accounts import facts as account_facts
from app.accounts.editing import NewUser
from app.accounts.passwords import check_password
from app.core.clock import now
from app.core.errors import Invalid, StaleVersion
from app.core.ids import new_id
from app.core.ledger import Actor
from app.core.signed_links import SETUP, sign
from app.core.unit_of_work import UnitOfWork, housekeeping
from app.core.urls import base_url
from app.extensions import db
from app.models import Agency, SetupLink
from app.models.agency import OWNER

GOOD_FOR = timedelta(hours=24)
SHOWN_AGAIN = timedelta(hours=1)  # while it is good for as long; one that ends sooner is followed by another


@dataclass(frozen=True, slots=True)
class FirstAgency:
    """What its owner says of it; the address that buyers read is the owner's own until they name another."""

    name: str
    zone: str
    currency: str


def is_founded() -> bool:
    """Whether there is an agency."""
    return db.session.scalar(select(Agency.id).limit(1)) is not None


def link() -> tuple[str, datetime] | None:
    """Where the first agency is made, and until when; None once there is one. Whoever asks again within the day is told
    the same, so that a process that is started again, or another machine, does not name another."""
    if is_founded():
        return None
    at = now()
    good = select(SetupLink.id, SetupLink.expires_at).where(SetupLink.expires_at > at + SHOWN_AGAIN)
    with housekeeping() as connection:
        connection.execute(delete(SetupLink).where(SetupLink.expires_at <= at))
        held = connection.execute(good.order_by(SetupLink.expires_at.desc()).limit(1)).one_or_none()
        link_id, until = (held.id, held.expires_at) if held else (new_id(), at + GOOD_FOR)
        if held is None:
            connection.execute(insert(SetupLink), {"id": link_id, "created_at": at, "expires_at": until})
    return f"{base_url()}/setup/{sign(SETUP, link_id)}", until


def of_link(link_id: uuid.UUID) -> SetupLink | None:
    """The row behind a link; None once it was used, its time is over, or an agency was made otherwise."""
    found = db.session.get(SetupLink, link_id)
    return found if found and found.expires_at > now() and not is_founded() else None


def found(link_id: uuid.UUID, first: FirstAgency, owner: NewUser, password: str) -> uuid.UUID:
    """Make the agency and its owner, both or neither; the owner's id. Raises `Invalid`, and `StaleVersion` when the
    link is good no more."""
    owner = NewUser(**{**asdict(owner), "role": OWNER})
    _check(first, owner)
    check_password(password, [text for text in (first.name, owner.email, owner.full_name, owner.phone) if text])
    hashed, made = accounts.hasher.hash(password), list[uuid.UUID]()

    def owned(tx: UnitOfWork) -> None:
        _use(tx, link_id)
        made.append(accounts.create_user(tx.agency_id, owner, password, hashed=hashed))
        tx.record("agency.founded", tx.agency_id, Actor("user", made[0]))

    accounts.create_agency(
        first.name, owner.email, zone=first.zone, currency=first.currency, language=owner.language, then=owned
    )
    return made[0]


def _check(first: FirstAgency, owner: NewUser) -> None:
    """Raise `Invalid` with all that is wrong of both."""
    wrong: dict[str, Sequence[object]] = {}
    for check, values in ((account_facts.of_agency, asdict(first)), (account_facts.of_user, asdict(owner))):
        try:
            check(values)
        except Invalid as invalid:
            wrong.update(invalid.errors)
    if wrong:
        raise Invalid(wrong)


def _use(tx: UnitOfWork, link_id: uuid.UUID) -> None:
    """All links are used up with the first; raises `StaleVersion` when another was faster. Two who hold different ones
    wait for each other here, in the same order."""
    held = tx.connection.scalars(select(SetupLink.id).order_by(SetupLink.id).with_for_update()).all()
    others = tx.connection.scalar(select(Agency.id).where(Agency.id != tx.agency_id).limit(1))
    ended = tx.connection.scalar(select(SetupLink.id).where(SetupLink.id == link_id, SetupLink.expires_at <= tx.at))
    if link_id not in held or others or ended:
        raise StaleVersion
    tx.connection.execute(delete(SetupLink))
