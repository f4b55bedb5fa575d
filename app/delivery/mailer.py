"""The threads that render and send mail. Each has its own application context and its own reused SMTP connection."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from traceback import walk_tb

import structlog
from flask import Flask, current_app

from app.core.clock import now
from app.core.vault import Place, seal
from app.delivery.letters import NoLongerOwed, Owed
from app.delivery.retry import next_try, next_try_away
from app.extensions import db
from app.offers.mails import answer_key, compose
from app.outbound.smtp import Broken, CannotConnect, Connection, open_connection
from app.proof import receipts
from app.proof.receipt_reading import RECEIPT_KEPT, RECEIPT_MAIL

THREADS = 4
AWAY_SECONDS = 3.0  # after a failed connection nobody else dials for this long
LEAST_LEASE = timedelta(seconds=26)  # a letter may take 25 s; with less left another drain could send it too
REFUSED_TO_ALL = {530, 534, 535, 538}  # about us and our password (RFC 4954), not about the letter

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery in our hands until `until`."""

    owed: Owed
    token: uuid.UUID
    until: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try. `tried` is False when it did not come to one, which then does not count."""

    leased: Leased
    state: str
    due_at: datetime | None = None
    code: int = 0
    answer_ct: bytes | None = None
    tried: bool = True


class Post:
    """Sends letters for one process. Its connections outlive a drain, so that a single mail needs no new handshake."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="post")
        self._own = threading.local()
        self._connections: list[Connection] = []
        self._away_until = 0.0
        self.was_away = False

    def send(self, leased: Leased) -> Future[Outcome]:
        return self._pool.submit(self._send, leased)

    @property
    def away(self) -> bool:
        return time.monotonic() < self._away_until

    def close(self, *, at_once: bool = False) -> None:
        """End the threads and hang up. `at_once` cuts conversations short; their letters are sent again later."""
        if at_once:
            for connection in self._connections:
                connection.interrupt()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.quit()
        self._connections.clear()

    def _connection(self) -> Connection:
        if not hasattr(self._own, "connection"):
            self._own.connection = open_connection()
            self._connections.append(self._own.connection)
        connection: Connection = self._own.connection
        return connection

    def _send(self, leased: Leased) -> Outcome:
        with self._app.app_context():
            try:
                return self._try(leased)
            except NoLongerOwed as why:
                log.info("mail_cancelled", delivery=str(leased.owed.id), why=str(why))
                return Outcome(leased, "cancelled", tried=False)
            except Exception as fault:
                return _faulty(leased, fault)

    def _try(self, leased: Leased) -> Outcome:
        if self.away:
            return Outcome(leased, "pending", tried=False)
        if leased.until - now() < LEAST_LEASE:
            return Outcome(leased, "pending", tried=False)
        if leased.owed.template in {RECEIPT_MAIL, RECEIPT_KEPT}:
            _make_receipt(leased.owed)
            if leased.owed.template == RECEIPT_KEPT:
                return Outcome(leased, "delivered", tried=False)
        letter = compose(leased.owed)
        key = answer_key(leased.owed)
        db.session.rollback()  # no transaction stays open while the server thinks
        try:
            answer = self._connection().carry(letter)
        except CannotConnect as away:
            self._away_until, self.was_away = time.monotonic() + AWAY_SECONDS, True
            return _outcome(leased, away.code, away.answer, key, away=True)
        except Broken as broken:
            return _outcome(leased, 0, str(broken), key)
        return _outcome(leased, answer.code, answer.text, key)


def _make_receipt(owed: Owed) -> None:
    if owed.offer_id is None:
        raise LookupError(owed.template)
    try:
        receipts.make(owed.agency_id, owed.offer_id)
    except receipts.Forgotten:
        raise NoLongerOwed("erased") from None


def _outcome(leased: Leased, code: int, answer: str, key: bytes | None, *, away: bool = False) -> Outcome:
    """What a reply means: 2xx delivered, 5xx final, all else another try while there is time."""
    owed, due, state = leased.owed, None, "delivered"
    if away:
        due = next_try_away(owed.created_at, now(), leased.attempts)
    elif not 200 <= code < 300 and (code < 500 or code in REFUSED_TO_ALL):
        due = next_try(owed.created_at, now(), leased.attempts)
    if due:
        state = "pending"
    elif not 200 <= code < 300 or away:
        state = "dead"
    place = Place(owed.agency_id, "attempt", "answer", f"{owed.id}/{leased.attempts}")
    sealed = seal(key, place, answer.encode()) if key else None
    say = log.info if state == "delivered" else log.warning
    say("mail", delivery=str(owed.id), template=owed.template, state=state, code=code, attempt=leased.attempts)
    return Outcome(leased, state, due, code, sealed)


def _faulty(leased: Leased, fault: Exception) -> Outcome:
    """A fault of ours: logged by kind and place, since its text may hold what a person typed; tried again later."""
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in walk_tb(fault.__traceback__)]
    ours = [f"{name}:{line}" for name, line in frames if name.startswith("app.")]
    where = ours[-1] if ours else "?"
    kind = type(fault).__name__
    log.error("mail_fault", delivery=str(leased.owed.id), template=leased.owed.template, fault=kind, where=where)
    try:
        db.session.rollback()
        key = answer_key(leased.owed)
    except Exception:
        key = None
    return _outcome(leased, 0, f"{kind} at {where}", key)


def post() -> Post:
    """This process's own, made when first needed."""
    found: Post = current_app.extensions.get("bidflux_post") or Post(current_app._get_current_object())  # type: ignore[attr-defined]
    current_app.extensions["bidflux_post"] = found
    return found


def close_post(app: Flask, *, at_once: bool = False) -> None:
    """Hang up, if anything was ever sent."""
    if found := app.extensions.pop("bidflux_post", None):
        found.close(at_once=at_once)
