"""A real SMTP server on the loopback that can refuse, hang up, vanish and come back."""

from __future__ import annotations

import asyncio
import email
import io
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask
from sqlalchemy import select, update

from app.core.clock import now
from app.core.unit_of_work import housekeeping
from app.delivery import dispatcher, retry
from app.delivery.dispatcher import close_senders
from app.extensions import db
from app.models import Attempt, Delivery


@dataclass
class Received:
    """One letter as it came over the wire."""

    sender: str
    to: list[str]
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def message(self) -> EmailMessage:
        message = email.message_from_bytes(self.raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    def body(self, kind: str = "plain") -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


class MailServer:
    """The server. `answer` decides what is said to RCPT (by recipient); `data` what is said after DATA."""

    def __init__(self) -> None:
        self.letters: list[Received] = []
        self.answer: Callable[[str], str | None] = lambda to: None
        self.data: Callable[[Received], str | None] = lambda letter: None
        self.drop = 0
        self.connections = 0
        self.utf8 = True
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._transports: list[Any] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: Any) -> str:
        said = self.answer(to)
        if said is None:
            envelope.rcpt_tos.append(to)
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        letter = Received(str(envelope.mail_from), list(envelope.rcpt_tos), envelope.content)
        if self.drop:
            self.drop -= 1
            server.transport.abort()
            return "421 gone"
        said = self.data(letter)
        if said is None:
            self.letters.append(letter)
        return said or "250 2.0.0 Kept"

    def start(self) -> None:
        ready = threading.Event()

        def factory() -> SMTP:
            self.connections += 1
            protocol = SMTP(self, enable_SMTPUTF8=self.utf8, hostname="localhost", loop=self._loop)
            made = protocol.connection_made

            def connection_made(transport: Any) -> None:
                self._transports.append(transport)
                made(transport)

            protocol.connection_made = connection_made  # type: ignore[method-assign]
            return protocol

        def run() -> None:
            loop = self._loop = asyncio.new_event_loop()
            self._server = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", self.port))
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()
            loop.run_forever()
            self._server.close()
            for transport in self._transports:
                transport.abort()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0.05))
            loop.close()
            self._transports.clear()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(60)

    def stop(self) -> None:
        """The server vanishes, as when its process is killed; `start` brings it back on the same port."""
        if self._loop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(60)

    def to(self, address: str) -> list[Received]:
        return [letter for letter in self.letters if address in letter.to]

    def wait(self, count: int, seconds: float = 120) -> list[Received]:
        until = time.monotonic() + seconds
        while len(self.letters) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.letters) >= count, f"{len(self.letters)} of {count} letters came"
        return self.letters


def point(app: Flask, mailbox: MailServer) -> None:
    app.extensions["mail"].server, app.extensions["mail"].port = "127.0.0.1", mailbox.port


@pytest.fixture
def mailbox() -> Iterator[MailServer]:
    box = MailServer()
    box.start()
    yield box
    box.stop()


def _served(app: Flask, mailbox: MailServer) -> Iterator[MailServer]:
    point(app, mailbox)
    dispatcher.stopping.clear()
    yield mailbox
    dispatcher.stopping.clear()
    close_senders(app)


@pytest.fixture
def smtp(app: Flask, mailbox: MailServer) -> Iterator[MailServer]:
    """The server that the application's mail goes to."""
    yield from _served(app, mailbox)


@pytest.fixture
def either_smtp(either_app: Flask, mailbox: MailServer) -> Iterator[MailServer]:
    """The same, for the application on both databases."""
    yield from _served(either_app, mailbox)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused letter is due again at once."""
    monkeypatch.setattr(retry, "_spread", lambda _seconds: timedelta(0))


def deliveries(offer_id: uuid.UUID | None = None) -> list[Delivery]:
    """The deliveries as the database has them now, without the receipts, which have tests of their own."""
    db.session.rollback()
    wanted = select(Delivery).where(Delivery.kind != "receipt").order_by(Delivery.template)
    return list(db.session.scalars(wanted.filter_by(offer_id=offer_id) if offer_id else wanted))


def attempts() -> list[Attempt]:
    db.session.rollback()
    return list(db.session.scalars(select(Attempt).order_by(Attempt.delivery_id, Attempt.n)))


def change(**values: Any) -> None:
    """Change every delivery but the receipts behind the application's back, as time or a crash would."""
    with housekeeping() as connection:
        connection.execute(update(Delivery).where(Delivery.kind != "receipt").values(**values))


@pytest.fixture
def said(app: Flask) -> io.StringIO:
    """What the application logs."""
    lines = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(lines))
    return lines


@pytest.fixture
def nobody() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def change_leases() -> None:
    """Let every lease that is held run out."""
    with housekeeping() as connection:
        lapsed = now() - timedelta(seconds=1)
        connection.execute(update(Delivery).where(Delivery.state == "leased").values(lease_until=lapsed))
