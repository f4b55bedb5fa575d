"""Home, documentation, privacy; and, on a developer's machine, the mail that was sent."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, render_template

from app.core.clock import now
from app.core.language import LANGUAGES
from app.core.urls import base_url
from app.privacy.data_map import BIDDERS, IN_CLEAR, personal
from app.web.guards import Cache, Guard, policy

site = Blueprint("site", __name__)
SECURITY_DAYS = 180


@site.get("/")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def home() -> str:
    return render_template("site/home.html")


@site.get("/docs")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def docs() -> str:
    return render_template("site/docs.html")


@site.get("/gdpr")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def gdpr() -> str:
    return render_template("site/gdpr.html", kept=personal(BIDDERS), in_clear=list(IN_CLEAR))


@site.get("/robots.txt")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.SHORT)
def robots() -> Response:
    return Response("User-agent: *\nDisallow: /o/\nDisallow: /r/\nDisallow: /app/\n", mimetype="text/plain")


@site.get("/.well-known/security.txt")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.SHORT)
def security_txt() -> Response:
    """Where to report a fault (RFC 9116). It expires half a year from today, whenever it is read."""
    lines = {
        "Contact": f"mailto:{current_app.extensions['bidflux_settings'].support_email}",
        "Expires": f"{now().date() + timedelta(days=SECURITY_DAYS)}T00:00:00Z",
        "Preferred-Languages": ", ".join(LANGUAGES),
        "Canonical": f"{base_url()}/.well-known/security.txt",
    }
    text = "".join(f"{name}: {value}\n" for name, value in lines.items())
    return Response(text, content_type="text/plain; charset=utf-8")


@site.get("/outbox")
@policy(Guard.DEVELOPMENT, limit="300/minute")
def outbox() -> str:
    """Every mail that left, newest first."""
    return render_template("site/outbox.html", mails=[_summary(path) for path in _mails()[:200]])


@site.get("/outbox/<name>")
@policy(Guard.DEVELOPMENT, limit="300/minute")
def outbox_mail(name: str) -> str:
    path = next((path for path in _mails() if path.name == name), None)
    if path is None:
        abort(404)
    message = _read(path)
    text = message.get_body(("plain",))
    return render_template(
        "site/outbox_mail.html", mail=_summary(path), text=text.get_content() if text else "", headers=message.items()
    )


@site.get("/outbox/<name>/html")
@policy(Guard.DEVELOPMENT, limit="300/minute")
def outbox_html(name: str) -> Response:
    """The HTML part alone, which nothing but its own inline styles may touch."""
    path = next((path for path in _mails() if path.name == name), None)
    body = _read(path).get_body(("html",)) if path else None
    if body is None:
        abort(404)
    return Response(body.get_content(), mimetype="text/html")


def _mails() -> list[Path]:
    folder: Path = current_app.extensions["bidflux_settings"].outbox_dir
    return sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _read(path: Path) -> EmailMessage:
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def _summary(path: Path) -> dict[str, str]:
    message = _read(path)
    return {
        "name": path.name,
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "date": str(message["Date"]),
    }
