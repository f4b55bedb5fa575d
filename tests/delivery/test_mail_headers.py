"""Headers by RFC 5322 and 2047, whatever anybody typed; and an agent who cannot be written to is told another way."""

from __future__ import annotations

import email
import re
import uuid
from datetime import UTC, datetime
from email.header import decode_header, make_header

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.contacts import read_email
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Delivery, Property, User
from app.offers.document import Bidder
from app.outbound import mail_headers
from app.outbound.smtp import Mailbox, OutgoingMail, one_line
from tests import factories
from tests.mail_server import MailServer
from tests.public.test_offer_form import hidden

LONG = "Ștefania-Alexandra Constantinescu-Brâncoveanu și Țurcanu-Văcărescu Imobiliare Premium"
WORD = re.compile(rb"=\?[^?\s]+\?[^?\s]+\?[^?\s]*\?=")


def letter(subject: str, name: str, reply: Mailbox | None = None, address: str = "ana@client.example") -> OutgoingMail:
    return OutgoingMail(
        uuid.UUID(int=7),
        host="localhost",
        to=Mailbox(address, name),
        sender=Mailbox("oferte@agentie.example", name),
        reply_to=reply,
        subject=subject,
        text="x",
        html="<p>x</p>",
        at=datetime(2026, 11, 28, tzinfo=UTC),
    )


def check(raw: bytes) -> None:
    """As a strict server reads it: RFC 2047, section 2, RFC 5322, sections 2.1.1 and 2.2.3."""
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    for line in head.split(b"\r\n"):
        assert line.strip() and not re.fullmatch(rb"[A-Za-z-]+:\s*", line), line
        assert len(line) <= 998 and (b"=?" not in line or len(line) <= 76), line
        assert all(len(word) <= 75 for word in WORD.findall(line)), line


def decoded(value: str) -> str:
    """By the rules of RFC 2047 alone, as a reader that knows nothing of us does."""
    return str(make_header(decode_header(value.replace("\r\n", ""))))


def phrase(value: str) -> str:
    name = decoded(value.replace("\r\n", "").rpartition("<")[0].strip())
    return (
        re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') and name.endswith('"') and len(name) > 1 else name
    )


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_text_folds_and_reads_back(subject: str, name: str) -> None:
    made = letter(subject, name)
    raw = made.as_bytes()
    check(raw)
    read = email.message_from_bytes(raw)
    assert decoded(read["Subject"]) == (one_line(subject) or "BidFlux")
    encoded = read["To"].lstrip().startswith("=?")
    want = one_line(name, 80)
    assert (
        decoded(read["To"].replace("\r\n", "").rpartition("<")[0].strip()) if encoded else phrase(read["To"])
    ) == want
    assert read["To"].endswith("ana@client.example>" if want else "ana@client.example")


@pytest.mark.parametrize(
    "name", [LONG, "Ana", "O'Brien, Ana (Cluj)", 'Ana "Țuca"', "=?utf-8?q?Ana?=", "A" * 80, "ș" * 80]
)
@pytest.mark.parametrize("domain", ["x.ro", f"{'b' * 60}.{'c' * 60}.example"])
def test_names_and_addresses_of_every_length(name: str, domain: str) -> None:
    made = letter(
        f"Ofertă nouă: 235.000 EUR – {name}", name, Mailbox(f"{'a' * 60}@{domain}", name), f"{'a' * 60}@{domain}"
    )
    check(made.as_bytes())
    for field in ("From", "To", "Reply-To"):
        assert phrase(email.message_from_bytes(made.as_bytes())[field]) == one_line(name, 80)


def test_mail_headers_that_only_machines_read() -> None:
    read = email.message_from_bytes(letter("s", "n").as_bytes())
    assert read["Auto-Submitted"] == "auto-generated" and read["X-Auto-Response-Suppress"] == "All"
    assert mail_headers.text("Subject", "plain") == "plain"


def test_a_reply_address_beyond_ascii_cannot_make_the_agents_notice_undeliverable(
    smtp: MailServer, prop: Property
) -> None:
    """A server without SMTPUTF8 takes it; the body says whom to write to."""
    smtp.utf8 = False
    agent = db.session.get_one(User, prop.agent_id).email
    bidder = Bidder("Ionuț Țurcanu", "ionuț@client.example", "+40722000111")
    factories.make_offer(prop, factories.make_draft(bidder=bidder))
    dispatch()
    [notice] = smtp.to(agent)
    check(notice.raw)
    assert notice.message["Reply-To"] is None and "ionuț@client.example" in notice.body()
    assert "Răspunsul la acest" not in notice.body()


def test_what_cannot_be_delivered_comes_back_to_an_address_of_its_own(
    app: Flask, smtp: MailServer, prop: Property
) -> None:
    from dataclasses import replace

    app.extensions["bidflux_settings"] = replace(app.extensions["bidflux_settings"], mail_bounce_to="bounce@x.example")
    factories.make_offer(prop)
    dispatch()
    assert {one.sender for one in smtp.letters} == {"bounce@x.example"}


@pytest.mark.parametrize(
    "typed", ["ionuț@gmail.com", "ana@gmаil.com", "ａｎａ@gmail.com", "Ștefan@GMIAL.com", "łukasz@gmail.com"]
)
def test_the_plain_spelling_is_suggested(typed: str) -> None:
    better = read_email(typed).suggestion
    assert better and better.isascii() and better.endswith("@gmail.com")


def test_letters_without_a_plain_spelling_are_asked_about(client: FlaskClient, prop: Property) -> None:
    from app.core.signed_links import OFFER_LINK, OfferLink, sign

    where = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    data = {
        **hidden(client.get(where).get_data(as_text=True)),
        "full_name": "Li Ming", "email": "李@client.example", "phone": "0722000111", "amount": "100.000",
        "financing": "cash", "payment_term_days": "30", "consent": "y", "step": "review",
    }  # fmt: skip
    answer = client.post(where, data=data)
    assert answer.status_code == 422 and "李@client.example" in answer.get_data(as_text=True)
    assert client.post(where, data={**data, "confirmed": "email:李@client.example"}).status_code in (200, 422)


def test_an_agent_whose_mailbox_refuses_is_told_by_the_dashboard_and_by_another_owner(
    client: FlaskClient, smtp: MailServer, prop: Property
) -> None:
    agent = db.session.get_one(User, prop.agent_id)
    address, owner = agent.email, factories.make_user(prop.agency_id, "owner", full_name="Ana Owner", language="en")
    smtp.answer = lambda to: "550 5.1.1 no such user" if to == address else None
    offer_id = factories.make_offer(prop)
    dispatch()
    dispatch()
    [told] = smtp.to(owner.email)
    assert f"/app/offers/{offer_id}" in told.body() and address in told.body() and agent.full_name in told.body()
    assert told.message["Subject"].startswith("Ioana Ștefănescu could not be told")
    factories.login(client, agent)
    page = client.get("/app/offers").get_data(as_text=True)
    assert "nu a ajuns" in page
    client.get(f"/app/offers/{offer_id}")
    assert "nu a ajuns" not in client.get("/app/offers").get_data(as_text=True)
    owed = db.session.scalars(select(Delivery.state).where(Delivery.template == "notice_undelivered")).all()
    assert owed == ["delivered"]


def test_where_nobody_else_is_an_owner_the_agencys_own_address_is_written_to(smtp: MailServer, prop: Property) -> None:
    agent = db.session.get_one(User, prop.agent_id)
    address = agent.email
    for other in db.session.scalars(select(User).where(User.id != agent.id)).all():
        other.active = False
    db.session.commit()
    smtp.answer = lambda to: "550 no" if to == address else None
    factories.make_offer(prop)
    dispatch()
    dispatch()
    assert len([one for one in smtp.letters if one.to[0].startswith("contact-")]) == 1
