"""What exactly the seal of a receipt is, what is told of one, and that nothing beside it may stand in its place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
import time_machine
from asn1crypto import algos, cms, core
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from pypdf import PdfReader

from app.core.clock import now
from app.proof.sealing import seal_pdf
from tests.proof.conftest import Kept, unsealed
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


def test_the_seal_is_pades_over_everything_and_allows_no_change(kept: Kept, sealed: bytes) -> None:
    reader = PdfReader(BytesIO(sealed))
    signature: Any = reader.root_object["/Perms"]["/DocMDP"]
    assert signature["/SubFilter"] == "/ETSI.CAdES.detached" and signature["/Type"] == "/Sig"
    rule = signature["/Reference"][0].get_object()
    assert rule["/TransformMethod"] == "/DocMDP" and rule["/TransformParams"]["/P"] == 1
    [field] = reader.root_object["/AcroForm"]["/Fields"]
    assert field.get_object()["/T"] == "BidFlux"
    content = cms_of(sealed)["content"]
    own = kept.authority.seal().certificate.public_bytes(Encoding.DER)
    assert [one.chosen.dump() for one in content["certificates"]] == [own], "the root is known, or nothing is proved"
    assert content["signer_infos"][0]["digest_algorithm"]["algorithm"].native == "sha256"


def test_the_seal_holds_by_a_library_that_did_not_write_it(kept: Kept) -> None:
    """RFC 5652, 5.4 to 5.6, step by step with `cryptography`; pyHanko made the seal and has no part here."""
    content = cms_of(kept.receipt)["content"]
    [signer] = content["signer_infos"]
    first, second, _gap_bytes = _gap(kept.receipt)
    told = {one["type"].native: one["values"][0].native for one in signer["signed_attrs"]}
    assert told["message_digest"] == sha256(kept.receipt[: first - 1] + kept.receipt[second + 1 :]).digest()
    assert told["content_type"] == "data"
    certificate = x509.load_der_x509_certificate(content["certificates"][0].chosen.dump())
    assert told["signing_certificate_v2"]["certs"][0]["cert_hash"] == certificate.fingerprint(SHA256())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(kept.roots))
    signed = b"\x31" + signer["signed_attrs"].dump()[1:]  # as a SET OF, not as the field it stands in
    key = certificate.public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    key.verify(signer["signature"].native, signed, ECDSA(SHA256()))


def test_what_is_told_of_a_receipt_is_all_of_it(kept: Kept) -> None:
    said = verify_receipt(kept.receipt, kept.roots)
    with time_machine.travel(datetime.fromisoformat(said["sealed"]), tick=False):
        assert verify_receipt(kept.receipt, kept.roots) == said, "from the very moment on"
    assert said.pop("sealed")[:16] >= kept.said["received"][:16].replace("T", " ")
    assert said == kept.said


@pytest.mark.usefixtures("elsewhere")
def test_the_moment_of_sealing_is_told_in_utc(kept: Kept) -> None:
    before = now().replace(microsecond=0)
    said = verify_receipt(seal_pdf(unsealed(), kept.authority.seal()), kept.roots)["sealed"]
    assert said.endswith("+00:00") and before <= datetime.fromisoformat(said) <= now()


def test_what_is_told_of_an_export_is_all_of_it_and_heads_stand_where_they_were_signed(kept: Kept) -> None:
    export, roots = kept.export, kept.roots
    lines = export.splitlines(keepends=True)
    held = [json.loads(line)["hash"] for line in lines if b'"hash"' in line]
    signer = x509.load_pem_x509_certificate(json.loads(lines[-1])["certificate"].encode())
    assert verify_ledger(export, roots) == {
        "agency": kept.said["agency"], "form": "full", "entries": str(len(held)), "head": held[-1],
        "signed_by": signer.subject.rfc4514_string(),
    }  # fmt: skip
    bare = verify_ledger(kept.anonymised, roots)
    assert bare == {**verify_ledger(export, roots), "form": "anonymised", **{k: bare[k] for k in ("entries", "head")}}
    assert int(bare["entries"]) == len(held) + 1, "the first export is an entry of the second"
    at = next(n for n, line in enumerate(lines) if b'"signed"' in line)
    early = [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]]
    with pytest.raises(ValueError, match=r"^not signed at \d+$"):
        verify_ledger(b"".join(early), roots)
    with pytest.raises(ValueError, match=r"^the end is not the one signed$"):
        verify_ledger(b"".join([lines[0].replace(b"{", b"{ ", 1), *lines[1:]]), roots)


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


def _signed_attribute(content: Any) -> None:
    """As a timestamp of the content would be, which brings certificates of its own to be followed."""
    more = cms.CMSAttribute({"type": "content_time_stamp", "values": [cms.ContentInfo({"content_type": "data"})]})
    signer = content["signer_infos"][0]
    signer["signed_attrs"] = cms.CMSAttributes([*signer["signed_attrs"], more])


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
    [own] = content["certificates"]
    other = own.chosen.copy()
    other["tbs_certificate"]["serial_number"] = 1
    content["certificates"] = cms.CertificateSet(
        [*content["certificates"], cms.CertificateChoices({"certificate": other})]
    )


@pytest.mark.parametrize(
    "change",
    [
        _unsigned_attribute,
        _signed_attribute,
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
