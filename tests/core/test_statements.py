"""Statements on the driver's cursor read, write and fail as SQLAlchemy's own do."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from sqlalchemy import bindparam, event, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, MultipleResultsFound, NoResultFound

from app.core.clock import now
from app.core.database import is_sqlite
from app.core.ledger import SYSTEM
from app.core.statements import Change, Query, write
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Agency, Base, Delivery, LedgerEntry, Offer, Property, User
from tests.factories import make_agency, make_draft, make_offer, make_property


def test_every_column_of_every_table_reads_as_sqlalchemy_reads_it(
    either_app: Flask, owner: User, prop: Property
) -> None:
    rules = {"usable_area_sqm": 72.4, "rooms": 3, "field_rules": {"message": "hidden"}, "offers_open_at": now()}
    rich = make_property(owner.agency_id, owner.id, **rules)
    make_offer(rich, make_draft(valid_until=now().date()))
    db.session.rollback()
    filled = 0
    for table in Base.metadata.sorted_tables:  # the property's own among them
        theirs = [tuple(row) for row in db.session.execute(select(table))]
        ours = [tuple(row) for row in Query(select(table)).all(db.session.connection())]
        assert sorted(map(repr, ours)) == sorted(map(repr, theirs)), table.name
        filled += bool(ours)
    assert filled > 12


def test_what_is_written_is_what_sqlalchemy_would_write(either_app: Flask, owner: User) -> None:
    made, at = uuid.uuid4(), now()
    row = {"agency_id": owner.agency_id, "kind": "receipt", "template": "receipt_kept", "due_at": at, "created_at": at}
    with writing(owner.agency_id) as tx:
        write(tx.connection, {Delivery.__table__: [{**row, "id": made}, {**row, "id": uuid.uuid4()}]})
    kept = db.session.get_one(Delivery, made)
    assert (kept.state, kept.attempts, kept.tried_before) == ("pending", 0, 0), "the columns' defaults"
    assert (kept.due_at, kept.offer_id, kept.agency_id) == (at, None, owner.agency_id)
    renamed = Change(update(Agency).where(Agency.id == bindparam("agency")).values(name=bindparam("name")))
    with writing(owner.agency_id) as tx:
        renamed.run(tx.connection, agency=owner.agency_id, name="Țărm & 100% Acasă: %(name)s ?")
    assert db.session.scalar(select(Agency.name)) == "Țărm & 100% Acasă: %(name)s ?"


def test_a_value_that_is_missing_or_of_another_kind_is_no_row(either_app: Flask, owner: User) -> None:
    at, row = now(), {"id": uuid.uuid4(), "agency_id": owner.agency_id, "kind": "receipt", "template": "x"}
    for bad in ({"due_at": at.replace(tzinfo=None), "created_at": at}, {"due_at": at}):
        with pytest.raises((ValueError, DBAPIError)), writing(owner.agency_id) as tx:
            write(tx.connection, {Delivery.__table__: [{**row, **bad}]})
    db.session.rollback()
    assert db.session.scalar(select(Delivery.id).where(Delivery.template == "x")) is None


def test_faults_are_sqlalchemys_and_leave_nothing(either_app: Flask, owner: User, prop: Property) -> None:
    make_offer(prop)
    db.session.rollback()
    entry = dict(db.session.execute(select(LedgerEntry.__table__)).mappings().first() or {})
    with pytest.raises(IntegrityError), writing(owner.agency_id) as tx:
        tx.record("test", None, SYSTEM)
        write(tx.connection, {LedgerEntry.__table__: [entry]})
    changed = Change(update(Offer).values(language=bindparam("to")))
    with pytest.raises(IntegrityError, match="this table does not change"), writing(owner.agency_id) as tx:
        changed.run(tx.connection, to="en")
    assert db.session.scalar(select(LedgerEntry.seq).where(LedgerEntry.kind == "test")) is None


def test_one_row_is_one_row(either_app: Flask, owner: User) -> None:
    make_agency("Alta")
    by_id = Query(select(Agency.name).where(Agency.id == bindparam("id")))
    connection = db.session.connection()
    assert by_id.one(connection, id=owner.agency_id).name == "Casa Bună Imobiliare"
    assert by_id.one_or_none(connection, id=uuid.uuid4()) is None
    with pytest.raises(NoResultFound):
        by_id.one(connection, id=uuid.uuid4())
    with pytest.raises(MultipleResultsFound):
        Query(select(Agency.name)).one(connection)


def test_who_listens_to_statements_hears_of_them(either_app: Flask, owner: User, prop: Property) -> None:
    heard: list[str] = []
    listen = lambda *args: heard.append(args[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    make_offer(prop)
    event.remove(db.engine, "before_cursor_execute", listen)
    for begins in ("SELECT agency.head_seq", "INSERT INTO offer ", "INSERT INTO ledger ", "UPDATE agency SET head_seq"):
        assert any(one.startswith(begins) for one in heard), begins
    assert db.session.scalar(select(Offer.reference)), "and it is written all the same"


def test_a_connection_that_is_lost_is_let_go(either_app: Flask, owner: User) -> None:
    if is_sqlite(db.engine):
        return
    connection = db.session.connection()
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    with pytest.raises(DBAPIError) as lost:
        Query(select(Agency.name)).all(connection)
    assert lost.value.connection_invalidated
    db.session.rollback()
    assert Query(select(Agency.name)).all(db.session.connection())
