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
import jsonschema_rs
import pytest
from flask import Flask

from app.blueprints.api.openapi import describe
from app.extensions import db
from app.models import Property
from app.proof import receipts
from tests.api.conftest import Crm
from tests.api.test_description import served  # noqa: F401  a fixture
from tests.factories import make_offer, make_property
from tools import api_linters

REF = "#/components/schemas/"
OTHERWISE = {
    **{
        name: f"Un {name}"
        for name in ("title_en", "description", "description_en", "address", "zone", "city", "county")
    },
    **{"property_type": "house", "accepts_offers": True, "availability": "reserved", "show_exact_address": True},
    **{"country": "DE", "usable_area_sqm": 65.5, "built_area_sqm": 80.0, "land_area_sqm": 500.25, "rooms": 2.5},
    **{"asking_price": "125000.50", "currency": "RON", "price_vat": "excluded", "buyer_commission": "2%"},
    **{"crm_url": "https://crm.example/1", "signature_required": True},
    **{"offers_open_at": "2035-01-01T10:00:00.000000Z", "offers_close_at": "2035-02-01T10:00:00.000000Z"},
}


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
        programs = api_linters.programs()
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


def test_no_default_is_what_its_own_schema_forbids(written: Path) -> None:
    spec = json.loads(written.read_text())
    given = [part for part in within(spec) if "default" in part]
    assert given
    for kind in given:
        whole = {**kind, "components": spec["components"]}
        assert jsonschema_rs.validator_for(whole).is_valid(kind["default"]), kind


@pytest.fixture
def made(
    written: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The client that openapi-python-client makes, without a single warning; once, for it is always the same."""
    place = tmp_path_factory.getbasetemp() / "client"
    if not place.exists():
        place.mkdir()
        generate(written, place)
    monkeypatch.syspath_prepend(str(place))
    yield importlib.import_module("made")
    for name in [name for name in sys.modules if name == "made" or name.startswith("made.")]:
        del sys.modules[name]


def generate(written: Path, place: Path) -> None:
    programs = Path(sys.executable).parent
    command = [programs / "openapi-python-client", "generate", "--path", written, "--output-path", place / "made"]
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    run = [*command, "--meta", "none", "--fail-on-warning"]
    done = subprocess.run(run, cwd=place, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 and "arning" not in done.stdout + done.stderr, done.stdout + done.stderr


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


def test_a_generated_client_that_changes_one_thing_changes_no_other(served: str, crm: Crm, made: ModuleType) -> None:  # noqa: F811
    """Every field stands otherwise than by its default, and a change names one."""
    whole = {"title": "Casă", "external_id": "CRM-9", "photo_url": "https://crm.example/1.jpg", **OTHERWISE}
    url = f"/properties/{crm.call('POST', '/properties', whole).json['id']}"
    hook = crm.call("POST", "/webhooks", {"url": "https://crm.example/in", "events": ["offer.created"]}).json["id"]
    crm.call("PATCH", f"/webhooks/{hook}", {"enabled": False})
    patch = describe(crm.app)["components"]["schemas"]["PropertyPatch"]["properties"]
    sent = {name for name, kind in patch.items() if not kind.get("readOnly")}
    assert sent - set(OTHERWISE) == {"external_id", "title", "photo_url", "agent", "transaction_type"}
    models, before, called = part("models"), crm.get(url).json, crm.get(f"/webhooks/{hook}").json
    assert not [name for name, value in OTHERWISE.items() if before[name] != value]
    with made.AuthenticatedClient(served, crm.key, timeout=httpx.Timeout(20)) as client:
        patch = models.PropertyPatch(title="Alt titlu")
        assert (
            part("api.properties.properties_change").sync(before["id"], client=client, body=patch).title == "Alt titlu"
        )
        again = models.WebhookPatch(url="https://crm.example/other")
        assert part("api.webhooks.webhooks_change").sync(hook, client=client, body=again).enabled is False
    after, called_now = crm.get(url).json, crm.get(f"/webhooks/{hook}").json
    assert {name for name in after if after[name] != before[name]} == {"title", "updated_at"}
    assert {name for name in called if called_now[name] != called[name]} == {"url", "updated_at"}


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
