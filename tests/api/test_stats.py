"""Totals over the API."""

from __future__ import annotations

from app.blueprints.api.schemas.stats import StatsOut
from app.core.clock import now
from app.core.money import Money
from tests.api.conftest import Crm, make_crm
from tests.factories import make_draft, make_offer, make_property


def test_totals_are_by_status_financing_property_period_and_currency(crm: Crm) -> None:
    one = make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    two = make_property(crm.owner.agency_id, crm.owner.id, currency="RON", asking_minor=500_000_00)
    first = make_offer(one, make_draft(amount=Money(100_000_00, "EUR")))
    make_offer(one, make_draft(amount=Money(125_000_00, "EUR"), financing="credit"))
    make_offer(two, make_draft(amount=Money(450_000_00, "RON")))
    crm.call("PATCH", f"/offers/{first}/status", {"status": "rejected"})
    told = crm.get("/stats").json
    StatsOut.model_validate_json(crm.get("/stats").data)
    assert told["count"] == 3 and told["by_status"] == {"new": 2, "viewed": 0, "accepted": 0, "rejected": 1}
    assert told["by_financing"] == {"cash": 2, "credit": 1, "mixed": 0} and told["decided"] == 1
    eur, ron = told["by_currency"]
    assert (eur["currency"], eur["best"], eur["median"]) == ("EUR", "125000.00", "112500.00")
    assert eur["median_ratio_to_asking"] == "0.9000" and ron["median_ratio_to_asking"] == "0.9000"
    assert [row["property_external_id"] for row in told["by_property"]] == ["CRM-1", None]
    assert sum(row["count"] for row in told["by_period"]) == 3


def test_totals_take_days_a_property_and_an_agent(crm: Crm) -> None:
    prop = make_property(crm.owner.agency_id, crm.owner.id)
    make_offer(prop)
    today = now().date()
    assert crm.get(f"/stats?from={today.replace(year=today.year + 1)}").json["count"] == 0
    assert crm.get(f"/stats?property_id={prop.id}&agent={crm.owner.email}").json["count"] == 1
    assert crm.get("/stats?agent=nobody@agentie.example").json["count"] == 0
    for days in ("from=9999-12-31", "to=0001-01-01", "from=0001-01-01&to=9999-12-31"):
        assert crm.get(f"/stats?{days}").status_code in {200, 422}, days
    for wrong in (
        "from=yesterday",
        "to=2026-13-01",
        "property_id=7",
        "until=2026-01-01",
        "from=2026-02-01&to=2026-01-01",
    ):
        answer = crm.get(f"/stats?{wrong}")
        assert answer.status_code == 422 and answer.json["errors"][0]["parameter"], wrong


def test_totals_hold_nothing_of_another_agency(crm: Crm) -> None:
    other = make_crm(crm.app, "Cealaltă")
    make_offer(make_property(other.owner.agency_id, other.owner.id))
    told = crm.get("/stats").json
    assert told["count"] == 0 and told["by_property"] == [] and told["by_currency"] == []
