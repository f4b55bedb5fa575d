"""The offer, as it is shown, listed and decided upon."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.blueprints.api.schemas.common import (
    PERCENT,
    WHOLE,
    Amount,
    AmountLimit,
    Currency,
    Day,
    Email,
    ExternalId,
    Flag,
    Line20x1,
    Line30,
    Line60,
    Line200,
    Line200x1,
    Line200x3,
    Line254x1,
    Line300,
    Moment,
    Page,
    Paged,
    Phone,
    Shape,
    Strict,
    Text4000,
    Uid,
    Warning,
)
from app.offers.list.order import SORTS

Status = Literal["new", "viewed", "accepted", "rejected"]
Financing = Literal["cash", "credit", "mixed"]
Source = Literal["link", "agent", "api"]
Despite = Literal["replaced", "expired", "archived", "gone", "second"]
Channel = Literal["phone", "whatsapp", "mail", "in_person"]
CreditProgram = Literal["standard", "noua_casa"]
ConditionKind = Literal["bank_approval", "home_sale", "inspection"]
Days = Annotated[int, Field(ge=0, le=3650, description="From the pre-contract to full payment.")]
Percent = Annotated[str, Shape(PERCENT, "Must be a decimal string from 0 to 100, such as 10 or 12.5")]
ORDERS = tuple(f"{sign}{name}" for name in SORTS for sign in ("", "-"))


class Bidder(Strict):
    """The buyer."""

    full_name: Line200x3
    email: Email
    phone: Phone = Field(description="As people write it; stored as E.164.")
    type: Literal["person", "company"] = "person"
    company_name: Line200 | None = Field(None, description="Only of a company, as is `tax_id`; it needs both.")
    tax_id: Line60 | None = None


class Conditions(Strict):
    """What the offer depends on."""

    kinds: list[ConditionKind] = Field(default_factory=list, max_length=3)
    text: Text4000 | None = None


def _given(*names: str) -> Any:
    """Of a schema: these are there, and not null."""
    return {"required": list(names), "properties": {name: {"type": "string"} for name in names}}


_TOGETHER = {
    "oneOf": [_given("property_id"), _given("property_external_id")],
    "not": _given("advance_amount", "advance_percent"),
}


class OfferNew(Strict):
    """An offer that was taken elsewhere: by phone, on paper, on a portal. It cannot be changed later."""

    model_config = ConfigDict(json_schema_extra=_TOGETHER)

    property_id: Uid | None = Field(None, description="This, or `property_external_id`.")
    property_external_id: ExternalId | None = None
    amount: Amount
    currency: Currency | None = Field(None, description="If sent, the currency of the property.")
    financing: Financing
    own_funds_amount: Amount | None = Field(None, description="This and what is about credit: not of an offer in cash.")
    credit_amount: Amount | None = None
    credit_program: CreditProgram | None = None
    credit_preapproved: bool | None = None
    payment_term_days: Days
    payment_term_note: Line300 | None = None
    valid_until: Day | None = None
    advance_amount: Amount | None = Field(None, description="This, or `advance_percent`, or neither.")
    advance_percent: Percent | None = None
    conditions: Conditions | None = None
    precontract_date: Day | None = None
    deed_date: Day | None = None
    message: Text4000 | None = None
    bidder: Bidder
    co_buyers: list[Line200x1] = Field(default_factory=list, max_length=10)
    represented_by: Line200 | None = None
    language: Literal["ro", "en"] = Field("ro", description="In which the bidder is written to.")
    replaces: Line30 | None = Field(None, description="Reference of this bidder's earlier offer, if it replaces it.")


class SignatureOut(Strict):
    """A simple electronic signature: evidence that the offer was sent.

    It equals a handwritten one only for small values, where the other side recognises it, or between professionals who
    agreed so.
    """

    kind: Literal["drawn", "typed"]
    signed_at: Moment


class ConfirmationOut(Strict):
    """That an offer was said to be its bidder's, and what shows that it was the bidder who said so."""

    at: Moment
    proof: Literal["code", "held_link"] = Field(
        description="`code`: six digits that went to the bidder's own mailbox. `held_link`: a link alone, which the"
        " agency held too, so that it cannot be told who pressed its button."
    )


class BidderOut(Strict):
    """The buyer, as named in the offer."""

    full_name: str
    email: str | None = Field(description="Null only when an agent recorded the offer of someone who gave none.")
    phone: str
    type: Literal["person", "company"]
    company_name: str | None
    tax_id: str | None


class ConditionsOut(Strict):
    """What the offer depends on."""

    kinds: list[str]
    text: str | None


class OfferOut(Strict):
    """An offer. Once its bidder has been forgotten (`erased_at`), what spoke of the person is null."""

    id: str
    reference: str
    property_id: str
    property_external_id: str | None
    asking_price_at_submission: str | None
    status: Status
    decision_reason: str | None = Field(description="Why it was decided so; for the agency only.")
    amount: str = Field(description="A decimal string.")
    currency: Currency
    financing: Financing
    own_funds_amount: str | None
    credit_amount: str | None
    credit_program: CreditProgram | None
    credit_preapproved: bool | None
    payment_term_days: int
    payment_term_note: str | None
    valid_until: Day | None = Field(description="End of that day in the agency's zone.")
    advance_amount: str | None
    advance_percent: str | None
    conditions: ConditionsOut | None
    precontract_date: Day | None
    deed_date: Day | None
    message: str | None
    bidder: BidderOut | None
    co_buyers: list[str]
    represented_by: str | None
    language: Literal["ro", "en"]
    signature: SignatureOut | None = Field(
        description="Null without one that counts: where the property asks for a code from the bidder's mailbox, until"
        " it was entered."
    )
    signature_pending: bool = Field(description="A signature was given; it counts once its code is entered.")
    source: Source
    channel: Channel | None = Field(description="How an offer of source `agent` reached the agent.")
    confirmed_at: Moment | None = Field(
        description="When its bidder confirmed an offer of source `agent` or `api`, or entered the code that makes a"
        " signature count: always with a code from their mailbox. Null for what was confirmed in any other way."
    )
    confirmation: ConfirmationOut | None = Field(description="Null while nobody has confirmed it, or nobody had to.")
    previous_offer_id: str | None
    is_latest: bool
    submitted_at: Moment
    viewed_at: Moment | None
    decided_at: Moment | None
    withdrawn_at: Moment | None
    erased_at: Moment | None
    updated_at: Moment
    version: int
    dashboard_url: str


class OfferRecorded(OfferOut):
    """An offer as it was recorded just now."""

    warnings: list[Warning] = Field(description="What became of the mail to its bidder, where it is not sent at once.")


class OfferPage(Page):
    """One page of offers, in the order that was asked for."""

    data: list[OfferOut]


class OfferQuery(Paged):
    property_id: Uid | None = None
    property_external_id: ExternalId | None = None
    status: Status | None = None
    financing: Financing | None = None
    currency: Currency | None = Field(None, description="Needed with amounts: currencies are never mixed.")
    min_amount: AmountLimit | None = None
    max_amount: AmountLimit | None = None
    ratio_from: Annotated[int, Field(ge=0, le=1000), WHOLE] | None = Field(
        None, description="Percent of the asking price at submission: at or above."
    )
    ratio_below: Annotated[int, Field(ge=0, le=1000), WHOLE] | None = Field(None, description="The same: under.")
    submitted_after: Moment | None = Field(None, description="At or after.")
    submitted_before: Moment | None = Field(None, description="Before.")
    updated_since: Moment | None = Field(None, description="At or after; the list is then in order of change.")
    min_term: Annotated[int, Field(ge=0, le=3650), WHOLE] | None = None
    max_term: Annotated[int, Field(ge=0, le=3650), WHOLE] | None = None
    agent: Line254x1 | None = Field(None, description="Id, or the e-mail they sign in with.")
    source: Source | None = None
    signed: Flag | None = None
    confirmed: Flag | None = Field(
        None, description="true: sent by its bidder, or confirmed by them with a code. false: the others."
    )
    latest: Flag | None = Field(None, description="false: only those that were replaced.")
    reference: Line20x1 | None = None
    email: Email | None = Field(None, description="The bidder's whole address.")
    sort: Annotated[str, Field(json_schema_extra={"enum": list(ORDERS)})] | None = None

    unspoken: ClassVar[set[str]] = {"limit", "cursor"}


class StatusChange(Strict):
    """Where the agency stands with an offer."""

    status: Status = Field(description="`new` cannot be set over the API; from where it stands, others can.")
    reason: Text4000 | None = Field(None, description="For the agency only.")
    message: Text4000 | None = Field(None, description="What the bidder is told beside the decision.")
    notify_bidder: bool = Field(False, description="Write to the bidder, ten seconds later.")
    despite: list[Despite] = Field(
        [],
        max_length=5,
        description="Accept it although it was `replaced`, is `expired` (past `valid_until`), its property is"
        " `archived` or `gone` (sold, off the market), or another offer for that is accepted (`second`): what a 409"
        " `not-explicit` named.",
    )


def order_known(value: Any) -> bool:
    return value is None or value in ORDERS
