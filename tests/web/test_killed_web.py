"""A web process killed in mid-submission: whoever saw a receipt has an offer, and nothing is half there."""

from __future__ import annotations

import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.extensions import db
from app.models import Agency, Delivery, Event, LedgerEntry, Offer, OfferBody, OfferKey, OfferState
from app.proof.register import verify_chain
from tests.conftest import KEYS, ROOT, SECRET, free_port
from tests.factories import make_agency, make_property, make_user
from tests.public.test_offer_form import GOOD, hidden

KILLS = 4


class Web:
    """gunicorn as `make run` starts it, one process, begun again after each kill."""

    def __init__(self, app: Flask, log: Path) -> None:
        settings = app.extensions["bidflux_settings"]
        self.port, self.log = free_port(), log
        self.environment = {
            "PATH": os.environ["PATH"],
            "BIDFLUX_ENV": "development",
            "BIDFLUX_DATA": str(settings.data_dir),
            "DATABASE_URL": settings.database_url,
            "SECRET_KEY": SECRET,
            "BIDFLUX_KEYS": KEYS,
            "BASE_URL": "http://localhost",
            "MAIL_SERVER": "127.0.0.1",
            "REDIS_URL": settings.redis_url,
            "FORM_MIN_SECONDS": "0",
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
            "TRUSTED_PROXIES": "1",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if self.ask("GET", "/healthz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        """Status, Location and body of an answer; raises `OSError` or `HTTPException` when there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        where = ".".join(str(random.randrange(1, 250)) for _ in range(4))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": where}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Location") or "", answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def web(app: Flask, tmp_path: Path) -> Iterator[Web]:
    server = Web(app, tmp_path / "web.log")
    server.start()
    yield server
    server.kill()


def reviewed(web: Web, where: str) -> str:
    """What the last button sends, after form and review."""
    stamp = re.search(r'name="stamp"\s+value="([^"]+)"', web.ask("GET", where)[2])
    filled = urlencode({**GOOD, "stamp": stamp.group(1) if stamp else "", "step": "review"})
    return urlencode({**hidden(web.ask("POST", where, filled)[2]), "step": "send"}, doseq=True)


def kill_often(web: Web, answers: list[tuple[int, str]], lost: list[str]) -> None:
    """Each time after it has answered again, and until a press was lost: however slow the machine is."""
    moments = random.Random(11)
    for kills in range(50):
        if kills >= KILLS and any(lost):
            return
        before, until = len(answers), time.monotonic() + 120
        while len(answers) == before:
            assert time.monotonic() < until, web.log.read_text()
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.3))
        web.kill()
        web.start()


def test_killed_in_mid_submission_the_books_balance(app: Flask, web: Web) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    where = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    db.session.rollback()
    answers: list[tuple[int, str]] = []
    lost: list[str] = []
    stopped = threading.Event()

    def send() -> None:
        while not stopped.is_set():
            pressed = ""
            try:
                pressed = reviewed(web, where)
                answers.append(web.ask("POST", where, pressed)[:2])
            except (OSError, http.client.HTTPException):
                lost.append(pressed)  # nothing, where it was not pressed yet
                time.sleep(0.05)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        kill_often(web, answers, lost)
    finally:
        stopped.set()
    for thread in threads:
        thread.join()

    receipts = [location for status, location in answers if status == 303]
    assert len(answers) == len(receipts) >= KILLS and any(lost)
    for location in receipts[-5:] + receipts[:5]:
        assert web.ask("GET", location)[0] == 200
    for body in filter(None, lost):  # whoever saw no receipt presses once more, and has one offer
        status, location, _ = web.ask("POST", where, body)
        assert status == 303
        receipts.append(location)
    db.session.rollback()

    def count(table: type, *where: object) -> int:
        return db.session.scalar(select(func.count()).select_from(table).where(*where)) or 0  # type: ignore[arg-type]

    offers = count(Offer)
    assert offers == len(set(receipts))
    assert count(OfferBody) == count(OfferKey) == count(OfferState) == offers
    assert count(LedgerEntry, LedgerEntry.kind == "offer.submitted") == offers
    assert count(Event, Event.type == "offer.created") == offers
    assert count(Delivery, Delivery.offer_id.is_not(None)) == 3 * offers  # that many may be told to the agent, besides
    assert verify_chain(db.session.get_one(Agency, agency))[1] is None
