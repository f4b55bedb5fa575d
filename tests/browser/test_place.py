"""Nobody loses their place: Back, the focus after each answer, and what is said aloud of it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.offers.document import Bidder
from tests.browser.conftest import at_rest, until
from tests.browser.test_list import signed_in
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user

pytestmark = pytest.mark.browser
Live = tuple[Flask, str]
MANY = 14


def made(app: Flask, count: int) -> str:
    """An owner's e-mail; half of the offers are cash."""
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        prop = make_property(owner.agency_id, owner.id)
        for number in range(count):
            bidder = Bidder(f"Client {number:02d}", f"client{number}@client.example", f"+407220001{number:02d}")
            make_offer(prop, make_draft(bidder=bidder, financing="credit" if number % 2 else "cash"))
        return owner.email


def expect_focus(page: Page) -> None:
    """The focus is somewhere, not thrown to the top of the page."""
    at_rest(page)
    until(page, "document.activeElement !== document.body")


ROW_AT = "() => document.querySelectorAll('tr.is-link')[4].getBoundingClientRect().top"
NEAR = f"before => Math.abs(({ROW_AT})() - before) < 60"


def row_at(page: Page) -> float:
    """How far down the screen the fifth row stands: what lies over the list may have opened or closed meanwhile."""
    found: float = page.evaluate(ROW_AT)
    return found


def test_back_from_an_offer_and_from_the_comparison_finds_filter_and_scroll_as_they_were(
    browser: Browser, live: Live
) -> None:
    app, base = live
    page = signed_in(browser, base, made(app, MANY), phone=True).page
    page.locator(".filter-more summary").click()
    page.select_option("#financing", "cash")
    expect(page.locator("tr.is-link")).to_have_count(MANY // 2)
    page.wait_for_url("**/app/offers?*financing=cash*")
    at_rest(page)
    filtered = page.url
    row = page.locator("tr.is-link").nth(4)
    row.scroll_into_view_if_needed()
    row.locator("label.tick").click()
    page.locator("tr.is-link").nth(5).locator("label.tick").click()
    expect(page.locator("input[name=offer]:checked")).to_have_count(2)
    until(page, "scrollY > 300")
    before = row_at(page)
    row.locator(".is-main a").click()
    expect(page.locator("h1")).to_contain_text("Client")
    page.wait_for_load_state()
    page.go_back()
    page.wait_for_url(filtered)
    expect(page.locator("#chip-financing")).to_be_visible()
    until(page, NEAR, before)
    expect(page.locator("input[name=offer]:checked")).to_have_count(2)
    before = row_at(page)
    page.locator("#bulk-compare").click()
    page.wait_for_url("**/app/compare?**")
    page.go_back()
    page.wait_for_url(filtered)
    until(page, NEAR, before)
    expect(page.locator("input[name=offer]:checked")).to_have_count(2)


def test_filter_open_decide_and_undo_by_keyboard_alone(browser: Browser, live: Live) -> None:
    app, base = live
    watched = signed_in(browser, base, made(app, 4))
    page = watched.page
    page.keyboard.press("/")
    page.keyboard.type("client 01")
    expect(page.locator("tr.is-link")).to_have_count(1)
    expect(page.locator("#offers-said")).to_have_text(re.compile("^1 ofert"))
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Client 01")
    page.wait_for_load_state()
    page.keyboard.press("a")
    expect(page.locator("#dialog #decision-title")).to_be_focused()
    for _ in range(60):
        if page.evaluate("document.activeElement.type") == "submit":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#offer-view .badge").first).to_have_text("Acceptată")
    expect(page.locator("[role=status].undo")).to_be_focused()
    watched.check()
    page.keyboard.press("z")
    expect(page.locator("#offer-view .badge").first).to_have_text("Vizualizată")
    expect(page.locator("[role=status]", has_text="Nimeni nu a fost anunțat")).to_be_visible()
    expect_focus(page)
    watched.check()
    page.go_back()
    expect(page.locator("#q")).to_have_value("client 01")


def test_after_an_answer_in_the_list_the_focus_is_near_its_row(browser: Browser, live: Live) -> None:
    app, base = live
    watched = signed_in(browser, base, made(app, 4))
    page = watched.page
    row = page.locator("tr.is-link", has_text="Client 02")
    row.locator(".row-menu").press("Enter")
    page.locator("#answer-viewed").press("Enter")
    page.locator("dialog[open] button[type=submit]").first.press("Enter")
    expect(row.locator(".badge")).to_have_text("Vizualizată")
    expect_focus(page)
    page.keyboard.press("z")
    expect(row.locator(".badge")).to_have_text("Nouă")
    expect_focus(page)
    for name in ("Client 01", "Client 03"):
        page.get_by_label(f"Alege oferta de la {name}").press("Space")
    page.locator("#bulk-rejected").press("Enter")
    page.locator("dialog[open] button[type=submit]").first.press("Enter")
    expect(page.locator("tr.is-link", has_text="Client 01").locator(".badge")).to_have_text("Respinsă")
    expect(page.locator("[role=status].undo")).to_be_focused()
    watched.check()
