"""A mail a day to whoever runs the installation, while something is wrong. It goes straight to the mail server: the
queue may be what is wrong."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import escape

from app.accounts import operators
from app.config import Settings
from app.core.clock import now
from app.core.ids import new_id
from app.core.language import DEFAULT
from app.core.urls import base_url
from app.delivery.composing import speaking
from app.ops import chores, health
from app.outbound.smtp import Broken, CannotConnect, Mailbox, OutgoingMail, open_connection, sender

NAME = "report"
AT = "06:00"  # UTC
AGAIN = timedelta(hours=1)  # where the mail server was away
ZONE = "Europe/Bucharest"

log = structlog.get_logger(__name__)


def run_due(_stop: object = None) -> int:
    """Look at everything once a day, and write if something is wrong; how many mails left."""
    if chores.chore(NAME) is None:
        chores.set_chore(NAME, due_at=chores.next_at(AT, now()))
    if not chores.take(NAME, now() + AGAIN):
        return 0
    language = dict(operators.all_of_them()).get(_settings().operator_email.lower(), DEFAULT)
    with speaking(language, ZONE):
        wrong = {name: said for name, said in health.findings().items() if not health.is_sound(said)}
        fault = _send(_mail(wrong)) if wrong else ""
    if fault:
        chores.went_wrong(NAME, fault)
        log.warning("report_not_sent", fault=fault)
        return 0
    chores.went_well(NAME, due_at=chores.next_at(AT, now()))
    return 1 if wrong else 0


def _mail(wrong: dict[str, str]) -> OutgoingMail:
    host = urlsplit(base_url()).hostname or "localhost"
    count = ngettext("%(num)d thing is wrong", "%(num)d things are wrong", len(wrong))
    first = _("At %(host)s `flask doctor` finds:", host=host)
    last = _("The operator's page says more: %(url)s", url=f"{base_url()}/ops")
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in wrong.items())
    return OutgoingMail(
        new_id(),
        host=host,
        to=Mailbox(_settings().operator_email),
        sender=sender(),
        subject=f"BidFlux {host}: {count}",
        text="\n".join([first, "", *(f"- {name}: {said}" for name, said in wrong.items()), "", last, ""]),
        html=f"<!doctype html><p>{escape(first)}</p><dl>{rows}</dl><p>{escape(last)}</p>",
        at=now(),
    )


def _send(mail: OutgoingMail) -> str:
    """What went wrong, or nothing."""
    connection = open_connection()
    try:
        answer = connection.transmit(mail)
    except (CannotConnect, Broken) as error:
        return type(error).__name__
    finally:
        connection.quit()
    return "" if answer.accepted else f"{answer.code} {answer.text}"


def _settings() -> Settings:
    settings: Settings = current_app.extensions["bidflux_settings"]
    return settings
