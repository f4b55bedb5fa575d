"""The seller's page: every offer, nobody's contact, each opening in the register, closed at once."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.errors import Invalid
from app.core.money import Money
from app.core.signed_links import RECEIPT, SELLER, sign
from app.extensions import db
from app.models import LedgerEntry, Offer, OfferState, Property, SellerLink, User
from app.offers import codes, withdrawing
from app.offers.document import Bidder, Signature
from app.properties import seller_links
from app.properties.seller_page import open_seller_link, seller_page
from tests.factories import (
    csrf,
    login,
    mailed_code,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_user,
    person_of,
)
from tests.web.test_routes import contents

CONTACT = ("andrei.turcanu@client.example", "722000111", "722 000 111", "192.0.2.7")


def link_to(prop: Property, owner: User, *, names: bool = False, days: int = 7) -> SellerLink:
    made = seller_links.create(prop, days, shows_names=names, by=person_of(owner))
    return db.session.get_one(SellerLink, made)


def door(link: SellerLink) -> str:
    return f"/s/{sign(SELLER, link.id)}"


def text(answer: TestResponse) -> str:
    return answer.get_data(as_text=True).replace("\u00a0", " ")


def seen(client: FlaskClient, link: SellerLink) -> str:
    answer = client.post(door(link))
    assert answer.status_code == 303 and answer.location == f"/s/view/{link.id}"
    return text(client.get(answer.location))


def openings() -> list[LedgerEntry]:
    db.session.rollback()
    return list(db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "seller.opened")))


def test_a_scanner_that_opens_the_link_is_no_opening(client: FlaskClient, owner: User, prop: Property) -> None:
    link = link_to(prop, owner)
    make_offer(prop)
    before = contents()
    for _ in range(5):
        answer = client.get(door(link))
        assert answer.status_code == 200 and "Set-Cookie" not in answer.headers and "118.500" not in text(answer)
        assert answer.headers["Referrer-Policy"] == "no-referrer" and "noindex" in answer.headers["X-Robots-Tag"]
        assert client.get(f"/s/view/{link.id}").status_code == 403
    assert contents() == before


def test_each_opening_is_an_entry_and_reading_on_is_not(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    link = link_to(prop, owner)
    seen(client, link)
    for _ in range(3):
        client.get(f"/s/view/{link.id}", headers={"HX-Request": "true"})
    (entry,) = openings()
    assert entry.object_id == prop.id and json.loads(entry.body)["data"] == {"link": str(link.id), "offers": 1}
    seen(client, link)
    assert len(openings()) == 2
    login(client, owner)
    page = text(client.get(f"/app/properties/{prop.id}"))
    assert "Deschis de 2 ori" in page and "Pagina proprietarului a fost deschisă" in page and door(link) in page


def test_all_offers_stand_there_whatever_became_of_them(client: FlaskClient, owner: User, prop: Property) -> None:
    first = make_offer(prop)
    reference = db.session.get_one(Offer, first).reference
    make_offer(prop, make_draft(amount=Money(121_000_00, "EUR"), replaces=reference))
    gone = make_offer(
        prop, make_draft(amount=Money(99_000_00, "EUR"), bidder=Bidder("Ion", "i@x.example", "+40722000222"))
    )
    withdrawing.withdraw(db.session.get_one(Offer, gone))
    make_offer(
        prop, make_draft(amount=Money(110_000_00, "EUR"), conditions=("bank_approval",), conditions_text="fără TVA")
    )
    page = seen(client, link_to(prop, owner))
    amounts = re.findall(r"<strong>([\d.]+) EUR</strong>", page)
    assert amounts == ["121.000", "110.000", "118.500", "99.000"], "those that stand first, the highest on top"
    assert "4 oferte" in page and "2 sunt valabile" in page and "1 a fost retrasă" in page
    assert page.count("înlocuită</span>") == 1 and page.count("retrasă</span>") == 1
    numbers = [int(n) for n in re.findall(r"nr\. (\d+) în registru", page)]
    sent = db.session.scalars(select(LedgerEntry.seq).where(LedgerEntry.kind == "offer.submitted")).all()
    assert sorted(numbers) == sorted(sent) and f"este înregistrarea {max(sent)}" in page
    assert "sunt 4 oferte pentru această proprietate" in page
    receipt = text(client.get(f"/r/{sign(RECEIPT, first)}"))
    assert f"<dd>{numbers[2]}</dd>" in receipt, "the bidder's receipt bears the same number"


def test_bidders_are_numbered_or_named_and_never_to_be_reached(
    app: Flask, client: FlaskClient, owner: User, prop: Property
) -> None:
    draft = make_draft(message="canarmesaj sunați la 0722000111", conditions_text="canarconditie", co_buyers=("Ana",))
    first = db.session.get_one(Offer, make_offer(prop, draft))
    make_offer(prop, make_draft(amount=Money(120_000_00, "EUR"), replaces=first.reference))
    make_offer(prop, make_draft(bidder=Bidder("Ion Popa", "ion@x.example", "+40722000333")))
    bare = seen(client, link_to(prop, owner))
    assert "Țurcanu" not in bare and "Popa" not in bare
    assert re.findall(r"Clientul (\d)", bare) == ["1", "2", "1"]
    named = seen(app.test_client(), link_to(prop, owner, names=True))
    assert named.count("Andrei Țurcanu") == 2 and "Ion Popa" in named
    for page in (bare, named):
        assert not [held for held in (*CONTACT, "ion@x.example", "canarmesaj", "canarconditie", "Ana<") if held in page]
        assert "textul este la agent" in page


def test_an_erased_offer_is_counted_and_names_nobody(client: FlaskClient, owner: User, prop: Property) -> None:
    offer_id = make_offer(prop)
    db.session.execute(update(OfferState).values(erased_at=now()))
    db.session.commit()
    page = seen(client, link_to(prop, owner, names=True))
    assert "1 a fost ștearsă" in page and "Țurcanu" not in page and "118.500" in page
    assert db.session.get_one(OfferState, offer_id).erased_at


def test_a_link_that_ended_or_was_closed_says_so(client: FlaskClient, owner: User, prop: Property) -> None:
    ended, closed = link_to(prop, owner), link_to(prop, owner)
    seen(client, closed)
    seller_links.revoke(prop, closed.id, by=person_of(owner))
    for answer in (client.get(door(closed)), client.post(door(closed)), client.get(f"/s/view/{closed.id}")):
        assert answer.status_code == 410 and "Linkul a fost închis" in text(answer)
        assert "Ioana Ștefănescu" in text(answer)
    count = len(openings())
    with time_machine.travel(now() + timedelta(days=7, seconds=1), tick=False):
        answer = client.get(door(ended))
        assert answer.status_code == 410 and "Linkul a expirat" in text(answer)
        assert client.post(door(ended)).status_code == 410
    assert len(openings()) == count, "a closed door is no opening"
    assert client.get("/s/x").status_code == 404 and client.get(f"/s/{sign(RECEIPT, ended.id)}").status_code == 404


def test_a_cookie_opens_its_own_page_only(client: FlaskClient, owner: User, prop: Property) -> None:
    mine, other = link_to(prop, owner), link_to(make_property(owner.agency_id, owner.id), owner)
    answer = client.post(door(mine))
    assert all(f"/s/view/{mine.id}" in c and "HttpOnly" in c for c in answer.headers.getlist("Set-Cookie"))
    value = client.get_cookie("seller-page", path=f"/s/view/{mine.id}")
    assert value
    client.set_cookie("seller-page", value.value, path=f"/s/view/{other.id}")
    assert client.get(f"/s/view/{other.id}").status_code == 403


def test_the_agent_shares_and_closes_on_the_propertys_page(client: FlaskClient, owner: User, prop: Property) -> None:
    login(client, owner)
    where = f"/app/properties/{prop.id}"
    token = csrf(client.get(where).get_data(as_text=True))
    data = {"csrf_token": token, "days": "30", "names": "1"}
    assert client.post(f"{where}/seller-links", data=data).status_code == 303
    link = db.session.scalars(select(SellerLink)).one()
    assert link.shows_names and timedelta(days=29) < link.expires_at - now() <= timedelta(days=30)
    assert "Cu nume" in text(client.get(where))
    for days in ("31", "", "x"):
        assert client.post(f"{where}/seller-links", data={"csrf_token": token, "days": days}).status_code == 409
    assert client.post(f"{where}/seller-links/{link.id}/revoke", data={"csrf_token": token}).status_code == 303
    assert "Cu nume" not in text(client.get(where))
    kinds = db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.kind.like("seller.%"))).all()
    assert kinds == ["seller.shared", "seller.revoked"]


def test_a_colleague_who_only_reads_gets_no_link(client: FlaskClient, owner: User, prop: Property) -> None:
    link = link_to(prop, owner)
    from app.models import Agency

    db.session.execute(update(Agency).values(colleagues_read=True))
    db.session.commit()
    login(client, make_user(owner.agency_id))
    page = text(client.get(f"/app/properties/{prop.id}"))
    assert "Mănăștur" in page and door(link) not in page and "seller-title" not in page


def test_ten_links_are_enough(owner: User, prop: Property) -> None:
    for _ in range(seller_links.MOST):
        link_to(prop, owner)
    with pytest.raises(Invalid):
        link_to(prop, owner)


def test_many_offers_come_in_pages_that_leave_none_out(either_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.properties.seller_page.PER_PAGE", 3)
    owner = make_user(make_agency(), "owner")
    prop = make_property(owner.agency_id, owner.id)
    for step in range(7):
        make_offer(prop, make_draft(amount=Money(100_000_00 + step * 100_00, "EUR")))
    opened = open_seller_link(link_to(prop, owner).id)
    assert opened
    pages = [seller_page(opened, number) for number in (1, 2, 3)]
    assert [len(page.lines) for page in pages] == [3, 3, 1] and pages[0].pages == 3
    assert len({line.seq for page in pages for line in page.lines}) == pages[0].registered == pages[0].total == 7
    assert seller_page(opened, 99).number == 3


def test_a_signature_whose_address_nobody_confirmed_is_told_from_one_that_a_code_confirmed(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    """Whoever has the link can sign in an invented name, the agency too."""
    signed = make_draft(signature=Signature("typed", text="Andrei Țurcanu"))
    make_offer(prop, signed)
    assert "semnată, adresă neconfirmată" in seen(client, link_to(prop, owner))
    coded = make_property(owner.agency_id, owner.id, signature_required=True, code_required=True)
    offer_id = make_offer(coded, signed)
    codes.enter(db.session.get_one(Offer, offer_id), mailed_code(offer_id))
    page = seen(client, link_to(coded, owner))
    assert "semnată" in page and "adresă neconfirmată" not in page
