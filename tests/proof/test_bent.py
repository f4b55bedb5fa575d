"""Whatever is bent in the database is named, all of it, by the command that holds it against the register."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.core.clock import now
from app.core.ledger import Actor
from app.core.vault import Keyring
from app.extensions import db
from app.models import Agency, Offer, Property
from app.offers import better_offers, deciding, recording, withdrawing
from app.offers.deciding import AgencyAnswer, Chosen
from app.offers.document import Signature
from app.privacy import erasure
from app.proof import checkpoints, receipts
from tests.factories import (
    confirm,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
    person_of,
)
from tests.offers.test_despite import replacing
from tests.proof.conftest import drawn


@pytest.fixture
def register(app: Flask) -> Iterator[Flask]:
    """One offer of each fate, and a database without triggers."""
    agency = make_agency()
    owner = make_user(agency, "owner")
    prop, by = make_property(agency, owner.id), Actor("user", owner.id)
    make_offer(prop, make_draft(signature=drawn()))
    withdrawing.withdraw(db.session.get_one(Offer, make_offer(prop)))
    decided = make_offer(prop)
    deciding.decide_all(agency, [Chosen(decided)], AgencyAnswer("rejected", reason="mic"), by=by)
    erasure.erase_all(agency, [make_offer(prop)], "person")
    replacing(make_offer(prop))
    asked = make_offer(prop)
    better_offers.ask([asked], now() + timedelta(days=1), None, by=person_of(owner))
    taken = recording.record(
        prop, make_draft(), make_sending(prop, source="agent", channel="phone", address=None, browser=None), by=by
    )
    offer = db.session.get_one(Offer, taken.offer_id)
    confirm(offer.id, recording.ConfirmationInput("ro", {}, Signature("typed", "Andrei Țurcanu")))
    receipts.make(agency, offer.id)
    for name in db.session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        db.session.execute(text(f"DROP TRIGGER {name}"))
    db.session.commit()
    assert verified(app)["valid"]
    yield app


def verified(app: Flask) -> Any:
    done = app.test_cli_runner().invoke(args=["ledger", "verify", "--offers", "--json"])
    told = json.loads(done.output)
    assert (done.exit_code == 0) is told["valid"]
    return told


def bend(*statements: str) -> None:
    """As somebody with the database's file in hand would."""
    db.session.remove()
    held = db.engine.raw_connection()
    for statement in ("PRAGMA foreign_keys=OFF", "PRAGMA ignore_check_constraints=ON", *statements):
        held.cursor().execute(statement)
    held.commit()
    held.close()
    db.engine.dispose()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE offer SET link_version = 9", "link_version differs"),
        ("UPDATE offer SET asking_minor = 1", "asking differs"),
        ("UPDATE offer SET language = 'en'", "language differs"),
        ("UPDATE offer SET source = 'api' WHERE source = 'agent'", "source: its entry"),
        ("UPDATE offer SET currency = 'RON'", "currency: its entry"),
        ("UPDATE offer SET submitted_at = '2026-01-01 00:00:00.000000'", "not the moment of its entry"),
        ("UPDATE offer SET valid_until = '2030-01-01'", "valid_until differs"),
        ("UPDATE offer SET signed = 0 WHERE signed", "signed differs"),
        ("UPDATE offer SET previous_id = x.i FROM (SELECT min(id) i, max(id) m FROM offer) x WHERE id = m", "previous"),
        ("UPDATE offer SET amount_minor = 'x'", "its entry in the ledger says otherwise"),
        ("UPDATE offer_file SET sha256 = zeroblob(32) WHERE kind = 'signature'", "signature differs"),
        ("DELETE FROM offer_file WHERE kind = 'signature'", "signature differs"),
        ("UPDATE offer_file SET sha256 = zeroblob(32) WHERE kind = 'receipt'", "its receipt is not"),
        ("DELETE FROM offer_body", "its body is gone"),
        ("DELETE FROM offer_key", "its key is gone"),
        ("DELETE FROM withdrawal", "has no withdrawal"),
        ("DELETE FROM withdrawal", "withdrawn and its list do not agree"),
        ("UPDATE withdrawal SET at = '2026-01-01 00:00:00.000000'", "its withdrawal is not in the ledger"),
        ("UPDATE offer_state SET withdrawn_at = NULL", "withdrawn and its list do not agree"),
        ("DELETE FROM confirmation", "has no confirmation"),
        ("UPDATE confirmation_body SET commitment = zeroblob(32)", "what its confirmation says is not"),
        ("UPDATE confirmation SET proof = 'held_link'", "what proves its confirmation"),
        ("DELETE FROM tombstone", "has no tombstone"),
        ("UPDATE offer_state SET erased_at = NULL", "forgotten and its list do not agree"),
        ("UPDATE decision SET to_status = 'accepted'", "its decision is not the one"),
        ("UPDATE decision SET actor_id = offer_id", "its decision is not the one"),
        ("UPDATE decision SET at = '2026-01-01 00:00:00.000000'", "its decision is not in the ledger"),
        ("DELETE FROM decision", "has no decision"),
        ("UPDATE offer_state SET status = 'accepted' WHERE status = 'rejected'", "not what was decided last"),
        ("UPDATE offer_state SET latest = 0", "nothing replaces it"),
        ("UPDATE offer_state SET latest = 1", "it was replaced, and counts as the latest"),
        ("UPDATE offer_state SET term_days = 5", "copy of a column"),
        ("DELETE FROM offer_state", "the list does not have it"),
        ("UPDATE ledger SET body = CAST('{}' AS BLOB) WHERE kind = 'offer.submitted'", "in the ledger is not one"),
        ("DELETE FROM offer WHERE id = (SELECT max(id) FROM offer)", "not in the database"),
        ("UPDATE offer_state SET agency_id = offer_id", "its offer_state is another agency's"),
        ("UPDATE offer_key SET agency_id = offer_id", "its offer_key is another agency's"),
        ("UPDATE offer_body SET agency_id = offer_id", "its offer_body is another agency's"),
        ("UPDATE offer_request SET agency_id = offer_id", "its offer_request is another agency's"),
        ("UPDATE property SET agency_id = id", "its property is not there, or another agency's"),
        ("DELETE FROM property", "its property is not there"),
        ("UPDATE decision SET undoes_id = 'x'", "a decision holds what it never can"),
        ("UPDATE offer_request SET shown_at = 'x'", "a request holds what it never can"),
        ("UPDATE ledger SET object_id = 'x' WHERE kind = 'offer.submitted'", "entry holds what it never can"),
        ("UPDATE agency SET head_seq = 'x'", "the head that the agency holds has no number"),
        ("UPDATE agency SET id = x'00'", "the row of an agency has no id"),
        ("UPDATE property SET archived_at = 'x'", "a property holds what it never can"),
    ],
)  # fmt: skip
def test_what_was_bent_is_named(register: Flask, statement: str, words: str) -> None:
    bend(statement)
    (told,) = verified(register)["agencies"]
    assert not told["valid"] and any(words in fault for fault in told["faults"]), told["faults"]
    assert told["fault_count"] == len(told["faults"]) and told["reason"] == told["faults"][0]


def test_no_other_column_of_an_agency_stops_the_checker(register: Flask) -> None:
    bend("UPDATE agency SET created_at = 'x', zone = x'ff'", "UPDATE property SET asking_minor = asking_minor + 1")
    (told,) = verified(register)["agencies"]
    assert [fault for fault in told["faults"] if "what it says of itself is not what the ledger names" in fault]


def test_a_submission_that_is_told_twice_shows(register: Flask) -> None:
    """Appended by somebody who knows how the chain is made."""
    from app.core.unit_of_work import writing
    from app.models import LedgerEntry

    agency = db.session.scalars(select(Agency)).one()
    first = db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "offer.submitted")).first()
    assert first
    data, about = json.loads(first.body)["data"], first.object_id
    with writing(agency.id) as tx:
        tx.record("offer.submitted", about, Actor("bidder"), data)
    (told,) = verified(register)["agencies"]
    assert any("2 times in the ledger" in fault for fault in told["faults"])


def test_all_faults_are_told_and_one_hides_no_other(register: Flask) -> None:
    bend(
        "UPDATE ledger SET kind = 'x' WHERE seq = 2",
        "UPDATE ledger SET hash = zeroblob(32) WHERE seq = 4",
        "UPDATE ledger SET body = CAST(replace(body, '}', '} ') AS BLOB) WHERE seq = 5",
        "DELETE FROM ledger WHERE seq IN (7, 8)",
        "UPDATE offer SET term_days = 1 WHERE id = (SELECT max(id) FROM offer)",
        "DELETE FROM withdrawal",
    )
    (told,) = verified(register)["agencies"]
    faults = "\n".join(told["faults"])
    named = (
        "entry 2: its columns",
        "entry 4: does not follow",
        "entry 5: does",
        "entry 7: missing, as are all up to 8",
    )
    for words in (*named, "term_days differs", "withdrawn and its list"):
        assert words in faults, faults
    assert told["first_bad"] == 2 and told["entries"] == 1
    for seq in (1, 3, 6, 9, 10):
        assert f"entry {seq}: " not in faults, "nobody else is blamed"
    done = register.test_cli_runner().invoke(args=["ledger", "verify", "--offers"])
    assert f"{told['fault_count']} faults:" in done.output


def test_what_cannot_be_read_hides_nothing_else(register: Flask) -> None:
    checkpoints.take(db.session.scalars(select(Agency.id)).one())
    bend(
        "UPDATE checkpoint SET at = 'x'",
        "UPDATE decision SET undoes_id = 'x'",
        "UPDATE offer_request SET shown_at = 'x'",
        "INSERT INTO text_version SELECT zeroblob(32), 'notice', 'ro', zeroblob(3), '2026-01-01 00:00:00.000000'",
        "DELETE FROM tombstone",
    )
    (told,) = verified(register)["agencies"]
    for words in ("a checkpoint holds", "a decision holds", "a request holds", "has no tombstone"):
        assert any(words in fault for fault in told["faults"]), told["faults"]


def test_print_is_short_and_says_how_many(register: Flask) -> None:
    prop = db.session.scalars(select(Property)).one()
    for _ in range(30):
        make_offer(prop)
    bend("UPDATE offer SET term_days = 1")
    done = register.test_cli_runner().invoke(args=["ledger", "verify", "--offers"])
    lines = done.output.splitlines()
    assert done.exit_code == 1 and len(lines) < 30 and "more (--json names them)" in lines[-1]
    (told,) = verified(register)["agencies"]
    assert told["fault_count"] == len(told["faults"]) > 60


def test_without_the_keys_it_says_so_of_each(register: Flask) -> None:
    register.extensions["bidflux_keyring"] = Keyring([b"x" * 32])
    (told,) = verified(register)["agencies"]
    assert all("is not among BIDFLUX_KEYS" in fault for fault in told["faults"]) and told["fault_count"] == 7
