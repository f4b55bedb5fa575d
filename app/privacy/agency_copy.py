"""Everything that an agency has, in one file that can be read without the product.

A ZIP of JSON: the agency and its people, properties and offers line by line, everything sealed opened; photos and
receipts as they are; the whole ledger, which `tools/verify_receipt.py` checks; last a manifest with the SHA-256 of
each file.
"""

from __future__ import annotations

import hashlib
import json
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.core.clock import now, rfc3339
from app.core.ledger import SYSTEM
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Agency, Invitation, Offer, Property, Upload, User
from app.privacy.personal_data import held_of
from app.proof import export as ledger_export
from app.proof import receipt_reading
from app.properties.representation import property_json

FORMAT = "bidflux.agency/1"
FACTS = ("name", "email", "phone", "company", "privacy_contact", "zone", "language", "currency")
ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
BATCH = 200


class _Archive:
    """A ZIP being written, and what has gone into it."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self.file = file
        self.manifest: dict[str, dict[str, Any]] = {}

    def add(self, name: str, pieces: Iterator[bytes]) -> int:
        """One file of it, piece by piece; returns how many."""
        told, size, count = hashlib.sha256(), 0, 0
        with self.file.open(name, "w", force_zip64=True) as out:
            for piece in pieces:
                told.update(piece)
                size, count = size + out.write(piece), count + 1
        self.manifest[name] = {"bytes": size, "sha256": told.hexdigest()}
        return count


def write(agency_id: uuid.UUID, path: Path) -> dict[str, Any]:
    """Write the file, readable by its owner alone, and sum it up. That it was made is the ledger's last entry, as long
    as nothing else happens. Raises `OSError`, also where the file is there already."""
    path.touch(mode=0o600, exist_ok=False)
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            told = _fill(agency_id, _Archive(file))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    with writing(agency_id) as tx:
        tx.record("agency.exported", agency_id, SYSTEM, {"offers": told["offers"]})
    return told


def _fill(agency_id: uuid.UUID, archive: _Archive) -> dict[str, Any]:
    ledger = ledger_export.export(agency_id, anonymised=False, by=SYSTEM)
    archive.add("ledger.jsonl", ledger)
    agency = db.session.get_one(Agency, agency_id)
    name = agency.name
    facts = {"id": str(agency_id), "created_at": rfc3339(agency.created_at)}
    archive.add("agency.json", _one(facts | {fact: getattr(agency, fact) for fact in FACTS}))
    archive.add("people.json", _one(_people(agency_id)))
    told: dict[str, Any] = {"agency": str(agency_id), "name": name}
    told["properties"] = archive.add("properties.jsonl", _lines(_properties(agency_id)))
    told["offers"] = archive.add("offers.jsonl", _lines(_offers(agency_id)))
    for at, pieces in _files(agency_id):
        archive.add(at, pieces)
    manifest = {"format": FORMAT, **told, "made_at": rfc3339(now()), "files": dict(archive.manifest)}
    archive.add("manifest.json", _one(manifest))
    return {**told, "files": len(archive.manifest)}


def _one(body: Any) -> Iterator[bytes]:
    yield json.dumps(body, ensure_ascii=False, indent=2).encode() + b"\n"


def _lines(bodies: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for body in bodies:
        yield json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _people(agency_id: uuid.UUID) -> dict[str, Any]:
    columns = ("email", "full_name", "phone", "role")

    def shown(row: Any) -> dict[str, Any]:
        return {"id": str(row.id), **{column: getattr(row, column) for column in columns}}

    users = db.session.scalars(select(User).where(User.agency_id == agency_id).order_by(User.created_at, User.id))
    invited = db.session.scalars(select(Invitation).where(Invitation.agency_id == agency_id).order_by(Invitation.id))
    return {
        "people": [{**shown(row), "active": row.active, "since": rfc3339(row.created_at)} for row in users],
        "invited": [{**shown(row), "invited_at": rfc3339(row.invited_at)} for row in invited],
    }


def _batches(column: Any, agency_id: uuid.UUID) -> Iterator[list[uuid.UUID]]:
    """The ids of an agency's rows, some at a time, the oldest first."""
    after = uuid.UUID(int=0)
    while True:
        more = select(column).where(column.class_.agency_id == agency_id, column > after).order_by(column).limit(BATCH)
        ids = list(db.session.scalars(more))
        if not ids:
            return
        yield ids
        after = ids[-1]
        db.session.expunge_all()


def _properties(agency_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    for ids in _batches(Property.id, agency_id):
        found = select(Property).where(Property.agency_id == agency_id, Property.id.in_(ids)).order_by(Property.id)
        for prop in db.session.scalars(found.options(joinedload(Property.agent))):
            yield property_json(prop)


def _offers(agency_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    for ids in _batches(Offer.id, agency_id):
        yield from held_of(agency_id, ids)


def _files(agency_id: uuid.UUID) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Photos by the id of their property, receipts by the reference of their offer."""
    for ids in _batches(Upload.id, agency_id):
        for upload_id in ids:
            row = db.session.execute(
                select(Upload.property_id, Upload.mime, Upload.body).where(Upload.id == upload_id)
            ).one()
            yield f"photos/{row.property_id}/{upload_id}.{ENDINGS.get(row.mime, 'bin')}", iter([row.body])
    for ids in _batches(Offer.id, agency_id):
        named = db.session.execute(select(Offer.id, Offer.reference).where(Offer.id.in_(ids)).order_by(Offer.id)).all()
        for offer in named:
            if receipt := receipt_reading.stored(agency_id, offer.id):
                yield f"receipts/{offer.reference}.pdf", iter([receipt])
