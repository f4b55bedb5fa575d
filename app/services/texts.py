"""The exact texts a bidder was shown, kept once each under their own hash."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from flask import current_app, render_template
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app.clock import now
from app.extensions import db
from app.models import TextVersion
from app.writing import housekeeping

LANGUAGES = ("ro", "en")


def notice(language: str) -> str:
    """The default privacy notice shown at collection, as plain text."""
    return _render("notice", language)


def rules(language: str) -> str:
    """What accepting means and what a simple signature is worth, as shown beside the button."""
    return _render("rules", language)


@lru_cache(maxsize=8)
def _render(kind: str, language: str) -> str:
    return render_template(f"texts/{kind}.{language}.txt", support_email=_support()).strip()


def _support() -> str:
    support: str = current_app.extensions["bidflux_settings"].support_email
    return support


def kept(kind: str, language: str) -> str:
    """The SHA-256 (hex) of the current text of that kind; stores it first when it is new."""
    body = _render(kind, language)
    digest = hashlib.sha256(body.encode()).digest()
    known: set[bytes] = current_app.extensions["bidflux_known_texts"]
    if digest not in known:
        _store(digest, kind, language, body)
        known.add(digest)
    return digest.hex()


def _store(digest: bytes, kind: str, language: str, body: str) -> None:
    if db.session.scalar(select(TextVersion.sha256).where(TextVersion.sha256 == digest)):
        return
    try:
        with housekeeping() as connection:
            row = {"sha256": digest, "kind": kind, "language": language, "body": body, "created_at": now()}
            connection.execute(insert(TextVersion), row)
    except IntegrityError:
        pass  # another process stored the same text a moment ago
