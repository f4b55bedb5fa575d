"""A CRM with a key, and the agency it calls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.accounts import editing as accounts
from app.core.ledger import SYSTEM
from app.models import User
from tests.factories import make_agency, make_user

ROOT = "/api/crm"


@dataclass
class Crm:
    """Calls the API with one key."""

    app: Flask
    owner: User
    key: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"Authorization": f"Bearer {self.key}", **named}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        return self.app.test_client().open(ROOT + path, method=method, data=data, headers=given)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.call("GET", path, **headers)

    def put(self, external_id: str, **fields: Any) -> TestResponse:
        return self.call("PUT", f"/properties/external/{external_id}", {"title": "Casă în Brașov", **fields})


def make_crm(app: Flask, name: str = "Casa Bună", **key: Any) -> Crm:
    owner = make_user(make_agency(name), "owner")
    return Crm(app, owner, accounts.create_api_key(owner.agency_id, "CRM", by=SYSTEM, **key))


@pytest.fixture
def crm(app: Flask) -> Crm:
    return make_crm(app)


@pytest.fixture
def either_crm(either_app: Flask) -> Crm:
    return make_crm(either_app)
