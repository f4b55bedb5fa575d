"""The seal on a receipt: one PAdES signature (ETSI EN 319 142-1) over the whole file that allows no change.

pyHanko is imported inside: only what seals pays for it.
"""

from __future__ import annotations

from io import BytesIO

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from app.proof.authority import Identity

FIELD = "BidFlux"


def seal_pdf(pdf: bytes, identity: Identity) -> bytes:
    """The same document with the seal; every byte of it is covered. Takes about a tenth of a second."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
    store.register_multiple([_asn1(link) for link in identity.chain])
    signer = signers.SimpleSigner(
        signing_cert=_asn1(identity.certificate), signing_key=_key(identity), cert_registry=store
    )
    about = signers.PdfSignatureMetadata(
        field_name=FIELD,
        subfilter=fields.SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
    )
    sealed: BytesIO = signers.sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), about, signer=signer)
    return sealed.getvalue()


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def _key(identity: Identity) -> asn1_keys.PrivateKeyInfo:
    plain = identity.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return asn1_keys.PrivateKeyInfo.load(plain)
