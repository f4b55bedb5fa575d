"""The order of a property's offers by hand, and many chosen at once."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.core.money import Money
from app.offers.document import Bidder
from tests.browser.test_list import signed_in
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user

pytestmark = pytest.mark.browser
Live = tuple[Flask, str]


def made(app: Flask, *names: str) -> tuple[str, str]:
    """An owner's e-mail, and the address of the order of the property's offers, the first one highest."""
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        prop = make_property(owner.agency_id, owner.id)
        for number, name in enumerate(names):
            bidder = Bidder(name, f"client{number}@client.example", "+40722000111")
            make_offer(prop, make_draft(bidder=bidder, amount=Money((200 - number) * 100_000, "EUR")))
        return owner.email, f"/app/properties/{prop.id}/order"


def expect_order(page: Page, *names: str) -> None:
    expect(page.locator(".standing-head > a")).to_have_text(list(names))


def test_an_offer_is_moved_by_pointer_and_by_keyboard_with_a_why(browser: Browser, live: Live) -> None:
    app, base = live
    email, where = made(app, "Ana", "Dan", "Eva")
    watched = signed_in(browser, base, email)
    page = watched.page
    page.goto(f"{base}{where}")
    handle = page.locator("[data-move]").first
    grip, last = handle.bounding_box(), page.locator(".standing-line").last.bounding_box()
    assert grip and last
    page.mouse.move(grip["x"] + 9, grip["y"] + 9)
    page.mouse.down()
    page.mouse.move(grip["x"] + 9, last["y"] + last["height"] - 4, steps=5)
    page.mouse.up()
    expect_order(page, "Dan", "Eva", "Ana")
    expect(page.locator("details[open] [name=reason]")).to_be_focused()
    expect(page.locator("details[open] select")).to_have_value("3")
    watched.check()
    page.keyboard.press("Escape")
    expect_order(page, "Ana", "Dan", "Eva")
    page.locator("[data-move]").nth(1).focus()
    page.keyboard.press("ArrowUp")
    expect_order(page, "Dan", "Ana", "Eva")
    expect(page.locator("[data-move]:focus")).to_have_count(1)
    expect(page.locator("#order-said")).to_have_text("Dan: locul 1")
    page.keyboard.press("Enter")
    expect(page.locator("details[open] [name=reason]")).to_be_focused()
    page.keyboard.type("vecinii")
    page.keyboard.press("Enter")
    expect(page.locator(".banner")).to_have_text("Oferta a fost mutată")
    expect_order(page, "Dan", "Ana", "Eva")
    expect(page.locator(".standing-line").first).to_contain_text("vecinii")


def test_the_card_is_one_page_of_a6(browser: Browser, live: Live) -> None:
    app, base = live
    email, where = made(app)
    page = signed_in(browser, base, email).page
    page.goto(f"{base}{where.removesuffix('/order')}/card")
    card = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", card)) == 1
    width, height = (float(number) for number in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", card)[0])
    assert abs(width - 297.6) < 2 and abs(height - 419.5) < 2


def test_all_of_a_page_are_chosen_at_once_and_never_more_than_fifty(browser: Browser, live: Live) -> None:
    app, base = live
    email, _where = made(app, "Ana", "Dan", "Eva")
    watched = signed_in(browser, base, email)
    page, count = watched.page, watched.page.locator("#chosen [data-tray-count]")
    page.locator("#tick-all").check()
    expect(count).to_have_text("3")
    watched.check()
    page.locator("tr.is-link label.tick").first.click()
    expect(page.locator("#tick-all")).to_be_checked(indeterminate=True)
    others = [str(uuid.uuid4()) for _ in range(48)]  # ticked on pages before, or nobody's at all
    page.evaluate(
        "others => { const held = JSON.parse(sessionStorage['chosen-offers']);"
        "sessionStorage['chosen-offers'] = JSON.stringify({person: held.person, ids: others}) }",
        others,
    )
    page.reload()
    page.locator("#tick-all").click()
    expect(page.locator(".toast")).to_have_text("Se pot alege cel mult 50 de oferte odată")
    expect(count).to_have_text("50")
