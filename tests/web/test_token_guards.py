"""Whoever has no good token never reaches a route behind one: each route is tried with every token that is not good."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from app.accounts import editing as accounts
from app.accounts import invitations
from app.core import signed_links as links
from app.core.clock import now
from app.core.errors import TooMany
from app.core.ledger import SYSTEM
from app.core.signed_links import Device, OfferLink, Purpose, Stamp, TimedId, read, sign
from app.extensions import db
from app.models import Offer, OfferRequest, PrivacyRequest, Property, User
from app.offers import better_offers
from app.outbound.images import read_photo
from app.privacy import data_requests, erasure
from app.properties import editing as properties
from app.properties import seller_links
from app.web import guards
from app.web.guards import BY_TOKEN, Guard, Policy, policy
from app.web.loaders import ByCookie, ByLink
from tests.api.test_photos import picture
from tests.factories import PASSWORD, make_agency, make_offer, make_property, make_user, person_of
from tests.web.test_routes import contents

NO_TOKEN = "not-a-token-of-ours"
REFUSED = {403, 404, 410, 204}
PERSONAL = ("Țurcanu", "turcanu", "dan@agentie.example")
ADDRESSES = (f"198.51.{n // 250}.{n % 250 + 1}" for n in itertools.count())


@dataclass
class World:
    """One of everything that a token opens, and what a good token of each purpose holds."""

    owner: User
    prop: Property
    offer: Offer
    seller: uuid.UUID
    payloads: dict[Purpose[Any], Any]

    def token(self, purpose: Purpose[Any]) -> str:
        return sign(purpose, self.payloads[purpose])

    def path(self, app: Flask, rule: Rule, token: str = "") -> str:
        known = {"token": token, "reference": self.offer.reference, "link_id": self.seller}
        with app.test_request_context():
            return app.url_for(rule.endpoint, **{name: known[name] for name in rule.arguments})


@pytest.fixture
def world(app: Flask) -> World:
    owner = make_user(make_agency(), "owner")
    agency, by = owner.agency_id, person_of(owner)
    colleague = make_user(agency)
    prop = make_property(agency, owner.id)
    properties.set_photo(prop, read_photo(picture()), by=SYSTEM)
    offer = make_offer(prop)
    better_offers.ask([offer], now() + timedelta(days=1), None, by=by)
    seller = seller_links.create(prop, 7, shows_names=True, by=by)
    data_requests.ask(agency, "access", "ana@client.example", "ro")
    invitations.invite(agency, accounts.NewUser("dan@agentie.example", "Dan"), by=SYSTEM)
    (invited,) = invitations.waiting_in(agency)
    prop = db.session.get_one(Property, prop.id)
    payloads: dict[Purpose[Any], Any] = {
        links.OFFER_LINK: OfferLink(prop.id, prop.link_version),
        links.REQUEST: db.session.scalars(select(OfferRequest.id)).one(),
        links.RECEIPT: offer,
        links.BIDDER: offer,
        links.BIDDER_PASS: TimedId(offer, 2e9),
        links.SELLER: seller,
        links.SELLER_PASS: TimedId(seller, 2e9),
        links.PRIVACY: db.session.scalars(select(PrivacyRequest.id)).one(),
        links.ACCOUNT: read(links.ACCOUNT, invitations.account_token(colleague, 2e9)),
        links.INVITATION: TimedId(invited.id, invited.invited_at.timestamp()),
        links.SETUP: uuid.uuid4(),
        links.PHOTO: prop.photo_id,
        links.DEVICE: Device(uuid.uuid4(), bytes(12)),
        links.STAMP: Stamp(prop.id, bytes(16), 1.0),
        links.CURSOR: b"x",
    }
    return World(owner, prop, db.session.get_one(Offer, offer), seller, payloads)


def declared(app: Flask, rule: Rule) -> Policy:
    found = app.view_functions[rule.endpoint].policy  # type: ignore[attr-defined]
    assert isinstance(found, Policy)
    return found


def calls(app: Flask, *guards: Guard) -> Iterator[tuple[Rule, str]]:
    """Each route behind one of these guards, with each of its methods."""
    for rule in app.url_map.iter_rules():
        if declared(app, rule).guard in guards:
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                yield rule, method


def takes(app: Flask, rule: Rule) -> set[Purpose[Any]]:
    loader = declared(app, rule).opens
    return (
        set(loader.loads) if isinstance(loader, ByLink) else {loader.purpose} if isinstance(loader, ByCookie) else set()
    )


def answer(
    app: Flask, world: World, rule: Rule, method: str, token: str, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """What a browser is told that has this token, in its path or as its cookie, and no other."""
    browser = FlaskClient(app, app.response_class)
    if "token" not in rule.arguments and token:
        (purpose,) = takes(app, rule)
        browser.set_cookie(purpose.name.removesuffix("-pass"), token)
    where = world.path(app, rule, token)
    told = browser.open(where, method=method, headers=headers, environ_overrides={"REMOTE_ADDR": next(ADDRESSES)})
    body = "" if told.mimetype.startswith("image/") else told.get_data(as_text=True)
    return told.status_code, re.sub(r"\b[0-9a-f]{16}\b", "", body.replace(token, "") if token else body)


def of_strangers(app: Flask, purposes: set[Purpose[Any]], world: World) -> list[str]:
    """Right in all but the key that signed them."""
    mine, app.config["SECRET_KEY"] = app.config["SECRET_KEY"], "n" * 40
    tokens = [world.token(purpose) for purpose in purposes]
    app.config["SECRET_KEY"] = mine
    return tokens


def test_every_route_with_a_token_in_its_path_is_behind_a_guard_that_reads_it(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        guard = declared(app, rule).guard
        assert ("token" in rule.arguments) == (guard is Guard.LINK), rule
        assert bool(takes(app, rule)) == (guard in BY_TOKEN), rule


def test_a_good_token_opens_each_route(app: Flask, world: World) -> None:
    """Else what follows would show nothing."""
    not_yet = {"accounts.set_up"}  # there is an agency here: tests/accounts/test_founding.py opens it
    not_yet |= {"public.data_copy_json", "public.data_copy_pdf", "public.receipt_pdf", "public.own_receipt"}
    for rule, method in calls(app, *BY_TOKEN):
        if method == "GET" and rule.endpoint not in not_yet:
            for purpose in takes(app, rule):
                assert answer(app, world, rule, method, world.token(purpose))[0] == 200, (rule, purpose.name)


def test_a_strangers_token_or_another_purposes_is_no_better_than_none(app: Flask, world: World) -> None:
    before = contents()
    for rule, method in calls(app, *BY_TOKEN):
        status, page = nothing = answer(app, world, rule, method, NO_TOKEN)
        assert status in REFUSED and not any(one in page for one in (*PERSONAL, "Mănăștur")), rule
        wanted = takes(app, rule)
        for token in (
            *(world.token(other) for other in set(world.payloads) - wanted),
            *of_strangers(app, wanted, world),
        ):
            assert answer(app, world, rule, method, token) == nothing, (method, rule)
    assert contents() == before


def test_a_token_of_what_does_not_exist_opens_nothing(app: Flask, world: World) -> None:
    before, gone = contents(), uuid.uuid4()
    for rule, method in calls(app, *BY_TOKEN):
        for purpose in takes(app, rule):
            payload = world.payloads[purpose]
            other = sign(
                purpose, payload._replace(**{payload._fields[0]: gone}) if isinstance(payload, tuple) else gone
            )
            status, page = answer(app, world, rule, method, other)
            assert status in REFUSED and not any(one in page for one in (*PERSONAL, "Mănăștur")), (method, rule)
    assert contents() == before


def test_a_cookie_that_is_over_or_of_another_row_opens_nothing(app: Flask, world: World) -> None:
    other = make_offer(world.prop)
    link = seller_links.create(world.prop, 7, shows_names=True, by=person_of(world.owner))
    before = contents()
    for rule, method in calls(app, Guard.BIDDER, Guard.SELLER):
        (purpose,) = takes(app, rule)
        mine = world.payloads[purpose].id
        nothing = answer(app, world, rule, method, "")
        assert nothing[0] == 403
        for held in (TimedId(mine, now().timestamp() - 1), TimedId(other, 2e9), TimedId(link, 2e9)):
            assert answer(app, world, rule, method, sign(purpose, held)) == nothing, (method, rule)
    assert contents() == before


def test_another_origins_page_presses_no_button_behind_a_cookie(app: Flask, world: World) -> None:
    """A neighbouring subdomain is the same site: SameSite=Strict sends the cookie along with a form of its page."""
    elsewhere = (
        {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "x"},
        {"Origin": "http://neighbour.localhost"}, {"Origin": "https://localhost"}, {"Origin": "http://localhost:81"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
    )  # fmt: skip
    here = ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": "http://localhost"}, {"Origin": "null"}, {})
    before, tried = contents(), 0
    for rule, method in calls(app, Guard.BIDDER, Guard.SELLER):
        (purpose,) = takes(app, rule)
        nothing, good = answer(app, world, rule, method, ""), sign(purpose, world.payloads[purpose])
        for headers in elsewhere:
            told = answer(app, world, rule, method, good, headers)
            assert (told == nothing) is (method == "POST"), (rule, headers)
            tried += method == "POST"
    assert tried >= 4 * len(elsewhere) and contents() == before
    for rule, method in calls(app, Guard.BIDDER):
        for headers in here if rule.endpoint == "public.withdraw" and method == "POST" else ():
            assert (
                answer(app, world, rule, method, sign(links.BIDDER_PASS, world.payloads[links.BIDDER_PASS]), headers)[0]
                == 303
            )


def erase(world: World) -> None:
    erasure.erase_all(world.owner.agency_id, [world.offer.id], "person")


def colleague(world: World) -> User:
    return db.session.get_one(User, world.payloads[links.ACCOUNT].user_id)


def revoke(world: World) -> None:
    seller_links.revoke(world.prop, world.seller, by=person_of(world.owner))


def changed(**values: Any) -> Callable[[World], None]:
    return lambda world: properties.change(world.prop, values, by=SYSTEM)


CLOSED = {"public.offer": {410}, "public.photo": {404}, "public.seen": {204}}
LANDING = {"public.seller_landing": {410}, "public.enter_as_seller": {410}}
# How a token that was good ends, after how many days, and what each route that takes it then answers.
ENDED: dict[str, tuple[Purpose[Any], Callable[[World], Any], int, dict[str, set[int]]]] = {
    "rotated": (links.OFFER_LINK, lambda one: properties.rotate_link(one.prop, by=SYSTEM), 0, CLOSED),
    "turned off": (links.OFFER_LINK, changed(accepts_offers=False), 0, CLOSED),
    "window over": (links.OFFER_LINK, changed(offers_close_at=now() + timedelta(hours=1)), 1, CLOSED),
    "deadline over": (links.REQUEST, lambda one: None, 2, CLOSED),
    "asked, then erased": (links.REQUEST, erase, 0, {**CLOSED, "public.offer": {404}}),
    "seller's link over": (links.SELLER, lambda one: None, 8, LANDING),
    "seller's link revoked": (links.SELLER, revoke, 0, LANDING),
    "seller's link over, page open": (links.SELLER_PASS, lambda one: None, 8, {"public.seller": {410}}),
    "seller's link revoked, page open": (links.SELLER_PASS, revoke, 0, {"public.seller": {410}}),
    "request lapsed": (
        links.PRIVACY,
        lambda one: None,
        8,
        {"public.prove_address": {410}, "public.data_copy_json": {404}, "public.data_copy_pdf": {404}},
    ),
    "password chosen": (
        links.ACCOUNT,
        lambda one: accounts.set_password(colleague(one), PASSWORD + " nouă", by=SYSTEM),
        0,
        {"accounts.choose_password": {410}},
    ),
    "account's link over": (links.ACCOUNT, lambda one: None, 4000, {"accounts.choose_password": {410}}),
    "invitation over": (links.INVITATION, lambda one: None, 8, {"accounts.choose_password": {410}}),
    "invited again": (
        links.INVITATION,
        lambda one: invitations.ask_again(one.owner.agency_id, one.payloads[links.INVITATION].id, by=SYSTEM),
        0,
        {"accounts.choose_password": {410}},
    ),
    "invited no more": (
        links.INVITATION,
        lambda one: invitations.withdraw(one.owner.agency_id, one.payloads[links.INVITATION].id, by=SYSTEM),
        0,
        {"accounts.choose_password": {410}},
    ),
    "photo removed": (
        links.PHOTO,
        lambda one: properties.set_photo(one.prop, None, by=SYSTEM),
        0,
        {"public.shared_photo": {404}},
    ),
}


@pytest.mark.parametrize("how", ENDED)
def test_a_token_that_was_good_ends(app: Flask, world: World, how: str) -> None:
    purpose, end, days, expected = ENDED[how]
    token = world.token(purpose)
    end(world)
    before = contents()
    with time_machine.travel(now() + timedelta(days=days)):
        told: dict[str, set[int]] = {}
        for rule, method in calls(app, *BY_TOKEN):
            if purpose in takes(app, rule):
                status, page = answer(app, world, rule, method, token)
                told.setdefault(rule.endpoint, set()).add(status)
                assert not any(one in page for one in PERSONAL), rule
    assert told == expected
    assert contents() == before


def test_who_was_forgotten_is_shown_nowhere(app: Flask, world: World) -> None:
    """Their links stay: that an offer was made is no secret to who made it. Of the person nothing is left."""
    erase(world)
    told: dict[str, set[int]] = {}
    for rule, method in calls(app, *BY_TOKEN):
        for purpose in takes(app, rule) & {
            links.RECEIPT,
            links.BIDDER,
            links.BIDDER_PASS,
            links.SELLER,
            links.SELLER_PASS,
        }:
            status, page = answer(app, world, rule, method, world.token(purpose))
            assert not any(one in page for one in PERSONAL), (method, rule)
            told.setdefault(rule.endpoint, set()).add(status)
    assert told["public.own_data"] == told["public.ask_to_be_forgotten"] == told["public.receipt_pdf"] == {404}
    assert max(itertools.chain(*told.values())) < 500


def test_limits_come_before_tokens(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses is counted, and past the limit is not told whether a token is good."""

    def past(*_names: object, **_how: object) -> None:
        raise TooMany(60)

    monkeypatch.setattr(guards, "hit", past)
    for rule, method in calls(app, *BY_TOKEN):
        for token in (NO_TOKEN, *(world.token(purpose) for purpose in takes(app, rule))):
            assert answer(app, world, rule, method, token)[0] == 429, rule


@pytest.mark.parametrize("guard", sorted(BY_TOKEN, key=str))
def test_a_route_that_forgets_its_loader_stops_the_start(guard: Guard) -> None:
    def view(_row: object) -> str:
        return ""

    with pytest.raises(TypeError, match="view"):
        policy(guard, limit="1/minute")(view)
    other = (
        ByLink({links.RECEIPT: str})
        if guard is not Guard.LINK
        else ByCookie(Guard.SELLER, links.SELLER_PASS, uuid.UUID, str)
    )
    with pytest.raises(TypeError, match="view"):
        policy(guard, limit="1/minute", opens=other)(view)
    with pytest.raises(TypeError, match="view"):
        policy(Guard.PUBLIC, limit="1/minute", opens=other)(view)
