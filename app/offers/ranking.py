"""An order of offers that can be explained: each stands where it does for one named reason, and never for a score.

Amount first; then how certain the money is; then fewer conditions; then a shorter term; then who was earlier.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from app.core.money import Money

# How certain the money is, from least to most.
CERTAINTY = ("credit", "mixed", "credit_preapproved", "mixed_preapproved", "cash")
STEPS = ("amount", "certainty", "conditions", "term", "earlier")


@dataclass(frozen=True, slots=True)
class Contender:
    """What the order looks at. `conditions` counts what the offer depends on."""

    id: uuid.UUID
    amount: Money
    certainty: str
    conditions: int
    term_days: int
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """An offer that an agent put elsewhere: to place `place`, counted from 1."""

    offer_id: uuid.UUID
    place: int


def certainty(terms: dict[str, Any]) -> str:
    """One of `CERTAINTY`, from an offer's terms."""
    financing: str = terms["financing"]
    return f"{financing}_preapproved" if financing != "cash" and terms["credit_preapproved"] else financing


def conditions_count(terms: dict[str, Any]) -> int:
    conditions = terms["conditions"]
    return len(conditions["kinds"]) + bool(conditions["text"])


def _key(contender: Contender) -> tuple[Any, ...]:
    """Smaller is better, step by step; the id only keeps ties in one order."""
    return (
        -contender.amount.minor,
        -CERTAINTY.index(contender.certainty),
        contender.conditions,
        contender.term_days,
        contender.submitted_at,
        contender.id,
    )


def ordered(offers: Iterable[Contender], moves: Iterable[Move] = ()) -> list[Contender]:
    """The best first, then each move applied in turn. All in one currency: amounts of two are never compared."""
    found = sorted(offers, key=_key)
    if len({contender.amount.currency for contender in found}) > 1:
        raise ValueError("offers in two currencies have no order")
    for move in moves:
        at = next((n for n, contender in enumerate(found) if contender.id == move.offer_id), None)
        if at is not None:
            found.insert(min(max(move.place, 1), len(found)) - 1, found.pop(at))
    return found


def reason(better: Contender, worse: Contender) -> str | None:
    """The step that decides between two, or None when `worse` would stand first: somebody moved it."""
    for step, first, second in zip(STEPS, _key(better), _key(worse), strict=False):
        if first != second:
            return step if first < second else None
    return STEPS[-1]


def reasons(order: Sequence[Contender]) -> list[str | None]:
    """For each but the last, why it stands before the next."""
    return [reason(better, other) for better, other in pairwise(order)]
