"""Mails to who is asked in by an agency: the link, or, where the address signs in elsewhere, a word that it does."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, g
from flask_babel import force_locale
from sqlalchemy import select

from app.accounts import invitations
from app.core.urls import base_url
from app.delivery.letters import Owed, render
from app.extensions import db
from app.models import Agency, User
from app.outbound.smtp import Letter, Party, paragraphs, sender


def compose(owed: Owed) -> Letter:
    """Raises `NoLongerOwed` once they are in, were asked again or no more, or the link's time is over."""
    held, url, until = invitations.of_mail(owed)
    agency = db.session.get_one(Agency, owed.agency_id)
    known = db.session.scalar(select(User.id).where(User.email == held.email, User.active)) is not None
    template = "account_known" if known else "account_invited"
    g.language, g.zone = held.language, agency.zone
    with force_locale(held.language):
        values = {
            "lang": held.language,
            "agency_name": agency.name,
            "reader_name": held.full_name,
            "reader_email": held.email,
            "support_email": current_app.extensions["bidflux_settings"].support_email,
            "url": f"{base_url()}/login/forgot" if known else url,
            "until": until,
        }
        return Letter(
            owed.id,
            host=urlsplit(base_url()).hostname or "localhost",
            to=Party(held.email, held.full_name),
            sender=sender(),
            subject=render(template, "subject.txt", values),
            text=paragraphs(render(template, "body.txt", values)),
            html=paragraphs(render(template, "body.html", values)),
            at=owed.created_at,
        )
