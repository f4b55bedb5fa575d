"""Statements are built once for each shape of filter: whoever asks gets their own offers, by their own values."""

from __future__ import annotations

from itertools import product

import pytest
from flask import Flask

from app.core.access import Person
from app.core.formats import options
from app.core.money import Money
from app.extensions import db
from app.models import Agency, Property, User
from app.offers import undelivered
from app.offers.list.filter import OfferFilter, read_filter
from app.offers.list.pages import list_offers
from app.offers.view_reading import views_of
from app.properties.listing import agent_choices, property_choices
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user, person_of

QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"status": "new"},
    {"status": "accepted"},
    {"financing": "cash", "min_term": "20"},
    {"financing": "credit", "min_term": "40"},
    {"signed": "false", "latest": "true"},
    {"signed": "true", "latest": "true"},
    {"submitted_after": "2020-01-01", "sort": "-amount"},
    {"submitted_after": "2099-01-01", "sort": "-amount"},
    {"currency": "RON", "sort": "valid_until"},
    {"currency": "EUR", "sort": "property"},
)


@pytest.fixture
def people(either_app: Flask) -> list[Person]:
    """Of two agencies: an owner, and two agents who each have a property with three offers."""
    del either_app
    found = []
    for _ in range(2):
        agency = make_agency()
        found.append(person_of(make_user(agency, "owner")))
        for _ in range(2):
            agent = make_user(agency)
            prop = make_property(agency, agent.id, title=f"Casa lui {agent.email}")
            for financing, days, currency in (("cash", 30, "EUR"), ("credit", 45, "EUR"), ("mixed", 10, "EUR")):
                amount = Money(100_000_00 + days, currency)
                make_offer(prop, make_draft(financing=financing, payment_term_days=days, amount=amount))
            found.append(person_of(agent))
    return found


def test_whoever_asks_gets_their_own_offers_by_their_own_values(people: list[Person]) -> None:
    def meets(line: object, chosen: OfferFilter) -> bool:
        held = {
            "status": chosen.status in {None, line.status},  # type: ignore[attr-defined]
            "financing": chosen.financing in {None, line.financing},  # type: ignore[attr-defined]
            "term": (chosen.min_term or 0) <= line.term_days,  # type: ignore[attr-defined]
            "signed": chosen.signed in {None, line.signed},  # type: ignore[attr-defined]
            "currency": chosen.currency in {None, line.amount.currency},  # type: ignore[attr-defined]
            "after": not chosen.submitted_after or chosen.submitted_after.at <= line.submitted_at,  # type: ignore[attr-defined]
        }
        return all(held.values())

    own = {by: list_offers(by, OfferFilter()).lines for by in people}
    assert [len(lines) for lines in own.values()] == [6, 3, 3] * 2
    assert len({line.id for lines in own.values() for line in lines}) == 12
    for query, by in product(QUERIES, people):
        chosen, errors = read_filter(query, "Europe/Bucharest", default_currency="EUR")
        assert not errors
        shown = list_offers(by, chosen)
        wanted = {line.id for line in own[by] if meets(line, chosen)}
        assert {line.id for line in shown.lines} == wanted, (query, by)
        assert shown.counts[chosen.status or ""] == len(wanted)


def test_choices_are_ones_own(people: list[Person]) -> None:
    for by in people * 2:  # the second time from what was kept
        mine = {f"Casa lui {by.user.email}"}
        titles = {title for _id, title in property_choices(by)}
        assert titles == mine if not by.is_owner else (len(titles) == 2 and not mine & titles)
        assert len(agent_choices(by)) == 3
        assert {db.session.get_one(User, who).agency_id for who, _name in agent_choices(by)} == {by.agency_id}
        assert views_of(by) == [] and undelivered.count(by) == 0


def test_a_right_that_is_given_or_taken_counts_at_the_next_page(people: list[Person]) -> None:
    _owner, agent, *_others = people
    for colleagues_read, seen in ((False, 3), (True, 6), (False, 3)):
        db.session.get_one(Agency, agent.agency_id).colleagues_read = colleagues_read
        db.session.commit()
        again = person_of(db.session.get_one(User, agent.user.id))
        assert len(list_offers(again, OfferFilter()).lines) == seen
        assert len(property_choices(again)) == seen // 3


def test_choices_that_are_kept_follow_every_change(people: list[Person]) -> None:
    """Whichever way a property changes, and however the options were asked for before."""
    owner, agent, colleague, *_others = people

    def titles(by: Person) -> list[str]:
        chosen = property_choices(by)
        assert options(chosen) == options(list(chosen))
        for value, _title in chosen:
            assert options(chosen, value) == options(list(chosen), value)
        return [title for _id, title in chosen]

    mine = db.session.scalars(db.select(Property).where(Property.agent_id == agent.user.id)).one()
    assert len(titles(owner)) == 2 and len(titles(agent)) == len(titles(colleague)) == 1
    mine.title = '<b>"Zori" & Țărm</b>'
    db.session.commit()
    assert titles(owner)[0] == titles(agent)[0] == mine.title and mine.title not in titles(colleague)
    mine.agent_id = colleague.user.id
    db.session.commit()
    assert titles(agent) == [] and len(titles(colleague)) == len(titles(owner)) == 2
