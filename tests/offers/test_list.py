"""The list of offers: what it shows, filters, counts, pages."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from hypothesis import given as given_by
from hypothesis import strategies as st
from sqlalchemy import event

from app.core.money import Money
from app.extensions import db
from app.models import Offer, Property, User
from app.offers import deciding
from app.offers.list.order import SORTS
from tests.factories import login, make_draft, make_offer, make_property, make_user

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def links(page: str) -> list[str]:
    """The offers of a page, in order."""
    return re.findall(r'id="offer-([0-9a-f-]{36})"', page)


def counts(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'class="count">(\d+)<', page)]


def test_the_newest_offer_stands_first_and_a_new_one_is_marked(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    first, second = make_offer(prop), make_offer(prop)
    login(client, owner)
    page = client.get("/app/offers").get_data(as_text=True)
    assert links(page) == [str(second), str(first)]
    assert page.count("is-new") == 2
    assert "Andrei Țurcanu" in page and "94,8%" in page


def test_status_filter_and_counters_agree(client: FlaskClient, owner: User, prop: Property) -> None:
    offers = [make_offer(prop) for _ in range(3)]
    deciding.decide(offers[0], owner.agency_id, "accepted", by=_actor(owner))
    login(client, owner)
    page = client.get("/app/offers?status=accepted").get_data(as_text=True)
    assert links(page) == [str(offers[0])]
    assert counts(page) == [3, 2, 0, 1, 0]


def test_property_and_financing_filter_what_is_counted_too(client: FlaskClient, owner: User, prop: Property) -> None:
    other = make_property(owner.agency_id, owner.id, title="Garsonieră")
    make_offer(prop)
    wanted = make_offer(other, make_draft(financing="credit"))
    make_offer(other)
    login(client, owner)
    page = client.get(f"/app/offers?property_id={other.id}&financing=credit").get_data(as_text=True)
    assert links(page) == [str(wanted)] and counts(page)[0] == 1
    assert 'action="/app/offers.csv"' in page and f'name="property_id" value="{other.id}"' in page


def test_nonsense_in_the_address_is_left_out(client: FlaskClient, owner: User, prop: Property) -> None:
    offer = make_offer(prop)
    login(client, owner)
    for query in ("after=zz-1", "before=-", "after=" + "f" * 40 + "-" + "0" * 32):
        assert links(client.get(f"/app/offers?{query}").get_data(as_text=True)) == [str(offer)], query


def test_pages_lead_down_and_back_up_without_gap_or_repeat(client: FlaskClient, owner: User, prop: Property) -> None:
    made = [str(make_offer(prop)) for _ in range(60)][::-1]
    login(client, owner)
    seen, url, pages = [], "/app/offers", []
    while url:
        pages.append(client.get(url).get_data(as_text=True))
        seen += links(pages[-1])
        found = re.search(r'rel="next" href="([^"]+)"', pages[-1])
        url = found.group(1) if found else ""
    assert seen == made and len(pages) == 3
    back = re.search(r'rel="prev" href="([^"]+)"', pages[-1])
    assert back and links(client.get(back.group(1)).get_data(as_text=True)) == made[25:50]
    assert 'rel="prev"' not in pages[0]


def test_a_page_costs_the_same_queries_however_many_rows(client: FlaskClient, owner: User, prop: Property) -> None:
    login(client, owner)

    def cost() -> int:
        statements: list[str] = []
        listen = lambda *args: statements.append(args[2])  # noqa: E731
        event.listen(db.engine, "before_cursor_execute", listen)
        assert client.get("/app/offers").status_code == 200
        event.remove(db.engine, "before_cursor_execute", listen)
        return sum("SELECT" in statement for statement in statements)

    make_offer(prop)
    one = cost()
    for _ in range(24):
        make_offer(prop)
    assert cost() == one <= 12


def test_a_first_visit_asks_for_ten_things_at_most(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    page = get(client, "/app/offers")
    files = {path for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page)}
    assert 5 < len(files) <= 9


def test_htmx_gets_the_list_alone_and_back_gets_the_page(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    block = client.get("/app/offers", headers=HTMX).get_data(as_text=True)
    assert block.strip().startswith('<div id="offer-list"') and "<html" not in block
    restored = client.get("/app/offers", headers={"HX-History-Restore-Request": "true"})
    assert "<html" in restored.get_data(as_text=True) and "HX-Request" in restored.headers["Vary"]


def test_marks_stand_beside_the_status(client: FlaskClient, owner: User, prop: Property) -> None:
    first = make_offer(prop)
    reference = links_reference(client, owner)
    make_offer(prop, make_draft(amount=Money(120_000_00, "EUR"), replaces=reference))
    page = client.get("/app/offers").get_data(as_text=True)
    assert page.count("înlocuită") == 1 and str(first) in page


def links_reference(client: FlaskClient, owner: User) -> str:
    login(client, owner)
    found = re.search(r"BF-[0-9A-Z]{8}", client.get("/app/offers").get_data(as_text=True))
    assert found
    return found.group(0)


def _actor(user: User):  # type: ignore[no-untyped-def]
    from app.core.ledger import Actor

    return Actor("user", user.id)


def get(client: FlaskClient, url: str, **headers: str) -> str:
    return client.get(url, headers=headers).get_data(as_text=True)


def test_the_heads_sort_and_say_so(client: FlaskClient, owner: User, prop: Property) -> None:
    low, high = make_offer(prop, make_draft(amount=Money(1_000_00, "EUR"))), make_offer(prop)
    login(client, owner)
    page = get(client, "/app/offers")
    assert '<th role="columnheader" scope="col" aria-sort="descending"><a class="sort" id="sort-submitted_at"' in page
    url = re.search(r'id="sort-amount" href="([^"]+)"', page)
    assert url and links(get(client, url[1])) == [str(high), str(low)]
    url = re.search(r'id="sort-amount" href="([^"]+)"', get(client, url[1]))
    assert url and links(get(client, url[1].replace("&amp;", "&"))) == [str(low), str(high)]


def test_what_is_chosen_can_be_chosen_and_so_outlives_the_next_filter(
    client: FlaskClient, owner: User, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.properties.listing.CHOICES", 1)
    left = make_user(owner.agency_id, full_name="Plecat Demult")
    make_property(owner.agency_id, left.id, title="Aaa")
    left.active, left.account_id = False, None
    db.session.commit()
    login(client, owner)
    page = get(client, f"/app/offers?property_id={prop.id}&agent={left.id}&sort=-financing")
    for value in (prop.id, left.id, "-financing"):
        assert re.search(f'<option value="{value}" selected>', page), value
    assert "După finanțare, invers" in page and "Plecat Demult" in page


def test_each_filter_is_a_chip_that_takes_it_away(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    query = f"property_id={prop.id}&min_amount=100.000&submitted_after=2026-01-02&signed=false&status=new&max_term=90"
    page = get(client, f"/app/offers?{query}")
    for words in ("100.000 EUR", "2 ianuarie 2026", "90 de zile", "EUR", "Nu"):
        assert words.replace(" ", "\u00a0") in page or words in page, words
    chip = re.search(r'id="chip-min_amount"\s+href="([^"]+)"', page)
    assert chip and "min_amount" not in chip[1] and "max_term=90" in chip[1] and "status=new" in chip[1]
    chip = re.search(r'id="chip-currency"\s+href="([^"]+)"', page)
    assert chip and "amount" not in chip[1], "without its currency no amount is compared"


FILTERS: dict[str, list[str]] = {
    "q": ["andrei", "zzz", "0712 034 567", "BF-"],
    "status": ["new", "viewed", "accepted"],
    "financing": ["cash", "credit", "mixed"],
    "source": ["link", "agent"],
    "currency": ["EUR", "RON"],
    "min_amount": ["1", "125001", "none"],
    "max_amount": ["125000", "9999999"],
    "min_term": ["20", "x"],
    "max_term": ["20"],
    "submitted_after": ["2026-01-01", "2999-01-01"],
    "signed": ["true", "false"],
    "latest": ["true", "false"],
    "ratio_from": ["90"],
    "sort": [*SORTS, *(f"-{name}" for name in SORTS)],
}
filters = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FILTERS.items()})


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given_by(query=filters)
def test_the_rows_of_a_fragment_are_those_of_the_page(
    client: FlaskClient, owner: User, prop: Property, query: dict[str, str]
) -> None:
    if not db.session.scalar(db.select(db.func.count()).select_from(Offer)):
        for days in (10, 20, 30, 40):
            make_offer(prop, make_draft(payment_term_days=days, financing="cash" if days < 30 else "credit"))
        login(client, owner)
    texts = []
    for target in (None, "div#offer-list", "div#offer-results"):
        headers = {**HTMX, "HX-Target": target} if target else {}
        texts.append(client.get("/app/offers", query_string=query, headers=headers).get_data(as_text=True))
    page, whole, part = texts
    assert links(page) == links(whole) == links(part)
    assert counts(page) == counts(whole) == counts(part)
    assert "<html" in page and "<html" not in whole
    assert 'id="filter"' in whole and 'id="filter"' not in part


def test_the_address_says_what_is_shown_and_typing_on_is_one_step_back(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    rows = {**HTMX, "HX-Target": "div#offer-results"}

    def told(query: str, current: str) -> tuple[str | None, str | None]:
        here = {"HX-Current-URL": f"http://localhost/app/offers{current}"}
        headers = client.get(f"/app/offers?{query}", headers={**rows, **here}).headers
        return headers.get("HX-Push-Url"), headers.get("HX-Replace-Url")

    assert told("q=pop&status=&financing=", "") == ("/app/offers?q=pop", None)
    assert told("q=popescu&status=&financing=", "?q=pop") == (None, "/app/offers?q=popescu")
    assert told("q=popescu&financing=cash", "?q=popescu") == ("/app/offers?q=popescu&financing=cash", None)
    assert told("min_amount=x", "") == (None, "/app/offers?min_amount=x")
    plain = client.get("/app/offers?q=pop&status=&financing=")
    assert plain.status_code == 303 and plain.location == "/app/offers?q=pop"
    hostile = "q=pop&status=&endpoint=x&offer_id=7&_external=1&_scheme=javascript&_anchor=x&_method=POST"
    assert client.get(f"/app/offers?{hostile}").location == "/app/offers?q=pop"


def test_what_cannot_be_read_is_said_and_exports_nothing(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    for query in ("min_amount=x", "property_id=1", "submitted_after=ieri", "signed=poate", "sort=name", "min_term=-1"):
        page = get(client, f"/app/offers?{query}")
        assert "nu a putut fi citită" in page and not links(page) and "Încă nu sunt oferte" not in page, query
        for file in ("csv", "xlsx"):
            assert client.get(f"/app/offers.{file}?{query}").status_code == 422, query


def test_offers_that_come_in_are_counted_not_shown(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)

    def news(page: str) -> str:
        found = re.search(r'hx-get="(/app/offers/news[^"]+)"', page)
        assert found
        return found[1].replace("&amp;", "&")

    page, cash = get(client, "/app/offers"), get(client, "/app/offers?financing=cash&q=andrei")
    assert client.get(news(page), headers=HTMX).status_code == 204
    make_offer(prop, make_draft(financing="credit"))
    bar = get(client, news(page), **HTMX)
    assert "Arată 1 ofertă nouă" in bar and 'data-count="1"' in bar and client.get(news(bar)).status_code == 204
    assert "Arată" not in get(client, news(cash), **HTMX)
    for _ in range(2):
        make_offer(prop)
    assert "Arată 3 oferte noi" in get(client, news(bar), **HTMX)
    assert "Arată 2 oferte noi" in get(client, news(cash), **HTMX)
    assert client.get("/app/offers/news?seen=x&at=-1", headers=HTMX).status_code == 200


def test_news_of_another_agency_or_agent_is_no_news(client: FlaskClient, owner: User, prop: Property) -> None:
    agent = make_user(owner.agency_id)
    login(client, agent)
    make_offer(prop)
    assert "Arată" not in get(client, "/app/offers/news?seen=0&at=0", **HTMX)
