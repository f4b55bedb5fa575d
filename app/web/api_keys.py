"""Who calls the API: the key in `Authorization: Bearer …`, its scopes, and how much it may call."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import g, request
from limits import RateLimitItem, parse
from sqlalchemy import bindparam, select, update

from app.accounts.api_keys import is_key, key_hash
from app.core.access import KeyHolder
from app.core.clock import now
from app.core.errors import NoKey, NoScope, TooMany
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Agency, ApiKey
from app.web.rate_limits import LimitState, hit, keyed, spend

USED_EVERY = timedelta(minutes=15)
WRONG_KEYS = (parse("60/minute"),)
_FOUND = (
    select(ApiKey.id, ApiKey.agency_id, ApiKey.scopes, ApiKey.expires_at, ApiKey.last_used_at)
    .add_columns(Agency.zone, Agency.epoch, Agency.restores)
    .join(Agency, Agency.id == ApiKey.agency_id)
    .where(ApiKey.key_hash == bindparam("hash"), ApiKey.revoked_at.is_(None))
)


def key_holder() -> KeyHolder:
    """Whose key this request carries; only behind a guard that asks for one."""
    holder: KeyHolder = g.key_holder
    return holder


def let_in(scope: str, rates: tuple[RateLimitItem, ...], address: str) -> None:
    """Find whose key it is and count the call; raises `NoKey`, `NoScope` and `TooMany`."""
    key = _held(address)
    if key is None:
        raise NoKey
    g.key_holder = KeyHolder(key.id, key.agency_id, key.zone, frozenset(key.scopes.split()), key.epoch, key.restores)
    for rate in rates:
        g.spent = spent = spend(rate, scope, key.id.hex)
        if spent.over:
            raise TooMany(spent.reset)
    if scope not in g.key_holder.scopes:
        raise NoScope(scope)


def spent_now() -> LimitState | None:
    """What is left of the limit that this call was counted against."""
    found: LimitState | None = g.get("spent")
    return found


def _held(address: str) -> Any:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    if kind.lower() != "bearer" or not text:
        return None
    row = None
    if is_key(text):
        row = db.session.execute(_FOUND, {"hash": key_hash(text)}).one_or_none()
    at = now()
    if row is None or (row.expires_at is not None and row.expires_at <= at):
        hit(WRONG_KEYS, "api-wrong-key", keyed(address))
        return None
    _note_use(row, at)
    return row


def _note_use(key: Any, at: datetime) -> None:
    """Note when the key was last used, every quarter of an hour at most: a call is not worth a write."""
    if key.last_used_at is None or at - key.last_used_at > USED_EVERY:
        with housekeeping() as connection:
            connection.execute(update(ApiKey).where(ApiKey.id == key.id).values(last_used_at=at))
