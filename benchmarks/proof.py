"""Checking the register, sealing a receipt, checking one: in one process, with everything loaded."""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from benchmarks.product import QUICK, ROUNDS, Row, environment

OFFERS = 2_000 if QUICK else 20_000
CHAIN, OPENED = 100_000, 10_000  # a second


def rows(folder: Path) -> list[Row]:
    os.environ |= environment(folder, 1, 1)
    from flask_migrate import upgrade

    from app import create_app
    from app.core.ledger import SYSTEM
    from app.demo.seeding import stress_agency
    from app.extensions import db
    from app.models import Agency, Offer
    from app.offers import samples
    from app.proof import receipts
    from app.proof.register import offer_faults, verify_chain
    from app.properties import editing as properties
    from tools.verify_receipt import verify_receipt

    app = create_app()
    with app.app_context():
        upgrade(directory="migrations")
        agency_id, owner = stress_agency("Proof")
        given = {"agent_id": owner, "title": "Proof", "asking_minor": 100_000_00, "accepts_offers": True}
        with app.test_request_context():
            samples.seed(agency_id, [properties.create(agency_id, given, by=SYSTEM)], OFFERS, random.Random(1))
        agency = db.session.get_one(Agency, agency_id)
        entries, fault = verify_chain(agency)
        if fault or next(offer_faults(agency), None):
            raise SystemExit("the register does not hold")
        floor = took(lambda: bare(folder / "bidflux.db"))
        chain = took(lambda: verify_chain(agency))
        opened = took(lambda: next(offer_faults(agency), None))
        ids = [row[0] for row in db.session.query(Offer.id).limit(ROUNDS + 2)]
        pdf = receipts.make(agency_id, ids.pop())
        roots = receipts.authority().roots_pem()
        made = took(lambda: receipts.make(agency_id, ids.pop()))
        checked = took(lambda: verify_receipt(pdf, roots))
    return [
        rated("ledger verify", entries, "entries", chain, f"{floor.cpu / chain.cpu:.2f}", CHAIN),
        rated("the same --offers", OFFERS, "offers", opened, "", OPENED),
        Row(
            "receipt drawn and sealed", f"{made.wall * 1000:.0f} ms ({made.cpu * 1000:.0f})", "", "< 1 s", made.wall < 1
        ),
        Row("receipt checked", f"{checked.wall * 1000:.0f} ms", "", "< 300 ms", checked.wall < 0.3),
    ]


class Took(NamedTuple):
    """Seconds on the clock and of the processor: on a machine that others use too, the two tell different things."""

    wall: float
    cpu: float


def took(work: Callable[[], object], rounds: int = ROUNDS) -> Took:
    """The medians of some rounds."""
    measured = []
    for _ in range(rounds):
        began, spent = time.perf_counter(), time.process_time()
        work()
        measured.append((time.perf_counter() - began, time.process_time() - spent))
    return Took(*(statistics.median(seconds) for seconds in zip(*measured, strict=True)))


def rated(what: str, count: int, unit: str, seconds: Took, ratio: str, target: int) -> Row:
    """So many a second; in brackets by the processor's own time."""
    rate, own = count / seconds.wall, count / seconds.cpu
    return Row(what, f"{rate:,.0f} {unit}/s ({own:,.0f})", ratio, f"≥ {target:,}/s", rate >= target)


def bare(database: Path) -> None:
    """The floor: rows read and hashed, and nothing else."""
    previous = bytes(32)
    with sqlite3.connect(database) as connection:
        for body, own in connection.execute("SELECT body, hash FROM ledger ORDER BY agency_id, seq"):
            if sha256(previous + body).digest() != own:
                raise SystemExit("the chain does not hold")
            previous = own
