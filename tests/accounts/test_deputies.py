"""Whoever is away has somebody who gets their notices too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import deputies, staff
from app.core.clock import now
from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Agency, Delivery, LedgerEntry, Offer, Property, User
from app.offers import withdrawing
from tests.factories import csrf, login, make_agency, make_offer, make_property, make_user
from tests.mail_server import MailServer

TODAY = date(2026, 12, 1)


@pytest.fixture(autouse=True)
def _morning() -> Iterator[None]:
    """Of a day that is the same in every zone."""
    with time_machine.travel(datetime(2026, 12, 1, 8, tzinfo=UTC)):
        yield


def owed() -> set[tuple[str, str]]:
    db.session.rollback()
    rows = select(Delivery.template, User.email).join(User, User.id == Delivery.user_id)
    return {(row.template, row.email.partition("@")[0]) for row in db.session.execute(rows)}


@pytest.fixture
def away(owner: User) -> User:
    agent = make_user(owner.agency_id, email="agent@agentie.example")
    make_user(owner.agency_id, "assistant", email="deputy@agentie.example", full_name="Dan Locțiitor", language="en")
    make_property(owner.agency_id, agent.id)
    return agent


def deputy_of(agent: User) -> User:
    return db.session.scalars(select(User).where(User.email == "deputy@agentie.example")).one()


def prop_of(agent: User) -> Property:
    return db.session.scalars(select(Property).where(Property.agent_id == agent.id)).one()


def test_the_deputy_is_told_too_from_one_day_to_another(app: Flask, away: User, smtp: MailServer) -> None:
    deputies.appoint(away, deputy_of(away).id, TODAY + timedelta(1), TODAY + timedelta(2), by=SYSTEM)
    for days, told in ((0, 0), (1, 1), (2, 2), (3, 2)):
        with time_machine.travel(now() + timedelta(days=days)):
            make_offer(prop_of(away))
            dispatch()
        assert len([row for row in db.session.scalars(select(Delivery.template)) if row == "offer_deputy"]) == told
    letters = smtp.to("deputy@agentie.example")
    assert len(letters) == 2 and "New offer" in letters[0].body() and "/app/offers/" in letters[0].body()
    assert len(smtp.to("agent@agentie.example")) == 4, "who is away is told as ever"


def test_a_withdrawal_is_told_and_who_left_or_may_not_read_is_told_nothing(
    app: Flask, away: User, smtp: MailServer
) -> None:
    deputies.appoint(away, deputy_of(away).id, TODAY, TODAY + timedelta(9), by=SYSTEM)
    offer = make_offer(prop_of(away))
    assert withdrawing.withdraw(db.session.get_one(Offer, offer))
    assert {("offer_deputy", "deputy"), ("withdrawn_deputy", "deputy")} <= owed()
    dispatch()
    assert len(smtp.to("deputy@agentie.example")) == 2
    make_offer(prop_of(away))
    owner = db.session.scalars(select(User).where(User.role == "owner")).one()
    staff.deactivate(deputy_of(away), heir=owner.id, by=SYSTEM)
    dispatch()
    assert len(smtp.to("deputy@agentie.example")) == 2, "what was still owed does not leave"
    make_offer(prop_of(away))
    assert len([row for row in db.session.scalars(select(Delivery.template)) if row == "offer_deputy"]) == 2


def test_only_who_may_read_everything_can_stand_in(app: Flask, away: User, owner: User) -> None:
    colleague, stranger = make_user(owner.agency_id, full_name="Colega"), make_user(make_agency("Alta"), "owner")
    names = {name for _id, name in deputies.choices_of(away)}
    assert names == {"Dan Locțiitor", owner.full_name}
    for other in (colleague, stranger, away):
        with pytest.raises(Invalid):
            deputies.appoint(away, other.id, TODAY, TODAY, by=SYSTEM)
    db.session.get_one(Agency, owner.agency_id).colleagues_read = True
    db.session.commit()
    deputies.appoint(db.session.get_one(User, away.id), colleague.id, TODAY, TODAY, by=SYSTEM)
    make_offer(prop_of(away))
    assert "offer_deputy" in {template for template, _who in owed()}


def test_it_is_set_and_ended_on_ones_own_page(client: FlaskClient, away: User) -> None:
    login(client, away)
    page = client.get("/app/settings").get_data(as_text=True)
    assert "Dan Locțiitor" in page
    deputy, first = str(deputy_of(away).id), date(2099, 1, 2)
    data = {"csrf_token": csrf(page), "deputy": deputy, "since": first.isoformat(), "until": "2099-01-09"}
    wrong = {"deputy": ("", "x", str(away.id)), "since": ("", "x", "2099-02-02"), "until": ("", "2020-01-01")}
    for name, values in wrong.items():
        for value in values:
            assert client.post("/app/settings/deputy", data={**data, name: value}).status_code == 422, (name, value)
    assert client.post("/app/settings/deputy", data=data).status_code == 303
    assert 'value="2099-01-02"' in client.get("/app/settings").get_data(as_text=True)
    assert client.post("/app/settings/deputy", data={**data, "nobody": "1"}).status_code == 303
    db.session.rollback()
    assert db.session.get_one(User, away.id).deputy_id is None
    kinds = select(LedgerEntry.kind).where(LedgerEntry.kind.startswith("user.deputy")).order_by(LedgerEntry.seq)
    assert list(db.session.scalars(kinds)) == ["user.deputy_appointed", "user.deputy_dismissed"]
