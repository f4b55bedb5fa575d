"""The version stands in one place; who finds a fault finds whom to tell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from flask.testing import FlaskClient

from app.core.clock import now
from app.core.version import VERSION
from tests.conftest import ROOT


def test_one_version_is_told_everywhere(client: FlaskClient) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert client.get("/healthz").json["version"] == VERSION
    assert client.get("/api/crm/openapi.json").json["info"]["version"] == VERSION
    held = [path for path in (ROOT / "app").rglob("*.py") if f'"{VERSION}"' in path.read_text()]
    assert [path.name for path in held] == ["version.py"]


def test_the_changelog_is_kept_as_it_says() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    heads = re.findall(r"^## (.+)$", text, re.M)
    assert heads[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", head) for head in heads[1:])
    kinds = set(re.findall(r"^### (.+)$", text, re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_whom_to_tell_of_a_fault(client: FlaskClient) -> None:
    answer = client.get("/.well-known/security.txt")
    assert answer.content_type == "text/plain; charset=utf-8" and "Set-Cookie" not in answer.headers
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:support@bidflux.ro" and fields["Canonical"].endswith(
        "/.well-known/security.txt"
    )
    left = datetime.fromisoformat(fields["Expires"]) - now()
    assert timedelta(days=90) < left < timedelta(days=365), "RFC 9116: less than a year ahead"


def test_what_it_consists_of(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    subprocess.run([sys.executable, str(ROOT / "tools" / "sbom.py"), str(target)], check=True, capture_output=True)
    bom = json.loads(target.read_text())
    assert bom["bomFormat"] == "CycloneDX" and bom["metadata"]["component"]["version"] == VERSION
    named = {part["name"]: part for part in bom["components"]}
    assert named["flask"]["purl"].startswith("pkg:pypi/flask@") and named["flask"]["licenses"]
    assert named["htmx-4.0.1/htmx.min.js"]["hashes"][0]["alg"] == "SHA-256" and "pytest" not in named
    needs = {one["ref"]: one.get("dependsOn", []) for one in bom["dependencies"]}
    assert any("werkzeug" in one for one in needs[named["flask"]["bom-ref"]])
