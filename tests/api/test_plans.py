"""What is asked for by id is read by id: SQLite, which keeps no statistics, else walks through all of an agency."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from app.extensions import db
from app.offers.choosing import candidates
from app.offers.comparing import chosen_lines
from tests.api.conftest import Crm
from tests.factories import make_offer, make_property, person_of


@contextmanager
def plans() -> Iterator[list[str]]:
    """How every question that names offers by their ids is answered, one line for each table."""
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, text: str, values: Any, *_more: Any) -> None:
        if text.startswith("SELECT") and "offer_id IN (" in text:
            asked.append((text, values))

    found: list[str] = []
    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)
    with db.engine.connect() as connection:
        for text, values in asked:
            found += [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]


def test_offers_named_by_id_are_not_looked_for_in_all_of_the_agency(app: Flask, crm: Crm) -> None:
    prop = make_property(crm.owner.agency_id, crm.owner.id)
    offers = [make_offer(prop) for _ in range(3)]
    with plans() as found:
        assert crm.get("/offers").status_code == 200
        for status in ("viewed", "accepted", "rejected"):
            answer = crm.call("PATCH", f"/offers/{offers[0]}/status", {"status": status, "reason": "Așa"})
            assert answer.status_code == 200, answer.text
        assert len(chosen_lines(person_of(crm.owner), offers)) == 3
        assert len(candidates(person_of(crm.owner), offers)) == 3
    searched = [step for step in found if step.startswith(("SEARCH offer_state ", "SEARCH decision "))]
    assert len(searched) >= 6
    for step in searched:
        assert "offer_id=?" in step, step
    assert not [step for step in found if step.startswith("SCAN")]
