"""The guides for CRM developers are true of the running product: `make run`, a key by its command, then every example.

One test, because one product serves it: the shell's calls by curl, the Python and JavaScript clients as they stand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import playwright
import pytest

from tests.conftest import ROOT, free_port

API, WEBHOOKS = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("api", "webhooks"))
BIN = Path(sys.executable).parent
NODE = shutil.which("node") or str(Path(playwright.__file__).parent / "driver" / "node")
QUIET_CURL = """curl() { command curl -sS -w '\\n%{http_code}' "$@"; }\n"""


class Product:
    """`make run` in a folder of its own, and a developer's shell beside it."""

    def __init__(self, data: Path, port: int) -> None:
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {**keep, "BIDFLUX_DATA": str(data), "PORT": str(port), "BIDFLUX": f"http://127.0.0.1:{port}"}
        self.process = subprocess.Popen([sys.executable, ROOT / "tools" / "run.py"], env=self.env)
        quickstart, until = data / "quickstart.json", time.monotonic() + 300
        while not quickstart.exists():
            assert self.process.poll() is None and time.monotonic() < until, "it did not become ready"
            time.sleep(0.1)
        self.quickstart: dict[str, str] = json.loads(quickstart.read_text())

    def flask(self, *words: str) -> list[str]:
        return [str(BIN / "flask"), "--app", "wsgi", *words]

    def say(self, *words: str, **more: str) -> str:
        done = subprocess.run(words, cwd=ROOT, env={**self.env, **more}, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def curl(self, command: str, **named: str) -> tuple[int, Any]:
        """Status and JSON of a call as it stands in a guide."""
        said, _, status = self.say("bash", "-c", QUIET_CURL + command, **named).rpartition("\n")
        return int(status), json.loads(said)


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    started = Product(tmp_path / "data", free_port())
    yield started
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(300) == 0


def holds(got: Any, shown: Any, where: str = "") -> None:
    """Everything shown is in what came, at the same place."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in got, f"{where}/{name}"
            holds(got[name], value, f"{where}/{name}")
    elif isinstance(shown, list):
        assert len(got) >= len(shown), where
        for number, value in enumerate(shown):
            holds(got[number], value, f"{where}/{number}")
    else:
        assert got == shown, where


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_every_example_of_the_guides_is_true_of_the_running_product(product: Product, tmp_path: Path) -> None:
    made = json.loads(product.say(*product.flask("api-key", "create", "--name", "CRM", "--test", "--json")))
    assert made["key"].startswith("bfx_test_")
    product.env["KEY"] = made["key"]
    the_calls_of_the_api(product)
    for program, language, ending in ((sys.executable, "python", "py"), (NODE, "js", "mjs")):
        (script := tmp_path / f"client.{ending}").write_text(blocks(API, language)[0])
        a_client_takes_everything_in(product, product.say(program, str(script)))
    webhook_calls_arrive(product)


def the_calls_of_the_api(product: Product) -> None:
    examples = re.findall(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", API, re.S)
    assert len(examples) == API.count("\ncurl ") == 8
    named = {"OFFER": ""}
    for command, shown in examples:
        status, got = product.curl(command, **named)
        holds(got, json.loads(shown), command[:80])
        if 'crm/offers"' in command and status == 201:
            named["OFFER"] = got["id"]


def a_client_takes_everything_in(product: Product, said: str) -> None:
    known = re.search(r"share (\S+)\noffers (\d+) next (after=\d+&epoch=[0-9a-f]+)\n", said)
    assert known and known[1].startswith(f"{product.env['BIDFLUX']}/o/")
    _, offers = product.curl('curl "$BIDFLUX/api/crm/offers?limit=100" -H "Authorization: Bearer $KEY"')
    assert int(known[2]) == len(offers["data"]) > 20 and not offers["has_more"]
    _, page = product.curl(f'curl "$BIDFLUX/api/crm/events?{known[3]}" -H "Authorization: Bearer $KEY"')
    assert page["data"] == []


def webhook_calls_arrive(product: Product) -> None:
    """To the product's own `webhook sink`, which checks their signatures; the guide's calls in the guide's order."""
    found = [line for block in blocks(WEBHOOKS, "sh") for line in re.split(r"\n(?=curl )", block.strip())]
    commands = [line for line in found if line.startswith("curl")]
    [sink] = [line for line in found if line not in commands]
    port = free_port()
    create = commands[0].replace("https://crm.example.ro/bidflux", f"http://127.0.0.1:{port}/")
    status, endpoint = product.curl(create)
    assert status == 201
    words = sink.replace("9000", str(port)).split()
    assert words[0] == ".venv/bin/flask"
    receiver = subprocess.Popen(
        [str(BIN / "flask"), *words[1:], "--json"],
        cwd=ROOT, env=product.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert receiver.stdin and receiver.stderr
        receiver.stdin.write(endpoint["secret"] + "\n")
        receiver.stdin.flush()
        assert receiver.stderr.readline().startswith("listening")
        answers = []
        named = {"ID": endpoint["id"], "DELIVERY": ""}
        for command in commands[1:]:
            if "/retry" in command:
                wait_until_delivered(product, named["DELIVERY"])
            status, got = product.curl(command, **named)
            answers.append(status)
            if "/test" in command:
                named["DELIVERY"] = got["id"]
        assert answers == [202, 200, 202, 200, 200, 202, 200]
        wait_until_delivered(product, named["DELIVERY"])
    finally:
        receiver.terminate()  # an interrupt is ignored where the tests themselves run in the background
        said, _ = receiver.communicate(timeout=300)
    calls = [json.loads(line) for line in said.splitlines()]
    assert {call["verdict"] for call in calls} == {"verified"}
    one, two = [call["body"] for call in calls if call["webhook-id"] == named["DELIVERY"]]
    assert one == two and one["test"] is True and one["type"] == "offer.created"


def wait_until_delivered(product: Product, delivery: str) -> None:
    until = time.monotonic() + 300
    state = ""
    while state != "delivered":
        assert time.monotonic() < until, state
        _, got = product.curl(f'curl "$BIDFLUX/api/crm/deliveries/{delivery}" -H "Authorization: Bearer $KEY"')
        state = got["state"]
        time.sleep(0.2)
