"""An assistant reads everything and records offers, and decides nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import editing as accounts
from app.accounts import staff
from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Agency, Offer, Property, User
from app.offers import notes, saved_views
from app.properties import seller_links
from app.properties.listing import agent_choices
from app.web.guards import PEOPLE, Guard
from tests.api.conftest import make_crm
from tests.factories import csrf, login, make_agency, make_offer, make_property, make_user, person_of
from tests.web.test_routes import contents, path

# What an assistant may press: what is their own, what they record, and the file of what they read.
MAY = {
    "settings.profile", "settings.password", "settings.end_session", "settings.end_others", "settings.totp_begin",
    "settings.totp_confirm", "settings.totp_remove", "settings.passkey_options", "settings.passkey_add",
    "settings.passkey_remove", "settings.recovery_codes", "accounts.confirm", "accounts.passkey_confirm",
    "accounts.logout", "accounts.switch_agency", "offers.save_view", "offers.rename_view", "offers.delete_view",
    "offers.record", "offers.ask_confirmation", "offers.ask_receipt",
}  # fmt: skip
SENDS_ON = {"properties.external"}  # to the page that they read


@pytest.fixture
def agency(app: Flask) -> dict[str, Any]:
    owner = make_user(make_agency(), "owner")
    assistant = make_user(owner.agency_id, "assistant", full_name="Ana Asistenta")
    prop = make_property(owner.agency_id, owner.id, external_id="CRM-9")
    offer = make_offer(prop)
    by = person_of(owner)
    note = notes.write(db.session.get_one(Offer, offer), "de sunat", by=by)
    return {
        "owner": owner, "assistant": assistant, "property_id": prop.id, "offer_id": offer, "note_id": note,
        "link_id": seller_links.create(prop, 7, shows_names=False, by=by), "external_id": "CRM-9", "kind": "svg",
        "view_id": saved_views.save("A mea", {"q": "x"}, by=by), "user_id": owner.id, "session_id": uuid.uuid4(),
    }  # fmt: skip


def test_no_route_lets_an_assistant_decide(app: Flask, client: FlaskClient, agency: dict[str, Any]) -> None:
    login(client, agency["assistant"])
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    before, tried = contents(), 0
    for rule in app.url_map.iter_rules():
        guard = app.view_functions[rule.endpoint].policy.guard  # type: ignore[attr-defined]
        if guard not in PEOPLE or "POST" not in (rule.methods or ()) or rule.endpoint in MAY:
            continue
        decides = guard in {Guard.AGENT, Guard.OWNER, Guard.RUNS}
        assert decides or rule.endpoint in SENDS_ON, f"{rule}: may an assistant press it?"
        values = {name: agency.get(name, uuid.uuid4()) for name in rule.arguments}
        data = {"csrf_token": token, "status": "accepted", "version": "1", "role": "owner", "on": "0", "text": "x"}
        data |= {"offer": str(agency["offer_id"]), "answer": "erase", "title": "Alt titlu"}
        answer = client.post(path(app, rule, values), data=data)
        wanted = {404, 303} if rule.endpoint in SENDS_ON else {404}
        assert answer.status_code in wanted, f"{rule} answers {answer.status_code}"
        tried += 1
    assert tried > 50 and contents() == before


def test_what_leads_to_a_decision_is_not_shown(client: FlaskClient, agency: dict[str, Any]) -> None:
    login(client, agency["assistant"])
    pages = [f"/app/offers/{agency['offer_id']}", f"/app/properties/{agency['property_id']}", "/app/offers"]
    pages += ["/app/properties", "/app/stats", f"/app/compare?offer={agency['offer_id']}"]
    pages += [f"/app/properties/{agency['property_id']}/order", "/app/settings", "/app/offers.csv"]
    refused = ("/app/offers/decision", "/notes", "/better", "/app/properties/new", "/edit", "/archive", "/seller-links")
    for where in pages:
        answer = client.get(where)
        assert answer.status_code == 200, where
        shown = answer.get_data(as_text=True)
        if not where.endswith("/order"):
            assert not [one for one in refused if one in shown], where
    assert "Țurcanu" in client.get("/app/offers").get_data(as_text=True)
    for where in ("/app/settings/users", "/app/settings/agency", "/app/settings/api", "/app/properties/new"):
        assert client.get(where).status_code == 404, where


def test_an_assistant_records_an_offer_for_any_property(client: FlaskClient, agency: dict[str, Any]) -> None:
    login(client, agency["assistant"])
    assert str(agency["property_id"]) in client.get("/app/offers/new").get_data(as_text=True)
    where = f"/app/properties/{agency['property_id']}/offers/new"
    assert where in client.get(f"/app/properties/{agency['property_id']}").get_data(as_text=True)
    form = client.get(where).get_data(as_text=True)
    stamp = form.split('name="stamp"')[1].split('value="')[1].split('"')[0]
    data = {"csrf_token": csrf(form), "stamp": stamp, "full_name": "Maria Pop", "email": "maria@client.example"}
    data |= {"phone": "0722 000 112", "amount": "100000", "financing": "cash", "payment_term_days": "30"}
    data |= {"type": "person", "language": "ro", "channel": "phone"}
    done = client.post(where, data=data)
    assert done.status_code == 303, done.get_data(as_text=True)
    assert client.get(done.location).status_code == 200, "the link by which the bidder confirms"
    db.session.rollback()
    assert db.session.scalars(select(Offer.source).order_by(Offer.submitted_at.desc())).first() == "agent"


def test_an_assistant_is_responsible_for_no_property(app: Flask) -> None:
    crm = make_crm(app)
    assistant = make_user(crm.owner.agency_id, "assistant")
    agent = make_user(crm.owner.agency_id)
    held = make_property(crm.owner.agency_id, agent.id)
    assert assistant.id not in dict(agent_choices(person_of(crm.owner)))
    made = crm.call("POST", "/properties", {"title": "Casă", "agent": {"email": assistant.email}})
    assert made.json["agent"]["email"] == crm.owner.email and made.json["warnings"]
    with pytest.raises(Invalid):
        staff.set_role(agent, "assistant", by=SYSTEM)
    agent = db.session.get_one(User, agent.id)
    with pytest.raises(Invalid):
        staff.deactivate(agent, heir=assistant.id, by=SYSTEM)
    assert db.session.get_one(Property, held.id).agent_id == agent.id
    with pytest.raises(Invalid):
        staff.set_role(db.session.get_one(User, crm.owner.id), "assistant", by=SYSTEM)


def test_the_last_owner_is_not_replaced_by_an_assistant(app: Flask) -> None:
    agency = make_agency()
    owner = make_user(agency, "owner")
    new = accounts.NewUser("asistent@agentie.example", "Dan", role="assistant")
    assert accounts.create_user(agency, new, "cinci vrăbii pe gard 47")
    with pytest.raises(Invalid):
        staff.set_role(owner, "assistant", by=SYSTEM)


def test_the_owner_chooses_who_takes_over(client: FlaskClient, agency: dict[str, Any]) -> None:
    owner_id, agency_id = agency["owner"].id, agency["owner"].agency_id
    leaver, heir = make_user(agency_id, full_name="Pleacă Azi"), make_user(agency_id, full_name="Rămâne Aici")
    prop = make_property(agency_id, leaver.id)
    login(client, agency["owner"])
    where = f"/app/settings/users/{leaver.id}/deactivate"
    page = client.get(where).get_data(as_text=True)
    assert "Rămâne Aici" in page and "Ana Asistenta" not in page and "1 proprietate" in page
    assert f'value="{owner_id}" selected' in page and f'value="{leaver.id}"' not in page
    data = {"csrf_token": csrf(page)}
    for wrong in ("", "x", str(leaver.id), str(agency["assistant"].id), str(make_user(make_agency("Alta")).id)):
        assert client.post(where, data={**data, "heir": wrong}).status_code == 422, wrong
    assert client.post(where, data={**data, "heir": str(heir.id)}).status_code == 303
    db.session.rollback()
    assert db.session.get_one(Property, prop.id).agent_id == heir.id
    assert not db.session.get_one(User, leaver.id).active
    assert client.post(f"/app/settings/users/{heir.id}/password", data=data).status_code == 404, "no first passwords"


def test_a_route_of_agents_asks_for_a_factor_too(client: FlaskClient, agency: dict[str, Any]) -> None:
    """What stands before every person's routes stands before those that an assistant has not."""
    agent = make_user(agency["owner"].agency_id)
    login(client, agent)
    assert client.get("/app/properties/new").status_code == 200
    db.session.get_one(Agency, agent.agency_id).needs_factor = True
    db.session.commit()
    sent = client.get("/app/properties/new")
    assert sent.status_code == 303 and "/security" in sent.location
