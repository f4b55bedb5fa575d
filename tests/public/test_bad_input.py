"""Whatever arrives at a signed link: a clear answer with the right status, what was typed kept, nothing half saved."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select
from structlog.testing import capture_logs

from app.extensions import db
from app.models import Base, Offer, Property
from app.offers.details import offer_by_id, open_offer
from tests.factories import login, make_property, make_user
from tests.public.test_offer_form import GOOD, hidden, path_of

YESTERDAY = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
CHANGING = ("offer", "offer_body", "offer_key", "offer_state", "submission", "ledger", "event", "delivery")


def rows() -> dict[str, int]:
    db.session.rollback()
    tables = Base.metadata.tables
    return {name: db.session.scalar(select(func.count()).select_from(tables[name])) or 0 for name in CHANGING}


def drawn(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def png(width: int, height: int) -> bytes:
    """A black line on white, which is a signature but for its size."""
    out, image = BytesIO(), Image.new("1", (width, height), 1)
    image.paste(0, (0, 0, width, 1 + height // 9))
    image.save(out, "PNG")
    return out.getvalue()


WRONG = [
    ("amount", "-5"),
    ("amount", "0"),
    ("amount", "1e9"),
    ("amount", "NaN"),
    ("amount", "9" * 40),
    ("amount", "125.0000"),
    ("email", "fără arond"),
    ("email", "a@b@c.ro"),
    ("email", "victim@client.example\r\nBcc: all@client.example"),
    ("phone", "telefonul meu"),
    ("phone", "0"),
    ("full_name", ""),
    ("full_name", "\x00\x07"),
    ("full_name", "x" * 201),
    ("financing", "gold"),
    ("payment_term_days", "-1"),
    ("payment_term_days", "4000"),
    ("payment_term_days", "1.5"),
    ("valid_until", YESTERDAY),
    ("valid_until", "31.02.2027"),
    ("valid_until", "9999-12-31"),
    ("deed_date", "0000-00-00"),
    ("advance_percent", "101"),
    ("advance_percent", "inf"),
    ("advance_amount", "999.999.999"),
    ("conditions", "a_wish"),
    ("message", "x" * 4001),
    ("co_buyers", "\n".join(f"Ion {n}" for n in range(11))),
    ("type", "robot"),
    ("replaces", "BF-'; DROP TABLE offer"),
    ("consent", ""),
    ("website", "http://spam.example"),
]


@pytest.mark.parametrize("language", ["ro", "en"])
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(client: FlaskClient, prop: Property, language: str) -> None:
    where, before = f"/{language}{path_of(prop)}" if language == "en" else path_of(prop), rows()
    stamp = hidden(client.get(where).get_data(as_text=True))["stamp"]
    for name, value in WRONG:
        typed = {**GOOD, "full_name": "Păstrată Întocmai", "stamp": stamp, "step": "send", name: value}
        answer = client.post(where, data=typed, headers={"Accept-Language": language})
        page = answer.get_data(as_text=True)
        assert answer.status_code == 422, (name, value, answer.status_code)
        assert "error-summary" in page and f'lang="{language}"' in page, (name, value)
        assert name == "full_name" or "Păstrată Întocmai" in page, (name, value)
    assert rows() == before


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        png(14000, 14000),
        png(9600, 9600),
        png(2001, 2000),
        b"<svg onload='alert(1)'/>",
        png(1, 1)[:40],
    ],
    ids=["empty", "text", "broken", "a bomb", "huge", "more than any pad has", "svg", "cut"],
)
def test_a_signature_that_is_no_picture_is_asked_for_again(client: FlaskClient, prop: Property, image: bytes) -> None:
    signed = make_property(prop.agency_id, prop.agent_id, signature_required=True)
    stamp = hidden(client.get(path_of(signed)).get_data(as_text=True))["stamp"]
    data = {**GOOD, "stamp": stamp, "step": "send", "signature_kind": "drawn", "signature_drawn": drawn(image)}
    answer = client.post(path_of(signed), data=data)
    assert answer.status_code == 422 and "Măriuca" in answer.get_data(as_text=True)
    assert rows()["offer"] == 0


HOSTILE = {
    "full_name": "<script>alert('x')</script> O'Neil; DROP TABLE offer;--",
    "message": '=HYPERLINK("http://evil.example")\r\n\r\n<img src=x onerror=alert(1)> {{ 7*7 }} ${7*7} %s',
    "represented_by": "+40722|calc.exe",
    "payment_term_note": "'; UPDATE offer SET amount_minor = 1; --",
}


def test_hostile_text_is_kept_as_text(client: FlaskClient, prop: Property) -> None:
    owner = make_user(prop.agency_id, "owner")
    stamp = hidden(client.get(path_of(prop)).get_data(as_text=True))["stamp"]
    review = client.post(path_of(prop), data={**GOOD, **HOSTILE, "stamp": stamp})
    sent = client.post(path_of(prop), data={**hidden(review.get_data(as_text=True)), "step": "send"})
    assert sent.status_code == 303
    offer_id = db.session.scalars(select(Offer.id)).one()
    found = offer_by_id(offer_id)
    assert found is not None
    document = open_offer(*found).document
    assert document is not None
    assert document.bidder.full_name == HOSTILE["full_name"]
    assert document.terms["message"] == HOSTILE["message"].replace("\r\n", "\n")
    login(client, owner)
    for page in (review, client.get(sent.location), client.get(f"/app/offers/{offer_id}"), client.get("/app/offers")):
        text = page.get_data(as_text=True)
        assert "<script>alert" not in text and "<img src=x" not in text and "49" not in text.partition("${")[2][:9]


def test_control_characters_go_and_letters_stay(client: FlaskClient, prop: Property) -> None:
    stamp = hidden(client.get(path_of(prop)).get_data(as_text=True))["stamp"]
    data = {
        **GOOD,
        "stamp": stamp,
        "message": "Bună\x00 ziua\x1b[31m,\u202e ăîșțâ 😀\x7f",
        "full_name": "Ștefan\u2028 Țurcan",
    }
    page = client.post(path_of(prop), data=data).get_data(as_text=True)
    assert "Bună ziua[31m, ăîșțâ 😀" in page and "Ștefan Țurcan" in page


def test_bytes_that_are_no_text_are_asked_about(client: FlaskClient, prop: Property) -> None:
    stamp = hidden(client.get(path_of(prop)).get_data(as_text=True))["stamp"][0]
    body = f"stamp={stamp}&step=send&amount=118500&financing=cash&consent=y&full_name=%ff%fe%C3%28".encode()
    for sent in (body, body.replace(b"%ff%fe", b"\xff\xfe")):
        answer = client.post(path_of(prop), data=sent, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 422 and rows()["offer"] == 0


def test_a_body_too_large_is_said_to_be_so(client: FlaskClient, prop: Property) -> None:
    answer = client.post(path_of(prop), data={**GOOD, "message": "x" * 2_500_000})
    assert answer.status_code == 413 and "prea mare" in answer.get_data(as_text=True)
    parts = {**GOOD, "more": [BytesIO(b"x").getvalue().decode()] * 500}
    answer = client.post(path_of(prop), data=parts, content_type="multipart/form-data")
    assert answer.status_code == 413 and "prea mare" in answer.get_data(as_text=True)
    assert rows()["offer"] == 0


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        *((path, {"more": ["x"] * 500}) for path in ("/o/…", "/login", "/verify", "/gdpr/request")),
        *((path, {"email": "x" * 3_000_000}) for path in ("/o/…", "/login", "/gdpr/request")),
    ],
)
def test_what_is_too_large_is_a_whole_page_and_no_fault_in_the_log(
    client: FlaskClient, prop: Property, path: str, fields: dict[str, list[str] | str]
) -> None:
    """Whoever renders the page asks for the form again, which is as unreadable as before."""
    where = path_of(prop) if "…" in path else path
    kind = "multipart/form-data" if "more" in fields else "application/x-www-form-urlencoded"
    with capture_logs() as logs:
        answer = client.post(where, data=fields, content_type=kind)
    assert answer.status_code == 413 and "<main" in answer.get_data(as_text=True)
    assert not [line for line in logs if line["log_level"] == "error"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(client: FlaskClient, prop: Property, method: str) -> None:
    assert client.open(path_of(prop), method=method).status_code == 405


@pytest.mark.parametrize("token", ["x", "%00", "a" * 73, "../../etc/passwd", "ș" * 20, "AAAA.BBBB", "a" * 4000])
def test_a_malformed_link_is_a_plain_page(client: FlaskClient, token: str) -> None:
    for path in (f"/o/{token}", f"/r/{token}", f"/o/{token}/photo"):
        assert client.get(path).status_code == 404
    assert client.post(f"/o/{token}", data=GOOD).status_code == 404


@pytest.mark.parametrize("stamp", ["", "x", "A" * 300, "foreign"])
def test_without_a_true_stamp_it_is_shown_once_more(client: FlaskClient, prop: Property, stamp: str) -> None:
    if stamp == "foreign":
        other = make_property(prop.agency_id, prop.agent_id)
        stamp = hidden(client.get(path_of(other)).get_data(as_text=True))["stamp"][0]
    answer = client.post(path_of(prop), data={**GOOD, "stamp": stamp, "step": "send"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and rows()["offer"] == 0
    sent = client.post(path_of(prop), data={**hidden(page), "step": "send"})
    assert sent.status_code == 303 and rows()["offer"] == 1


def test_two_tabs_of_one_form_are_two_offers_or_one(client: FlaskClient, prop: Property) -> None:
    stamp = hidden(client.get(path_of(prop)).get_data(as_text=True))["stamp"]
    for amount, count in (("118.500", 1), ("119.000", 2), ("118.500", 2)):
        review = client.post(path_of(prop), data={**GOOD, "amount": amount, "stamp": stamp})
        sent = client.post(path_of(prop), data={**hidden(review.get_data(as_text=True)), "step": "send"})
        assert sent.status_code == 303
        assert rows()["offer"] == count


def test_a_form_left_open_for_three_hours_still_sends(client: FlaskClient, prop: Property) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        stamp = hidden(client.get(path_of(prop)).get_data(as_text=True))["stamp"]
        clock.shift(timedelta(hours=3))
        review = client.post(path_of(prop), data={**GOOD, "stamp": stamp})
        clock.shift(timedelta(hours=3))
        sent = client.post(path_of(prop), data={**hidden(review.get_data(as_text=True)), "step": "send"})
        assert sent.status_code == 303 and rows()["offer"] == 1


def test_limits_hold_per_address_and_per_link_with_the_counter_away(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    """The application's Valkey is a port where nobody listens."""
    counter = app.extensions["bidflux_counter"]
    counter._shared.storage.storage.connection_pool.connection_kwargs["port"] = 9
    counter._shared.storage.storage.connection_pool.disconnect()
    began = time.monotonic()
    answers = [client.post(path_of(prop), data={"step": "edit"}).status_code for _ in range(125)]
    assert answers.count(429) >= 4 and answers[-1] == 429 and answers[0] == 200
    assert time.monotonic() - began < 60
    other = client.post(path_of(prop), data={"step": "edit"}, environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
    assert other.status_code == 200
    late = client.post(path_of(prop), data={"step": "edit"})
    assert late.status_code == 429 and int(late.headers["Retry-After"]) > 0
