"""Figures tell what there is, also when most of it was counted earlier; and a request is followed through the log."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sentry_sdk
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import Metric
from sentry_sdk.transport import Transport
from sqlalchemy import update

from app.blueprints.ops.routes import _Figures
from app.core.clock import now
from app.core.faults import configure_faults, report
from app.core.logs import configure_logs
from app.core.unit_of_work import housekeeping
from app.core.wake import waker
from app.delivery.dispatcher import dispatch
from app.delivery.webhook_dispatcher import _report
from app.extensions import db
from app.models import Delivery, Property
from app.ops import figures
from app.workers import hourly
from app.workers.worker import Worker
from tests.conftest import ROOT, settings_for
from tests.factories import make_agency, make_offer, make_property, make_user
from tests.mail_server import MailServer, deliveries
from tests.public.test_offer_form import fill, hidden, path_of


def told(app: Flask) -> dict[str, float]:
    text = app.test_client().get("/metrics").get_data(as_text=True)
    return {name: float(value) for name, value in re.findall(r"^(bidflux_\S+) (\S+)$", text, re.M)}


def test_old_and_new_are_told_together_and_nothing_twice(either_app: Flask) -> None:
    prop = make_property(agency := make_agency(), make_user(agency).id)
    make_offer(prop)
    with housekeeping() as connection:
        ended = {"state": "delivered", "ended_at": now()}
        connection.execute(update(Delivery).values(due_at=now() - timedelta(days=2), **ended))
    figures.count()
    make_offer(prop)
    with housekeeping() as connection:
        connection.execute(
            update(Delivery)
            .where(Delivery.state == "pending", Delivery.template == "offer_agent")
            .values(state="dead", ended_at=now())
        )
    found = told(either_app)
    assert found["bidflux_offers"] == 2
    assert found['bidflux_deliveries{kind="mail",state="delivered"}'] == 2
    assert (
        found['bidflux_deliveries{kind="mail",state="dead"}']
        == found['bidflux_deliveries{kind="mail",state="pending"}']
        == 1
    )
    assert found["bidflux_ledger_entries"] == found["bidflux_ledger_head"] >= 3
    with time_machine.travel(now() + timedelta(hours=3)):
        assert told(either_app)["bidflux_offers"] == 2, "counted anew, where no relay does"
    waker().connection.connection_pool.connection_kwargs["port"] = 1
    waker().connection.connection_pool.disconnect()
    assert told(either_app)["bidflux_offers"] == 2, "Valkey is away"


def test_requests_are_counted_by_route_and_status_without_what_they_name(client: FlaskClient) -> None:
    name = 'bidflux_requests_total{method="GET",route="/o/<token>",status="404"}'
    before = told(client.application).get(name, 0)
    for _ in range(3):
        client.get("/o/a-secret-of-somebody")
    client.get("/no/such/path/of/ours")
    found = told(client.application)
    assert found[name] == before + 3 and found['bidflux_requests_total{method="GET",route="none",status="404"}'] >= 1
    assert not any("a-secret" in one or "such/path" in one for one in found)


def lines(text: str, event: str) -> list[dict[str, Any]]:
    return [one for one in map(json.loads, text.splitlines()) if one["event"] == event]


@pytest.mark.parametrize("given", ["7f9c24e8-3b1d-4c0a-9f51-2d6f0d1c55aa", "abcdef0123456789", "Root_1.2-3x"])
def test_a_proxys_number_is_taken(client: FlaskClient, given: str) -> None:
    assert client.get("/nu", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "ana@client.example", "a b c d e f g h", "șșșșșșșș", "../../../../x"]
)
def test_no_other_shape_is(client: FlaskClient, given: str) -> None:
    answered = client.get("/nu", headers={"X-Request-Id": given.encode().decode("latin-1")}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{16}", answered)


def test_a_strangers_number_is_not_taken_unless_a_trusted_proxy_brings_it(client: FlaskClient) -> None:
    asked: dict[str, Any] = {"headers": {"X-Request-Id": "abcdef0123456789"}}
    asked["environ_overrides"] = {"REMOTE_ADDR": "203.0.113.7"}
    assert client.get("/nu", **asked).headers["X-Request-Id"] != "abcdef0123456789"
    settings = settings_for(client.application.extensions["bidflux_settings"].data_dir, TRUSTED_PROXIES="1")
    client.application.extensions["bidflux_settings"] = settings
    assert client.get("/nu", **asked).headers["X-Request-Id"] == "abcdef0123456789"


def test_a_request_is_followed_into_the_lines_of_its_mails(
    client: FlaskClient, prop: Property, smtp: MailServer, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs(client.application)
    _, review = fill(client, path_of(prop))
    number = f"proxy-{secrets.token_hex(8)}"
    client.post(path_of(prop), data={**hidden(review), "step": "send"}, headers={"X-Request-Id": number})
    assert {owed.request_id for owed in deliveries()} == {number}
    dispatch()
    said = capfd.readouterr().err
    assert [line["request_id"] for line in lines(said, "mail")][:2] == [number, number]
    assert [line["request_id"] for line in lines(said, "request")][-1] == number


def test_lines_about_calls_name_the_request(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs(app)
    call = SimpleNamespace(id=1, request_id="proxy-0001", template="offer.created", attempts=1)
    for state in ("delivered", "pending"):
        _report([SimpleNamespace(claimed=call, state=state, code=500, fault="", at=now())])  # type: ignore[list-item]
    said = capfd.readouterr().err
    assert lines(said, "webhooks_delivered")[0]["request_ids"] == ["proxy-0001"]
    assert lines(said, "webhook_failed")[0]["request_id"] == "proxy-0001"


def test_the_level_says_how_much_is_logged(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs(app, level=settings_for(app.extensions["bidflux_settings"].data_dir, LOG_LEVEL="error").log_level)
    app.test_client().post("/nu")
    assert lines(capfd.readouterr().err, "request") == []


class Kept(Transport):
    """What would leave for Sentry."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.sent: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent += [item.get_event() for item in envelope.items]


@pytest.fixture
def sent(app: Flask) -> Any:
    kept = Kept({"dsn": None})
    settings = settings_for(app.extensions["bidflux_settings"].data_dir, SENTRY_DSN="https://key@sentry.example/1")
    configure_faults(settings, kept)
    yield kept.sent
    sentry_sdk.init()


WHO = "Țurcanu ana@client.example +40712034567"


def fails(*_any: object, **_named: object) -> Any:
    typed = f"{WHO} in a local"  # noqa: F841  what a reporter could take along
    raise ValueError(WHO)


def test_a_fault_of_a_page_or_a_job_is_told_by_its_place_alone(
    app: Flask, sent: list[Any], monkeypatch: pytest.MonkeyPatch, smtp: MailServer
) -> None:
    make_offer(make_property(agency := make_agency(), make_user(agency).id))
    token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA." + "b" * 43
    with app.test_request_context(
        f"/o/{token}?q={WHO}", method="POST", data={"full_name": WHO}, headers={"Cookie": WHO}
    ):
        try:
            fails()
        except ValueError as error:
            report(error)
    monkeypatch.setattr("app.delivery.registry.Registry.compose", fails)
    dispatch()
    monkeypatch.setattr(hourly, "CHORES", {"chore": fails})
    hourly.tidy()
    job = SimpleNamespace(id="1")
    monkeypatch.setattr("rq.SimpleWorker.handle_exception", lambda *_: None)
    try:
        fails()
    except ValueError as error:
        Worker.handle_exception(object.__new__(Worker), job, ValueError, error, None)  # type: ignore[arg-type]
    kinds = [event["exception"]["values"][0]["type"] for event in sent]
    assert kinds == ["ValueError"] * len(sent) and len(sent) >= 4
    text = json.dumps(sent)
    for personal in ("urcanu", "client.example", "712034567", "in a local", token, "full_name", "Cookie"):
        assert personal not in text, personal
    assert sent[0]["request"] == {"method": "POST", "url": "/o/…"} and sent[0]["tags"]["request_id"]
    assert any(frame["function"] == "fails" for frame in sent[-1]["exception"]["values"][0]["stacktrace"]["frames"])
    db.session.rollback()


def test_processes_of_one_server_are_told_together(tmp_path: Path) -> None:
    """As under the web server, which names the folder before anything is imported."""
    code = (
        "import runpy\n"
        "from flask import Flask\n"
        "from prometheus_client import CollectorRegistry, generate_latest\n"
        "counting = runpy.run_path('app/web/counting.py')\n"
        "app = Flask('one')\n"
        "app.add_url_rule('/healthz', view_func=lambda: 'ok')\n"
        "counting['register_counting'](app)\n"
        "for _ in range(3): app.test_client().get('/healthz')\n"
        "counting['collect_into'](registry := CollectorRegistry())\n"
        "print(generate_latest(registry).decode())\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _process in range(2):
        words = [sys.executable, "-c", code]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert 'bidflux_requests_total{method="GET",route="/healthz",status="200"} 6.0' in done.stdout


def test_figures_are_no_gauges_of_a_process(app: Flask) -> None:
    """Those would be shared with the other processes of the server, and told by each."""
    families = list(_Figures().collect())
    assert len(families) == 5 and all(isinstance(family, Metric) for family in families)
