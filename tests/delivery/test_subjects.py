"""Each delivery says what it is about, and is owed once about the same thing; of before it was written down, too."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from app.accounts import invitations
from app.accounts.editing import NewUser
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.subjects import about
from app.core.unit_of_work import housekeeping, writing
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import registry
from app.extensions import db
from app.models import Attempt, Delivery, Offer, Property, User
from app.offers import better_offers, deciding, recording, withdrawing
from app.offers.document import Signature
from app.privacy import data_requests
from app.properties import editing as properties
from app.properties import gone_notices
from app.webhooks import editing as webhooks
from tests import factories
from tests.conftest import ROOT

FOLDER = str(ROOT / "migrations")
BEFORE = "0037"


def owed_of_all_sorts() -> Property:
    """One delivery of nearly every name, as they come about."""
    agency = factories.make_agency()
    owner = factories.make_user(agency, "owner")
    prop = factories.make_property(agency, owner.id, code_required=True)
    endpoint = webhooks.get_endpoint(
        agency, webhooks.create(agency, "https://crm.example/hook", ("offer.created",), by=SYSTEM)[0]
    )
    webhooks.send_test(endpoint, by=SYSTEM)
    signed = factories.make_offer(prop, factories.make_draft(signature=Signature("typed", "Andrei Țurcanu")))
    decided, asked, gone = (factories.make_offer(prop) for _ in range(3))
    factories.make_offer(prop, factories.make_draft(replaces=reference(gone)))
    deciding.decide(decided, agency, "accepted", by=SYSTEM, notify_bidder=True)
    deciding.decide(decided, agency, "rejected", by=SYSTEM, notify_bidder=True)
    better_offers.ask([asked], now() + timedelta(days=2), "Mai mult?", by=factories.person_of(owner))
    withdrawing.withdraw(offer(signed), None)
    recording.record(prop, factories.make_draft(), factories.make_sending(prop, source="api"), by=SYSTEM)
    properties.change(fresh(prop), {"agent_id": factories.make_user(agency, email="nou@agentie.example").id}, by=SYSTEM)
    properties.change(fresh(prop), {"availability": "sold"}, by=SYSTEM)
    gone_notices.tell(fresh(prop), mail=True, by=SYSTEM)
    invitations.invite(agency, NewUser("alta@agentie.example", "Alta"), by=SYSTEM)
    invitations.invite_again(db.session.get_one(User, owner.id), by=SYSTEM)
    data_requests.ask(agency, "erasure", "andrei.turcanu@client.example", "ro")
    data_requests.ask_as_bidder(agency, "alt.client@client.example", "ro")
    db.session.rollback()
    return fresh(prop)


def offer(offer_id: uuid.UUID) -> Offer:
    db.session.rollback()
    return db.session.get_one(Offer, offer_id)


def reference(offer_id: uuid.UUID) -> str:
    return str(offer(offer_id).reference)


def fresh(prop: Property) -> Property:
    key = prop.id
    db.session.rollback()
    return db.session.get_one(Property, key)


def rows() -> dict[uuid.UUID, tuple[Any, ...]]:
    db.session.rollback()
    columns = (Delivery.kind, Delivery.template, Delivery.subject_type, Delivery.subject_id, Delivery.event_seq)
    return {row.id: tuple(row[1:]) for row in db.session.execute(select(Delivery.id, *columns))}


def test_all_say_what_they_are_about_and_go_down_and_up_again(either_app: Flask) -> None:
    owed_of_all_sorts()
    held = rows()
    assert all(subject and key for _kind, _template, subject, key, _seq in held.values())
    kinds = Counter(row[2] for row in held.values())
    wanted = "offer decision offer_request email_code telling entries entry privacy_request event endpoint"
    assert set(wanted.split()) == set(kinds)
    with housekeeping() as connection:
        one = connection.execute(select(Delivery.id, Delivery.agency_id).limit(1)).one()
        connection.execute(
            insert(Attempt), {"delivery_id": one.id, "n": 1, "agency_id": one.agency_id, "at": now(), "code": 250}
        )
    db.session.remove()
    downgrade(directory=FOLDER, revision=BEFORE)
    with db.engine.connect() as connection:
        before = connection.execute(text("SELECT template, event_seq, kind FROM delivery")).all()
    assert {row.kind for row in before} == {"mail", "webhook"} and None not in {row.event_seq for row in before}
    assert all(row.event_seq < 0 for row in before if row.template in {"invitation", "privacy_proof", "privacy_asked"})
    upgrade(directory=FOLDER)
    again = rows()
    for ident, row in held.items():  # what was handed over lies between other entries of the same moment
        assert again[ident] == row or (row[1], again[ident][2]) == ("property_handed", "entries")
    assert db.session.scalars(select(Attempt.delivery_id)).all() == [one.id]


def test_what_was_owed_before_is_composed_after_as_it_was(either_app: Flask) -> None:
    owed_of_all_sorts()

    def bodies() -> dict[uuid.UUID, str]:
        db.session.rollback()
        mails = db.session.scalars(select(Delivery).where(Delivery.kind == "mail")).all()
        made = {}
        for owed in [DeliveryRow.of(row) for row in mails if row.template != "offer_replaced"]:
            try:
                made[owed.id] = str(registry().compose(owed).body)
            except Exception as why:
                made[owed.id] = f"{type(why).__name__} {why}"
        return made

    held = bodies()
    assert sum(not body.startswith("NoLongerOwed") for body in held.values()) > 10
    assert not any("Error" in body[:30] for body in held.values())
    db.session.remove()
    downgrade(directory=FOLDER, revision=BEFORE)
    upgrade(directory=FOLDER)
    assert bodies() == held


@pytest.mark.parametrize("of_user", [True, False])
def test_the_same_about_the_same_to_the_same_is_owed_once(either_app: Flask, of_user: bool) -> None:
    agency = factories.make_agency()
    user = factories.make_user(agency).id if of_user else None

    def owe(n: int) -> None:
        with writing(agency) as tx:
            tx.owe_mail("offer_agent", about("entry", n), user_id=user)

    owe(1)
    owe(2)
    with pytest.raises(IntegrityError):
        owe(1)
    db.session.rollback()
    assert len(rows()) == 2


def test_a_number_is_an_events(either_app: Flask) -> None:
    agency = factories.make_agency()
    for seq in (0, -3):
        with pytest.raises(IntegrityError), writing(agency) as tx:
            tx.owe_mail("offer_agent", about("entry", 1), event_seq=seq)
        db.session.rollback()


def test_what_does_not_know_its_subject_is_still_delivered_where_it_needs_none(app: Flask) -> None:
    agency = factories.make_agency()
    prop = factories.make_property(agency, factories.make_user(agency).id)
    factories.make_offer(prop)
    with housekeeping() as connection:
        connection.execute(text("UPDATE delivery SET subject_type = NULL, subject_id = NULL"))
    for row in db.session.scalars(select(Delivery).where(Delivery.kind == "mail")):
        assert registry().compose(DeliveryRow.of(row)).body


def test_what_happened_in_one_moment_is_told_apart(app: Flask) -> None:
    agency = factories.make_agency()
    owner = factories.make_user(agency, "owner")
    asked = factories.make_offer(factories.make_property(agency, owner.id))
    with time_machine.travel(now(), tick=False):
        for words in ("Unu", "Doi"):
            better_offers.ask([asked], now() + timedelta(days=2), words, by=factories.person_of(owner))
            db.session.rollback()
        first, second = db.session.scalars(select(Delivery).filter_by(template="offer_better").order_by(Delivery.id))
        assert "Doi" in str(registry().compose(DeliveryRow.of(second)).body)
        with pytest.raises(NoLongerOwed):
            registry().compose(DeliveryRow.of(first))


def test_undoing_takes_back_what_is_about_it_and_nothing_else_of_its_moment(app: Flask) -> None:
    agency = factories.make_agency()
    owner = factories.make_user(agency, "owner")
    webhooks.create(agency, "https://crm.example/hook", ("offer.status_changed", "offer.better_asked"), by=SYSTEM)
    given = factories.make_offer(factories.make_property(agency, owner.id))
    with time_machine.travel(now(), tick=False):
        better_offers.ask([given], now() + timedelta(days=2), None, by=factories.person_of(owner))
        answer = deciding.AgencyAnswer("rejected", notify_bidder=True)
        decision = deciding.decide_all(agency, [deciding.Chosen(given)], answer, by=SYSTEM)
        assert decision
        deciding.undo(decision, agency, by=SYSTEM)
    db.session.rollback()
    states = Counter((row.kind, row.template, row.state) for row in db.session.scalars(select(Delivery)))
    assert states["mail", "offer_better", "pending"] == states["webhook", "offer.better_asked", "pending"] == 1
    assert states["mail", "decision_bidder", "cancelled"] == 1
    assert states["webhook", "offer.status_changed", "cancelled"] == 1
