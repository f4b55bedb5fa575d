"""What no schema can say, put right in calls that ought to succeed: which ids there are, what came before, today."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

import schemathesis

PROPERTY = "CRM-1"  # the one that is there
LATER = {name: days for days, name in enumerate(("valid_until", "precontract_date", "deed_date"), 10)} | {"viewing": -1}


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    headers, query = case.headers or {}, case.query or {}
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = str(uuid.uuid4())  # one sent before answers for what it was sent with
    headers.pop("If-Match", None)
    headers.pop("If-None-Match", None)
    query.pop("cursor", None)  # signed by us
    if "email" in query:
        query["email"] = "ana@client.example"
    if {"min_amount", "max_amount", "sort"} & set(query):
        query.setdefault("currency", "EUR")  # currencies are never mixed
    if "from" in query:
        query.pop("to", None)
    if isinstance(case.body, dict):
        case.body = _whole_numbers(case.body)
        for item in case.body.get("data", [case.body]):
            _sensible(item, (case.path_parameters or {}).get("external_id"))


def _whole_numbers(value: Any) -> Any:
    """To JSON Schema 3.0 is an integer; the API takes it for what it is."""
    if isinstance(value, dict):
        return {name: _whole_numbers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _sensible(body: dict[str, Any], external_id: str | None) -> None:
    body.pop("offers_open_at", None)  # nobody opens yesterday
    if "title" in body or "transaction_type" in body:
        body["transaction_type"] = "sale"
    if external_id and "external_id" in body:
        body["external_id"] = unquote(external_id)
    if "url" in body:
        body["url"] = "https://crm.example.ro/bidflux"
    if "bidder" in body:
        _an_offer(body)


def _an_offer(body: dict[str, Any]) -> None:
    body.pop("property_id", None)
    body["property_external_id"] = PROPERTY
    body["bidder"] = {"full_name": "Ana Pop", "email": "ana@client.example", "phone": "0722000111"}
    body |= {name: (date.today() + timedelta(days)).isoformat() for name, days in LATER.items() if body.get(name)}
    for name in ("currency", "replaces", "own_funds_amount", "credit_amount", "advance_amount"):
        body.pop(name, None)
    if body["financing"] == "cash":
        body.pop("credit_program", None)
        body.pop("credit_preapproved", None)
    if body["financing"] == "mixed":
        body |= {"amount": "100000.00", "own_funds_amount": "40000.00"}
