"""Every page of the product answers on PostgreSQL as it does on SQLite."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.routing import BuildError

from app.core.signed_links import BIDDER, OFFER_LINK, RECEIPT, SELLER, OfferLink, sign
from app.extensions import db
from app.models import User
from tests.busy import fill
from tests.factories import login, make_agency, make_user

FRAGMENTS = {"offers.news"}
# What needs another token, a file that nobody made yet, or development, and answers accordingly.
NOT_HERE = {
    "accounts.choose_password", "accounts.factor", "accounts.issuer_back", "accounts.issuer_login", "accounts.set_up",
    "accounts.start", "offers.confirmation", "offers.receipt_pdf", "offers.signature", "ops.index", "properties.photo",
    "public.data_copy_json", "public.data_copy_pdf", "public.own_receipt", "public.photo", "public.prove_address",
    "public.receipt_pdf", "public.shared_photo", "site.outbox", "site.styleguide",
}  # fmt: skip


@pytest.fixture
def owner(either_app: Flask) -> User:
    return make_user(make_agency(), "owner")


@pytest.fixture
def client_of(either_app: Flask, owner: User) -> FlaskClient:
    """The owner's browser."""
    client = either_app.test_client()
    login(client, owner)
    return client


def let_in(client: FlaskClient, door: str) -> None:
    """Press the button behind a private link."""
    assert client.post(door).status_code == 303


def addresses(app: Flask, client: FlaskClient, owner: User) -> dict[str, str]:
    """Every route that can be opened, by its endpoint: with ids of an agency that has much of everything in it."""
    known = fill(owner)
    offer, link = known["offers"][0], known["link_id"]
    for door in (f"/r/{sign(BIDDER, offer)}", f"/s/{sign(SELLER, link)}"):
        let_in(client, door)
    tokens = {"public.receipt": sign(RECEIPT, offer), "public.seller_landing": sign(SELLER, link)}
    usual = sign(OFFER_LINK, OfferLink(known["property_id"], 1))
    found = {}
    with app.test_request_context():
        adapter = app.create_url_adapter(None) or app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if "GET" not in (rule.methods or set()) or rule.endpoint == "static":
                continue
            given = {**known, "token": tokens.get(rule.endpoint, usual)}
            values = {name: value for name, value in given.items() if name in rule.arguments}
            try:
                found[rule.endpoint] = adapter.build(rule.endpoint, values)
            except BuildError:
                continue
    chosen = "&".join(f"offer={one}" for one in known["offers"][:6])
    for endpoint in ("offers.compare", "offers.decision", "offers.better"):
        found[endpoint] += f"?status=rejected&{chosen}"
    found["decided"] = f"/app/offers/{known['decided']}"
    found["accepting"] = f"/app/offers/decision?status=accepted&offer={offer}"
    found["filtered"] = "/app/offers?status=accepted&financing=cash"
    found["searched"] = "/app/offers?q=andrei"
    found["nothing found"] = "/app/properties?q=nimic"
    found["who saw a person"] = "/app/settings/access?email=andrei.turcanu@client.example"
    return {name: path for name, path in found.items() if not name.startswith("accounts.log")}


def test_every_page_opens_and_asks_at_most_twelve_questions(
    either_app: Flask, client_of: FlaskClient, owner: User
) -> None:
    pages = addresses(either_app, client_of, owner)
    asked: list[str] = []
    costly: dict[str, int] = {}
    shut = set()

    def listen(*args: Any) -> None:
        asked.extend([args[2]] if args[2].lstrip().startswith(("SELECT", "WITH")) else [])

    def look(name: str, **headers: str) -> None:
        asked.clear()
        got = client_of.get(pages[name], headers=headers, environ_overrides={"REMOTE_ADDR": "127.0.0.1"}).status_code
        assert got < 500, (name, got)
        shut.update({name} if got != 200 else ())
        if got == 200 and len(asked) > 12:
            costly[name] = len(asked)

    event.listen(db.engine, "before_cursor_execute", listen)
    for name in pages:  # read ahead, a page writes nothing down
        look(name, **{"Sec-Purpose": "prefetch"}, **({"HX-Request": "true"} if name in FRAGMENTS else {}))
    look("offers.show")
    assert costly.pop("offers.show") <= 20, "that it becomes viewed is a unit of work of its own, before the page"
    for name in ("offers.show", "decided", "offers.compare", "settings.webhook_call", "searched", "who saw a person"):
        look(name)
    event.remove(db.engine, "before_cursor_execute", listen)
    assert costly == {}
    assert {name for name in shut if not name.startswith("api.")} == NOT_HERE
    for query in ("status=new", "financing=cash", "after=x", "q=%C8%99"):
        assert client_of.get(f"/app/offers?{query}").status_code < 500
