"""An offer within its list: the way back, the ones beside it, and offers that wait in reserve."""

from __future__ import annotations

import re
import uuid
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from app.core.money import Money
from app.extensions import db
from app.models import Property, User
from app.offers import deciding
from app.offers.document import Bidder
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user, person_of


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


def offer(prop: Property, name: str, amount: int) -> uuid.UUID:
    bidder = Bidder(name, f"{name.split()[0].lower()}@client.example", "+40722000111")
    return make_offer(prop, make_draft(bidder=bidder, amount=Money(amount * 100, prop.currency)))


def beside(page: str) -> dict[str, str]:
    """Where j and k lead: the key, and the address."""
    found = re.findall(r'<a class="around-step" href="([^"]+)" data-key="(\w)"', page)
    return {key: unescape(url) for url, key in found}


def accept(offer_id: uuid.UUID, owner: User) -> None:
    deciding.decide(offer_id, owner.agency_id, "accepted", by=person_of(owner).actor)


@pytest.mark.parametrize(
    "query", ["", "sort=amount", "sort=-amount&currency=EUR", "q=pop&sort=-payment_term_days", "sort=valid_until"]
)
def test_j_and_k_walk_the_list_that_the_offer_was_opened_from(client: FlaskClient, prop: Property, query: str) -> None:
    made = [offer(prop, f"{name} Pop", amount) for name, amount in (("Ana", 90), ("Dan", 70), ("Ion", 80), ("Mia", 60))]
    listed = client.get(f"/app/offers?{query}").get_data(as_text=True)
    urls = [unescape(url) for url in re.findall(r'id="offer-[0-9a-f-]{36}" href="([^"]+)"', listed)]
    assert len(urls) == len(made)
    walked, url = [urls[0]], urls[0]
    while next_url := beside(client.get(url).get_data(as_text=True)).get("j"):
        walked.append(next_url)
        url = next_url
    assert walked == urls
    back = [urls[-1]]
    while before := beside(client.get(back[-1]).get_data(as_text=True)).get("k"):
        back.append(before)
    assert back == urls[::-1]


def test_among_the_new_ones_j_goes_on_though_what_was_opened_is_new_no_more(
    client: FlaskClient, prop: Property
) -> None:
    made = [offer(prop, f"{name} Pop", 90) for name in ("Ana", "Dan", "Ion")]
    opened, url = [made[-1]], f"/app/offers/{made[-1]}?status=new&q=pop"
    while next_url := beside(client.get(url).get_data(as_text=True)).get("j"):
        opened.append(uuid.UUID(re.findall(r"/app/offers/([0-9a-f-]{36})", next_url)[0]))
        url = next_url
    assert opened == made[::-1]


def test_an_answer_and_a_note_keep_the_list(client: FlaskClient, owner: User, prop: Property) -> None:
    first = offer(prop, "Ana Pop", 90)
    page = unescape(client.get(f"/app/offers/{first}?status=new&sort=submitted_at").get_data(as_text=True))
    assert '<a class="crumb" href="/app/offers?status=new&sort=submitted_at">' in page
    assert f'action="/app/offers/{first}/notes?status=new&sort=submitted_at"' in page
    assert f"next=/app/offers/{first}?status%3Dnew%26sort%3Dsubmitted_at" in page


def test_the_neighbours_are_ones_own(client: FlaskClient, prop: Property) -> None:
    stranger = make_user(make_agency("Alta"), "owner")
    foreign = make_property(stranger.agency_id, stranger.id)
    offer(foreign, "Zoe Alta", 10)
    mine = offer(prop, "Ana Pop", 90)
    offer(foreign, "Zoe Alta", 10)
    assert beside(client.get(f"/app/offers/{mine}").get_data(as_text=True)) == {}


def test_others_wait_in_reserve_while_one_is_accepted(client: FlaskClient, owner: User, prop: Property) -> None:
    waiting, taken = offer(prop, "Ana Pop", 90), offer(prop, "Dan Pop", 95)
    elsewhere = offer(make_property(owner.agency_id, owner.id), "Ion Pop", 80)
    assert "în rezervă" not in client.get("/app/offers").get_data(as_text=True)
    accept(taken, owner)
    listed = client.get("/app/offers").get_data(as_text=True)
    rows = re.findall(r'<tr role="row" class="is-link.*?</tr>', listed, re.S)
    marked = {
        found.group(1) for row in rows if "în rezervă" in row and (found := re.search(r'id="offer-([^"]+)"', row))
    }
    assert marked == {str(waiting)}
    assert "în rezervă" in client.get(f"/app/offers/{waiting}").get_data(as_text=True)
    assert "în rezervă" not in client.get(f"/app/offers/{elsewhere}").get_data(as_text=True)


def test_the_page_of_an_offer_costs_few_queries(client: FlaskClient, owner: User, prop: Property) -> None:
    made = [offer(prop, "Ana Pop", 90 + n) for n in range(3)]
    accept(made[1], owner)
    client.get(f"/app/offers/{made[1]}")  # the first opening is also written down
    statements: list[str] = []
    listen = lambda *args: statements.append(args[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    client.get(f"/app/offers/{made[1]}", headers={"Sec-Purpose": "prefetch"})
    event.remove(db.engine, "before_cursor_execute", listen)
    assert sum("SELECT" in statement for statement in statements) <= 12, "\n".join(
        s.replace("\n", " ")[:40] + " … " + s.replace("\n", " ")[s.find("FROM") :][:110] for s in statements
    )
