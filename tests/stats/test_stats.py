"""Statistics: every figure is the count of the list that it leads to."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta
from html import unescape
from itertools import pairwise
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from app.core.access import Person
from app.core.money import Money
from app.extensions import db
from app.models import Agency, OfferState, Property, User
from app.offers.list.filter import OfferFilter, read_filter
from app.offers.list.pages import count_offers, list_offers
from app.privacy import erasure
from app.stats import tally
from app.stats.charts import bars, columns
from app.stats.figures import Stats, count_up, read_stats_filter, within
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user

MORNING = datetime(2026, 3, 28, 20, 30, tzinfo=UTC)  # 22:30 in Bucharest, the day before clocks go forward


def seed(owner: User, colleague: User) -> tuple[Property, Property]:
    """Eleven offers in two currencies, over a change of clocks, in every status, below and above the price asked."""
    euro = make_property(owner.agency_id, owner.id)
    lei = make_property(owner.agency_id, colleague.id, currency="RON", asking_minor=None, title="Casă în Sibiu")
    statuses = ("new", "viewed", "accepted", "rejected")
    for n in range(11):
        prop, currency = (lei, "RON") if n % 4 == 3 else (euro, "EUR")
        parts: dict[str, Any] = {"financing": "cash"}
        amount = 105_000_00 + n * 3_000_00
        if n % 3 == 1:
            parts = {"financing": "credit", "credit_amount": Money(amount, currency), "credit_preapproved": False}
        made = make_offer(prop, make_draft(amount=Money(amount, currency), **parts))
        at, status = MORNING + timedelta(hours=7 * n), statuses[n % 4]
        seen = at + timedelta(hours=n + 1) if status != "new" else None
        decided = at + timedelta(days=1) if status in {"accepted", "rejected"} else None
        values = {"submitted_at": at, "status": status, "viewed_at": seen, "decided_at": decided}
        db.session.execute(update(OfferState).where(OfferState.offer_id == made).values(**values))
        db.session.commit()
    return euro, lei


def person(user: User) -> Person:
    return Person(user, db.session.get_one(Agency, user.agency_id), uuid.uuid4(), "")


def test_every_figure_equals_the_list_of_its_filter_on_both_engines(either_app: Flask) -> None:
    owner = make_user(make_agency(), "owner")
    colleague = make_user(owner.agency_id)
    euro, _lei = seed(owner, colleague)
    for query in (
        {},
        {"from": "2026-03-29", "to": "2026-03-30"},
        {"from": "2026-03-28"},
        {"to": "2026-03-29"},
        {"from": "2030-01-01"},
        {"agent": str(colleague.id)},
        {"agent": colleague.email, "property_id": str(euro.id)},
        {"property_id": str(euro.id)},
    ):
        check_figures(person(owner), query)


def check_figures(by: Person, query: dict[str, str]) -> None:
    chosen, errors = read_stats_filter(query, by.agency.zone)
    assert not errors
    found = count_up(by, chosen, by.agency.zone)

    def counted(which: OfferFilter = chosen, **more: object) -> int:
        named = {**which.named(), **{k: str(v) for k, v in more.items() if v is not None}}
        read, wrong = read_filter(named, by.agency.zone)
        assert not wrong
        return count_offers(by, read)

    assert found.summary.count == counted()
    for status in ("new", "viewed", "accepted", "rejected"):
        assert found.summary.statuses[status] == counted(status=status)
    for financing in ("cash", "credit", "mixed"):
        assert found.summary.financing[financing] == counted(financing=financing)
    assert [one.count for one in found.periods] == [
        counted(within(chosen, one, by.agency.zone)) for one in found.periods
    ]
    assert sum(one.count for one in found.periods) == found.summary.count
    for money in found.currencies:
        assert money.count == counted(currency=money.currency) == sum(money.bands) + money.unpriced
        for (low, high), count in zip(tally.BANDS, money.bands, strict=True):
            assert count == counted(currency=money.currency, ratio_from=low, ratio_below=high)
    for prop in found.properties:
        assert prop.summary.count == counted(property_id=prop.id, currency=prop.amounts.currency)
    for agent in found.agents:
        assert agent.summary.count == counted(agent=agent.id)
    assert sum(one.summary.count for one in found.agents) == found.summary.count


def test_medians_and_bests_are_told_per_currency(app: Flask) -> None:
    owner = make_user(make_agency(), "owner")
    seed(owner, make_user(owner.agency_id))
    by = person(owner)
    found = count_up(by, OfferFilter(), by.agency.zone)
    euro, lei = found.currencies
    assert (euro.currency, euro.count, euro.best) == ("EUR", 9, 135_000_00)
    assert (euro.median, euro.ratio) == (120_000_00, 9600)
    assert (lei.currency, lei.count, lei.best, lei.ratio, lei.unpriced) == ("RON", 2, 126_000_00, None, 2)
    assert found.summary.seconds_to_decision == 86_400 and found.summary.decided == 5
    assert found.summary.seconds_to_view == 6.5 * 3600 and found.summary.viewed == 8


def figures(client: FlaskClient, query: str) -> list[tuple[str, int]]:
    """The figures of the page that lead to a list, each with the list's address."""
    page = client.get(f"/app/stats?{query}").get_data(as_text=True)
    found = re.findall(r'<a[^>]*href="(/app/offers\?[^"]*)"[^>]*>(\d+)<', page)
    return [(unescape(url), int(count)) for url, count in found]


def filter_of(by: Person, url: str) -> OfferFilter:
    given = dict(pair.split("=") for pair in url.partition("?")[2].split("&"))
    return read_filter(given, by.agency.zone)[0]


def test_the_page_leads_to_lists_of_as_many_offers(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    seed(owner, make_user(owner.agency_id))
    login(client, owner)
    links = figures(client, "from=2026-03-28&to=2026-03-30")
    assert len(links) > 20
    by = person(owner)
    for url, count in links:
        assert count_offers(by, filter_of(by, url)) == count, url
    assert "2 oferte" not in client.get("/app/stats?from=2031-01-01").get_data(as_text=True)


def test_forgetting_people_changes_no_figure_and_no_list_behind_it(either_app: Flask) -> None:
    owner = make_user(make_agency(), "owner")
    seed(owner, make_user(owner.agency_id))
    by, query = person(owner), {"from": "2026-03-28", "to": "2026-04-02"}
    client = either_app.test_client()
    login(client, owner)

    def told() -> tuple[Stats, dict[str, list[uuid.UUID]]]:
        found = count_up(by, read_stats_filter(query, by.agency.zone)[0], by.agency.zone)
        urls = [url for url, _count in figures(client, "from=2026-03-28&to=2026-04-02")]
        return found, {url: [line.id for line in list_offers(by, filter_of(by, url)).lines] for url in urls}

    before = told()
    assert before[0].summary.count == 11 and len(before[1]) > 20
    erasure.erase_all(owner.agency_id, db.session.scalars(select(OfferState.offer_id)).all(), "retention")
    assert told() == before
    check_figures(by, query)


def test_an_agent_sees_their_own_figures_and_a_stranger_none(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    colleague = make_user(owner.agency_id, full_name="Vlad Dănilă")
    euro, _lei = seed(owner, colleague)
    assert count_up(person(colleague), OfferFilter(), "Europe/Bucharest").summary.count == 2
    stranger = make_user(make_agency("Alta"), "owner")
    login(client, stranger)
    for query in (f"property_id={euro.id}", f"agent={colleague.id}", f"agent={colleague.email}"):
        page = client.get(f"/app/stats?{query}").get_data(as_text=True)
        assert "Nicio ofertă în această perioadă" in page and "Mănăștur" not in page and "Vlad" not in page


def test_what_cannot_be_read_is_said(app: Flask, client: FlaskClient) -> None:
    login(client, make_user(make_agency(), "owner"))
    page = client.get("/app/stats?from=ieri&to=2026-13-01&property_id=x").get_data(as_text=True)
    assert page.count("aria-invalid") == 2 and "nu a putut fi citită" in page
    assert "din urmă" not in client.get("/app/stats?from=2026-03-30&to=2026-03-01").get_data(as_text=True)


def test_days_at_the_ends_of_all_calendars_are_counted_like_others(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    make_offer(make_property(owner.agency_id, owner.id))
    login(client, owner)
    for query in ("from=9999-12-31", "to=0001-01-01", "from=0001-01-01&to=9999-12-31", "from=9999-12-31&to=0001-01-01"):
        assert client.get(f"/app/stats?{query}").status_code == 200, query


def test_a_page_costs_the_same_queries_however_many_offers(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    seed(owner, make_user(owner.agency_id))
    login(client, owner)
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    client.get("/app/stats")
    assert 0 < len(statements) <= 12


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_as_many_are_below_the_median_as_above(values: list[int]) -> None:
    middle = tally.median(values)
    assert middle is not None and min(values) <= middle <= max(values)
    assert sum(v < middle for v in values) <= (len(values) + 1) / 2
    assert sum(v > middle for v in values) <= len(values) / 2


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.integers(0, 6000))
def test_periods_cover_every_day_once(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    cuts = tally.periods(first, last, tally.unit_for(first, last))
    assert cuts[0][0] == first and cuts[-1][1] == last and len(cuts) <= 62
    assert all(one[1] + timedelta(days=1) == other[0] for one, other in pairwise(cuts))


@given(st.integers(1, 10**13), st.integers(1, 10**13))
def test_an_amount_is_in_one_band(amount: int, asking: int) -> None:
    low, high = tally.BANDS[tally.band(amount, asking)]
    assert low is None or amount * 100 >= asking * low
    assert high is None or amount * 100 < asking * high


def test_charts_say_what_they_show_and_escape_it() -> None:
    svg = columns("t", [0, 5, 1000], title="<b>", text="a & b")
    assert svg.count("<rect") == 2 and "&lt;b&gt;" in svg and "a &amp; b" in svg and "style" not in svg
    assert 'height="1.50"' in svg
    named = bars("s", [("Nouă <1>", 3), ("Gol", 0)], title="Stare")
    assert "Nouă &lt;1&gt;: 3; Gol: 0" in named and 'role="img"' in named
    assert columns("e", [], title="", text="").count("<rect") == 0
