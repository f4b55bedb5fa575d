"""Mails to people of an agency about the agency itself, not about one offer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import current_app, g
from flask_babel import force_locale
from sqlalchemy import select

from app.accounts import invitation_mails, invitations
from app.core.clock import now
from app.core.urls import base_url
from app.delivery.letters import NoLongerOwed, Owed, render
from app.extensions import db
from app.feeds.runs import vanished_of
from app.models import Agency, User, WebhookEndpoint
from app.outbound.smtp import Letter, Party, paragraphs, sender
from app.privacy import mails, requests, retention
from app.properties.handover import handed_at
from app.webhooks import editing as webhooks


def compose(owed: Owed) -> Letter:
    """The letter to the user whom the delivery names. Raises `NoLongerOwed` when there is nothing to tell any more."""
    if owed.template in mails.TEMPLATES:
        return mails.compose(owed)
    if owed.template == "invitation":
        return invitation_mails.compose(owed)
    row = db.session.execute(
        select(User.full_name, User.email, User.language, User.active, Agency.name, Agency.zone)
        .join(Agency, Agency.id == User.agency_id)
        .where(User.agency_id == owed.agency_id, User.id == owed.user_id)
    ).one_or_none()
    if row is None or not row.active:
        raise NoLongerOwed("left")
    g.language, g.zone = row.language, row.zone
    values = _MORE[owed.template](owed)
    with force_locale(row.language):
        values |= {
            "lang": row.language,
            "agency_name": row.name,
            "reader_name": row.full_name,
            "reader_email": row.email,
            "support_email": current_app.extensions["bidflux_settings"].support_email,
        }
        return Letter(
            owed.id,
            host=urlsplit(base_url()).hostname or "localhost",
            to=Party(row.email, row.full_name),
            sender=sender(),
            subject=render(owed.template, "subject.txt", values),
            text=paragraphs(render(owed.template, "body.txt", values)),
            html=paragraphs(render(owed.template, "body.html", values)),
            at=owed.created_at,
        )


def _failing(owed: Owed) -> dict[str, Any]:
    """The endpoints that fail now; none left, nothing to say."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.agency_id == owed.agency_id,
        WebhookEndpoint.failing_since.is_not(None),
        WebhookEndpoint.off_at.is_(None) if owed.template != "webhook_off" else WebhookEndpoint.off_at.is_not(None),
    )
    found = db.session.scalars(query.order_by(WebhookEndpoint.failing_since)).all()
    if not found:
        raise NoLongerOwed("mended")
    lines = [{"url": webhooks.url_of(one), "since": one.failing_since, "reason": one.off_reason} for one in found]
    return {"endpoints": lines, "url": f"{base_url()}/app/settings/webhooks"}


def _vanished(owed: Owed) -> dict[str, Any]:
    """The person's properties that a feed no longer names; none left, nothing to say."""
    found = vanished_of(owed.agency_id, owed.user_id)
    if not found:
        raise NoLongerOwed("back")
    lines = [{"title": one.title, "url": f"{base_url()}/app/properties/{one.id}"} for one in found]
    return {"properties": lines}


def _due(owed: Owed) -> dict[str, Any]:
    """How many offers are forgotten within a week from now; none any more, nothing to say."""
    count = retention.coming_up(owed.agency_id, now())
    if not count:
        raise NoLongerOwed("kept")
    return {"count": count, "url": f"{base_url()}/app/settings/retention"}


def _asked(owed: Owed) -> dict[str, Any]:
    """How many people wait for the agency's answer about their data; none any more, nothing to say."""
    open_ones = [one for one in requests.waiting(owed.agency_id) if one.ended_at is None]
    if not open_ones:
        raise NoLongerOwed("answered")
    return {"count": len(open_ones), "due_at": open_ones[0].due_at, "url": f"{base_url()}/app/settings/requests"}


def _handed(owed: Owed) -> dict[str, Any]:
    """What the person was made responsible for in one go; nothing of it theirs any more, nothing to say."""
    found = handed_at(owed.agency_id, owed.user_id, owed.created_at)
    if not found:
        raise NoLongerOwed("handed on")
    return {
        "properties": [
            {"title": prop.local_title(g.language), "waiting": waiting, "url": f"{base_url()}/app/properties/{prop.id}"}
            for prop, waiting in found
        ]
    }


def _entry(owed: Owed) -> dict[str, Any]:
    """The link by which a colleague chooses a password."""
    return {"url": invitations.link_for(owed), "until": owed.created_at + invitations.LIVES[owed.template]}


_MORE = {
    "account_invited": _entry,
    "account_reset": _entry,
    "feed_vanished": _vanished,
    "property_handed": _handed,
    "webhook_failing": _failing,
    "webhook_failing_long": _failing,
    "webhook_off": _failing,
    "retention_due": _due,
    "privacy_asked": _asked,
}
