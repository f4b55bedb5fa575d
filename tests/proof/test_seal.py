"""What exactly the seal of a receipt is, what is told of one, and that nothing beside it may stand in its place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from asn1crypto import algos, cms, core, x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from pypdf import PdfReader

from app.extensions import db
from app.ledger import SYSTEM
from app.models import LedgerEntry, Offer, Property
from app.services import checkpoints, ledger_export, receipts
from tests.factories import make_offer
from tests.proof.conftest import full_offer
from tests.proof.test_verify import why
from tools.verify_receipt import RANGE, verify_ledger, verify_receipt


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows another zone."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_seal_is_pades_over_everything_and_allows_no_change(sealed: bytes) -> None:
    reader = PdfReader(BytesIO(sealed))
    signature: Any = reader.root_object["/Perms"]["/DocMDP"]
    assert signature["/SubFilter"] == "/ETSI.CAdES.detached" and signature["/Type"] == "/Sig"
    rule = signature["/Reference"][0].get_object()
    assert rule["/TransformMethod"] == "/DocMDP" and rule["/TransformParams"]["/P"] == 1
    [field] = reader.root_object["/AcroForm"]["/Fields"]
    assert field.get_object()["/T"] == "BidFlux"
    content = cms_of(sealed)["content"]
    own = receipts.authority().seal().certificate.public_bytes(Encoding.DER)
    assert [one.chosen.dump() for one in content["certificates"]] == [own], "the root is known, or nothing is proved"
    assert content["signer_infos"][0]["digest_algorithm"]["algorithm"].native == "sha256"


@pytest.mark.usefixtures("elsewhere")
def test_what_is_told_of_a_receipt_is_all_of_it(app: Flask, prop: Property, roots: bytes) -> None:
    offer_id = full_offer(app, prop)
    pdf = receipts.make(prop.agency_id, offer_id)
    offer = db.session.get_one(Offer, offer_id)
    entry = db.session.query(LedgerEntry).filter_by(kind="offer.submitted").one()
    said = verify_receipt(pdf, roots)
    sealed_at = said.pop("sealed")
    assert sealed_at.endswith("+00:00") and sealed_at[:16] >= f"{offer.submitted_at:%Y-%m-%d %H:%M}"
    assert said == {
        "reference": offer.reference,
        "received": json.loads(entry.body)["at"],
        "agency": str(prop.agency_id),
        "entry": str(entry.seq),
        "head": entry.hash.hex(),
        "fingerprint": offer.commitment.hex(),
        "seal": receipts.authority().seal().fingerprint,
    }


def test_what_is_told_of_an_export_is_all_of_it_and_heads_stand_where_they_were_signed(
    app: Flask, prop: Property, roots: bytes
) -> None:
    make_offer(prop)
    checkpoints.take(prop.agency_id)
    make_offer(prop)
    export = b"".join(ledger_export.export(prop.agency_id, anonymised=False, by=SYSTEM))
    last = db.session.query(LedgerEntry).order_by(LedgerEntry.seq.desc()).first()
    assert last
    lines = export.splitlines(keepends=True)
    held = [json.loads(line)["hash"] for line in lines if b'"hash"' in line]
    assert verify_ledger(export, roots) == {
        "agency": str(prop.agency_id), "form": "full", "entries": str(len(held)), "head": held[-1],
    }  # fmt: skip
    at = next(n for n, line in enumerate(lines) if b'"signed"' in line)
    early = [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]]
    with pytest.raises(ValueError, match=r"^not signed at \d+$"):
        verify_ledger(b"".join(early), roots)
    with pytest.raises(ValueError, match=r"^the end is not the one signed$"):
        verify_ledger(b"".join([lines[0].replace(b"{", b"{ ", 1), *lines[1:]]), roots)


def test_the_key_of_checkpoints_is_named_so(app: Flask) -> None:
    assert "BidFlux checkpoint" in receipts.authority().checkpoint().certificate.subject.rfc4514_string()
    assert (app.extensions["bidflux_settings"].data_dir / "seal" / "checkpoint.key").exists()


def cms_of(pdf: bytes) -> cms.ContentInfo:
    return cms.ContentInfo.load(bytes.fromhex(_gap(pdf)[2].decode()))


def _gap(pdf: bytes) -> tuple[int, int, bytes]:
    """Where the seal's hex digits stand, without the brackets around them."""
    found = RANGE.search(pdf)
    assert found
    first, second = int(found[1]) + 1, int(found[2]) - 1
    return first, second, pdf[first:second]


def resealed(pdf: bytes, der: bytes) -> bytes:
    """The same file with other bytes in the place of its seal."""
    first, second, gap = _gap(pdf)
    return pdf[:first] + der.hex().upper().ljust(len(gap), "0").encode() + pdf[second:]


def _unsigned_attribute(content: Any) -> None:
    text = cms.CMSAttribute({"type": "1.2.3.4", "values": [core.UTF8String("stowaway")]})
    content["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes([text])


def _another_version(content: Any) -> None:
    content["version"] = "v3"


def _another_signer_version(content: Any) -> None:
    content["signer_infos"][0]["version"] = "v3"


def _more_digests(content: Any) -> None:
    more = algos.DigestAlgorithm({"algorithm": "sha512"})
    content["digest_algorithms"] = cms.DigestAlgorithms([*content["digest_algorithms"], more])


def _more_signers(content: Any) -> None:
    content["signer_infos"] = cms.SignerInfos([*content["signer_infos"], content["signer_infos"][0].copy()])


def _more_certificates(content: Any) -> None:
    other = x509.Certificate.load(receipts.authority().checkpoint().certificate.public_bytes(Encoding.DER))
    content["certificates"] = cms.CertificateSet(
        [*content["certificates"], cms.CertificateChoices({"certificate": other})]
    )


@pytest.mark.parametrize(
    "change",
    [
        _unsigned_attribute,
        _another_version,
        _another_signer_version,
        _more_digests,
        _more_signers,
        _more_certificates,
    ],
)
def test_nothing_may_be_put_into_a_seal_that_it_does_not_cover(
    sealed: bytes, roots: bytes, change: Callable[[Any], None]
) -> None:
    seal = cms_of(sealed)
    assert resealed(sealed, seal.dump()) == sealed, "as it stands it is the same file"
    change(seal["content"])
    other = resealed(sealed, seal.dump(force=True))
    assert other != sealed and why(other, roots) == "the seal was touched"


def test_nothing_may_stand_behind_a_seals_content(sealed: bytes, roots: bytes) -> None:
    seal = cms_of(sealed)
    for inner in (seal.contents + b"\x05\x00", seal.contents + b"\x0c\x01x"):
        longer = core.Sequence(contents=inner).dump(force=True)
        assert why(resealed(sealed, longer), roots)
