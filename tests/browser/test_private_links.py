"""What stands behind private links: a bidder withdraws, a property's seller watches; phone and desk, light and dark."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect

from app.core.money import Money
from app.core.signed_links import BIDDER, SELLER, sign
from app.extensions import db
from app.properties import seller_links
from tests.browser.conftest import arrived, open_page
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user, person_of

pytestmark = pytest.mark.browser
Live = tuple[Flask, str]
LOOKS = [(True, False), (False, True)]


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_a_bidder_withdraws_their_offer(browser: Browser, live: Live, phone: bool, dark: bool) -> None:
    app, base = live
    with app.app_context():
        agency = make_agency()
        token = sign(BIDDER, make_offer(make_property(agency, make_user(agency).id)))
    watched = open_page(browser, base, phone=phone, dark=dark)
    page = watched.page
    page.goto(f"{base}/r/{token}")
    watched.check()
    page.get_by_role("button", name="Deschid oferta").click()
    expect(page.get_by_role("heading", name="Ce puteți face")).to_be_visible()
    assert token not in page.url
    watched.check()
    page.get_by_role("link", name="Retrageți oferta…").click()
    expect(page.get_by_label("Mesaj pentru agent")).to_be_visible()
    watched.check()
    page.get_by_label("Mesaj pentru agent").fill("Am găsit altceva.")
    page.get_by_role("button", name="Retrag oferta").click()
    expect(page.get_by_role("status")).to_contain_text("Ați retras această ofertă")
    watched.check()


@pytest.mark.parametrize(("phone", "dark"), LOOKS)
def test_a_seller_sees_a_new_offer(browser: Browser, live: Live, phone: bool, dark: bool) -> None:
    app, base = live
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        prop = make_property(owner.agency_id, owner.id)
        make_offer(prop, make_draft(conditions=("bank_approval",), valid_until=date.today() + timedelta(days=9)))
        token = sign(SELLER, seller_links.create(prop, 7, shows_names=False, by=person_of(owner)))
        prop_id = prop.id
    watched = open_page(browser, base, phone=phone, dark=dark)
    page = watched.page
    page.goto(f"{base}/s/{token}")
    watched.check()
    page.get_by_role("button", name="Deschid ofertele").click()
    expect(page.locator("#seller-offers")).to_contain_text("Clientul 1")
    page.wait_for_load_state()
    past_the_edge = (
        "e => [...e.querySelectorAll('td *')].filter(x => x.getBoundingClientRect().right > innerWidth - 16)"
    )
    assert page.locator("#seller-offers").evaluate(f"e => ({past_the_edge})(e).length") == 0
    watched.check()
    with app.app_context():
        from app.models import Property

        make_offer(db.session.get_one(Property, prop_id), make_draft(amount=Money(121_000_00, "EUR")))
    page.reload()
    expect(page.locator("#seller-offers")).to_contain_text("Clientul 2")
    watched.check()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_bidder_corrects_and_signs_then_asks_to_be_forgotten(browser: Browser, live: Live, scripts: bool) -> None:
    app, base = live
    with app.app_context():
        agency = make_agency()
        prop = make_property(agency, make_user(agency, "owner").id, signature_required=True, code_required=True)
        token = sign(BIDDER, make_offer(prop))
    watched = open_page(browser, base, scripts=scripts)
    page = watched.page
    check = watched.check if scripts else lambda: None  # axe needs scripts
    page.goto(f"{base}/r/{token}")
    page.get_by_role("button", name="Deschid oferta").click()
    expect(page.get_by_role("link", name="Trimiteți o ofertă corectată")).to_be_visible()
    mine = page.url
    page.get_by_role("link", name="Trimiteți o ofertă corectată").click()
    arrived(page, page.locator("[name=amount]"))
    check()
    name = page.input_value("[name=full_name]")
    assert name and page.input_value("[name=amount]"), "the old values are there"
    page.fill("[name=amount]", "123.400")
    page.locator("[name=signature_kind][value=typed]").check()
    page.fill("[name=signature_typed]", name)
    page.locator("[name=consent]").check()
    page.get_by_role("button", name="Verificați oferta").click()
    expect(page.get_by_role("button", name="Semnez și trimit")).to_be_visible()
    check()
    page.get_by_role("button", name="Semnez și trimit").click()
    expect(page.get_by_label("Codul de șase cifre")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("123.400")
    check()
    page.goto(mine)
    page.get_by_role("link", name="Cereți să fiți uitat").click()
    expect(page.get_by_role("button", name="Cer să fiu uitat")).to_be_visible()
    check()
    page.get_by_role("button", name="Cer să fiu uitat").click()
    expect(page.get_by_role("status")).to_contain_text("Cererea")
    check()
