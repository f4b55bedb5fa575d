"""The page for CRM developers is true: its code runs, its calls are answered, its tables say what the code does."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from standardwebhooks import WebhookVerificationError

from app.jobs.hooks import STEPS, signed
from app.ledger import SYSTEM
from app.models.webhook import EVENTS
from app.services import accounts, webhooks
from tests.conftest import ROOT
from tests.factories import make_agency, make_user

TEXT = (ROOT / "docs" / "webhooks.md").read_text()
SECRET = bytes(range(32))
BODY = json.dumps({"type": "offer.created", "data": {"name": "Țurcanu"}}, ensure_ascii=False)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def call(age: int = 0, secrets: tuple[bytes, ...] = (SECRET,)) -> dict[str, str]:
    return {
        name.lower(): value
        for name, value in signed("msg-1", int(time.time()) - age, BODY.encode(), list(secrets)).items()
    }


def test_the_python_example_verifies() -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)  # the page's own code
    shown = webhooks.shown(SECRET)
    assert names["receive"](call(), BODY, shown)["data"]["name"] == "Țurcanu"
    assert names["receive"](call(secrets=(bytes(32), SECRET)), BODY, shown)
    for headers, body in ((call(), BODY + " "), (call(age=600), BODY), (call(secrets=(bytes(32),)), BODY)):
        with pytest.raises(WebhookVerificationError):
            names["receive"](headers, body, shown)


def run_script(program: str, script: str, folder: Path, name: str) -> str:
    path = folder / name
    path.write_text(script)
    done = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=30)
    return done.stdout.strip() or done.stderr


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
def test_the_javascript_example_verifies(tmp_path: Path) -> None:
    for headers, body, said in (
        (call(), BODY, "Țurcanu"),
        (call(secrets=(bytes(32), SECRET)), BODY, "Țurcanu"),
        (call(), BODY + " ", "not ours"),
        (call(age=600), BODY, "too old"),
    ):
        given = ", ".join(json.dumps(value) for value in (headers, body, webhooks.shown(SECRET)))
        script = f"{blocks('js')[0]}\nconsole.log(receive({given}).data.name)"
        assert said in run_script("node", script, tmp_path, "receive.cjs")


@pytest.mark.skipif(shutil.which("php") is None, reason="no PHP on this machine")
def test_the_php_example_verifies(tmp_path: Path) -> None:
    headers = ", ".join(f"{json.dumps(k)} => {json.dumps(v)}" for k, v in call().items())
    shown = webhooks.shown(SECRET)
    script = f"<?php\n{blocks('php')[0]}\necho receive([{headers}], '{BODY}', '{shown}')['data']['name'];"
    assert run_script("php", script, tmp_path, "receive.php") == "Țurcanu"


@pytest.fixture
def opened(app: Flask) -> Iterator[Flask]:
    settings = app.extensions["bidflux_settings"]
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=networks)
    yield app


def test_every_call_of_the_api_is_answered(opened: Flask) -> None:
    owner = make_user(make_agency(), "owner")
    key = accounts.create_api_key(owner.agency_id, "CRM", by=SYSTEM)
    endpoint_id, _secret = webhooks.create(owner.agency_id, "https://crm.example/bidflux", by=SYSTEM)
    endpoint = webhooks.get_endpoint(owner.agency_id, endpoint_id)
    delivery = webhooks.send_test(endpoint, by=SYSTEM)
    webhooks.change(webhooks.get_endpoint(owner.agency_id, endpoint_id), on=False, by=SYSTEM)
    webhooks.change(webhooks.get_endpoint(owner.agency_id, endpoint_id), on=True, by=SYSTEM)
    named = {"$BIDFLUX": "", "$KEY": key, "$ID": str(endpoint_id), "$DELIVERY": str(delivery)}
    answers = []
    for block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for name, value in named.items():
                line = line.replace(name, value)
            if line.startswith("curl"):
                answers.append(curl(opened, shlex.split(line)))
    assert answers == [201, 202, 200, 202, 200, 200, 202, 200]


def curl(app: Flask, words: list[str]) -> int:
    """What curl would do with these words."""
    headers, method, data, path = {}, None, None, words[1]
    rest = iter(words[2:])
    for word in rest:
        value = next(rest)
        if word == "-H":
            name, _, text = value.partition(": ")
            headers[name] = text
        elif word == "-X":
            method = value
        elif word == "-d":
            data = value
        else:
            raise AssertionError(word)
    method = method or ("POST" if data else "GET")
    return app.test_client().open(path, method=method, headers=headers, data=data).status_code


def test_the_tables_say_what_the_code_does() -> None:
    named = set(re.findall(r"^\| (.*?) \| ", TEXT.split("## Check the signature")[0], re.M))
    listed = {kind for cell in named for kind in re.findall(r"`([a-z_]+\.[a-z_]+)`", cell)}
    assert listed == {*EVENTS, "webhook.test"}
    row = re.search(r"^\| wait \| (.*) \|$", TEXT, re.M)
    assert row
    units = {"s": 1, "min": 60, "h": 3600}
    waits = [int(number) * units[unit] for number, unit in (cell.split() for cell in row[1].split(" | "))]
    assert tuple(waits) == STEPS


def test_the_identifier_in_the_example_is_one() -> None:
    found = re.search(r"^webhook-id: (\S+)$", TEXT, re.M)
    assert found and uuid.UUID(found[1])
