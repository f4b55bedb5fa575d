"""PostgreSQL was restarted, or a proxy dropped what was idle: nobody is answered 500, and no thread gives up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app.core.ledger import SYSTEM
from app.delivery.dispatcher import close_senders, dispatch
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.webhooks import editing as webhooks
from app.workers.relay import sweep
from tests.api.conftest import Crm, make_crm
from tests.conftest import make_app, settings_for
from tests.factories import login

pytestmark = pytest.mark.postgres
POOLED = 5


@pytest.fixture
def crm(postgres_url: str, tmp_path: Path, valkey: str) -> Iterator[Crm]:
    app = make_app(settings_for(tmp_path, DATABASE_URL=postgres_url, REDIS_URL=valkey))
    with app.app_context():
        yield make_crm(app)
        close_senders(app, at_once=True)
        close_webhook_dispatcher(app)
        db.session.remove()
        db.engine.dispose()


def fill_the_pool(app: Flask) -> None:
    """As many connections lie idle as a pool keeps."""
    db.session.remove()
    held = [db.engine.connect() for _ in range(POOLED)]
    for one in held:
        one.close()


def drop_all(url: str) -> int:
    """End every other connection to the database, as a restart does; returns how many."""
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as other:
        rows = other.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return len(rows)


def test_the_next_requests_are_answered(crm: Crm, postgres_url: str) -> None:
    browser = crm.app.test_client()
    login(browser, crm.owner)
    crm.put("A-1")
    asked = (
        (200, lambda: crm.get("/offers")),
        (200, lambda: crm.put("A-1", title="Altă casă")),
        (201, lambda: crm.put("A-2")),
        (200, lambda: browser.get("/app/offers")),
        (200, lambda: browser.get("/readyz")),
        (201, lambda: crm.call("POST", "/properties", {"title": "Casă"}, Idempotency_Key="k")),
    )
    for status, ask in asked:
        fill_the_pool(crm.app)
        assert drop_all(postgres_url) >= POOLED
        assert ask().status_code == status


def test_requests_at_once_are_all_answered(crm: Crm, postgres_url: str) -> None:
    fill_the_pool(crm.app)
    assert drop_all(postgres_url) >= POOLED
    answers: list[int] = []

    def ask() -> None:
        with crm.app.app_context():
            answers.append(crm.get("/properties").status_code)

    threads = [threading.Thread(target=ask) for _ in range(POOLED)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * POOLED


def test_worker_relay_and_hooks_go_on(crm: Crm, postgres_url: str) -> None:
    webhooks.create(crm.owner.agency_id, "https://crm.example/hook", by=SYSTEM)
    crm.put("A-1")
    for work in (lambda: dispatch(1.0), sweep, webhook_dispatcher().run):
        fill_the_pool(crm.app)
        assert drop_all(postgres_url) >= POOLED
        work()
        db.session.remove()


def test_a_session_whose_connection_died_in_its_hands_is_good_again(crm: Crm, postgres_url: str) -> None:
    """A thread that was reading when it happened fails once, and not for good."""
    db.session.execute(db.text("SELECT 1"))
    drop_all(postgres_url)
    with pytest.raises(Exception, match=r"terminat|closed|lost"):
        db.session.execute(db.text("SELECT 1"))
    db.session.rollback()
    assert db.session.scalar(db.text("SELECT 1")) == 1
