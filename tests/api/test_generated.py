"""What others make of the description: two linters find nothing in it, and a client made of it works."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from flask import Flask

from app.blueprints.api.openapi import describe
from app.extensions import db
from app.models import Property
from app.services import receipts
from tests.api.conftest import Crm
from tests.api.test_description import served  # noqa: F401  a fixture
from tests.factories import make_offer, make_property
from tools import api_linters

REF = "#/components/schemas/"


@pytest.fixture
def written(app: Flask, tmp_path: Path) -> Path:
    """The description as a server on the internet gives it."""
    text = json.dumps(describe(app)).replace("http://localhost", "https://offers.casa-buna.ro")
    (tmp_path / "openapi.json").write_text(text)
    return tmp_path / "openapi.json"


def within(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from within(part)


@pytest.mark.parametrize(
    "command",
    [
        ["spectral", "lint", "--ruleset=spectral.yaml", "--fail-severity=hint", "--quiet"],
        ["redocly", "lint", "--config=redocly.yaml", "--format=stylish"],
    ],
    ids=lambda command: command[0],
)
def test_a_linter_finds_nothing(command: list[str], written: Path) -> None:
    try:
        programs = api_linters.bring()
    except api_linters.Missing as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(why))
    env = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
    run = [programs / command[0], *command[1:], written]
    done = subprocess.run(run, cwd=api_linters.HERE, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout, done.stdout


def test_every_component_is_used_and_every_reference_is_there(written: Path) -> None:
    spec = json.loads(written.read_text())
    named = {part["$ref"] for part in within(spec) if "$ref" in part}
    assert named == {REF + name for name in spec["components"]["schemas"]}


def test_what_stays_when_it_is_left_out_has_no_default(written: Path) -> None:
    """A client that sends defaults would close the link with every change of a title."""
    schemas = json.loads(written.read_text())["components"]["schemas"]
    assert not [part for part in within(schemas) if "default" in part and part["default"] is None]
    for name in ("PropertyPatch", "WebhookPatch"):
        assert not [field for field, kind in schemas[name]["properties"].items() if "default" in kind]
    for name in ("PropertyPut", "PropertyBulkItem"):
        kept = {"accepts_offers", "offers_open_at", "offers_close_at", "signature_required", "photo_url", "agent"}
        assert not [field for field in kept if "default" in schemas[name]["properties"][field]]


@pytest.fixture
def made(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The client that openapi-python-client makes, without a single warning."""
    programs = Path(sys.executable).parent
    command = [programs / "openapi-python-client", "generate", "--path", written, "--output-path", tmp_path / "made"]
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    run = [*command, "--meta", "none", "--fail-on-warning"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and "arning" not in done.stdout + done.stderr, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("made")
    for name in [name for name in sys.modules if name == "made" or name.startswith("made.")]:
        del sys.modules[name]


def part(name: str) -> Any:
    return importlib.import_module(f"made.{name}")


def test_a_generated_client_lists_creates_changes_and_downloads(served: str, crm: Crm, made: ModuleType) -> None:  # noqa: F811
    prop = make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    offer = make_offer(prop)
    pdf = receipts.make(crm.owner.agency_id, offer)
    models = part("models")
    with made.AuthenticatedClient(f"{served}", crm.key, timeout=httpx.Timeout(20)) as client:
        page = part("api.offers.offers_list").sync(client=client)
        assert [one.id for one in page.data] == [str(offer)] and page.data[0].amount == "118500.00"
        kinds = models.PropertyNewPropertyType
        new = models.PropertyNew(title="Vilă", external_id="CRM-2", accepts_offers=True, property_type=kinds.HOUSE)
        created = part("api.properties.properties_create").sync_detailed(client=client, body=new)
        assert created.status_code == 201 and created.parsed.title == "Vilă"
        patch = models.PropertyPatch(title="Vilă mare")
        changed = part("api.properties.properties_change").sync(created.parsed.id, client=client, body=patch)
        assert (changed.title, changed.property_type, changed.accepts_offers) == ("Vilă mare", "house", True)
        put = models.PropertyPut(title="Vilă", property_type=models.PropertyPutPropertyType.HOUSE)
        again = part("api.properties.properties_put").sync("CRM-2", client=client, body=put)
        assert again.accepts_offers is True, "what is left out stays"
        status = models.StatusChange(status=models.StatusChangeStatus.ACCEPTED, reason="Prima")
        told = part("api.offers.offers_status").sync(str(offer), client=client, body=status)
        assert told.status == "accepted" and told.decision_reason == "Prima"
        receipt = part("api.offers.offers_receipt").sync_detailed(str(offer), client=client)
        assert receipt.status_code == 200
        held = receipt.parsed.payload.read() if hasattr(receipt.parsed, "payload") else receipt.parsed
        assert held == pdf and held.startswith(b"%PDF")
        missing = part("api.properties.properties_read").sync_detailed(str(offer), client=client)
        assert missing.status_code == 404 and missing.parsed.status == 404
    assert db.session.query(Property).count() == 2


def test_a_receipt_is_a_pdf_or_bytes_as_it_is_asked_for(crm: Crm) -> None:
    offer = make_offer(make_property(crm.owner.agency_id, crm.owner.id))
    pdf = receipts.make(crm.owner.agency_id, offer)
    for accept, kind in (
        ("*/*", "application/pdf"),
        ("application/json", "application/pdf"),
        ("application/octet-stream, */*;q=0.1", "application/octet-stream"),
    ):
        answer = crm.get(f"/offers/{offer}/receipt", Accept=accept)
        assert (answer.status_code, answer.mimetype, answer.data) == (200, kind, pdf)
        assert answer.headers["Vary"] == "Accept"
