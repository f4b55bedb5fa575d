"""Forgetting people and changing the keys, as `flask privacy purge` and `flask keys rotate` do, in one process."""

from __future__ import annotations

import base64
import os
import random
import secrets
from pathlib import Path

from benchmarks.product import QUICK, Row, environment
from benchmarks.proof import rated, took

OFFERS, ERASED = (2_000, 1_000) if QUICK else (20_000, 10_000)
SECONDS, KEYS = 60, 2_000  # for ten thousand offers; offers a second


def rows(folder: Path) -> list[Row]:
    os.environ |= environment(folder, 1, 1)
    from flask_migrate import upgrade

    from app import create_app
    from app.cli.keys import rotate
    from app.core.ledger import SYSTEM
    from app.demo.seeding import stress_agency
    from app.extensions import db
    from app.models import OfferKey
    from app.offers import samples
    from app.privacy import erasure
    from app.properties import editing as properties

    app = create_app()
    with app.app_context():
        upgrade(directory="migrations")
        agency_id, owner = stress_agency("Privacy")
        given = {"agent_id": owner, "title": "Privacy", "asking_minor": 100_000_00, "accepts_offers": True}
        with app.test_request_context():
            made = samples.seed(agency_id, [properties.create(agency_id, given, by=SYSTEM)], OFFERS, random.Random(1))
    old, new = os.environ["BIDFLUX_KEYS"], base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ["BIDFLUX_KEYS"] = f"{new},{old}"
    app = create_app()
    changed = took(lambda: app.test_cli_runner().invoke(rotate, catch_exceptions=False), 1)
    with app.app_context():
        gone = took(lambda: erasure.erase_all(agency_id, made[:ERASED], "retention"), 1)
        held = db.session.query(OfferKey).count()
    if held != OFFERS - ERASED:
        raise SystemExit(f"{held} offers can still be read")
    for_ten_thousand = gone.wall * 10_000 / ERASED, gone.cpu * 10_000 / ERASED
    figure = f"{for_ten_thousand[0]:.1f} s ({for_ten_thousand[1]:.1f})"
    return [
        rated("keys wrapped anew", OFFERS, "offers", changed, "", KEYS),
        Row("10,000 offers erased", figure, "", f"< {SECONDS} s", for_ten_thousand[0] < SECONDS),
    ]
