"""Every declared field of an offer is everywhere the others are: a place that forgot one fails here."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from datetime import date
from html import unescape
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import inspect, select

from app.blueprints.api.offer_bodies import read_offer
from app.blueprints.api.schemas import offers as schemas
from app.blueprints.public.forms import OfferForm, rules_of
from app.core.clock import now
from app.core.money import Money
from app.extensions import db
from app.models import Offer, Property, User
from app.offers.comparing import compare, lines_of
from app.offers.details import offer_by_id, open_offer
from app.offers.document import Bidder, Draft
from app.offers.exports.columns import COLUMNS
from app.offers.exports.reading import all_offers
from app.offers.exports.writing import machine_csv, offers_csv, offers_xlsx
from app.offers.fields import BY_NAME, FIELDS, RULES, nested
from app.offers.list.filter import read_filter
from app.offers.reading import READERS, OfferReader
from app.offers.representation import PERSONAL, forgotten_offer_json, offer_json
from app.offers.sections import sections
from app.privacy.data_map import COLUMNS as CLASSED
from app.webhooks.samples import OFFER
from tests.factories import login, make_property, person_of
from tests.public.test_offer_form import fill, hidden, path_of, send

# An offer that fills every field that can be filled beside the others, as it is typed.
TYPED: dict[str, Any] = {
    "amount": "118.500", "financing": "mixed", "own_funds_amount": "50.000", "credit_amount": "68.500",
    "credit_program": "noua_casa", "credit_preapproved": "yes", "payment_term_days": "45",
    "payment_term_note": "după aprobare", "valid_until": "2026-12-31", "advance_percent": "12,5",
    "conditions": ["inspection"], "conditions_text": "fără mobilă", "precontract_date": "2027-02-01",
    "deed_date": "2027-03-05", "viewing": "2026-11-20", "message": "ne place", "full_name": "Ana Țăran",
    "email": "ana@client.example", "phone": "0712034567", "type": "company", "company_name": "Firma SRL",
    "tax_id": "RO18547290", "co_buyers": "Ion Pop", "represented_by": "Dan Broker",
}  # fmt: skip
APART = {"advance_amount", "replaces"}  # what the others leave no room for
TODAY = "2026-11-28 12:00"


@pytest.fixture
def offer(client: FlaskClient, prop: Property) -> uuid.UUID:
    with time_machine.travel(TODAY, tick=True):
        assert send(client, path_of(prop), **TYPED).status_code == 303
    return db.session.scalars(select(Offer.id)).one()


def terms_of(offer_id: uuid.UUID) -> dict[str, Any]:
    found = offer_by_id(offer_id)
    assert found
    document = open_offer(*found).document
    assert document
    return document.terms


def values_said(terms: dict[str, Any]) -> dict[str, str]:
    return {one.name: one.said(terms, "EUR") for one in FIELDS}


def test_the_offer_of_this_test_fills_every_field() -> None:
    assert TYPED.keys() | APART == BY_NAME.keys()
    assert {one.kind for one in FIELDS} == READERS.keys()


def test_a_field_s_rule_and_its_need_exclude_each_other() -> None:
    for one in FIELDS:
        assert not (one.needed and one.rule), one.name
        assert bool(one.limit) == (one.kind.input in {"text", "textarea", "date", "not_yet_or_day"}), one.name


def test_every_field_is_on_the_buyer_s_page_and_on_the_agent_s(client: FlaskClient, prop: Property) -> None:
    login(client, db.session.get_one(User, prop.agent_id))
    for path in (path_of(prop), f"/app/properties/{prop.id}/offers/new"):
        page = client.get(path).text
        for one in FIELDS:
            assert f'name="{one.name}"' in page and f'id="{one.name}"' in page, (path, one.name)
            assert str(one.label) in unescape(page), (path, one.name)


def test_every_rule_hides_and_requires_its_fields(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    page = client.get("/app/properties/new").text
    for rule, title in RULES.items():
        assert f'name="rule_{rule}"' in page and str(title) in unescape(page), rule
    for rule in ("required", "hidden"):
        prop = make_property(owner.agency_id, owner.id, field_rules=dict.fromkeys(RULES, rule))
        ruled = [one for one in FIELDS if one.rule]
        assert {rules_of(prop)[one.name] for one in ruled} == {rule}
        page = client.get(path_of(prop)).text
        assert all((f'name="{one.name}"' in page) == (rule == "required") for one in ruled)
        status, answer = fill(client, path_of(prop))
        if rule == "hidden":
            assert status == 200
        else:
            missing = {one.name for one in ruled if not one.when and one.name not in {"conditions", "advance_percent"}}
            assert status == 422
            assert {one for one in missing if f'id="{one}-error"' not in answer} - {"type"} == set()


def test_every_field_is_kept_and_read_aloud_everywhere(client: FlaskClient, offer: uuid.UUID) -> None:
    terms = terms_of(offer)
    said = values_said(terms)
    assert {one.name for one in FIELDS if not said[one.name]} == APART
    rows = {row.field: row for section in sections(terms) for row in section.rows}
    assert rows.keys() - {""} == {one.name for one in FIELDS if one.shown} - APART
    found = offer_by_id(offer)
    assert found
    login(client, db.session.get_one(User, db.session.get_one(Property, found[0].property_id).agent_id))
    page = unescape(client.get(f"/app/offers/{offer}").text)
    for name, row in rows.items():
        assert row.value.splitlines()[0] in page or name in {"full_name", "email", "phone"}, name


def test_the_review_says_every_field(client: FlaskClient, prop: Property) -> None:
    with time_machine.travel(TODAY, tick=True):
        status, page = fill(client, path_of(prop), **TYPED)
    assert status == 200
    for one in FIELDS:
        if one.name not in APART:
            assert one.name in hidden(page), one.name
            assert not one.shown or f"#{one.name}" in page, one.name


def test_the_api_takes_and_shows_every_field(prop: Property, offer: uuid.UUID) -> None:
    terms = terms_of(offer)
    new, out = schemas.OfferNew.model_json_schema(), schemas.OfferOut.model_json_schema()
    for schema, defs in ((new, new["$defs"]), (out, out["$defs"])):
        inside = {
            "bidder": defs.get("Bidder") or defs["BidderOut"],
            "conditions": defs.get("Conditions") or defs["ConditionsOut"],
        }
        for one in FIELDS:
            held = inside[one.inside] if one.inside else schema
            if one.name != "replaces" or schema is new:
                assert one.path[-1] in held["properties"], one.name
    body = {k: v for k, v in terms.items() if k not in {"signature", "replaces"}}
    taken = schemas.OfferNew.model_validate_json(json.dumps({"property_external_id": "x", **body}))
    with time_machine.travel(TODAY, tick=True):
        draft = read_offer(prop, taken, "Europe/Bucharest")
    assert draft.terms() == {**terms, "signature": None}
    found = offer_by_id(offer)
    assert found
    shown = offer_json(*found, open_offer(*found).document, external_id=None)  # type: ignore[arg-type]
    assert {name: shown[name] for name in body} == body
    assert schemas.OfferOut.model_validate_json(json.dumps(shown))


def test_every_field_is_in_the_files(owner: User, offer: uuid.UUID, client: FlaskClient) -> None:
    chosen, _errors = read_filter({}, "UTC")
    with client.application.test_request_context("/"):
        lines = list(all_offers(person_of(owner), chosen))
        machine = "".join(machine_csv(lines))
        people = "".join(offers_csv(lines, "UTC"))
        book = zipfile.ZipFile(io.BytesIO(b"".join(offers_xlsx(lines, "UTC"))))
        sheet = unescape(book.read("xl/worksheets/sheet1.xml").decode())
        names = machine.splitlines()[0].split(",")
        cells = dict(zip(names, machine.splitlines()[1].split(","), strict=True))
        for one in FIELDS:
            assert (one.name in names) == bool(one.width), one.name
            if one.width:
                assert bool(cells[one.name]) == (one.name not in APART), one.name
                heading = str(one.heading or one.title)
                assert heading in people.splitlines()[0] and heading in sheet, one.name
    assert cells["viewing"] == "2026-11-20" and len(COLUMNS) == len(names)


def test_every_field_is_compared(owner: User, offer: uuid.UUID, client: FlaskClient) -> None:
    with client.application.test_request_context("/ro/"):
        rows = {row.label: row.cells[0].text for row in compare(lines_of(person_of(owner), [offer]))}
        said = values_said(terms_of(offer))
        for one in FIELDS:
            if one.compared is None or one.name in APART:
                continue
            assert rows[str(one.compared or one.title)], one.name
        everything = "\n".join(rows.values()).lower()
        for name in ("conditions_text", "company_name", "viewing"):
            assert said[name].lower() in everything, name


def test_what_stands_in_clear_is_classed_and_the_rest_is_forgotten(offer: uuid.UUID) -> None:
    columns = set(inspect(Offer).columns.keys())
    for one in FIELDS:
        if one.clear:
            assert one.clear in columns and one.clear in CLASSED["offer"]["terms"].split(), one.name
        elif one.name != "replaces":
            assert one.path[0] in PERSONAL, one.name
    assert CLASSED["offer_body"]["content"] == "body_ct"
    found = offer_by_id(offer)
    assert found
    row = type("Row", (), {})()
    for held in (found[1], found[0]):
        row.__dict__.update({each.key: getattr(held, each.key) for each in inspect(type(held)).column_attrs})
    row.external_id = row.confirmed_at = row.proof = None
    left = forgotten_offer_json(row)
    assert all(not one.value_in(left) for one in FIELDS if not one.clear)
    assert schemas.OfferOut.model_validate_json(json.dumps(left))


def test_the_sample_and_the_description_hold_every_field() -> None:
    assert schemas.OfferOut.model_validate_json(json.dumps(OFFER))
    for one in FIELDS:
        assert one.value_in(OFFER) == one.sample, one.name


def test_what_was_typed_can_be_typed_again(client: FlaskClient, prop: Property, offer: uuid.UUID) -> None:
    terms = terms_of(offer)
    again = {one.name: one.kind.typed(one.value_in(terms)) for one in FIELDS}
    form = OfferForm(data=again).bind(prop)
    with time_machine.travel(TODAY, tick=True):
        reader = OfferReader(
            prop=prop, values=form.texts(), chosen=form.chosen(), consent=True, confirmed=(), rules=form.rules,
            at=now(), zone="Europe/Bucharest",
        )  # fmt: skip
        draft = reader.read()
    assert draft and draft.terms() == terms, reader.errors


def test_a_document_older_than_a_field_still_reads(owner: User, prop: Property, offer: uuid.UUID) -> None:
    terms = {name: value for name, value in terms_of(offer).items() if name != "viewing"}
    assert BY_NAME["viewing"].said(terms, "EUR") == ""
    assert "viewing" not in {row.field for section in sections(terms) for row in section.rows}
    found = offer_by_id(offer)
    assert found
    document = type(open_offer(*found).document)({"offer": terms})  # type: ignore[misc,call-arg]
    assert offer_json(*found, document, external_id=None)["viewing"] is None
    assert BY_NAME["viewing"].kind.typed(None) == ""


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"viewing": "none"}, "none"),
        ({"viewing": "yes", "viewing_day": "2026-11-20"}, "2026-11-20"),
        ({"viewing_day": "28.11.2026"}, "2026-11-28"),
        ({"viewing": "2026-11-20"}, "2026-11-20"),
        ({"viewing": "none", "viewing_day": ""}, "none"),
        ({"viewing": ""}, None),
    ],
)
def test_a_viewing_is_not_yet_or_a_day(
    client: FlaskClient, prop: Property, typed: dict[str, str], kept: str | None
) -> None:
    with time_machine.travel(TODAY, tick=True):
        assert send(client, path_of(prop), **typed).status_code == 303
    assert terms_of(db.session.scalars(select(Offer.id)).one())["viewing"] == kept


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"viewing": "yes"}, "Alegeți „Nu încă”"),
        ({"viewing": "none", "viewing_day": "2026-11-20"}, "Alegeți „Nu încă”"),
        ({"viewing": "none", "viewing_day": "mâine"}, "Alegeți „Nu încă”"),
        ({"viewing": "yes", "viewing_day": "2026-02-30"}, "nu există"),
        ({"viewing": "2026-11-29"}, "nu a sosit încă"),
        ({"viewing": "1999-01-01"}, "prea departe"),
        ({"viewing": "9" * 41}, "cel mult 40"),
    ],
)
def test_what_is_no_viewing_is_asked_about(
    client: FlaskClient, prop: Property, typed: dict[str, str], why: str
) -> None:
    with time_machine.travel(TODAY, tick=True):
        status, page = fill(client, path_of(prop), **typed)
    error = re.search(r'id="viewing-error".*?</p>', page, re.S)
    assert status == 422 and error and why in unescape(error[0])


def test_values_are_arranged_as_the_api_does() -> None:
    draft = Draft.of(
        Bidder("A B", None, "+40712034567"), amount=Money(1_00, "EUR"), financing="cash", payment_term_days=1
    )
    assert list(nested({}))[:2] == ["amount", "financing"] and draft.terms()["bidder"]["full_name"] == "A B"
    with pytest.raises(KeyError):
        Draft.of(draft.bidder, viewed=date(2026, 1, 1))
