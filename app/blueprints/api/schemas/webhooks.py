"""Where the CRM is called, and the log of the calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from app.blueprints.api.schemas.common import Page, Paged
from app.core.values import Moment, Strict, TextPattern, Uid
from app.models.webhook import EVENTS, TEST

State = Literal["pending", "leased", "delivered", "dead", "cancelled"]
CALLED = r"^[hH][tT][tT][pP][sS]?://[^\s\u0000-\u0020\u007f-\u009f/?#@\\]+([/?#][^\s\u0000-\u0020\u007f-\u009f]*)?$"
Url = Annotated[
    str,
    Field(
        min_length=8,
        max_length=2000,
        description="An `https://` address. Addresses in private networks are not called.",
    ),
    TextPattern(CALLED, "Must begin with https://, and hold neither spaces nor a user name"),
]


def _known(kind: str) -> str:
    if kind not in EVENTS:
        raise ValueError("must be a type of event that there is")
    return kind


def _testable(kind: str) -> str:
    return kind if kind == TEST else _known(kind)


EventType = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(EVENTS)})]
TestType = Annotated[str, AfterValidator(_testable), WithJsonSchema({"type": "string", "enum": [TEST, *EVENTS]})]
Events = Annotated[
    list[EventType],
    Field(max_length=len(EVENTS), description="The types to be called about; empty for all, also those to come."),
]


class WebhookNew(Strict):
    """A new endpoint."""

    url: Url
    events: Events = Field(default_factory=list)


class WebhookPatch(Strict):
    """What is left out stays."""

    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = Field(
        None, description="True calls again one that was disabled; ask for what it missed with `/replay`."
    )


class WebhookOut(Strict):
    """One endpoint. Its secret is shown only when it is made."""

    id: Uid
    url: str
    events: list[str] = Field(description="Empty: all.")
    enabled: bool
    disabled_at: Moment | None
    disabled_reason: Literal["owner", "gone", "failing"] | None = Field(
        description="`gone`: it answered 410. `failing`: five days without success."
    )
    failing_since: Moment | None
    earlier_secret_until: Moment | None = Field(description="Until when the secret before the last rotation signs too.")
    earlier_secrets_until: list[Moment] = Field(description="The same of each earlier secret that signs, newest first.")
    created_at: Moment
    updated_at: Moment


class WebhookMade(WebhookOut):
    """A new endpoint with its secret, which is shown this once."""

    secret: str = Field(description="`whsec_…`, as Standard Webhooks libraries take it.")


class WebhookPage(Page):
    """Every endpoint of the agency, oldest first; there are at most twenty, so that this is all of them."""

    data: list[WebhookOut]


class SecretOut(Strict):
    """The new secret, shown this once. The one before signs too until `earlier_secret_until`."""

    secret: str
    earlier_secret_until: Moment


class WebhookTest(Strict):
    """Which sample to send."""

    type: TestType = TEST


class WebhookReplay(Strict):
    """From when on."""

    since: Moment | None = Field(None, description="Left out: as far back as is sent.")


class ReplayOut(Strict):
    """How many calls are owed because of it."""

    calls: int


class AttemptOut(Strict):
    """One try: the headers sent, and the answer's status, headers and first 4 KB, or `error` when there was none."""

    n: int
    at: Moment
    status: int | None
    error: str | None = Field(description="`timeout`, `connect`, `tls`, `name`, `broken`, or why it was refused.")
    milliseconds: int | None
    request_headers: dict[str, str] = Field(description="As sent; empty once the person in it has been forgotten.")
    answer_headers: dict[str, str]
    answer: str


class DeliveryOut(Strict):
    """One event owed to one endpoint. `id` is the `webhook-id` of every try."""

    id: Uid
    webhook_id: Uid
    type: str
    seq: int = Field(description="The event's; 0 for a test.")
    state: State
    due_at: Moment = Field(description="When it is, or was, to be called next.")
    created_at: Moment
    ended_at: Moment | None
    attempts: list[AttemptOut]


class DeliveryWhole(DeliveryOut):
    """One call with the body that it carries; null once the person in it has been forgotten."""

    body: str | None


class DeliveryPage(Page):
    """One page of the log, newest first. It reaches back 90 days."""

    data: list[DeliveryOut]


class DeliveryQuery(Paged):
    state: State | None = None
