"""What may be said of an agency, of a person who signs in, and of a key: one set of rules for pages and commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from zoneinfo import available_timezones

from flask_babel import lazy_gettext as _l

from app.core.contacts import NotAContact, read_phone, read_staff_email, show_phone
from app.core.errors import Invalid
from app.core.language import LANGUAGES
from app.core.limits import COMPANY, KEY_NAME, NAME
from app.models.agency import ROLES
from app.models.property import CURRENCIES

FILL_IN = _l("Fill this in")
ONE_OF_THESE = _l("Choose one of the answers")
BAD_ZONE = _l("Write the name of a time zone such as Europe/Bucharest")
BAD_EMAIL = _l("Write an e-mail address such as nume@exemplu.ro")
ACROSS = _l("With its country, this would be %(phone)s")
BAD_PHONE = _l("Write a phone number such as 0712 034 567, or one that begins with + and the country")
UNPRINTABLE = _l("Use letters, digits and signs only")


def too_long(most: int) -> Any:
    return _l("Use at most %(max)d characters", max=most)


def _line(text: str, most: int, *, needed: bool = True) -> str:
    """One line of text, its spaces made single."""
    shown = " ".join(text.split())
    if needed and not shown:
        raise ValueError(FILL_IN)
    if len(shown) > most:
        raise ValueError(too_long(most))
    if not shown.isprintable():  # half a surrogate among them, which no database takes
        raise ValueError(UNPRINTABLE)
    return shown


def email(text: str) -> str:
    """An address, in small letters; raises `ValueError` with what to say."""
    try:
        return read_staff_email(text)
    except NotAContact:
        raise ValueError(BAD_EMAIL) from None


def phone(text: str) -> str:
    """A number in E.164; raises `ValueError` with what to say."""
    try:
        found = read_phone(text)
    except NotAContact:
        raise ValueError(BAD_PHONE) from None
    if found.suggestion:
        raise ValueError(ACROSS % {"phone": show_phone(found.suggestion)})
    return found.e164


def zone(text: str) -> str:
    """The name of a time zone; raises `ValueError` with what to say."""
    if text not in available_timezones():
        raise ValueError(BAD_ZONE)
    return text


def _one_of(some: tuple[str, ...], text: str) -> str:
    if text not in some:
        raise ValueError(ONE_OF_THESE)
    return text


def _if_any(rule: Callable[[str], str], text: str | None) -> str | None:
    return rule(text) if text else None


_AGENCY: dict[str, Callable[[Any], Any]] = {
    "name": partial(_line, most=NAME),
    "email": email,
    "zone": zone,
    "language": partial(_one_of, tuple(LANGUAGES)),
    "currency": partial(_one_of, CURRENCIES),
    "phone": partial(_if_any, phone),
    "company": partial(_if_any, partial(_line, most=COMPANY)),
    "privacy_contact": partial(_if_any, email),
}
_USER: dict[str, Callable[[Any], Any]] = {
    "full_name": partial(_line, most=NAME),
    "email": email,
    "role": partial(_one_of, ROLES),
    "language": partial(_one_of, tuple(LANGUAGES)),
    "phone": partial(_if_any, phone),
}
_KEY: dict[str, Callable[[Any], Any]] = {"name": partial(_line, most=KEY_NAME)}


def of_agency(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored; raises `Invalid` naming every fault. What has no rule stays as it is."""
    return _checked(_AGENCY, values)


def of_user(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a person."""
    return _checked(_USER, values)


def of_key(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a key of the API."""
    return _checked(_KEY, values)


def _checked(rules: Mapping[str, Callable[[Any], Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    kept, wrong = dict(values), dict[str, list[Any]]()
    for name in rules.keys() & values.keys():
        try:
            kept[name] = rules[name](values[name])
        except ValueError as error:
            wrong[name] = [error.args[0]]
    if wrong:
        raise Invalid(wrong)
    return kept
