"""Every change, in order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.blueprints.api.schemas.common import Moment, Page, Query, Strict, Whole


class ActorOut(Strict):
    """Who did it; the id of the user or key, where there is one."""

    type: Literal["user", "api_key", "bidder", "system"]
    id: str | None


class EventOut(BaseModel):
    """One change, exactly as a webhook carries it. `data` is the whole object as the API shows it."""

    type: str = Field(description="`offer.created`, `property.updated`, …")
    timestamp: Moment
    seq: int = Field(description="Counts up by one in your agency, in the order of the commits.")
    actor: ActorOut | None = Field(description="Null once the person has been forgotten.")
    data: dict[str, Any]
    previous_status: str | None = Field(None, description="Of `offer.status_changed`.")
    erased: bool | None = Field(None, description="The person has been forgotten: `data` then names ids only.")


class EventPage(Page):
    """The events after `after`, without a gap."""

    data: list[EventOut]
    last_seq: int = Field(description="The last one here, or `after` when there is none: what to send next.")


class EventQuery(Query):
    after: Annotated[Whole, Field(ge=0, le=2**31 - 1, description="The last `seq` you know; 0 for all.")] = 0
    limit: Annotated[Whole, Field(ge=1, le=100)] = 100
