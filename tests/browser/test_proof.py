"""A code from the mailbox, and a receipt checked by its file: on a phone, without scripts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from app.core import keys
from app.extensions import db
from app.models import EmailCode, Offer
from app.offers.codes import digits_of
from app.proof import receipts
from tests.browser.conftest import open_page
from tests.browser.test_journeys import fill, link

pytestmark = pytest.mark.browser


def digits_sent(app: Flask) -> str:
    """What stands in the mail."""
    with app.app_context():
        row = db.session.scalars(select(EmailCode)).one()
        key = keys.offer_key(row.agency_id, row.offer_id)
        assert key
        found = digits_of(row.agency_id, row.offer_id, row.n, key)
        db.session.remove()
    assert found
    return found


def make_receipt(app: Flask) -> None:
    with app.app_context():
        offer = db.session.scalars(select(Offer)).one()
        receipts.make(offer.agency_id, offer.id)
        db.session.remove()


@pytest.mark.parametrize("dark", [False, True])
def test_a_code_confirms_the_signature_and_the_receipt_is_checked(
    browser: Browser, live: tuple[Flask, str], tmp_path: Path, dark: bool
) -> None:
    app, base = live
    watched = open_page(browser, base, scripts=False, dark=dark)
    page = watched.page
    page.goto(base + link(app, signature_required=True, code_required=True))
    fill(page)
    page.fill("[name=signature_typed]", "Măriuca Țepeș-Ionescu")
    page.locator("[name=signature_kind][value=typed]").check()
    page.get_by_role("button", name="Verificați oferta").click()
    page.get_by_role("button", name="Semnez și trimit").click()
    field = page.get_by_label("Codul de șase cifre")
    expect(field).to_be_visible()
    code = digits_sent(app)
    field.fill("000000" if code != "000000" else "111111")
    page.get_by_role("button", name="Confirm semnătura").click()
    expect(page.locator("#code-error")).to_contain_text("4")
    field.fill(f"{code[:3]} {code[3:]}")
    page.get_by_role("button", name="Confirm semnătura").click()
    expect(field).to_have_count(0)
    with ThreadPoolExecutor(1) as worker:  # as a worker does; Playwright's own loop holds this thread
        worker.submit(make_receipt, app).result()
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="Dovada sigilată").click()
    path = tmp_path / "receipt.pdf"
    download.value.save_as(path)
    page.goto(base + "/verify")
    page.set_input_files("#receipt", path)
    page.get_by_role("button", name="Verificați fișierul").click()
    expect(page.get_by_text("Dovada este autentică")).to_be_visible()
    path.write_bytes(path.read_bytes() + b"\n")
    page.set_input_files("#receipt", path)
    page.get_by_role("button", name="Verificați fișierul").click()
    expect(page.get_by_text("Nu este valabilă")).to_be_visible()
    assert page.context.cookies() == []
