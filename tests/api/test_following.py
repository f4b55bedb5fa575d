"""Whoever follows `/events` ends with what the server has, whatever is written beside them, on both engines."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.core.errors import DomainError
from app.core.ledger import SYSTEM, Actor
from app.extensions import db
from app.models import Offer, Property
from app.offers import deciding, withdrawing
from app.privacy import erasure
from app.properties import editing as properties
from tests.api.conftest import Crm, make_crm
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user

Get = Callable[[str], dict[str, Any]]
FEW = 7  # events asked for at once, so that there are pages


class Follower:
    """A CRM that knows nothing but the events: the offers and properties as the last event about each showed them."""

    def __init__(self, get: Get) -> None:
        self.get, self.seq = get, 0
        self.offers: dict[str, dict[str, Any]] = {}
        self.properties: dict[str, dict[str, Any]] = {}

    def follow(self) -> None:
        """Take in everything that is new."""
        while True:
            page = self.get(f"/events?after={self.seq}&limit={FEW}")
            for event in page["data"]:
                assert event["seq"] == self.seq + 1, "no gap, nothing twice, in the order of commits"
                self.seq = event["seq"]
                self._take(event)
            assert page["last_seq"] == self.seq
            if not page["has_more"]:
                return

    def _take(self, event: dict[str, Any]) -> None:
        about, data = event["type"].partition(".")[0], event["data"]
        if event["type"] == "offer.erased" or event.get("erased"):
            self.offers[data["id"]] = {"id": data["id"], "property_id": data["property_id"]}
        elif about == "offer":
            self.offers[data["id"]] = {name: value for name, value in data.items() if name != "previous_status"}
        elif about in {"property", "link"}:
            self.properties[data["id"]] = data

    def equals(self) -> None:
        """Compare with the lists. How many offers a property has is counted; what was erased is known by its id."""
        held = {row["id"]: row for row in self._all("/properties?updated_since=2020-01-01T00:00:00Z")}
        counted: dict[str, int] = {}
        for offer in self.offers.values():
            counted[offer["property_id"]] = counted.get(offer["property_id"], 0) + 1
        for ident, mine in self.properties.items():
            assert {**mine, "offers_count": counted.get(ident, 0)} == held.pop(ident)
        assert held == {}
        sent = {row["id"]: row for row in self._all("/offers?")}
        for ident, offer in self.offers.items():
            there = sent.pop(ident)
            if len(offer) == 2:
                assert there["bidder"] is None and offer["property_id"] == there["property_id"]
            else:
                assert offer == there
        assert sent == {}

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self.get(f"{path}&limit=50{cursor}")
            yield from page["data"]
            if not page["has_more"]:
                return
            cursor = f"&cursor={page['next_cursor']}"


class World:
    """Everything that happens to one agency: each act does one thing to something chosen by number."""

    def __init__(self, crm: Crm) -> None:
        self.crm, self.agency, self.by = crm, crm.owner.agency_id, Actor("user", crm.owner.id)

    def act(self, name: str, number: int) -> None:
        getattr(self, name)(number)

    def act_all(self, acts: list[tuple[str, int]]) -> None:
        for name, number in acts:
            with suppress(DomainError):  # somebody was faster
                self.act(name, number)
            db.session.remove()

    def _one(self, model: Any, number: int) -> Any:
        rows = db.session.scalars(db.select(model).where(model.agency_id == self.agency).order_by(model.id)).all()
        return rows[number % len(rows)] if rows else None

    def send(self, number: int) -> None:
        prop = self._one(Property, number)
        if prop and prop.accepts_offers:
            make_offer(prop, make_draft(payment_term_days=number))

    def correct(self, number: int) -> None:
        """The same bidder sends another in place of an earlier one."""
        if offer := self._one(Offer, number):
            prop = db.session.get_one(Property, offer.property_id)
            if prop.accepts_offers:
                make_offer(prop, make_draft(replaces=offer.reference))

    def answer(self, number: int) -> None:
        """From the CRM: legal or not."""
        if offer := self._one(Offer, number):
            status = ("viewed", "accepted", "rejected")[number % 3]
            path = f"/offers/{offer.id}/status"
            assert self.crm.call("PATCH", path, {"status": status, "reason": "Așa"}).status_code in {200, 409}

    def decide(self, number: int) -> None:
        """From the dashboard, and at once taken back."""
        if offer := self._one(Offer, number):
            answer = deciding.AgencyAnswer(("accepted", "rejected")[number % 2])
            made = deciding.decide_all(self.agency, [deciding.Chosen(offer.id)], answer, by=self.by)
            if made and number % 3 == 0:
                deciding.undo(made, self.agency, by=self.by)

    def withdraw(self, number: int) -> None:
        if offer := self._one(Offer, number):
            withdrawing.withdraw(offer)

    def erase(self, number: int) -> None:
        if offer := self._one(Offer, number):
            erasure.erase_all(self.agency, [offer.id], "person", by=self.by)

    def put(self, number: int) -> None:
        done = self.crm.put(f"CRM-{number % 3}", title=f"Casa {number}", accepts_offers=True)
        assert done.status_code in {200, 201, 409, 422}, done.text

    def several(self, number: int) -> None:
        items = [{"external_id": f"CRM-{n}", "title": f"Vila {number}"} for n in (number % 4, 9)]
        assert self.crm.call("POST", "/properties/bulk", {"data": items}).status_code == 200

    def rotate(self, number: int) -> None:
        if prop := self._one(Property, number):
            properties.rotate_link(prop, by=self.by)

    def archive(self, number: int) -> None:
        if (prop := self._one(Property, number)) and number % 4 == 0:
            properties.archive(prop, by=self.by)


ACTS = (
    "send", "send", "send", "correct", "answer", "answer", "decide", "withdraw", "erase", "put", "several", "rotate",
    "archive",
)  # fmt: skip
plans = st.lists(
    st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 40)), min_size=4, max_size=10), min_size=2, max_size=3
)


def getter(crm: Crm) -> Get:
    def get(path: str) -> dict[str, Any]:
        answer = crm.get(path)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json
        return body

    return get


def at_once(app: Flask, writers: list[Callable[[], None]], read: Callable[[], None]) -> None:
    """Run the writers side by side, and read over and over until they are through; no thread may fail."""
    faults: list[BaseException] = []
    done = threading.Event()

    def guarded(run: Callable[[], None]) -> None:
        with app.app_context():
            try:
                run()
            except BaseException as fault:
                faults.append(fault)
            finally:
                db.session.remove()

    def reading() -> None:
        while not done.wait(0.02) and not faults:
            guarded(read)

    reader = threading.Thread(target=reading)
    threads = [threading.Thread(target=guarded, args=(writer,)) for writer in writers]
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert faults == []


@settings(
    max_examples=6, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(plan=plans)
def test_a_follower_ends_equal_whoever_writes_beside_it(either_app: Flask, plan: list[list[tuple[str, int]]]) -> None:
    crm = make_crm(either_app, f"Casa {uuid.uuid4()}")
    for number in range(2):
        make_property(crm.owner.agency_id, crm.owner.id, external_id=f"CRM-{number}")
    world, live = World(crm), Follower(getter(crm))
    db.session.remove()
    at_once(either_app, [partial(world.act_all, acts) for acts in plan], live.follow)
    live.follow()
    live.equals()
    late = Follower(getter(crm))
    late.follow()
    late.equals()


def test_a_follower_that_is_ahead_is_told_so_and_not_left_waiting(crm: Crm) -> None:
    make_property(crm.owner.agency_id, crm.owner.id)
    assert crm.get("/events?after=1").json["data"] == []
    ahead = crm.get("/events?after=2")
    assert ahead.status_code == 409 and "after=0" in ahead.json["detail"]


def test_nobody_elses_changes_are_among_them(app: Flask) -> None:
    crm = make_crm(app)
    other = make_agency("Alta")
    make_offer(make_property(other, make_user(other).id))
    make_property(crm.owner.agency_id, crm.owner.id)
    follower = Follower(getter(crm))
    follower.follow()
    assert follower.seq == 1 and len(follower.properties) == 1 and not follower.offers
    assert SYSTEM.type == "system"
