"""Photos that a CRM names by their address: noted with the property, fetched by a job, served by us.

A property has one photo. Each address is fetched once; the same picture under another address changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, update

from app.core.clock import now
from app.core.keys import agency_key
from app.core.ledger import SYSTEM
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, seal, unseal
from app.extensions import db
from app.models import PhotoCopy, Property, Upload
from app.outbound.addresses import Refused
from app.outbound.http_client import HttpClient, Unreachable
from app.outbound.images import PHOTO_BYTES, NotAPicture, Picture, read_photo
from app.outbound.written_urls import as_called
from app.properties.editing import put_photo

SECONDS = 30.0
LEASE = timedelta(minutes=5)
PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
TRIES = len(PAUSES) + 1
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
SHOWN = 20


class _NoPhoto(Exception):
    """No picture came: the reason, and whether trying later may help."""

    def __init__(self, code: str, *, later: bool = False) -> None:
        self.code, self.later = code, later
        super().__init__(code)


def wish(tx: UnitOfWork, named: Mapping[uuid.UUID, str]) -> None:
    """Note the addresses of photos by property, within a unit of work. A known one is not fetched again."""
    if not named:
        return
    mine = (PhotoCopy.agency_id == tx.agency_id, PhotoCopy.property_id.in_(named))
    query = select(PhotoCopy.property_id, PhotoCopy.url_ct).where(*mine)
    known = {row.property_id: _url(tx.agency_id, row.property_id, row.url_ct) for row in tx.connection.execute(query)}
    for property_id, url in named.items():
        if known.get(property_id) == url:
            continue
        sealed = seal(agency_key(tx.agency_id, "secret"), _place(tx.agency_id, property_id), url.encode())
        fresh = {"url_ct": sealed, "due_at": tx.at, "tries": 0, "fault": "", "updated_at": tx.at}
        if property_id in known:
            of_property = (PhotoCopy.agency_id == tx.agency_id, PhotoCopy.property_id == property_id)
            tx.connection.execute(update(PhotoCopy).where(*of_property).values(**fresh))
        else:
            ids = {"property_id": property_id, "agency_id": tx.agency_id}
            tx.connection.execute(insert(PhotoCopy), {**ids, **fresh})


def forget(tx: UnitOfWork, property_id: uuid.UUID) -> None:
    """No longer wait for the photo of a property."""
    mine = (PhotoCopy.agency_id == tx.agency_id, PhotoCopy.property_id == property_id)
    tx.connection.execute(delete(PhotoCopy).where(*mine))


def waiting() -> Sequence[uuid.UUID]:
    """Agencies with a photo that is due, the longest waiting first."""
    db.session.rollback()
    due = select(PhotoCopy.agency_id).where(PhotoCopy.due_at <= now(), PhotoCopy.tries < TRIES)
    return db.session.scalars(due.group_by(PhotoCopy.agency_id).order_by(func.min(PhotoCopy.due_at))).all()


def copy_next(agency_id: uuid.UUID, http: HttpClient) -> bool:
    """Fetch the photo of an agency that has waited longest; False when none is due."""
    taken = _take(agency_id)
    if taken is None:
        return False
    try:
        picture = _fetch(http, _url(taken.agency_id, taken.property_id, taken.url_ct))
    except _NoPhoto as fault:
        _give_up(taken, fault)
    else:
        _keep(taken, picture)
    return True


def failed(agency_id: uuid.UUID) -> list[tuple[Property, str]]:
    """Properties whose photo could not be copied, and why: the latest few."""
    query = select(Property, PhotoCopy.fault).join(PhotoCopy, PhotoCopy.property_id == Property.id)
    query = query.where(PhotoCopy.agency_id == agency_id, Property.agency_id == agency_id, PhotoCopy.fault != "")
    rows = db.session.execute(query.order_by(PhotoCopy.updated_at.desc()).limit(SHOWN))
    return [(row[0], row[1]) for row in rows]


def _place(agency_id: uuid.UUID, property_id: uuid.UUID) -> Place:
    return Place(agency_id, "photo_copy", "url", property_id)


def _url(agency_id: uuid.UUID, property_id: uuid.UUID, sealed: bytes) -> str:
    return unseal(agency_key(agency_id, "secret"), _place(agency_id, property_id), sealed).decode()


def _take(agency_id: uuid.UUID) -> PhotoCopy | None:
    """Take the one that has waited longest. If its process dies, another takes it later, five times at most."""
    db.session.rollback()
    query = select(PhotoCopy).where(
        PhotoCopy.agency_id == agency_id, PhotoCopy.due_at <= now(), PhotoCopy.tries < TRIES
    )
    found = db.session.scalar(query.order_by(PhotoCopy.due_at).limit(1))
    if found is None:
        return None
    db.session.expunge(found)
    with writing(found.agency_id) as tx:
        free = (PhotoCopy.property_id == found.property_id, PhotoCopy.url_ct == found.url_ct)
        claim = update(PhotoCopy).where(*free, PhotoCopy.due_at == found.due_at)
        claimed = tx.connection.execute(claim.values(due_at=tx.at + LEASE, tries=PhotoCopy.tries + 1)).rowcount
    found.tries += 1
    return found if claimed else None


def _fetch(http: HttpClient, url: str) -> Picture:
    headers = {"Accept": "image/jpeg, image/png, image/webp"}
    try:
        answer = http.call("GET", as_called(url), headers=headers, deadline=SECONDS, keep=PHOTO_BYTES)
    except Refused as why:
        raise _NoPhoto("port" if str(why) == "port" else "address") from None
    except Unreachable as fault:
        raise _NoPhoto(fault.code, later=True) from None
    if answer.status != 200:
        raise _NoPhoto("status", later=answer.status in PASSING)
    if not answer.whole:
        raise _NoPhoto("large")
    try:
        return read_photo(answer.body)
    except NotAPicture:
        raise _NoPhoto("not_photo") from None


def _keep(taken: PhotoCopy, picture: Picture) -> None:
    with writing(taken.agency_id) as tx:
        if not _settle(tx, taken, due_at=None, fault=""):
            return
        mine = (Property.agency_id == tx.agency_id, Property.id == taken.property_id, Upload.id == Property.photo_id)
        stored = tx.connection.scalar(select(Upload.sha256).where(*mine))
        if stored != picture.columns()["sha256"]:
            put_photo(tx, taken.property_id, picture, by=SYSTEM)


def _give_up(taken: PhotoCopy, fault: _NoPhoto) -> None:
    """For now, or for good."""
    with writing(taken.agency_id) as tx:
        again = fault.later and taken.tries < TRIES
        _settle(tx, taken, due_at=tx.at + PAUSES[taken.tries - 1] if again else None, fault=fault.code)


def _settle(tx: UnitOfWork, taken: PhotoCopy, **values: object) -> bool:
    """Record the result; False when another address was named meanwhile."""
    mine = (PhotoCopy.agency_id == tx.agency_id, PhotoCopy.property_id == taken.property_id)
    settled = update(PhotoCopy).where(*mine, PhotoCopy.url_ct == taken.url_ct).values(updated_at=tx.at, **values)
    return bool(tx.connection.execute(settled).rowcount)
