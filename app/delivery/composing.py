"""What all mails have in common: how they are owed, and how their texts are made."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from flask import current_app, g
from flask_babel import force_locale
from sqlalchemy.orm import InstrumentedAttribute

from app.core.urls import base_url
from app.models import Delivery
from app.outbound.smtp import Mailbox, OutgoingMail, paragraphs


class NoLongerOwed(Exception):
    """The mail would be untrue by now, or its person has been forgotten. The argument says which."""


class NotYet(Exception):
    """Whether the mail is true is settled at `until`: it waits, and that is no try."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery as its row names it."""

    id: uuid.UUID
    agency_id: uuid.UUID
    kind: str
    template: str
    subject_type: str | None
    subject_id: str | None
    event_seq: int | None
    offer_id: uuid.UUID | None
    user_id: uuid.UUID | None
    endpoint_id: uuid.UUID | None
    created_at: datetime
    request_id: str | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a delivery or a row with its columns."""
        return cls(*(getattr(row, column.key) for column in COLUMNS))

    def key_of(self, subject_type: str) -> list[str]:
        """The parts of the subject's key. Raises `NoLongerOwed` where the delivery does not know its subject."""
        if self.subject_type != subject_type or self.subject_id is None:
            raise NoLongerOwed("unknown")
        return self.subject_id.split("/")

    def id_of(self, subject_type: str) -> uuid.UUID:
        """The subject's key, where it is one UUID."""
        return uuid.UUID(self.key_of(subject_type)[0])

    @property
    def entry(self) -> int:
        """The number of the ledger's entry that it is about."""
        return int(self.key_of("entry")[0])


COLUMNS: list[InstrumentedAttribute[Any]] = [getattr(Delivery, field.name) for field in fields(DeliveryRow)]


@contextmanager
def speaking(language: str, zone: str) -> Iterator[None]:
    """Texts made within are in the reader's language and time zone, as a request would set them."""
    g.language, g.zone = language, zone
    with force_locale(language):
        yield


def compose_mail(
    delivery: DeliveryRow,
    values: dict[str, Any],
    *,
    to: Mailbox,
    sender: Mailbox,
    reply_to: Mailbox | None = None,
    template: str | None = None,
) -> OutgoingMail:
    """The mail made of its texts, the same bytes each time; within `speaking`."""
    name = template or delivery.template
    values = {"lang": g.language, "support_email": current_app.extensions["bidflux_settings"].support_email, **values}
    subject, text, html = (_render(name, part, values) for part in PARTS)
    return OutgoingMail(
        delivery.id,
        host=urlsplit(base_url()).hostname or "localhost",
        to=to,
        sender=sender,
        reply_to=reply_to,
        subject=subject,
        text=paragraphs(text),
        html=paragraphs(html),
        at=delivery.created_at,
    )


PARTS = ("subject.txt", "body.txt", "body.html")


def _render(template: str, part: str, values: dict[str, Any]) -> str:
    """Without Flask's context processors: a mail has no request, no session and no reader but its own."""
    return current_app.jinja_env.get_template(f"emails/{template}/{part}").render(values)
