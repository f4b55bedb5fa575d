"""The page about proof says how to check with OpenSSL alone: its lines, as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from app.proof import checkpoints
from tests.conftest import ROOT
from tests.factories import login, make_agency, make_user
from tests.proof.conftest import Tsa

PAGE = (ROOT / "docs" / "proof.md").read_text()
RECEIPT, STAMP = (block for block in re.findall(r"^```sh\n(.+?)^```$", PAGE, re.M | re.S) if "openssl" in block)
MISSING = [name for name in ("bash", "openssl", "jq", "xxd") if not shutil.which(name)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {', '.join(MISSING)}")
WHOLE = "nothing stands behind what is sealed"


def run(lines: str, folder: Path) -> tuple[int, str]:
    """The status of the last command, as a person sees it, and what was printed."""
    done = subprocess.run(["bash", "-c", lines], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_receipts_seal_is_checked_by_openssl(sealed: bytes, roots: bytes, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(roots)
    file = tmp_path / "RECEIPT.pdf"
    file.write_bytes(sealed)
    status, said = run(RECEIPT, tmp_path)
    assert status == 0 and WHOLE in said and "erification successful" in said, said
    for at in (sealed.index(b"stream") + 20, len(sealed) - 3):
        file.write_bytes(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
        status, said = run(RECEIPT, tmp_path)
        assert status != 0 and "erification failure" in said, said
    file.write_bytes(sealed + b"\n")
    assert WHOLE not in run(RECEIPT, tmp_path)[1]


def test_a_checkpoints_timestamp_is_checked_by_openssl(stamped: Flask, tsa: Tsa, tmp_path: Path) -> None:
    owner, client = make_user(make_agency(), "owner"), stamped.test_client()
    checkpoints.take(owner.agency_id)
    checkpoints.stamp_due()
    login(client, owner)
    line = client.get("/app/settings/register/checkpoints.jsonl").get_data(as_text=True)
    (tmp_path / "authority.pem").write_text(tsa.certificate)
    (tmp_path / "line.json").write_text(line)
    status, said = run(STAMP, tmp_path)
    assert status == 0 and "Verification: OK" in said, said
    (tmp_path / "line.json").write_text(line.replace("head", "heae", 1))
    status, said = run(STAMP, tmp_path)
    assert status != 0 and "message imprint mismatch" in said, said
