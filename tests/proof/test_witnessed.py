"""Every column of every table that speaks of an offer is held against the ledger, or stands on a list that says why.

Somebody with the whole database changes one value of one row: sets it, empties it, or puts another row's in its place.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import JSON, Column, Table, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from app.core.clock import now
from app.core.ledger import BIDDER
from app.core.unit_of_work import UnitOfWork
from app.extensions import db
from app.models import Agency, Base, Offer, OfferRequest, Property
from app.models.base import Hundredths, UtcDateTime
from app.offers import better_offers, codes, deciding, recording, withdrawing
from app.offers.deciding import AgencyAnswer, Chosen
from app.offers.document import Bidder, Signature
from app.offers.submitting import submit
from app.privacy import erasure
from app.proof import receipts
from app.proof.properties import property_faults
from app.proof.register import chain_faults, offer_faults
from app.properties import editing, floods, seller_links
from tests.factories import (
    confirm,
    mailed_code,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
    person_of,
)
from tests.offers.test_despite import replacing
from tests.proof.conftest import drawn, full_offer

WORKING = "the agency's own working note, which may be erased"
QUEUE = "what is owed and was tried: it runs the queues; what a receipt says of a mail is sealed in it"
COUNTER = "counts changes for ETags and for who follows them; says nothing of the offer"
LOG = "a log for the data protection officer, which may be erased"
ONCE = "makes a repeated call one call; forgotten with the person"
NAMED = "a text is named by its hash, in the document of who was shown it; when it was first kept says nothing"
CODES = "runs the codes; that one was entered is an entry, and whether one was due stands in the document"

# Tables as a whole, and single columns, that nothing is held against; docs/proof.md says the same in prose.
UNWITNESSED_TABLES = {
    "access": LOG,
    "delivery": QUEUE,
    "email_code": CODES,
    "event": "a copy for CRMs of what is held elsewhere",
    "idempotency": ONCE,
    "key_access": LOG,
    "note": WORKING,
    "offer_move": WORKING,
    "replace_code": CODES,
    "submission": ONCE,
}
UNWITNESSED = {
    "offer_state.version": COUNTER,
    "offer_state.updated_at": COUNTER,
    "property.photo_id": "its picture: of what a bidder was shown their document says which",
    "property.told_at": WORKING,
    "property.updated_at": COUNTER,
    "property.version": COUNTER,
    "text_version.kind": NAMED,
    "text_version.language": NAMED,
    "text_version.created_at": NAMED,
}
BESIDE = ("property", "seller_link", "text_version")  # that belong here and carry no offer's id


def of_offers() -> list[Table]:
    tables = Base.metadata.sorted_tables
    return [one for one in tables if "offer_id" in one.c or one.name == "offer" or one.name in BESIDE]


def everything(app: Flask) -> uuid.UUID:
    """An agency that has something of everything, each offer of another fate."""
    agency = make_agency()
    owner = make_user(agency, "owner")
    colleague = make_user(agency)
    by = person_of(owner)
    prop = make_property(agency, owner.id)
    coded = make_property(agency, owner.id, signature_required=True, code_required=True)
    plain = full_offer(app, prop)
    receipts.make(agency, plain)
    deciding.view(db.session.get_one(Offer, plain), by=person_of(colleague))
    signed = make_offer(coded, make_draft(signature=Signature("typed", "Andrei Țurcanu")))
    codes.enter(db.session.get_one(Offer, signed), mailed_code(signed))
    withdrawing.withdraw(db.session.get_one(Offer, make_offer(prop)), "Am găsit altceva.")
    withdrawing.withdraw(db.session.get_one(Offer, make_offer(prop)))
    _decide(agency, make_offer(prop), by)
    erasure.erase_all(agency, [make_offer(prop)], "person")
    replacing(make_offer(prop))
    _ask(prop, by)
    ana, dan = Bidder("Ana Pop", "ana@client.example", "+40722000115"), Bidder("Dan Pop", None, "+40722000116")
    before = None
    for bidder in (ana, dan, dan):
        sending = make_sending(prop, source="agent", channel="phone", address=None, browser=None)
        replaces = before if bidder is dan else None
        taken = recording.record(prop, make_draft(bidder=bidder, replaces=replaces), sending, by=by.actor).offer_id
        before = db.session.get_one(Offer, taken).reference if bidder is dan else None
        confirm(taken, recording.ConfirmationInput("ro", {}, drawn(), "192.0.2.7", "Testing"))
    seller_links.revoke(prop, seller_links.create(prop, 7, shows_names=True, by=by), by=by)
    seller_links.create(prop, 30, shows_names=False, by=by)
    _properties(agency, by, colleague.id)
    return agency


def _properties(agency: uuid.UUID, by: Any, other_agent: uuid.UUID) -> None:
    """Some, each of another fate."""
    sizes = {"usable_area_sqm": 72.456, "rooms": 2.5, "field_rules": {"message": "hidden"}}
    changed = make_property(agency, by.user.id, **sizes)
    given = {"availability": "reserved", "asking_minor": 119_000_00, "offers_close_at": now() + timedelta(days=9)}
    editing.change(changed, {**given, "agent_id": other_agent}, by=by.actor)
    editing.rotate_link(changed, by=by.actor)
    floods.slow(changed, on=True, by=by.actor)
    archived, back = make_property(agency, by.user.id), make_property(agency, by.user.id, accepts_offers=False)
    editing.archive(archived, by=by.actor)
    editing.archive(back, by=by.actor)
    editing.restore(back, by=by.actor)


def _decide(agency: uuid.UUID, offer_id: uuid.UUID, by: Any) -> None:
    told = AgencyAnswer("rejected", reason="mic", message="Mulțumim.", notify_bidder=True)
    deciding.decide_all(agency, [Chosen(offer_id)], told, by=by.actor)
    decision = deciding.decide_all(agency, [Chosen(offer_id)], AgencyAnswer("accepted"), by=by.actor)
    assert decision
    deciding.undo(decision, agency, by=by.actor)


def _ask(prop: Property, by: Any) -> None:
    """Requests that were answered, taken back, gave way to another, and are open; some of them shown."""
    answered, back, twice = make_offer(prop), make_offer(prop), make_offer(prop)
    for offer_id, words in ((answered, None), (back, "Puteți mai mult?"), (twice, None), (twice, "Puteți acum?")):
        better_offers.ask([offer_id], now() + timedelta(days=2), words, by=by)
    for offer_id in (back, twice):
        better_offers.show_link(offer_id, by=by)
    better_offers.take_back(back, by=by)
    request = db.session.scalars(select(OfferRequest.id).where(OfferRequest.offer_id == answered)).one()
    submit(prop, make_draft(), make_sending(prop, request_id=request), by=BIDDER)


@pytest.fixture
def agency_id(app: Flask) -> uuid.UUID:
    agency = everything(app)
    untriggered()
    return agency


def untriggered() -> None:
    for name in db.session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        db.session.execute(text(f"DROP TRIGGER {name}"))
    db.session.commit()


def faults(agency_id: uuid.UUID) -> list[str]:
    agency = db.session.get_one(Agency, agency_id)
    return [*offer_faults(agency), *(fault.reason for fault in chain_faults(agency))]


def test_untouched_all_of_it_holds(either_app: Flask) -> None:
    assert faults(everything(either_app)) == []


NEWER = {
    "offer.submitted": {"origin"},
    "offer.confirmed": {"origin"},
    "offer.viewed": {"reason", "message"},
    "offer.decided": {"reason", "message"},
    "offer.withdrawn": {"message"},
    "offer.better_asked": {"message"},
    "offer.replaced": {"request"},
    "property.created": {"agent", "facts"},
    **{f"property.{step}": {"facts"} for step in ("updated", "archived", "restored")},
    **{f"link.{step}": {"facts"} for step in ("on", "off", "rotated")},
}


@pytest.mark.parametrize("oldest", [False, True], ids=["old", "oldest"])
def test_what_entries_of_before_do_not_say_is_no_fault(
    app: Flask, monkeypatch: pytest.MonkeyPatch, *, oldest: bool
) -> None:
    recorded = UnitOfWork.record

    def as_before(tx: UnitOfWork, kind: str, about: Any, by: Any, data: dict[str, Any] | None = None) -> int:
        if oldest and kind == "offer.replaced" and (data or {}).get("request"):
            return 0  # there was no such entry once
        told = {name: said for name, said in (data or {}).items() if name not in NEWER.get(kind, ())}
        return recorded(tx, kind, about, by, told)

    monkeypatch.setattr(UnitOfWork, "record", as_before)
    agency = everything(app)
    assert faults(agency) == []
    for rule in ({"code_required": ~Property.code_required}, {"offers_close_at": now()}, {"link_version": 9}):
        db.session.execute(update(Property).where(Property.link_version == 2).values(rule))
        assert list(property_faults(agency)) != [], rule
        db.session.rollback()


def unseen(agency_id: uuid.UUID, table: Table, column: Column[Any]) -> Iterator[str]:
    """The changes of a column that nobody notices."""
    rows = db.session.execute(select(table)).mappings().all()
    assert rows, f"{table.name}: nothing of it here, so nothing was tried"
    values = [row[column.name] for row in rows]
    # One row that has a value, and one that has none.
    for row in [one for one in rows if one[column.name] is not None][-1:] + [
        one for one in rows if one[column.name] is None
    ][:1]:
        for value in others(column, row[column.name], values):
            if not noticed(agency_id, table, column, row, value):
                yield f"{table.name}.{column.name}: {row[column.name]!r} -> {value!r}"


def others(column: Column[Any], value: Any, values: list[Any]) -> list[Any]:
    """Another value, another row's, and none."""
    found = [one for one in values if one is not None and one != value][-1:]
    found += [made(column, value)]
    if column.nullable and value is not None:
        found.append(None)
    return [one for n, one in enumerate(found) if one not in found[:n]]


def made(column: Column[Any], value: Any) -> Any:
    """One that stands in no row."""
    of = datetime if isinstance(column.type, UtcDateTime) else column.type.python_type
    if isinstance(column.type, Hundredths):
        return (value or 0) + 1.25
    if isinstance(column.type, JSON):
        return {**(value or {}), "conditions": "hidden"}
    if of is bool:
        return not value
    if of is datetime:
        return (value or now()) + timedelta(minutes=3)
    if of is date:
        return (value or date(2027, 1, 1)) + timedelta(days=3)
    if of is int:
        return (value or 0) + 1
    if of is uuid.UUID:
        return uuid.uuid4()
    if of is bytes:
        return bytes(32) if value is None else value[:-1] + bytes([value[-1] ^ 1])
    return f"{value or ''}x"


def noticed(agency_id: uuid.UUID, table: Table, column: Column[Any], row: Any, value: Any) -> bool:
    connection = db.session.connection()
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
    mine = [key == row[key.name] for key in table.primary_key]
    try:
        assert connection.execute(update(table).where(*mine).values({column.name: value})).rowcount == 1
        db.session.expire_all()
        agency = db.session.get_one(Agency, agency_id)
        first = property_faults(agency_id) if table.name == "property" else ()  # all of it would take its time
        return next(chain(first, offer_faults(agency), chain_faults(agency)), None) is not None
    except IntegrityError:
        return True  # a rule of the database itself, by which no other row has this value
    finally:
        db.session.rollback()


def test_no_column_can_be_changed_unseen_but_those_that_say_why(agency_id: uuid.UUID) -> None:
    held = [(table, column) for table in of_offers() if table.name not in UNWITNESSED_TABLES for column in table.c]
    found: list[str] = []
    for table, column in held:
        if f"{table.name}.{column.name}" not in UNWITNESSED:
            found += unseen(agency_id, table, column)
    assert found == []


def test_the_list_names_only_what_there_is() -> None:
    tables = {table.name: table for table in of_offers()}
    assert UNWITNESSED_TABLES.keys() <= tables.keys()
    for name in UNWITNESSED:
        table, column = name.split(".")
        assert column in tables[table].c and table not in UNWITNESSED_TABLES


def test_no_row_can_be_added_unseen(agency_id: uuid.UUID) -> None:
    """A copy of a row, for another offer, or beside the one that its offer has."""
    offers = db.session.scalars(select(Offer.id).where(Offer.agency_id == agency_id)).all()
    tried = [one for one in of_offers() if "offer_id" in one.c and one.name not in UNWITNESSED_TABLES]
    assert list(chain.from_iterable(_added_unseen(agency_id, one, offers) for one in tried)) == []


def _added_unseen(agency_id: uuid.UUID, table: Table, offers: Any) -> Iterator[str]:
    row = db.session.execute(select(table)).mappings().all()[0]
    has = set(db.session.scalars(select(table.c.offer_id)))
    own = [key for key in table.primary_key if key.name not in {"offer_id", "agency_id"} and not key.foreign_keys]
    copies = [{"offer_id": other} for other in offers if other not in has][:1]
    copies += [{"offer_id": other} for other in offers if other in has and other != row["offer_id"]][:1]
    copies += [{key.name: made(key, row[key.name])} for key in own]
    for other in copies:
        anew = {"id": uuid.uuid4()} if "id" in table.c and "id" not in other else {}
        if not _noticed_beside(agency_id, table, {**row, **anew, **other}):
            yield f"{table.name}: {other}"


def _noticed_beside(agency_id: uuid.UUID, table: Table, row: dict[str, Any]) -> bool:
    connection = db.session.connection()
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    try:
        connection.execute(insert(table), row)
        return next(offer_faults(db.session.get_one(Agency, agency_id)), None) is not None
    except IntegrityError:
        return True  # there is room for one
    finally:
        db.session.rollback()
