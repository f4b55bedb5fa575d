"""The property, as it is sent and as it is shown."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.blueprints.api.schemas.common import Page, Paged, Problem, Warning
from app.core.values import Currency, ExternalId, Flag, Line200, Moment, Strict
from app.properties.fields import OFFERING, PriceVat, PropertyBulkItem, PropertyFields, PropertyType, Title, stays


class PropertyNew(PropertyFields):
    """A property to create."""

    external_id: ExternalId | None = Field(None, description="The CRM's own id, unique in the agency.")
    title: Title


class PropertyPut(PropertyFields):
    """A whole property under the CRM's own id, which stands in the path."""

    model_config = ConfigDict(json_schema_extra=stays(*OFFERING))

    external_id: ExternalId | None = Field(None, description="If sent, the id of the path.")
    title: Title


class PropertyPatch(PropertyFields):
    """What is to change; whatever is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=stays())

    external_id: ExternalId | None = None
    title: Title = Field("", validate_default=False)


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
    usable_area_sqm: float | None
    built_area_sqm: float | None
    land_area_sqm: float | None
    rooms: float | None
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
    offer_url: str | None = Field(description="The link to share with buyers; null while off or gone.")
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
