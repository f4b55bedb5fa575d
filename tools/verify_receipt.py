# SPDX-License-Identifier: MIT
#
# Copyright (c) 2026 The BidFlux authors
#
# Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
# documentation files (the "Software"), to deal in the Software without restriction, including without limitation
# the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and
# to permit persons to whom the Software is furnished to do so, subject to the following conditions: the above
# copyright notice and this permission notice shall be included in all copies or substantial portions of the
# Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
# LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT
# SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION
# OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
# DEALINGS IN THE SOFTWARE.
"""Check a BidFlux receipt (PDF) or ledger export (JSON Lines) without BidFlux: `pip install pyhanko`, then
`python verify_receipt.py FILE --root root.pem`. Exit 0 valid, 1 not. Nothing leaves this machine."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from asn1crypto import cms, pem, x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import load_pem_x509_certificates
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import generic_cms
from pyhanko_certvalidator import ValidationContext

RANGE = re.compile(rb"/ByteRange ?\[ ?0 (\d{1,9}) (\d{1,9}) (\d{1,9}) ?\]")
SIGNED = {f"1.2.840.113549.1.9.{n}" for n in ("3", "4", "16.2.47")}  # what a seal says; more could keep us for days
MOMENT = re.compile(rb"/M ?\(D(?::|\\072)(\d{14})(?:Z|([+-]\d\d)'(\d\d)'?)\)")


def need(holds: object, why: str) -> None:
    if not holds:
        raise ValueError(why)


def small(der: bytes) -> bool:
    """Whether it is DER of few parts, none long, not deep in one another; parsers take seconds over others."""
    seen, todo = 0, [(0, len(der), 0)]
    while todo:
        at, end, depth = todo.pop()
        while at < end:
            long = der[at + 1] & 127 if der[at + 1] > 127 else 0
            size = int.from_bytes(der[at + 2 : at + 2 + long], "big") if long else der[at + 1]
            seen, inner, at = seen + 1, bool(der[at] & 32), at + 2 + long
            odd = long > 4 or der[at - long - 1] == 128 or at + size > end
            if odd or seen > 3000 or depth > 24 or (size > 4096 and not inner):
                return False
            todo += [(at, at + size, depth + 1)] if inner else []
            at = at + size if depth else end  # what follows the first value at the top only fills up
    return True


def chain(previous: str, body: str) -> str:
    return sha256(bytes.fromhex(previous) + body.encode()).hexdigest()


def named(offer: dict[str, Any]) -> dict[str, Any]:
    """What the register's entry of such an offer names, beside its fingerprint."""
    said = {"property": offer["property"]["id"], "previous": offer["previous_offer_id"]}
    said |= {name: offer[name] for name in ("reference", "source", "channel") if offer.get(name)}
    terms = offer["offer"]
    return said | {"amount_minor": int(terms["amount"].replace(".", "")), "currency": terms["currency"]}


def verify_receipt(pdf: bytes, roots: bytes) -> dict[str, str]:
    """What a valid receipt says; else raises. No PDF parser sees the file before its seal is known to hold."""
    ranges, moments = RANGE.findall(pdf), MOMENT.findall(pdf)
    need(len(ranges) == len(moments) == 1, "not a receipt: it has no seal, or more than one")
    (first, second, rest), (day, hours, minutes) = map(int, ranges[0]), moments[0]
    need(first < second and second + rest == len(pdf), "the seal does not cover the whole file")
    at = datetime.strptime((day + (hours or b"+00") + (minutes or b"00")).decode(), "%Y%m%d%H%M%S%z").astimezone(UTC)
    gap = pdf[first + 1 : second - 1].decode()
    need(second - first < 1 << 16 and small(bytes.fromhex(gap)), "the seal is too large")
    seal = cms.ContentInfo.load(bytes.fromhex(gap))
    content, signer = seal["content"], seal["content"]["signer_infos"][0]
    parts = (len(content["signer_infos"]), content["version"].native, signer["version"].native)
    whole = seal.dump().endswith(content.dump()) and content.dump().endswith(signer.dump())
    whole &= {one["type"].dotted for one in signer["signed_attrs"]} <= SIGNED and not signer["unsigned_attrs"]
    whole &= content["digest_algorithms"].contents == signer["digest_algorithm"].dump() and parts == (1, "v1", "v1")
    padded = f"<{seal.dump().hex().upper().ljust(len(gap), '0')}>".encode()
    need(whole and pdf[first:second] == padded and len(content["certificates"]) < 6, "the seal was touched")
    trusted = [x509.Certificate.load(der) for _, _, der in pem.unarmor(roots, multiple=True)]
    context = ValidationContext(trust_roots=trusted, allow_fetching=False, moment=at)
    status = asyncio.run(generic_cms.async_validate_detached_cms(pdf[:first] + pdf[second:], content, context))
    need(status.intact and status.valid, "the file was altered after it was sealed")
    need(status.trusted and at <= datetime.now(UTC), "not sealed by a certificate under this root")
    path = [link.dump() for link in status.validation_path or ()]
    need({link.chosen.dump() for link in content["certificates"]} <= {*path}, "the seal was touched")
    names = PdfFileReader(io.BytesIO(pdf)).root["/Names"]["/EmbeddedFiles"]["/Names"]
    held = {str(names[n]): names[n + 1]["/EF"]["/F"].data for n in range(0, len(names), 2)}
    entry, offer = json.loads(held["ledger.json"]), json.loads(held["offer.json"])
    body, digest = json.loads(entry["body"]), sha256(held["offer.json"]).hexdigest()
    need(chain(entry["previous"], entry["body"]) == entry["hash"], "its entry does not lead to the head it names")
    need(body["data"]["commitment"] == digest, "its offer is not the one in the ledger")
    need(named(offer).items() <= body["data"].items(), "its entry does not say what its offer says")
    about = {"reference": offer["reference"], "received": body["at"], "agency": body["agency"]}
    about |= {"entry": str(body["seq"]), "head": entry["hash"], "fingerprint": digest}
    by = " ".join(status.signing_cert.subject.human_friendly.split())  # an authority may vouch for others too
    return about | {"sealed": f"{at}", "sealed_by": by, "seal": sha256(path[-1]).hexdigest()}


def verify_ledger(export: bytes, roots: bytes) -> dict[str, str]:
    """What a whole export says: its chain (where anonymised, the hashes alone), signed heads, and the signed end."""
    seq, head, said, lines = 0, "00" * 32, {}, export.splitlines(keepends=True)
    about, anchors = json.loads(lines[0]), load_pem_x509_certificates(roots)
    for line in map(json.loads, lines[1:]):
        if text := line.get("signed"):
            need(len(line["certificate"]) < 1 << 14, f"the certificate at {seq} is too large")
            (certificate,), said = load_pem_x509_certificates(line["certificate"].encode()), json.loads(text)
            issuers = []
            for root in anchors:  # several may have one name
                with suppress(ValueError, TypeError, InvalidSignature):
                    issuers.append(certificate.verify_directly_issued_by(root))
            need(issuers, f"not signed at {seq} under this root")
            certificate.public_key().verify(bytes.fromhex(line["signature"]), text.encode())
            need((said["agency"], said["seq"], said["head"]) == (about["agency"], seq, head), f"not signed at {seq}")
        else:
            seq, body, said = seq + 1, line.get("body"), {}
            need(line["seq"] == seq and (body or about["form"] == "anonymised"), f"entry {seq} is missing")
            need(not body or chain(head, body) == line["hash"], f"entry {seq} does not follow from the one before")
            head = line["hash"]
    need(said.get("lines") == sha256(b"".join(lines[:-1])).hexdigest(), "the end is not the one signed")
    about |= {"entries": str(seq), "head": head, "signed_by": certificate.subject.rfc4514_string()}
    return {name: about[name] for name in ("agency", "form", "entries", "head", "signed_by")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="what /verify/root.pem of the installation serves")
    given = parser.parse_args()
    try:
        content, roots = given.file.read_bytes(), given.root.read_bytes()
        said = (verify_ledger if content[:1] == b"{" else verify_receipt)(content, roots)
        print("VALID", *(f"{name}: {value}" for name, value in said.items()), sep="\n")
    except Exception as fault:
        sys.exit(f"NOT VALID: {str(fault) or type(fault).__name__}")
