"""The whole API against its own description: what fits it is answered as it says, what does not is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from limits import parse
from werkzeug.serving import make_server

from app.web import api_keys
from app.web.rate_limits import LimitState
from tests.api.conftest import Crm
from tests.conftest import ROOT
from tests.factories import make_offer, make_property

# In the list each item is answered for itself: one that does not fit stands beside others that do.
CONFIGURATION = """
[phases.stateful]
generation.max-examples = 15

[[operations]]
include-name = "POST /api/crm/properties/bulk"
checks.negative_data_rejection.expected-statuses = ["2xx", "4xx"]

# An agency has at most twenty, and the run makes more.
[[operations]]
include-name = "POST /api/crm/webhooks"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
"""

# The coverage of each field's limits makes 2,600 calls in minutes: `make schema`, for a day on which they changed.
PHASES = os.environ.get("SCHEMA_PHASES", "examples,fuzzing,stateful")


@pytest.fixture
def served(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application on a port of the loopback, with limits that never end."""
    unspent = LimitState(parse("1200/minute"), False, 1200, 60)
    monkeypatch.setattr(api_keys, "spend", lambda *_: unspent)
    monkeypatch.setattr(api_keys, "hit", lambda *_: None)
    app.config["TESTING"] = False
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.mark.slow
def test_schemathesis_finds_nothing(served: str, crm: Crm, tmp_path: Path) -> None:
    prop = make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    for _ in range(3):
        make_offer(prop)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{served}/api/crm/openapi.json",
            f"--url={served}",
            f"--header=Authorization: Bearer {crm.key}",
            "--checks=all",
            f"--phases={PHASES}",
            "--max-examples=3",
            "--seed=1",
            "--no-color",
            "--suppress-health-check=all",
            "--warnings=off",
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
