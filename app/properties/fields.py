"""A property as it is sent to us, by the API or in a feed: one model, and what it means for the columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from app.core.errors import Invalid
from app.core.money import NotMoney, from_decimal_text
from app.core.values import (
    COUNTRY,
    Amount,
    Currency,
    Email,
    ExternalId,
    Line120,
    Line200,
    Line200x1,
    Line300,
    Link,
    Moment,
    Phone,
    ReadOnly,
    Strict,
    Text20000,
    TextPattern,
    typed_text,
)
from app.models.property import AVAILABILITY, PRICE_VAT, PROPERTY_TYPES
from app.properties.plausible import MOST
from app.properties.syncing import SentProperty

PropertyType = Literal["apartment", "house", "land", "commercial", "office", "industrial", "other"]
Availability = Literal["available", "reserved", "sold", "rented", "withdrawn", "unavailable"]
PriceVat = Literal["included", "excluded", "exempt"]
Country = Annotated[
    str,
    Field(description="ISO 3166-1, two letters."),
    TextPattern(COUNTRY, "Must be two capital letters (ISO 3166-1), such as RO"),
]


def _two_decimals(value: float) -> float:
    kept = round(value, 2)
    return round(kept) if kept.is_integer() else kept


def _seen(text: str | None) -> str | None:
    """Without marks that nobody sees, as the form has it; None where nothing is left to be read."""
    shown = typed_text(text or "")
    return shown if shown.strip() else None


TWO_DECIMALS = AfterValidator(_two_decimals)
SEEN = AfterValidator(_seen)
MaybeLine120 = Annotated[Line120 | None, SEEN]
MaybeLine200 = Annotated[Line200 | None, SEEN]
MaybeLine300 = Annotated[Line300 | None, SEEN]
MaybeText = Annotated[Text20000 | None, SEEN]
Title = Annotated[Line200x1, AfterValidator(typed_text)]
Area = Annotated[
    float, Field(ge=0.01, le=MOST["usable_area_sqm"], description="Square metres, kept to two decimals."), TWO_DECIMALS
]
Land = Annotated[
    float, Field(ge=0.01, le=MOST["land_area_sqm"], description="Square metres, kept to two decimals."), TWO_DECIMALS
]
Rooms = Annotated[
    float, Field(ge=0.5, le=MOST["rooms"], description="Kept to two decimals: `2.5` is two and a half."), TWO_DECIMALS
]
OFFERING = ("accepts_offers", "offers_open_at", "offers_close_at", "signature_required")
assert set(AVAILABILITY) == set(Availability.__args__)  # type: ignore[attr-defined]  # noqa: S101  # nosec B101
assert set(PROPERTY_TYPES) == set(PropertyType.__args__) and set(PRICE_VAT) == set(PriceVat.__args__)  # type: ignore[attr-defined]  # noqa: S101  # nosec B101


class Agent(Strict):
    """The person responsible, found by e-mail among the agency's users."""

    email: Email
    full_name: Line200 | None = None
    phone: Phone | None = None


class PropertyFields(Strict):
    """What every way of sending a property has in common. A field left out is empty, or as its default says."""

    title_en: MaybeLine200 = Field(None, description="Shown to buyers who read English.")
    description: MaybeText = None
    description_en: MaybeText = None
    property_type: PropertyType = "apartment"
    transaction_type: Literal["sale", "rent"] = Field("sale", description="Only `sale` takes offers.")
    availability: Availability = Field(
        "available",
        description="`sold`, `rented`, `withdrawn` and `unavailable` close the link, whatever `accepts_offers` says,"
        " and buyers read why; `reserved` does not.",
    )
    address: MaybeLine300 = Field(None, description="Street and number; shown to buyers only if the next is true.")
    show_exact_address: bool = False
    zone: MaybeLine120 = Field(None, description="Neighbourhood.")
    city: MaybeLine120 = None
    county: MaybeLine120 = None
    country: Country = "RO"
    usable_area_sqm: Area | None = None
    built_area_sqm: Area | None = None
    land_area_sqm: Land | None = None
    rooms: Rooms | None = None
    asking_price: Amount | None = None
    currency: Currency | None = Field(
        None, description="Left out or null: it stays as it is, at first the agency's (EUR unless it chose otherwise)."
    )
    price_vat: PriceVat | None = None
    buyer_commission: MaybeLine120 = Field(None, description="As the buyer reads it: `2% + VAT`, or `0%`.")
    photo_url: Link | None = Field(
        None,
        description="Copied within a minute and served by us, each address once. Left out: the present photo stays;"
        " null removes it.",
    )
    crm_url: Link | None = Field(None, description="Where the property stands in the CRM.")
    agent: Agent | None = Field(None, description="Left out: the present agent stays, at first the agency's owner.")
    accepts_offers: bool = Field(False, description="Turns the link on and off. Left out: it stays as it is.")
    offers_open_at: Moment | None = Field(
        None, description="From when; null: at once. Left out: as it is. Not set into the past by more than a day."
    )
    offers_close_at: Moment | None = Field(None, description="Until when; null: no end. Left out: as it is.")
    signature_required: bool = Field(False, description="Left out: as it is.")
    id: ReadOnly = None
    offer_url: ReadOnly = None
    offers_count: ReadOnly = None
    created_at: ReadOnly = None
    archived_at: ReadOnly = None
    updated_at: ReadOnly = None
    warnings: ReadOnly = None


def stays(*names: str) -> Callable[[dict[str, Any]], None]:
    """Changes a schema: fields that are left out keep their value, so they have no default. A program made from the
    description would send the default with every call, and close each link."""

    def without_defaults(schema: dict[str, Any]) -> None:
        for name, kind in schema["properties"].items():
            if not names or name in names:
                kind.pop("default", None)

    return without_defaults


class PropertyBulkItem(PropertyFields):
    """A whole property with the CRM's own id."""

    model_config = ConfigDict(json_schema_extra=stays(*OFFERING))

    external_id: ExternalId
    title: Title


_NOT_COLUMNS = {"id", "offer_url", "offers_count", "created_at", "updated_at", "archived_at", "warnings"}
_NOT_COLUMNS |= {"agent", "photo_url", "asking_price", *OFFERING}


def sent_property(body: PropertyFields) -> SentProperty:
    """The columns that a body says; offering fields, agent and photo only when they were sent."""
    columns = body.model_dump(exclude=_NOT_COLUMNS)
    if body.currency is None:
        del columns["currency"]
    columns |= {name: getattr(body, name) for name in OFFERING if name in body.model_fields_set}
    if body.asking_price is None:
        columns["asking_minor"] = None
    else:
        try:
            columns["asking_minor"] = from_decimal_text(body.asking_price)
        except NotMoney:
            raise Invalid({"asking_price": ["Not an amount that we take"]}) from None
    photo = body.photo_url or "" if "photo_url" in body.model_fields_set else None
    return SentProperty(columns, body.agent.email if body.agent else None, photo=photo)
