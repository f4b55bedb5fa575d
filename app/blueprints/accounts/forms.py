"""Signing in."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _l
from wtforms import Form, PasswordField, StringField


class LoginForm(Form):
    email = StringField(_l("E-mail"))
    password = PasswordField(_l("Password"))


def local_path(text: str | None) -> str | None:
    """A path of this very site, or None: whoever signs in is never sent elsewhere."""
    text = text or ""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or any(ord(c) < 33 for c in text):
        return None
    parts = urlsplit(text)
    return text if not parts.scheme and not parts.netloc else None


def browser_name(agent: str) -> str:
    """`Firefox, Windows`: enough to recognise a session by, no more."""
    browsers = (("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"))
    more = (("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))
    systems = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"))
    others = (("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))
    browser = next((name for mark, name in (*browsers, *more) if mark in agent), "")
    system = next((name for mark, name in (*systems, *others) if mark in agent), "")
    return ", ".join(part for part in (browser, system) if part)
