"""An agency whose every list is longer than a page may ask questions: what asks one for each row shows in the count."""

from __future__ import annotations

from typing import Any

from flask import current_app
from sqlalchemy import select

from app.accounts import editing as accounts
from app.core.ledger import SYSTEM
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.models import Delivery, Offer, User
from app.offers import deciding, notes, saved_views
from app.offers.document import Signature
from app.offers.exports import writing
from app.offers.list.filter import OfferFilter
from app.privacy import access_log, data_requests
from app.properties import seller_links
from app.webhooks import editing as webhooks
from app.workers.feeds import read_due_feeds
from tests.factories import make_draft, make_offer, make_property, make_user, person_of

MANY = 10
ROWS = b"external_id,title,asking_price\n" + b"".join(b"F-%d,Casa %d,abc\n" % (n, n) for n in range(MANY))


def fill(owner: User) -> dict[str, Any]:
    """Ten of everything; the ids and names that stand in addresses."""
    agency, by, each = owner.agency_id, person_of(owner), range(MANY)
    prop = make_property(agency, owner.id, external_id="X-1")
    links = [seller_links.create(prop, 7, shows_names=True, by=by) for _ in each]
    endpoint, _secret = webhooks.create(agency, "https://crm.example/", by=SYSTEM)
    for n in each:
        webhooks.create(agency, f"https://crm.example/{n}", ["link.rotated"], by=SYSTEM)
        make_property(agency, make_user(agency, full_name=f"Agent {n}").id, title=f"Casa {n}")
        accounts.create_api_key(agency, f"CRM {n}", by=SYSTEM)
        saved_views.save(f"Vedere {n}", {"status": "new"}, by=by)
        data_requests.ask_as_bidder(agency, f"client{n}@client.example", "ro")
        writing.record_export(OfferFilter(), by=by)
        feed = feeds.create(agency, _feed(n), by=SYSTEM)
        feeds.ask(feeds.get_feed(agency, feed), by=SYSTEM)
    read_due_feeds()
    signed = make_draft(signature=Signature("typed", "Andrei Țurcanu"))
    offers = [make_offer(prop, signed) for _ in each]
    earlier = db.session.get_one(Offer, offers[-1])
    for n in each:
        notes.write(earlier, f"Nota {n}", by=by)
        deciding.decide(earlier.id, agency, ("accepted", "rejected")[n % 2], by=by.actor, reason=f"Motivul {n}")
    make_offer(prop, make_draft(replaces=earlier.reference))
    access_log.note_view(offers, by=by)
    webhook_dispatcher().run()
    close_webhook_dispatcher(current_app)
    call = db.session.scalars(select(Delivery.id).where(Delivery.endpoint_id == endpoint, Delivery.attempts > 0))
    reference = db.session.get_one(Offer, offers[0]).reference
    return {
        "property_id": prop.id, "external_id": "X-1", "offer_id": offers[0], "reference": reference,
        "user_id": owner.id, "endpoint_id": endpoint, "call_id": call.first(), "feed_id": feed, "link_id": links[0],
        "kind": "svg", "offers": offers, "decided": earlier.id,
    }  # fmt: skip


def _feed(n: int) -> FeedValues:
    same = {name: name for name in ("external_id", "title", "asking_price")}
    return FeedValues(f"Sursa {n}", "csv", file=ROWS, mapping=same)
