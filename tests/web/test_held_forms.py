"""What was typed stays: in another language, after signing in once more, after a page that was open for too long."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Note, Property, User, UserSession
from app.web.form_filling import fill
from tests.factories import PASSWORD, login, make_agency, make_offer, make_property, make_user
from tests.fields import Page

TYPED = "Ștefan „<b>\" & 'x' </textarea>\r\n\r\n  doi"
TEMPLATES = Path(__file__).parents[2] / "app" / "templates"


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id, external_id="crm-1")


def text(response: TestResponse) -> str:
    return response.get_data(as_text=True)


def switched(client: FlaskClient, page: Page, name: str, /, **typed: Any) -> TestResponse:
    """Press the switch of language, without scripts."""
    way = page.switch()
    assert way.tag == "button" and way.get("form") == name
    data = page.fields(name, **typed)
    data.add(way.get("name") or "", way.get("value") or "")
    return client.post(way.get("formaction") or "", data=data)


def ended() -> None:
    with housekeeping() as connection:
        connection.execute(delete(UserSession))


PAGES = {
    "edit": ("/app/properties/{prop}/edit", "main-form", {"description": TYPED, "rooms": "7"}),
    "new": ("/app/properties/new", "main-form", {"title": "Casă <i>", "description": TYPED, "rule_type": "hidden"}),
    "crm": ("/app/properties/external/crm-1", "main-form", {"accepts_offers": None, "signature_required": "y"}),
    "record": (
        "/app/properties/{prop}/offers/new", "main-form",
        {"full_name": "A & I", "message": TYPED, "financing": "mixed", "conditions": ["bank_approval", "home_sale"]},
    ),
    "note": ("/app/offers/{offer}", "note-form", {"text": TYPED}),
    "decision": (
        "/app/offers/decision?offer={offer}&status=accepted", "decision-form",
        {"reason": TYPED, "message": TYPED, "notify_bidder": "y"},
    ),
    "better": ("/app/offers/better?offer={offer}", "better-form", {"message": TYPED, "until": "2027-01-01T10:00"}),
    "profile": ("/app/settings", "main-form", {"full_name": "Alt Nume", "language": "en"}),
    "agency": ("/app/settings/agency", "main-form", {"name": "Altă agenție", "zone": "Europe/London"}),
    "users": ("/app/settings/users", "main-form", {"full_name": "Nou", "email": "nou@x.example", "role": "owner"}),
    "api": ("/app/settings/api", "main-form", {"name": "CRM", "scope": "read", "days": "90"}),
    "notice": ("/app/settings/notice", "main-form", {"ro": TYPED, "en": "x\r\ny"}),
    "retention": ("/app/settings/retention", "main-form", {}),
    "webhooks": ("/app/settings/webhooks", "main-form", {"url": "https://x.example/h", "events": ["offer.created"]}),
    "feeds": ("/app/settings/feeds", "main-form", {}),
    "login": ("/login/forgot", "main-form", {"email": "x@y.example"}),
    "privacy": ("/gdpr/request?agency={agency}", "main-form", {"email": "x@y.example", "kind": "erasure"}),
}  # fmt: skip


def place(name: str, prop: Property) -> tuple[str, str, dict[str, Any]]:
    path, form, typed = PAGES[name]
    offer = make_offer(prop) if "{offer}" in path else ""
    return path.format(prop=prop.id, offer=offer, agency=prop.agency_id), form, typed


@pytest.mark.parametrize("name", PAGES)
def test_another_language_keeps_what_was_typed(client: FlaskClient, prop: Property, name: str) -> None:
    path, form, typed = place(name, prop)
    shown = client.get(f"/ro{path}")
    page = Page(text(shown))
    before = page.fields(form, **typed)
    there = switched(client, page, form, **typed)
    assert there.status_code == 200, there.location
    other = Page(text(there))
    assert other.root.get("lang") == "en"
    back = switched(client, other, form)
    for one in (there, back):
        after = Page(text(one)).fields(form)
        for field in before:
            if field not in {"csrf_token", "next", "held_page", "stamp"}:
                assert after.getlist(field) == before.getlist(field), field
    assert Page(text(back)).root.get("lang") == "ro"


@pytest.mark.parametrize("name", ["edit", "note", "decision", "agency", "users"])
def test_a_switch_of_language_changes_nothing(client: FlaskClient, prop: Property, name: str) -> None:
    path, form, typed = place(name, prop)
    switched(client, Page(text(client.get(path))), form, **typed)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Note)) == 0
    assert db.session.scalar(select(func.count()).select_from(User)) == 1
    assert db.session.scalars(select(Property.version)).one() == prop.version


@pytest.mark.parametrize("name", ["edit", "crm", "record", "users"])
def test_a_page_that_answers_a_form_keeps_what_was_typed(client: FlaskClient, prop: Property, name: str) -> None:
    path, form, typed = place(name, prop)
    wrong = {
        "edit": {"title": ""}, "crm": {"offers_close_at": "mâine"}, "record": {"amount": "?"}, "users": {"email": "?"},
    }[name]  # fmt: skip
    page = Page(text(client.get(path)))
    answer = client.post(path, data=page.fields(form, **{**typed, **wrong}))
    assert answer.status_code == 422
    there = switched(client, Page(text(answer)), form)
    after = Page(text(there)).fields(form)
    for field, value in {**typed, **wrong}.items():
        assert after.getlist(field) == ([] if value is None else value if isinstance(value, list) else [value])


SENDING = {
    "edit": ("/app/properties/{prop}/edit", "/app/properties/{prop}/edit", "/edit"),
    "note": ("/app/offers/{offer}", "/app/offers/{offer}/notes", "/notes"),
    "decision": ("/app/offers/decision?offer={offer}&status=accepted", "/app/offers/decision", "decision-form"),
    "better": ("/app/offers/better?offer={offer}", "/app/offers/better", "better-form"),
    "record": ("/app/properties/{prop}/offers/new", "/app/properties/{prop}/offers/new", "main-form"),
    "notice": ("/app/settings/notice", "/app/settings/notice", "main-form"),
}


@pytest.mark.parametrize("prefix", ["", "/en"])
@pytest.mark.parametrize("name", SENDING)
def test_after_signing_in_again_the_typed_text_is_there(
    client: FlaskClient, prop: Property, owner: User, name: str, prefix: str
) -> None:
    offer = make_offer(prop)
    path, target, form = (one.format(prop=prop.id, offer=offer) for one in SENDING[name])
    typed = PAGES[name][2]
    page = Page(text(client.get(prefix + path)))
    sent = page.fields(form, **typed)
    ended()
    referer = {"Referer": "http://localhost" + prefix + path}
    door = client.post(prefix + target, data=sent, headers=referer)
    assert door.status_code == 401
    missed = Page(text(door)).fields("main-form", email=owner.email, password="nu e asta")
    door = client.post(f"{prefix}/login", data=missed)
    assert door.status_code == 422
    entered = client.post(
        f"{prefix}/login", data=Page(text(door)).fields("main-form", email=owner.email, password=PASSWORD)
    )
    assert entered.status_code == 200
    onward = Page(text(entered)).root.find(".//form[@data-resume]")
    assert onward is not None
    fields = MultiDict([(one.get("name") or "", one.get("value") or "") for one in onward.iter("input")])
    back = client.post(onward.get("action") or "", data=fields)
    assert back.status_code == 200
    after = Page(text(back)).fields(form)
    for field, value in typed.items():
        assert after.getlist(field) == (value if isinstance(value, list) else [value]), field
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Note)) == 0
    assert client.post(prefix + target, data=after).status_code in {200, 303, 422}  # and no stale token


def test_what_another_site_sends_is_not_kept(client: FlaskClient, prop: Property) -> None:
    ended()
    path = f"/app/properties/{prop.id}/edit"
    for headers in ({"Origin": "https://evil.example"}, {"Referer": "https://evil.example/app/x"}):
        answer = client.post(path, data={"title": "Al meu"}, headers=headers)
        assert answer.status_code == 303 and "/login" in answer.location


def test_passwords_are_not_kept(client: FlaskClient, owner: User) -> None:
    ended()
    answer = client.post("/app/settings/password", data={"present": "x", "password": "secretul meu"})
    assert "secretul" not in text(answer)


def test_a_token_of_an_earlier_session_costs_nothing_of_what_was_typed(
    client: FlaskClient, prop: Property, owner: User
) -> None:
    """They signed in anew in another tab."""
    path = f"/app/properties/{prop.id}/edit"
    sent = Page(text(client.get(path))).fields("main-form", description=TYPED)
    ended()
    login(client, owner)
    answer = client.post(path, data=sent)
    assert answer.status_code == 400 and "prea mult" in text(answer)
    after = Page(text(answer)).fields("main-form")
    assert after["description"] == TYPED
    assert client.post(path, data=after).status_code == 303


def test_refill_neither_opens_nor_names_what_is_not_theirs(client: FlaskClient, prop: Property, app: Flask) -> None:
    stranger = app.test_client()
    login(stranger, make_user(make_agency("Alta"), "owner"))
    path = f"/app/properties/{prop.id}/edit"
    answer = stranger.post(path, data={"refill": "main-form", "title": "x"})
    assert answer.status_code == 404 and "Mănăștur" not in text(answer)
    away = stranger.post("/app/offers/undo", data={"refill": "x", "held_page": "https://evil.example/"})
    assert away.status_code in {303, 400, 404}


def test_every_form_that_is_typed_in_is_named_for_the_switch() -> None:
    """A page whose main form nobody names would lose what is typed there."""
    unnamed = []
    for path in TEMPLATES.rglob("*.html"):
        source = path.read_text()
        if 'extends "' not in source or "emails" in path.parts or "styleguide" in str(path):
            continue
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", source, re.S):
            types = re.search(r"{{ (text|textarea|choices)\(|<textarea|type=\"text\"", form)
            if (
                types
                and "held_form" not in source
                and "language_buttons(" not in source
                and 'type="password"' not in form
            ):
                unnamed.append(path.name)
    assert set(unnamed) <= {"views.html", "data_requests.html", "order.html"}, (
        unnamed
    )  # lists: the script takes the one


def test_filling_touches_the_one_form_only() -> None:
    page = (
        '<!DOCTYPE html><!-- c --><p>&copy; &#537; <form id="a"><input name="x" value="1 &amp; 2"><input name="x">'
        '<input type="hidden" name="h" value="own"><input type="checkbox" name="c" value="y" checked>'
        '<textarea name="t">\nold &amp; gone</textarea><select name="s"><option value="1" selected>A</option>'
        '<option value="2">B</option></select></form><form id="b"><input name="x" value="other"></form>'
    )
    values = MultiDict([("x", '"<>'), ("x", "zwei"), ("h", "forged"), ("t", "\n</textarea>"), ("s", "2")])
    filled = Page(fill(page, lambda form: form.get("id") == "a", values))
    got = filled.fields("a")
    assert got.getlist("x") == ['"<>', "zwei"] and got["h"] == "own" and got["s"] == "2" and "c" not in got
    assert got["t"] == "\r\n</textarea>"
    assert filled.fields("b")["x"] == "other"
    same = fill(page, lambda form: form.get("id") == "none", values)
    assert same == page
