"""An example of every body and every answer, as `openapi.json` and its viewer show them. A test sends each one.

In the order of the paths they tell one story: the answers to earlier calls make the later ones work.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from app.blueprints.api.schemas import events, offers, properties, stats, webhooks
from app.web.errors.problems import ProblemKind
from app.webhooks.samples import OFFER, PROPERTY, sample

EXTERNAL_ID = "CRM-1042"
AT = "2026-11-23T10:15:00.000000Z"
EPOCH = "9f86d081c7"
ACTOR = {"type": "bidder", "id": None}
_HOUSE = {
    "title": "Apartament cu 3 camere în Mănăștur",
    "title_en": "Three-room apartment in Mănăștur",
    "zone": "Mănăștur",
    "city": "Cluj-Napoca",
    "county": "Cluj",
    "usable_area_sqm": 68,
    "rooms": 3,
    "asking_price": "125000.00",
    "currency": "EUR",
    "agent": {"email": "agent@agentie.example"},
    "accepts_offers": True,
}
BODIES: dict[type[BaseModel], dict[str, Any]] = {
    properties.PropertyNew: {**_HOUSE, "external_id": "CRM-1043"},
    properties.PropertyPut: _HOUSE,
    properties.PropertyBulk: {
        "data": [{"external_id": EXTERNAL_ID, **_HOUSE}, {"external_id": "CRM-1044", "title": "Casă în Borhanci"}]
    },
    properties.PropertyPatch: {"asking_price": "123500.00", "offers_close_at": "2035-12-31T16:00:00Z"},
    offers.OfferNew: {
        "property_external_id": EXTERNAL_ID,
        "amount": "118500.00",
        "financing": "mixed",
        "own_funds_amount": "50000.00",
        "payment_term_days": 30,
        "bidder": {"full_name": "Măriuca Țepeș-Ionescu", "email": "mariuca@client.example", "phone": "0712 034 567"},
    },
    offers.StatusChange: {"status": "accepted", "reason": "Prețul cerut", "notify_bidder": False},
    webhooks.WebhookNew: {
        "url": "https://crm.example.ro/bidflux",
        "events": ["offer.created", "offer.status_changed", "offer.erased"],
    },
    webhooks.WebhookPatch: {"enabled": True},
    webhooks.WebhookTest: {"type": "offer.created"},
    webhooks.WebhookReplay: {"since": "2026-11-20T00:00:00Z"},
}


def event(kind: str) -> dict[str, Any]:
    """An event of a type, as it is sent."""
    return {"type": kind, "timestamp": AT, "seq": 42, "epoch": EPOCH, "actor": ACTOR, **sample(kind)}


def _page(*data: Any, **more: Any) -> dict[str, Any]:
    return {"data": list(data), "has_more": False, "next_cursor": None, **more}


_WEBHOOK = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8099",
    **BODIES[webhooks.WebhookNew],
    "enabled": True,
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
    "earlier_secret_until": None,
    "earlier_secrets_until": [],
    "created_at": AT,
    "updated_at": AT,
}
_DELIVERY = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8111",
    "webhook_id": _WEBHOOK["id"],
    "type": "offer.created",
    "seq": 42,
    "state": "delivered",
    "due_at": AT,
    "created_at": AT,
    "ended_at": AT,
    "attempts": [
        {
            "n": 1,
            "at": AT,
            "status": 200,
            "error": None,
            "milliseconds": 84,
            "request_headers": {"webhook-id": "01890a5d-ac96-774b-bcce-b302099a8111"},
            "answer_headers": {},
            "answer": "ok",
        }
    ],
}
_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105  # nosec B105  the numbers 0 to 31
_COUNTS = {
    "count": 1,
    "by_status": {"new": 0, "viewed": 0, "accepted": 1, "rejected": 0},
    "by_financing": {"cash": 0, "credit": 0, "mixed": 1},
    "viewed": 1,
    "median_seconds_to_view": 300,
    "decided": 1,
    "median_seconds_to_decision": 2700,
}
_AMOUNTS = {
    "currency": "EUR",
    "count": 1,
    "best": "118500.00",
    "median": "118500.00",
    "median_ratio_to_asking": "0.9480",
}
ANSWERS: dict[type[BaseModel], dict[str, Any]] = {
    properties.PropertyOut: PROPERTY,
    properties.PropertyPage: _page(PROPERTY),
    properties.PropertyBulkOut: {
        "data": [{"external_id": EXTERNAL_ID, "status": "unchanged", "property": {**PROPERTY, "warnings": []}}]
    },
    offers.OfferOut: OFFER,
    offers.OfferRecorded: {**OFFER, "warnings": []},
    offers.OfferPage: _page(OFFER),
    events.EventPage: _page(event("offer.created"), last_seq=42, epoch=EPOCH),
    stats.StatsOut: {
        **_COUNTS,
        "period_unit": "day",
        "by_period": [{"first": "2026-11-23", "last": "2026-11-23", "count": 1}],
        "by_currency": [_AMOUNTS],
        "by_property": [
            {
                **_COUNTS,
                "property_id": PROPERTY["id"],
                "property_external_id": EXTERNAL_ID,
                "title": PROPERTY["title"],
                "amounts": _AMOUNTS,
            }
        ],
    },
    webhooks.WebhookOut: _WEBHOOK,
    webhooks.WebhookPage: _page(_WEBHOOK),
    webhooks.WebhookMade: {**_WEBHOOK, "secret": _SECRET},
    webhooks.SecretOut: {"secret": _SECRET, "earlier_secret_until": AT},
    webhooks.ReplayOut: {"calls": 3},
    webhooks.DeliveryWhole: {**_DELIVERY, "body": json.dumps(event("offer.created"), ensure_ascii=False)},
    webhooks.DeliveryPage: _page(_DELIVERY),
}


def refusal(kind: ProblemKind) -> dict[str, Any]:
    """A problem of a kind; to be called where the language is set."""
    body: dict[str, Any] = {
        "type": kind.uri,
        "title": str(kind.title),
        "status": kind.status,
        "detail": str(kind.meaning),
        "request_id": "7ee976b752cde62a",
    }
    if kind.slug == "invalid":
        fault = {"pointer": "/asking_prise", "detail": "Unknown field; did you mean asking_price?"}
        body |= {"detail": "/asking_prise: Unknown field; did you mean asking_price?", "errors": [fault]}
    if kind.slug == "other-epoch":
        body |= {"epoch": EPOCH, "shared_until": 142}
    if kind.slug == "illegal-transition":
        body["legal"] = ["viewed", "rejected"]
    if kind.slug == "not-explicit":
        body["despite"] = ["expired", "second"]
    return body
