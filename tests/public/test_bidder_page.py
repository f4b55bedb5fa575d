"""The bidder's own page: a door that scanners do not pass, withdrawing, correcting, taking everything along."""

from __future__ import annotations

import json
import re
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.errors import IllegalTransition
from app.core.ledger import SYSTEM, Actor
from app.core.limits import MESSAGE
from app.core.signed_links import BIDDER, OFFER_LINK, RECEIPT, REQUEST, OfferLink, sign
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import registry
from app.extensions import db
from app.models import (
    Agency,
    Delivery,
    Event,
    LedgerEntry,
    Offer,
    OfferRequest,
    OfferState,
    PrivacyRequest,
    Property,
    User,
    Withdrawal,
)
from app.offers import better_offers, deciding, withdrawing
from app.offers.details import offer_by_id, open_offer
from app.privacy import data_requests as privacy_requests
from app.properties import editing as properties
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user, person_of
from tests.public.test_offer_form import hidden
from tests.web.test_routes import contents


@pytest.fixture
def offer(prop: Property) -> Offer:
    return db.session.get_one(Offer, make_offer(prop, make_draft(message="Ne place.\nMult.", co_buyers=("Ana",))))


def door(offer: Offer) -> str:
    return f"/r/{sign(BIDDER, offer.id)}"


def page_of(offer: Offer) -> str:
    return f"/r/offer/{offer.reference}"


def enter(client: FlaskClient, offer: Offer, language: str = "") -> TestResponse:
    return client.post(f"{language}{door(offer)}")


def text(answer: TestResponse) -> str:
    return answer.get_data(as_text=True)


def state_of(offer: Offer) -> OfferState:
    db.session.rollback()
    return db.session.get_one(OfferState, offer.id, populate_existing=True)


def letter(template: str) -> Any:
    row = db.session.scalars(select(Delivery).where(Delivery.template == template)).one()
    owed = DeliveryRow.of(row)
    return registry().compose(owed)


def test_opening_the_link_changes_nothing_and_shows_nothing_of_the_offer(client: FlaskClient, offer: Offer) -> None:
    before = contents()
    for _ in range(5):
        answer = client.get(door(offer))
        assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
        assert "Țurcanu" not in text(answer) and "118.500" not in text(answer).replace("\u00a0", " ")
        assert client.head(door(offer)).status_code == 200
    assert contents() == before


def test_the_button_leads_to_an_address_without_a_token(client: FlaskClient, offer: Offer) -> None:
    answer = enter(client, offer)
    assert answer.status_code == 303 and answer.location == page_of(offer)
    cookies = answer.headers.getlist("Set-Cookie")
    assert {re.search(r"Path=([^;]+)", c).group(1) for c in cookies} == {  # type: ignore[union-attr]
        f"{prefix}{page_of(offer)}" for prefix in ("", "/ro", "/en")
    }
    for cookie in cookies:
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Max-Age=86400" in cookie
    shown = client.get(page_of(offer))
    assert shown.status_code == 200 and "Andrei Țurcanu" in text(shown) and "Retrageți oferta" in text(shown)
    assert shown.headers["Cache-Control"] == "no-store" and shown.headers["Referrer-Policy"] == "no-referrer"
    assert "Withdraw the offer" in text(client.get(f"/en{page_of(offer)}"))


def test_nobody_else_comes_in(app: Flask, client: FlaskClient, prop: Property, offer: Offer) -> None:
    other = db.session.get_one(Offer, make_offer(prop))
    enter(client, other)
    stranger = app.test_client()
    for browser in (client, stranger):
        for end in ("", "/withdraw", "/again", "/receipt.pdf", "/data.json"):
            answer = browser.get(page_of(offer) + end)
            assert answer.status_code == 403 and "Țurcanu" not in text(answer), end
        assert browser.post(f"{page_of(offer)}/withdraw").status_code == 403
    assert stranger.get("/r/offer/BF-NOSUCH22").status_code == 403, "as if it were somebody's"
    assert stranger.post(f"/r/{sign(RECEIPT, offer.id)}").status_code == 404, "the receipt's link opens no door"
    assert stranger.post(f"/r/{sign(BIDDER, uuid.uuid4())}").status_code == 404
    stranger.set_cookie("bidder-page", "x", path=page_of(offer))
    assert stranger.get(page_of(offer)).status_code == 403
    assert state_of(offer).withdrawn_at is None


def test_the_cookie_ends_after_a_day_and_the_link_opens_again(app: Flask, offer: Offer) -> None:
    with time_machine.travel(now(), tick=False) as clock:
        browser = app.test_client()
        enter(browser, offer)
        value = browser.get_cookie("bidder-page", path=page_of(offer)).value  # type: ignore[union-attr]
        clock.shift(timedelta(hours=24, seconds=1))
        late = app.test_client()
        late.set_cookie("bidder-page", value, path=page_of(offer))  # one that a browser kept too long
        assert late.get(page_of(offer)).status_code == 403
        enter(late, offer)
        assert late.get(page_of(offer)).status_code == 200


def test_withdrawing_is_recorded_told_and_shown(client: FlaskClient, owner: User, offer: Offer) -> None:
    enter(client, offer)
    assert "Retrag oferta" in text(client.get(f"{page_of(offer)}/withdraw"))
    data = {"message": "Am găsit altceva.\nMulțumim."}
    answer = client.post(f"{page_of(offer)}/withdraw", data=data)
    assert answer.status_code == 303 and answer.location == page_of(offer)
    state = state_of(offer)
    assert state.withdrawn_at and state.status == "new" and state.version == 2
    made = db.session.scalars(select(Withdrawal)).one()
    assert made.at == state.withdrawn_at and b"altceva" not in (made.message_ct or b"")
    entry = db.session.scalars(select(LedgerEntry).order_by(LedgerEntry.seq.desc())).first()
    assert entry and (entry.kind, entry.object_id, entry.actor_type) == ("offer.withdrawn", offer.id, "bidder")
    event = db.session.scalars(select(Event).where(Event.type == "offer.withdrawn")).one()
    opened = open_offer(*offer_by_id(offer.id))  # type: ignore[misc]
    told = json.loads(opened.unseal("event", "body", str(event.seq), event.body_ct))  # type: ignore[arg-type]
    assert told["data"]["withdrawn_at"] and told["actor"] == {"type": "bidder", "id": None}
    to_agent, to_bidder = letter("withdrawn_agent"), letter("withdrawn_bidder")
    assert to_agent.to.address == owner.email and "Am găsit altceva." in to_agent.body
    assert "retrasă" in to_agent.subject and f"/app/offers/{offer.id}" in to_agent.body
    assert to_bidder.to.address == "andrei.turcanu@client.example" and "altceva" not in to_bidder.body
    page = text(client.get(page_of(offer)))
    assert "Ați retras această ofertă" in page and "/withdraw" not in page
    assert client.get(f"{page_of(offer)}/withdraw").status_code == 303
    login(client, owner)
    shown = text(client.get(f"/app/offers/{offer.id}"))
    assert "Am găsit altceva." in shown and "Clientul a retras această ofertă" in shown and "Accept…" not in shown
    assert "retrasă" in text(client.get("/app/offers"))


def test_a_message_too_long_is_kept_and_nothing_is_withdrawn(client: FlaskClient, offer: Offer) -> None:
    enter(client, offer)
    answer = client.post(f"{page_of(offer)}/withdraw", data={"message": "ț" * (MESSAGE + 1)})
    assert answer.status_code == 422 and "țțțț" in text(answer)
    assert state_of(offer).withdrawn_at is None


@pytest.mark.parametrize("status", ["accepted", "rejected"])
def test_a_decided_offer_can_still_be_withdrawn_and_keeps_its_status(
    client: FlaskClient, owner: User, offer: Offer, status: str
) -> None:
    by = Actor("user", owner.id)
    deciding.decide(offer.id, offer.agency_id, status, by=by, notify_bidder=True)
    assert withdrawing.withdraw(offer)
    assert (state_of(offer).status, state_of(offer).withdrawn_at is not None) == (status, True)
    with pytest.raises(NoLongerOwed):
        letter("decision_bidder")
    with pytest.raises(IllegalTransition):
        deciding.decide(offer.id, offer.agency_id, "viewed", by=by)
    assert not withdrawing.withdraw(offer), "twice is once"
    assert len(db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "offer.withdrawn")).all()) == 1


def test_a_replaced_offer_cannot_be_withdrawn(client: FlaskClient, prop: Property, offer: Offer) -> None:
    make_offer(prop, make_draft(replaces=offer.reference))
    enter(client, offer)
    page = text(client.get(page_of(offer)))
    assert "Ați trimis o ofertă mai nouă" in page and "/withdraw" not in page
    assert client.post(f"{page_of(offer)}/withdraw").status_code == 409
    with pytest.raises(IllegalTransition):
        withdrawing.withdraw(db.session.get_one(Offer, offer.id))


def test_withdrawing_ends_a_request_for_a_better_offer(client: FlaskClient, owner: User, offer: Offer) -> None:
    better_offers.ask([offer.id], now() + timedelta(days=1), None, by=person_of(owner))
    enter(client, offer)
    page = text(client.get(page_of(offer)))
    assert "Vi se cere o ofertă mai bună" in page
    form = text(client.get(f"{page_of(offer)}/again"))
    assert "/o/" not in form, "it is answered on this very page"
    where = f"/o/{sign(REQUEST, db.session.scalars(select(OfferRequest.id)).one())}"
    assert client.get(where).status_code == 200
    client.post(f"{page_of(offer)}/withdraw")
    assert client.get(where).status_code == 410


def sent_again(client: FlaskClient, offer: Offer, **changed: str) -> TestResponse:
    """Fill the form that the page opens, and send it."""
    form = text(client.get(f"{page_of(offer)}/again"))
    where = f"{page_of(offer)}/again"
    assert f'action="{where}"' in form and "/o/" not in form, "the link itself is not named"
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', form))
    kept = {k: v for k, v in fields.items() if k in {"full_name", "email", "phone", "amount", "replaces", "stamp"}}
    data = {**kept, "payment_term_days": "30", "financing": "cash", "consent": "y", **changed}
    review = text(client.post(where, data={**data, "step": "review"}))
    return client.post(where, data={**hidden(review), "step": "send"})


def test_a_corrected_offer_starts_from_the_old_one_and_takes_its_place(client: FlaskClient, offer: Offer) -> None:
    enter(client, offer)
    form = text(client.get(f"{page_of(offer)}/again"))
    assert 'value="Andrei Țurcanu"' in form and f'value="{offer.reference}"' in form and "Ne place.\nMult." in form
    assert sent_again(client, offer, amount="121.000").status_code == 303
    db.session.rollback()
    new = db.session.scalars(select(Offer).where(Offer.id != offer.id)).one()
    assert (new.amount_minor, new.previous_id) == (121_000_00, offer.id)
    assert not state_of(offer).latest
    assert client.get(f"{page_of(offer)}/again").status_code == 303


def test_after_a_rotation_only_the_link_that_they_used_or_their_own_page(
    client: FlaskClient, prop: Property, offer: Offer
) -> None:
    """No page of an earlier bidder names the new link; their own page still takes a corrected offer."""
    properties.rotate_link(prop, by=SYSTEM)
    new = sign(OFFER_LINK, OfferLink(prop.id, offer.link_version + 1))
    shared = text(client.get(f"/r/{sign(RECEIPT, offer.id)}"))
    used = re.search(r'href="[^"]*(/o/[^"?]+)', shared)
    assert used and client.get(used.group(1)).status_code == 410
    enter(client, offer)
    for page in (shared, text(client.get(page_of(offer))), text(client.get(f"{page_of(offer)}/again"))):
        assert new not in page
    assert sent_again(client, offer, amount="121.000").status_code == 303
    stranger = client.application.test_client()
    assert stranger.get(f"{page_of(offer)}/again").status_code == 403
    assert stranger.post(f"{page_of(offer)}/again", data={"step": "send"}).status_code == 403


def test_who_never_had_a_link_is_given_none(client: FlaskClient, prop: Property) -> None:
    recorded = make_offer(prop, make_draft(), source="agent")
    assert "/o/" not in text(client.get(f"/r/{sign(RECEIPT, recorded)}"))


def test_after_withdrawing_a_new_offer_stands_by_itself(client: FlaskClient, offer: Offer) -> None:
    withdrawing.withdraw(offer)
    enter(client, offer)
    assert "Trimiteți o ofertă nouă" in text(client.get(page_of(offer)))
    assert sent_again(client, offer).status_code == 303
    db.session.rollback()
    assert db.session.scalars(select(Offer.previous_id).where(Offer.id != offer.id)).one() is None


def test_a_closed_link_takes_no_corrected_offer_and_says_so(client: FlaskClient, prop: Property, offer: Offer) -> None:
    properties.change(prop, {"accepts_offers": False}, by=SYSTEM)
    enter(client, offer)
    answer = client.get(f"{page_of(offer)}/again")
    assert answer.status_code == 410 and "Ioana Ștefănescu" in text(answer)
    assert client.get(page_of(offer)).status_code == 200, "the page outlives the link"


def test_the_status_is_shown_only_where_the_agency_wants_it(client: FlaskClient, owner: User, offer: Offer) -> None:
    deciding.decide(offer.id, offer.agency_id, "accepted", by=Actor("user", owner.id), reason="canarmotiv")
    enter(client, offer)
    assert "Stadiul" not in text(client.get(page_of(offer))) and "Acceptată" not in text(client.get(page_of(offer)))
    db.session.execute(update(Agency).values(bidders_see_status=True))
    db.session.commit()
    shown = text(client.get(page_of(offer)))
    assert "Acceptată" in shown and "nu este un contract" in shown and "canarmotiv" not in shown
    assert "Acceptată" not in text(client.get(f"/r/{sign(RECEIPT, offer.id)}"))


def test_everything_held_can_be_taken_along(client: FlaskClient, owner: User, offer: Offer) -> None:
    deciding.decide(offer.id, offer.agency_id, "rejected", by=Actor("user", owner.id), reason="canarmotiv")
    withdrawing.withdraw(offer, "Am găsit altceva.")
    enter(client, offer)
    answer = client.get(f"{page_of(offer)}/data.json")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{offer.reference}.json"'
    held = json.loads(answer.data)
    assert held["offer"]["offer"]["bidder"]["full_name"] == "Andrei Țurcanu"
    assert held["sent_from"] == {"address": "192.0.2.7", "browser": "Testing/1.0"}
    assert held["withdrawal"]["message"] == "Am găsit altceva." and held["commitment"] == offer.commitment.hex()
    assert [entry["kind"] for entry in held["register"]] == ["offer.submitted", "offer.withdrawn"]
    assert {mail["kind"] for mail in held["mails_to_you"]} >= {"offer_bidder", "withdrawn_bidder"}
    assert "canarmotiv" not in answer.get_data(as_text=True)


def test_withdrawal_and_acceptance_at_once_leave_one_order(either_app: Flask) -> None:
    agency = make_agency()
    agent_id = make_user(agency).id
    actor = Actor("user", agent_id)
    for _ in range(5):
        offer_id = make_offer(make_property(agency, agent_id))
        db.session.remove()
        gate, outcomes = threading.Barrier(2), []

        def run(act: Any, gate: threading.Barrier = gate, outcomes: list[Any] = outcomes) -> None:
            with either_app.app_context():
                gate.wait()
                try:
                    outcomes.append(act())
                except IllegalTransition:
                    outcomes.append("refused")
                finally:
                    db.session.remove()

        acts = (
            lambda offer_id=offer_id: withdrawing.withdraw(db.session.get_one(Offer, offer_id)),
            lambda offer_id=offer_id: deciding.decide(offer_id, agency, "accepted", by=actor),
        )
        threads = [threading.Thread(target=run, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        state = db.session.get_one(OfferState, offer_id)
        kinds = db.session.scalars(
            select(LedgerEntry.kind).where(LedgerEntry.object_id == offer_id).order_by(LedgerEntry.seq)
        ).all()
        assert state.withdrawn_at and kinds.count("offer.withdrawn") == 1
        assert state.status == ("accepted" if "offer.decided" in kinds else "new")
        if "offer.decided" in kinds:
            assert kinds.index("offer.decided") < kinds.index("offer.withdrawn")
        db.session.rollback()


def test_being_forgotten_is_asked_for_on_the_page_and_waits_for_the_agency(client: FlaskClient, offer: Offer) -> None:
    where = f"{page_of(offer)}/erase"
    assert client.get(where).status_code == client.post(where).status_code == 403, "nobody was let in yet"
    enter(client, offer)
    assert where in text(client.get(page_of(offer)))
    before = contents()
    assert "andrei.turcanu@client.example" in text(client.get(where)) and contents() == before
    for _ in range(2):
        assert client.post(where).status_code == 303
    assert "Cererea este la agenție" in text(client.get(where))
    asked = db.session.scalars(select(PrivacyRequest)).one()
    assert asked.kind == "erasure" and asked.proved_at and not asked.ended_at
    assert len(db.session.scalars(select(Delivery).where(Delivery.template == "privacy_asked")).all()) == 1
    assert privacy_requests.decide(asked.id, asked.agency_id, erase=True, reason="", by=SYSTEM) == 1
    assert state_of(offer).erased_at and client.get(page_of(offer)).status_code == 200
    assert client.get(where).status_code == 404
