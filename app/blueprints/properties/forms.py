"""The form of a property. Everything is text until `PropertyReader` has read it: what was typed is shown again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, FileField, Form, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from app.core.formats import number_text
from app.core.labels import LABELS
from app.core.language import language
from app.core.local_times import shown_in
from app.core.money import NBSP, Money, show
from app.models import Property
from app.offers.fields import RULES as RULED

RULES = {"optional": _l("Optional"), "required": _l("Required"), "hidden": _l("Hidden")}


def _choices(pairs: Iterable[tuple[str, Any]]) -> list[SelectChoice]:
    return [SelectChoice(value, text) for value, text in pairs]


def _rule(text: Any) -> SelectField:
    return SelectField(text, choices=_choices(RULES.items()), validate_choice=False)


class PropertyForm(Form):
    title = StringField(_l("Title"))
    title_en = StringField(_l("Title in English"), description=_l("Shown to buyers who read the page in English."))
    description = TextAreaField(_l("Description"))
    description_en = TextAreaField(_l("Description in English"))
    property_type = SelectField(
        _l("Type"), choices=_choices(LABELS["property_type"].items()), default="apartment", validate_choice=False
    )
    availability = SelectField(
        _l("Availability"),
        choices=_choices(LABELS["availability"].items()),
        default="available",
        validate_choice=False,
        description=_l("Sold, rented out or off the market: the link takes no more offers."),
    )
    external_id = StringField(_l("CRM id"), description=_l("The id of this property in your CRM."))
    agent_id = SelectField(_l("Responsible agent"), validate_choice=False)
    address = StringField(_l("Street and number"))
    show_exact_address = BooleanField(_l("Show street and number to buyers"))
    zone = StringField(_l("Neighbourhood"))
    city = StringField(_l("Town"))
    county = StringField(_l("County"))
    usable_area_sqm = StringField(_l("Usable area"))
    built_area_sqm = StringField(_l("Built area"))
    land_area_sqm = StringField(_l("Land"))
    rooms = StringField(_l("Rooms"))
    asking_price = StringField(_l("Asking price"), description=_l("Leave it empty when no price is shown."))
    currency = SelectField(
        _l("Currency"), choices=_choices([("EUR", "EUR"), ("RON", "RON")]), default="EUR", validate_choice=False
    )
    price_vat = SelectField(
        _l("VAT"), choices=_choices([("", _l("Not said")), *LABELS["price_vat"].items()]), validate_choice=False
    )
    buyer_commission = StringField(_l("Buyer's commission"), description=_l("As the buyer reads it: 2% + VAT, or 0%."))
    accepts_offers = BooleanField(_l("Accept offers through the link"))
    offers_open_at = StringField(_l("Offers from"), description=_l("Empty: at once."))
    offers_close_at = StringField(_l("Offers until"), description=_l("Empty: until you turn the link off."))
    signature_required = BooleanField(_l("Ask the buyer to sign the offer"))
    code_required = BooleanField(_l("A signature counts once the buyer enters a code sent to their e-mail address"))
    vars().update({f"rule_{name}": _rule(text) for name, text in RULED.items()})
    photo = FileField(_l("Photo"), description=_l("JPEG, PNG or WebP, at most 10 MB."))
    remove_photo = BooleanField(_l("Remove the present photo"))

    def rule_fields(self) -> list[SelectField]:
        return [self[f"rule_{name}"] for name in RULED]

    def add_errors(self, errors: dict[str, list[str]]) -> None:
        for name, messages in errors.items():
            self[name].errors = [*self[name].errors, *messages]


def values_of(prop: Property, zone: str) -> dict[str, Any]:
    """A property as the form shows it."""
    same = (
        "title", "title_en", "description", "description_en", "property_type", "availability", "external_id", "address",
        "show_exact_address", "zone", "city", "county", "currency", "price_vat", "buyer_commission",
        "accepts_offers", "signature_required", "code_required",
    )  # fmt: skip
    numbers = ("usable_area_sqm", "built_area_sqm", "land_area_sqm", "rooms")
    moments = ("offers_open_at", "offers_close_at")
    price = show(Money(prop.asking_minor, prop.currency), language()) if prop.asking_minor else ""
    return {
        **{name: getattr(prop, name) for name in same},
        **{name: number_text(getattr(prop, name)) for name in numbers},
        **{name: shown_in(getattr(prop, name), zone) for name in moments},
        **{f"rule_{name}": prop.field_rules.get(name, "optional") for name in RULED},
        "agent_id": str(prop.agent_id),
        "asking_price": price.replace(prop.currency, "").replace(NBSP, ""),
    }
