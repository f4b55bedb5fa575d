"""Webhook endpoints: made, changed, turned off; what they are owed is sent again, or as a test."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from app.core.clock import now, rfc3339
from app.core.errors import Conflict, Invalid, NotFound, TooMany
from app.core.ids import new_id
from app.core.keys import agency_key
from app.core.ledger import SYSTEM, Actor
from app.core.quotas import hold_bytes
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, housekeeping, writing
from app.core.vault import Place, seal, unseal
from app.extensions import db
from app.models import Agency, Attempt, Delivery, EarlierSecret, User, WebhookEndpoint
from app.models.agency import OWNER
from app.models.webhook import EVENTS, TEST
from app.outbound.addresses import Refused, check_url
from app.outbound.written_urls import WHY, as_called
from app.webhooks.log import opened_url
from app.webhooks.owing import (
    end_all,
    end_owed,
    missed,
    not_arrived,
    owe_again,
    owe_all,
    replaying,
    waits_after_failure,
)
from app.webhooks.samples import sample

SECRET_BYTES = 32
PREFIX = "whsec_"
STILL_VALID = timedelta(hours=24)  # a secret that was replaced signs too for this long
MOST_EARLIER = 10  # of them at once: each is a signature in the header of every call
MOST = 20  # endpoints of an agency
LOG_KEPT = timedelta(days=90)
REPLAYING = timedelta(minutes=1)
FIRST_WARNING, SECOND_WARNING, GIVEN_UP = 4, timedelta(hours=24), timedelta(days=5)

ONLY_HTTPS = _l("Write an https:// address: calls carry clients' data")
BAD_EVENT = _l("There is no such event")
TOO_OFTEN = _l("%(num)d earlier secrets are still valid: make another one when a day has passed", num=MOST_EARLIER)
TOO_MANY = _l("An agency has at most %(num)d endpoints", num=MOST)


def endpoints_of(agency_id: uuid.UUID) -> list[WebhookEndpoint]:
    """Oldest first."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.agency_id == agency_id)
    return list(db.session.scalars(query.order_by(WebhookEndpoint.created_at, WebhookEndpoint.id)))


def get_endpoint(agency_id: uuid.UUID, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """One endpoint of the agency; raises `NotFound`."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.agency_id == agency_id, WebhookEndpoint.id == endpoint_id)
    found = db.session.scalar(query, execution_options={"populate_existing": True})  # as it is after a change, too
    if found is None:
        raise NotFound
    return found


@contextmanager
def standing(agency_id: uuid.UUID, endpoint_id: uuid.UUID) -> Iterator[WebhookEndpoint]:
    """One endpoint, locked until the block's writes are committed; raises `NotFound`."""
    with writing(agency_id):
        yield get_endpoint(agency_id, endpoint_id)


def url_of(endpoint: Any) -> str:
    """The address of an endpoint, or of a row with its `id`, `agency_id` and `url_ct`."""
    return opened_url(endpoint)


def secrets_of(endpoint: Any, earlier: Sequence[EarlierSecret]) -> list[bytes]:
    """The secrets that sign, the newest first; `earlier` as `earlier_secrets` found them."""
    key = agency_key(endpoint.agency_id, "secret")
    place = _place(endpoint.agency_id, "secret", endpoint.id)
    return [unseal(key, place, sealed) for sealed in (endpoint.secret_ct, *(secret.secret_ct for secret in earlier))]


def earlier_secrets(endpoint_ids: Iterable[uuid.UUID], at: datetime) -> dict[uuid.UUID, list[EarlierSecret]]:
    """The replaced secrets of endpoints that still sign at this moment, the newest first."""
    valid = select(EarlierSecret).where(EarlierSecret.endpoint_id.in_(list(endpoint_ids)), EarlierSecret.until > at)
    found: dict[uuid.UUID, list[EarlierSecret]] = {}
    for secret in db.session.scalars(valid.order_by(EarlierSecret.until.desc(), EarlierSecret.id.desc())):
        found.setdefault(secret.endpoint_id, []).append(secret)
    return found


def create(agency_id: uuid.UUID, url: str, events: Sequence[str] = (), *, by: Actor) -> tuple[uuid.UUID, str]:
    """A new endpoint for these events, or all; returns its id and its secret, which is never shown again."""
    url = as_called(url)
    _check(url, events)
    endpoint_id, secret = new_id(), os.urandom(SECRET_BYTES)
    with writing(agency_id) as tx:
        if (db.session.scalar(select(func.count()).where(WebhookEndpoint.agency_id == agency_id)) or 0) >= MOST:
            raise Invalid({"url": [TOO_MANY]})
        row = {
            "id": endpoint_id,
            "agency_id": agency_id,
            "url_ct": _seal(agency_id, "url", endpoint_id, url.encode()),
            "events": " ".join(events),
            "secret_ct": _seal(agency_id, "secret", endpoint_id, secret),
            "warned": 0,
            "created_at": tx.at,
            "updated_at": tx.at,
        }
        tx.connection.execute(insert(WebhookEndpoint), row)
        tx.record("webhook.created", endpoint_id, by, {"events": list(events)})
        _count(tx)
    return endpoint_id, shown(secret)


def shown(secret: bytes) -> str:
    """A secret as Standard Webhooks 1.0 writes it."""
    return PREFIX + base64.b64encode(secret).decode()


def change(
    endpoint: WebhookEndpoint,
    *,
    by: Actor,
    url: str | None = None,
    events: Sequence[str] | None = None,
    on: bool | None = None,
) -> None:
    """Change what is given. Turned on again, it starts as if it had never failed."""
    endpoint_id, agency_id = endpoint.id, endpoint.agency_id
    url = None if url is None else as_called(url)
    _check(url, events or ())
    values: dict[str, Any] = {}
    if url is not None:
        values["url_ct"] = _seal(agency_id, "url", endpoint_id, url.encode())
    if events is not None:
        values["events"] = " ".join(events)
    if on:
        values |= {"off_at": None, "off_reason": None, "failing_since": None, "warned": 0}
    with writing(agency_id) as tx:
        tx.connection.execute(
            update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).values(updated_at=tx.at, **values)
        )
        if on is False:
            _turn_off(tx, endpoint_id, "owner")
        data = {"events": list(events)} if events is not None else {}
        told = {} if on is None else {"on": on}
        tx.record("webhook.changed", endpoint_id, by, {**data, **told, "url": url is not None})
        _count(tx)


def rotate(endpoint: WebhookEndpoint, *, by: Actor) -> str:
    """A new secret, to be shown once. The present one goes on signing for 24 hours, earlier ones to their own end.

    Raises `Conflict` when so many sign that the header would grow too long.
    """
    endpoint_id, agency_id, secret = endpoint.id, endpoint.agency_id, os.urandom(SECRET_BYTES)
    mine = EarlierSecret.endpoint_id == endpoint_id
    with writing(agency_id) as tx:
        tx.connection.execute(delete(EarlierSecret).where(mine, EarlierSecret.until <= tx.at))
        if (tx.connection.scalar(select(func.count()).select_from(EarlierSecret).where(mine)) or 0) >= MOST_EARLIER:
            raise Conflict(TOO_OFTEN)
        secret_of = select(WebhookEndpoint.secret_ct).where(WebhookEndpoint.id == endpoint_id)
        replaced = tx.connection.execute(secret_of).scalar_one()
        tx.add(EarlierSecret, id=new_id(), endpoint_id=endpoint_id, secret_ct=replaced, until=tx.at + STILL_VALID)
        tx.connection.execute(
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == endpoint_id)
            .values(secret_ct=_seal(agency_id, "secret", endpoint_id, secret), updated_at=tx.at)
        )
        tx.record("webhook.rotated", endpoint_id, by)
    return shown(secret)


def remove(endpoint: WebhookEndpoint, *, by: Actor) -> None:
    """The endpoint goes, with its secrets and its log; what was owed to it is cancelled."""
    endpoint_id, agency_id = endpoint.id, endpoint.agency_id
    with writing(agency_id) as tx:
        _turn_off(tx, endpoint_id, "owner", ("pending", "leased"), "cancelled")
        tx.connection.execute(delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id))
        tx.record("webhook.removed", endpoint_id, by)
        _count(tx)


def send_test(endpoint: WebhookEndpoint, kind: str = TEST, *, by: Actor) -> uuid.UUID:
    """Owe the endpoint a whole sample of an event, marked `test`; returns the delivery. It stands in no other list."""
    if kind != TEST and kind not in EVENTS:
        raise Invalid({"type": [BAD_EVENT]})
    endpoint_id, agency_id, delivery_id = endpoint.id, endpoint.agency_id, new_id()
    if endpoint.off_at:
        raise Conflict
    with writing(agency_id) as tx:
        actor = {"type": by.type, "id": str(by.id) if by.id else None}
        body = {
            "type": kind,
            "timestamp": rfc3339(tx.at),
            "seq": 0,
            "epoch": tx.epoch,
            "actor": actor,
            "test": True,
            **sample(kind),
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        sealed = seal(agency_key(agency_id, "secret"), Place(agency_id, "delivery", "body", delivery_id), text)
        subject = about("endpoint", endpoint_id)
        tx.owe("webhook", kind, subject, endpoint_id=endpoint_id, body_ct=sealed, delivery_id=delivery_id)
    return delivery_id


def resend(agency_id: uuid.UUID, delivery_id: uuid.UUID) -> None:
    """Send one call again, now: the same id and the same body, also while it waits to be tried again.

    `Conflict` while it is being sent, while the endpoint is off, and for a cancelled one: undone, or its person erased.
    """
    with writing(agency_id) as tx:
        row = tx.connection.execute(
            select(WebhookEndpoint.off_at)
            .join(Delivery, WebhookEndpoint.id == Delivery.endpoint_id)
            .where(Delivery.agency_id == agency_id, Delivery.id == delivery_id, Delivery.kind == "webhook")
        ).one_or_none()
        if row is None:
            raise NotFound
        which = or_(Delivery.state.in_(("delivered", "dead")), waits_after_failure(tx.at))
        if row.off_at or not owe_again(tx, Delivery.id == delivery_id, which):
            raise Conflict


def replay(endpoint: WebhookEndpoint, since: datetime, *, by: Actor) -> int:
    """Send now all events since a moment that have not arrived, also those from while the endpoint was off.

    Returns how many calls are owed because of it. Ids and bodies stay the same. It goes back no further than the log,
    which knows what arrived.
    """
    endpoint_id, agency_id = endpoint.id, endpoint.agency_id
    with writing(agency_id) as tx:
        off_at = select(WebhookEndpoint.off_at).where(WebhookEndpoint.id == endpoint_id)
        if tx.connection.scalar(off_at):
            raise Conflict
        if agency_id in replaying:
            raise TooMany(int(REPLAYING.total_seconds()))
        hold_bytes(tx)
        since = max(since, tx.at - LOG_KEPT)
        parts = (not_arrived(tx, endpoint_id, since), missed(tx, endpoint_id, since))
        count = sum(tx.connection.scalar(select(func.count()).select_from(part.subquery())) or 0 for part in parts)
        tx.record("webhook.replayed", endpoint_id, by, {"since": rfc3339(since), "calls": count})
        tx.then(partial(owe_all, agency_id, endpoint_id, since))
    return count


# --- what calls that fail lead to -----------------------------------------------------------------------------------


def recovered(endpoint_id: uuid.UUID) -> None:
    """A call arrived: the endpoint is whole again."""
    with housekeeping() as connection:
        connection.execute(
            update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).values(failing_since=None, warned=0)
        )


def failed(agency_id: uuid.UUID, endpoint_id: uuid.UUID, *, attempts: int, event_seq: int, gone: bool) -> None:
    """A call failed for the `attempts`-th time: note since when, warn the owners, turn the endpoint off after five
    days.

    With `gone` (410) it is turned off at once. Owners are warned at a call's fourth failure and after a day without
    success.
    """
    if _news(db.session.connection(), endpoint_id, now(), attempts, gone=gone)[0] is None:
        return  # as for nearly all of many: nobody's writes wait for it
    with writing(agency_id) as tx:
        news, warned = _news(tx.connection, endpoint_id, tx.at, attempts, gone=gone)
        values: dict[str, Any] = {"failing_since": func.coalesce(WebhookEndpoint.failing_since, tx.at)}
        if news == "webhook_off":
            reason = "gone" if gone else "failing"
            _turn_off(tx, endpoint_id, reason)
            tx.record("webhook.off", endpoint_id, SYSTEM, {"reason": reason})
            _count(tx)
        if news:
            _warn(tx, news, event_seq)
        if news is not None:
            mine = update(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id)
            tx.connection.execute(mine.values(**values, warned=warned))


def _news(
    connection: Connection, endpoint_id: uuid.UUID, at: datetime, attempts: int, *, gone: bool
) -> tuple[str | None, int]:
    """The mail that a failure leads to, "" when it is only the first one, None when all of it is known; and how many
    warnings there were then."""
    columns = select(WebhookEndpoint.failing_since, WebhookEndpoint.warned, WebhookEndpoint.off_at)
    row = connection.execute(columns.where(WebhookEndpoint.id == endpoint_id)).one_or_none()
    if row is None or row.off_at:
        return None, 0
    lasted = at - (row.failing_since or at)
    if gone or lasted >= GIVEN_UP:
        return "webhook_off", row.warned
    if row.warned < 2 and lasted >= SECOND_WARNING:
        return "webhook_failing_long", 2
    if row.warned < 1 and attempts >= FIRST_WARNING:
        return "webhook_failing", 1
    return (None if row.failing_since else ""), row.warned


def _warn(tx: UnitOfWork, template: str, event_seq: int) -> None:
    """One mail for each owner; where several endpoints fail over the same event, it names them all."""
    subject = about("event", event_seq)
    owners = select(User.id).where(User.agency_id == tx.agency_id, User.role == OWNER, User.active.is_(True))
    mails = (Delivery.agency_id == tx.agency_id, Delivery.kind == "mail", Delivery.user_id.is_not(None))
    the_same = (Delivery.subject_type == subject.type, Delivery.subject_id == subject.id)
    told = select(Delivery.user_id).where(*mails, *the_same, Delivery.template == template)
    for user_id in tx.connection.scalars(owners.where(User.id.not_in(told))):
        tx.owe_mail(template, subject, user_id=user_id)


def forget_log(before: datetime, limit: int = 500) -> int:
    """Drop calls that ended before a moment, with their attempts; returns how many. Rerun until 0."""
    with housekeeping() as connection:
        old = select(Delivery.id).where(Delivery.kind == "webhook", Delivery.ended_at < before).limit(limit)
        ids = list(connection.scalars(old))
        connection.execute(delete(Attempt).where(Attempt.delivery_id.in_(ids)))
        connection.execute(delete(Delivery).where(Delivery.id.in_(ids)))
    return len(ids)


def _turn_off(
    tx: UnitOfWork, endpoint_id: uuid.UUID, reason: str, ends: tuple[str, ...] = ("pending",), state: str = "dead"
) -> None:
    """Send nothing more there. What was owed is dead, and can be replayed once the endpoint is on again."""
    tx.flush()
    tx.connection.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.off_at.is_(None))
        .values(off_at=tx.at, off_reason=reason)
    )
    ending = partial(end_owed, endpoint_id=endpoint_id, ends=ends, state=state)
    if ending(tx):
        tx.then(partial(end_all, tx.agency_id, endpoint_id, ending))


def _count(tx: UnitOfWork) -> None:
    """Whether the agency's writes look for endpoints at all."""
    on = select(WebhookEndpoint.id).where(WebhookEndpoint.agency_id == tx.agency_id, WebhookEndpoint.off_at.is_(None))
    tx.connection.execute(update(Agency).where(Agency.id == tx.agency_id).values(has_webhooks=on.exists()))


def _check(url: str | None, events: Sequence[str]) -> None:
    if url is not None:
        settings = current_app.extensions["bidflux_settings"]
        try:
            check_url(url, *settings.outbound)
        except Refused as why:
            raise Invalid({"url": [WHY[str(why)]]}) from None
        if url.startswith("http://") and not settings.webhook_allow_networks:
            raise Invalid({"url": [ONLY_HTTPS]})
    if any(event not in EVENTS for event in events):
        raise Invalid({"events": [BAD_EVENT]})


def _place(agency_id: uuid.UUID, column: str, endpoint_id: uuid.UUID) -> Place:
    return Place(agency_id, "webhook_endpoint", column, endpoint_id)


def _seal(agency_id: uuid.UUID, column: str, endpoint_id: uuid.UUID, plain: bytes) -> bytes:
    return seal(agency_key(agency_id, "secret"), _place(agency_id, column, endpoint_id), plain)
