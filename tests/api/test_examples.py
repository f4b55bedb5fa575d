"""Every example of the description is true: each body is sent and answered as described, and samples are as what is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
from sqlalchemy import select, update

from app.core.clock import now
from app.core.ledger import Actor
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Delivery, Offer, Property
from app.models.webhook import EVENTS, TEST
from app.offers import better_offers, deciding, recording, withdrawing
from app.privacy import erasure
from app.properties import editing as properties
from tests.api.conftest import ROOT, Crm
from tests.factories import confirm, make_draft, make_offer, make_property, person_of

# In this order the calls tell one story: each has what it needs from those before.
STORY = (
    "properties_put", "properties_find", "properties_create", "properties_bulk", "properties_list", "properties_read",
    "properties_change", "properties_link", "offers_record", "offers_list", "offers_read", "offers_receipt",
    "offers_status", "offers_status_by_put", "events_list", "stats_read", "webhooks_create", "webhooks_list",
    "webhooks_read", "webhooks_change", "webhooks_test", "webhooks_deliveries", "deliveries_read", "deliveries_retry",
    "webhooks_replay", "webhooks_rotate", "webhooks_remove", "properties_archive", "properties_unarchive",
)  # fmt: skip
NAMES = {"properties_put": "property_id", "offers_record": "offer_id", "webhooks_create": "endpoint_id"}
NAMES |= {"webhooks_test": "delivery_id"}


@pytest.fixture
def spec(crm: Crm) -> dict[str, Any]:
    found: dict[str, Any] = crm.get("/openapi.json").json
    return found


def fits(spec: dict[str, Any], schema: Any, value: Any) -> list[str]:
    """What keeps a value from fitting a schema of the description."""
    whole = {**schema, "components": spec["components"]}
    return [f"{list(e.instance_path)}: {e.message}" for e in jsonschema_rs.validator_for(whole).iter_errors(value)]


def operations(spec: dict[str, Any], part: str = "paths") -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in spec[part].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_example_body_is_taken_and_answered_as_described(crm: Crm, spec: dict[str, Any]) -> None:
    found = {operation["operationId"]: (m, p, operation) for m, p, operation in operations(spec)}
    assert set(found) == set(STORY), "every call is part of the story"
    held: dict[str, str] = {}
    for name in STORY:
        method, path, operation = found[name]
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                held.setdefault(parameter["name"], parameter.get("example", ""))
                path = path.replace(f"{{{parameter['name']}}}", held[parameter["name"]])
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            assert fits(spec, body["schema"], body["example"]) == [], name
        if name == "deliveries_retry":
            with housekeeping() as connection:
                connection.execute(
                    update(Delivery).where(Delivery.kind == "webhook").values(state="dead", ended_at=now())
                )
        answer = crm.call(method, path.removeprefix(ROOT), body and body["example"])
        if name == "offers_receipt":
            assert answer.status_code == 409, "nothing here makes it"
            continue
        assert answer.status_code == int(min(operation["responses"])) or name == "properties_put", (name, answer.text)
        described = operation["responses"][str(answer.status_code)].get("content", {}).get("application/json")
        if described:
            assert fits(spec, described["schema"], answer.json) == [], name
        if name in NAMES:
            held[NAMES[name]] = answer.json["id"]


def test_every_example_answer_fits_its_model(spec: dict[str, Any]) -> None:
    seen = 0
    for part in ("paths", "webhooks"):
        for _, path, operation in operations(spec, part):
            for answer in (operation.get("requestBody", {}), *operation["responses"].values()):
                for media, content in answer.get("content", {}).items():
                    if content["schema"].get("format") == "binary":
                        continue
                    shown = (
                        [content["example"]]
                        if "example" in content
                        else [e["value"] for e in content["examples"].values()]
                    )
                    assert shown, (path, media)
                    assert [fits(spec, content["schema"], one) for one in shown] == [[]] * len(shown), path
                    seen += len(shown)
    assert seen > 100 and set(spec["webhooks"]) == {*EVENTS, TEST}


def test_the_description_is_the_same_for_every_reader(crm: Crm, spec: dict[str, Any]) -> None:
    del crm.app.extensions["bidflux_openapi"]
    assert crm.get("/openapi.json", Accept_Language="ro").json == spec
    assert "Something is missing" in str(spec)


def everything_happens(crm: Crm, prop: Property) -> None:
    """One event of every type, in one agency."""
    agency, by = crm.owner.agency_id, Actor("user", crm.owner.id)
    person = person_of(crm.owner)
    first = db.session.get_one(Offer, make_offer(prop))
    deciding.view(first, by=person)
    deciding.decide_all(agency, [deciding.Chosen(first.id)], deciding.AgencyAnswer("rejected"), by=by)
    better_offers.ask([first.id], now() + timedelta(days=1), None, by=person)
    second = make_offer(prop, make_draft(replaces=first.reference))
    crm.call("POST", "/offers", {
        "property_id": str(prop.id), "amount": "1.00", "financing": "cash", "payment_term_days": 1,
        "bidder": {"full_name": "Ana Pop", "email": "ana@client.example", "phone": "0722000111"},
    })  # fmt: skip
    recorded = db.session.scalars(select(Offer).where(Offer.source == "api")).one()
    confirm(recorded.id, recording.ConfirmationInput("ro", {}))
    withdrawing.withdraw(recorded)
    erasure.erase_all(agency, [second], "person", by=by)
    properties.rotate_link(prop, by=by)
    crm.put("CRM-1", title="Altfel")
    properties.archive(db.session.get_one(Property, prop.id), by=by)


def same_names(sample: Any, real: Any, where: str) -> None:
    if isinstance(sample, dict) and isinstance(real, dict):
        assert set(sample) == set(real), where
        for name in sample:
            same_names(sample[name], real[name], f"{where}/{name}")


def test_samples_and_models_of_events_are_like_the_real_ones(crm: Crm, spec: dict[str, Any]) -> None:
    everything_happens(crm, make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1"))
    page = crm.get("/events").json
    event_page = {"$ref": "#/components/schemas/EventPage"}
    assert fits(spec, event_page, page) == []
    # What spoke of the one who was forgotten is no sample of its type any more.
    real = {event["type"]: event for event in page["data"] if event["type"] == "offer.erased" or "erased" not in event}
    assert set(real) == set(EVENTS)
    for kind, event in real.items():
        sample = spec["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]["example"]
        same_names(sample, event, kind)
        for name in ("timestamp", "deadline"):
            assert name not in event or re.fullmatch(r"[-\d]+T[:\d]+\.\d{6}Z", event[name])
