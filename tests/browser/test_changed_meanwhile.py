"""A property that changes while its buyer reads the review: what they see, with and without scripts."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect

from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, read
from app.extensions import db
from app.models import Property
from app.properties import editing as properties
from tests.browser.conftest import open_page
from tests.browser.test_journeys import Live, fill, link

pytestmark = pytest.mark.browser


def change(app: Flask, path: str, **values: object) -> None:
    with app.app_context():
        prop = db.session.get_one(Property, read(OFFER_LINK, path.rpartition("/")[2]).property_id)
        properties.change(prop, values, by=SYSTEM)


@pytest.mark.parametrize(("phone", "scripts", "dark"), [(True, True, False), (False, True, True), (True, False, False)])
def test_the_review_says_from_what_to_what(
    browser: Browser, live: Live, phone: bool, scripts: bool, dark: bool
) -> None:
    app, base = live
    watched = open_page(browser, base, phone=phone, scripts=scripts, dark=dark)
    page, where = watched.page, link(app, buyer_commission="2%")
    page.goto(base + where)
    fill(page)
    change(app, where, title="Apartament cu terasă")
    page.get_by_role("button", name="Verificați oferta").click()
    expect(page.locator(".changes")).to_contain_text("Apartament cu terasă")
    change(app, where, currency="RON", asking_minor=600_000_00, buyer_commission="9%", description="Alta")
    page.get_by_role("button", name=re.compile("Trimit oferta de 118.500")).click()
    told = page.locator(".changes")
    for text in ("era EUR, acum este RON", "era 2%, acum este 9%", "Descriere: s-a schimbat"):
        expect(told).to_contain_text(text)
    expect(page.locator("body")).to_contain_text("Ceva s-a schimbat de când ați verificat oferta")
    if scripts:
        watched.check()
    page.get_by_role("button", name=re.compile("Trimit oferta de 118.500")).click()
    expect(page.locator("body")).to_contain_text("Oferta a fost trimisă")
