"""Every page that is reached by GET, on the narrowest phone: axe, console, origin, width, text, what is to touch.

Each page is seen light and dark; Romanian and English take turns from page to page.
"""

from __future__ import annotations

import uuid
from email.message import EmailMessage
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from sqlalchemy import select
from werkzeug.routing import Rule

from app.accounts import founding, invitations, operators
from app.core.ledger import SYSTEM
from app.core.money import Money
from app.core.signed_links import BIDDER, OFFER_LINK, PRIVACY, RECEIPT, SELLER, SETUP, OfferLink, sign
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.models import Offer, PrivacyRequest
from app.offers import notes, saved_views
from app.offers.document import Bidder
from app.privacy import data_requests
from app.properties import seller_links
from app.web.guards import Guard
from app.webhooks import editing as webhooks
from tests.browser.conftest import Watched, open_page
from tests.browser.measures import faults_of_layout
from tests.factories import PASSWORD, make_agency, make_draft, make_offer, make_property, make_user, person_of

pytestmark = pytest.mark.browser
Live = tuple[Flask, str]
NARROW = {"width": 320, "height": 700}

LONG = ("Alexandrina-Constantina Brâncoveanu-Cantacuzino", "UnSingurCuvântFoarteLungCareNuSeDesparteNicăieri", "Ion")
# Of axe's rules, those by which a page can fail in one theme alone.
COLOURS = ("color-contrast", "link-in-text-block")
# Fetched, downloaded or asked for by programs: no pages.
NO_PAGES = {
    "static", "ops.healthz", "ops.readyz", "ops.metrics", "offers.export_csv", "offers.export_xlsx", "offers.news",
    "offers.signature", "offers.receipt_pdf", "properties.photo", "properties.qr", "settings.register_checkpoints",
    "public.data_copy_json", "public.data_copy_pdf", "public.photo", "public.shared_photo", "public.receipt_pdf",
    "public.own_data", "public.own_receipt", "site.robots", "site.root_certificate", "site.verify_tool",
    "site.security_txt", "site.outbox_html", "accounts.start",
    "api_docs.try_it",  # Swagger UI draws it
}  # fmt: skip


class Made:
    """An agency with one of everything, named at length; an empty one; and what each route's parameters are."""

    def __init__(self, outbox: Path) -> None:
        owner = make_user(make_agency("Agenția Imobiliară Brâncoveanu & Asociații Cluj-Napoca"), "owner")
        operators.add(owner.account_id)
        agency, by = owner.agency_id, person_of(owner)
        colleague = make_user(agency, full_name=LONG[0])
        self.owner, self.newcomer = owner.email, make_user(make_agency("Nouă"), "owner").email
        prop = make_property(
            agency, owner.id, external_id="CRM-CU-UN-COD-FOARTE-LUNG-2026/000123", asking_minor=12_345_678_900,
            title="Penthouse cu 5 camere, terasă panoramică și două locuri de parcare subterane, Panoramic-Grigor",
        )  # fmt: skip
        offers = []
        for at, name in enumerate(LONG):
            bidder = Bidder(
                name, f"o.adresa.foarte.lunga.{at}@un-domeniu-foarte-lung-al-unei-firme.example", "+40722000111"
            )
            amount = Money(11_888_888_800 + at * 100, "EUR")
            offers.append(
                make_offer(prop, make_draft(bidder=bidder, amount=amount, financing=("cash", "mixed", "credit")[at]))
            )
        first = db.session.get_one(Offer, offers[0])
        notes.write(first, "De sunat mâine după ora 10.", by=by)
        saved_views.save("Numerar, peste 100.000 €, fără răspuns încă", {"financing": "cash"}, by=by)
        endpoint, _secret = webhooks.create(
            agency, "https://crm.o-agentie-cu-nume-lung.example/hooks/bidflux", by=SYSTEM
        )
        held = webhooks.get_endpoint(agency, endpoint)
        seller = seller_links.create(prop, 7, shows_names=True, by=by)
        data_requests.ask(
            agency, "access", "o.adresa.foarte.lunga.0@un-domeniu-foarte-lung-al-unei-firme.example", "ro"
        )
        request = db.session.scalars(select(PrivacyRequest)).one()
        data_requests.prove(request.id)
        mail = EmailMessage()
        mail["Subject"], mail["To"], mail["Date"] = (
            "Ofertă nouă",
            "o.adresa@foarte-lunga.example",
            "Tue, 24 Nov 2026 01:31:06 +0000",
        )
        mail.set_content("https://bidflux.example/" + "x" * 90)
        (outbox / "one.eml").write_bytes(mail.as_bytes())
        self.door_of_bidder, self.door_of_seller = f"/r/{sign(BIDDER, first.id)}", f"/s/{sign(SELLER, seller)}"
        self.receipt = f"/r/{sign(RECEIPT, first.id)}"
        self.chosen = "&".join(f"offer={one}" for one in offers)
        self.values: dict[str, Any] = {
            "property_id": prop.id,
            "external_id": prop.external_id,
            "offer_id": first.id,
            "reference": first.reference,
            "user_id": colleague.id,
            "endpoint_id": endpoint,
            "call_id": webhooks.send_test(held, "offer.created", by=SYSTEM),
            "feed_id": feeds.create(
                agency, FeedValues("Sursa cu un nume lung", "rebs", url="https://crm.example/"), by=SYSTEM
            ),
            "link_id": seller,
            "slug": "invalid",
            "name": "one.eml",
        }
        self.tokens = {
            "accounts.set_up": sign(SETUP, uuid.uuid4()),
            "public.offer": sign(OFFER_LINK, OfferLink(prop.id, prop.link_version)),
            "public.receipt": sign(RECEIPT, first.id),
            "public.seller_landing": sign(SELLER, seller),
            "public.prove_address": sign(PRIVACY, request.id),
            "accounts.choose_password": invitations.account_token(colleague, 2e9),
        }

    def paths(self, app: Flask) -> list[str]:
        """One address for each rule, and further states of some."""
        with app.test_request_context():
            found = [
                app.url_for(rule.endpoint, **self._filled(rule))
                for rule in app.url_map.iter_rules()
                if "GET" in (rule.methods or ()) and rule.endpoint not in NO_PAGES and self._shown(app, rule)
            ]
        asked = {
            "/app/offers/decision": f"?status=accepted&{self.chosen[:42]}",
            "/app/offers/better": f"?{self.chosen}",
        }
        more = (
            "/app/offers?q=nimeni",
            "/app/offers?min_amount=abc",
            f"/app/compare?{self.chosen}",
            f"/app/offers/decision?status=rejected&{self.chosen}",
            "/app/properties?q=nimic",
            self.door_of_bidder,
            "/o/nu-este",
            "/nu-este",
            f"/app/offers/{uuid.uuid4()}",
            f"/s/view/{uuid.uuid4()}",
        )
        return [one + asked.get(one, "") for one in found] + list(more)

    def _filled(self, rule: Rule) -> dict[str, Any]:
        if rule.endpoint == "api_docs.guide":
            return {"name": "api"}
        return {name: self.tokens[rule.endpoint] if name == "token" else self.values[name] for name in rule.arguments}

    @staticmethod
    def _shown(app: Flask, rule: Rule) -> bool:
        return app.view_functions[rule.endpoint].policy.guard is not Guard.API_KEY and not str(rule).startswith(
            "/api/crm"
        )


def sign_in(page: Page, base: str, email: str) -> None:
    page.goto(f"{base}/login")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/app/offers")


def walk(watched: Watched, base: str, paths: list[str]) -> dict[str, list[str]]:
    """What is wrong, by page."""
    wrong, page = {}, watched.page
    turns = cycle((("ro", "light"), ("en", "dark"), ("ro", "dark"), ("en", "light")))
    for path, (language, theme) in zip(paths, turns, strict=False):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        answer = page.goto(f"{base}/{language}{path}")
        assert answer and answer.status < 500 and answer.headers["content-type"].startswith("text/html"), path
        watched.faults[:] = [fault for fault in watched.faults if f"status of {answer.status}" not in fault]
        found = watched.findings() + faults_of_layout(page)
        page.emulate_media(color_scheme="light" if theme == "dark" else "dark", reduced_motion="reduce")
        found += [f"in the other theme: {one}" for one in watched.findings(*COLOURS)]
        if page.locator("html").get_attribute("lang") != language:
            found.append("in another language")
        if found:
            wrong[f"{language} {theme} {path}"] = found
    return wrong


def test_every_page_is_sound_on_the_narrowest_phone(browser: Browser, live: Live, tmp_path: Path) -> None:
    app, base = live
    watched = open_page(browser, base)
    page = watched.page
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    with app.app_context():
        set_up, _until = founding.link() or ("", None)
        assert walk(watched, base, [f"/setup/{set_up.rpartition('/')[2]}"] * 2) == {}
        made = Made(tmp_path)
    sign_in(page, base, made.owner)
    for door in (made.door_of_bidder, made.door_of_seller):
        page.goto(base + door)
        with page.expect_navigation():
            page.locator("main button[type=submit]").first.click()
    assert walk(watched, base, made.paths(app)) == {}


def test_a_new_agencys_empty_pages_are_sound(browser: Browser, live: Live, tmp_path: Path) -> None:
    app, base = live
    with app.app_context():
        made = Made(tmp_path)
    watched = open_page(browser, base)
    watched.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    sign_in(watched.page, base, made.newcomer)
    empty = (
        "offers",
        "offers/new",
        "offers/views",
        "compare",
        "properties",
        "stats",
        "settings/users",
        "settings/feeds",
    )
    assert walk(watched, base, [f"/app/{one}" for one in empty]) == {}


def test_forms_with_something_missing_and_refusals_are_sound(browser: Browser, live: Live, tmp_path: Path) -> None:
    app, base = live
    with app.app_context():
        made = Made(tmp_path)
    watched = open_page(browser, base)
    page = watched.page
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    wrong = {}

    def look(name: str) -> None:
        watched.faults[:] = [fault for fault in watched.faults if "status of 4" not in fault]
        if found := watched.findings() + faults_of_layout(page):
            wrong[name] = found

    def send_empty(path: str) -> None:
        page.goto(f"{base}/ro/{path}")
        page.locator("main form[method=post]").evaluate_all("forms => forms.forEach(form => form.noValidate = true)")
        with page.expect_navigation() as answered:
            page.locator("main form[method=post] button[type=submit]:not([formaction])").last.click()
        assert answered.value.status == 422, path
        look(path)

    send_empty("login")
    sign_in(page, base, made.owner)
    offer = made.tokens["public.offer"]
    for path in ("app/properties/new", "app/settings/users", "app/settings/webhooks", f"o/{offer}"):
        send_empty(path)
    for _ in range(120):
        page.request.get(f"{base}/robots.txt")
    # The minute in which these count may end meanwhile; then the next one fills up.
    asked = (page.goto(f"{base}/robots.txt") for _ in range(300))
    assert any(answer is not None and answer.status == 429 for answer in asked)
    look("too many requests")
    assert wrong == {}
