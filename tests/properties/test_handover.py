"""A property changes hands: who is told, and where notices that have not left yet go."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.core.ledger import SYSTEM
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Delivery, Property, User
from app.properties import editing as properties
from app.properties import syncing
from app.properties.syncing import SentProperty
from tests.factories import make_offer, make_property, make_user, person_of
from tests.mail_server import MailServer

Two = tuple[User, User]


@pytest.fixture
def two(prop: Property) -> Two:
    return db.session.get_one(User, prop.agent_id), make_user(prop.agency_id, full_name="Ioana Nouă")


def give(prop: Property, to: User, by: User | None = None) -> None:
    properties.change(prop, {"agent_id": to.id}, by=person_of(by).actor if by else SYSTEM)


def owed_to(template: str) -> list[object]:
    return list(db.session.scalars(select(Delivery.user_id).where(Delivery.template == template)))


def test_the_new_agent_is_told_and_gets_what_has_not_left_yet(smtp: MailServer, prop: Property, two: Two) -> None:
    _old, new = two
    offer = make_offer(prop)
    give(prop, new)
    assert owed_to("offer_agent") == [new.id]
    dispatch()
    letters = smtp.to(new.email)
    handed = next(letter for letter in letters if "Sunteți responsabil" in letter.message["Subject"])
    assert prop.title in handed.message["Subject"]
    for kind in ("plain", "html"):
        assert "1 ofertă deschisă" in handed.body(kind) and f"/app/properties/{prop.id}" in handed.body(kind)
    assert any(str(offer) in letter.body() for letter in letters) and len(letters) == 2


def test_who_takes_it_themselves_is_not_told(prop: Property, two: Two) -> None:
    give(prop, two[1], by=two[1])
    assert owed_to("property_handed") == []


def test_handed_on_before_the_mail_left_nothing_is_said(smtp: MailServer, prop: Property, two: Two) -> None:
    give(prop, two[1])
    give(prop, two[0])
    dispatch()
    assert [letter.to for letter in smtp.letters] == [[two[0].email]]


def test_many_at_once_are_one_mail(smtp: MailServer, prop: Property, two: Two) -> None:
    agency_id = prop.agency_id
    make_user(agency_id, "owner")
    for n in range(3):
        make_property(agency_id, two[0].id, external_id=f"X-{n}", title=f"Casa {n}")
    sent = [SentProperty({"external_id": f"X-{n}", "title": f"Casa {n}"}, two[1].email) for n in range(3)]
    syncing.upsert(agency_id, sent, by=SYSTEM)
    dispatch()
    (letter,) = smtp.letters
    assert letter.to == [two[1].email] and "3 proprietăți" in letter.message["Subject"]
    assert all(f"Casa {n}" in letter.body() for n in range(3))
