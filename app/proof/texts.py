"""The exact texts a bidder was shown, each kept once under its hash."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Hashable
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask import current_app, render_template
from flask_babel import force_locale, ngettext
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.core.clock import now
from app.core.contacts import show_phone
from app.core.ledger import Actor
from app.core.quotas import hold_bytes
from app.core.unit_of_work import housekeeping, writing
from app.extensions import db
from app.models import Agency, AgencyNotice, Property, TextVersion
from app.privacy import retention

SHOWN = ("notice", "rules")


def notice(language: str, prop: Property | None = None, at: datetime | None = None) -> str:
    """The privacy notice shown at collection, as plain text: the agency's own as it was at a moment, or the default."""
    own = own_notice(prop.agency_id, language, at) if prop and prop.agency.notice_version else None
    return own or default_notice(language, prop.agency if prop else None, prop)


def notice_of(agency: Agency, language: str) -> str:
    """What the agency tells its clients now, of no one property."""
    return own_notice(agency.id, language) or default_notice(language, agency)


def default_notice(language: str, agency: Agency | None = None, prop: Property | None = None) -> str:
    """The notice of an agency that wrote none: with its name and contact, and how long it keeps what."""
    if agency is None:
        return _render("notice", language)
    days = retention.days_told(agency.id, prop.id if prop else None, agency.facts_at)
    return _render(
        "notice",
        language,
        agency=agency.name,
        agency_id=None if agency.test_of_id else agency.id,  # a test agency sends no mail, so no link either
        contact=", ".join(filter(None, (agency.email, _phone(agency)))),
        company=agency.company,
        privacy_contact=agency.privacy_contact,
        days=days,
    )


def has_changed(prop: Property, language: str, since: datetime) -> bool:
    """Whether the notice of a form opened then can no longer be told: it was the default, whose facts changed."""
    facts_at = prop.agency.facts_at
    return facts_at is not None and facts_at > since and own_notice(prop.agency_id, language, since) is None


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
    """From now on clients are shown this text; an empty one brings the default back. All that was ever shown is kept,
    and counted: raises `QuotaReached`."""
    body = "\n".join(line.rstrip() for line in body.replace("\0", "").splitlines()).strip()
    if body == (own_notice(agency_id, language) or ""):
        return
    with writing(agency_id) as tx:
        hold_bytes(tx)
        tx.weigh(len(body.encode()))
    digest = _keep("notice", language, body) if body else None
    with writing(agency_id) as tx:
        numbers = select(func.max(AgencyNotice.n)).where(
            AgencyNotice.agency_id == agency_id, AgencyNotice.language == language
        )
        n = (tx.connection.execute(numbers).scalar() or 0) + 1
        row = {"agency_id": agency_id, "language": language, "n": n, "at": tx.at, "sha256": digest}
        tx.connection.execute(insert(AgencyNotice), row)
        raised = update(Agency).where(Agency.id == agency_id).values(notice_version=Agency.notice_version + 1)
        tx.connection.execute(raised)
        tx.record("notice.changed", agency_id, by, {"language": language, "sha256": digest.hex() if digest else ""})


def rules(language: str) -> str:
    """What accepting means and what a simple signature is worth, as shown beside the button."""
    return _render("rules", language)


def _render(kind: str, language: str, **given: Hashable) -> str:
    settings = current_app.extensions["bidflux_settings"]
    given |= {"support_email": settings.support_email, "base_url": settings.base_url}
    return _rendered(kind, language, tuple(given.items()))


@lru_cache(maxsize=1024)
def _rendered(kind: str, language: str, given: tuple[tuple[str, Any], ...]) -> str:
    values = dict(given)
    with force_locale(language):
        values["days"] = {name.removesuffix("_days"): span(number) for name, number in values.get("days", ())}
        return render_template(f"texts/{kind}.{language}.txt", **values).strip()


def span(days: int) -> str:
    """So many days in words; whole years as such."""
    years, rest = divmod(days, 365)
    return str(
        ngettext("%(num)d day", "%(num)d days", days) if rest else ngettext("%(num)d year", "%(num)d years", years)
    )


def _phone(agency: Agency) -> str:
    return show_phone(agency.phone) if agency.phone else ""


def shown(prop: Property, language: str, at: datetime) -> dict[str, tuple[str, str]]:
    """The texts of a form that was opened then, by kind, each with its version: the SHA-256 (hex) that is kept."""
    found = {kind: _text(kind, language, prop, at) for kind in SHOWN}
    return {kind: (body, _digest(body).hex()) for kind, body in found.items()}


def kept_all(prop: Property, language: str, at: datetime) -> dict[str, str]:
    """The versions of the same texts, each stored first when it is new."""
    return keep(shown(prop, language, at), language)


def keep(found: dict[str, tuple[str, str]], language: str) -> dict[str, str]:
    """The versions of texts that `shown` gave, each stored first when it is new."""
    known: set[bytes] = current_app.extensions["bidflux_known_texts"]
    for kind, (body, version) in found.items():
        if bytes.fromhex(version) not in known:
            _keep(kind, language, body)
    return {kind: version for kind, (_body, version) in found.items()}


def kept(kind: str, language: str, prop: Property | None = None, at: datetime | None = None) -> str:
    """The SHA-256 (hex) of the text of that kind, as it was at a moment; stores it first when it is new."""
    return _keep(kind, language, _text(kind, language, prop, at)).hex()


def _text(kind: str, language: str, prop: Property | None, at: datetime | None) -> str:
    return notice(language, prop, at) if kind == "notice" else _render(kind, language)


def _digest(body: str) -> bytes:
    return hashlib.sha256(body.encode()).digest()


def _keep(kind: str, language: str, body: str) -> bytes:
    digest = _digest(body)
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
