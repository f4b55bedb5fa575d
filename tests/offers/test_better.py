"""Asking for a better offer: a prefilled form, a deadline that holds, an answer linked to what it answers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import event, select

from app.core.ledger import SYSTEM
from app.core.money import Money
from app.core.signed_links import BIDDER, OFFER_LINK, REQUEST, OfferLink, sign
from app.delivery.composing import DeliveryRow
from app.delivery.registry import registry
from app.extensions import db
from app.models import Agency, Delivery, Offer, OfferRequest, OfferState, Property, User
from app.offers import recording, withdrawing
from app.offers.document import Bidder
from app.offers.recording import ConfirmationInput
from app.privacy import erasure
from app.proof.register import offer_faults
from tests.factories import (
    confirm,
    csrf,
    login,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
)
from tests.public.test_offer_form import hidden

WHOLE = {
    "financing": "mixed", "own_funds_amount": Money(48_500_50, "EUR"), "credit_amount": Money(69_999_50, "EUR"),
    "credit_program": "noua_casa", "credit_preapproved": True, "conditions": ("bank_approval",),
    "conditions_text": "și o verificare", "co_buyers": ("Ioana Țurcanu",), "message": "Ne place.\nMult.",
    "payment_term_note": "după credit", "advance_percent": "10",
}  # fmt: skip


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


def until(**ahead: float) -> str:
    moment = datetime.now(UTC) + timedelta(**ahead)
    return moment.astimezone(ZoneInfo("Europe/Bucharest")).strftime("%Y-%m-%dT%H:%M")


def ask(client: FlaskClient, *offers: uuid.UUID, when: str = "", message: str = "") -> int:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    data = {"csrf_token": token, "offer": [str(o) for o in offers], "until": when or until(days=2), "message": message}
    return client.post("/app/offers/better", data=data).status_code


def requests() -> list[OfferRequest]:
    db.session.rollback()
    return list(db.session.scalars(select(OfferRequest).order_by(OfferRequest.created_at)))


def letter() -> tuple[str, str]:
    """The last mail about a better offer: its text, and the address in it."""
    owed = db.session.scalars(
        select(Delivery).where(Delivery.template == "offer_better").order_by(Delivery.id.desc())
    ).first()
    assert owed
    made = registry().compose(DeliveryRow.of(owed))
    found = re.search(r"http://localhost(/o/\S+)", str(made.body))
    assert found
    return str(made.body), found.group(1)


def erased(offer: Offer) -> object:
    return erasure.erase_all(offer.agency_id, [offer.id], "person")


def withdrawn(offer: Offer) -> object:
    return withdrawing.withdraw(offer)


def answer(buyer: FlaskClient, where: str, **values: str) -> str:
    """Change the prefilled form, review, send; the receipt's address."""
    page = buyer.get(where).get_data(as_text=True)
    typed = {
        name: unescape(value)
        for name, value in re.findall(r'<input class="input[^"]*"[^>]*name="([^"]+)" value="([^"]*)"', page)
    }
    typed |= {name: unescape(text) for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>([^<]*)<', page)}
    chosen = re.findall(r'<input type="(?:radio|checkbox)"[^>]*name="([^"]+)"\s+value="([^"]*)"[^>]* checked', page)
    data = {**hidden(page), **typed, **dict(chosen), "consent": "y", **values}
    review = buyer.post(where, data=data)
    assert review.status_code == 200, review.get_data(as_text=True)
    sent = buyer.post(where, data={**hidden(review.get_data(as_text=True)), "step": "send"})
    assert sent.status_code == 303, sent.get_data(as_text=True)
    return sent.location


def test_the_bidder_gets_a_form_with_everything_in_it_and_answers(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    rival = Bidder("Rivala Secretă", "rivala@client.example", "+40722999888")
    make_offer(prop, make_draft(bidder=rival, amount=Money(123_456_00, "EUR")))
    first = make_offer(prop, make_draft(**WHOLE))
    assert ask(client, first, message="Sunt interesați și alții.\nMai puteți?") == 303
    text, where = letter()
    assert "Sunt interesați și alții." in text and "118.500" in text.replace("\xa0", " ")
    buyer = client.application.test_client()
    page = buyer.get(where).get_data(as_text=True)
    assert "Mai puteți?" in page and 'value="118500"' in page and "Rivala" not in page and "123.456" not in page
    receipt = answer(buyer, where, amount="121.000", own_funds_amount="51.000,50")
    assert buyer.get(receipt).status_code == 200
    second = db.session.scalars(select(Offer).where(Offer.previous_id == first)).one()
    assert second.amount_minor == 121_000_00 and requests()[0].answer_id == second.id
    latest = db.session.scalars(select(OfferState.latest).where(OfferState.offer_id == first)).one()
    assert latest is False
    again = buyer.get(where)
    assert again.status_code == 410 and "răspuns deja" in again.get_data(as_text=True)


def test_the_deadline_is_enforced_and_what_was_typed_is_kept(client: FlaskClient, prop: Property) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        offer = make_offer(prop)
        ask(client, offer, when=until(hours=2))
        where, buyer = letter()[1], client.application.test_client()
        stamp = hidden(buyer.get(where).get_data(as_text=True))
        clock.shift(timedelta(hours=2, minutes=1))
        late = buyer.post(where, data={**stamp, "full_name": "Andrei Țurcanu", "amount": "130.000", "step": "send"})
        assert late.status_code == 410 and "130.000" in late.get_data(as_text=True)
        assert buyer.get(where).status_code == 410
        assert len(db.session.scalars(select(Offer)).all()) == 1


def test_a_request_outlives_the_link_but_not_being_taken_back(client: FlaskClient, prop: Property) -> None:
    offer = make_offer(prop)
    ask(client, offer)
    where, buyer = letter()[1], client.application.test_client()
    page = client.get(f"/app/offers/{offer}").get_data(as_text=True)
    token = csrf(page)
    client.post(f"/app/properties/{prop.id}/accepts", data={"csrf_token": token, "on": "0"})
    assert buyer.get(where).status_code == 200
    assert "S-a cerut o ofertă mai bună" in page
    assert client.post(f"/app/offers/{offer}/better/cancel", data={"csrf_token": token}).status_code == 303
    assert buyer.get(where).status_code == 410


def test_whoever_has_no_mail_is_passed_the_link(client: FlaskClient, prop: Property) -> None:
    offer = make_offer(prop, make_draft(bidder=Bidder("Ileana Fără", None, "+40722000113")), language="en")
    asking = client.get(f"/app/offers/better?offer={offer}").get_data(as_text=True)
    assert "Ileana Fără nu a dat o adresă de e-mail" in asking
    assert ask(client, offer) == 303
    page = unescape(client.get(f"/app/offers/{offer}").get_data(as_text=True))
    where = re.findall(r'id="pass-on-url" value="http://localhost(/en/o/[^"]+)"', page)[0]
    assert "wa.me/40722000113?text=Hello" in page
    assert 'value="118500"' in client.application.test_client().get(where).get_data(as_text=True)


def test_a_second_request_takes_the_place_of_the_first(client: FlaskClient, prop: Property) -> None:
    offer = make_offer(prop)
    ask(client, offer)
    ask(client, offer, when=until(days=5))
    first, second = requests()
    assert first.cancelled_at and not second.cancelled_at
    buyer = client.application.test_client()
    assert buyer.get(f"/o/{sign(REQUEST, first.id)}").status_code == 410
    assert buyer.get(f"/o/{sign(REQUEST, second.id)}").status_code == 200


def test_all_are_asked_or_none(client: FlaskClient, prop: Property) -> None:
    first, second = make_offer(prop), make_offer(prop)
    assert ask(client, first, second) == 303 and len(requests()) == 2
    reference = db.session.get_one(Offer, first).reference
    third = make_offer(prop, make_draft(replaces=reference))
    assert ask(client, third, first) == 409 and len(requests()) == 2


@pytest.mark.parametrize("when", ["", "yesterday", "2020-01-01T10:00", "2099-01-01T10:00"])
def test_a_deadline_that_is_none_is_asked_for_again(client: FlaskClient, prop: Property, when: str) -> None:
    offer = make_offer(prop)
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    data = {"csrf_token": token, "offer": str(offer), "until": when, "message": "păstrat"}
    response = client.post("/app/offers/better", data=data)
    assert response.status_code == 422 and "păstrat" in response.get_data(as_text=True) and requests() == []


def test_a_strangers_offer_is_not_asked(client: FlaskClient, prop: Property) -> None:
    stranger = make_user(make_agency("Alta"), "owner")
    theirs = make_offer(make_property(stranger.agency_id, stranger.id))
    assert ask(client, make_offer(prop), theirs) == 404 and requests() == []
    assert client.get(f"/app/offers/better?offer={theirs}").status_code == 404


def test_an_answer_takes_the_place_of_what_was_confirmed_meanwhile(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    """An offer that was recorded and confirmed is the latest by another row than one that was sent: both count."""
    first = make_offer(prop)
    assert ask(client, first) == 303
    where, reference = letter()[1], db.session.get_one(Offer, first).reference
    taken = recording.record(prop, make_draft(replaces=reference), make_sending(prop, source="agent"), by=SYSTEM)
    confirm(taken.offer_id, ConfirmationInput("ro", {}))
    confirmed = db.session.get_one(Offer, taken.offer_id).reference
    buyer = client.application.test_client()
    assert confirmed in buyer.get(where).get_data(as_text=True)
    answer(buyer, where, amount="121.000", own_funds_amount="51.000,50")
    second = db.session.scalars(select(Offer).where(Offer.previous_id == taken.offer_id)).one()
    assert requests()[0].answer_id == second.id
    assert list(offer_faults(db.session.get_one(Agency, owner.agency_id))) == []


@pytest.mark.parametrize("gone", [erased, withdrawn])
def test_an_answer_is_taken_where_what_took_its_place_is_gone(
    client: FlaskClient, owner: User, prop: Property, gone: Callable[[Offer], object]
) -> None:
    first = make_offer(prop)
    ask(client, first)
    where, reference = letter()[1], db.session.get_one(Offer, first).reference
    second = make_offer(prop, make_draft(replaces=reference))
    gone(db.session.get_one(Offer, second))
    answer(client.application.test_client(), where, amount="121.000")
    assert db.session.scalars(select(Offer).where(Offer.previous_id == second)).one().id == requests()[0].answer_id
    assert list(offer_faults(db.session.get_one(Agency, owner.agency_id))) == []


def test_whoever_opens_a_link_holds_one_connection(client: FlaskClient, prop: Property) -> None:
    """A second one, awaited while the first is held, would stop all once every thread has its first."""
    first = make_offer(prop)
    ask(client, first)
    where, buyer, out = letter()[1], client.application.test_client(), []
    own = f"/r/{sign(BIDDER, first)}"
    shared, mine = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, 1))}", buyer.post(own).location
    db.session.rollback()  # the test's own

    def taken(*_: object) -> None:
        out.append(engine.pool.checkedout())  # type: ignore[attr-defined]

    engine = db.engine
    event.listen(engine, "checkout", taken)
    try:
        for page in (where, shared, own, mine, f"{mine}/again"):
            assert buyer.get(page).status_code == 200, page
        answer(buyer, where, amount="121.000")
    finally:
        event.remove(engine, "checkout", taken)
    assert out and max(out) == 1
