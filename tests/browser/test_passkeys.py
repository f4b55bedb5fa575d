"""Passkeys in a real browser, with the authenticator that Chromium makes up."""

from __future__ import annotations

from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.extensions import db
from app.models import Passkey
from tests.browser.conftest import open_page
from tests.factories import PASSWORD, make_agency, make_user


def authenticator(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    more = {"isUserVerified": True, "automaticPresenceSimulation": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options | more})


def test_made_then_enough_to_sign_in_and_to_show_who_one_is(live: tuple[Flask, str], browser: Browser) -> None:
    app, address = live
    base = address.replace("127.0.0.1", "localhost")
    with app.app_context():
        email = make_user(make_agency(), "owner").email
    watched = open_page(browser, base)
    page = watched.page
    authenticator(page)
    page.goto(f"{base}/login?next=/app/settings/security")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.locator("#main-form").get_by_role("button", name="Autentificare", exact=True).click()
    page.wait_for_url(f"{base}/app/settings/security")
    watched.check()
    page.get_by_role("button", name="Adăugați o cheie de acces").press("Enter")
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    watched.check()
    page.get_by_role("button", name="Ieșire").click()
    page.wait_for_url(f"{base}/login")
    watched.check()
    page.get_by_role("button", name="cheie de acces").click()
    page.wait_for_url(f"{base}/app/offers")
    with app.app_context():
        held = db.session.scalars(select(Passkey)).one()
        assert held.used_at and held.sign_count > 1
    page.goto(f"{base}/app/confirm?next=/app/settings/users")
    watched.check()
    page.get_by_role("button", name="cheie de acces").click()
    page.wait_for_url(f"{base}/app/settings/users")
    page.goto(f"{base}/app/settings/security")
    page.get_by_role("button", name="Șterge").click()
    expect(page.get_by_role("button", name="Șterge")).to_have_count(0)


def test_without_scripts_there_is_no_button_that_does_nothing(live: tuple[Flask, str], browser: Browser) -> None:
    watched = open_page(browser, live[1], scripts=False)
    watched.page.goto(f"{live[1]}/login")
    expect(watched.page.get_by_role("button", name="cheie de acces")).to_have_count(0)
