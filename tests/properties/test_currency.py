"""The currency of a property stands once it has an offer: two in one list can be neither ordered nor compared."""

from __future__ import annotations

from html import unescape

from flask import Flask

from app.extensions import db
from app.models import Property
from tests.api.conftest import make_crm
from tests.factories import csrf, login, make_offer, make_property


def currency_of(property_id: object) -> str:
    db.session.expire_all()
    return db.session.get_one(Property, property_id).currency


def test_the_crm_is_refused_another_currency_by_every_way_in(app: Flask) -> None:
    crm = make_crm(app)
    prop = make_property(crm.owner.agency_id, crm.owner.id, external_id="RON-1")
    where, body = f"/properties/{prop.id}", {"title": "Casă", "currency": "RON"}
    assert crm.call("PATCH", where, {"currency": "RON"}).status_code == 200, "nobody offered anything yet"
    assert crm.call("PATCH", where, {"currency": "EUR"}).status_code == 200
    make_offer(db.session.get_one(Property, prop.id))
    for answer in (
        crm.call("PATCH", where, {"currency": "RON", "rooms": 9}),
        crm.call("PUT", "/properties/external/RON-1", body),
    ):
        assert answer.status_code == 422 and answer.json["errors"][0]["pointer"] == "/currency", answer.json
    bulk = crm.call(
        "POST", "/properties/bulk", {"data": [{**body, "external_id": "RON-1"}, {**body, "external_id": "2"}]}
    )
    assert [line["status"] for line in bulk.json["data"]] == ["error", "created"]
    assert currency_of(prop.id) == "EUR" and db.session.get_one(Property, prop.id).rooms != 9
    assert crm.call("PATCH", where, {"currency": "EUR", "asking_price": "99000"}).status_code == 200


def test_the_page_says_why_and_keeps_what_was_typed(app: Flask) -> None:
    crm = make_crm(app)
    prop = make_property(crm.owner.agency_id, crm.owner.id)
    make_offer(prop)
    client = app.test_client()
    login(client, crm.owner)
    where = f"/app/properties/{prop.id}/edit"
    page = client.get(where).get_data(as_text=True)
    data = {"csrf_token": csrf(page), "version": "1", "title": "Titlu de păstrat", "currency": "RON"}
    answer = client.post(
        where, data={**data, "asking_price": "500.000", "property_type": "apartment", "agent_id": str(crm.owner.id)}
    )
    told = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422 and "Titlu de păstrat" in told and "Moneda rămâne" in told
    assert currency_of(prop.id) == "EUR"
