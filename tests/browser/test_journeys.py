"""The main job as its users do it: on a phone, without scripts, by keyboard, and at the agent's desk."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.core.money import Money
from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.offers.document import Bidder
from tests.browser.conftest import arrived, at_rest, open_page, until
from tests.conftest import ROOT
from tests.factories import PASSWORD, make_agency, make_draft, make_offer, make_property, make_user

pytestmark = pytest.mark.browser
Live = tuple[Flask, str]


def link(app: Flask, **values: object) -> str:
    with app.app_context():
        agency = make_agency()
        prop = make_property(agency, make_user(agency).id, **values)
        return f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"


def fill(page: Page, amount: str = "118.500") -> None:
    page.fill("[name=full_name]", "Măriuca Țepeș-Ionescu")
    page.fill("[name=email]", "mariuca@client.example")
    page.fill("[name=phone]", "0712 034 567")
    page.fill("[name=amount]", amount)
    page.locator("[name=financing][value=cash]").check()
    page.fill("[name=payment_term_days]", "30")
    page.locator("[name=consent]").check()


@pytest.mark.parametrize("dark", [False, True])
def test_a_buyer_on_a_phone_sends_an_offer(browser: Browser, live: Live, dark: bool) -> None:
    app, base = live
    watched = open_page(browser, base, dark=dark)
    page = watched.page
    page.goto(base + link(app))
    watched.check()
    page.get_by_role("button", name="Verificați oferta").click()
    expect(page.get_by_role("alert")).to_contain_text("Nume complet")
    watched.check()
    fill(page)
    page.get_by_role("button", name="Verificați oferta").click()
    expect(page.locator("h1")).to_have_text("Verificați oferta")
    watched.check()
    page.get_by_role("button", name=re.compile("Trimit oferta de 118.500")).click()
    expect(page.get_by_role("heading", name="Oferta a fost trimisă")).to_be_visible()
    watched.check()
    assert page.context.cookies() == []


def test_without_scripts_everything_works_signature_included(browser: Browser, live: Live) -> None:
    app, base = live
    page = open_page(browser, base, scripts=False).page
    page.goto(base + link(app, signature_required=True))
    fill(page)
    page.locator("[name=signature_kind][value=typed]").check()
    page.fill("[name=signature_typed]", "Măriuca Țepeș-Ionescu")
    page.get_by_role("button", name="Verificați oferta").click()
    page.get_by_role("button", name=re.compile("Semnez și trimit")).click()
    expect(page.locator("body")).to_contain_text("Oferta a fost trimisă")


def test_a_signature_is_drawn_with_the_pointer(browser: Browser, live: Live) -> None:
    app, base = live
    watched = open_page(browser, base)
    page = watched.page
    page.goto(base + link(app, signature_required=True))
    fill(page)
    page.locator("[name=signature_kind][value=drawn]").check()
    pad = page.locator("canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    page.mouse.move(box["x"] + 30, box["y"] + 40)
    page.mouse.down()
    for step in range(12):
        page.mouse.move(box["x"] + 30 + step * 14, box["y"] + 40 + (step % 3) * 18)
    page.mouse.up()
    page.get_by_role("button", name="Verificați oferta").click()
    expect(page.locator("img.signature-image")).to_be_visible()
    watched.check()
    page.get_by_role("button", name=re.compile("Semnez și trimit")).click()
    expect(page.get_by_role("heading", name="Oferta a fost trimisă")).to_be_visible()


def ink(page: Page) -> list[float]:
    """Where the ink of what would be sent lies, as shares of its width and height, and the same of what is seen."""
    return page.evaluate("""async () => {
        const box = async (source) => {
            const image = new Image(); image.src = source; await image.decode();
            const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0);
            const dots = pen.getImageData(0, 0, image.width, image.height).data;
            let left = image.width, right = 0;
            for (let i = 0; i < dots.length; i += 4) {
                if (dots[i] > 128) { continue; }
                const x = (i / 4) % image.width; left = Math.min(left, x); right = Math.max(right, x);
            }
            return [left / image.width, right / image.width];
        };
        const hidden = document.querySelector("[name=signature_drawn]").value;
        const canvas = document.querySelector("canvas");
        return [...await box(hidden), ...await box(canvas.toDataURL("image/png"))];
    }""")


FITTED = """wide => {
    const canvas = document.querySelector("canvas"), ratio = Math.min(Math.max(devicePixelRatio, 1), 2);
    return innerWidth === wide && canvas.width > 0 && canvas.width === Math.floor(canvas.offsetWidth * ratio);
}"""


def test_a_signature_survives_the_phone_being_turned_and_what_is_seen_is_sent(browser: Browser, live: Live) -> None:
    app, base = live
    page = open_page(browser, base).page
    page.set_viewport_size({"width": 844, "height": 390})
    page.goto(base + link(app, signature_required=True))
    fill(page)
    page.locator("[name=signature_kind][value=drawn]").check()
    pad = page.locator("canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box and box["width"] > 500
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 100, steps=12)
    page.mouse.up()
    wide = ink(page)
    assert wide[0] < 0.15 and wide[1] > 0.85
    for size in ({"width": 390, "height": 844}, {"width": 320, "height": 640}, {"width": 844, "height": 390}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        expect(pad).to_be_visible()
        until(page, FITTED, size["width"])
        left, right, seen_left, seen_right = ink(page)
        assert abs(left - seen_left) < 0.01 and abs(right - seen_right) < 0.01, "what is seen is sent"
        assert left < 0.2 and 0.8 < right < 0.99, (size, left, right)


def test_by_keyboard_alone_a_signed_offer_is_sent(browser: Browser, live: Live) -> None:
    app, base = live
    page = open_page(browser, base, phone=False).page
    page.goto(base + link(app, signature_required=True))

    def reach(name: str, value: str = "") -> None:
        wanted = f"[name={name}]" + (f"[value={value}]" if value else "")
        for _ in range(60):
            if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {name}")

    for name, text in (("full_name", "Ana Pop"), ("email", "ana@client.example"), ("phone", "0712034567")):
        reach(name)
        page.keyboard.type(text)
    reach("amount")
    page.keyboard.type("118500")
    reach("financing")
    page.keyboard.press("Space")
    reach("payment_term_days")
    page.keyboard.type("30")
    reach("signature_kind")
    for _ in range(6):
        if page.evaluate("document.activeElement.value") == "typed":
            break
        page.keyboard.press("ArrowDown")
    reach("signature_typed")
    page.keyboard.type("Ana Pop")
    reach("consent")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Verificați oferta")
    at_rest(page)
    reach("step", "send")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Oferta a fost trimisă")).to_be_visible()
    expect(page.locator(".signature-text")).to_contain_text("Ana Pop")


def test_an_agent_finds_opens_accepts_and_undoes_in_place(browser: Browser, live: Live) -> None:
    app, base = live
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        make_offer(make_property(owner.agency_id, owner.id))
        email = owner.email
    watched = open_page(browser, base, phone=False)
    page = watched.page
    page.goto(base + "/app/offers")
    watched.check()
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(base + "/app/offers")
    watched.check()
    page.get_by_role("link", name="Andrei Țurcanu", exact=True).click()
    page.wait_for_url(re.compile(r"/app/offers/[0-9a-f-]{36}$"))
    expect(page.locator("#offer-view .badge").first).to_have_text("Vizualizată")
    watched.check()
    before = page.url
    page.get_by_role("link", name="Acceptă…").press("Enter")
    expect(page.locator("#dialog #decision-title")).to_be_focused()
    watched.check()
    page.get_by_label("Anunță pe Andrei Țurcanu").check()
    page.locator("#dialog").get_by_role("button", name="Acceptă oferta").press("Enter")
    expect(page.locator("#offer-view .badge").first).to_have_text("Acceptată")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator("#offer-view")).to_contain_text("notar")
    expect(page).to_have_url(before)
    watched.check()
    page.get_by_role("button", name="Anulează").press("Enter")
    expect(page.locator("#offer-view .badge").first).to_have_text("Vizualizată")
    page.get_by_role("link", name="Respinge…").click()
    expect(page.locator("#dialog #decision-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Respinge…")).to_be_focused()
    watched.check()
    page.go_back()
    expect(page.locator("h1")).to_have_text("Oferte")
    for path in (
        "/app/properties",
        "/app/properties/new",
        "/app/settings",
        "/app/settings/users",
        "/docs",
        "/docs/api",
        "/docs/webhooks",
        "/gdpr",
        "/",
    ):
        page.goto(base + path)
        watched.check()


def test_an_agent_compares_asks_and_answers_many_from_the_list(browser: Browser, live: Live) -> None:
    app, base = live
    with app.app_context():
        owner = make_user(make_agency(), "owner")
        prop = make_property(owner.agency_id, owner.id)
        for n, name in enumerate(("Ana Pop", "Dan Ilie", "Eva Rus")):
            bidder = Bidder(name, f"client{n}@client.example", "+40722000111")
            make_offer(prop, make_draft(bidder=bidder, amount=Money((118_000 + n) * 100, "EUR")))
        email = owner.email
    watched = open_page(browser, base, phone=False)
    page = watched.page
    page.goto(base + "/app/offers")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(base + "/app/offers")
    for name in ("Ana Pop", "Dan Ilie", "Eva Rus"):
        page.get_by_label(f"Alege oferta de la {name}").check()
    page.get_by_role("button", name="Compară").click()
    page.wait_for_url("**/app/compare?**")
    expect(page.locator("tr", has_text="Suma oferită").locator(".best")).to_contain_text("118.002")
    page.get_by_label("Ascunde ce este la fel la toate").check()
    expect(page.locator("tr.same").first).to_be_hidden()
    watched.check()
    page.get_by_label("Ascunde ce este la fel la toate").uncheck()
    sheet = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
    page.go_back()
    arrived(page, page.locator("#chosen"))
    page.locator("tr.is-link", has_text="Ana Pop").locator(".row-menu").press("Enter")
    page.locator("#answer-rejected").press("Enter")
    expect(page.locator("dialog #decision-title")).to_be_focused()
    watched.check()
    page.locator("dialog").get_by_role("button", name="Respinge oferta").click()
    expect(page.locator("tr", has_text="Ana Pop").locator(".badge")).to_have_text("Respinsă")
    at_rest(page)
    for name in ("Dan Ilie", "Eva Rus"):
        page.get_by_label(f"Alege oferta de la {name}").check()
    page.get_by_role("button", name="Cere o ofertă mai bună…").click()
    page.locator("dialog").get_by_role("button", name="Cere o ofertă mai bună de la 2 clienți").click()
    expect(page.locator("#content")).to_contain_text("S-a cerut o ofertă mai bună de la 2 clienți")
    expect(page).to_have_url(base + "/app/offers")
    watched.check()


def test_the_page_tells_that_it_was_looked_at_and_begun_once(browser: Browser, live: Live) -> None:
    app, base = live
    watched = open_page(browser, base)
    page, told = watched.page, []
    page.on("request", lambda sent: told.append(sent.post_data) if sent.url.endswith("/seen") else None)
    page.clock.install(time=0)
    page.clock.pause_at(3600)  # it goes on only as it is told to
    where = base + link(app)
    page.goto(where)
    page.clock.run_for(4_500)
    page.evaluate("fetch('/robots.txt')")  # what was asked for before this has been seen
    assert told == []
    with page.expect_response("**/seen"):
        page.clock.run_for(1_000)
    with page.expect_response("**/seen"):
        page.locator("[name=full_name]").press_sequentially("Ana")
    page.goto(where)
    page.clock.run_for(9_000)
    page.evaluate("fetch('/robots.txt')")
    assert told == ["what=opened", "what=begun"] and page.context.cookies() == []
    assert watched.faults == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("phone", [False, True])
def test_the_styleguide_shows_every_component_without_fault(
    browser: Browser, live: Live, phone: bool, dark: bool
) -> None:
    _app, base = live
    watched = open_page(browser, base, phone=phone, dark=dark)
    watched.page.goto(base + "/app/styleguide")
    watched.check()
    macros = re.findall(r"{% macro ([a-z]\w*)", (ROOT / "app/templates/components/ui.html").read_text())
    shown = "".join(one.read_text() for one in (ROOT / "app/templates/site/styleguide").iterdir())
    assert [name for name in macros if name not in shown and name != "app_nav"] == []


NEWER_CSS = (":is(", ":where(", ":has(", "@layer", "color-mix(", "inset:", "aspect-ratio", "@container", "dvh", "&:")
NEWER_JS = ("??=", "||=", "&&=", "replaceAll(", ".at(", "structuredClone", "static {")


def test_buyer_pages_load_nothing_that_a_browser_of_2020_cannot_read() -> None:
    css = "".join((ROOT / "app/static/css" / name).read_text() for name in ("bidflux.css", "site.css"))
    assert [word for word in NEWER_CSS if word in css] == []
    assert not re.search(r"display:\s*flex[^}]*[^-]gap:", css), "gap in flex came with Chromium 84"
    for script in ("js/buyer.js", "vendor/signature_pad-5.1.0/signature_pad.umd.min.js"):
        text = (ROOT / "app/static" / script).read_text()
        assert [word for word in NEWER_JS if word in text] == [], script
