"""Check a BidFlux receipt (PDF) or ledger export (JSON Lines) without BidFlux: `pip install pyhanko cryptography`, then
`python verify_receipt.py RECEIPT.pdf --root root.pem`. Exit 0 valid, 1 not. Nothing leaves this machine."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asn1crypto import cms, pem
from asn1crypto import x509 as asn1

RANGE = re.compile(rb"/ByteRange ?\[ ?0 (\d{1,9}) (\d{1,9}) (\d{1,9}) ?\]")
MOMENT = re.compile(rb"/M ?\(D(?::|\\072)(\d{14})(?:Z|([+-]\d\d)'(\d\d)'?)\)")


class Bad(Exception):
    """Not valid, and why."""


def need(holds: Any, why: str) -> None:
    if not holds:
        raise Bad(why)


def verify_receipt(pdf: bytes, roots: bytes) -> dict[str, Any]:
    """What a valid receipt says; raises `Bad`. No PDF parser sees the file before its seal is known to hold."""
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import SignatureCoverageLevel, generic_cms
    from pyhanko_certvalidator import ValidationContext

    ranges, moments = RANGE.findall(pdf), MOMENT.findall(pdf)
    need(len(ranges) == len(moments) == 1, "not a receipt: it has no seal, or more than one")
    first, second, rest = map(int, ranges[0])
    need(first < second and second + rest == len(pdf), "the seal does not cover the whole file")
    day, hours, minutes = (part.decode() for part in moments[0])
    at = datetime.strptime(f"{day}{hours or '+00'}{minutes or '00'}", "%Y%m%d%H%M%S%z").astimezone(UTC)
    gap = pdf[first + 1 : second - 1]
    seal = cms.ContentInfo.load(bytes.fromhex(gap.decode("ascii")))
    content, padded = seal["content"], seal.dump().hex().upper().ljust(len(gap), "0")
    ends = seal.dump().endswith(content.dump()) and content.dump().endswith(content["signer_infos"][0].dump())
    signer, kinds = content["signer_infos"][0], [kind.dump() for kind in content["digest_algorithms"]]
    touched = (
        len(content["signer_infos"]) != 1 or signer["unsigned_attrs"] or kinds != [signer["digest_algorithm"].dump()]
    )
    touched |= {content["version"].native, signer["version"].native} != {"v1"}
    need(pdf[first:second] == f"<{padded}>".encode() and ends and not touched, "the seal was touched")
    trusted = [asn1.Certificate.load(der) for _, _, der in pem.unarmor(roots, multiple=True)]
    context = ValidationContext(trust_roots=trusted, allow_fetching=False, moment=at)
    check = generic_cms.async_validate_detached_cms(pdf[:first] + pdf[second:], content, context)
    status = asyncio.run(check)
    need(status.intact and status.valid, "the file was altered after it was sealed")
    need(status.trusted and at <= datetime.now(UTC), "not sealed by a certificate under this root")
    path = [link.dump() for link in status.validation_path or ()]
    need({link.chosen.dump() for link in content["certificates"]} <= {*path}, "the seal was touched")
    reader = PdfFileReader(io.BytesIO(pdf))
    field = reader.embedded_signatures[0]
    field.compute_integrity_info()
    need(field.coverage == SignatureCoverageLevel.ENTIRE_FILE and field.docmdp_level.value == 1, "changes are allowed")
    names = reader.root["/Names"]["/EmbeddedFiles"]["/Names"]
    held = {str(names[n]): names[n + 1]["/EF"]["/F"].data for n in range(0, len(names), 2)}
    entry, fingerprint = json.loads(held["ledger.json"]), hashlib.sha256(held["offer.json"]).hexdigest()
    body, offer = json.loads(entry["body"]), json.loads(held["offer.json"])
    need(chain(entry["previous"], entry["body"]) == entry["hash"], "its entry does not lead to the head it names")
    need(body["data"]["commitment"] == fingerprint, "its offer is not the one in the ledger")
    about = {"reference": offer["reference"], "received": body["at"], "agency": body["agency"], "entry": body["seq"]}
    sealed = {"sealed": at.isoformat(), "seal": hashlib.sha256(path[-1]).hexdigest()}
    return {**about, "head": entry["hash"], "fingerprint": fingerprint, **sealed}


def chain(previous: str, body: str) -> str:
    return hashlib.sha256(bytes.fromhex(previous) + body.encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="what /verify/root.pem of the installation serves")
    given = parser.parse_args()
    try:
        answer = verify_receipt(given.file.read_bytes(), given.root.read_bytes())
    except Exception as fault:
        print(f"NOT VALID: {fault if isinstance(fault, Bad) else 'not a receipt'}")
        return 1
    print("VALID", *(f"{name}: {value}" for name, value in answer.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
