"""Mail: what it is made of, byte for byte, and the connection that carries it (Flask-Mail over smtplib)."""

from __future__ import annotations

import base64
import binascii
import re
import smtplib
import socket
import ssl
import time
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime, parseaddr
from typing import Any, cast

import flask_mail
import idna
from flask import current_app

from app.core.killpoints import AFTER_DATA, passing
from app.core.values import TURNING
from app.outbound import mail_headers
from app.outbound.mail_headers import WIRE

TIMEOUT = 15.0  # seconds without an answer
PATIENCE = 25.0  # seconds for one mail, all its commands together
IDLE_SECONDS = 30.0  # an older connection is opened anew: servers drop what is silent
SURE_SECONDS = 1.0  # a younger one is used without asking whether it still lives
SUBJECT_LENGTH, NAME_LENGTH = 180, 80

# The controls that turn text around (Unicode UAX 9): a name must not rewrite the line it stands in.
_TURNING = re.compile(f"[{TURNING}]")
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def one_line(text: str, length: int = SUBJECT_LENGTH) -> str:
    """What may stand in a header: no control characters, no line ends, at most `length` characters.

    Flask-Mail lets folded header lines through, so everything anybody typed passes here first.
    """
    seen = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in _TURNING.sub("", text))
    line = " ".join(seen.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def paragraphs(text: str) -> str:
    """What may stand in a body: line ends as `\\n`, no other control characters."""
    text = _TURNING.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in _UNSEEN)


class CannotConnect(Exception):
    """The server is away, or does not let us in: nothing is wrong with the mail. `code` is 0 without an answer."""

    def __init__(self, code: int, answer: str) -> None:
        self.code, self.answer = code, answer
        super().__init__(code)


class Broken(Exception):
    """The conversation ended before the server had answered for the mail. Holds the kind of fault only."""


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """What the server said last about a mail: an SMTP reply (RFC 5321, section 4.2)."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A sender or recipient. The address is `local@domain`; its domain may be international (IDNA)."""

    address: str
    name: str = ""

    @property
    def wire(self) -> str:
        """The address as the envelope has it: the domain in ASCII, the local part as it is (RFC 6531)."""
        local, _, domain = one_line(self.address, 254).rpartition("@")
        return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"

    @property
    def answerable(self) -> bool:
        """Whether every server takes it in a header. A local part beyond ASCII needs SMTPUTF8 (RFC 6531)."""
        return self.wire.isascii()

    def header(self, field: str) -> str:
        """The field's body. Raw UTF-8 (RFC 6532) for a local part beyond ASCII, which has no other form."""
        written = mail_headers.mailbox(field, self.wire, one_line(self.name, NAME_LENGTH))
        return written.encode().decode("ascii", "surrogateescape")


class OutgoingMail(flask_mail.Message):
    """One mail with the same bytes however often it is made: identity, date and boundary come from its delivery."""

    def __init__(
        self,
        ident: uuid.UUID,
        *,
        host: str,
        to: Mailbox,
        sender: Mailbox,
        subject: str,
        text: str,
        html: str,
        at: datetime,
        reply_to: Mailbox | None = None,
    ) -> None:
        super().__init__(
            subject=one_line(subject) or "BidFlux", recipients=[to.wire], body=text, html=html, sender=sender.wire
        )
        self.ident, self.to, self.from_, self.answer_to, self.at = ident, to, sender, reply_to, at
        self.msgId = f"<{ident}@{host}>"
        self._enclosed: tuple[str, str, bytes] | None = None

    @property
    def envelope_sender(self) -> str:
        """Where what cannot be delivered comes back to (RFC 5321, section 3.6.3)."""
        return current_app.extensions["bidflux_settings"].mail_bounce_to or self.from_.wire

    def enclose(self, filename: str, mime: str, content: bytes) -> None:
        """Put one file beside the text; `filename` is ASCII."""
        self._enclosed = (filename, mime, content)

    def _message(self) -> MIMEMultipart:
        words = MIMEMultipart("alternative", boundary=f"=_{self.ident.hex}", policy=WIRE)
        whole = MIMEMultipart("mixed", boundary=f"=-{self.ident.hex}", policy=WIRE) if self._enclosed else words
        whole["Subject"] = mail_headers.text("Subject", self.subject)
        whole["From"] = self.from_.header("From")
        whole["To"] = self.to.header("To")
        if self.answer_to and self.answer_to.answerable:  # else only the body names it: the mail itself must arrive
            whole["Reply-To"] = self.answer_to.header("Reply-To")
        whole["Date"] = format_datetime(self.at.astimezone(UTC).replace(microsecond=0))
        whole["Message-ID"] = self.msgId
        whole["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        whole["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
        for subtype, content in (("plain", self.body), ("html", self.html)):
            words.attach(_part(subtype, content))
        if self._enclosed:
            whole.attach(words)
            whole.attach(_file(*self._enclosed))
        return whole

    def as_bytes(self) -> bytes:
        return self._message().as_bytes(policy=WIRE)


def _file(filename: str, mime: str, content: bytes) -> MIMENonMultipart:
    part = MIMENonMultipart(*mime.split("/"), policy=WIRE)
    part["Content-Transfer-Encoding"] = "base64"
    part["Content-Disposition"] = f'attachment; filename="{filename}"'
    part.set_payload(base64.encodebytes(content).decode("ascii"))
    return part


def _part(subtype: str, content: str | None) -> MIMENonMultipart:
    """Quoted-printable, since a paragraph may be longer than the 998 bytes of a line of SMTP."""
    part = MIMENonMultipart("text", subtype, charset="utf-8", policy=WIRE)
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(binascii.b2a_qp((content or "").encode(), istext=True).decode())
    return part


class _Dialled:
    """Makes itself known before it dials, so that waiting for a greeting that never comes can be interrupted too."""

    def __init__(self, connection: Connection, *args: Any, **options: Any) -> None:
        connection.dialled = cast(smtplib.SMTP, self)
        super().__init__(*args, **options)


class _Smtp(_Dialled, smtplib.SMTP):
    pass


class _SmtpOverTls(_Dialled, smtplib.SMTP_SSL):
    pass


class Connection(flask_mail.Connection):
    """Flask-Mail's connection with time limits, checked certificates, reuse, and the server's own words as answer.

    It sends whatever `app.testing` says: a mail that is suppressed and called delivered is a mail lost.
    """

    def __init__(self, mail: Any, patience: float = TIMEOUT) -> None:
        super().__init__(mail)
        self.patience = patience
        self.used = 0.0
        self.dialled: smtplib.SMTP | None = None

    def configure_host(self) -> smtplib.SMTP:
        mail, context = self.mail, ssl.create_default_context()
        host: smtplib.SMTP
        if mail.use_ssl:
            host = _SmtpOverTls(self, mail.server, mail.port, timeout=self.patience, context=context)
        else:
            host = _Smtp(self, mail.server, mail.port, timeout=self.patience)
        try:
            if mail.use_tls:
                host.starttls(context=context)
            if mail.username and mail.password:
                host.login(mail.username, mail.password)
            host.ehlo_or_helo_if_needed()
        except BaseException:
            host.close()
            raise
        return host

    def transmit(self, mail: OutgoingMail) -> SmtpReply:
        """Hand the mail over and return what the server said. Raises `CannotConnect` and `Broken`."""
        host = self._open()
        try:
            answer = _converse(host, mail)
            if answer.code == 421:  # "closing transmission channel"
                self.close()
            elif not answer.accepted:
                host.rset()
        except smtplib.SMTPNotSupportedError:
            host.rset()
            return SmtpReply(553, "the server takes no international address (SMTPUTF8)")
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise Broken(type(error).__name__) from None
        self.used = time.monotonic()
        return answer

    def _open(self) -> smtplib.SMTP:
        if self.host is not None and not self._alive():
            self.close()
        if self.host is None:
            try:
                self.host = self.configure_host()
            except smtplib.SMTPResponseException as error:
                raise CannotConnect(error.smtp_code, _text(error.smtp_error)) from None
            except (smtplib.SMTPException, OSError) as error:
                raise CannotConnect(0, type(error).__name__) from None
        return self.host

    def _alive(self) -> bool:
        idle = time.monotonic() - self.used
        if idle > IDLE_SECONDS:
            return False
        if idle < SURE_SECONDS:
            return True
        try:
            return self.host is not None and self.host.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def interrupt(self) -> None:
        """From another thread: end the conversation under way; the thread that holds it gets `Broken`."""
        host = self.dialled
        try:
            if host is not None and host.sock is not None:
                host.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        """Leave at once: a server that hangs is not waited for with a QUIT."""
        if self.host is not None:
            self.host.close()
            self.host = None

    def quit(self) -> None:
        """Leave politely."""
        if self.host is not None:
            try:
                _set_timeout(self.host, 1.0)
                self.host.quit()
            except (smtplib.SMTPException, OSError):
                pass
            self.close()


def _converse(host: smtplib.SMTP, mail: OutgoingMail) -> SmtpReply:
    """One transaction (RFC 5321, section 3.3) in at most `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    sender, to = mail.envelope_sender, mail.to.wire
    options = [] if (sender + to).isascii() else ["SMTPUTF8"]
    _set_timeout(host, TIMEOUT)
    code, reply = host.mail(sender, options)
    if code == 250:
        _set_timeout(host, deadline - time.monotonic())
        code, reply = host.rcpt(to)
    if code in {250, 251}:
        _set_timeout(host, deadline - time.monotonic())
        try:
            code, reply = host.data(mail.as_bytes())
            passing(AFTER_DATA)
        except smtplib.SMTPDataError as error:
            code, reply = error.smtp_code, cast(bytes, error.smtp_error)
    if code < 200:
        raise smtplib.SMTPServerDisconnected
    return SmtpReply(code, _text(reply))


def _set_timeout(host: smtplib.SMTP, seconds: float) -> None:
    if host.sock is not None:
        host.sock.settimeout(max(0.1, min(TIMEOUT, seconds)))


def _text(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return one_line(text, 500)


def open_connection(patience: float = TIMEOUT) -> Connection:
    """A connection to the application's mail server; nothing is dialled before the first mail. `patience` is how many
    seconds it waits for an answer while it is opened."""
    return Connection(current_app.extensions["mail"], patience)


def sender(name: str = "") -> Mailbox:
    """The address this installation writes from, under `name` or the name configured with it."""
    configured, address = parseaddr(current_app.extensions["bidflux_settings"].mail_sender)
    return Mailbox(address, name or configured)
