"""Anyone checks a receipt: by its file, in memory, or by what its QR code opens."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, text, update
from werkzeug.test import TestResponse

from app.clock import now
from app.extensions import db
from app.models import Offer, OfferKey, OfferState, Property
from app.services import receipts
from app.writing import housekeeping
from tests.core.test_routes import contents
from tests.factories import make_offer
from tests.proof.conftest import Kept, full_offer, unsealed


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
    assert client.get("/verify/verify_receipt.py").data.startswith(b'"""Check a BidFlux receipt')
    assert client.get("/verify").status_code == 200 and "Set-Cookie" not in client.get("/verify").headers
