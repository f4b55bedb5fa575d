"""Signing in."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import Form, PasswordField, StringField


class LoginForm(Form):
    email = StringField(_l("E-mail"))
    password = PasswordField(_l("Password"))


def browser_name(agent: str) -> str:
    """`Firefox, Windows`: enough to recognise a session by, no more."""
    browsers = (("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"))
    more = (("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))
    systems = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"))
    others = (("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))
    browser = next((name for mark, name in (*browsers, *more) if mark in agent), "")
    system = next((name for mark, name in (*systems, *others) if mark in agent), "")
    return ", ".join(part for part in (browser, system) if part)


class CodeForm(Form):
    code = StringField(_l("Code"), description=_l("Six digits from your phone, or one of your recovery codes."))


class ProofForm(Form):
    password = PasswordField(_l("Password"))
    code = StringField(_l("Code"), description=_l("Six digits from your phone, or one of your recovery codes."))
