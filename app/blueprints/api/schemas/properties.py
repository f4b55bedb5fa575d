"""The property, as it is sent and as it is shown."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from app.blueprints.api.schemas.common import (
    COUNTRY,
    Amount,
    Currency,
    Email,
    ExternalId,
    Flag,
    Line120,
    Line200,
    Line200x1,
    Line300,
    Link,
    Moment,
    Page,
    Paged,
    Phone,
    Problem,
    ReadOnly,
    Shape,
    Strict,
    Text20000,
    Warning,
)
from app.models.property import PRICE_VAT, PROPERTY_TYPES

PropertyType = Literal["apartment", "house", "land", "commercial", "office", "industrial", "other"]
PriceVat = Literal["included", "excluded", "exempt"]
Country = Annotated[
    str,
    Field(description="ISO 3166-1, two letters."),
    Shape(COUNTRY, "Must be two capital letters (ISO 3166-1), such as RO"),
]
Area = Annotated[int, Field(ge=1, le=10_000_000, description="Whole square metres.")]
OFFERING = ("accepts_offers", "offers_open_at", "offers_close_at", "signature_required")
assert set(PROPERTY_TYPES) == set(PropertyType.__args__) and set(PRICE_VAT) == set(PriceVat.__args__)  # type: ignore[attr-defined]  # noqa: S101  # nosec B101


class Agent(Strict):
    """The person responsible, found by e-mail among the agency's users."""

    email: Email
    full_name: Line200 | None = None
    phone: Phone | None = None


class PropertyFields(Strict):
    """What every way of sending a property has in common. A field left out is empty, or as its default says."""

    title_en: Line200 | None = Field(None, description="Shown to buyers who read English.")
    description: Text20000 | None = None
    description_en: Text20000 | None = None
    property_type: PropertyType = "apartment"
    transaction_type: Literal["sale", "rent"] = Field("sale", description="Only `sale` takes offers.")
    availability: Literal["available", "reserved", "sold", "rented", "unavailable"] = "available"
    address: Line300 | None = Field(None, description="Street and number; shown to buyers only if the next is true.")
    show_exact_address: bool = False
    zone: Line120 | None = Field(None, description="Neighbourhood.")
    city: Line120 | None = None
    county: Line120 | None = None
    country: Country = "RO"
    usable_area_sqm: Area | None = None
    built_area_sqm: Area | None = None
    land_area_sqm: Area | None = None
    rooms: Annotated[int, Field(ge=1, le=1000)] | None = None
    asking_price: Amount | None = None
    currency: Currency = "EUR"
    price_vat: PriceVat | None = None
    buyer_commission: Line120 | None = Field(None, description="As the buyer reads it: `2% + VAT`, or `0%`.")
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


class PropertyNew(PropertyFields):
    """A property to create."""

    external_id: ExternalId | None = Field(None, description="The CRM's own id, unique in the agency.")
    title: Line200x1


class PropertyPut(PropertyFields):
    """A whole property under the CRM's own id, which stands in the path."""

    external_id: ExternalId | None = Field(None, description="If sent, the id of the path.")
    title: Line200x1


class PropertyBulkItem(PropertyFields):
    """A whole property with the CRM's own id."""

    external_id: ExternalId
    title: Line200x1


class PropertyPatch(PropertyFields):
    """What is to change; whatever is left out stays as it is."""

    external_id: ExternalId | None = None
    title: Line200x1 = Field("", validate_default=False)


class PropertyBulk(Strict):
    """Up to a hundred properties, each judged by itself."""

    data: Annotated[list[PropertyBulkItem], Field(min_length=1, max_length=100)]


class PropertyBulkLoose(Strict):
    """The same before its items are judged one by one."""

    data: Annotated[list[Any], Field(min_length=1, max_length=100)]


class PropertyOut(Strict):
    """A property."""

    id: str
    external_id: str | None
    title: str
    title_en: str | None
    description: str | None
    description_en: str | None
    property_type: PropertyType
    transaction_type: str
    availability: str
    address: str | None
    show_exact_address: bool
    zone: str | None
    city: str | None
    county: str | None
    country: str
    usable_area_sqm: int | None
    built_area_sqm: int | None
    land_area_sqm: int | None
    rooms: int | None
    asking_price: str | None = Field(description="A decimal string.")
    currency: Currency
    price_vat: PriceVat | None
    buyer_commission: str | None
    photo_url: str | None
    crm_url: str | None
    agent: AgentOut
    accepts_offers: bool
    offers_open_at: Moment | None
    offers_close_at: Moment | None
    signature_required: bool
    offer_url: str | None = Field(description="The link to share with buyers; null while off.")
    offers_count: int
    archived_at: Moment | None
    created_at: Moment
    updated_at: Moment
    warnings: list[Warning] | None = Field(None, description="Only in the answer to a write.")


class AgentOut(Strict):
    """The person responsible."""

    email: str
    full_name: str
    phone: str | None


class PropertyPage(Page):
    """One page of properties: newest first, or with `updated_since` in order of change."""

    data: list[PropertyOut]


class PropertyBulkResult(Strict):
    """What became of one item: `property`, or with `status` `error` a problem under `error`."""

    external_id: str | None
    status: Literal["created", "updated", "unchanged", "error"]
    property: PropertyOut | None = None
    error: Problem | None = None


class PropertyBulkOut(Strict):
    """One result per item, in the order in which they were sent."""

    data: list[PropertyBulkResult]


class PropertyQuery(Paged):
    updated_since: Moment | None = Field(None, description="Changed at or after; the list is then in order of change.")
    accepts_offers: Flag | None = None
    external_id: ExternalId | None = None
    q: Line200 | None = Field(None, description="Words of title, place or CRM id.")
    archived: Flag = Field(False, description="The archived ones instead of the present ones.")

    spoken: ClassVar[tuple[str, ...]] = ("updated_since", "accepts_offers", "external_id", "q", "archived")
