"""Offers as the API shows them: one, or a keyset page, with everything sealed opened row by row."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import aliased

from app.core.access import KeyHolder, Reach, asked_by
from app.core.errors import NotFound
from app.core.keys import keyring, unwrap_offer_key
from app.core.planner_hints import Aside
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import Confirmation, ConfirmationBody, Decision, Offer, OfferBody, OfferKey, OfferState, Property
from app.offers.chain import replaced_by
from app.offers.document import decode
from app.offers.list.filter import OfferFilter
from app.offers.list.order import Cursor, Order
from app.offers.list.search import Search, visible
from app.offers.representation import confirmed_in, forgotten_offer_json, offer_json

Reason = tuple[str, uuid.UUID, bytes]  # the status that a decision set, the decision's id, and why, sealed
Opener = Callable[[str, str, bytes, bytes], bytes]

_OFFERS = (
    select(
        Offer.id, Offer.agency_id, Offer.reference, Offer.property_id, Offer.asking_minor, Offer.currency,
        Offer.amount_minor, Offer.financing, Offer.term_days, Offer.valid_until, Offer.source, Offer.language,
        Offer.submitted_at, OfferState.status, OfferState.latest, OfferState.version,
        OfferState.viewed_at, OfferState.decided_at, OfferState.withdrawn_at, OfferState.erased_at,
        replaced_by().label("previous_id"), OfferState.updated_at, OfferState.signed, Property.external_id,
        OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped, Confirmation.at.label("confirmed_at"), Confirmation.proof,
        ConfirmationBody.signature.label("confirmed_by"),
    )
    .join(OfferState, OfferState.offer_id == Offer.id)
    .join(Property, Property.id == Offer.property_id)
    .outerjoin(OfferBody, OfferBody.offer_id == Offer.id)
    .outerjoin(OfferKey, OfferKey.offer_id == Offer.id)
    .outerjoin(Confirmation, Confirmation.offer_id == Offer.id)
    .outerjoin(ConfirmationBody, ConfirmationBody.offer_id == Offer.id)
    .where(OfferState.offer_id.in_(bindparam("ids", expanding=True)))
)  # fmt: skip

_undoing = aliased(Decision)
_STANDING = (
    select(Decision.offer_id, Decision.to_status, Decision.id, Decision.reason_ct)
    .outerjoin(_undoing, and_(_undoing.agency_id == Decision.agency_id, _undoing.undoes_id == Decision.id))
    .where(Decision.agency_id == bindparam("agency_id"), Decision.offer_id.in_(bindparam("ids", expanding=True)))
    .where(Aside(Decision.undoes_id.is_(None)), _undoing.id.is_(None))
    .order_by(Decision.at, Decision.id)
)


def list_offers(
    by: KeyHolder, chosen: OfferFilter, *, after: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """One page as the API shows it, and the place from which the next one goes on, if there is one."""
    order = Order(chosen.sort)
    place = Cursor.read(after, chosen.sort)
    # First the ids of the page from an index, then everything about them: no wide row is read to be thrown away.
    ids = select(OfferState.offer_id, order.key.label("sorted_by")).where(*visible(by, chosen, Search()))
    ids = order.apply(order.join(ids))
    if place:
        ids = ids.where(order.beyond(place))
    found = db.session.connection().execute(ids.limit(limit + 1)).all()
    page = found[:limit]
    more = str(order.place_of(page[-1].sorted_by, page[-1].offer_id)) if len(found) > limit else None
    return _shown(by, [row.offer_id for row in page]), more


def show_offer(by: KeyHolder, offer_id: uuid.UUID) -> dict[str, Any]:
    """One offer as the API shows it, or `NotFound`."""
    found = _shown(by, [offer_id])
    if not found:
        raise NotFound
    return found[0]


@cache
def _offers_of(reach: Reach) -> Any:
    """Building a statement takes longer than running it."""
    return _OFFERS.where(Aside(reach.offers))


def _shown(by: KeyHolder, ids: Sequence[uuid.UUID]) -> list[dict[str, Any]]:
    reach, who = asked_by(by)
    rows = {row.id: row for row in db.session.connection().execute(_offers_of(reach), {"ids": ids, **who})}
    reasons = standing_reasons(by.agency_id, [row.id for row in rows.values() if row.status != "new"])
    opened = keyring().opener(by.agency_id, "offer_body", "body")
    return [_open(rows[offer_id], reasons, opened) for offer_id in ids if offer_id in rows]


def _open(row: Any, reasons: Mapping[uuid.UUID, Reason], opened: Opener) -> dict[str, Any]:
    wrapped, body_ct = row.wrapped, row.body_ct
    if wrapped is None or body_ct is None:
        return forgotten_offer_json(row)
    document = decode(unpad(opened(row.id.hex, row.kek_id, wrapped, body_ct)))
    reason = None
    if sealed := reasons.get(row.id):
        reason = open_reason(row, sealed, unwrap_offer_key(row.agency_id, row.id, row.kek_id, wrapped))
    confirmed = {**confirmed_in(row), "confirmed_by": row.confirmed_by}
    return offer_json(row, row, document, external_id=row.external_id, reason=reason, **confirmed)


def standing_reasons(agency_id: uuid.UUID, offers: Sequence[uuid.UUID]) -> dict[uuid.UUID, Reason]:
    """By offer, of the last decision that stands: the status it set, its id, and why, sealed."""
    if not offers:
        return {}
    last = {row[0]: row for row in db.session.connection().execute(_STANDING, {"agency_id": agency_id, "ids": offers})}
    return {offer_id: (row[1], row[2], row[3]) for offer_id, row in last.items() if row[3]}


def open_reason(row: Any, reason: Reason | None, key: bytes) -> str | None:
    """Why the offer stands where it does, or None."""
    if reason is None or reason[0] != row.status:
        return None
    return unseal(key, Place(row.agency_id, "decision", "reason", reason[1]), reason[2]).decode()
