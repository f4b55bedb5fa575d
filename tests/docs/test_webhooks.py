"""The page about webhooks is true: its code verifies, its tables say what the code does. Its calls: test_running."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import playwright
import pytest
from standardwebhooks import WebhookVerificationError

from app.delivery.retry import SCHEDULES
from app.delivery.webhook_sender import signed
from app.models.webhook import EVENTS
from app.webhooks import editing as webhooks
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "webhooks.md").read_text()
SECRET = bytes(range(32))
# Playwright brings one.
NODE = shutil.which("node") or str(Path(playwright.__file__).parent / "driver" / "node")
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
    done = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=300)
    return done.stdout.strip() or done.stderr


def test_the_javascript_example_verifies(tmp_path: Path) -> None:
    for headers, body, said in (
        (call(), BODY, "Țurcanu"),
        (call(secrets=(bytes(32), SECRET)), BODY, "Țurcanu"),
        (call(), BODY + " ", "not ours"),
        (call(age=600), BODY, "too old"),
    ):
        given = ", ".join(json.dumps(value) for value in (headers, body, webhooks.shown(SECRET)))
        script = f"{blocks('js')[0]}\nconsole.log(receive({given}).data.name)"
        assert said in run_script(NODE, script, tmp_path, "receive.cjs")


@pytest.mark.skipif(shutil.which("php") is None, reason="no PHP on this machine")
def test_the_php_example_verifies(tmp_path: Path) -> None:
    headers = ", ".join(f"{json.dumps(k)} => {json.dumps(v)}" for k, v in call().items())
    shown = webhooks.shown(SECRET)
    script = f"<?php\n{blocks('php')[0]}\necho receive([{headers}], '{BODY}', '{shown}')['data']['name'];"
    assert run_script("php", script, tmp_path, "receive.php") == "Țurcanu"


def test_the_tables_say_what_the_code_does() -> None:
    named = set(re.findall(r"^\| (.*?) \| ", TEXT.split("## Check the signature")[0], re.M))
    listed = {kind for cell in named for kind in re.findall(r"`([a-z_]+\.[a-z_]+)`", cell)}
    assert listed == {*EVENTS, "webhook.test"}
    row = re.search(r"^\| wait \| (.*) \|$", TEXT, re.M)
    assert row
    units = {"s": 1, "min": 60, "h": 3600}
    waits = [int(number) * units[unit] for number, unit in (cell.split() for cell in row[1].split(" | "))]
    assert tuple(waits) == SCHEDULES["webhook"].steps


def test_the_identifier_in_the_example_is_one() -> None:
    found = re.search(r"^webhook-id: (\S+)$", TEXT, re.M)
    assert found and uuid.UUID(found[1])
