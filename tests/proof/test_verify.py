"""A receipt is valid whole, and in no other way."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from pypdf import PdfReader, PdfWriter

from app.core.clock import now
from app.proof.authority import Authority
from app.proof.sealing import seal_pdf
from tests.conftest import ROOT, settings_for
from tests.proof.conftest import Kept, unsealed
from tools.verify_receipt import RANGE, verify_receipt

TOOL = ROOT / "tools" / "verify_receipt.py"
MUTATIONS = 300


def refused(pdf: bytes, roots: bytes) -> bool:
    try:
        verify_receipt(pdf, roots)
    except Exception:
        return True
    return False


def test_every_one_of_300_mutations_is_refused(sealed: bytes, roots: bytes) -> None:
    """Seeded: flipped bits anywhere, half of them in the seal itself; bytes appended, cut, doubled, swapped."""
    pick, found = random.Random(20261123), RANGE.search(sealed)
    assert found
    first, second = int(found[1]), int(found[2])
    survived = []
    for number in range(MUTATIONS):
        kind, pdf = number % 6, bytearray(sealed)
        if kind in {0, 1, 2}:
            low, high = (first, second) if kind == 0 else (0, len(pdf))
            pdf[pick.randrange(low, high)] ^= 1 << pick.randrange(8)
        elif kind == 3:
            pdf += pick.choice([b"\n", b"%%EOF\n", b"\0", pick.randbytes(pick.randrange(1, 200))])
        elif kind == 4:
            at = pick.randrange(len(pdf) - 1)
            del pdf[at : at + pick.randrange(1, 50)]
        else:
            at, count = pick.randrange(len(pdf)), pick.randrange(1, 50)
            pdf[at:at] = pdf[at : at + count] if pick.random() < 0.5 else pick.randbytes(count)
        if bytes(pdf) != sealed and not refused(bytes(pdf), roots):
            survived.append(number)
    assert not survived


def _overlaid(pdf: bytes) -> bytes:
    """An incremental update that covers the page, as an editor would write it."""
    writer = PdfWriter(io.BytesIO(pdf), incremental=True)
    page = writer.pages[0]
    other = PdfWriter()
    blank = other.add_blank_page(page.mediabox.width, page.mediabox.height)
    page.merge_page(blank)
    writer.add_metadata({"/Title": "another"})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_overlays_resaves_and_second_seals_are_refused(sealed: bytes, roots: bytes, tmp_path: Path) -> None:
    overlaid = _overlaid(sealed)
    assert overlaid.startswith(sealed) and refused(overlaid, roots)
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(sealed)))
    out = io.BytesIO()
    writer.write(out)
    assert refused(out.getvalue(), roots), "saved anew by another program"
    other = Authority(settings_for(tmp_path / "other"))
    assert refused(sealed, other.roots_pem()), "another root"
    first = sealed[: sealed.index(b"%%EOF") + 6]
    forged = seal_pdf(first, other.seal())
    assert not refused(forged, other.roots_pem()), "sound under its own root"
    assert refused(forged, roots)
    assert refused(first, roots), "what was drawn, before the seal was put on: the first revision of the file"


@pytest.mark.parametrize("rubbish", [b"", b"%PDF-1.7", b"MZ" * 5000, b"/ByteRange [0 1 2 3] /M (D:20260101000000Z)"])
def test_what_is_no_receipt_is_refused(rubbish: bytes, roots: bytes) -> None:
    assert refused(rubbish, roots)


def test_a_checkpoint_key_seals_no_receipt(kept: Kept) -> None:
    with pytest.raises(Exception):  # noqa: B017  pyHanko refuses it already
        forged = seal_pdf(unsealed(), kept.authority.checkpoint())
        verify_receipt(forged, kept.roots)


def why(pdf: bytes, roots: bytes) -> str:
    with pytest.raises(Exception) as refusal:
        verify_receipt(pdf, roots)
    return str(refusal.value)


def test_it_says_what_is_wrong(sealed: bytes, roots: bytes, tmp_path: Path) -> None:
    found = RANGE.search(sealed)
    assert found
    second = int(found[2])
    padded, flipped = bytearray(sealed), bytearray(sealed)
    padded[second - 5] = ord("1")
    flipped[200] ^= 1
    twice = sealed.replace(b"/Type /Sig\n", b"/Type /Sig\n" + found[0] + b"\n", 1)
    other = Authority(settings_for(tmp_path / "other")).roots_pem()
    assert why(sealed + b" ", roots) == "the seal does not cover the whole file"
    assert why(sealed[:-1], roots) == "the seal does not cover the whole file"
    nothing = b"/ByteRange [0 100 100 100] /M (D:20260101000000Z)".ljust(200)
    assert why(nothing, roots) == "the seal does not cover the whole file", "no room for a seal"
    assert why(bytes(padded), roots) == "the seal was touched"
    assert why(bytes(flipped), roots) == "the file was altered after it was sealed"
    assert why(twice, roots) == "not a receipt: it has no seal, or more than one"
    assert why(sealed, other) == "not sealed by a certificate under this root"
    with time_machine.travel(now() - timedelta(days=2)):
        assert why(sealed, roots) == "not sealed by a certificate under this root", "not before it was sealed"


@pytest.mark.parametrize(
    ("offer", "entry", "words"),
    [
        ({"reference": "BF-OTHER"}, {}, "its offer is not the one in the ledger"),
        ({}, {"hash": "00" * 32}, "its entry does not lead to the head it names"),
        ({}, {"previous": "11" * 32}, "its entry does not lead to the head it names"),
    ],
)
def test_a_sealed_file_must_also_agree_with_itself(
    kept: Kept, offer: dict[str, str], entry: dict[str, str], words: str
) -> None:
    assert why(seal_pdf(unsealed(offer, entry), kept.authority.seal()), kept.roots) == words


def test_the_tool_stands_alone_and_is_short(sealed: bytes, roots: bytes, tmp_path: Path) -> None:
    source = TOOL.read_text(encoding="utf-8")
    assert source.startswith("# SPDX-License-Identifier: MIT\n")
    code = source[source.index('"""') :]  # its licence stands in its head, since it travels alone
    assert len(code.splitlines()) < 140 and "import app" not in source and "from app" not in source
    alone = tmp_path / "verify_receipt.py"
    alone.write_text(source, encoding="utf-8")
    (tmp_path / "root.pem").write_bytes(roots)
    (tmp_path / "good.pdf").write_bytes(sealed)
    (tmp_path / "bad.pdf").write_bytes(sealed + b"\n")
    for name, status, word in (("good.pdf", 0, "VALID"), ("bad.pdf", 1, "NOT VALID"), ("none.pdf", 1, "NOT VALID")):
        command = [sys.executable, str(alone), str(tmp_path / name), "--root", str(tmp_path / "root.pem")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == status and said.startswith(word), said
    assert hashlib.sha256(sealed).hexdigest()
