"""Keys made, listed and revoked by an operator's commands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from tests.api.conftest import Crm, make_crm


def run(app: Flask, *words: str) -> str:
    done = app.test_cli_runner().invoke(args=["api-key", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_key_made_by_command_works_and_is_revoked_at_once_however_it_is_named(app: Flask) -> None:
    crm = make_crm(app)
    for named in ("whole", "prefix", "shown", "id"):
        made: dict[str, Any] = json.loads(
            run(app, "create", "--name", named, "--scope", "read", "--days", "9", "--json")
        )
        mine = Crm(app, crm.owner, made["key"])
        assert mine.get("/offers").status_code == 200 and mine.put("CRM-1").status_code == 403
        [row] = [row for row in json.loads(run(app, "list", "--json"))["data"] if row["name"] == named]
        assert row["expires_at"] and row["last_used_at"] and row["scopes"] == ["read"] and row["prefix"] in made["key"]
        names = {"whole": made["key"], "prefix": row["prefix"], "shown": row["prefix"] + "…", "id": row["id"]}
        assert row["id"] in run(app, "list")
        assert run(app, "revoke", names[named]).strip() == "revoked"
        assert mine.get("/offers").status_code == 401 and crm.get("/offers").status_code == 200
    assert run(app, "list").count("revoked") == 4 and crm.key not in run(app, "list")


@pytest.mark.parametrize("named", ["bfx_live_0000", "x", "01890a5d-ac96-774b-bcce-b302099a8057"])
def test_an_unknown_key_is_said_so(app: Flask, named: str) -> None:
    make_crm(app)
    done = app.test_cli_runner().invoke(args=["api-key", "revoke", named])
    assert done.exit_code == 1 and "key" in done.output
