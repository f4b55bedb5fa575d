"""One offer: what is shown, and what looking at it writes down."""

from __future__ import annotations

import io
from datetime import date

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select

from app.core.money import Money
from app.extensions import db
from app.models import Access, Offer, OfferState, Property, User
from app.offers.document import Signature
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user

PREFETCH = ({"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"})


def status(offer) -> str:  # type: ignore[no-untyped-def]
    db.session.rollback()
    return db.session.scalars(select(OfferState.status).where(OfferState.offer_id == offer)).one()


def views() -> int:
    return db.session.scalar(select(func.count()).select_from(Access).where(Access.kind == "viewed")) or 0


def test_opening_makes_it_viewed_and_every_opening_is_noted(client: FlaskClient, owner: User, prop: Property) -> None:
    offer = make_offer(prop)
    login(client, owner)
    page = client.get(f"/app/offers/{offer}").get_data(as_text=True)
    assert status(offer) == "viewed" and "badge--viewed" in page
    client.get(f"/app/offers/{offer}")
    assert views() == 2


@pytest.mark.parametrize("headers", PREFETCH)
def test_reading_ahead_leaves_it_new(client: FlaskClient, owner: User, prop: Property, headers: dict[str, str]) -> None:
    offer = make_offer(prop)
    login(client, owner)
    assert client.get(f"/app/offers/{offer}", headers=headers).status_code == 200
    assert status(offer) == "new" and views() == 0


def test_head_and_fragments_leave_it_new(client: FlaskClient, owner: User, prop: Property) -> None:
    offer = make_offer(prop)
    login(client, owner)
    client.head(f"/app/offers/{offer}")
    client.get(f"/app/offers/{offer}", headers={"HX-Request": "true"})
    assert status(offer) == "new" and views() == 0


def test_everything_sent_is_shown(client: FlaskClient, owner: User, prop: Property) -> None:
    draft = make_draft(
        financing="mixed",
        own_funds_amount=Money(50_000_00, "EUR"),
        credit_amount=Money(68_500_00, "EUR"),
        credit_program="noua_casa",
        credit_preapproved=True,
        payment_term_note="după aprobarea creditului",
        valid_until=date(2099, 1, 2),
        advance_percent="10",
        conditions=("home_sale",),
        conditions_text="fără <b>ipotecă</b>",
        co_buyers=("Maria Țurcanu",),
        represented_by="Broker SRL",
        message="Bună ziua",
        signature=Signature("typed", text="Andrei Țurcanu semnat"),
    )
    offer = make_offer(prop, draft)
    login(client, owner)
    page = client.get(f"/app/offers/{offer}").get_data(as_text=True).replace("\u00a0", " ")
    shown = (
        "118.500 EUR",
        "94,8%",
        "50.000 EUR",
        "68.500 EUR",
        "Noua Casă",
        "după aprobarea creditului",
        "2 ianuarie 2099",
    )
    more = (
        "10%",
        "fără &lt;b&gt;ipotecă&lt;/b&gt;",
        "Maria Țurcanu",
        "Broker SRL",
        "Bună ziua",
        "Andrei Țurcanu semnat",
    )
    for text in (*shown, *more):
        assert text in page, text
    assert 'href="tel:+40722000111"' in page and "https://wa.me/40722000111?text=" in page and "mailto:" in page
    assert "numai la notar" in page


def test_a_drawn_signature_is_a_picture_of_its_own(client: FlaskClient, owner: User, prop: Property) -> None:
    out = io.BytesIO()
    Image.new("L", (20, 10), 0).save(out, "PNG")
    offer = make_offer(prop, make_draft(signature=Signature("drawn", image=out.getvalue())))
    login(client, owner)
    assert f"/app/offers/{offer}/signature" in client.get(f"/app/offers/{offer}").get_data(as_text=True)
    answer = client.get(f"/app/offers/{offer}/signature")
    assert answer.data == out.getvalue() and answer.mimetype == "image/png"
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_signature_is_404(client: FlaskClient, owner: User, prop: Property) -> None:
    offer = make_offer(prop)
    login(client, owner)
    assert client.get(f"/app/offers/{offer}/signature").status_code == 404


def test_a_lapsed_offer_warns_before_it_is_accepted(client: FlaskClient, owner: User, prop: Property) -> None:
    offer = make_offer(prop, make_draft(valid_until=date(2020, 5, 1)))
    login(client, owner)
    assert "1 mai 2020" in client.get(f"/app/offers/{offer}").get_data(as_text=True)
    assert "expirată" in client.get("/app/offers").get_data(as_text=True)


def test_the_chain_leads_from_each_offer_to_the_others(client: FlaskClient, owner: User, prop: Property) -> None:
    made = [make_offer(prop)]
    for amount in (119_000, 120_000):
        reference = db.session.get_one(Offer, made[-1]).reference
        made.append(make_offer(prop, make_draft(amount=Money(amount * 100, "EUR"), replaces=reference)))
    login(client, owner)
    for here in made:
        page = client.get(f"/app/offers/{here}").get_data(as_text=True)
        for other in made:
            assert (f'href="/app/offers/{other}"' in page) == (other != here)


def test_mails_owed_are_named_with_their_state(client: FlaskClient, owner: User, prop: Property) -> None:
    offer = make_offer(prop)
    login(client, owner)
    assert client.get(f"/app/offers/{offer}").get_data(as_text=True).count("Așteaptă să plece") == 3


def test_a_colleague_who_may_read_may_not_answer(client: FlaskClient, owner: User, prop: Property) -> None:
    from app.accounts import editing as accounts
    from app.models import Agency

    accounts.change_agency(db.session.get_one(Agency, owner.agency_id), {"colleagues_read": True}, by=_system())
    offer = make_offer(prop)
    login(client, make_user(owner.agency_id))
    page = client.get(f"/app/offers/{offer}")
    assert page.status_code == 200 and "/status" not in page.get_data(as_text=True)
    other = make_offer(prop)
    for where in ("/app/offers", f"/app/compare?offer={offer}&offer={other}"):
        listed = client.get(where).get_data(as_text=True)
        assert f"/app/offers/{offer}" in listed and "data-answers" not in listed
    assert client.get(f"/app/offers/decision?status=viewed&offer={offer}").status_code == 404


def test_of_many_a_colleagues_are_left_out_and_a_strangers_spoil_all(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    from app.accounts import editing as accounts
    from app.models import Agency

    accounts.change_agency(db.session.get_one(Agency, owner.agency_id), {"colleagues_read": True}, by=_system())
    agent, stranger = make_user(owner.agency_id), make_user(make_agency("Alta"), "owner")
    theirs, mine = make_offer(prop), make_offer(make_property(owner.agency_id, agent.id))
    unknown = make_offer(make_property(stranger.agency_id, stranger.id))
    login(client, agent)
    for page in ("decision?status=rejected&", "better?"):
        shown = client.get(f"/app/offers/{page}offer={theirs}&offer={mine}").get_data(as_text=True)
        assert "1 dintre ofertele alese ține de un coleg" in shown and str(mine) in shown
        assert f'value="{theirs}' not in shown
        assert client.get(f"/app/offers/{page}offer={mine}&offer={unknown}").status_code == 404


def _system():  # type: ignore[no-untyped-def]
    from app.core.ledger import SYSTEM

    return SYSTEM
