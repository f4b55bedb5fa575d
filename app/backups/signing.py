"""Who made a backup: its manifest, which names the database's SHA-256, is signed by the installation (Ed25519).

By the key that signs the heads of ledgers, whose certificate is under the root in `seal/`. age alone would take a file
from whoever has the public half of the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from app.backups import BackupFailed
from app.core.canonical_json import canonical
from app.proof.authority import Identity, issued

FILE = "manifest.sig"
KIND = "bidflux.backup"  # what is signed says what it is: no signed head of a ledger passes for a backup
UNPROVEN = "--unproven takes it all the same"


def signature(manifest: bytes, identity: Identity) -> bytes:
    """What stands beside the manifest: a signature and the certificate of its key, in JSON."""
    key = identity.key
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("backups are signed by Ed25519")
    certificate = identity.certificate.public_bytes(Encoding.PEM).decode()
    return json.dumps({"signature": key.sign(_said(manifest)).hex(), "certificate": certificate}).encode()


def require(source: Path, manifest: bytes, beside: bytes | None, roots: Sequence[x509.Certificate]) -> None:
    """Raise `BackupFailed` unless what stands `beside` the manifest leads to one of `roots`."""
    if beside is None:
        raise BackupFailed(f"{source} is not signed: whoever has the public half of the key can make one. {UNPROVEN}")
    if not roots:
        raise BackupFailed(
            f"there is no seal/ here that tells who made {source}: name the root of the machine that it is from by"
            f" --root (its seal/root.pem, or /verify/root.pem). {UNPROVEN}"
        )
    try:
        told = json.loads(beside)
        certificate = x509.load_pem_x509_certificate(told["certificate"].encode())
        key = certificate.public_key()
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not a key that signs backups")
        key.verify(bytes.fromhex(told["signature"]), _said(manifest))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        raise BackupFailed(f"{source} was not made by this installation: its signature does not hold") from None
    if not any(issued(certificate, root) for root in roots):
        raise BackupFailed(
            f"{source} was made by another installation, under none of the roots given or in seal/: if it is yours,"
            " name its root by --root"
        )


def _said(manifest: bytes) -> bytes:
    return canonical({"v": 1, "kind": KIND, "manifest": hashlib.sha256(manifest).hexdigest()})
