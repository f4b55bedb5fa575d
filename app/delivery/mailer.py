"""Mail by SMTP. Each thread that sends has a reused connection of its own."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from traceback import walk_tb

import structlog

from app.core.clock import now
from app.core.faults import report
from app.core.keys import agency_key, offer_key
from app.core.vault import Place, seal
from app.delivery.composing import DeliveryRow
from app.delivery.queue import Claimed, Outcome
from app.delivery.registry import registry
from app.delivery.retry import next_try, next_try_away
from app.extensions import db
from app.outbound.smtp import Broken, CannotConnect, Connection, open_connection

AWAY_SECONDS = 3.0  # after a failed connection nobody else dials for this long
LEAST_LEASE = timedelta(seconds=26)  # a mail may take 25 s; with less left another dispatch could send it too
REFUSED_TO_ALL = {530, 534, 535, 538}  # about us and our password (RFC 4954), not about the mail

log = structlog.get_logger(__name__)


class Mailer:
    """Sends mails for one process. Its connections outlive a dispatch, so that a single mail needs no new handshake."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._connections: list[Connection] = []
        self._away_until = 0.0
        self.was_away = False

    @property
    def away(self) -> bool:
        return time.monotonic() < self._away_until

    def send(self, claimed: Claimed) -> Outcome:
        if self.away or claimed.until - now() < LEAST_LEASE:
            return Outcome.untried(claimed)
        mail = registry().compose(claimed)
        key = answer_key(claimed)
        db.session.rollback()  # no transaction stays open while the server thinks
        try:
            answer = self._connection().transmit(mail)
        except CannotConnect as away:
            self._away_until, self.was_away = time.monotonic() + AWAY_SECONDS, True
            return outcome_of(claimed, away.code, away.answer, key, away=True)
        except Broken as broken:
            return outcome_of(claimed, 0, str(broken), key)
        return outcome_of(claimed, answer.code, answer.text, key)

    def interrupt(self) -> None:
        """Cut conversations short; their mails are sent again later."""
        for connection in self._connections:
            connection.interrupt()

    def hang_up(self) -> None:
        for connection in self._connections:
            connection.quit()
        self._connections.clear()

    def _connection(self) -> Connection:
        if not hasattr(self._own, "connection"):
            self._own.connection = open_connection()
            self._connections.append(self._own.connection)
        connection: Connection = self._own.connection
        return connection


def answer_key(delivery: DeliveryRow) -> bytes | None:
    """What the server's answer is sealed under. Answers repeat addresses: where the person is forgotten, or asks about
    their data, there is no key and the answer is not kept."""
    mail = registry().mails.get(delivery.template)
    if mail and not mail.keeps_answer:
        return None
    return (
        offer_key(delivery.agency_id, delivery.offer_id)
        if delivery.offer_id
        else agency_key(delivery.agency_id, "secret")
    )


def outcome_of(claimed: Claimed, code: int, answer: str, key: bytes | None, *, away: bool = False) -> Outcome:
    """What a reply means: 2xx delivered, 5xx final, all else another try while there is time."""
    at, due, state = now(), None, "delivered"
    if away:
        due = next_try_away(claimed.created_at, at, claimed.tries)
    elif not 200 <= code < 300 and (code < 500 or code in REFUSED_TO_ALL):
        due = next_try(claimed.kind, claimed.created_at, at, claimed.tries)
    if due:
        state = "pending"
    elif not 200 <= code < 300 or away:
        state = "dead"
    place = Place(claimed.agency_id, "attempt", "answer", f"{claimed.id}/{claimed.attempts}")
    sealed = seal(key, place, answer.encode()) if key else None
    say = log.info if state == "delivered" else log.warning
    told = {"template": claimed.template, "state": state, "code": code, "attempt": claimed.attempts}
    say("mail", delivery=str(claimed.id), request_id=claimed.request_id, **told)
    return Outcome(claimed, state, at, due, code, sealed)


def faulty(claimed: Claimed, fault: Exception) -> Outcome:
    """A fault of ours: logged by kind and place, since its text may hold what a person typed; tried again later."""
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in walk_tb(fault.__traceback__)]
    ours = [f"{name}:{line}" for name, line in frames if name.startswith("app.")]
    where = ours[-1] if ours else "?"
    kind = type(fault).__name__
    told = {"delivery": str(claimed.id), "request_id": claimed.request_id, "template": claimed.template}
    log.error("mail_fault", fault=kind, where=where, **told)
    report(fault)
    try:
        db.session.rollback()
        key = answer_key(claimed)
    except Exception:
        key = None
    return outcome_of(claimed, 0, f"{kind} at {where}", key)
