"""An agency ends after its export: nothing of it is read any more, its ledger stays, others notice nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts import editing as accounts
from app.accounts import invitations
from app.accounts.test_agency import test_agency_of as make_test_agency
from app.core.clock import now
from app.core.errors import Conflict
from app.core.ledger import SYSTEM
from app.core.signed_links import BIDDER, OFFER_LINK, OfferLink, sign
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.models import Account, Agency, AgencyKey, Checkpoint, LedgerEntry, Offer, Property, StaffAddress, User
from app.offers import better_offers, notes, saved_views
from app.outbound.images import read_photo
from app.privacy import agency_copy, agency_end, data_requests
from app.properties import editing as properties
from app.properties import seller_links
from app.webhooks import editing as webhooks
from app.workers.relay import sweep
from tests.api.test_photos import picture
from tests.factories import PASSWORD, make_agency, make_offer, make_property, make_user, person_of
from tests.web.test_routes import contents

SEEN = ("Zorile", "zorile", "Mănăștur", "Țurcanu", "turcanu", "Vasilescu")


@pytest.fixture
def ending(either_app: Flask) -> dict[str, Any]:
    """An agency with one of everything, and its test agency."""
    agency = accounts.create_agency("Zorile", "contact@zorile.example")
    owner = make_user(agency, "owner", email="ana@zorile.example", full_name="Ana Vasilescu")
    agent = make_user(agency, email="dan@zorile.example", full_name="Dan Vasilescu")
    prop = make_property(
        agency, agent.id, external_id="ZORILE-1", description="În Zorile", crm_url="https://zorile.ro/"
    )
    properties.set_photo(prop, read_photo(picture()), by=SYSTEM)
    offer, by = make_offer(prop), person_of(owner)
    notes.write(db.session.get_one(Offer, offer), "Țurcanu: de sunat", by=by)
    better_offers.ask([offer], now() + timedelta(days=1), "Mai mult, vă rog", by=by)
    endpoint, _secret = webhooks.create(agency, "https://zorile.example/hook", by=SYSTEM)
    webhooks.send_test(webhooks.get_endpoint(agency, endpoint), "offer.created", by=SYSTEM)
    feeds.create(agency, FeedValues("Zorile", "rebs", url="https://zorile.example/"), by=SYSTEM)
    seller_links.create(prop, 7, shows_names=True, by=by)
    saved_views.save("Zorile", {"q": "zorile"}, by=by)
    data_requests.ask(agency, "access", "ana@client.example", "ro")
    invitations.invite(agency, accounts.NewUser("nou@zorile.example", "Nou Vasilescu"), by=SYSTEM)
    key = accounts.create_api_key(agency, "CRM", by=SYSTEM)
    accounts.start_session(agent, "Firefox")
    make_test_agency(agency)
    prop = db.session.get_one(Property, prop.id)
    link = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    return {"id": agency, "key": key, "link": link, "offer": offer, "app": either_app}


def test_nothing_is_left_but_the_ledger_and_others_notice_nothing(ending: dict[str, Any], tmp_path: Path) -> None:
    agency, app = ending["id"], ending["app"]
    other = make_user(make_agency("Cealaltă"), "owner")
    address = other.email
    theirs = make_offer(make_property(other.agency_id, other.id, title="A altora", title_en="Theirs"))
    agency_copy.write(agency, tmp_path / "zorile.zip")
    assert agency_end.end(agency) >= 1
    db.session.rollback()
    told = json.dumps(contents(), ensure_ascii=False)
    assert not [word for word in SEEN if word in told]
    assert accounts.authenticate("ana@zorile.example", PASSWORD) is None
    assert not db.session.scalars(select(StaffAddress).where(StaffAddress.agency_id == agency)).all()
    assert not db.session.scalars(select(AgencyKey).where(AgencyKey.agency_id == agency)).all()
    assert {user.active for user in db.session.scalars(select(User).where(User.agency_id == agency))} == {False}
    assert len(db.session.scalars(select(Account)).all()) == 1, "the other's owner"
    ledger = select(LedgerEntry.kind).where(LedgerEntry.agency_id == agency).order_by(LedgerEntry.seq)
    assert list(db.session.scalars(ledger))[-1] == "agency.ended"
    assert db.session.scalars(select(Checkpoint.seq).where(Checkpoint.agency_id == agency)).all()
    client = app.test_client()
    bearer = {"Authorization": f"Bearer {ending['key']}"}
    assert client.get("/api/crm/properties", headers=bearer).status_code == 401
    assert client.get(ending["link"]).status_code in {200, 404, 410}
    assert "Zorile" not in client.get(ending["link"]).get_data(as_text=True)
    assert "Țurcanu" not in client.get(f"/r/{sign(BIDDER, ending['offer'])}").get_data(as_text=True)
    dispatch()
    sweep()
    for words in (("ledger", "verify", "--offers"), ("doctor",), ("privacy", "purge"), ("usage", "--measure")):
        done = app.test_cli_runner().invoke(args=[*words, "--json"])
        assert not isinstance(done.exception, Exception), (words, done.exception)
        assert words[0] == "doctor" or done.exit_code == 0, (words, done.output[-600:])
    assert db.session.get_one(Offer, theirs) and accounts.authenticate(address, PASSWORD)


def test_it_takes_an_export_that_nothing_followed(ending: dict[str, Any], tmp_path: Path) -> None:
    agency = ending["id"]
    with pytest.raises(Conflict):
        agency_end.end(agency)
    agency_copy.write(agency, tmp_path / "one.zip")
    make_offer(db.session.scalars(select(Property).where(Property.agency_id == agency)).one())
    with pytest.raises(Conflict):
        agency_end.end(agency)
    assert accounts.authenticate("ana@zorile.example", PASSWORD)


def test_its_name_is_typed_and_a_killed_run_is_run_again(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = make_agency("Zorile")
    make_offer(make_property(agency, make_user(agency, "owner").id))

    def run(typed: str) -> Any:
        words = ["agency", "delete", "--agency", "Zorile", "--json"]
        return app.test_cli_runner().invoke(args=words, input=typed)

    assert run("Zorile\n").exit_code == 1, "not exported"
    agency_copy.write(agency, tmp_path / "one.zip")
    assert run("zorile\n").exit_code == run("\n").exit_code == 1
    monkeypatch.setattr(agency_end, "_empty", lambda _tx: 1 / 0)
    assert isinstance(run("Zorile\n").exception, ZeroDivisionError)
    monkeypatch.undo()
    done = run("Zorile\n")
    assert done.exit_code == 0 and json.loads(done.stdout)["deleted"], done.output
    db.session.rollback()
    assert db.session.get_one(Agency, agency).ended_at and run("Zorile\n").exit_code == 1
