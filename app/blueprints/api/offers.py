"""Offers: read, recorded and answered over the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response

from app.blueprints.api.blueprint import api
from app.blueprints.api.calls import ApiAnswer, file_answer, operation
from app.blueprints.api.offer_bodies import read_offer, sending_of
from app.blueprints.api.paging import link_next, next_cursor, page_body, place_of
from app.blueprints.api.preconditions import etag, expected_version
from app.blueprints.api.schemas.offers import (
    OfferNew,
    OfferOut,
    OfferPage,
    OfferQuery,
    OfferRecorded,
    StatusChange,
    order_known,
)
from app.core.access import get_offer, get_property
from app.core.contacts import NotAContact, read_email
from app.core.errors import Conflict, IllegalTransition, Invalid, NotFound, NotReady, StaleVersion, UnnamedConcern
from app.core.money import from_decimal_text
from app.models import Property
from app.offers import deciding
from app.offers.api_pages import list_offers, show_offer
from app.offers.list.filter import Moment, OfferFilter
from app.offers.list.order import DEFAULT_SORT, WITHIN_ONE_CURRENCY
from app.offers.recording import record
from app.privacy.access_log import note_key
from app.proof.receipt_reading import stored
from app.properties.listing import property_by_external_id
from app.web.api_keys import key_holder

TAG = "Offers"


@api.get("/offers")
@operation("List offers", tag=TAG, scope="read", query=OfferQuery, answers={200: OfferPage}, refusals=(409,))
def offers_list(query: OfferQuery) -> ApiAnswer:
    """Newest first, unless `sort` says otherwise; with `updated_since` in order of change. Reading changes nothing."""
    chosen = _filter(query)
    named = chosen.named()
    data, more = list_offers(key_holder(), chosen, after=place_of(query.cursor, named), limit=query.limit)
    cursor = next_cursor(more, named) if more else None
    if chosen.email:
        note_key("searched", [uuid.UUID(offer["id"]) for offer in data if offer["bidder"]], by=key_holder())
    elif data:
        note_key("listed", [None], by=key_holder())
    return ApiAnswer(page_body(data, cursor), headers=link_next("cursor", cursor))


@api.post("/offers")
@operation(
    "Record an offer taken elsewhere", tag=TAG, scope="write", body=OfferNew, answers={201: OfferRecorded}, etag=True
)
def offers_record(body: OfferNew) -> ApiAnswer:
    """Of source `api`, and unconfirmed until its bidder, who is written to, confirms it. Needs no open link.

    One address gets at most 10 mails an hour and 30 a day from an agency: `warnings` says when one is late or not sent.
    """
    by = key_holder()
    prop = _property_of(body)
    sent = record(prop, read_offer(prop, body, by.zone), sending_of(prop, body), by=by.actor)
    answer = _read(sent.offer_id)
    warnings = [{"pointer": "/bidder/email", "detail": sent.mail}] if sent.mail else []
    headers = {**answer.headers, "Location": f"/api/crm/offers/{sent.offer_id}"}
    return ApiAnswer({**answer.body, "warnings": warnings}, 201, headers, sent.offer_id)


@api.get("/offers/<uuid:offer_id>")
@operation("Read an offer", tag=TAG, scope="read", answers={200: OfferOut}, refusals=(404,), etag=True)
def offers_read(offer_id: uuid.UUID) -> ApiAnswer:
    """One offer. Reading it over the API does not make it viewed; that a key read it is written down for the agency."""
    answer = _read(offer_id)
    note_key("read", [offer_id], by=key_holder())
    return answer


@api.get("/offers/<uuid:offer_id>/receipt")
@operation(
    "Download the receipt",
    tag=TAG,
    scope="read",
    answers={200: None},
    refusals=(404, 409),
    media="application/pdf",
)
def offers_receipt(offer_id: uuid.UUID) -> Response:
    """The sealed PDF that its bidder has. 409 while it is not made: a few seconds after the offer came in.

    404 as well once the person has been forgotten.
    """
    offer, state = get_offer(key_holder(), offer_id)
    pdf = stored(offer.agency_id, offer.id)
    if pdf is None:
        raise NotFound if state.erased_at else NotReady
    note_key("read", [offer_id], by=key_holder())
    return file_answer(pdf, "application/pdf")


@api.route("/offers/<uuid:offer_id>/status", methods=["PATCH", "PUT"])
@operation(
    "Set the status",
    tag=TAG,
    scope="write",
    body=StatusChange,
    answers={200: OfferOut},
    refusals=(404, 409),
    if_match=True,
    etag=True,
)
def offers_status(offer_id: uuid.UUID, body: StatusChange) -> ApiAnswer:
    """`viewed`, `accepted` or `rejected`, from any status. Setting the present one again changes nothing, unless it
    says more: another `reason` or `message`, or the first `notify_bidder`, is kept and told as a step of its own. A
    stale `If-Match` is 412, unless all that happened since is that a key set this very status and said just that: then
    the answer got lost.

    Accepting an offer that was replaced or is past its validity, one for a property that is archived or gone, or a
    second one for a property, has to be said: 409 `not-explicit` names what to put into `despite`; it is recorded.

    Accepting is no contract: in Romania a sale needs a notary.
    """
    by = key_holder()
    _offer, state = get_offer(by, offer_id, write=True)
    version = expected_version(state.version) or None
    answer = deciding.AgencyAnswer(body.status, body.reason, body.message, notify_bidder=body.notify_bidder)
    chosen = deciding.Chosen(offer_id, version, frozenset(body.despite))
    try:
        deciding.decide_all(by.agency_id, [chosen], answer, by=by.actor)
    except (IllegalTransition, UnnamedConcern):
        raise
    except Conflict:
        raise StaleVersion from None
    return _read(offer_id)


def _read(offer_id: uuid.UUID) -> ApiAnswer:
    shown = show_offer(key_holder(), offer_id)
    return ApiAnswer(shown, headers=etag(shown["version"]), offer_id=offer_id)


def _property_of(body: OfferNew) -> Property:
    if (body.property_id is None) == (body.property_external_id is None):
        raise Invalid({"property_id": ["Name the property once: by property_id or by property_external_id"]})
    try:
        by, property_id = key_holder(), body.property_id
        return get_property(by, property_id or property_by_external_id(by, str(body.property_external_id)), write=True)
    except NotFound:
        name = "property_id" if body.property_id else "property_external_id"
        raise Invalid({name: ["No property of the agency has this id"]}) from None


def _filter(query: OfferQuery) -> OfferFilter:
    given: dict[str, Any] = query.model_dump(exclude=OfferQuery.unspoken, exclude_none=True)
    if not order_known(query.sort):
        raise Invalid({"?sort": ["Not a column that offers are sorted by"]})
    for name, read in _READ.items():
        if name in given:
            given[name] = read(given[name])
    given.setdefault("sort", "updated_at" if query.updated_since else DEFAULT_SORT)
    compares = query.min_amount or query.max_amount or given["sort"] in WITHIN_ONE_CURRENCY
    if compares and query.currency is None:
        raise Invalid({"?currency": ["Say in which currency the amounts are compared: EUR or RON"]})
    return OfferFilter(**given)


def _moment(at: datetime) -> Moment:
    return Moment(at.isoformat(), at)


def _email(text: str) -> str:
    try:
        return read_email(text).folded
    except NotAContact:
        raise Invalid({"?email": ["Not an e-mail address"]}) from None


_READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("min_amount", "max_amount"), from_decimal_text),
    **dict.fromkeys(("submitted_after", "submitted_before", "updated_since"), _moment),
    "agent": str.lower,
    "email": _email,
    "reference": str.upper,
}
