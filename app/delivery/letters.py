"""What all mails have in common: how they are owed, and how their texts are made."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app


class NoLongerOwed(Exception):
    """The mail would be untrue by now, or its person has been forgotten. The argument says which."""


@dataclass(frozen=True, slots=True)
class Owed:
    """One mail as its delivery names it."""

    id: uuid.UUID
    agency_id: uuid.UUID
    event_seq: int
    template: str
    offer_id: uuid.UUID | None
    user_id: uuid.UUID | None
    created_at: datetime


def render(template: str, part: str, values: dict[str, Any]) -> str:
    """Without Flask's context processors: a mail has no request, no session and no reader but its own."""
    return current_app.jinja_env.get_template(f"emails/{template}/{part}").render(values)
