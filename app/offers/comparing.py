"""Offers side by side: what each says on every term, which is best, and in which order they stand and why."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.core import keys
from app.core.access import Person
from app.core.formats import days, show_date, show_money, show_percent, show_short
from app.core.labels import label
from app.core.money import Money
from app.core.vault import Place, unseal
from app.extensions import db
from app.models import HELD_LINK, Offer, OfferMove, OfferState, Property, User
from app.offers.chain import replaced_by
from app.offers.fields import BY_NAME, FIELDS, Field
from app.offers.list.pages import OfferLine, lines_of, lines_where
from app.offers.ranking import CERTAINTY, Contender, Move, certainty, conditions_count, ordered, reasons

FEWEST, MOST = 2, 6


@dataclass(frozen=True, slots=True)
class Cell:
    """What one offer says in one row."""

    text: str
    note: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row; `differs` when the offers do not all say the same."""

    label: str
    cells: list[Cell]
    differs: bool


@dataclass(frozen=True, slots=True)
class PlacedOffer:
    """One offer in its property's order: why it stands before the next, and who moved it here, if anybody did."""

    line: OfferLine
    place: int
    why: str
    moved_by: str | None = None
    moved_why: str | None = None


def chosen_lines(by: Person, offers: Sequence[uuid.UUID]) -> list[OfferLine]:
    """Those of these offers that the person may see, in the order asked for."""
    found = {line.id: line for line in lines_of(by, offers)}
    return [found[offer] for offer in dict.fromkeys(offers) if offer in found]


def compare(lines: Sequence[OfferLine]) -> list[Line]:
    """Every row that at least one of the offers fills; forgotten persons' offers keep what stands in clear."""
    one_currency = len({line.amount.currency for line in lines}) == 1
    earlier = earlier_amounts(lines)
    best: dict[str, Best | None] = {
        "amount": (lambda line: line.amount.minor) if one_currency else None,
        "financing": lambda line: CERTAINTY.index(certainty(_terms(line))) if line.document else -1,
        "payment_term_days": lambda line: -line.term_days,
        "conditions": lambda line: -conditions_count(_terms(line)) if line.document else -99,
    }
    offered, *others = [
        _row(
            str(field.compared or field.title),
            lines,
            SAID.get(field.name) or partial(_said, field),
            best.get(field.name),
        )
        for field in sorted(FIELDS, key=lambda field: field.group)
        if field.compared is not None
    ]
    rows = [
        offered,
        _row(_("Against the asking price"), lines, _against),
        *others,
        _row(_("Signature"), lines, _signed),
        _row(_("How it came"), lines, _came),
        _row(_("Earlier offers of this client"), lines, lambda line: " → ".join(map(show_money, earlier[line.id]))),
        _row(
            _("Submitted"),
            lines,
            lambda line: show_short(line.submitted_at),
            best=lambda line: -line.submitted_at.timestamp(),
        ),
    ]
    return [row for row in rows if any(cell.text for cell in row.cells)]


Best = Callable[[OfferLine], Any]


def _row(name: str, lines: Sequence[OfferLine], text: Callable[[OfferLine], str], best: Best | None = None) -> Line:
    """`best` gives what to compare by, the greatest being best; None marks nothing. A tie of all is no best."""
    texts = [text(line) for line in lines]
    values = [best(line) for line in lines] if best else []
    top = max(values) if values and len(set(values)) > 1 else None
    cells = [Cell(text, best=bool(values) and top is not None and values[n] == top) for n, text in enumerate(texts)]
    return Line(name, cells, len(set(texts)) > 1)


def _terms(line: OfferLine) -> dict[str, Any]:
    return line.document.terms if line.document else {}


def _said(field: Field, line: OfferLine) -> str:
    """What the document says of a field."""
    return field.said(_terms(line), line.amount.currency)


def _amount(line: OfferLine) -> str:
    return show_money(line.amount)


def _against(line: OfferLine) -> str:
    if not line.asking_minor:
        return ""
    off = line.amount.minor - line.asking_minor
    sign = "+" if off > 0 else "−" if off < 0 else "±"
    money = show_money(Money(abs(off), line.amount.currency))
    return f"{sign}{money} ({show_percent(line.amount.minor, line.asking_minor)})"


def _signed(line: OfferLine) -> str:
    if line.awaits_code:
        return str(_("Not signed yet: the code was not entered"))
    return str(_("Signed") if line.signed else _("Not signed"))


def _came(line: OfferLine) -> str:
    """Nothing is said where every offer was sent through the link."""
    if line.source == "link":
        return str(label("proof", HELD_LINK)) if line.held_link else ""
    channel = line.document.body.get("channel") if line.document else None
    came = label("channel", channel) if channel else label("source", line.source)
    if line.held_link:
        return f"{came}, {label('proof', HELD_LINK)}"
    return f"{came}, {_('unconfirmed')}" if line.unconfirmed else came


def _financing(line: OfferLine) -> str:
    text = label("financing_short", line.financing)
    approved = _terms(line).get("credit_preapproved")
    if approved is None or line.financing == "cash":
        return text
    word = _("pre-approved") if approved else _("not pre-approved")
    return f"{text}, {word}"


def _conditions(line: OfferLine) -> str:
    named = _said(BY_NAME["conditions"], line).splitlines()
    return "; ".join(filter(None, [*named, _said(BY_NAME["conditions_text"], line)])) or _("None")


def _buys_as(line: OfferLine) -> str:
    bidder = _terms(line).get("bidder") or {}
    if bidder.get("type") == "company":
        return f"{label('bidder_type', 'company')}: {bidder['company_name']}"
    return label("bidder_type", "person") if bidder else ""


# What is read from the columns in clear, or of several fields together.
SAID: dict[str, Callable[[OfferLine], str]] = {
    "amount": _amount,
    "financing": _financing,
    "payment_term_days": lambda line: days(line.term_days),
    "conditions": _conditions,
    "advance_amount": lambda line: _said(BY_NAME["advance_amount"], line) or _said(BY_NAME["advance_percent"], line),
    "valid_until": lambda line: show_date(line.valid_until) if line.valid_until else "",
    "type": _buys_as,
}


def earlier_amounts(lines: Sequence[OfferLine]) -> dict[uuid.UUID, list[Money]]:
    """For each offer the amounts of those it replaced, the first one first."""
    wanted = [line.id for line in lines]
    step = (
        select(Offer.id.label("head"), replaced_by().label("previous_id"))
        .where(Offer.id.in_(wanted))
        .cte("step", recursive=True)
    )
    before = aliased(Offer)
    step = step.union_all(select(step.c.head, replaced_by(before)).join(before, before.id == step.c.previous_id))
    rows = db.session.execute(
        select(step.c.head, Offer.amount_minor, Offer.currency)
        .join(Offer, Offer.id == step.c.previous_id)
        .order_by(Offer.submitted_at)
    )
    found: dict[uuid.UUID, list[Money]] = {offer: [] for offer in wanted}
    for row in rows:
        found[row.head].append(Money(row.amount_minor, row.currency))
    return found


# --- the order of a property's offers ---------------------------------------------------------------------------


def standing(by: Person, prop: Property) -> list[PlacedOffer]:
    """The offers of a property that still stand, in its currency, the best first."""
    lines = lines_where(
        by,
        OfferState.property_id == prop.id,
        OfferState.currency == prop.currency,
        OfferState.latest.is_(True),
        OfferState.status != "rejected",
        OfferState.withdrawn_at.is_(None),
        OfferState.erased_at.is_(None),
    )
    shown = {line.id: line for line in lines if line.document}
    moves = _moves(prop)
    order = ordered([_contender(line) for line in shown.values()], [move for move, _who, _why in moves])
    moved = {move.offer_id: (who, why) for move, who, why in moves}
    whys = [*reasons(order), None]
    found = []
    for n, contender in enumerate(order):
        who, why = moved.get(contender.id, (None, None))
        after = order[n + 1] if n + 1 < len(order) else None
        found.append(PlacedOffer(shown[contender.id], n + 1, _why(contender, after, whys[n]), who, why))
    return found


def _contender(line: OfferLine) -> Contender:
    terms = _terms(line)
    return Contender(line.id, line.amount, certainty(terms), conditions_count(terms), line.term_days, line.submitted_at)


def _why(contender: Contender, after: Contender | None, step: str | None) -> str:
    """Why it stands before the next one, in words; nothing for the last, and for one that was moved."""
    if after is None or step is None:
        return ""
    if step == "amount":
        more = show_money(Money(contender.amount.minor - after.amount.minor, contender.amount.currency))
        return str(_("%(money)s more than the next", money=more))
    if step == "certainty":
        names = {"better": _certainty_name(contender.certainty), "worse": _certainty_name(after.certainty)}
        return str(_("the same amount; %(better)s before %(worse)s", **names))
    if step == "conditions":
        return str(_("the same amount and financing; fewer conditions"))
    if step == "term":
        return str(_("the same amount, financing and conditions; a shorter term"))
    return str(_("the same on every step; it came earlier"))


def _certainty_name(name: str) -> str:
    financing, _sep, approved = name.partition("_")
    text = label("financing_short", financing).lower()
    word = _("pre-approved")
    return f"{text} ({word})" if approved else text


def _moves(prop: Property) -> list[tuple[Move, str, str | None]]:
    """What agents moved, in the order in which they did, with who and why."""
    query = (
        select(OfferMove.offer_id, OfferMove.place, OfferMove.reason_ct, User.full_name)
        .join(User, User.id == OfferMove.user_id)
        .where(OfferMove.agency_id == prop.agency_id, OfferMove.property_id == prop.id)
        .order_by(OfferMove.at)
    )
    found = []
    for row in db.session.execute(query):
        key = keys.offer_key(prop.agency_id, row.offer_id) if row.reason_ct else None
        place = Place(prop.agency_id, "offer_move", "reason", row.offer_id)
        why = unseal(key, place, row.reason_ct).decode() if key and row.reason_ct else None
        found.append((Move(row.offer_id, row.place), row.full_name, why))
    return found
