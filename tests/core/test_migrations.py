"""Migrations go down and up again on both engines, with data in them, and match the models."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import delete, insert, inspect, select, text, update

from app.accounts import editing as accounts
from app.accounts import invitations, staff
from app.blueprints.api.idempotency import KeptAnswer, RepeatableCall, answered_once
from app.core.ids import new_id
from app.core.ledger import SYSTEM
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Account, ApiKey, Base, Idempotency, Offer, OfferState, Property, SavedView, User, UserSession
from app.offers.document import Signature
from tests.conftest import ROOT
from tests.factories import hash_of, make_agency, make_draft, make_offer, make_property, make_user

FOLDER = str(ROOT / "migrations")


def test_down_and_up_with_data(either_app: Flask) -> None:
    agency = make_agency()
    make_offer(make_property(agency, make_user(agency).id))
    db.session.remove()
    downgrade(directory=FOLDER, revision="base")
    assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
    upgrade(directory=FOLDER)
    again = make_agency("Din nou")
    make_offer(make_property(again, make_user(again).id))


def test_the_models_say_what_the_migrations_made(either_app: Flask) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from app.models import Base
    from app.models.base import UtcDateTime

    def same_type(_context: object, _column: object, model: object, _found: object, wanted: object) -> bool | None:
        return False if isinstance(wanted, UtcDateTime) else None

    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": same_type})
        assert compare_metadata(context, Base.metadata) == []


def test_an_offer_that_waits_for_its_code_is_not_signed_from_0018_on(either_app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id, code_required=True)
    make_offer(prop, make_draft(signature=Signature("typed", "Andrei Țurcanu")))
    for revision, signed in (("head", False), ("0017", True), ("head", False)):
        db.session.remove()
        if revision == "head":
            upgrade(directory=FOLDER)
        else:
            downgrade(directory=FOLDER, revision=revision)
        assert db.session.scalars(select(OfferState.signed)).all() == [signed]


def test_answers_kept_for_two_keys_become_the_first_of_them_with_0033(either_app: Flask) -> None:
    agency = make_agency()
    for name in ("old", "new"):
        accounts.create_api_key(agency, name, by=SYSTEM)
    old, new = db.session.scalars(select(ApiKey.id).order_by(ApiKey.created_at)).all()
    given = KeptAnswer(201, {}, "first")
    assert answered_once(RepeatableCall(agency, old, "a-1", b"x"), lambda: given) == (given, False)
    db.session.remove()
    downgrade(directory=FOLDER, revision="0032")
    held = Idempotency.__table__
    with db.engine.begin() as connection:
        row = dict(connection.execute(select(held)).mappings().one())
        connection.execute(held.insert(), {**row, "key_id": new, "expires_at": row["expires_at"] + timedelta(days=1)})
    upgrade(directory=FOLDER)
    assert db.session.scalars(select(Idempotency.key_id)).all() == [old]
    db.session.remove()
    for key in (old, new):
        assert answered_once(RepeatableCall(agency, key, "a-1", b"x"), lambda: KeptAnswer(500, {}, "again")) == (
            given,
            True,
        )


def test_what_hangs_on_a_person_outlives_0037_and_its_way_back(either_app: Flask) -> None:
    agency, other = make_agency("Una"), make_agency("Alta")
    owner, left = make_user(agency, "owner"), make_user(agency)
    make_offer(make_property(agency, left.id))
    for one in (owner, left):
        accounts.start_session(one, "Firefox")
    with writing(agency) as tx:
        row = {"id": new_id(), "agency_id": agency, "user_id": owner.id, "body_ct": b"x", "created_at": tx.at}
        tx.connection.execute(insert(SavedView), row)
        tx.connection.execute(update(User).where(User.id == left.id).values(active=False, account_id=None))
        tx.connection.execute(delete(Account).where(Account.email == left.email))
        tx.connection.execute(update(UserSession).values(proven_at=None))  # 0037 knows nothing of it
    here = make_user(other, email=left.email)
    left_id, here_id, before = left.id, here.id, {table: _rows(table) for table in ON_A_PERSON}
    db.session.remove()
    downgrade(directory=FOLDER, revision="0036")
    held = {row.id: row.email for row in db.session.execute(select(User.id, User.email))}
    db.session.rollback()
    assert held[here_id].endswith("@agentie.example") and held[left_id].endswith("@left.invalid")
    db.session.remove()
    upgrade(directory=FOLDER)
    assert {table: _rows(table) for table in ON_A_PERSON} == before
    assert len(_rows(User)) == 3
    if db.engine.dialect.name == "sqlite":
        assert db.session.execute(text("PRAGMA foreign_key_check")).all() == []


ON_A_PERSON = (UserSession, SavedView, Property, Offer)


def _rows(table: type[Base]) -> list[tuple[Any, ...]]:
    found = [tuple(row) for row in db.session.execute(select(table.__table__))]
    db.session.rollback()
    return sorted(found, key=repr)


def test_whoever_signs_in_has_an_account_with_0042_and_a_password_without(either_app: Flask) -> None:
    agency, other = make_agency("Una"), make_agency("Alta")
    owner, left = make_user(agency, "owner"), make_user(agency, language="en")
    boss = make_user(other, "owner")
    invitations.invite(other, accounts.NewUser(owner.email, "Ana"), by=SYSTEM)
    invitations.join(invitations.waiting_in(other)[0])
    staff.deactivate(left, heir=owner.id, by=SYSTEM)
    before, email, hashed = _rows(Account), owner.email, hash_of(owner)
    ids = {"first": owner.id, "left": left.id, "boss": boss.id}
    db.session.remove()
    downgrade(directory=FOLDER, revision="0041")
    with db.engine.begin() as connection:
        rows = connection.execute(text('SELECT agency_id, email, active, password_hash, language FROM "user"')).all()
    held = {(uuid.UUID(str(row.agency_id)), row.email): row for row in rows}
    assert held[agency, email].active and held[agency, email].password_hash == hashed
    assert not held[other, email].active, "the schema before has room for one agency of a person"
    assert held[agency, held_email(rows, "en")].password_hash == ""
    upgrade(directory=FOLDER)
    assert [row[1:] for row in _rows(Account)] != [] and {row[1:] for row in _rows(Account)} == {
        row[1:] for row in before
    }
    people = {row.id: row for row in db.session.scalars(select(User))}
    assert people[ids["left"]].language == "en" and people[ids["left"]].account_id is None
    assert {people[ids[name]].active for name in ("first", "boss")} == {True}
    accounts.start_session(people[ids["first"]], "Firefox")


def held_email(rows: Any, language: str) -> str:
    (found,) = (row.email for row in rows if row.language == language)
    return str(found)
