"""The list of offers in a real browser: live filters, Back, what is new, the keyboard."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import delete

from app.extensions import db
from app.models import Account, Property, UserSession
from app.offers.document import Bidder
from tests.browser.conftest import Watched, arrived, at_rest, open_page
from tests.factories import PASSWORD, make_agency, make_draft, make_offer, make_property, make_user

pytestmark = pytest.mark.browser
Live = tuple[Flask, str]
HOUR = 3600
NAMES = ("Ana Popescu", "Ion Ionescu", "Maria Popa")


def made(app: Flask) -> tuple[str, uuid.UUID]:
    """An owner's e-mail, and the id of the property of three offers."""
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        prop = make_property(owner.agency_id, owner.id)
        for number, name in enumerate(NAMES):
            bidder = Bidder(name, f"client{number}@client.example", f"+4072200011{number}")
            make_offer(prop, make_draft(bidder=bidder, financing="credit" if number == 1 else "cash"))
        return owner.email, prop.id


def signed_in(browser: Browser, base: str, email: str, *, phone: bool = False, scripts: bool = True) -> Watched:
    watched = open_page(browser, base, phone=phone, scripts=scripts)
    page = watched.page
    page.goto(f"{base}/login")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/app/offers")
    if scripts:
        at_rest(page)
    return watched


def expect_names(page: Page, *names: str) -> None:
    expect(page.locator("tr.is-link .is-main a")).to_have_text(list(names))


def at_row(page: Page, name: str) -> Locator:
    """The link of that name, while it has the focus."""
    return page.locator("tr.is-link .is-main a:focus", has_text=name)


def test_filter_back_reload_and_a_shared_link_give_the_same_page(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    watched = signed_in(browser, base, email)
    page = watched.page
    page.locator("#q").press_sequentially("pop", delay=30)
    expect(page.locator("tr.is-link .is-main a")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/app/offers\?q=pop$"))
    expect(page.locator("#q")).to_be_focused()
    expect(page.locator("#offers-said")).to_have_text("2 oferte")
    watched.check()
    page.locator("#q").press_sequentially("a", delay=30)
    expect(page.locator("tr.is-link .is-main a")).to_have_count(1)
    page.locator(".filter-more summary").click()
    page.select_option("#financing", "cash")
    expect(page.locator("#chip-financing")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/app/offers\?(?=.*q=popa)(?=.*financing=cash)"))
    expect_names(page, "Maria Popa")
    watched.check()
    shared = page.url
    page.reload()
    expect_names(page, "Maria Popa")
    expect(page.locator("#financing")).to_have_value("cash")
    page.locator("tr.is-link .is-main a").first.click()
    expect(page.locator("h1")).to_have_text("Maria Popa")
    page.wait_for_load_state()
    page.go_back()
    expect(page.locator("#q")).to_have_value("popa")
    expect(page).to_have_url(shared)
    expect_names(page, "Maria Popa")
    at_rest(page)
    page.go_back()
    arrived(page, page.locator("#chip-q"))
    expect(page.locator("#chip-financing")).to_have_count(0)
    expect(page.locator("#q")).to_have_value("popa")
    page.go_back()
    expect(page.locator("tr.is-link .is-main a")).to_have_count(3)
    at_rest(page)
    page.locator("#status-1").click()
    expect(page.locator("#status-1[aria-current]")).to_be_visible()
    expect(page.locator("#status-1")).to_be_focused()


def test_a_click_takes_along_what_was_typed_just_before(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    page = signed_in(browser, base, email).page
    page.clock.install(time=0)
    page.goto(f"{base}/app/offers")
    at_rest(page)
    page.clock.pause_at(HOUR)
    page.locator("#q").fill("pop")
    page.locator("#status-1").click()  # before the 300 ms are over
    page.clock.resume()
    page.wait_for_url("**/app/offers?q=pop&status=new")
    expect(page.locator("tr.is-link")).to_have_count(2)
    at_rest(page)
    page.clock.pause_at(2 * HOUR)
    page.locator("#q").fill("popa")
    page.locator("#chip-q").click()  # the last one wins
    page.clock.resume()
    page.wait_for_url("**/app/offers?status=new")
    expect(page.locator("#q")).to_have_value("")


def test_a_click_takes_along_what_was_asked_for_and_not_answered_yet(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    page = signed_in(browser, base, email).page
    typed = re.compile(r"/app/offers\?(?!.*status=).*q=pop")
    page.route(typed, lambda _route: None)  # a slow server
    with page.expect_request(typed):
        page.locator("#q").fill("pop")
    page.locator("#status-1").click()
    page.wait_for_url("**/app/offers?q=pop&status=new")
    expect(page.locator("tr.is-link")).to_have_count(2)
    expect(page.locator("#q")).to_have_value("pop")


def test_a_chip_that_goes_leaves_the_focus_near(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    page = signed_in(browser, base, email).page
    page.goto(f"{base}/app/offers?financing=cash&source=link")
    page.locator("#chip-financing").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#chip-financing")).to_have_count(0)
    expect(page.locator("#chip-source")).to_be_focused()


def test_new_offers_stand_in_a_bar_and_the_title_while_rows_stay(browser: Browser, live: Live) -> None:
    app, base = live
    email, prop = made(app)
    watched = signed_in(browser, base, email)
    page = watched.page
    with app.app_context():
        for _ in range(2):
            make_offer(db.session.get_one(Property, prop))
    before = page.locator("tr.is-link").first.bounding_box()
    expect(page.locator("#show-new")).to_have_text("Arată 2 oferte noi")
    expect(page).to_have_title(re.compile(r"^\(2\) "))
    expect_names(page, *reversed(NAMES))
    assert page.locator("tr.is-link").first.bounding_box() == before
    watched.check()
    page.locator("#show-new").click()
    expect(page.locator("tr.is-link .is-main a")).to_have_count(5)
    expect(page).not_to_have_title(re.compile(r"^\("))


def test_nobody_asks_in_a_hidden_tab(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    page = signed_in(browser, base, email).page
    page.clock.install(time=0)
    page.goto(f"{base}/app/offers")
    at_rest(page)
    page.clock.pause_at(HOUR)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/news" in request.url else None)
    with page.expect_response("**/news?*"):
        page.clock.run_for(6_000)
    before = len(asked)
    page.evaluate(
        "Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.clock.run_for(60_000)
    page.evaluate("fetch('/robots.txt')")  # what was asked for before this has been seen
    assert len(asked) == before


def test_everything_by_keyboard(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    watched = signed_in(browser, base, email)
    page = watched.page
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    watched.check()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_hidden()
    for key, name in (("j", NAMES[2]), ("j", NAMES[1]), ("j", NAMES[0]), ("k", NAMES[1])):
        page.keyboard.press(key)
        expect(at_row(page, name)).to_be_visible()
    page.keyboard.press("x")
    expect(page.locator("input[name=offer]:checked")).to_have_count(1)
    expect(at_row(page, NAMES[1]), "the focus stays where it was").to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("jk?x")
    expect(page.locator("#q")).to_have_value("jk?x")
    expect(page.locator("tr.is-link")).to_have_count(0)
    page.locator("#q").fill("")
    expect(page.locator("tr.is-link")).to_have_count(3)
    at_rest(page)
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(NAMES[2])
    with app.app_context():
        user = db.session.scalars(db.select(Account).where(Account.email == email)).one()
        user.shortcuts = False
        db.session.commit()
    page.goto(f"{base}/app/offers")
    page.keyboard.press("?")
    page.keyboard.press("j")
    expect(page.locator("#keys")).to_have_count(0)
    assert page.evaluate("document.activeElement.nodeName") == "BODY"


def test_without_scripts_the_list_filters_and_pages(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    page = signed_in(browser, base, email, scripts=False).page
    page.fill("#q", "popescu")
    page.get_by_role("button", name="Filtrează").click()
    expect(page).to_have_url(re.compile(r"\?q=popescu$"))
    expect_names(page, "Ana Popescu")


def test_what_is_chosen_follows_to_the_page_of_an_offer_and_through_filters(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    watched = signed_in(browser, base, email)
    page = watched.page
    bar = page.locator("#chosen .bulk")
    expect(bar).to_be_hidden()
    page.locator("tr.is-link", has_text=NAMES[0]).locator("label.tick").click()
    expect(bar).to_contain_text("Alese: 1")
    page.goto(f"{base}/app/offers?financing=credit")  # a list without the first one
    expect(bar).to_contain_text("Alese: 1")
    watched.check()
    page.locator("tr.is-link .is-main a").click()
    expect(page.locator("#tray")).to_contain_text("Alese: 1")
    at_rest(page)
    page.keyboard.press("x")
    expect(page.locator("#tray-toggle")).to_have_attribute("aria-pressed", "true")
    watched.check()
    page.keyboard.press("k")
    page.wait_for_url("**/app/offers/*financing=credit")  # the only one in this list: there is none before it
    page.keyboard.press("c")
    arrived(page, page.locator("table.compare"))
    expect(page.locator("table.compare thead th")).to_have_count(3)
    assert {NAMES[0], NAMES[1]} == set(page.locator("table.compare thead th > a").all_inner_texts())
    page.goto(f"{base}/app/offers")
    expect(bar).to_contain_text("Alese: 2")
    page.locator("#bulk-rejected").click()
    page.locator("dialog[open] button[type=submit]").first.click()
    expect(page.locator(".undo")).to_be_visible()
    expect(bar).to_be_hidden()
    page.reload()
    expect(bar).to_be_hidden()


def test_a_row_is_answered_from_its_own_menu_and_the_focus_comes_back(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    watched = signed_in(browser, base, email)
    page = watched.page
    row = page.locator("tr.is-link", has_text=NAMES[1])
    row.locator(".row-menu").press("Enter")
    menu = page.locator("#answers")
    expect(menu).to_be_visible()
    expect(page.locator("#answer-accepted")).to_be_focused()
    expect(page.locator("#answer-new")).to_be_hidden()  # it is new already
    watched.check()
    box, own = menu.bounding_box(), row.bounding_box()
    assert box and own and box["y"] >= own["y"] and box["y"] - own["y"] < 150, "beside its row"
    page.locator("#answer-rejected").press("Enter")
    expect(page.locator("dialog[open]")).to_contain_text(NAMES[1])
    page.keyboard.press("Escape")
    expect(row.locator(".row-menu")).to_be_focused()
    row.locator(".row-menu").press("Enter")
    page.locator("#answer-rejected").press("Enter")
    page.locator("dialog[open] button[type=submit]").first.click()
    expect(page.locator(".undo")).to_be_visible()
    expect(page.locator("tr.is-link", has_text=NAMES[1])).to_contain_text("Respinsă")


def test_on_the_propertys_page_row_counters_and_head_change_at_once(browser: Browser, live: Live) -> None:
    app, base = live
    email, prop = made(app)
    watched = signed_in(browser, base, email, phone=True)
    page = watched.page
    page.goto(f"{base}/app/properties/{prop}")
    expect(page.locator(".figures").first).to_contain_text("3 noi")
    row = page.locator("tr.is-link", has_text=NAMES[2])
    row.locator(".row-menu").press("Enter")
    page.locator("#answer-accepted").press("Enter")
    page.check("dialog [name=others][value=reject]")
    page.check("dialog [name=close_link]")
    watched.check()
    page.locator("dialog[open] button[type=submit]").first.click()
    expect(page.locator(".undo")).to_be_visible()
    expect(page.locator("tr.is-link .badge")).to_have_text(["Acceptată", "Respinsă", "Respinsă"])
    expect(page.locator(".title-bar .badge").first).to_have_text("Oprit")
    expect(page.locator(".figures").first).not_to_contain_text("noi")
    watched.check()


def test_without_scripts_the_arrow_of_a_row_leads_to_the_answers(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    page = signed_in(browser, base, email, scripts=False).page
    page.locator("tr.is-link", has_text=NAMES[1]).locator(".row-menu").click()
    expect(page.locator("h1")).to_have_text(NAMES[1])
    expect(page).to_have_url(re.compile("#decide-title$"))


def test_two_agents_on_one_offer_the_second_sees_what_the_first_did(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    first, second = (signed_in(browser, base, email).page for _ in range(2))
    for page in (first, second):
        page.locator("tr.is-link .is-main a", has_text=NAMES[0]).click()
        expect(page.locator("h1")).to_have_text(NAMES[0])
        at_rest(page)
        page.keyboard.press("a" if page is first else "r")
        expect(page.locator("dialog[open] form")).to_be_visible()
    first.locator("dialog[open] button[type=submit]").first.click()
    expect(first.locator(".undo")).to_be_visible()
    expect(first.locator("dialog[open]")).to_have_count(0)
    second.locator("dialog[open] button[type=submit]").first.click()
    expect(second.locator("dialog[open]")).to_contain_text("Acceptată")  # the fresh row, and nothing overwritten
    first.keyboard.press("r")
    expect(first.locator("dialog[open] form")).to_be_visible()
    second.locator("dialog[open] button[type=submit]").first.click()  # looked at again, and decided all the same
    expect(second.locator(".title-bar .badge")).to_have_text("Respinsă")
    expect(second.locator("dialog[open]")).to_have_count(0)
    at_rest(second)
    second.locator(".undo button").click()
    expect(second.locator(".title-bar .badge")).to_have_text("Acceptată")
    first.locator("dialog[open] button[type=submit]").first.click()
    expect(first.locator("dialog[open] [role=alert]")).to_be_visible()
    with first.expect_response(re.compile("/app/offers/[0-9a-f-]{36}")):  # what lies behind is fetched anew
        first.keyboard.press("Escape")
    expect(first.locator("dialog[open]")).to_have_count(0)


def test_a_session_that_ended_leads_to_sign_in_and_back_to_the_same_place(browser: Browser, live: Live) -> None:
    app, base = live
    email, _prop = made(app)
    watched = signed_in(browser, base, email)
    page = watched.page
    page.goto(f"{base}/app/offers?financing=cash")
    with app.app_context():
        db.session.execute(delete(UserSession))
        db.session.commit()
    page.locator("#status-1").click()  # a fragment is asked for, and sign-in is not swapped into the page
    page.wait_for_url(re.compile("/login.next="))
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url(re.compile("/app/offers.*financing=cash"))
    expect(page.locator("tr.is-link .is-main a")).to_have_count(2)
