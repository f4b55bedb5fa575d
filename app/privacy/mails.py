"""Mails to who asked about their data: the link that proves the request, and what the agency answered."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, g
from flask_babel import force_locale
from sqlalchemy import select

from app.core.signed_links import privacy_token
from app.core.urls import base_url
from app.delivery.letters import NoLongerOwed, Owed, render
from app.extensions import db
from app.models import Agency, LedgerEntry
from app.outbound.smtp import Letter, Party, paragraphs, sender
from app.privacy import requests

TEMPLATES = ("privacy_proof", "privacy_ended")


def compose(owed: Owed) -> Letter:
    """Raises `NoLongerOwed` once the request, or its address, is gone."""
    entry = (LedgerEntry.agency_id == owed.agency_id, LedgerEntry.seq == -owed.event_seq)
    request_id = db.session.scalar(select(LedgerEntry.object_id).where(*entry))
    held = requests.by_id(request_id) if request_id else None
    address = requests.address_of(held) if held else None
    if held is None or address is None:
        raise NoLongerOwed("gone")
    agency = db.session.get_one(Agency, owed.agency_id)
    g.language, g.zone = held.language, agency.zone
    with force_locale(held.language):
        values = {
            "lang": held.language,
            "agency_name": agency.name,
            "support_email": current_app.extensions["bidflux_settings"].support_email,
            "kind": held.kind,
            "outcome": held.outcome,
            "offers": held.offers,
            "reason": requests.reason_of(held),
            "url": f"{base_url()}/{held.language}/gdpr/request/{privacy_token(held.id)}",
        }
        return Letter(
            owed.id,
            host=urlsplit(base_url()).hostname or "localhost",
            to=Party(address, ""),
            sender=sender(agency.name),
            reply_to=Party(agency.email, agency.name),
            subject=render(owed.template, "subject.txt", values),
            text=paragraphs(render(owed.template, "body.txt", values)),
            html=paragraphs(render(owed.template, "body.html", values)),
            at=owed.created_at,
        )
