"""The installation's certificates: made once, kept privately, renewed in time, replaced by the owner's own."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from app.config import ConfigurationError
from app.core.clock import now
from app.outbound.der import is_small
from app.proof import authority as authorities
from app.proof.authority import Authority, Identity
from app.proof.sealing import seal_pdf
from tests.conftest import settings_for
from tests.proof.conftest import Kept, unsealed
from tools.verify_receipt import verify_ledger, verify_receipt


def test_all_who_start_at_once_use_one_root(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        seals = list(pool.map(lambda _n: Authority(settings).seal().fingerprint, range(8)))
    assert len(set(seals)) == 1
    folder = tmp_path / "seal"
    assert oct(folder.stat().st_mode)[-3:] == "700"
    for name in ("root.key", "seal.key"):
        assert oct((folder / name).stat().st_mode)[-3:] == "600"
    assert b"PRIVATE" not in (folder / "root.pem").read_bytes()
    assert not [name for name in os.listdir(folder) if name.endswith(".new")]


def test_the_key_is_replaced_every_year_and_old_receipts_stay_valid(tmp_path: Path) -> None:
    authority, drawn = Authority(settings_for(tmp_path)), unsealed()
    before = seal_pdf(drawn, authority.seal())
    first = authority.seal().fingerprint
    with time_machine.travel(now() + timedelta(days=366)):
        after = seal_pdf(drawn, authority.seal())
        assert authority.seal().fingerprint != first
        roots = authority.roots_pem()
        assert verify_receipt(before, roots)["seal"] == first != verify_receipt(after, roots)["seal"]
    with time_machine.travel(now() + timedelta(days=365 * 31)):
        authority.seal()
        roots = authority.roots_pem()
        assert roots.count(b"BEGIN") == 2, "a new root, beside the old one"
        assert verify_receipt(before, roots)["seal"] == first


@cache
def _rsa_keys() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]


def _given(folder: Path, *, wrong: bool = False, between: bool = False) -> Path:
    """A sealing certificate (RSA) from an authority of the owner's choice, perhaps by one in between, as one file."""
    key, middle_key, root_key = _rsa_keys()
    root_name, middle_name = authorities._name("Some authority"), authorities._name("Its branch")
    until = now() + timedelta(days=700)

    def issuer(name: x509.Name, by: x509.Name, own: rsa.RSAPrivateKey, length: int) -> x509.CertificateBuilder:
        made = authorities._certificate(name, by, own, until)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
        return made.add_extension(authorities._usage("key_cert_sign"), critical=True)

    by_name, by_key = (middle_name, middle_key) if between else (root_name, root_key)
    leaf = authorities._certificate(authorities._name("Casa Bună SRL"), by_name, key, until)
    leaf = leaf.add_extension(authorities._usage("digital_signature", "content_commitment"), critical=True)
    signed = [leaf.sign(key if wrong else by_key, hashes.SHA256())]
    if between:
        signed.append(issuer(middle_name, root_name, middle_key, 0).sign(root_key, hashes.SHA256()))
    signed.append(issuer(root_name, root_name, root_key, 1).sign(root_key, hashes.SHA256()))
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "own.pem"
    path.write_bytes(text + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in signed))
    return path


@pytest.mark.parametrize("between", [False, True])
def test_the_owners_own_certificate_seals_and_is_trusted(tmp_path: Path, between: bool) -> None:
    drawn = unsealed()
    before = seal_pdf(drawn, Authority(settings_for(tmp_path)).seal())
    own = Authority(settings_for(tmp_path, SEAL_FILE=str(_given(tmp_path, between=between))))
    assert len(own.seal().chain) == between and own.roots()[0].subject == authorities._name("Some authority")
    pdf = seal_pdf(drawn, own.seal())
    assert verify_receipt(pdf, own.roots_pem())["seal"] == own.seal().fingerprint
    assert verify_receipt(before, own.roots_pem()), "what was sealed before it came stays valid"
    with time_machine.travel(now() + timedelta(days=800)):
        assert verify_receipt(pdf, own.roots_pem()), "it was good when it sealed"
    seal = own.seal()
    with_root = Identity(seal.key, seal.certificate, (*seal.chain, own.roots()[0]))
    assert verify_receipt(seal_pdf(drawn, with_root), own.roots_pem()), "a seal may bring its root along"


def _line(links: int) -> list[tuple[ec.EllipticCurvePrivateKey, x509.Certificate]]:
    """Keys with their certificates, each vouched for by the next; the last vouches for itself."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(links)]
    names, made = [authorities._name(f"No. {n}") for n in range(links)], []
    for n, key in enumerate(keys):
        above = min(n + 1, links - 1)
        one = authorities._certificate(names[n], names[above], key, now() + timedelta(days=700))
        one = one.add_extension(x509.BasicConstraints(ca=n > 0, path_length=None), critical=True)
        use = ["key_cert_sign"] if n else ["digital_signature", "content_commitment"]
        made.append(
            (key, one.add_extension(authorities._usage(*use), critical=True).sign(keys[above], hashes.SHA256()))
        )
    return made


@pytest.mark.parametrize(("links", "read"), [(5, True), (6, False)])
def test_a_line_of_certificates_that_could_keep_a_reader_busy_is_not_followed(
    tmp_path: Path, links: int, read: bool
) -> None:
    """Ways through certificates of one name are more with each, as factorials are: ten take minutes, fifteen years."""
    (key, leaf), *above = _line(links)
    chain = tuple(certificate for _key, certificate in above)
    pdf, root = seal_pdf(unsealed(), Identity(key, leaf, chain)), chain[-1].public_bytes(serialization.Encoding.PEM)
    path = tmp_path / "own.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(
        key.private_bytes(*plain) + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, *chain))
    )
    if read:
        assert verify_receipt(pdf, root)
        assert Authority(settings_for(tmp_path, SEAL_FILE=str(path))).seal().certificate == leaf
        return
    with pytest.raises(ValueError, match="the seal was touched"):
        verify_receipt(pdf, root)
    with pytest.raises(ConfigurationError, match="more than 5 certificates"):
        Authority(settings_for(tmp_path, SEAL_FILE=str(path)))


def test_checking_a_file_calls_nobody_whatever_addresses_its_certificate_names(tmp_path: Path) -> None:
    key, root_key, _other = _rsa_keys()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        address = x509.UniformResourceIdentifier(f"http://127.0.0.1:{server.getsockname()[1]}/issuer")
        names = authorities._name("Casa Bună SRL"), authorities._name("Some authority")
        leaf = authorities._certificate(*names, key, now() + timedelta(days=700))
        leaf = leaf.add_extension(authorities._usage("digital_signature", "content_commitment"), critical=True)
        issuers = x509.AccessDescription(x509.AuthorityInformationAccessOID.CA_ISSUERS, address)
        leaf = leaf.add_extension(x509.AuthorityInformationAccess([issuers]), critical=False)
        leaf = leaf.add_extension(
            x509.CRLDistributionPoints([x509.DistributionPoint([address], None, None, None)]), critical=False
        )
        pdf = seal_pdf(unsealed(), Identity(key, leaf.sign(root_key, hashes.SHA256())))
        with pytest.raises(ValueError, match="not sealed by a certificate under this root"):
            verify_receipt(pdf, Authority(settings_for(tmp_path)).roots_pem())
        with pytest.raises(BlockingIOError):
            server.accept()


def test_checking_makes_no_root_and_finds_those_that_there_are(tmp_path: Path) -> None:
    authority = Authority(settings_for(tmp_path))
    assert authority.own_roots() == [] and not (tmp_path / "seal").exists()
    authority.seal()
    assert len(authority.own_roots()) == 1 and authority.own_roots() == authority.roots()
    given = Authority(settings_for(tmp_path, SEAL_FILE=str(_given(tmp_path))))
    assert given.own_roots() == authority.roots() and len(given.roots()) == 2, "for seals only"


def test_a_root_of_another_machine_is_taken_beside_our_own(tmp_path: Path) -> None:
    there, here = (Authority(settings_for(tmp_path / name)) for name in ("there", "here"))
    there.seal()
    for _again in range(2):
        here.adopt(there.own_roots())
        assert here.roots()[1:] == there.roots() and here.roots()[0] not in there.roots()
    here.checkpoint().certificate.verify_directly_issued_by(here.roots()[0])


def test_a_certificate_that_cannot_seal_stops_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    alone = tmp_path / "alone.pem"
    alone.write_bytes(
        b"-----END CERTIFICATE-----".join(_given(tmp_path).read_bytes().split(b"-----END CERTIFICATE-----")[:1])
        + b"-----END CERTIFICATE-----\n"
    )
    strange, other = tmp_path / "strange.pem", tmp_path / "other.pem"
    whole = _given(tmp_path).read_bytes()
    for path, key in ((other, _rsa_keys()[1]), (strange, ed448.Ed448PrivateKey.generate())):
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, form, plain) + whole[whole.index(b"-----BEGIN C") :]
        )
    for path in (tmp_path / "none.pem", empty, alone, other, strange, _given(tmp_path, wrong=True)):
        with pytest.raises(ConfigurationError, match="SEAL_FILE"):
            Authority(settings_for(tmp_path, SEAL_FILE=str(path)))


def test_each_certificate_may_do_what_it_is_for_and_no_more(tmp_path: Path) -> None:
    authority = Authority(settings_for(tmp_path))
    root, seal, checkpoint = authority.roots()[0], authority.seal().certificate, authority.checkpoint().certificate

    def allowed(certificate: x509.Certificate) -> set[str]:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        names = ("digital_signature", "content_commitment", "key_cert_sign", "crl_sign", "key_agreement")
        return {name for name in names if getattr(usage, name)}

    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints.ca and constraints.path_length == 0 and allowed(root) == {"key_cert_sign", "crl_sign"}
    for leaf in (seal, checkpoint):
        leaf.verify_directly_issued_by(root)
        assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert leaf.not_valid_after_utc == root.not_valid_after_utc > now() + timedelta(days=365 * 39)
    assert allowed(seal) == {"digital_signature", "content_commitment"} and allowed(checkpoint) == {"digital_signature"}
    critical = {"basicConstraints", "keyUsage"}  # RFC 5280, 4.2.1: these shall be, key identifiers must not
    for certificate in (root, seal, checkpoint):
        assert {one.oid._name for one in certificate.extensions if one.critical} == critical


def test_certificates_are_named_for_the_installation_and_the_root_is_public(tmp_path: Path) -> None:
    authority = Authority(settings_for(tmp_path, BASE_URL="https://oferte.example"))
    names = [one.subject.rfc4514_string() for one in (authority.roots()[0], authority.seal().certificate)]
    assert names == [
        f"CN=BidFlux root {now():%Y}\\, oferte.example",
        f"CN=BidFlux seal {now():%Y-%m}\\, oferte.example",
    ]
    public = tmp_path / "seal" / "root.pem"
    assert oct(public.stat().st_mode)[-3:] == "644" and public.read_bytes() == authority.roots_pem()
    long = Authority(settings_for(tmp_path / "long", BASE_URL=f"https://{'a' * 60}.example")).seal().certificate
    [name] = long.subject
    assert len(str(name.value)) == 64, "as long as a name may be (RFC 5280, A.1)"


@pytest.mark.parametrize(("seconds", "roots"), [(-1, 1), (0, 2)])
def test_a_root_is_renewed_ten_years_before_its_end(tmp_path: Path, seconds: int, roots: int) -> None:
    authority = Authority(settings_for(tmp_path))
    until = authority.roots()[0].not_valid_after_utc
    with time_machine.travel(until - timedelta(days=3650) + timedelta(seconds=seconds), tick=False):
        assert len(authority.roots()) == roots


@pytest.mark.parametrize(("minutes", "same"), [(-5, True), (0, False), (5, False)])
def test_a_key_serves_one_year_to_the_minute(tmp_path: Path, minutes: int, same: bool) -> None:
    authority = Authority(settings_for(tmp_path))
    first = authority.seal()
    served = first.certificate.not_valid_before_utc + authorities.SKEW + timedelta(days=365, minutes=minutes)
    with time_machine.travel(served, tick=False):
        assert (authority.seal().fingerprint == first.fingerprint) is same
        again = Authority(settings_for(tmp_path))
        assert again.seal().fingerprint == authority.seal().fingerprint, "whoever starts later has the same"


def test_the_key_of_checkpoints_is_named_so(tmp_path: Path) -> None:
    authority = Authority(settings_for(tmp_path))
    assert "BidFlux checkpoint" in authority.checkpoint().certificate.subject.rfc4514_string()
    assert (tmp_path / "seal" / "checkpoint.key").exists()


def test_its_certificates_are_small(kept: Kept) -> None:
    for root in kept.authority.roots():
        assert is_small(root.public_bytes(serialization.Encoding.DER))


def test_two_roots_of_one_name_vouch_each_for_their_own(kept: Kept, tmp_path: Path) -> None:
    """A machine that was replaced in one year: both roots have its name, and what either signed stays valid."""
    new = Authority(settings_for(tmp_path))
    (old,) = x509.load_pem_x509_certificates(kept.roots)
    assert new.roots()[0].subject == old.subject
    new.adopt([old])
    for roots in (new.roots_pem(), kept.roots + new.roots_pem()):
        assert verify_receipt(kept.receipt, roots)["seal"] == kept.said["seal"]
        for export in (kept.export, kept.anonymised):
            assert verify_ledger(export, roots)["signed_by"].startswith("CN=BidFlux checkpoint")
    for text in (kept.receipt, kept.export):
        with pytest.raises(ValueError, match="under this root"):
            (verify_ledger if text[:1] == b"{" else verify_receipt)(
                text, Authority(settings_for(tmp_path / "x")).roots_pem()
            )
