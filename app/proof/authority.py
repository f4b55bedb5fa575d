"""The installation's certificates: a root of its own, and what the root vouches for.

Made when first needed, in `seal/` of the data folder (mode 0700), each private key with its certificate in one file:

- `root.key` signs only the other two; `root.pem` holds every root there ever was, the present one first. It is public.
- `seal.key` seals receipts, `checkpoint.key` (Ed25519) signs the heads of ledgers.

The two are replaced every year and the old private key is gone with its file, so that who breaks in cannot seal
into the past years. Their certificates last as long as the root: a seal can be checked for decades. `SEAL_FILE`
replaces the sealing key with one that the owner was given by an authority of their choice.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from app.config import ConfigurationError, Settings
from app.core.clock import now

ROOT_LIFE = timedelta(days=365 * 40)
ROOT_RENEWED = timedelta(days=365 * 10)
KEY_LIFE = timedelta(days=365)
LINKS = 5  # from a seal up to its root; a receipt with more of them is not read
SKEW = timedelta(minutes=10)  # clocks differ: a certificate is good a little before it was made

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A private key, its certificate, and the certificates from there up to, without, the root."""

    key: Key
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


class Authority:
    """The certificates of one data folder. Any number of processes may ask at once."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data_dir / "seal"
        self._host = urlsplit(settings.base_url).netloc
        self._held: dict[str, Identity] = {}
        self._lock = threading.Lock()
        self._given = _read_given(settings.seal_file) if settings.seal_file else None

    def seal(self) -> Identity:
        """What receipts are sealed with now."""
        return self._given[0] if self._given else self._leaf("seal")

    def checkpoint(self) -> Identity:
        """The Ed25519 key that signs the heads of ledgers now."""
        return self._leaf("checkpoint")

    def roots(self) -> list[x509.Certificate]:
        """Every certificate that a seal may lead up to, the present first."""
        self._root()
        own = x509.load_pem_x509_certificates((self._folder / "root.pem").read_bytes())
        return [self._given[1], *own] if self._given else own

    def own_roots(self) -> list[x509.Certificate]:
        """The roots under which heads of ledgers and backups are signed; empty where there is no root yet.

        Not the authority of `SEAL_FILE`: it vouches for whomever it likes, and never for these.
        """
        public = self._folder / "root.pem"
        return x509.load_pem_x509_certificates(public.read_bytes()) if public.exists() else []

    def adopt(self, roots: Sequence[x509.Certificate]) -> None:
        """Trust these beside those of this machine: of another one, whose database goes on here."""
        with self._lock, self._alone():
            self._made_root()
            public = self._folder / "root.pem"
            certificates = x509.load_pem_x509_certificates(public.read_bytes())
            new = b"".join(root.public_bytes(serialization.Encoding.PEM) for root in roots if root not in certificates)
            if new:
                replace_file(public, public.read_bytes() + new, 0o644)

    def faults(self) -> list[str]:
        """What in `seal/` does not belong together, a line each: what is sealed with it would be nobody's. A folder
        without any key is a new one's."""
        held, wrong = dict[str, Identity](), list[str]()
        for name in ("checkpoint", "seal", "root"):  # `root.pem` is written first, and so read last
            path = self._folder / f"{name}.key"
            try:
                if identity := _read(path):
                    held[name] = identity
            except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
                wrong.append(f"{path} cannot be read")
        try:
            roots = self.own_roots()
        except (OSError, ValueError):
            return [*wrong, f"{self._folder / 'root.pem'} cannot be read"]
        if held and not roots:
            return [*wrong, f"{self._folder / 'root.pem'} is missing"]
        strange = [name for name, identity in held.items() if not _belongs(name, identity, roots)]
        return wrong + [f"{self._folder / name}.key is of another installation, or another file's" for name in strange]

    def roots_pem(self) -> bytes:
        return _pem(self.roots())

    def own_roots_pem(self) -> bytes:
        return _pem(self.own_roots())

    def _leaf(self, name: str) -> Identity:
        """The key of that name; a new one when there is none yet, or the old one has served its year."""
        with self._lock:
            if not self._fresh(name):
                with self._alone():
                    root = self._made_root()
                    self._held[name] = _read(self._folder / f"{name}.key") or self._make(name, root)
                    if not self._fresh(name):
                        self._held[name] = self._make(name, root)
            return self._held[name]

    def _fresh(self, name: str) -> bool:
        identity = self._held.get(name)
        return identity is not None and identity.certificate.not_valid_before_utc + SKEW + KEY_LIFE > now()

    def _root(self) -> Identity:
        with self._lock, self._alone():
            return self._made_root()

    def _made_root(self) -> Identity:
        """Call it under `_alone`."""
        root = _read(self._folder / "root.key")
        if root and root.certificate.not_valid_after_utc - ROOT_RENEWED > now():
            return root
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"BidFlux root {now():%Y}, {self._host}")
        builder = _certificate(name, name, key, now() + ROOT_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        made = Identity(key, builder.sign(key, hashes.SHA256()))
        public = self._folder / "root.pem"
        before = public.read_bytes() if public.exists() else b""
        # The public half first: cut off between the two, a root without a key is known; the other way it is nobody's.
        replace_file(public, made.certificate.public_bytes(serialization.Encoding.PEM) + before, 0o644)
        _write(self._folder / "root.key", made)
        return made

    def _make(self, name: str, root: Identity) -> Identity:
        key: Key = ec.generate_private_key(ec.SECP256R1()) if name == "seal" else ed25519.Ed25519PrivateKey.generate()
        issuer, until = root.certificate.subject, root.certificate.not_valid_after_utc
        builder = _certificate(_name(f"BidFlux {name} {now():%Y-%m}, {self._host}"), issuer, key, until)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        usage = _usage("digital_signature", *(["content_commitment"] if name == "seal" else []))
        builder = builder.add_extension(usage, critical=True)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
        builder = builder.add_extension(own, critical=False)
        made = Identity(key, builder.sign(root.key, hashes.SHA256()))
        _write(self._folder / f"{name}.key", made)
        return made

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process makes a key meanwhile."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _belongs(name: str, identity: Identity, roots: Sequence[x509.Certificate]) -> bool:
    """Whether a key in `seal/` is what its name says, under the roots there."""
    if name == "root":
        return identity.certificate in roots
    if identity.certificate in roots or isinstance(identity.key, ed25519.Ed25519PrivateKey) is not (
        name == "checkpoint"
    ):
        return False
    return any(issued(identity.certificate, root) for root in roots)


def _pem(certificates: Sequence[x509.Certificate]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def issued(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    """Whether that root itself vouches for the certificate."""
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _certificate(subject: x509.Name, issuer: x509.Name, key: Key, until: datetime) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*wanted: str) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in wanted for name in names})


def _read(path: Path) -> Identity | None:
    """A key and its certificate; None when there is no such file."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    key = serialization.load_pem_private_key(text, None)
    first, *more = x509.load_pem_x509_certificates(text)
    if not isinstance(key, Key) or key.public_key() != first.public_key():
        raise ValueError("the key is of a kind that cannot seal, or not the first certificate's")
    return Identity(key, first, tuple(more))


def _read_given(path: Path) -> tuple[Identity, x509.Certificate]:
    """The owner's own: a private key, its certificate, any certificates between, and last the root."""
    try:
        found = _read(path)
        if found is None or not found.chain:
            raise ValueError("the file or the root in it is missing")
        links = [found.certificate, *found.chain]
        if len(links) > LINKS:
            raise ValueError(f"more than {LINKS} certificates")
        for link, issuer in pairwise(links):
            link.verify_directly_issued_by(issuer)
    except Exception as fault:
        what = f"SEAL_FILE must hold a private key, its certificate and its issuers up to the root, in PEM: {fault}"
        raise ConfigurationError([what]) from None
    return Identity(found.key, found.certificate, found.chain[:-1]), found.chain[-1]


def _write(path: Path, identity: Identity) -> None:
    key = identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace_file(path, key + identity.certificate.public_bytes(serialization.Encoding.PEM), 0o600)


def replace_file(path: Path, text: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others for a moment."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
