"""The offer, as it is shown, listed and decided upon."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.blueprints.api.schemas.common import Page, Paged, Warning
from app.core.language import DEFAULT
from app.core.values import (
    WHOLE,
    AmountLimit,
    Currency,
    Email,
    ExternalId,
    Flag,
    Line20x1,
    Line254x1,
    Moment,
    Spoken,
    Strict,
    Text4000,
    Uid,
)
from app.offers.fields import AMOUNT, FIELDS, REPLACES, TERMS
from app.offers.fields import Field as Declared
from app.offers.list.order import SORTS

Status = Literal["new", "viewed", "accepted", "rejected"]
Financing = Literal["cash", "credit", "mixed"]
Source = Literal["link", "agent", "api"]
Despite = Literal["replaced", "expired", "archived", "gone", "second"]
Channel = Literal["phone", "whatsapp", "mail", "in_person"]
ORDERS = tuple(f"{sign}{name}" for name in SORTS for sign in ("", "-"))


def _taken(field: Declared) -> tuple[Any, Any]:
    """A field's type in a body, and what stands beside it."""
    kind = field.kind.taken(field)
    note: dict[str, Any] = {"description": field.taken_note} if field.taken_note else {}
    if field.most:
        return kind, Field(default_factory=list, max_length=field.most, **note)
    if field.needed:
        return kind, Field(**note)
    return (kind if field.default else kind | None), Field(field.default, **note)


def _shown(field: Declared) -> tuple[Any, Any]:
    """The same in an answer."""
    kind = field.kind.shown(field) if field.kind.shown else field.kind.held
    known = (field.needed and not field.maybe_unknown) or field.default or field.most
    return (kind if known else kind | None), Field(description=field.shown_note)


Declare = Callable[[Declared], tuple[Any, Any]]


def _declare(model: dict[str, Any], way: Declare, fields: Iterable[Declared], within: str = "", **objects: Any) -> None:
    """Put declared fields into the class that `model` is the namespace of; `objects` stand for those they hold."""
    annotations = model.setdefault("__annotations__", {})
    for field in fields:
        if field.inside and not within:
            annotations[field.inside], model[field.inside] = objects[field.inside]
        else:
            annotations[field.path[-1]], model[field.path[-1]] = way(field)


def _inside(name: str) -> list[Declared]:
    return [field for field in FIELDS if field.inside == name]


class Bidder(Strict):
    """The buyer."""

    _declare(vars(), _taken, _inside("bidder"), "bidder")


class Conditions(Strict):
    """What the offer depends on."""

    _declare(vars(), _taken, _inside("conditions"), "conditions")


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
    _declare(vars(), _taken, [AMOUNT])
    currency: Currency | None = Field(None, description="If sent, the currency of the property.")
    _declare(vars(), _taken, TERMS, conditions=(Conditions | None, None), bidder=(Bidder, Field()))
    language: Spoken = Field(DEFAULT, description="In which the bidder is written to.")
    _declare(vars(), _taken, [REPLACES])


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
        description="`code`: six digits that went to the bidder's own mailbox, or the button of the private page whose"
        " link went there alone. `held_link`: a link alone, which the"
        " agency held too, so that it cannot be told who pressed its button."
    )


class BidderOut(Strict):
    """The buyer, as named in the offer."""

    _declare(vars(), _shown, _inside("bidder"), "bidder")


class ConditionsOut(Strict):
    """What the offer depends on."""

    _declare(vars(), _shown, _inside("conditions"), "conditions")


class OfferOut(Strict):
    """An offer. Once its bidder has been forgotten (`erased_at`), what spoke of the person is null."""

    id: str
    reference: str
    property_id: str
    property_external_id: str | None
    asking_price_at_submission: str | None
    status: Status
    decision_reason: str | None = Field(description="Why it was decided so; for the agency only.")
    _declare(vars(), _shown, [AMOUNT])
    currency: Currency
    _declare(vars(), _shown, TERMS, conditions=(ConditionsOut | None, Field()), bidder=(BidderOut | None, Field()))
    language: Spoken
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
