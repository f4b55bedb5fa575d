"""Every change, in order; and the same objects as a webhook carries them."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from app.blueprints.api.schemas.common import Page, Query
from app.blueprints.api.schemas.offers import OfferOut, Status
from app.blueprints.api.schemas.properties import PropertyOut
from app.core.values import WHOLE, Moment, Strict


class ActorOut(Strict):
    """Who did it; the id of the user or key, where there is one."""

    type: Literal["user", "api_key", "bidder", "system"]
    id: str | None


class Envelope(Strict):
    """What every event says."""

    timestamp: Moment
    seq: int = Field(
        description="Counts up in your agency in the order of commits, by one; after a restore by a leap; 0 in a test."
    )
    epoch: str | None = Field(
        None, description="The history that `seq` belongs to: another one since a backup was restored."
    )
    actor: ActorOut | None = Field(description="Null once the person has been forgotten.")
    test: Literal[True] | None = Field(None, description="Only in a test, in which nobody is real.")


class OfferEvent(Envelope):
    """Something about an offer. `data` is the whole offer as it then was."""

    type: Literal["offer.created", "offer.confirmed", "offer.viewed", "offer.superseded", "offer.withdrawn"]
    data: OfferOut


class OfferStatusChanged(Envelope):
    """The agency decided, or changed its mind."""

    type: Literal["offer.status_changed"]
    data: OfferOut
    previous_status: Status


class OfferBetterAsked(Envelope):
    """The agent asked the bidder for a better offer."""

    type: Literal["offer.better_asked"]
    data: OfferOut
    deadline: Moment = Field(description="Until when.")


class OfferIds(Strict):
    """What is left of an offer in events."""

    id: str
    property_id: str


class OfferForgotten(Envelope):
    """`offer.erased`: erase your copy too. Earlier events about that offer are read like this from then on."""

    type: Literal[
        "offer.erased",
        "offer.created",
        "offer.confirmed",
        "offer.viewed",
        "offer.superseded",
        "offer.withdrawn",
        "offer.status_changed",
        "offer.better_asked",
    ]
    data: OfferIds
    erased: Literal[True]


class PropertyEvent(Envelope):
    """Something about a property. `data` is the whole property as it then was."""

    type: Literal["property.created", "property.updated", "property.archived", "link.rotated"]
    data: PropertyOut


class TestMessage(Strict):
    """Says that it works."""

    message: str


class TestEvent(Envelope):
    """You asked for a test. Only sent, never listed."""

    type: Literal["webhook.test"]
    data: TestMessage


EventOut = OfferEvent | OfferStatusChanged | OfferBetterAsked | OfferForgotten | PropertyEvent
CARRIED = (OfferEvent, OfferStatusChanged, OfferBetterAsked, OfferForgotten, PropertyEvent, TestEvent)


class EventPage(Page):
    """The events after `after`, without a gap."""

    data: list[EventOut]
    last_seq: int = Field(description="The last one here, or `after` when there is none: what to send next.")
    epoch: str = Field(description="The history that the numbers belong to: to be sent with the next `after`.")


class EventQuery(Query):
    after: Annotated[int, Field(ge=0, le=2**31 - 1, description="The last `seq` you know; 0 for all."), WHOLE] = 0
    epoch: Annotated[
        str | None,
        Field(
            pattern="^[0-9a-f]{1,16}$", description="The `epoch` that came with it: a restore is told of for certain."
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=100), WHOLE] = 100


def carrier(kind: str) -> type[Envelope]:
    """The model of a type of event as it is sent."""
    return next(model for model in CARRIED if kind in get_args(model.model_fields["type"].annotation))
