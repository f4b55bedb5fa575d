"""What was written once stays: the database itself refuses, on both engines."""

from __future__ import annotations

import sqlite3

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from app.core.database import is_sqlite
from app.extensions import db
from app.models import Base
from app.models.base import Kept
from app.models.immutability import triggers
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user

MODELS = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
FROZEN = ("offer", "offer_body", "ledger", "event", "offer_key", "offer_tag", "submission", "offer_origin")


@pytest.fixture
def filled(either_app: Flask) -> Flask:
    agency = make_agency()
    make_offer(make_property(agency, make_user(agency).id), make_draft())
    return either_app


def refused(statement: str) -> bool:
    """Whether the database refuses; what it did not refuse is taken back."""
    try:
        db.session.execute(text(statement))
    except DatabaseError:
        return True
    finally:
        db.session.rollback()
    return False


@pytest.mark.parametrize("table", FROZEN)
def test_a_row_is_not_changed(filled: Flask, table: str) -> None:
    assert refused(f"UPDATE {table} SET agency_id = agency_id")


@pytest.mark.parametrize("table", [t for t in FROZEN if MODELS[t].__kept__.kept is Kept.APPEND])
def test_a_row_is_not_deleted(filled: Flask, table: str) -> None:
    assert refused(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", FROZEN)
def test_a_table_is_not_emptied_or_replaced_into(filled: Flask, table: str) -> None:
    if is_sqlite(db.engine):
        # As any other program would open the file: without our pragmas.
        with sqlite3.connect(str(db.engine.url.database)) as other, pytest.raises(sqlite3.DatabaseError):
            other.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    else:
        assert refused(f"TRUNCATE {table} CASCADE")


def test_forgetting_and_rewrapping_are_allowed(filled: Flask) -> None:
    assert not refused("UPDATE offer_key SET kek_id = 'other', wrapped = wrapped")
    assert not refused("DELETE FROM offer_key")
    assert refused("UPDATE offer_key SET name_ct = wrapped")


def test_the_triggers_are_those_that_the_models_ask_for(either_app: Flask) -> None:
    sqlite = is_sqlite(db.engine)
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if sqlite
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    assert set(db.session.scalars(text(query))) == set(triggers("sqlite" if sqlite else "postgresql"))
