"""The chain cannot fork, and any tampering is named by its first bad entry."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from app.core.database import is_sqlite
from app.core.ledger import BIDDER, GENESIS, SYSTEM, Actor, EntryRow, chain, entry_body, first_fault
from app.extensions import db
from app.models import Agency, Delivery, Event, LedgerEntry, Offer, OfferBody, OfferKey, OfferState
from app.proof.register import offer_faults, verify_chain
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user

AGENCY = UUID(int=5)


def entries(count: int) -> list[EntryRow]:
    made, previous, at = [], GENESIS, datetime(2026, 11, 1, tzinfo=UTC)
    for seq in range(1, count + 1):
        at += timedelta(seconds=1)
        body = entry_body(AGENCY, seq, at, "test", UUID(int=seq), SYSTEM, {"n": seq})
        previous = chain(previous, body)
        made.append(EntryRow(seq, at, "test", UUID(int=seq), "system", None, body, previous))
    return made


CHAIN = entries(30)
HEAD = CHAIN[-1].hash


def test_a_whole_chain_holds() -> None:
    assert first_fault(AGENCY, CHAIN, 30, HEAD) is None


@given(st.integers(0, 29), st.sampled_from(["edit", "delete", "insert", "swap", "column", "trim"]))
def test_the_first_bad_entry_is_named(place: int, how: str) -> None:
    rows, entry = list(CHAIN), CHAIN[place]
    expected = place + 1
    if how == "edit":
        rows[place] = entry._replace(body=entry.body.replace(b'"kind":"test"', b'"kind":"told"'))
    elif how == "delete":
        del rows[place]
    elif how == "insert":
        rows.insert(place, entry._replace(body=b"{}"))
    elif how == "swap":
        other = (place + 1) % 30
        rows[place], rows[other] = rows[other], rows[place]
        expected = min(place, other) + 1
    elif how == "column":
        rows[place] = entry._replace(object_id=UUID(int=999))
    else:
        rows = rows[:place]
    fault = first_fault(AGENCY, rows, 30, HEAD)
    assert fault and fault.seq == expected


def rechained(rows: list[EntryRow], place: int) -> list[EntryRow]:
    """As by somebody who knows how the chain is made: an entry is told anew, and so is every hash from there on."""
    made, previous = rows[:place], rows[place - 1].hash if place else GENESIS
    told = rows[place]._replace(kind="told", body=rows[place].body.replace(b'"test"', b'"told"'))
    for row in [told, *rows[place + 1 :]]:
        previous = chain(previous, row.body)
        made.append(row._replace(hash=previous))
    return made


def flipped(content: bytes, bit: int) -> bytes:
    bent = bytearray(content)
    bent[bit // 8 % len(bent)] ^= 1 << bit % 8
    return bytes(bent)


def edited(rows: list[EntryRow], place: int, what: str, bit: int) -> list[EntryRow]:
    row, before, after = rows[place], rows[:place], rows[place + 1 :]
    other: dict[str, object] = {
        "seq": row.seq + bit - 40,
        "at": row.at + timedelta(microseconds=bit),  # type: ignore[operator]
        "kind": "told",
        "object_id": UUID(int=bit),
        "actor_type": "bidder",
        "actor_id": UUID(int=bit),
        "body": flipped(row.body, bit),
        "hash": flipped(row.hash, bit),
    }
    if what in other:
        return [*before, row._replace(**{what: other[what]}), *after]
    if what == "rechain":
        return rechained(rows, place)
    instead = {"drop": after, "double": [row, *rows[place:]], "cut": [], "first": [rows[0], *after]}
    return [*before, *instead[what]]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 29),
            st.sampled_from([*EntryRow._fields, "drop", "double", "cut", "first", "rechain"]),
            st.integers(0, 2000),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_done_to_a_chain_shows_and_nothing_before_it_is_blamed(edits: list[tuple[int, str, int]]) -> None:
    rows = list(CHAIN)
    for place, what, bit in edits:
        if rows:
            rows = edited(rows, place % len(rows), what, bit)
    first = next(
        (n for n, (one, other) in enumerate(zip(rows, CHAIN, strict=False)) if one != other), min(len(rows), 30)
    )
    fault = first_fault(AGENCY, rows, 30, HEAD)
    if rows == CHAIN:
        assert fault is None
        return
    assert fault and fault.seq > first
    if not any(what == "rechain" for _place, what, _bit in edits):
        assert fault.seq == first + 1


def test_it_says_what_is_wrong() -> None:
    first, second, third = CHAIN[:3]
    head = third.hash
    nobody = [entry._replace(object_id=None) for entry in (first,)]
    for rows, seq, reason in (
        ([first, third], 2, "missing"),
        ([first, second, second], 3, "out of order"),
        ([first, second._replace(hash=first.hash), third], 2, "does not follow from the entry before it"),
        ([first, second], 3, "the head is at 3, the last entry at 2"),
        (nobody, 1, "its columns do not say what its body says"),
        ([first._replace(actor_id=UUID(int=1))], 1, "its columns do not say what its body says"),
        ([first._replace(actor_type="user")], 1, "its columns do not say what its body says"),
        ([first._replace(at=first.at + timedelta(microseconds=1))], 1, "its columns do not say what its body says"),
    ):
        fault = first_fault(AGENCY, rows, 3, head)
        assert fault and (fault.seq, fault.reason) == (seq, reason)
    fault = first_fault(AGENCY, CHAIN[:3], 3, bytes(32))
    assert fault and (fault.seq, fault.reason) == (3, "is not the head that the agency holds")
    fault = first_fault(UUID(int=6), CHAIN[:3], 3, head)
    assert fault and fault.seq == 1, "another agency's chain"
    assert first_fault(AGENCY, [], 0, GENESIS) is None


def test_a_whole_entry_is_these_very_bytes() -> None:
    """Letter by letter: what was chained once must lead to the same head for ever."""
    at = datetime(2026, 11, 23, 17, 11, 20, 435912, tzinfo=timezone(timedelta(hours=2)))
    actor = Actor("user", UUID(int=3))
    body = entry_body(AGENCY, 7, at, "offer.decided", UUID(int=2), actor, {"to": "accepted", "from": "new"})
    assert body == (
        b'{"actor":{"id":"00000000-0000-0000-0000-000000000003","type":"user"},'
        b'"agency":"00000000-0000-0000-0000-000000000005","at":"2026-11-23T15:11:20.435912Z",'
        b'"data":{"from":"new","to":"accepted"},"kind":"offer.decided",'
        b'"object":"00000000-0000-0000-0000-000000000002","seq":7,"v":1}'
    )
    assert chain(GENESIS, body).hex() == "5b327426ba2c5b30115e83df8eb1148defe5d2ab8eb5c8a01f4df472852a6a5e"
    assert chain(bytes(range(32)), body).hex() == "e28a2fcdfa2b405467669b1b4483d24809da5c10aed0a2446ed70ca806553e9b"


@pytest.mark.parametrize("spelled", [False, True], ids=["as objects", "as SQLite spells them"])
def test_whoever_acted_the_chain_holds_and_another_name_in_a_column_shows(spelled: bool) -> None:
    at = datetime(2026, 11, 23, 15, 11, 20, 435912, tzinfo=UTC)
    made, previous = [], GENESIS
    for seq, who in enumerate(
        [Actor("user", UUID(int=3)), Actor("user", UUID(int=4)), BIDDER, Actor("user", UUID(int=3))], 1
    ):
        body = entry_body(AGENCY, seq, at, "test", UUID(int=9), who, {})
        previous = chain(previous, body)
        made.append(EntryRow(seq, at, "test", UUID(int=9), who.type, who.id, body, previous))
    if spelled:
        plain = str(at.replace(tzinfo=None))
        made = [
            row._replace(at=plain, object_id=row.object_id.hex, actor_id=row.actor_id and row.actor_id.hex)
            for row in made
        ]
    assert first_fault(AGENCY, made, 4, previous) is None
    for place in range(4):
        other = made[(place + 1) % 3]
        bent = [*made]
        bent[place] = made[place]._replace(actor_type=other.actor_type, actor_id=other.actor_id)
        fault = first_fault(AGENCY, bent, 4, previous)
        assert fault and fault.seq == place + 1


def test_an_entry_of_nobody_about_nothing_holds() -> None:
    body = entry_body(AGENCY, 1, CHAIN[0].at, "test", None, SYSTEM, {})
    entry = CHAIN[0]._replace(object_id=None, body=body, hash=chain(GENESIS, body))
    assert first_fault(AGENCY, [entry], 1, entry.hash) is None
    actor = entry._replace(actor_id=UUID(int=3), actor_type="user")
    assert first_fault(AGENCY, [actor], 1, entry.hash)


def test_fifty_at_once_make_one_chain(either_app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    property_id = prop.id

    def send(_number: int) -> None:
        with either_app.app_context():
            from app.models import Property

            make_offer(db.session.get_one(Property, property_id))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(send, range(50)))
    db.session.rollback()
    held = db.session.get_one(Agency, agency)
    db.session.refresh(held)
    assert verify_chain(held)[1] is None and not [*offer_faults(held)]
    assert held.event_seq == 1 + 50
    for table in (Offer, OfferBody, OfferKey, OfferState):
        assert db.session.scalar(select(func.count()).select_from(table)) == 50
    seqs = db.session.scalars(select(Event.seq).order_by(Event.seq)).all()
    assert seqs == list(range(1, 52))
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 150


def tamper(statement: str) -> None:
    """As somebody with the database in hand would: the trigger goes first."""
    for trigger in ("tr_ledger_update", "tr_offer_update", "tr_ledger_delete"):
        db.session.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
    db.session.execute(text(statement))
    db.session.commit()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE offer SET amount_minor = amount_minor + 1", "amount"),
        ("UPDATE offer SET term_days = 1", "term_days"),
        ("UPDATE offer_state SET amount_minor = 1", "copy"),
        ("UPDATE ledger SET kind = 'x' WHERE seq = 2", "entry 2"),
        ("UPDATE ledger SET body = CAST(body AS TEXT) WHERE seq = 2", "entry 2"),
        ("DELETE FROM ledger WHERE seq = 3", "entry 3"),
    ],
)
def test_the_command_names_what_was_bent(app: Flask, statement: str, reason: str) -> None:
    agency = make_agency()
    make_offer(make_property(agency, make_user(agency).id))
    runner = app.test_cli_runner()
    sound = runner.invoke(args=["ledger", "verify", "--offers", "--json"])
    assert sound.exit_code == 0 and json.loads(sound.output)["valid"]
    tamper(statement)
    bent = runner.invoke(args=["ledger", "verify", "--offers", "--json"])
    assert bent.exit_code == 1 and reason in json.loads(bent.output)["agencies"][0]["reason"]


def test_processes_too_make_one_chain(app: Flask) -> None:
    """SQLite over processes: the file lock in front of it, not luck."""
    assert is_sqlite(db.engine)
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    property_id = prop.id
    db.session.remove()
    db.engine.dispose()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with app.app_context():
                    from app.models import Property

                    for _ in range(5):
                        make_offer(
                            db.session.get_one(Property, property_id),
                            make_draft(payment_term_days=random.randint(1, 90)),
                        )
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    held = db.session.get_one(Agency, agency)
    assert verify_chain(held)[1] is None
    assert db.session.scalar(select(func.count()).where(LedgerEntry.kind == "offer.submitted")) == 15
