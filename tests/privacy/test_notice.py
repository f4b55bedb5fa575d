"""The notice at collection: an agency's own or the default, and each offer keeps what its client was shown."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.core.clock import now
from app.core.language import LANGUAGES
from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.extensions import db
from app.models import Agency, AgencyNotice, LedgerEntry, Offer, Property, TextVersion, User
from app.privacy import retention
from app.proof import texts
from tests.factories import csrf, login, make_agency, make_property, make_user
from tests.public.test_offer_form import GOOD, fill, hidden

OWN = "Casa Bună SRL răspunde de datele dumneavoastră. " * 6


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency("Casa Bună"), "owner", language="en")


def of(user: User) -> Property:
    """A property of the user's agency, as it is now."""
    db.session.rollback()
    agency_id, user_id = user.agency_id, user.id
    query = select(Property).options(joinedload(Property.agency)).where(Property.agency_id == agency_id)
    if db.session.scalar(query) is None:
        make_property(agency_id, user_id)
    return db.session.scalars(query).one()


def agency_of(user: User) -> Agency:
    return db.session.get_one(Agency, user.agency_id)


def save(client: FlaskClient, **fields: str):  # type: ignore[no-untyped-def]
    token = csrf(client.get("/app/settings/notice").get_data(as_text=True))
    return client.post("/app/settings/notice", data={"csrf_token": token, **fields})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_default_names_the_controller_the_rights_and_the_authority(app: Flask, owner: User, language: str) -> None:
    with app.test_request_context():
        held = agency_of(owner)
        text = texts.notice(language, of(owner))
        assert all(part in text for part in ("Casa Bună", held.email, "ANSPDCP", "http://localhost", "gdpr/request"))
        assert "None" not in text
        assert text != texts.notice(language)


def test_an_owner_writes_it_and_clients_read_it_at_once(client: FlaskClient, owner: User, prop: Property) -> None:
    login(client, owner)
    address = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    assert "este operatorul datelor" in client.application.test_client().get(address).get_data(as_text=True)
    assert save(client, ro=OWN, en="").status_code == 303
    buyer = client.application.test_client()
    page = buyer.get(address).get_data(as_text=True)
    assert OWN.strip() in page
    assert db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.kind == "notice.changed")).all()


def test_too_short_a_text_is_refused_and_kept_in_the_form(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    answer = save(client, ro="Prea scurt", en="")
    assert answer.status_code == 422
    assert "Prea scurt" in answer.get_data(as_text=True)
    assert not db.session.scalars(select(AgencyNotice)).all()


def test_what_was_shown_is_what_held_when_the_form_was_opened(app: Flask, owner: User) -> None:
    start = datetime(2026, 11, 1, 9, tzinfo=UTC)
    with app.test_request_context():
        with time_machine.travel(start, tick=False):
            texts.set_notice(owner.agency_id, "ro", OWN, by=SYSTEM)
        with time_machine.travel(start + timedelta(hours=1), tick=False):
            texts.set_notice(owner.agency_id, "ro", OWN + "Altfel.", by=SYSTEM)
            digest = texts.kept("notice", "ro", of(owner), start + timedelta(minutes=30))
            assert digest == hashlib.sha256(OWN.strip().encode()).hexdigest()
            assert texts.kept("notice", "ro", of(owner), now()) != digest


def test_an_empty_text_brings_the_default_back_and_nothing_is_forgotten(app: Flask, owner: User) -> None:
    with app.test_request_context():
        texts.set_notice(owner.agency_id, "ro", OWN, by=SYSTEM)
        texts.set_notice(owner.agency_id, "ro", "", by=SYSTEM)
        assert texts.notice("ro", of(owner)) == texts.default_notice("ro", agency_of(owner))
        assert len(db.session.scalars(select(AgencyNotice)).all()) == 2
        assert OWN.strip() in db.session.scalars(select(TextVersion.body)).all()


def test_another_agency_keeps_its_own(app: Flask, owner: User) -> None:
    other = make_user(make_agency("Alta"), "owner")
    with app.test_request_context():
        texts.set_notice(owner.agency_id, "ro", OWN, by=SYSTEM)
        assert "Casa Bună" not in texts.notice("ro", of(other))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_default_tells_how_long_this_very_property_keeps_what(app: Flask, owner: User, language: str) -> None:
    year, days = {"ro": ("3 ani", "45 de zile"), "en": ("3 years", "45 days")}[language]
    with app.test_request_context():
        text = texts.notice(language, of(owner))
        assert year in text and days not in text
        own: dict[str, int | None] = {**dict.fromkeys(retention.KINDS), "undecided_days": 45}
        retention.set_days(owner.agency_id, own, by=SYSTEM, property_id=of(owner).id)
        text = texts.notice(language, of(owner))
        assert year in text and days in text


def test_it_names_the_company_and_who_answers_about_data(client: FlaskClient, owner: User, prop: Property) -> None:
    login(client, owner)
    held = agency_of(owner)
    form = {"name": held.name, "email": held.email, "zone": held.zone}
    form["csrf_token"] = csrf(client.get("/app/settings/agency").get_data(as_text=True))
    company = "Casa Bună Imobiliare SRL, CUI RO12345678, Cluj-Napoca"
    assert client.post("/app/settings/agency", data={**form, "privacy_contact": "nimeni"}).status_code == 422
    data = {**form, "company": company, "privacy_contact": "dpo@agentie.example"}
    assert client.post("/app/settings/agency", data=data).status_code == 303
    page = client.application.test_client().get(f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}").text
    assert company in page and "dpo@agentie.example" in page
    assert company in client.get("/app/settings/processing").get_data(as_text=True)


def test_who_opened_the_form_before_the_facts_changed_reads_it_again(client: FlaskClient, owner: User) -> None:
    prop = of(owner)
    address = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    with time_machine.travel(datetime(2026, 11, 1, 9, tzinfo=UTC), tick=False) as clock:
        sent = {**GOOD, "stamp": hidden(client.get(address).text)["stamp"], "step": "send"}
        clock.shift(60)
        retention.set_days(owner.agency_id, {**retention.DEFAULTS, "undecided_days": 45}, by=SYSTEM)
        clock.shift(60)
        answer = client.post(address, data=sent)
        page = unescape(answer.text)
        assert answer.status_code == 422 and "45 de zile" in page and sent["full_name"] in page
        assert "s-a schimbat" in page and not re.search(r'name="consent"[^>]*checked', page)
        clock.shift(60)
        again = client.post(address, data={**sent, "stamp": hidden(page)["stamp"], "step": "review"})
        assert client.post(address, data={**hidden(again.text), "step": "send"}).status_code == 303
    kept = "".join(db.session.scalars(select(TextVersion.body).where(TextVersion.kind == "notice")))
    assert "45 de zile" in kept


def test_who_had_sent_it_before_the_facts_changed_and_presses_once_more_has_one_offer(
    client: FlaskClient, owner: User
) -> None:
    prop = of(owner)
    address = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    with time_machine.travel(datetime(2026, 11, 1, 9, tzinfo=UTC), tick=False) as clock:
        _, review = fill(client, address)
        sent = {**hidden(review), "step": "send"}
        clock.shift(60)
        first = client.post(address, data=sent)
        retention.set_days(owner.agency_id, {**retention.DEFAULTS, "undecided_days": 45}, by=SYSTEM)
        clock.shift(60)
        again = client.post(address, data=sent)
        assert (first.status_code, again.status_code) == (303, 303) and again.location == first.location
        assert client.post(address, data={**sent, "amount": "119.000"}).status_code == 422, "other words are another"
    assert len(db.session.scalars(select(Offer.id)).all()) == 1


def test_days_of_the_notice_follow_every_rule_and_are_nobody_elses(owner: User, prop: Property) -> None:
    """They are remembered from one form to the next."""

    def told(of: Property) -> str:
        db.session.rollback()
        query = select(Property).options(joinedload(Property.agency)).where(Property.id == of.id)
        return texts.notice("en", db.session.scalars(query).one())

    stranger = make_user(make_agency("Alta"), "owner")
    theirs = make_property(stranger.agency_id, stranger.id)
    beside = make_property(owner.agency_id, owner.id)
    usual = {of.id: told(of) for of in (prop, beside, theirs)}
    own = dict(retention.DEFAULTS) | {"origin_days": 41}
    retention.set_days(owner.agency_id, own, by=SYSTEM)
    assert "41 days" in told(prop) and "41 days" in told(beside) and told(theirs) == usual[theirs.id]
    retention.set_days(owner.agency_id, own | {"origin_days": 43}, by=SYSTEM, property_id=prop.id)
    assert "43 days" in told(prop) and "41 days" in told(beside) and told(theirs) == usual[theirs.id]
    retention.set_days(owner.agency_id, own | {"origin_days": None}, by=SYSTEM, property_id=prop.id)
    assert "41 days" in told(prop)
