"""A property, its offers, and the receipts made of them by the real worker's code."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import ssl
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from asn1crypto import keys, tsp, x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import BasicConstraints, Certificate, ExtendedKeyUsage
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from flask import Flask
from PIL import Image, ImageDraw
from pyhanko.sign.timestamps import DummyTimeStamper

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import LedgerEntry, Offer, Property
from app.offers.document import Signature
from app.proof import checkpoints, receipts, texts
from app.proof import export as ledger_export
from app.proof.authority import Authority, _certificate, _name
from app.proof.pdf.receipt import ReceiptContent, draw
from tests.conftest import make_app, settings_for
from tests.delivery.test_mails import EVERYTHING
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user


def drawn() -> Signature:
    """A signature as the form sends one."""
    image = Image.new("RGBA", (600, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).line([(20, 150), (200, 30), (300, 160), (550, 60)], fill=(0, 0, 80, 255), width=6)
    body = io.BytesIO()
    image.save(body, "PNG")
    return Signature("drawn", image=body.getvalue())


def full_offer(app: Flask, prop: Property, language: str = "ro") -> uuid.UUID:
    """An offer with everything that one can hold."""
    with app.test_request_context():
        shown = {kind: texts.kept(kind, language) for kind in ("notice", "rules")}
    draft = make_draft(**{**EVERYTHING, "signature": drawn()})
    return make_offer(prop, draft, texts=shown, language=language)


def unsealed(offer: dict[str, str] | None = None, entry: dict[str, str] | None = None) -> bytes:
    """A small receipt before its seal, made without an application; `offer` and `entry` bend what travels in it."""
    whole = {
        "reference": "BF-SOUND",
        "source": "link",
        "property": {"id": "p"},
        "previous_offer_id": None,
        "offer": {"amount": "1.00", "currency": "EUR"},
    }
    sound = json.dumps(whole).encode()
    named = {"reference": "BF-SOUND", "source": "link", "property": "p", "previous": None, "amount_minor": 100}
    data = {"commitment": hashlib.sha256(sound).hexdigest(), "currency": "EUR", **named}
    body = json.dumps({"seq": 1, "at": "x", "agency": "y", "data": data})
    held = {"previous": "00" * 32, "body": body, "hash": hashlib.sha256(bytes(32) + body.encode()).hexdigest()}
    files = {
        "offer.json": json.dumps({**whole, **(offer or {})}).encode(),
        "ledger.json": json.dumps({**held, **(entry or {})}).encode(),
    }
    return draw(
        ReceiptContent("en", "t", "l", "1", [], [], [], [], "f", "page", "https://x.example", "h", "", now(), files)
    )


class Kept(NamedTuple):
    """What people hold of one installation (a receipt, the root, the register in both forms), and its keys."""

    receipt: bytes
    roots: bytes
    export: bytes
    anonymised: bytes
    said: dict[str, Any]
    authority: Authority


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Kept:
    """The receipt is of a full offer; three more follow, with a signed head after each. `said` is what it must say."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copy(migrated_sqlite, folder / "bidflux.db")
    app = make_app(settings_for(folder))
    with app.app_context():
        agency = make_agency()
        prop = make_property(agency, make_user(agency).id)
        offer = db.session.get_one(Offer, full_offer(app, prop))
        receipt, authority = receipts.make(agency, offer.id), receipts.authority()
        entry = db.session.query(LedgerEntry).filter_by(kind="offer.submitted").one()
        said = {
            "reference": offer.reference,
            "received": json.loads(entry.body)["at"],
            "agency": str(agency),
            "entry": str(entry.seq),
            "head": entry.hash.hex(),
            "fingerprint": offer.commitment.hex(),
            "seal": authority.seal().fingerprint,
            "sealed_by": f"Common Name: {_common_name(authority.seal().certificate)}",
        }
        checkpoints.take(agency)
        for _ in range(3):
            make_offer(prop)
            checkpoints.take(agency)
        forms = (b"".join(ledger_export.export(agency, anonymised=a, by=SYSTEM)) for a in (False, True))
        found = Kept(receipt, authority.roots_pem(), *forms, said, authority)
        db.session.remove()
        db.engine.dispose()
    return found


def _common_name(certificate: Certificate) -> str:
    [name] = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


@pytest.fixture
def sealed(kept: Kept) -> bytes:
    """The receipt of a full offer."""
    return kept.receipt


@pytest.fixture
def roots(kept: Kept) -> bytes:
    """The public root certificate."""
    return kept.roots


class Tsa:
    """A small authority over HTTP. `mood` is how it answers: well, 503, rubbish, stale (another digest) or declined."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        own = _certificate(_name("Tsa"), _name("Tsa"), key, now() + timedelta(days=9000))
        own = own.add_extension(BasicConstraints(ca=False, path_length=None), critical=True)
        own = own.add_extension(ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        der = own.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        plain = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.certificate = ssl.DER_cert_to_PEM_cert(der)
        self.stamper = DummyTimeStamper(x509.Certificate.load(der), keys.PrivateKeyInfo.load(plain))
        self.mood, self.calls = "well", 0
        tsa = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, body = tsa.answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/tsr"

    def answer(self, body: bytes) -> tuple[int, bytes]:
        self.calls += 1
        request = tsp.TimeStampReq.load(body)
        if self.mood == "503":
            return 503, b""
        if self.mood == "rubbish":
            return 200, b"<html>"
        if self.mood == "stale":
            request["message_imprint"]["hashed_message"] = bytes(32)
        if self.mood == "declined":
            return 200, bytes.fromhex("30053003020102")  # PKIStatusInfo: rejection, and no token
        return 200, self.stamper.request_tsa_response(request).dump()


@pytest.fixture
def tsa() -> Iterator[Tsa]:
    authority = Tsa()
    yield authority
    authority.server.shutdown()
    authority.server.server_close()


@pytest.fixture
def stamped(sqlite_url: str, tmp_path: Path, tsa: Tsa) -> Iterator[Flask]:
    """The application with a timestamping authority on the loopback."""
    more = {"DATABASE_URL": sqlite_url, "TSA_URL": tsa.url, "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8"}
    app = make_app(settings_for(tmp_path, **more))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def victim(prop: Property) -> Offer:
    return db.session.get_one(Offer, make_offer(prop))
