"""A person's copy as PDF says in words all that is held about them, and another library reads it back."""

from __future__ import annotations

import io
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.ledger import Actor
from app.core.logs import redact
from app.extensions import db
from app.models import Offer, OfferState, Property, SellerLink, User
from app.offers import better_offers, deciding, notes, ordering, recording, withdrawing
from app.offers.deciding import AgencyAnswer, Chosen
from app.offers.document import Signature
from app.offers.recording import ConfirmationInput
from app.privacy import data_copy, personal_data
from app.properties import seller_links
from tests.factories import confirm, make_draft, make_offer, make_sending, person_of
from tests.mail_server import MailServer
from tests.privacy.test_data_requests import ask, link_in
from tests.proof.conftest import drawn, full_offer

EMAIL = "andrei.turcanu@client.example"


def words(pdf: bytes) -> str:
    """All text, spaces made one."""
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    return " ".join(" ".join(pages).replace("\u00a0", " ").split())


def dealt_with(app: Flask, prop: Property, owner: User) -> None:
    """One offer of which everything that can be written was written, and one recorded and confirmed."""
    by, offer_id = person_of(owner), full_offer(app, prop)
    offer = db.session.get_one(Offer, offer_id)
    notes.write(offer, "De sunat după ora 18: țâfnos.", by=by)
    better_offers.ask([offer_id], now() + timedelta(days=2), "Mai puteți urca?", by=by)
    ordering.move(db.session.get_one(OfferState, offer_id), 1, "Plătește repede", by=by)
    answer = AgencyAnswer("rejected", "Prea puțin", "Ne pare rău, altul a dat mai mult.", notify_bidder=True)
    deciding.decide_all(prop.agency_id, [Chosen(offer_id)], answer, by=by.actor)
    withdrawing.withdraw(db.session.get_one(Offer, offer_id), "Am găsit altceva")
    sent = recording.record(prop, make_draft(), make_sending(prop, source="api"), by=Actor("system"))
    confirm(sent.offer_id, ConfirmationInput("ro", {}, Signature("typed", "A. Țurcanu")))
    link = seller_links.create(prop, 7, shows_names=True, by=by)
    seller_links.opened(db.session.get_one(SellerLink, link))
    key = accounts.create_api_key(prop.agency_id, "CRM", by=by.actor)
    crm = app.test_client().get(f"/api/crm/offers/{offer_id}", headers={"Authorization": f"Bearer {key}"})
    assert crm.status_code == 200


def test_another_library_reads_all_that_is_held(app: Flask, prop: Property, owner: User) -> None:
    dealt_with(app, prop, owner)
    held = personal_data.held_about(prop.agency_id, EMAIL)
    assert {one["what"] for one in held["offers"][0]["written"]} == {"answer", "better_asked", "withdrawn", "moved"}
    with app.test_request_context():
        pdf = data_copy.pdf_of(held, EMAIL, "ro", "Europe/Bucharest")
    reader, text = PdfReader(io.BytesIO(pdf)), words(pdf)
    first, second = held["offers"]
    for said in (
        EMAIL, "Casa Bună Imobiliare", "Andrei Țurcanu", "+40 722 000 111", "Țurcanu Invest SRL", "RO12345678",
        "Maria Țurcanu", "118.500 EUR", "45 de zile", "fără mobilă", "ne place mult", "după aprobarea creditului",
        "192.0.2.7", "Testing/1.0", "De sunat după ora 18: țâfnos.", "Mai puteți urca?", "Plătește repede",
        "Prea puțin", "Ne pare rău, altul a dat mai mult.", "Am găsit altceva", "A. Țurcanu", "2 oferte",
        first["offer"]["reference"], second["offer"]["reference"], first["commitment_sha256"], "Oferta a fost trimisă",
        "Respinsă", "CRM-ului agenției, care a citit-o", "Proprietarului imobilului, cu numele", "ANSPDCP",
        "1 an de la primire", "Art. 6 alin. (1)",
    ):  # fmt: skip
        assert said.casefold() in text.casefold(), said
    assert "ş" not in text and "ţ" not in text
    assert sum(len(page.images) for page in reader.pages) == 1, "the signature"
    assert reader.metadata and "Casa Bună" in str(reader.metadata.title) and reader.root_object["/Lang"] == "ro"


def test_long_texts_go_over_pages_whole_and_in_the_persons_language(app: Flask, prop: Property) -> None:
    unbroken = "https://example.com/" + "x" * 400
    for n in range(3):
        draft = make_draft(message="Dear agent, " * 160 + f"end{n}", conditions_text=unbroken, signature=drawn())
        make_offer(prop, draft, language="en")
    held = personal_data.held_about(prop.agency_id, EMAIL)
    with app.test_request_context():
        pdf = data_copy.pdf_of(held, EMAIL, "en", "Europe/Bucharest")
    reader, text = PdfReader(io.BytesIO(pdf)), words(pdf)
    assert len(reader.pages) > 2 and f"{len(reader.pages)}/{len(reader.pages)}" in text, "pages are counted"
    assert text.count("Dear agent,") >= 480 and all(f"end{n}" in text for n in range(3))
    assert text.replace(" ", "").count("x" * 400) >= 3 and "Dear Sir" not in text
    assert "holds about you" in text and "Network address" in text


def test_a_file_holds_so_many_offers_and_the_rest_comes_in_others(
    app: Flask, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_offer(prop, make_draft(message="Ne place mult. " * 100, signature=drawn()))
    held = personal_data.held_about(prop.agency_id, EMAIL)
    held["offers"] = held["offers"] * (data_copy.OFFERS + 1)
    assert data_copy.parts_of(held) == 2 and data_copy.parts_of({"offers": []}) == 1
    with app.test_request_context():
        full = data_copy.pdf_of(held, EMAIL, "ro", "Europe/Bucharest", 1)
        rest = data_copy.pdf_of(held, EMAIL, "ro", "Europe/Bucharest", 2)
    reference = held["offers"][0]["offer"]["reference"]
    assert words(full).count(f"{reference} · ") == data_copy.OFFERS and words(rest).count(f"{reference} · ") == 1
    assert "2 din 2" in words(rest)


def test_it_is_offered_beside_the_json_and_to_nobody_else(
    client: FlaskClient, smtp: MailServer, prop: Property, owner: User
) -> None:
    make_offer(prop, make_draft(message="Ne place mult."))
    ask(client, owner, "access")
    link = link_in(smtp)
    assert client.get(f"{link}/data.pdf").status_code == 404, "not before it is proved"
    client.post(link)
    page = client.get(link)
    assert f'{link.removeprefix("/ro")}/data.pdf"' in page.get_data(as_text=True)
    answer = client.get(f"{link}/data.pdf")
    assert answer.mimetype == "application/pdf" and answer.headers["Cache-Control"] == "no-store"
    assert "Ne place mult." in words(answer.data) and "Ce păstrează" in words(answer.data)
    for part in ("2", "0", "x"):
        assert client.get(f"{link}/data.pdf?part={part}").status_code == 404
    assert client.get("/gdpr/request/x/data.pdf").status_code == 404
    codes = {client.get(f"{link}/data.pdf").status_code for _ in range(8)}
    assert 429 in codes, "it costs, so it is limited"


def test_its_address_is_a_secret(client: FlaskClient, smtp: MailServer, prop: Property, owner: User) -> None:
    ask(client, owner, "access")
    link = link_in(smtp)
    assert redact(f"{link}/data.pdf") == "/ro/gdpr/request/…/data.pdf"
    page = client.get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer" and "noindex" in page.headers["X-Robots-Tag"]
    assert "Set-Cookie" not in page.headers


def test_the_command_line_writes_it(app: Flask, prop: Property, tmp_path: Path) -> None:
    make_offer(prop)
    runner, out = app.test_cli_runner(), tmp_path / "copy.pdf"
    asked = ["privacy", "export", "--email", EMAIL.upper(), "--format", "pdf"]
    assert runner.invoke(args=asked).exit_code == 1, "not to a terminal"
    done = runner.invoke(args=[*asked, "--out", str(out), "--language", "en", "--json"])
    assert json.loads(done.output) == {"files": [str(out)]}
    assert "Andrei Țurcanu" in words(out.read_bytes()) and out.stat().st_mode & 0o777 == 0o600
    nobody = runner.invoke(args=["privacy", "export", "--email", "x@client.example", "--format", "pdf", "--out", "x"])
    assert nobody.exit_code == 0 and "nothing is held" in nobody.output and not Path("x").exists()


def test_a_device_or_pipe_that_it_is_written_to_keeps_its_mode(app: Flask, prop: Property, tmp_path: Path) -> None:
    """Made private, `/dev/null` stops every other program of the machine."""
    make_offer(prop)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    reader = os.open(pipe, os.O_RDWR)
    asked = ["privacy", "export", "--email", EMAIL, "--out", str(pipe)]
    assert app.test_cli_runner().invoke(args=asked).exit_code == 0
    assert json.loads(os.read(reader, 65536))["email"] == EMAIL and pipe.stat().st_mode & 0o777 == 0o644
    os.close(reader)
