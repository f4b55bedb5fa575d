"""Mails about personal data: to who asked about theirs, and to owners about what waits for them."""

from __future__ import annotations

from typing import Any

from app.accounts.mails import to_colleague
from app.core.clock import now
from app.core.signed_links import PRIVACY, sign
from app.core.urls import base_url
from app.delivery.composing import DeliveryRow, NoLongerOwed, compose_mail, speaking
from app.delivery.registry import Registry
from app.extensions import db
from app.models import Agency
from app.outbound.smtp import Mailbox, OutgoingMail, sender
from app.privacy import data_requests, retention


def register(registry: Registry) -> None:
    registry.mail("privacy_proof", _to_who_asked, keeps_answer=False)
    registry.mail("privacy_ended", _to_who_asked, keeps_answer=False)
    registry.mail("privacy_asked", to_colleague(_asked))
    registry.mail("retention_due", to_colleague(_due))


def _to_who_asked(delivery: DeliveryRow) -> OutgoingMail:
    """The link that proves the request, or the agency's answer. `NoLongerOwed` once it, or its address, is gone."""
    data_request = data_requests.by_id(delivery.id_of("privacy_request"))
    address = data_requests.address_of(data_request) if data_request else None
    if data_request is None or address is None:
        raise NoLongerOwed("gone")
    agency = db.session.get_one(Agency, delivery.agency_id)
    values = {
        "agency_name": agency.name,
        "kind": data_request.kind,
        "outcome": data_request.outcome,
        "offers": data_request.offers,
        "reason": data_requests.reason_of(data_request),
        "url": f"{base_url()}/{data_request.language}/gdpr/request/{sign(PRIVACY, data_request.id)}",
    }
    with speaking(data_request.language, agency.zone):
        reply_to = Mailbox(agency.email, agency.name)
        return compose_mail(delivery, values, to=Mailbox(address, ""), sender=sender(agency.name), reply_to=reply_to)


def _asked(delivery: DeliveryRow) -> dict[str, Any]:
    """How many people wait for the agency's answer about their data; `NoLongerOwed` when none does."""
    open_ones = [
        data_request for data_request in data_requests.waiting(delivery.agency_id) if data_request.ended_at is None
    ]
    if not open_ones:
        raise NoLongerOwed("answered")
    return {"count": len(open_ones), "due_at": open_ones[0].due_at, "url": f"{base_url()}/app/settings/requests"}


def _due(delivery: DeliveryRow) -> dict[str, Any]:
    """How many offers are forgotten within a week from now; none any more, nothing to say."""
    count = retention.coming_up(delivery.agency_id, now())
    if not count:
        raise NoLongerOwed("kept")
    return {"count": count, "url": f"{base_url()}/app/settings/retention"}
