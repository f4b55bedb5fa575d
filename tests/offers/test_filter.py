"""The one filter of offers: what each field means, in every order, over pages, on both engines."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, settings
from hypothesis import given as given_by
from hypothesis import strategies as st
from sqlalchemy import update

from app.core.access import Person
from app.core.clock import now
from app.core.ledger import Actor
from app.core.money import Money
from app.extensions import db
from app.models import Offer, OfferState, Property
from app.offers import deciding
from app.offers.document import Bidder, Signature
from app.offers.exports.reading import all_offers
from app.offers.list.filter import OfferFilter, read_filter
from app.offers.list.order import SORTS, Cursor, Order
from app.offers.list.pages import COUNTED, count_offers, ids_in_order, list_offers
from app.offers.list.search import read_search
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user, person_of

ZONE = "Europe/Bucharest"
LITERAL = {"literal_binds": True}
ORDERS = [*SORTS, *(f"-{name}" for name in SORTS)]


def chosen(**given: str) -> OfferFilter:
    read, errors = read_filter(given, ZONE, default_currency="EUR")
    assert errors == {}, errors
    return read


@pytest.fixture
def by(either_app: Flask) -> Iterator[Person]:
    """The owner of an agency on either engine."""
    yield person_of(make_user(make_agency(), "owner"))


@pytest.fixture
def flat(by: Person) -> Property:
    return make_property(by.agency_id, by.user.id, external_id="CRM-1")


def shown(by: Person, **given: str) -> set[uuid.UUID]:
    """What the list shows; counters, export and exact count must agree with it."""
    filter_ = chosen(**given)
    page = list_offers(by, filter_)
    ids = {line.id for line in page.lines}
    assert len(ids) == len(page.lines) == count_offers(by, filter_) == page.counts[filter_.status or ""]
    assert {uuid.UUID(line.id) for line in all_offers(by, filter_)} == ids
    return ids


def walk(by: Person, filter_: OfferFilter, limit: int) -> Iterator[list[uuid.UUID]]:
    """Page by page to the end."""
    after: Cursor | None = None
    while True:
        page = list_offers(by, filter_, after=after, limit=limit)
        yield [line.id for line in page.lines]
        if page.older is None:
            return
        after = Cursor.read(str(page.older), filter_.sort)
        assert after == page.older


def test_each_field_keeps_what_it_says(by: Person, flat: Property) -> None:
    other = make_property(by.agency_id, make_user(by.agency_id, email="dan@agentie.example").id, currency="RON")
    ana = Bidder("Ana Țîrlea-Pop", "Ana.Pop@client.example", "+40733111222")
    plain = make_offer(flat)
    credit = make_offer(flat, make_draft(bidder=ana, financing="credit", payment_term_days=90))
    lei = make_offer(other, make_draft(amount=Money(600_000_00, "RON"), signature=Signature("typed", text="A")))
    api = make_offer(other, make_draft(amount=Money(1_000_00, "RON")), source="api")
    deciding.decide(plain, by.agency_id, "accepted", by=Actor("user", by.user.id))
    every = {plain, credit, lei, api}
    reference = db.session.get_one(Offer, credit).reference
    tomorrow = (now() + timedelta(days=1)).isoformat()
    for typed, expected in (
        ({}, every),
        ({"status": "accepted"}, {plain}),
        ({"property_id": str(other.id)}, {lei, api}),
        ({"property_external_id": "CRM-1"}, {plain, credit}),
        ({"agent": str(by.user.id)}, {plain, credit}),
        ({"agent": "Dan@agentie.example"}, {lei, api}),
        ({"financing": "credit"}, {credit}),
        ({"currency": "ron"}, {lei, api}),
        ({"min_amount": "600.000", "currency": "RON"}, {lei}),
        ({"min_amount": "1000"}, {plain, credit}),
        ({"max_amount": "1.000,00", "currency": "RON"}, {api}),
        ({"submitted_after": tomorrow}, set()),
        ({"submitted_before": tomorrow}, every),
        ({"submitted_after": now().date().isoformat(), "submitted_before": tomorrow[:10]}, every),
        ({"updated_since": tomorrow.replace("+", " ")}, set()),
        ({"min_term": "31"}, {credit}),
        ({"max_term": "30"}, every - {credit}),
        ({"source": "api"}, {api}),
        ({"signed": "true"}, {lei}),
        ({"signed": "0"}, every - {lei}),
        ({"latest": "false"}, set()),
        ({"reference": reference.lower()}, {credit}),
        ({"reference": reference[3:]}, {credit}),
        ({"email": "ana.POP@client.example"}, {credit}),
        ({"q": "tirlea ANA"}, {credit}),
        ({"q": "ana turcanu"}, set()),
        ({"q": "țurc"}, {plain, lei, api}),
        ({"q": "ana.pop@client.example"}, {credit}),
        ({"q": "ana.pop@client"}, set()),
        ({"q": "0733 111 222"}, {credit}),
        ({"q": "pop 0733.111.222"}, {credit}),
        ({"q": "0733 111"}, set()),
        ({"q": "andrei 0733 111 222"}, set()),
        ({"q": reference}, {credit}),
        ({"q": reference[3:].lower()}, {credit}),
        ({"q": reference[:6]}, {credit}),
        ({"q": "pop", "status": "new"}, {credit}),
        ({"q": "pop", "status": "accepted"}, set()),
        ({"q": "andrei", "financing": "cash", "sort": "property"}, {plain, lei, api}),
    ):
        assert shown(by, **typed) == expected, typed


def test_a_list_is_in_its_order_with_the_empty_last(
    by: Person, flat: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.offers.exports.reading.BATCHES", (1,))
    made = [make_offer(flat, make_draft(payment_term_days=days)) for days in (30, 10, 30, 20)]
    deciding.decide(made[1], by.agency_id, "rejected", by=Actor("user", by.user.id))
    deciding.decide(made[3], by.agency_id, "accepted", by=Actor("user", by.user.id))
    for sort in ORDERS:
        filter_ = chosen(sort=sort)
        lines = [page for found in walk(by, filter_, 1) for page in found]
        assert sorted(lines) == sorted(made) and lines == [uuid.UUID(line.id) for line in all_offers(by, filter_)], sort
        if (name := sort.removeprefix("-")) in {"decided_at", "payment_term_days", "submitted_at"}:
            values = {row[0]: row[1] for row in db.session.execute(db.select(OfferState.offer_id, SORTS[name].by))}
            held = [values[id_] for id_ in lines if values[id_] is not None]
            assert held == sorted(held, reverse=sort.startswith("-"))
            assert [values[id_] for id_ in lines[len(held) :]] == [None] * (len(lines) - len(held))


@pytest.mark.parametrize(
    "sort", ["submitted_at", "updated_at", "amount", "payment_term_days", "valid_until", "property"]
)
def test_a_page_is_read_without_sorting_the_list(app: Flask, sort: str) -> None:
    """SQLite has no statistics to go by: the order of tables and the index are what the query says."""
    by = person_of(make_user(make_agency(), "owner"))
    for filter_ in (chosen(sort=sort), chosen(sort=f"-{sort}")):
        search, order = read_search(by.agency_id, None), Order(filter_.sort)
        text = str(ids_in_order(by, filter_, search, order, None).limit(26).compile(db.engine, compile_kwargs=LITERAL))
        plan = [row[-1] for row in db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan
        assert len([step for step in plan if step.startswith(("SEARCH", "SCAN"))]) >= 1, plan


@pytest.mark.parametrize("seed", range(4))
def test_pages_visit_every_row_once_while_rows_arrive(by: Person, flat: Property, seed: int) -> None:
    pick = random.Random(seed)
    made = [make_offer(flat, make_draft(payment_term_days=pick.choice((10, 20, 30)))) for _ in range(9)]
    for offer in made[::2]:
        viewed = now() - timedelta(minutes=pick.choice((1, 2)))
        db.session.execute(update(OfferState).where(OfferState.offer_id == offer).values(viewed_at=viewed))
    db.session.commit()
    for typed in ({}, {"financing": "cash"}, {"q": "andrei"}):
        sort = pick.choice([name for name in ORDERS if "updated_at" not in name])
        seen = []
        for n, page in enumerate(walk(by, chosen(sort=sort, **typed), pick.choice((2, 3)))):
            seen += page
            if n < 2:
                make_offer(flat, make_draft(payment_term_days=pick.choice((10, 20, 30))))
        assert len(seen) == len(set(seen)), sort
        assert set(made) <= set(seen), sort


def test_pages_lead_back_the_way_they_came(by: Person, flat: Property) -> None:
    for n in range(7):
        offer = make_offer(flat)
        if n % 2:
            deciding.view(db.session.get_one(Offer, offer), by=by)
    for sort in ("-submitted_at", "viewed_at", "-viewed_at", "amount", "property"):
        for typed in ({}, {"q": "andrei"}):
            filter_ = chosen(sort=sort, **typed)
            there = list(walk(by, filter_, 2))
            page = list_offers(by, filter_, after=list_offers(by, filter_, limit=4).older, limit=2)
            back = [[line.id for line in page.lines]]
            while page.newer:
                page = list_offers(by, filter_, before=page.newer, limit=2)
                back.append([line.id for line in page.lines])
            assert back[::-1] == there[:3], (sort, typed)


def test_counters_stop_past_a_thousand(by: Person, flat: Property, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.offers.list.pages.COUNTED", 2)
    for _ in range(4):
        make_offer(flat)
    assert list_offers(by, OfferFilter()).counts["new"] == 3 and COUNTED == 1000
    assert count_offers(by, OfferFilter()) == 4


def test_anothers_ids_show_nothing(by: Person, flat: Property) -> None:
    stranger = make_user(make_agency("Cealaltă"), "owner")
    theirs = make_property(stranger.agency_id, stranger.id, external_id="CRM-9")
    offer = make_offer(theirs)
    make_offer(flat)
    reference = db.session.get_one(Offer, offer).reference
    for typed in (
        {"property_id": str(theirs.id)},
        {"property_external_id": "CRM-9"},
        {"agent": str(stranger.id)},
        {"agent": stranger.email},
        {"reference": reference},
        {"q": reference},
        {"q": reference[3:]},
    ):
        assert shown(by, **typed) == set(), typed
    assert len(shown(by, q="turcanu")) == len(shown(by, email="andrei.turcanu@client.example")) == 1
    colleague = person_of(make_user(by.agency_id))
    for typed in ({}, {"q": "turcanu"}, {"property_id": str(flat.id)}, {"agent": str(by.user.id)}):
        assert shown(colleague, **typed) == set(), typed


# The first text that hypothesis makes waits for its tables of characters.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.sampled_from([*OfferFilter.__slots__])
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["125.000", "1,000", "2026-11-23", "0001-01-01", "9999-12-31", "-1", "99999", "true", "EUR", "new"]
    ),
    st.datetimes().map(lambda at: at.isoformat()),
    st.sampled_from(ORDERS),
)


@patient
@example({"reference": "0" * 18})
@given_by(st.dictionaries(NAMES, VALUES))
def test_any_text_is_read_or_named_as_unreadable(given: dict[str, str]) -> None:
    filter_, errors = read_filter(given, ZONE, default_currency="EUR")
    assert set(errors) <= {*given, "currency"}
    again, none = read_filter(filter_.named(), ZONE, default_currency="EUR")
    assert again == filter_ and none == {}


@patient
@given_by(st.text() | st.binary().map(lambda raw: raw.hex()), st.sampled_from(ORDERS))
def test_any_text_is_a_cursor_or_none(text: str, sort: str) -> None:
    assert Cursor.read(text, sort) is None


@patient
@given_by(st.sampled_from([o for o in ORDERS if "amount" in o or "term" in o]), st.integers(), st.uuids())
def test_a_cursor_reads_back_what_a_row_can_hold(sort: str, value: int, offer_id: uuid.UUID) -> None:
    cursor = Cursor(sort, value, offer_id)
    assert Cursor.read(str(cursor), sort) == (cursor if abs(value) < 2**63 else None)
    assert Cursor.read(str(cursor), "-updated_at") is None


@patient
@given_by(st.text(max_size=60))
def test_any_text_can_be_searched(text: str) -> None:
    filter_, _ = read_filter({"q": text}, ZONE)
    assert filter_.q is None or filter_.q == " ".join(text.replace("\0", " ").split())[:200].rstrip()


def test_amounts_are_never_compared_over_currencies() -> None:
    for typed in (
        {"min_amount": "1"},
        {"max_amount": "1"},
        {"sort": "amount"},
        {"sort": "-asking_price_at_submission"},
    ):
        assert list(read_filter(typed, ZONE)[1]) == ["currency"]
        assert read_filter(typed, ZONE, default_currency="RON")[0].currency == "RON"


def test_what_could_be_a_thousand_times_off_is_asked() -> None:
    assert list(read_filter({"min_amount": "125,000"}, ZONE, default_currency="EUR")[1]) == ["min_amount"]


def test_what_a_person_typed_is_not_in_what_is_recorded() -> None:
    filter_ = chosen(q="Popescu", email="ana@client.example", status="new")
    assert filter_.recordable() == {"q": "…", "email": "…", "status": "new"}
    assert "Popescu" not in repr(filter_) and "ana@" not in repr(filter_)


def test_a_currency_typed_in_a_filter_is_the_one_compared_in() -> None:
    read, errors = read_filter({"min_amount": "700.000 lei"}, ZONE, default_currency="EUR")
    assert (read.currency, read.min_amount, errors) == ("RON", 700_000_00, {})
    for given in (
        {"min_amount": "700.000 lei", "currency": "EUR"},
        {"min_amount": "1 euro", "max_amount": "700.000 lei"},
        {"min_amount": "$ 5"},
    ):
        read, errors = read_filter(given, ZONE, default_currency="EUR")
        assert "min_amount" in errors and read.min_amount is None
    assert read_filter({"min_amount": "0"}, ZONE, default_currency="EUR")[1] == {}
