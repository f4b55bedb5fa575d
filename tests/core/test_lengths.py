"""No field cuts what is typed; what is too long is refused with its limit and shown again; each limit is one number."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

from flask.testing import FlaskClient
from pydantic import BaseModel
from wtforms import Form, StringField, TextAreaField
from wtforms.validators import Length

from app.blueprints.api.schemas.offers import Bidder, Conditions, OfferNew, OfferQuery, StatusChange
from app.blueprints.api.schemas.properties import PropertyQuery
from app.blueprints.api.schemas.webhooks import WebhookNew
from app.blueprints.offers.forms import NoteForm
from app.blueprints.properties.forms import PropertyForm
from app.blueprints.public.forms import OfferForm
from app.blueprints.settings.feed_forms import FeedForm
from app.blueprints.site.styleguide import Fields
from app.core.clock import now
from app.core.contacts import read_phone
from app.core.limits import (  # fmt: skip
    EMAIL,
    IN_ADDRESS,
    LINE,
    NOTE,
    PHONE,
    PROPERTY,
    REASON,
    SEARCH,
    URL,
    VIEW_NAME,
    WHY,
    plain_lines,
)
from app.extensions import db
from app.models import Note, PrivacyRequest, User
from app.offers.fields import LIMITS as OFFER
from app.offers.list.filter import read_filter
from app.properties.fields import PropertyBulkItem
from tests.conftest import ROOT
from tests.factories import login, make_offer, make_property
from tests.public.test_offer_form import fill, hidden, path_of

TOO_LONG = "Folosiți cel mult %d de caractere"
NUMBERS = {"asking_price", "usable_area_sqm", "built_area_sqm", "land_area_sqm", "rooms"}


def test_no_field_cuts_what_is_pasted() -> None:
    """A browser cuts in silence. Only what goes into an address is bounded, far behind what is refused."""
    for path in sorted((ROOT / "app/templates").rglob("*.html")):
        for tag in re.findall(r"<(?:input|textarea)\b[^>]*|attributes=\{[^}]*\}", path.read_text()):
            if "maxlength" in tag:
                assert re.findall(r'maxlength(?:="\{\{|":) (\w+)', tag) == ["IN_ADDRESS"], path
    assert all("maxLength" not in path.read_text() for path in (ROOT / "app/static/js").glob("*.js"))
    assert IN_ADDRESS >= 3 * SEARCH and IN_ADDRESS > 400  # what an address may have before it is read


def test_every_text_of_several_lines_is_counted_as_it_is_kept() -> None:
    def of(form: type[Form] = Form) -> Iterator[type[Form]]:
        yield form
        for sub in form.__subclasses__():
            yield from of(sub)

    forms = {form for form in of() if form.__module__.startswith("app.")} - {
        Fields
    }  # the style guide's, which nobody sends
    assert {OfferForm, PropertyForm, NoteForm, FeedForm} < forms
    for form in forms - {OfferForm, PropertyForm} - set(OfferForm.__subclasses__()):  # which have readers of their own
        for field in form():
            if isinstance(field, TextAreaField):
                assert plain_lines in field.filters, (form, field.name)
                assert any(isinstance(check, Length) for check in field.validators), (form, field.name)


def test_a_text_of_exactly_the_limit_is_taken(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    for letter in ("a", "😀", "ș", "\r\nx"):
        each = len(letter.replace("\r\n", "\n"))
        names = ("payment_term_note", "conditions_text", "message", "represented_by")
        typed = {name: "x" + letter * ((OFFER[name] - 1) // each) for name in names}
        status, page = fill(client, path_of(prop), **{name: f"\r\n {text} \r\n" for name, text in typed.items()})
        assert status == 200, page


def test_one_more_is_said_and_not_cut(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    names = sorted(OFFER)
    long = {name: "9" * (OFFER[name] + 1) for name in names}
    status, page = fill(client, path_of(prop), type="company", financing="mixed", **long)
    assert status == 422 and page.count('class="error"') == len(names)  # each is told one thing
    for name, typed in long.items():
        found = re.search(rf'id="{name}-error".*?</p>', page, re.S)
        assert found and TOO_LONG % OFFER[name] in found[0] and typed in page, name


def test_the_agent_is_told_the_same(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    login(client, owner)
    path = f"/app/properties/{prop.id}/offers/new"
    sent = hidden(client.get(path).get_data(as_text=True))
    long = {name: "9" * (OFFER[name] + 1) for name in ("full_name", "payment_term_days", "conditions_text", "message")}
    page = client.post(path, data={**sent, **long}).get_data(as_text=True)
    for name, typed in long.items():
        assert TOO_LONG % OFFER[name] in page and typed in page, name


def test_each_co_buyer_has_a_whole_name(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    ten = "\r\n".join(["😀" * (LINE - 3) + "ana"] * 10)
    assert fill(client, path_of(prop), co_buyers=f"\r\n{ten}\r\n")[0] == 200
    status, page = fill(client, path_of(prop), co_buyers="a" * (LINE + 1))
    assert status == 422 and f"{TOO_LONG % LINE} pentru fiecare nume" in page
    status, page = fill(client, path_of(prop), co_buyers="\n".join(["Ana Pop"] * 11))
    assert status == 422 and "zece" in page


def test_a_term_with_its_words_arrives_whole(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    for typed in ("60 zile", "60 de zile calendaristice"):
        assert fill(client, path_of(prop), payment_term_days=typed)[0] == 200


def test_a_typed_signature_is_not_cut(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id, signature_required=True)
    long = {"signature_kind": "typed", "signature_typed": "a" * (LINE + 1)}
    status, page = fill(client, path_of(prop), **long)
    assert status == 422 and TOO_LONG % LINE in page and long["signature_typed"] in page


def test_a_property_is_told_each_limit(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    sent = hidden(client.get("/app/properties/new").text)
    long = {name: "9" * (most + 1) for name, most in PROPERTY.items()}
    answer = client.post("/app/properties/new", data={**sent, "currency": "EUR", **long})
    assert answer.status_code == 422
    for name, typed in long.items():
        found = re.search(rf'id="{name}-error">(.*?)</p>', answer.text, re.S)
        said = re.sub(r"<.*?>", "", found[1]).split(maxsplit=1) if found else ["", ""]
        assert said[1].strip() == TOO_LONG % PROPERTY[name] and typed in answer.text, name


def test_notes_and_reasons_count_a_line_s_end_once(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    offer_id = make_offer(prop)
    login(client, owner)
    page = client.get(f"/app/offers/{offer_id}").get_data(as_text=True)
    token, path = hidden(page)["csrf_token"], f"/app/offers/{offer_id}/notes"
    long = "a" * (NOTE + 1)
    answer = client.post(path, data={"csrf_token": token, "text": long})
    assert answer.status_code == 422 and TOO_LONG % NOTE in answer.text and long in answer.text
    taken = client.post(path, data={"csrf_token": token, "text": "\r\n" + "a\r\n" * (NOTE // 2)})
    assert taken.status_code == 303 and db.session.query(Note).count() == 1
    page = client.get(f"/app/offers/decision?status=rejected&offer={offer_id}").get_data(as_text=True)
    answer = client.post("/app/offers/decision", data={**hidden(page), "reason": long, "message": long})
    assert answer.status_code == 422 and answer.text.count(TOO_LONG % REASON) >= 2 and long in answer.text


def test_the_reason_of_a_place_stays_with_its_offer(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    _first, second = make_offer(prop), make_offer(prop)
    login(client, owner)
    path = f"/app/properties/{prop.id}/order"
    sent = {"csrf_token": hidden(client.get(path).text)["csrf_token"], "offer": str(second), "place": "1"}
    answer = client.post(path, data={**sent, "reason": "a" * (WHY + 1)})
    assert answer.status_code == 422 and TOO_LONG % WHY in answer.text
    assert (
        answer.text.count(f'value="{"a" * (WHY + 1)}"') == 1
        and '<details class="more more--plain" open>' in answer.text
    )


def test_a_refusal_is_sent_whole_or_not_at_all(client: FlaskClient, owner: User) -> None:
    asked = PrivacyRequest(
        id=uuid.uuid4(), agency_id=owner.agency_id, kind="erasure", language="ro", created_at=now(), proved_at=now(),
        due_at=now() + timedelta(days=30),
    )  # fmt: skip
    db.session.add(asked)
    db.session.commit()
    login(client, owner)
    token = hidden(client.get("/app/settings/requests").text)["csrf_token"]
    long = "a" * (REASON + 1)
    data = {"csrf_token": token, "answer": "refuse", "reason": long}
    answer = client.post(f"/app/settings/requests/{asked.id}", data=data)
    assert answer.status_code == 422 and TOO_LONG % REASON in answer.text and long in answer.text
    db.session.refresh(asked)
    assert asked.ended_at is None


def test_a_view_s_name_is_shown_as_it_was_typed(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    token = hidden(client.get("/app/offers?status=new").text)["csrf_token"]
    query = urlencode({"q": "😀" * SEARCH, "property_external_id": "ș" * 100, "email": "a@b.ro"})
    client.post("/app/offers/views", data={"csrf_token": token, "name": "Una", "query": f"{query}&status=new"})
    page = client.get("/app/offers/views").text
    assert "status=new" in page  # at the end of a long filter, which is kept whole
    renamed = re.search(r'action="(/app/offers/views/[0-9a-f-]{36})"', page)
    long = "b" * (VIEW_NAME + 1)
    answer = client.post(renamed[1] if renamed else "", data={"csrf_token": token, "name": long})
    assert answer.status_code == 422 and TOO_LONG % VIEW_NAME in answer.text and long in answer.text


FILTERS = {"q": SEARCH, "property_external_id": 100, "agent": EMAIL, "reference": 20, "email": EMAIL}


def test_a_filter_is_not_read_in_part() -> None:
    for name, most in FILTERS.items():
        chosen, errors = read_filter({name: "a" * 450}, "UTC")
        assert list(errors) == [name] and getattr(chosen, name) is None
        longest = "BF-".ljust(most, "A") if name == "reference" else "a" * most
        assert name == "email" or read_filter({name: longest}, "UTC")[1] == {}
        assert name == "email" or list(read_filter({name: f"{longest}a"}, "UTC")[1]) == [name]


def test_a_search_that_is_too_long_finds_nothing_and_says_so(client: FlaskClient, owner: User) -> None:
    make_offer(make_property(owner.agency_id, owner.id, title="a" * LINE))
    login(client, owner)
    for path in ("/app/offers", "/app/properties"):
        page = client.get(path, query_string={"q": "a" * (SEARCH + 1)}).text
        assert TOO_LONG % SEARCH in page and f'value="{"a" * (SEARCH + 1)}"' in page
        assert TOO_LONG % SEARCH not in client.get(path, query_string={"q": "a" * SEARCH}).text


def test_a_fingerprint_pasted_with_something_around_is_read_or_refused(client: FlaskClient) -> None:
    known = client.get("/verify", query_string={"offer": "BF-AAAAAAAA", "hash": f"  {'a' * 64} "})
    assert known.status_code == 200
    for offer, print_ in (("BF-AAAAAAAA", "a" * 65), ("BF-AAAAAAAA and more than that", "a" * 64)):
        answer = client.get("/verify", query_string={"offer": offer, "hash": print_})
        assert answer.status_code == 422 and f'value="{print_}"' in answer.text and f'value="{offer}"' in answer.text


def model_limit(model: type[BaseModel], name: str) -> int | None:
    schema = model.model_json_schema()["properties"][name]
    kinds = [schema, *schema.get("anyOf", [])]
    return next((kind["maxLength"] for kind in kinds if "maxLength" in kind), None)


def test_the_api_has_the_same_limits() -> None:
    for name in PROPERTY.keys() - NUMBERS:
        assert model_limit(PropertyBulkItem, name) == PROPERTY[name], name
    told = {**dict.fromkeys(("payment_term_note", "message", "represented_by", "replaces"), OfferNew)}
    told |= dict.fromkeys(("full_name", "email", "phone", "company_name", "tax_id"), Bidder)
    for name, model in told.items():
        assert model_limit(model, name) == OFFER[name], name
    assert model_limit(Conditions, "text") == OFFER["conditions_text"]
    assert model_limit(StatusChange, "reason") == model_limit(StatusChange, "message") == REASON
    assert model_limit(PropertyQuery, "q") == SEARCH and model_limit(WebhookNew, "url") == URL
    for name in ("agent", "reference", "email", "property_external_id"):
        assert model_limit(OfferQuery, name) == FILTERS[name], name


def test_a_phone_is_read_up_to_its_limit() -> None:
    assert read_phone("0712" + " " * (PHONE - 10) + "034567").e164 == "+40712034567"


def test_a_line_s_end_is_one_letter() -> None:
    class OneField(Form):
        text = StringField(filters=[plain_lines], validators=[Length(max=3)])

    assert OneField(data={"text": "a\r\nb\r\n"}).validate() and not OneField(data={"text": "a\r\rb"}).validate()
