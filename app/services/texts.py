"""The exact texts a bidder was shown, kept once each under their own hash."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from functools import lru_cache

from flask import current_app, render_template
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.clock import now
from app.contacts import show_phone
from app.extensions import db
from app.ledger import Actor
from app.models import Agency, AgencyNotice, TextVersion
from app.writing import housekeeping, writing

LANGUAGES = ("ro", "en")


def notice(language: str, agency: Agency | None = None, at: datetime | None = None) -> str:
    """The privacy notice shown at collection, as plain text: the agency's own as it was at a moment, or the default."""
    own = own_notice(agency.id, language, at) if agency and agency.notice_version else None
    return own or default_notice(language, agency)


def default_notice(language: str, agency: Agency | None = None) -> str:
    """The notice of an agency that wrote none."""
    if agency is None:
        return _render("notice", language)
    return _render("notice", language, agency.name, ", ".join(filter(None, (agency.email, _phone(agency)))))


def own_notice(agency_id: uuid.UUID, language: str, at: datetime | None = None) -> str | None:
    """What the agency wrote itself, the latest not later than `at`; None where the default holds."""
    query = (
        select(TextVersion.body)
        .select_from(AgencyNotice)
        .outerjoin(TextVersion, TextVersion.sha256 == AgencyNotice.sha256)
        .where(AgencyNotice.agency_id == agency_id, AgencyNotice.language == language)
    )
    if at:
        query = query.where(AgencyNotice.at <= at)
    return db.session.scalar(query.order_by(AgencyNotice.n.desc()).limit(1))


def set_notice(agency_id: uuid.UUID, language: str, body: str, *, by: Actor) -> None:
    """From now on clients are shown this text; an empty one brings the default back."""
    body = "\n".join(line.rstrip() for line in body.replace("\0", "").splitlines()).strip()
    if body == (own_notice(agency_id, language) or ""):
        return
    digest = _keep("notice", language, body) if body else None
    with writing(agency_id) as tx:
        held = select(func.max(AgencyNotice.n)).where(
            AgencyNotice.agency_id == agency_id, AgencyNotice.language == language
        )
        n = (tx.connection.execute(held).scalar() or 0) + 1
        row = {"agency_id": agency_id, "language": language, "n": n, "at": tx.at, "sha256": digest}
        tx.connection.execute(insert(AgencyNotice), row)
        raised = update(Agency).where(Agency.id == agency_id).values(notice_version=Agency.notice_version + 1)
        tx.connection.execute(raised)
        tx.record("notice.changed", agency_id, by, {"language": language, "sha256": digest.hex() if digest else ""})


def rules(language: str) -> str:
    """What accepting means and what a simple signature is worth, as shown beside the button."""
    return _render("rules", language)


@lru_cache(maxsize=1024)
def _render(kind: str, language: str, agency: str = "", contact: str = "") -> str:
    given = {"support_email": _support(), "agency": agency, "contact": contact}
    return render_template(f"texts/{kind}.{language}.txt", **given).strip()


def _support() -> str:
    support: str = current_app.extensions["bidflux_settings"].support_email
    return support


def _phone(agency: Agency) -> str:
    return show_phone(agency.phone) if agency.phone else ""


def kept(kind: str, language: str, agency: Agency | None = None, at: datetime | None = None) -> str:
    """The SHA-256 (hex) of the text of that kind, as it was at a moment; stores it first when it is new."""
    body = notice(language, agency, at) if kind == "notice" else _render(kind, language)
    return _keep(kind, language, body).hex()


def _keep(kind: str, language: str, body: str) -> bytes:
    digest = hashlib.sha256(body.encode()).digest()
    known: set[bytes] = current_app.extensions["bidflux_known_texts"]
    if digest not in known:
        _store(digest, kind, language, body)
        known.add(digest)
    return digest


def _store(digest: bytes, kind: str, language: str, body: str) -> None:
    if db.session.scalar(select(TextVersion.sha256).where(TextVersion.sha256 == digest)):
        return
    try:
        with housekeeping() as connection:
            row = {"sha256": digest, "kind": kind, "language": language, "body": body, "created_at": now()}
            connection.execute(insert(TextVersion), row)
    except IntegrityError:
        pass  # another process stored the same text a moment ago
