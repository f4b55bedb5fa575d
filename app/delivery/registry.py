"""What each noun brings to deliveries: who composes which mail, makes receipts, knows the webhook endpoints.

Filled when the application is made; `check` holds the mails against the folders of their texts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flask import current_app
from sqlalchemy import Connection

from app.config import ConfigurationError
from app.delivery.composing import PARTS, DeliveryRow
from app.outbound.smtp import OutgoingMail

Compose = Callable[[DeliveryRow], OutgoingMail]


class MailKind(NamedTuple):
    """What makes a mail, from which folders. Where the server's answer is personal beyond the mail, it is not kept."""

    compose: Compose
    folders: tuple[str, ...]
    keeps_answer: bool = True


class Receipts(NamedTuple):
    """`make` seals the receipt of an agency's offer, which comes after the mails of these names. `only_made` is the
    name of one that is mailed to nobody."""

    make: Callable[[uuid.UUID, uuid.UUID], object]
    after: tuple[str, ...]
    only_made: str


class EndpointTarget(NamedTuple):
    """Where a webhook endpoint is, and the secrets that sign, the newest first."""

    url: str
    secrets: list[bytes]


class Failed(Protocol):
    """Called when a call failed for the `attempts`-th time; `gone` says that the endpoint answered 410."""

    def __call__(
        self, agency_id: uuid.UUID, endpoint_id: uuid.UUID, *, attempts: int, event_seq: int, gone: bool
    ) -> None: ...


class Endpoints(NamedTuple):
    """`targets` finds where endpoints are, by their rows, at a moment. `recovered` is called when a call arrives after
    others failed, `failed` when one fails."""

    targets: Callable[[Iterable[Any], datetime], dict[uuid.UUID, EndpointTarget]]
    recovered: Callable[[uuid.UUID], None]
    failed: Failed


@dataclass(slots=True)
class Registry:
    """`first` is called before anything is claimed, `dead` for each mail that is given up, within the transaction."""

    receipts: Receipts
    endpoints: Endpoints
    mails: dict[str, MailKind] = field(default_factory=dict)
    first: list[Callable[[], None]] = field(default_factory=list)
    dead: list[Callable[[Connection, uuid.UUID, datetime], None]] = field(default_factory=list)

    def mail(self, name: str, compose: Compose, *folders: str, keeps_answer: bool = True) -> None:
        """`compose` makes the mail of this name, from the folder of its own name unless others are given."""
        if name in self.mails:
            raise ConfigurationError([f"mail {name}: composed twice"])
        self.mails[name] = MailKind(compose, folders or (name,), keeps_answer)

    def compose(self, delivery: DeliveryRow) -> OutgoingMail:
        """The mail, the same bytes each time. Raises `NoLongerOwed`; anything else is a fault of ours."""
        return self.mails[delivery.template].compose(delivery)

    def check(self, emails: Path) -> None:
        """Raise `ConfigurationError` for a mail without its texts, and for texts that nothing composes."""
        composed = {folder: name for name, mail in self.mails.items() for folder in mail.folders}
        faults = [
            f"mail {composed[folder]}: its texts are missing from templates/emails/{folder}"
            for folder in sorted(composed)
            if not all((emails / folder / part).is_file() for part in PARTS)
        ]
        found = sorted(place.name for place in emails.iterdir() if place.is_dir())
        faults += [f"mail {name}: nothing composes templates/emails/{name}" for name in found if name not in composed]
        if faults:
            raise ConfigurationError(faults)


def registry() -> Registry:
    """This application's."""
    found: Registry = current_app.extensions["bidflux_registry"]
    return found
