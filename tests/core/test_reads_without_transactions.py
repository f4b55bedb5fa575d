"""On PostgreSQL a read is one round trip, whatever else is run begins a transaction, and what was prepared stays so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask, current_app
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, select, text, update

from app.core import postgresql
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Agency, Property
from app.properties.linked import linked_property
from tests.conftest import make_app, settings_for
from tests.core.test_dropped_connections import POOLED, drop_all, fill_the_pool
from tests.factories import make_agency, make_property, make_user

pytestmark = pytest.mark.postgres
IDLE, OPEN = TransactionStatus.IDLE, TransactionStatus.INTRANS


@pytest.fixture
def prop(postgres_url: str, tmp_path: Path, valkey: str) -> Iterator[Property]:
    app = make_app(settings_for(tmp_path, DATABASE_URL=postgres_url, REDIS_URL=valkey))
    with app.app_context():
        agency = make_agency()
        yield make_property(agency, make_user(agency).id)
        db.session.remove()
        db.engine.dispose()


def driver(connection: Connection) -> psycopg.Connection[Any]:
    held: Any = connection.connection.driver_connection
    return held  # type: ignore[no-any-return]  # it has no other driver


def status(held: psycopg.Connection[Any]) -> TransactionStatus:
    return held.info.transaction_status


def test_reads_begin_nothing_and_all_else_does(prop: Property) -> None:
    held = driver(db.session.connection())
    assert db.session.scalar(select(Agency.name))
    assert status(held) is IDLE
    for other in (
        update(Agency).values(name="Alta"),
        select(Agency.id).with_for_update(),
        select(Agency.id).execution_options(yield_per=10),  # a cursor on the server
        text("CREATE TABLE of_its_own (id int)"),
    ):
        found = db.session.execute(other)
        assert status(held) is OPEN, other
        found.close()
        db.session.rollback()
        assert status(held) is IDLE
        assert driver(db.session.connection()) is held, "who was last is first"
    assert db.session.scalar(select(Agency.name)) != "Alta"
    assert db.session.scalar(text("SELECT to_regclass('of_its_own')")) is None


def test_a_unit_of_work_is_a_transaction_from_its_first_read(prop: Property) -> None:
    name = db.session.scalar(select(Agency.name))
    with pytest.raises(RuntimeError), writing(prop.agency_id) as tx:
        assert status(driver(tx.connection)) is OPEN
        tx.connection.execute(update(Agency).values(name="Alta"))
        raise RuntimeError
    assert db.session.scalar(select(Agency.name)) == name


def test_who_asks_for_a_level_of_isolation_has_it(prop: Property) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM note"))
        assert status(driver(connection)) is IDLE
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        assert connection.scalar(text("SHOW transaction_isolation")) == "repeatable read"
        assert status(driver(connection)) is OPEN
    with db.engine.connect() as connection:
        assert connection.scalar(text("SELECT current_setting('transaction_isolation')")) == "read committed"
        assert status(driver(connection)) is IDLE, "it was handed back as it had been"


def test_what_was_prepared_stays_so_and_bears_a_column_more(prop: Property) -> None:
    prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%property__id%'")
    db.session.remove()
    for _ in range(8):
        assert linked_property(prop.id)
    with db.engine.connect() as connection:
        assert connection.scalar(prepared) == 1
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE property ADD COLUMN of_the_next_version text"))
    assert linked_property(prop.id)


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "looked at"])
def test_a_connection_that_was_dropped_is_noticed(
    prop: Property, postgres_url: str, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    """By looking whether the server said something; and one that lay long is asked, however quiet it is."""
    if asked:
        monkeypatch.setattr(postgresql, "IDLE_SECONDS", 0.0)
        monkeypatch.setattr(postgresql, "_has_something_to_read", lambda _connection: False)
    else:
        monkeypatch.setattr(postgresql, "IDLE_SECONDS", float("inf"))
    fill_the_pool(_app())
    assert drop_all(postgres_url) >= POOLED
    assert linked_property(prop.id)
    assert db.session.scalar(select(Agency.name))


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # documented proxy method
