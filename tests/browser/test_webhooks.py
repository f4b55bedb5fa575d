"""The settings of webhooks in a browser: added, tried out, its log read."""

from __future__ import annotations

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect

from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from tests.browser.conftest import open_page
from tests.factories import PASSWORD, make_agency, make_user
from tests.outbound.servers import receiving, reply

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("phone", "dark"), [(True, True), (False, False)])
def test_an_address_is_added_and_tried_out(browser: Browser, live: tuple[Flask, str], phone: bool, dark: bool) -> None:
    import dataclasses
    import ipaddress

    app, base = live
    settings = app.extensions["bidflux_settings"]
    opened = (ipaddress.ip_network("127.0.0.0/8"),)
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=opened)
    with app.app_context():
        email = make_user(make_agency(), "owner").email
    watched = open_page(browser, base, phone=phone, dark=dark)
    page = watched.page
    page.goto(f"{base}/login")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/app/offers")
    page.goto(f"{base}/app/settings/webhooks")
    watched.check()
    with receiving(lambda _request: reply(500, b"nu acum" * 40)) as receiver:
        page.fill("[name=url]", f"{receiver.url}/un/drum/destul/de/lung/catre/crm")
        page.locator("[name=events][value='offer.created']").check()
        page.get_by_role("button", name="Adaugă adresa").click()
        expect(page.locator("#new-secret")).to_contain_text("whsec_")
        watched.check()
        page.select_option("[name=kind]", "offer.status_changed")
        page.get_by_role("button", name="Trimite o probă").click()
        expect(page.get_by_text("Încă nu s-a încercat.")).to_be_visible()
        with app.app_context():
            webhook_dispatcher().run()
            close_webhook_dispatcher(app)
        page.get_by_role("link", name="Verifică din nou").click()
        expect(page.get_by_text("nu acum").first).to_be_visible()
        watched.check()
        page.get_by_role("link", name="La jurnal").click()
        expect(page.get_by_text("1 încercare")).to_be_visible()
        watched.check()
