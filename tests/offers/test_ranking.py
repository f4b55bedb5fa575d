"""The order of offers: total, blind to how they came, and explained by the first step that differs."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import Money
from app.offers.ranking import CERTAINTY, STEPS, Contender, Move, ordered, reason, reasons

MORNING = datetime(2026, 11, 23, 8, tzinfo=UTC)
contenders = st.builds(
    Contender,
    id=st.uuids(version=4),
    amount=st.builds(Money, st.integers(1, 4), st.just("EUR")),
    certainty=st.sampled_from(CERTAINTY),
    conditions=st.integers(0, 2),
    term_days=st.integers(0, 3),
    submitted_at=st.builds(lambda n: MORNING + timedelta(hours=n), st.integers(0, 3)),
)
many = st.lists(contenders, max_size=8, unique_by=lambda one: one.id)


@given(many, st.randoms())
def test_the_order_does_not_depend_on_the_order_in_which_they_came(offers, shuffler):
    shuffled = list(offers)
    shuffler.shuffle(shuffled)
    assert ordered(offers) == ordered(shuffled)
    assert sorted(one.id for one in ordered(offers)) == sorted(one.id for one in offers)


@given(contenders, contenders)
def test_of_two_exactly_one_is_better_and_for_a_reason(one, other):
    if one.id == other.id:
        return
    first, second = ordered([one, other])
    assert reason(first, second) in STEPS
    same = (first.amount, first.certainty, first.conditions, first.term_days, first.submitted_at) == (
        second.amount, second.certainty, second.conditions, second.term_days, second.submitted_at,
    )  # fmt: skip
    assert same or reason(second, first) is None


@given(many)
def test_the_reason_is_the_first_step_that_differs(offers):
    order = ordered(offers)
    for one, other, why in zip(order, order[1:], reasons(order), strict=False):
        held = {
            "amount": one.amount.minor > other.amount.minor,
            "certainty": CERTAINTY.index(one.certainty) > CERTAINTY.index(other.certainty),
            "conditions": one.conditions < other.conditions,
            "term": one.term_days < other.term_days,
            "earlier": one.submitted_at <= other.submitted_at,
        }
        assert why is not None and held[why]
        equal_before = STEPS[: STEPS.index(why)]
        assert not any(held[step] for step in equal_before if step != "earlier")


@given(many, st.data())
def test_a_move_moves_one_and_keeps_the_rest_in_order(offers, data):
    if not offers:
        return
    moved = data.draw(st.sampled_from(offers))
    place = data.draw(st.integers(-3, 12))
    order = ordered(offers, [Move(moved.id, place)])
    assert order.index(moved) == min(max(place, 1), len(offers)) - 1
    assert [one for one in order if one != moved] == [one for one in ordered(offers) if one != moved]
    assert ordered(offers, [Move(uuid.uuid4(), 1)]) == ordered(offers)


def test_two_currencies_are_never_ranked():
    euro = Contender(uuid.uuid4(), Money(100, "EUR"), "cash", 0, 30, MORNING)
    leu = Contender(uuid.uuid4(), Money(100, "RON"), "cash", 0, 30, MORNING)
    with pytest.raises(ValueError):
        ordered([euro, leu])
