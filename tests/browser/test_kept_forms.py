"""What was typed stays in a real browser: another language, a reload, Back, the end of a session, a wrong clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import delete, func, select

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import BIDDER, OFFER_LINK, OfferLink, sign
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Note, Offer, OfferState, Property, UserSession
from app.properties import editing as properties
from tests.browser.conftest import arrived, at_rest, open_page
from tests.factories import PASSWORD, make_agency, make_offer, make_property, make_user

pytestmark = pytest.mark.browser
Live = tuple[Flask, str]


def sign_in(page: Page, base: str, email: str) -> None:
    page.goto(f"{base}/login")
    enter(page, email)
    page.wait_for_url("**/app/offers")


def enter(page: Page, email: str) -> None:
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Autentificare").click()


def fill(page: Page) -> None:
    page.fill("[name=full_name]", "Ana Șerban")
    page.fill("[name=email]", "ana@client.example")
    page.fill("[name=phone]", "0722 000 111")
    page.fill("[name=amount]", "121000")
    page.locator("[name=financing][value=cash]").check()
    page.fill("[name=payment_term_days]", "30")
    page.locator("[name=consent]").check()


def link(app: Flask, **values: object) -> str:
    with app.app_context():
        agency = make_agency()
        prop = make_property(agency, make_user(agency).id)
        if values:
            properties.change(prop, values, by=SYSTEM)
        return f"/ro/o/{sign(OFFER_LINK, OfferLink(prop.id, 1))}"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_corrected_offer_changes_language_and_still_replaces(browser: Browser, live: Live, scripts: bool) -> None:
    app, base = live
    with app.app_context():
        agency = make_agency()
        offer_id = make_offer(make_property(agency, make_user(agency).id))
        token, reference = sign(BIDDER, offer_id), db.session.get_one(Offer, offer_id).reference
    page = open_page(browser, base, scripts=scripts).page
    page.goto(f"{base}/ro/r/{token}")
    page.get_by_role("button", name="Deschid oferta").click()
    page.get_by_role("link", name="Trimiteți o ofertă corectată").click()
    arrived(page, page.locator("[name=amount]"))
    page.fill("[name=amount]", "133000")
    page.get_by_text("English", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    arrived(page, page.locator("[name=amount]"))
    expect(page.locator("[name=amount]")).to_have_value("133000")
    page.locator("[name=consent]").check()
    page.get_by_role("button", name="Review the offer").click()
    arrived(page, page.get_by_role("heading", name="Review your offer"))
    page.get_by_text("Română", exact=True).click()
    expect(page.get_by_role("heading", name="Verificați oferta")).to_be_visible()
    page.get_by_role("button", name="Trimit oferta").click()
    expect(page.get_by_role("main")).to_contain_text("133.000")
    assert reference
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(OfferState).where(OfferState.latest)) == 1


def test_a_reload_keeps_what_was_typed_over_a_form_that_was_filled_in(browser: Browser, live: Live) -> None:
    app, base = live
    with app.app_context():
        agency = make_agency()
        token = sign(BIDDER, make_offer(make_property(agency, make_user(agency).id)))
    page = open_page(browser, base).page
    page.goto(f"{base}/ro/r/{token}")
    page.get_by_role("button", name="Deschid oferta").click()
    page.get_by_role("link", name="Trimiteți o ofertă corectată").click()
    arrived(page, page.locator("[name=amount]"))
    where = page.url
    name, amount = page.input_value("[name=full_name]"), page.input_value("[name=amount]")
    assert amount != "133000"
    page.fill("[name=amount]", "133000")
    page.fill("[name=phone]", "")
    for _ in range(2):
        page.goto(where)
        expect(page.locator("[name=amount]")).to_have_value("133000")
        expect(page.locator("[name=phone]")).to_have_value("")
        expect(page.locator("[name=full_name]")).to_have_value(name)
    page.goto(where.replace("/ro/", "/en/"))
    expect(page.locator("[name=amount]")).to_have_value("133000")
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("[name=amount]")).to_have_value(amount)
    page.reload()
    expect(page.locator("[name=amount]")).to_have_value(amount)


@pytest.mark.parametrize("scripts", [True, False])
def test_back_shows_the_form_with_its_values(browser: Browser, live: Live, scripts: bool) -> None:
    app, base = live
    page = open_page(browser, base, scripts=scripts).page
    page.goto(base + link(app))
    fill(page)
    page.get_by_role("button", name="Verificați oferta").click()
    arrived(page, page.get_by_role("heading", name="Verificați oferta"))
    page.locator("button[formaction$='#amount']").click()
    arrived(page, page.locator("[name=amount]"))
    page.fill("[name=amount]", "125000")
    page.go_back()
    arrived(page, page.get_by_role("heading", name="Verificați oferta"))
    page.go_back()
    expect(page.locator("[name=full_name]")).to_have_value("Ana Șerban")
    page.go_forward()
    arrived(page, page.get_by_role("heading", name="Verificați oferta"))
    page.go_forward()
    expect(page.locator("[name=full_name]")).to_have_value("Ana Șerban")
    page.get_by_role("button", name="Verificați oferta").click()
    page.get_by_role("button", name="Trimit oferta").click()
    expect(page.get_by_role("main")).to_contain_text("BF-")
    page.wait_for_load_state()
    sent = page.url
    page.go_back()
    arrived(page, page.get_by_role("heading", name="Verificați oferta"))
    page.get_by_role("button", name="Trimit oferta").click()
    expect(page.get_by_role("main")).to_contain_text("BF-")
    expect(page).to_have_url(sent)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Offer)) == 1


@pytest.mark.parametrize("hours", [-30, 30])
def test_the_countdown_runs_by_the_server_clock(browser: Browser, live: Live, hours: int) -> None:
    app, base = live
    where = link(app, offers_close_at=now() + timedelta(hours=5, minutes=30))
    page = open_page(browser, base).page
    page.clock.install(time=now() + timedelta(hours=hours))
    for _ in range(2):
        page.goto(base + where)
        expect(page.locator("[data-countdown]")).to_contain_text("5 ore")
    fill(page)
    page.get_by_role("button", name="Verificați oferta").click()
    expect(page.locator("[data-countdown]")).to_contain_text("5 ore")
    page.locator("button[formaction$='#amount']").click()
    arrived(page, page.get_by_role("button", name="Verificați oferta"))  # Back is pressed on a page that came
    page.go_back()
    expect(page.locator("[data-countdown]")).to_contain_text("5 ore")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_note_survives_the_end_of_the_session(browser: Browser, live: Live, scripts: bool) -> None:
    app, base = live
    with app.app_context():
        user = make_user(make_agency(), "owner")
        offer_id, email = make_offer(make_property(user.agency_id, user.id)), user.email
    page = open_page(browser, base, scripts=scripts, phone=False).page
    sign_in(page, base, email)
    page.goto(f"{base}/app/offers/{offer_id}")
    page.fill("#note-form textarea", "A sunat „domnul” <b>\nrevine")
    with app.app_context(), housekeeping() as connection:
        connection.execute(delete(UserSession))
    page.locator("#note-save").click()
    expect(page.get_by_text("Între timp ați fost deconectat")).to_be_visible()
    enter(page, email)
    if not scripts:
        page.get_by_role("button", name="Înapoi la formular").click()
    expect(page.locator("#note-form textarea")).to_have_value("A sunat „domnul” <b>\nrevine")
    at_rest(page)
    page.locator("#note-save").click()
    expect(page.locator("#note-form textarea")).to_have_value("")
    expect(page.locator("#offer-view")).to_contain_text("A sunat „domnul”")
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Note)) == 1


def test_the_reason_of_a_decision_survives_the_end_of_the_session(browser: Browser, live: Live) -> None:
    app, base = live
    with app.app_context():
        user = make_user(make_agency(), "owner")
        offer_id, email = make_offer(make_property(user.agency_id, user.id)), user.email
    page = open_page(browser, base, phone=False).page
    sign_in(page, base, email)
    page.goto(f"{base}/app/offers/{offer_id}")
    page.locator("a[href*='status=rejected']").first.click()
    page.fill("#decision-form [name=reason]", "Prea puțin")
    with app.app_context(), housekeeping() as connection:
        connection.execute(delete(UserSession))
    page.locator("#decision-form button[type=submit]").first.click()
    enter(page, email)
    expect(page.locator("#decision-form [name=reason]")).to_have_value("Prea puțin")


@pytest.mark.parametrize("which", ["main", "other"])
def test_the_form_that_was_typed_in_comes_along(browser: Browser, live: Live, which: str) -> None:
    """The retention page has two forms; the property's stands in one with a picture."""
    app, base = live
    with app.app_context():
        user = make_user(make_agency(), "owner")
        prop_id, email = make_property(user.agency_id, user.id).id, user.email
    watched = open_page(browser, base, phone=False)
    page = watched.page
    sign_in(page, base, email)
    if which == "main":
        page.goto(f"{base}/ro/app/properties/{prop_id}/edit")
        field = page.locator("[name=description]")
    else:
        page.goto(f"{base}/ro/app/settings/retention")
        field = page.locator("form:not(#main-form) [inputmode=numeric]").first
    field.fill("1234")
    page.get_by_text("English", exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(field).to_have_value("1234")
    watched.check()
    with app.app_context():
        assert db.session.scalars(select(Property.version)).one() == 1


def test_enter_sends_the_form_and_does_not_change_the_language(browser: Browser, live: Live) -> None:
    app, base = live
    page = open_page(browser, base).page
    page.goto(base + link(app))
    fill(page)
    page.locator("[name=amount]").press("Enter")
    expect(page.get_by_role("heading", name="Verificați oferta")).to_be_visible()
    with app.app_context():
        email = make_user(make_agency(), "owner").email
    sign_in(page, base, email)
    page.goto(f"{base}/ro/app/settings")
    page.locator("[name=full_name]").fill("Alt Nume")
    page.locator("[name=full_name]").press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "ro")
    expect(page.locator(".banner--good")).to_contain_text("Salvat")


# Where a form stands, which of its path it is sent to, what is typed, and what makes it wrong.
WRONG = [
    ("properties/new", "/app/properties/new", {"title": "", "zone": "Mănăștur"}),
    ("properties/{prop}/edit", "/app/properties/{prop}/edit", {"title": "", "zone": "Zorilor"}),
    ("properties/external/CRM-1", "/app/properties/external/CRM-1", {"offers_close_at": "2001-01-01T10:00"}),
    ("properties/{prop}/offers/new", "/app/properties/{prop}/offers/new", {"amount": "x", "full_name": "Ana Pop"}),
    ("offers/{offer}", "/app/offers/{offer}/notes", {"text": "x" * 5000}),
    ("settings", "/app/settings", {"full_name": "", "phone": "0712 034 567"}),
    ("settings/agency", "/app/settings/agency", {"name": "", "email": "alta@agentie.example"}),
    ("settings/users", "/app/settings/users", {"full_name": "Dan", "email": "x"}),
    ("settings/feeds", "/app/settings/feeds", {"name": "Fișierul nostru", "url": "ftp://x"}),
    ("settings/webhooks", "/app/settings/webhooks", {"url": "ftp://x"}),
    ("settings/retention", "/app/settings/retention", {"undecided_days": "0"}),
    ("settings/api", "/app/settings/api", {"name": "x" * 300}),
    ("settings/notice", "/app/settings/notice", {"ro": "x" * 30_000}),
    ("offers?status=new", "/app/offers/views", {"name": "x" * 300}),
]


def test_back_and_forward_find_what_was_typed_after_a_wrong_answer(browser: Browser, live: Live) -> None:
    app, base = live
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        prop = make_property(owner.agency_id, owner.id, external_id="CRM-1")
        names = {"prop": str(prop.id), "offer": str(make_offer(prop))}
        email = owner.email
    page = open_page(browser, base, phone=False).page
    sign_in(page, base, email)
    for where, action, typed in WRONG:
        where, action = where.format(**names), action.format(**names)
        page.goto(f"{base}/en/app/{where}")
        form = page.locator(f"form[method=post][action$='{action}']").first
        for name, value in typed.items():
            form.locator(f"[name={name}]").evaluate("(field, value) => { field.value = value }", value)
        with page.expect_navigation() as answer:
            form.evaluate("form => HTMLFormElement.prototype.submit.call(form)")
        assert answer.value.status == 422, where
        page.goto(f"{base}/en/app/stats")
        for come_back in (page.go_back, page.reload, page.go_back, page.go_forward):
            come_back()
            expect(page.locator("main h1").first, where).to_be_visible()
        for name, value in typed.items():
            expect(form.locator(f"[name={name}]"), f"{where}: {name}").to_have_value(value)
    with app.app_context():
        assert db.session.scalars(select(Property.version)).one() == 1


def test_an_answer_that_is_wrong_stays_on_its_own_page(browser: Browser, live: Live) -> None:
    """Opened by itself, the decision's page is no dialog: what is wrong is said in its place."""
    app, base = live
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        offer_id, email = make_offer(make_property(owner.agency_id, owner.id)), owner.email
    watched = open_page(browser, base, phone=False)
    page = watched.page
    sign_in(page, base, email)
    page.goto(f"{base}/app/offers/decision?status=rejected&offer={offer_id}")
    page.locator("[name=message]").evaluate(
        "field => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(9999) }"
    )
    page.locator("#decision-form button[type=submit]").click()
    expect(page.locator("#decision .error").first).to_be_visible()
    expect(page.locator("#decision")).to_have_count(1)
    expect(page.locator("dialog[open]")).to_have_count(0)
    watched.check()
    page.goto(f"{base}/app/offers/{offer_id}")
    page.locator("#answer-rejected-" + str(offer_id)).click()
    dialog = page.locator("dialog[open]")
    dialog.locator("[name=message]").evaluate(
        "field => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(9999) }"
    )
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator(".error").first).to_be_visible()
    expect(page.locator("#decision")).to_have_count(1)
    watched.check()
