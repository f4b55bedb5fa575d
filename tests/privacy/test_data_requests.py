"""A person asks for their data, or to be forgotten: proved by mail, answered by the agency, both sides told."""

from __future__ import annotations

import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.contacts import read_email
from app.core.database import is_sqlite
from app.core.signed_links import OFFER_LINK, RECEIPT, OfferLink, sign
from app.core.unit_of_work import housekeeping
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Agency, Attempt, Delivery, OfferKey, PrivacyRequest, Property, User
from app.offers.document import Bidder
from app.privacy import data_requests as service
from app.privacy import personal_data
from app.proof import texts
from tests.factories import csrf, login, make_agency, make_draft, make_offer, make_property, make_user
from tests.mail_server import MailServer
from tests.privacy.test_canaries import CANARIES, at_rest, found_in

EMAIL = "andrei.turcanu@client.example"


def ask(client: FlaskClient, owner: User, kind: str, email: str = EMAIL.upper()) -> int:
    form = {"agency": str(owner.agency_id), "kind": kind, "email": email}
    return client.post("/ro/gdpr/request", data=form).status_code


def link_in(smtp: MailServer, address: str = EMAIL) -> str:
    dispatch()
    bodies = [one.body() for one in smtp.letters if one.to[0].casefold() == address]
    return re.findall(r"http://localhost(/ro/gdpr/request/\S+)", "".join(bodies))[-1]


def held() -> PrivacyRequest:
    db.session.expire_all()
    return db.session.scalars(select(PrivacyRequest)).one()


def offers_read() -> int:
    return len(db.session.scalars(select(OfferKey.offer_id)).all())


@pytest.mark.parametrize(
    "typed",
    [
        f"Aţi câştigat! http://alta.example <{EMAIL}>",
        f"mailto:{EMAIL}?subject=Aţi+câştigat&body=http://alta.example",
        f'"Aţi\r\nBcc: alta.example" <{EMAIL}>',
    ],
)
def test_a_mail_to_whoever_was_named_repeats_nothing_that_was_typed_around_the_address(
    client: FlaskClient, smtp: MailServer, owner: User, typed: str
) -> None:
    assert ask(client, owner, "access", typed) == 303
    link = link_in(smtp)
    [letter] = smtp.letters
    assert letter.to == [EMAIL] and b"alta" not in letter.raw and "alta" not in letter.body()
    assert "alta.example" not in client.get(link).get_data(as_text=True)


def test_a_copy_is_there_once_the_link_is_proved_and_for_a_week(
    client: FlaskClient, smtp: MailServer, owner: User, prop: Property
) -> None:
    for amount_of in (prop, make_property(owner.agency_id, owner.id)):
        make_offer(amount_of, make_draft(message="Ne place mult."))
    stranger = make_user(make_agency("Alta"), "owner")
    make_offer(make_property(stranger.agency_id, stranger.id))
    assert ask(client, owner, "access") == 303
    link = link_in(smtp)
    for _ in range(3):
        assert client.get(link).status_code == 200
    assert held().proved_at is None and client.get(f"{link}/data.json").status_code == 404, "opening proves nothing"
    assert client.post(link).status_code == 303
    copy = client.get(f"{link}/data.json").json
    assert len(copy["offers"]) == 2 and copy["offers"][0]["offer"]["message"] == "Ne place mult."
    assert copy["controller"]["name"] == "Casa Bună Imobiliare"
    assert "Ne place mult." in client.get(link).get_data(as_text=True)
    with time_machine.travel(now() + timedelta(days=8)):
        assert client.get(f"{link}/data.json").status_code == 404


def test_erasure_waits_for_the_agency_and_both_sides_are_told(
    client: FlaskClient, smtp: MailServer, owner: User, prop: Property
) -> None:
    make_offer(prop)
    assert ask(client, owner, "erasure") == 303
    link = link_in(smtp)
    client.post(link)
    client.post(link)
    dispatch()
    assert offers_read() == 1
    (told,) = [one for one in smtp.to(owner.email) if "ștergerea" in one.message["Subject"]]
    assert "/app/settings/requests" in told.body()
    login(client, owner)
    page = unescape(client.get("/app/settings/requests").get_data(as_text=True))
    assert EMAIL in page.casefold() and "1 ofertă" in page
    answer = {"csrf_token": csrf(page), "answer": "refuse", "reason": ""}
    where = f"/app/settings/requests/{held().id}"
    assert client.post(where, data=answer).status_code == 422 and held().ended_at is None
    assert client.post(where, data={**answer, "answer": "erase"}).status_code == 303
    assert offers_read() == 0 and held().outcome == "done" and held().offers == 1
    assert client.post(where, data={**answer, "answer": "erase"}).status_code == 409
    dispatch()
    (last,) = [one for one in smtp.letters if "au fost șterse" in one.message["Subject"]]
    assert last.to[0].casefold() == EMAIL
    assert "au fost șterse" in client.get(link).get_data(as_text=True)


def test_a_refusal_says_why_and_where_to_complain(
    client: FlaskClient, smtp: MailServer, owner: User, prop: Property
) -> None:
    make_offer(prop)
    ask(client, owner, "erasure")
    link = link_in(smtp)
    client.post(link)
    service.decide(held().id, owner.agency_id, erase=False, reason="Proces pe rol, dosar 12/2026", by=service.SYSTEM)
    dispatch()
    (letter,) = [one for one in smtp.letters if "refuzată" in one.message["Subject"]]
    for kind in ("plain", "html"):
        assert "dosar 12/2026" in letter.body(kind) and "ANSPDCP" in letter.body(kind)
    assert offers_read() == 1 and b"dosar" not in (held().reason_ct or b"")


def test_nobody_learns_whether_an_address_is_known(client: FlaskClient, smtp: MailServer, owner: User) -> None:
    assert ask(client, owner, "access", "nimeni@client.example") == 303
    client.post(link := link_in(smtp, "nimeni@client.example"))
    assert "nu se păstrează nimic" in client.get(link).get_data(as_text=True)


def test_what_is_wrong_is_said(client: FlaskClient, owner: User) -> None:
    assert ask(client, owner, "access", "nu e adresă") == 422
    assert ask(client, owner, "everything") == 422
    assert client.get("/gdpr/request/nonsense").status_code == 404
    assert db.session.scalars(select(PrivacyRequest)).all() == []


def test_a_mailbox_is_not_filled_by_somebody_else(client: FlaskClient, owner: User) -> None:
    assert [ask(client, owner, "access") for _ in range(5)] == [303] * 5
    mails = select(Delivery.id).where(Delivery.template == "privacy_proof")
    assert len(db.session.scalars(mails).all()) == 3


def test_other_spellings_of_a_mailbox_do_not_keep_its_owner_from_asking(
    client: FlaskClient, smtp: MailServer, owner: User, prop: Property
) -> None:
    make_offer(prop)
    others = [EMAIL.replace("@", f"+{n}@") for n in range(4)]
    assert [ask(client, owner, "access", one) for one in others] == [303] * 4
    mails = select(Delivery.id).where(Delivery.template == "privacy_proof")
    assert len(db.session.scalars(mails).all()) == 3, "spellings that nobody used share what one mailbox gets"
    assert ask(client, owner, "erasure") == 303
    client.post(link_in(smtp))
    assert service.erasure_of(owner.agency_id, EMAIL)
    assert [ask(client, owner, "access") for _ in range(4)] == [303] * 4
    assert len(db.session.scalars(mails).all()) == 6, "and its own address has three a day as ever"


def test_another_agency_cannot_answer(client: FlaskClient, smtp: MailServer, owner: User, prop: Property) -> None:
    make_offer(prop)
    ask(client, owner, "erasure")
    client.post(link_in(smtp))
    stranger = make_user(make_agency("Alta"), "owner")
    login(client, stranger)
    page = client.get("/app/settings/requests").get_data(as_text=True)
    assert EMAIL not in page.casefold()
    data = {"csrf_token": csrf(page), "answer": "erase"}
    assert client.post(f"/app/settings/requests/{held().id}", data=data).status_code == 404
    assert client.post(f"/app/settings/requests/{uuid.uuid4()}", data=data).status_code == 404
    assert offers_read() == 1


def test_owners_are_reminded_once_and_what_has_ended_is_dropped(
    client: FlaskClient, smtp: MailServer, owner: User, prop: Property
) -> None:
    make_offer(prop)
    ask(client, owner, "erasure")
    client.post(link_in(smtp))
    assert service.remind() == 0
    with time_machine.travel(now() + timedelta(days=24)):
        assert (service.remind(), service.remind()) == (1, 0)
        service.decide(held().id, owner.agency_id, erase=True, reason="", by=service.SYSTEM)
        assert service.forget() == 0 and held().email_ct, "the answer has not left yet"
        dispatch()
        assert service.forget() == 1 and held().email_ct is None and held().tag, "shows that they were answered"
    with time_machine.travel(now() + timedelta(days=24 + 91)):
        assert service.forget() == 1 and held().tag is None
    ask(client, owner, "access", "uitat@client.example")
    with time_machine.travel(now() + timedelta(days=8)):
        assert service.forget() == 1


def test_after_an_erasure_nothing_of_the_person_is_found_at_rest(either_app: Flask, either_smtp: MailServer) -> None:
    client, owner = either_app.test_client(), make_user(make_agency(), "owner")
    prop = make_property(owner.agency_id, owner.id)
    bidder = Bidder(CANARIES["full_name"], CANARIES["email"], "+40722918273")
    offer_id = make_offer(prop, make_draft(bidder=bidder, message=CANARIES["message"]), address="203.0.113.77")
    ask(client, owner, "erasure", CANARIES["email"])
    link = link_in(either_smtp, CANARIES["email"])
    client.post(link)
    dispatch()
    wrapped = db.session.scalars(select(OfferKey.wrapped).where(OfferKey.offer_id == offer_id)).one()
    service.decide(held().id, owner.agency_id, erase=True, reason="Am șters tot", by=service.SYSTEM)
    sealed_address = held().email_ct
    dispatch()
    assert service.forget() == 1 and sealed_address
    kept = at_rest()
    assert found_in(kept) == [] and b"\xc8\x99ters tot" not in kept
    if is_sqlite(db.engine):
        assert wrapped not in kept and sealed_address not in kept, "what is destroyed is overwritten"
    answers = select(Attempt.answer_ct).join(Delivery, Delivery.id == Attempt.delivery_id)
    about_data = answers.where(Delivery.template.in_(("privacy_proof", "privacy_ended")))
    assert set(db.session.scalars(about_data)) == {None}, "answers of mail servers repeat addresses"
    page = client.get(link).get_data(as_text=True)
    assert "au fost șterse" in page and CANARIES["email"] not in page
    ask(client, owner, "access", CANARIES["email"])
    client.post(again := link_in(either_smtp, CANARIES["email"]))
    assert "nu se păstrează nimic" in client.get(again).get_data(as_text=True)


def test_the_address_of_a_copy_goes_with_the_copy_and_of_a_refusal_after_ninety_days(
    client: FlaskClient, smtp: MailServer, owner: User, prop: Property
) -> None:
    make_offer(prop)
    ask(client, owner, "access")
    client.post(link_in(smtp))
    assert service.forget() == 0
    with time_machine.travel(now() + timedelta(days=8)):
        assert service.forget() == 1 and held().email_ct is None and held().tag
    with housekeeping() as connection:
        connection.execute(delete(PrivacyRequest))
    ask(client, owner, "erasure")
    client.post(link_in(smtp))
    service.decide(held().id, owner.agency_id, erase=False, reason="Proces pe rol", by=service.SYSTEM)
    dispatch()
    with time_machine.travel(now() + timedelta(days=89)):
        assert service.forget() == 0 and service.address_of(held()) and service.reason_of(held())
    with time_machine.travel(now() + timedelta(days=91)):
        assert service.forget() == 1 and held().email_ct is None and held().reason_ct is None and held().tag is None


def test_a_link_that_was_not_used_in_time_says_so_and_offers_a_new_one(
    client: FlaskClient, smtp: MailServer, owner: User
) -> None:
    ask(client, owner, "erasure")
    link = link_in(smtp)
    with time_machine.travel(now() + timedelta(days=8)):
        for answer in (client.get(link), client.post(link)):
            assert answer.status_code == 410 and "Linkul a expirat" in answer.text
            assert f'name="agency" value="{owner.agency_id}"' in answer.text
        assert held().proved_at is None
        service.forget()
        assert client.get(link).status_code == 410


def test_no_stranger_learns_which_agencies_there_are(client: FlaskClient, owner: User) -> None:
    make_agency("Agenția Tăinuită")
    test_one = accounts.create_agency("Proba", "proba@x.example", test_of=owner.agency_id)
    for where in ("", "?agency=", "?agency=x", f"?agency={uuid.uuid4()}", f"?agency={test_one}", "?sent=1"):
        page = client.get(f"/gdpr/request{where}").get_data(as_text=True)
        assert "Tăinuită" not in page and "Casa Bună" not in page and "Proba" not in page
        assert "<form" not in page.partition("<main")[2], "nothing can be asked of nobody"
    ones = client.get(f"/gdpr/request?agency={owner.agency_id}").get_data(as_text=True)
    assert "Casa Bună Imobiliare" in ones and "Tăinuită" not in ones


@pytest.mark.parametrize("agency", ["", "x", str(uuid.UUID(int=7))])
def test_what_names_no_agency_asks_nothing(client: FlaskClient, owner: User, agency: str) -> None:
    form = {"agency": agency, "kind": "access", "email": EMAIL}
    assert client.post("/gdpr/request", data=form).status_code == 422
    assert db.session.scalars(select(PrivacyRequest)).all() == []


def test_the_way_there_stands_on_the_agencys_pages(client: FlaskClient, owner: User, prop: Property) -> None:
    way = f"/gdpr/request?agency={owner.agency_id}"
    offer_id = make_offer(prop)
    for path in (f"/r/{sign(RECEIPT, offer_id)}", f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"):
        assert f'href="{way}"' in client.get(path).get_data(as_text=True), path
    agency = db.session.get_one(Agency, owner.agency_id)
    assert f"http://localhost{way}" in texts.notice_of(agency, "ro")
    assert f"http://localhost/en{way}" in texts.notice_of(agency, "en")


def test_a_test_agency_shows_no_way_since_it_sends_no_mail(client: FlaskClient, owner: User) -> None:
    trial = accounts.create_agency("Proba", "proba@x.example", test_of=owner.agency_id)
    prop = make_property(trial, make_user(trial).id)
    page = client.get(f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}").get_data(as_text=True)
    assert str(trial) not in page
    assert str(trial) not in texts.notice_of(db.session.get_one(Agency, trial), "ro")


def test_a_button_pressed_twice_at_once_asks_once(either_app: Flask) -> None:
    agency, gate = make_agency(), threading.Barrier(4)
    db.session.remove()

    def press(_n: int) -> None:
        with either_app.app_context():
            gate.wait()
            service.ask_as_bidder(agency, "ana@client.example", "ro")
            db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(press, range(4)))
    assert len(db.session.scalars(select(PrivacyRequest)).all()) == 1


@pytest.mark.parametrize(
    ("mine", "theirs"), [("ana@strasse.example", "ana@straße.example"), ("ana@ασ.example", "ana@ας.example")]
)
def test_a_domain_that_only_folds_alike_is_somebody_elses(app: Flask, prop: Property, mine: str, theirs: str) -> None:
    """Both can be registered (IDNA 2008), by two people: one is given no copy of the other, nor has them erased."""
    make_offer(prop, make_draft(bidder=Bidder("Ana", mine, "+40722000111"), message="Ne place mult."))
    for email, offers in ((theirs, 0), (mine, 1), (mine.upper(), 1)):
        assert len(personal_data.held_about(prop.agency_id, read_email(email).folded)["offers"]) == offers
        assert len(personal_data.offers_by_email(prop.agency_id, email)) == offers
