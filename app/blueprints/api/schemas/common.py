"""The base of every model of the API; the kinds of values that they are made of are in `app.core.values`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from app.core.values import WHOLE, Strict


class Query(BaseModel):
    """The parameters of a call, each named at most once."""

    model_config = ConfigDict(extra="forbid", regex_engine="python-re")
    repeated: ClassVar[frozenset[str]] = frozenset()


class Paged(Query):
    limit: Annotated[int, Field(ge=1, le=100, description="How many at most."), WHOLE] = 50
    cursor: Annotated[
        str | None, Field(max_length=400, description="`next_cursor` of the page before, with the same filter.")
    ] = None


class Page(Strict):
    """One page of a list."""

    has_more: bool
    next_cursor: str | None = Field(description="What to send as `cursor` for the next page; null on the last.")


class Fault(Strict):
    """One thing wrong with a request: where, and what."""

    detail: str
    pointer: str | None = Field(None, description="JSON pointer (RFC 6901) into the body.")
    parameter: str | None = Field(None, description="Name of a query parameter.")
    header: str | None = Field(None, description="Name of a header.")


class Problem(BaseModel):
    """RFC 9457. `type` is an address that explains the problem and never changes its meaning."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str = Field(description="To quote to support.")
    errors: list[Fault] | None = Field(None, description="The faults of an invalid request, a hundred at most.")
    legal: list[str] | None = Field(None, description="After an illegal transition: the statuses possible now.")
    despite: list[str] | None = Field(None, description="After `not-explicit`: what to name in `despite`.")
    epoch: str | None = Field(None, description="After `other-epoch`: the history that holds now.")
    shared_until: int | None = Field(
        None, description="After `other-epoch`: up to this event the history you named is the present one, if known."
    )


class Warning(Strict):
    """What was taken otherwise than it was sent."""

    pointer: str
    detail: str
