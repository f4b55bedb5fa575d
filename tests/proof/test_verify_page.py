"""Anyone checks a receipt: by its file, in memory, or by what its QR code opens."""

from __future__ import annotations

import importlib
import re
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import delete, event, text, update
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Offer, OfferKey, OfferState, OfferTag, Property
from app.proof import checking, receipts
from app.proof import export as ledger_export
from app.proof import receipt_reading as reading
from app.proof.authority import Authority, Identity, _certificate, _name, _usage
from app.proof.pdf.receipt import draw
from app.proof.sealing import seal_pdf
from tests.conftest import settings_for
from tests.factories import make_offer
from tests.proof.conftest import Kept, full_offer, unsealed
from tests.proof.test_authority import _given as given_seal
from tests.proof.test_authority import _rsa_keys
from tests.web.test_routes import contents
from tools.verify_receipt import verify_receipt


def send(client: FlaskClient, pdf: bytes, language: str = "/en") -> TestResponse:
    """As a browser does; Werkzeug's own client would write a large upload to a temporary file."""
    head = b'--x\r\nContent-Disposition: form-data; name="receipt"; filename="x.pdf"\r\n\r\n'
    body = head + pdf + b"\r\n--x--\r\n"
    return client.post(f"{language}/verify", data=body, content_type="multipart/form-data; boundary=x")


def upload(client: FlaskClient, pdf: bytes, language: str = "/en") -> str:
    answer = send(client, pdf, language)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def by_hash(client: FlaskClient, offer: Offer) -> str:
    where = urlsplit(receipts.check_url(offer.reference, offer.commitment.hex()))
    return client.get(f"/en{where.path}?{where.query}").get_data(as_text=True)


@pytest.fixture
def offer(app: Flask, prop: Property) -> Offer:
    offer_id = make_offer(prop)
    receipts.make(prop.agency_id, offer_id)
    return db.session.get_one(Offer, offer_id)


@pytest.fixture
def sealed(app: Flask, prop: Property) -> bytes:
    """The receipt of a full offer that this very installation holds."""
    return receipts.make(prop.agency_id, full_offer(app, prop))


def forget(offer: Offer) -> None:
    offer_id = offer.id
    with housekeeping() as connection:
        connection.execute(delete(OfferTag))
        connection.execute(delete(OfferKey))
        connection.execute(update(OfferState).where(OfferState.offer_id == offer_id).values(erased_at=now()))


def test_a_file_that_is_whole_is_genuine_and_nothing_is_kept(
    app: Flask, client: FlaskClient, sealed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    before = contents()
    page = upload(client, sealed)
    assert "The receipt is genuine" in page and "unchanged" in page and "identity is not verified" in page
    assert "Țurcanu" not in page and "118" not in re.sub("[0-9a-f]{64}", "", page)
    assert "Dovada este autentică" in upload(client, sealed, "/ro")
    assert contents() == before


def test_a_file_that_was_touched_is_not_and_the_page_says_what_is_wrong(
    app: Flask, client: FlaskClient, sealed: bytes, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    flipped = bytearray(sealed)
    flipped[len(flipped) // 2] ^= 1
    for pdf, words in (
        (sealed + b"\n", "was changed after it was sealed"),
        (sealed + b"\n" * 700_000, "was changed after it was sealed"),
        (bytes(flipped), "was changed after it was sealed"),
        (b"MZ\0", "is no receipt"),
        (unsealed(), "is no receipt"),
        (kept.receipt, "not by this installation"),
    ):
        page = upload(client, pdf)
        assert "Not valid" in page and words in page and "genuine" not in page
    assert not caplog.records, "a library quotes what a stranger's file holds"


def test_an_export_of_the_register_is_no_receipt(app: Flask, client: FlaskClient, offer: Offer) -> None:
    """The tool reads both, and says of both that they are valid."""
    export = b"".join(ledger_export.export(offer.agency_id, anonymised=False, by=SYSTEM))
    for content in (export, b"{", b"{}\n{}"):
        page = upload(client, content)
        assert "Not valid" in page and "is no receipt" in page and "genuine" not in page


def test_another_customer_of_the_same_authority_seals_no_receipt_of_ours(
    app: Flask, client: FlaskClient, prop: Property, tmp_path: Path
) -> None:
    """`SEAL_FILE` has a root that vouches for many: each could seal a paper of another amount round our register's
    entry."""
    offer_id = full_offer(app, prop)
    own = app.extensions["bidflux_authority"] = Authority(settings_for(tmp_path, SEAL_FILE=str(given_seal(tmp_path))))
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate(_name("Altcineva SRL"), own.roots()[0].subject, key, now() + timedelta(days=9))
    leaf = leaf.add_extension(_usage("digital_signature", "content_commitment"), critical=True)
    stranger = Identity(key, leaf.sign(_rsa_keys()[2], hashes.SHA256()))
    facts = reading.facts_of(prop.agency_id, offer_id)
    assert facts
    with app.test_request_context(), force_locale("ro"):
        paper = receipts.paper_of(facts)
    forged = seal_pdf(draw(replace(paper, amount="1 €")), stranger)
    said = verify_receipt(forged, own.roots_pem())
    assert said["sealed_by"] == "Common Name: Altcineva SRL", "the tool knows no installation; it says who sealed"
    page = upload(client, forged)
    assert "not by this installation" in page and "genuine" not in page and "unchanged" not in page
    genuine = receipts.make(prop.agency_id, offer_id)
    assert "The receipt is genuine" in upload(client, genuine)
    assert "The receipt is genuine" in upload(client, seal_pdf(draw(paper), own.seal())), "ours, though not registered"
    app.extensions["bidflux_authority"] = Authority(settings_for(tmp_path))
    later = seal_pdf(draw(paper), app.extensions["bidflux_authority"].seal())
    assert "The receipt is genuine" in upload(client, later), "under our own root"


def test_no_file_and_too_large_a_file_are_answered_plainly(app: Flask, client: FlaskClient) -> None:
    assert client.post("/verify", data={}).status_code == 422
    assert send(client, b"0" * (5 * 1024 * 1024)).status_code == 413


def test_the_qr_code_says_valid(app: Flask, client: FlaskClient, offer: Offer) -> None:
    page = by_hash(client, offer)
    assert "The register holds this offer, unchanged" in page and "Casa Bună" in page
    assert receipts.authority().seal().fingerprint in page and "Țurcanu" not in page


def test_unknown_unclear_and_another_fingerprint(app: Flask, client: FlaskClient, offer: Offer) -> None:
    print_ = offer.commitment.hex()
    assert "Unknown here" in client.get(f"/en/verify?offer=BF-AAAAAAAA&hash={print_}").get_data(as_text=True)
    assert "Altered" in client.get(f"/en/verify?offer={offer.reference}&hash={'0' * 64}").get_data(as_text=True)
    for query in ("offer=BF-1&hash=x", f"hash={print_}", "offer=BF-1", "offer=%00&hash=%27"):
        assert client.get(f"/verify?{query}").status_code == 422


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE offer SET amount_minor = amount_minor - 100",
        "UPDATE offer SET commitment = zeroblob(32)",
        "UPDATE offer_body SET body_ct = zeroblob(600)",
        "UPDATE ledger SET body = replace(CAST(body AS TEXT), '\"v\":1', '\"v\":2') WHERE kind = 'offer.submitted'",
        "UPDATE ledger SET hash = zeroblob(32) WHERE kind = 'offer.submitted'",
        "DELETE FROM ledger WHERE kind = 'offer.submitted'",
    ],
)
def test_whatever_was_bent_in_the_database_shows(app: Flask, client: FlaskClient, offer: Offer, statement: str) -> None:
    reference, print_ = offer.reference, offer.commitment.hex()
    for table in ("offer", "offer_body", "ledger"):
        for kind in ("update", "delete"):
            db.session.execute(text(f"DROP TRIGGER IF EXISTS tr_{table}_{kind}"))
    db.session.connection().exec_driver_sql(statement)
    db.session.commit()
    page = client.get(f"/en/verify?offer={reference}&hash={print_}").get_data(as_text=True)
    assert "Altered" in page and "unchanged</h2>" not in page


def test_who_was_forgotten_leaves_a_receipt_that_is_still_genuine(
    app: Flask, client: FlaskClient, prop: Property, offer: Offer
) -> None:
    pdf = receipts.make(prop.agency_id, offer.id)
    forget(offer)
    offer = db.session.get_one(Offer, offer.id)
    assert "the person has been forgotten" in by_hash(client, offer)
    page = upload(client, pdf)
    assert "The receipt is genuine" in page and "the person has been forgotten" in page


def test_the_root_and_the_tool_are_public(app: Flask, client: FlaskClient) -> None:
    roots = receipts.authority().roots_pem()
    assert client.get("/verify/root.pem").data == roots and b"PRIVATE" not in roots
    assert client.get("/verify/verify_receipt.py").data.startswith(b"# SPDX-License-Identifier: MIT")
    assert client.get("/verify").status_code == 200 and "Set-Cookie" not in client.get("/verify").headers


def hostile_seals() -> dict[str, bytes]:
    """Seals that were made to keep a parser of certificates busy."""

    def value(kind: int, inner: bytes) -> bytes:
        size = len(inner).to_bytes(4, "big")
        return bytes([kind, 0x84]) + size + inner

    attribute = value(0x31, value(0x30, b"\x06\x03\x55\x04\x03\x0c\x01a"))
    deep = b"\x05\x00"
    for _ in range(2_000):
        deep = value(0x30, deep)
    return {
        "attributes": value(0x30, value(0x30, attribute * 1_400)),
        "attributes by the thousand": value(0x30, value(0x30, attribute * 20_500)),
        "nested": deep,
        "open": b"\x30\x80" * 10_000,
        "long": value(0x30, value(0x04, bytes(20_000))),
        "a claim": b"\x30\x84\xff\xff\xff\xff" + bytes(100),
        "a long tag": b"\x3f" + b"\xff" * 10_000,
    }


@pytest.mark.parametrize("name", hostile_seals())
def test_a_seal_that_keeps_parsers_busy_is_refused_before_they_see_it(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tool = importlib.import_module("tools.verify_receipt")
    monkeypatch.setattr(tool.cms.ContentInfo, "load", lambda *_: pytest.fail("it was parsed"))
    gap = hostile_seals()[name].hex().encode()
    begin, end = kept.receipt.index(b"/Contents <") + 10, kept.receipt.index(b">", kept.receipt.index(b"/Contents <"))
    before, after = kept.receipt[:begin], kept.receipt[end + 1 :]
    old = re.search(rb"/ByteRange ?\[[^\]]*\]", before + after)
    assert old

    def ranged(first: int) -> bytes:
        return f"/ByteRange [0 {first} {first + len(gap) + 2} {len(after):09}]".encode()

    for _ in range(2):  # its own length is in the numbers
        before = re.sub(rb"/ByteRange ?\[[^\]]*\]", ranged(len(before)), before)
        after = re.sub(rb"/ByteRange ?\[[^\]]*\]", ranged(len(before)), after)
    with pytest.raises((ValueError, IndexError), match=r"the seal is too large|index out of range"):
        tool.verify_receipt(before + b"<" + gap + b">" + after, kept.roots)


def test_one_receipt_is_checked_at_a_time_and_the_third_is_asked_to_come_again(
    client: FlaskClient, sealed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert checking._PLACES.acquire(blocking=False)
    try:
        answer = send(client, sealed)
    finally:
        checking._PLACES.release(2)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Try again in a few seconds" in answer.get_data(as_text=True)
    monkeypatch.setattr(checking, "PATIENCE", 0.01)
    with checking._TURN:
        assert send(client, sealed).status_code == 503
    assert "The receipt is genuine" in upload(client, sealed)


def test_a_check_that_does_not_end_is_ended(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("while True: pass", "import time; time.sleep(600)", "b'x' * 2**40", "import os; print(os.environ)"):
        (tmp_path / "tool.py").write_text(program)
        monkeypatch.setattr(checking, "TOOL", tmp_path / "tool.py")
        monkeypatch.setattr(checking, "SECONDS", 1)
        try:
            said = checking.check(b"%PDF", b"")
        except checking.NotValid:
            continue
        assert "SECRET" not in str(said) and "BIDFLUX" not in str(said)
    assert checking._PLACES.acquire(blocking=False) and not checking._TURN.locked()
    checking._PLACES.release()


def test_who_holds_a_receipt_has_nobody_elses_offers_gone_through(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    """As often as they ask: all tags and texts of all agencies would be seconds, and a lot of memory, each time."""
    offer = db.session.get_one(Offer, full_offer(app, prop))
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if "FROM offer_tag" in statement or "FROM text_version" in statement:
            asked.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        assert offer.reference in by_hash(client, offer)
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)
    with db.engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all() for one, values in asked]
    steps = [row[-1] for plan in plans for row in plan]
    for table in ("offer_tag", "text_version"):
        assert any(step.startswith(f"SEARCH {table} ") for step in steps), steps
        assert not any(step.startswith(f"SCAN {table}") for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps
