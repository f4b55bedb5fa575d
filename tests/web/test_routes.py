"""Every route says who may call it, and shows nothing to whom it is not meant for."""

from __future__ import annotations

import re
import uuid
from inspect import iscoroutinefunction
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text
from werkzeug.routing import Rule

from app.accounts import editing as accounts
from app.accounts import invitations
from app.core.access import Person
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import BIDDER, OFFER_LINK, RECEIPT, OfferLink, sign
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.models import Agency, ApiKey, Base, Offer, Passkey, Property, User, UserSession
from app.offers import notes, saved_views
from app.privacy import data_requests
from app.properties import editing as properties
from app.properties import seller_links
from app.web.guards import PEOPLE, Cache, Policy
from app.webhooks import editing as webhooks
from tests.factories import csrf, login, make_agency, make_offer, make_property, make_user

HIDDEN = {404, 405}


def test_every_route_declares_guard_limit_and_cache(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        declared = getattr(app.view_functions[rule.endpoint], "policy", None)
        assert isinstance(declared, Policy), f"{rule} says nothing"
        assert declared.reads and declared.writes and declared.cache, rule


def test_no_view_and_no_hook_is_a_coroutine(app: Flask) -> None:
    """Flask is told so, and asks none of them."""
    hooks = (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs)
    called = [*app.view_functions.values(), *(one for kind in hooks for those in kind.values() for one in those)]
    assert len(called) > 100 and not [one for one in called if iscoroutinefunction(one)]


def _passkey(user: User) -> uuid.UUID:
    row = {"credential_id": b"k", "public_key": b"k", "sign_count": 1, "name": "", "backed_up": True, "used_at": None}
    row |= {"id": uuid.uuid4(), "account_id": user.account_id, "created_at": now()}
    with housekeeping() as connection:
        connection.execute(insert(Passkey), row)
    return row["id"]  # type: ignore[return-value]  # as it was put there


@pytest.fixture
def theirs(app: Flask) -> dict[str, Any]:
    """Everything that another agency has, by the name of the URL's parameter."""
    owner = make_user(make_agency("Cealaltă"), "owner")
    agent = make_user(owner.agency_id)
    prop = make_property(owner.agency_id, agent.id, external_id="CRM-9")
    offer = make_offer(prop)
    accounts.create_api_key(owner.agency_id, "CRM", by=SYSTEM)
    accounts.start_session(agent, "Firefox")
    by = Person(agent, db.session.get_one(Agency, agent.agency_id), uuid.uuid4(), "")
    note = notes.write(db.session.get_one(Offer, offer), "Țurcanu: de sunat", by=by)
    endpoint, _secret = webhooks.create(owner.agency_id, "https://crm.example/bidflux", by=SYSTEM)
    call = webhooks.send_test(webhooks.get_endpoint(owner.agency_id, endpoint), "offer.created", by=SYSTEM)
    data_requests.ask_as_bidder(owner.agency_id, "ana@client.example", "ro")
    asked = data_requests.erasure_of(owner.agency_id, "ana@client.example")
    assert asked
    invitations.invite(owner.agency_id, accounts.NewUser("dan@alta.example", "Dan Țurcanu"), by=SYSTEM)
    return {
        "invitation_id": invitations.waiting_in(owner.agency_id)[0].id,
        "endpoint_id": endpoint,
        "call_id": call,
        "feed_id": feeds.create(owner.agency_id, FeedValues("Mănăștur", "rebs", url="https://crm.example/"), by=SYSTEM),
        "note_id": note,
        "property_id": prop.id,
        "offer_id": offer,
        "external_id": "CRM-9",
        "user_id": agent.id,
        "key_id": db.session.scalars(select(ApiKey.id)).one(),
        "session_id": db.session.scalars(select(UserSession.id)).one(),
        "link_id": seller_links.create(prop, 7, shows_names=False, by=by),
        "view_id": saved_views.save("A lor", {"q": "popescu"}, by=by),
        "kind": "svg",
        "request_id": asked.id,
        "passkey_id": _passkey(agent),
        "name": "x.eml",
        "filename": "nothing",
        "token": "x",
    }


def guarded(app: Flask) -> list[Rule]:
    return [r for r in app.url_map.iter_rules() if app.view_functions[r.endpoint].policy.guard in PEOPLE]


def path(app: Flask, rule: Rule, values: dict[str, Any]) -> str:
    with app.test_request_context():
        return app.url_for(rule.endpoint, **{name: values[name] for name in rule.arguments})


def contents() -> dict[str, list[Any]]:
    rows = {}
    for table in Base.metadata.sorted_tables:
        rows[table.name] = sorted(repr(tuple(row)) for row in db.session.execute(select(table)))
    db.session.rollback()
    return rows


def test_a_stranger_of_another_agency_sees_and_changes_nothing(
    app: Flask, client: FlaskClient, theirs: dict[str, Any]
) -> None:
    login(client, make_user(make_agency("A mea"), "owner"))
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    before = contents()
    for rule in guarded(app):
        if not rule.arguments - {"kind"}:
            continue
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            data = {"csrf_token": token, "status": "accepted", "version": "1", "role": "owner", "on": "0"}
            data["answer"] = "erase"
            answer = client.open(path(app, rule, theirs), method=method, data=data if method == "POST" else None)
            allowed = HIDDEN | ({303} if rule.endpoint == "settings.end_session" else set())
            assert answer.status_code in allowed, f"{method} {rule} answers {answer.status_code}"
            body = answer.get_data(as_text=True)
            assert "Țurcanu" not in body and "Mănăștur" not in body
    assert contents() == before


def test_an_agent_does_not_reach_a_colleagues_rows(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    prop = make_property(owner.agency_id, owner.id)
    offer = make_offer(prop)
    agent = make_user(owner.agency_id)
    login(client, agent)
    for where in (f"/app/offers/{offer}", f"/app/properties/{prop.id}", "/app/settings/users", "/app/settings/api"):
        assert client.get(where).status_code == 404, where
    assert "Țurcanu" not in client.get("/app/offers").get_data(as_text=True)
    assert "Țurcanu" not in client.get("/app/offers.csv").get_data(as_text=True)


def test_who_is_signed_out_is_sent_to_sign_in_and_htmx_leaves_the_page(app: Flask, client: FlaskClient) -> None:
    ids = (
        "view_id", "link_id", "property_id", "offer_id", "user_id", "key_id", "session_id", "endpoint_id", "call_id",
        "feed_id", "invitation_id", "passkey_id",
    )  # fmt: skip
    values = {"kind": "svg", "external_id": "x", **{name: uuid.uuid4() for name in ids}}
    for rule in guarded(app):
        if "GET" in (rule.methods or ()):
            assert "/login" in client.get(path(app, rule, values)).location
    answer = client.get("/app/offers", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"].startswith("/login")


def test_head_is_answered_as_get_and_does_nothing(app: Flask, client: FlaskClient, theirs: dict[str, Any]) -> None:
    """No form's token is asked of it, and checkers of links send it: no page may take it for its button."""
    prop = db.session.get_one(Property, theirs["property_id"])
    owner = db.session.scalars(select(User).where(User.agency_id == prop.agency_id, User.role == "owner")).one()
    login(client, owner)
    offer = db.session.get_one(Offer, theirs["offer_id"])
    client.post(f"/r/{sign(BIDDER, offer.id)}")
    places = [path(app, rule, theirs) for rule in guarded(app) if "GET" in (rule.methods or ())]
    places += [f"/r/offer/{offer.reference}{what}" for what in ("", "/withdraw", "/again", "/erase")]
    places += ["/login", "/login/forgot", "/gdpr/request", "/verify", f"/o/{sign(OFFER_LINK, OfferLink(prop.id, 1))}"]
    places += [f"/r/{sign(RECEIPT, offer.id)}", "/account/x", "/gdpr/request/x"]
    before = contents()
    answers = {where: client.head(where) for where in places}
    assert contents() == before
    assert not any(answer.data for answer in answers.values())
    told = {where: answer.status_code for where, answer in answers.items()}
    assert 422 not in told.values()
    assert {where for where in places if told[where] == 303} == {"/app/", "/login"}, "as a GET is sent on"


def test_opening_a_link_twenty_times_changes_nothing(app: Flask, client: FlaskClient) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    offer = make_offer(prop)
    before = contents()
    for _ in range(10):
        for where in (f"/o/{sign(OFFER_LINK, OfferLink(prop.id, 1))}", f"/r/{sign(RECEIPT, offer)}"):
            assert client.get(where).status_code == 200
            assert client.head(where).status_code == 200
    assert contents() == before


def test_every_answer_carries_the_headers(app: Flask, client: FlaskClient) -> None:
    for where, status in (("/", 200), ("/nu", 404), ("/o/x", 404), ("/healthz", 200), ("/login", 200)):
        answer = client.get(where)
        assert answer.status_code == status
        csp = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in csp and "frame-ancestors 'none'" in csp
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"]
        assert answer.headers["Cache-Control"]
    private = client.get("/o/x").headers
    assert private["Referrer-Policy"] == "no-referrer" and private["Cache-Control"] == "no-store"
    assert "noindex" in private["X-Robots-Tag"] and "Set-Cookie" not in private


def test_a_static_file_is_kept_for_ever_and_brings_no_cookie(client: FlaskClient) -> None:
    page = client.get("/login").get_data(as_text=True)
    asset = re.findall(r'href="(/static/[^"]+[?]v=[^"]+)"', page)[0]
    login(client, make_user(make_agency()))
    for where, cache in ((asset, Cache.FOREVER.value), (asset.partition("?")[0], "no-cache")):
        with client.get(where) as answer:
            assert answer.headers["Cache-Control"] == cache and "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("language", ["ro", "en"])
@pytest.mark.parametrize(("state", "status"), [("off", 410), ("rotated", 410), ("closed", 410), ("not_open", 403)])
def test_each_state_of_a_link_has_its_page(
    app: Flask, client: FlaskClient, state: str, status: int, language: str
) -> None:
    from datetime import timedelta

    from app.core.clock import now

    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    where = f"/{language}/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    if state == "off":
        properties.change(prop, {"accepts_offers": False}, by=SYSTEM)
    elif state == "rotated":
        properties.rotate_link(prop, by=SYSTEM)
    elif state == "closed":
        properties.change(prop, {"offers_close_at": now() - timedelta(hours=1)}, by=SYSTEM)
    else:
        properties.change(prop, {"offers_open_at": now() + timedelta(days=1)}, by=SYSTEM)
    answer = client.get(where)
    assert answer.status_code == status
    page = answer.get_data(as_text=True)
    assert "Ioana Ștefănescu" in page and "+40 712 034 567" in page and f'lang="{language}"' in page
    if state == "closed":
        held = db.session.get_one(Property, prop.id)
        properties.change(held, {"offers_close_at": now() + timedelta(days=1)}, by=SYSTEM)
        assert client.get(where).status_code == 200, "an extended window keeps the link"


def test_signing_in_is_throttled_and_sessions_can_be_ended(app: Flask, client: FlaskClient) -> None:
    user: User = make_user(make_agency(), "owner")
    login(client, user)
    assert client.get("/app/offers").status_code == 200
    db.session.execute(text("DELETE FROM user_session"))
    db.session.commit()
    assert client.get("/app/offers").status_code == 303
    other = app.test_client()
    token = csrf(other.get("/login").get_data(as_text=True))
    codes = [
        other.post("/login", data={"email": user.email, "password": "", "csrf_token": token}).status_code
        for _ in range(32)
    ]
    assert codes[0] == 422 and codes[-1] == 429


def test_what_was_signed_in_as_is_renewed(app: Flask, client: FlaskClient) -> None:
    user = make_user(make_agency())
    client.get("/login")
    before = client.get_cookie("bidflux")
    login(client, user)
    after = client.get_cookie("bidflux")
    assert before and after and before.value != after.value
    cookies = app.test_client().get("/login").headers.getlist("Set-Cookie")
    [cookie] = [one for one in cookies if one.startswith("bidflux=")]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
