"""What a mail says, to whom, in which language, and that nothing typed reaches a header unwashed."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import time_machine
from html5lib import HTMLParser
from sqlalchemy import delete, select, update

from app.core.clock import now
from app.core.ledger import SYSTEM, Actor
from app.core.money import Money
from app.core.unit_of_work import housekeeping
from app.delivery.composing import DeliveryRow
from app.delivery.dispatcher import dispatch
from app.delivery.registry import registry
from app.extensions import db
from app.models import Account, Delivery, OfferKey, Property, User
from app.offers import deciding
from app.offers.document import Bidder, Signature
from app.outbound.smtp import Mailbox, OutgoingMail, one_line, paragraphs
from app.properties import editing as properties
from app.properties import gone_notices
from tests import factories
from tests.mail_server import MailServer, Received, change, deliveries

EVERYTHING = {
    "bidder": Bidder(
        "Andrei Țurcanu", "andrei.turcanu@client.example", "+40722000111", "company", "Țurcanu Invest SRL", "RO12345678"
    ),
    "financing": "mixed",
    "own_funds_amount": Money(50_000_50, "EUR"),
    "credit_amount": Money(68_499_50, "EUR"),
    "credit_program": "noua_casa",
    "credit_preapproved": True,
    "payment_term_days": 45,
    "payment_term_note": "după aprobarea creditului",
    "valid_until": date(2030, 5, 17),
    "advance_percent": "10",
    "conditions": ("bank_approval", "inspection"),
    "conditions_text": "fără mobilă",
    "co_buyers": ("Maria Țurcanu",),
    "represented_by": "Dan Broker",
    "message": "Bună ziua,\nne place mult.",
    "signature": Signature("typed", "Andrei Țurcanu"),
}


def owed(template: str) -> DeliveryRow:
    row = db.session.scalars(select(Delivery).filter_by(template=template)).one()
    return DeliveryRow.of(row)


def agent_of(prop: Property) -> User:
    return db.session.get_one(User, prop.agent_id)


def both(smtp: MailServer, prop: Property) -> tuple[Received, Received]:
    """The agent's letter and the bidder's."""
    dispatch()
    agent, bidder = smtp.to(agent_of(prop).email), smtp.to("andrei.turcanu@client.example")
    assert len(agent) == len(bidder) == 1
    return agent[0], bidder[0]


def flat(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_agent_reads_who_how_much_and_how(smtp: MailServer, prop: Property) -> None:
    with housekeeping() as connection:
        connection.execute(update(Account).values(language="en"))
    offer_id = factories.make_offer(prop, factories.make_draft(**EVERYTHING))
    letter, _ = both(smtp, prop)
    for kind in ("plain", "html"):
        body = flat(letter.body(kind))
        for said in (
            "Andrei Țurcanu", "andrei.turcanu@client.example", "+40 722 000 111", "Țurcanu Invest SRL", "RO12345678",
            "EUR 118,500", "Of the asking price", "94.8%", "EUR 50,000.50", "EUR 68,499.50", "Mixed",
            "Noua Casă", "pre-approved", "45 days", "după aprobarea creditului", "17 May 2030", "10%",
            "Approval of the credit by the bank", "Technical inspection", "fără mobilă", "Maria Țurcanu", "Dan Broker",
            "ne place mult.", "Typed signature", "Three-room apartment in Mănăștur",
            f"http://localhost/app/offers/{offer_id}",
        ):  # fmt: skip
            assert said in body, (kind, said)
    assert flat(letter.message["Subject"]).startswith(
        "New offer for Three-room apartment in Mănăștur: EUR 118,500 (BF-"
    )


def test_bidder_has_proof_in_the_language_of_the_offer(smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop, factories.make_draft(**EVERYTHING), language="en")
    _, letter = both(smtp, prop)
    for kind in ("plain", "html"):
        body = flat(letter.body(kind))
        for said in (
            "BF-", "EUR 118,500", "http://localhost/r/", "Ioana Ștefănescu", agent_of(prop).email, "+40 712 034 567",
            "not a contract", "notary", "No money", "cannot be changed", "send a new one", "Casa Bună Imobiliare",
            "(Romanian time)",
        ):  # fmt: skip
            assert said in body, (kind, said)
    assert 'lang="en"' in letter.body("html")


def test_each_reader_has_their_own_language(smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop, language="en")
    agent, bidder = both(smtp, prop)
    assert "118.500 EUR" in flat(agent.body()) and "EUR 118,500" in flat(bidder.body())
    assert "Apartament cu 3 camere" in agent.body() and "Three-room apartment" in bidder.body()


def test_headers_say_who_when_and_that_no_one_typed_this(smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop)
    agent, bidder = both(smtp, prop)
    first, second = deliveries()
    for letter, row in ((agent, first), (bidder, second)):
        assert letter.message["Message-ID"] == f"<{row.id}@localhost>"
        assert letter.message["Date"].datetime == row.created_at.replace(microsecond=0)
        assert letter.message["Auto-Submitted"] == "auto-generated"
        assert letter.message.get_content_type() == "multipart/alternative"
        assert max(len(line) for line in letter.raw.split(b"\r\n")) <= 998
    assert agent.message["Reply-To"] == "Andrei Țurcanu <andrei.turcanu@client.example>"
    assert bidder.message["Reply-To"] == f"Ioana Ștefănescu <{agent_of(prop).email}>"
    assert bidder.message["From"].addresses[0].display_name == "Casa Bună Imobiliare"
    assert bidder.to == ["andrei.turcanu@client.example"]


def test_same_delivery_same_bytes(smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop, factories.make_draft(**EVERYTHING))
    for template in ("offer_agent", "offer_bidder"):
        assert registry().compose(owed(template)).as_bytes() == registry().compose(owed(template)).as_bytes()


EVIL = "Eve\r\nBcc: all@victim.example\r\n\t folded\x00\u2028\u202eX"


def test_nothing_typed_becomes_a_header(smtp: MailServer, prop: Property) -> None:
    with housekeeping() as connection:
        connection.execute(update(Property).values(title=EVIL))
    db.session.expire_all()
    bidder = Bidder(EVIL + "y" * 900, "andrei.turcanu@client.example", "+40722000111")
    factories.make_offer(prop, factories.make_draft(bidder=bidder, message=f"{EVIL}\r\n.\r\nQUIT"))
    for letter in both(smtp, prop):
        assert "Bcc" not in letter.message
        assert len(letter.to) == 1
        head = letter.raw.split(b"\r\n\r\n")[0].decode()
        assert not any(line.lstrip().lower().startswith("bcc:") for line in head.splitlines())
        assert len(letter.message["Subject"]) <= 200 and len(str(letter.message["Reply-To"])) <= 200
        assert "\x00" not in letter.body() and "\u202e" not in letter.body()


def test_markup_is_shown_not_run(smtp: MailServer, prop: Property) -> None:
    bidder = replace(EVERYTHING["bidder"], full_name="<script>alert(1)</script>")  # type: ignore[type-var]
    message = "<img src=x onerror=alert(1)> {{ 7 * 7 }}"
    factories.make_offer(prop, factories.make_draft(bidder=bidder, message=message, represented_by="<b>Bo</b>"))
    for letter in both(smtp, prop):
        html = letter.body("html")
        assert "<script" not in html and "<img" not in html and "<b>Bo" not in html
        assert "&lt;script&gt;" in html and "{{ 7 * 7 }}" in html and message in letter.body()


def test_html_is_valid_and_fetches_nothing(smtp: MailServer, prop: Property) -> None:
    offer_id = factories.make_offer(prop, factories.make_draft(**EVERYTHING))
    _decide(offer_id, prop, "accepted")
    dispatch()
    for letter in smtp.letters:
        html = letter.body("html")
        HTMLParser(strict=True).parse(html)
        assert html.count("<h1") == 1 and "prefers-color-scheme: dark" in html
        assert "src=" not in html and "url(" not in html and "<table" not in html


def _decide(offer_id: uuid.UUID, prop: Property, status: str, reason: str | None = None) -> None:
    actor: Actor = SYSTEM
    deciding.decide(offer_id, prop.agency_id, status, by=actor, reason=reason, notify_bidder=True)
    change(due_at=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("status", "notary"), [("accepted", True), ("rejected", False)])
def test_decision_is_told_without_the_internal_reason(
    smtp: MailServer, prop: Property, status: str, notary: bool
) -> None:
    offer_id = factories.make_offer(prop, language="en")
    dispatch()
    smtp.letters.clear()
    _decide(offer_id, prop, status, reason="he was rude at the viewing")
    dispatch()
    letter = smtp.letters[0]
    for body in (letter.body(), letter.body("html")):
        assert ("notary" in body) == notary
        assert ("was accepted" in body) == notary and ("was not accepted" in body) != notary
        assert "rude" not in body and "BF-" in body and "/r/" in body


def test_decision_taken_back_meanwhile_is_not_told(smtp: MailServer, prop: Property) -> None:
    offer_id = factories.make_offer(prop)
    dispatch()
    smtp.letters.clear()
    _decide(offer_id, prop, "accepted")
    deciding.decide(offer_id, prop.agency_id, "viewed", by=SYSTEM)
    assert dispatch() == 0
    (waits,) = told()
    assert waits.state == "pending" and waits.due_at > now() and not waits.attempts, "that may be taken back itself"
    with time_machine.travel(waits.due_at, tick=False):
        dispatch()
    assert [row.state for row in told()] == ["cancelled"]


def told(template: str = "decision_bidder") -> list[Delivery]:
    return [row for row in deliveries() if row.template == template]


def test_a_decision_that_stands_again_is_told(smtp: MailServer, prop: Property) -> None:
    """Its mail fell due while another decision stood, and that one was taken back."""
    offer_id = factories.make_offer(prop, language="en")
    dispatch()
    smtp.letters.clear()
    with time_machine.travel(now(), tick=False) as clock:
        deciding.decide(offer_id, prop.agency_id, "accepted", by=SYSTEM, notify_bidder=True)
        clock.shift(deciding.UNDO / 2)
        answer = deciding.AgencyAnswer("rejected", notify_bidder=True)
        other = deciding.decide_all(prop.agency_id, [deciding.Chosen(offer_id)], answer, by=SYSTEM)
        assert other
        clock.shift(deciding.UNDO / 2)
        dispatch()
        assert [row.state for row in told()] == ["pending", "pending"]
        clock.shift(deciding.UNDO / 4)
        deciding.undo(other, prop.agency_id, by=SYSTEM)
        clock.shift(2 * deciding.UNDO)
        dispatch()
    assert "was accepted" in smtp.letters[-1].body()
    assert [row.state for row in told()] == ["delivered", "cancelled"]


def test_of_two_alike_only_the_one_that_stands_is_told(smtp: MailServer, prop: Property) -> None:
    """Accepted, rejected, accepted again: the first acceptance is no longer what anybody says."""
    offer_id = factories.make_offer(prop)
    dispatch()
    with time_machine.travel(now(), tick=False) as clock:
        for status in ("accepted", "rejected", "accepted"):
            deciding.decide(offer_id, prop.agency_id, status, by=SYSTEM, notify_bidder=True)
            clock.shift(1)
        clock.shift(3 * deciding.UNDO)
        dispatch()
    assert [row.state for row in told()] == ["cancelled", "cancelled", "delivered"]


def test_that_a_property_is_gone_is_told_once_a_decision_on_the_offer_was_taken_back(
    smtp: MailServer, prop: Property
) -> None:
    factories.make_offer(prop)
    offer_id = factories.make_offer(prop)
    dispatch()
    properties.change(db.session.get_one(Property, prop.id), {"availability": "sold"}, by=SYSTEM)
    with time_machine.travel(now(), tick=False) as clock:
        assert gone_notices.tell(db.session.get_one(Property, prop.id), mail=True, by=SYSTEM) == 2
        clock.shift(deciding.UNDO / 2)
        answer = deciding.AgencyAnswer("rejected")
        made = deciding.decide_all(prop.agency_id, [deciding.Chosen(offer_id)], answer, by=SYSTEM)
        clock.shift(deciding.UNDO / 2)
        dispatch()
        assert made and sorted(row.state for row in told(gone_notices.TEMPLATE)) == ["delivered", "pending"]
        deciding.undo(made, prop.agency_id, by=SYSTEM)
        clock.shift(2 * deciding.UNDO)
        dispatch()
    assert [row.state for row in told(gone_notices.TEMPLATE)] == ["delivered", "delivered"]


def test_forgotten_person_gets_no_mail(smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop)
    with housekeeping() as connection:
        connection.execute(delete(OfferKey))
    assert dispatch() == 0
    assert [row.state for row in deliveries()] == ["cancelled", "cancelled"]


def test_agent_who_left_gets_no_client_data(smtp: MailServer, prop: Property) -> None:
    with housekeeping() as connection:
        connection.execute(update(User).values(active=False, account_id=None))
    factories.make_offer(prop)
    dispatch()
    assert not smtp.to(agent_of(prop).email)
    assert len([letter for letter in smtp.letters if letter.to[0].startswith("contact-")]) == 1


def letter_to(address: str) -> OutgoingMail:
    return OutgoingMail(
        uuid.UUID(int=7),
        host="example.ro",
        to=Mailbox(address, "Șerban"),
        sender=Mailbox("noreply@example.ro"),
        subject="ș" * 500,
        text="a" * 5000 + "\nFrom here\n.\n",
        html="<p>ț</p>",
        at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("ana@exemplu.ro", "ana@exemplu.ro"),
        ("ana@căsuța.ro", "ana@xn--csua-0sa69n.ro"),
        ("ștefan@exemplu.ro", "ștefan@exemplu.ro"),
    ],
)
def test_international_addresses(smtp: MailServer, address: str, wire: str) -> None:
    from app.outbound.smtp import open_connection

    connection = open_connection()
    assert connection.transmit(letter_to(address)).code == 250
    connection.quit()
    assert smtp.letters[0].to == [wire]
    assert f"<{wire}>".encode() in smtp.letters[0].raw
    assert smtp.letters[0].body() == "a" * 5000 + "\nFrom here\n.\n"


def test_server_without_international_addresses_is_a_final_no(smtp: MailServer) -> None:
    from app.outbound.smtp import open_connection

    smtp.utf8 = False
    connection = open_connection()
    assert connection.transmit(letter_to("ștefan@exemplu.ro")).code == 553
    assert connection.transmit(letter_to("ana@exemplu.ro")).code == 250
    connection.quit()


def test_certificates_are_checked(smtp: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.outbound.smtp import CannotConnect, open_connection

    connection = open_connection()
    monkeypatch.setattr(connection.mail, "use_tls", True)
    with pytest.raises(CannotConnect):
        connection.transmit(letter_to("ana@exemplu.ro"))


def test_washing() -> None:
    assert one_line("a\r\n b\tc\x7f") == "a b c"
    assert one_line("x" * 300, 10) == "xxxxxxxxx…"
    assert paragraphs("a\r\nb\rc\x00\u202e") == "a\nb\nc"
