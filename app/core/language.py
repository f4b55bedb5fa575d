"""The languages, each declared once; which one a reader gets: by URL prefix (`/en/…`), their setting, the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import g, has_app_context, has_request_context, request
from flask_babel import Domain, LazyString, get_locale
from flask_babel import lazy_gettext as _l
from flask_login import current_user

SOURCE = "en"  # of the source itself, so it needs no catalogue; commands and the API speak it


@dataclass(frozen=True, slots=True)
class Language:
    """What pages, mails and receipts are written in. Its code is its locale, its `hreflang`, its prefix in addresses
    and the folder of its catalogue; files of texts bear it in their names."""

    code: str
    own_name: str
    name: LazyString
    thousands: str
    decimal: str
    currency_first: bool


LANGUAGES = {
    spoken.code: spoken
    for spoken in (
        Language("ro", "Română", _l("Romanian"), thousands=".", decimal=",", currency_first=False),
        Language("en", "English", _l("English"), thousands=",", decimal=".", currency_first=True),
    )
}
DEFAULT = next(iter(LANGUAGES))
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LanguagePrefix:
    """WSGI: take `/en`, `/ro` and the like off the path into SCRIPT_NAME, so that every link on the page keeps it."""

    def __init__(self, app: Wsgi) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        prefix = path[1:3]
        if prefix in LANGUAGES and (len(path) == 3 or path[3] == "/"):
            environ["bidflux.language"] = prefix
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + path[:3]
            environ["PATH_INFO"] = path[3:] or "/"
        return self.app(environ, start_response)


def choose_language() -> str:
    """The reader's language; `g.language` wins where there is no reader, as in mail."""
    if chosen := g.get("language"):
        return str(chosen)
    if not has_request_context():
        return DEFAULT
    if by_url := request.environ.get("bidflux.language"):
        return str(by_url)
    if request.path.startswith(("/app", "/ops")) and current_user.is_authenticated:
        return str(current_user.user.language)
    usual = SOURCE if request.path.startswith("/api/") else DEFAULT  # developers read English unless they ask otherwise
    return request.accept_languages.best_match(LANGUAGES, usual) or usual


def language() -> str:
    """The code of the reader's language."""
    locale = get_locale()
    return locale.language if locale and locale.language in LANGUAGES else DEFAULT


def other_languages() -> list[Language]:
    """Those that the page is not in."""
    return [spoken for spoken in LANGUAGES.values() if spoken.code != language()]


def other_language_url(code: str) -> str:
    """This very page in another language."""
    query = request.query_string.decode("utf-8", "replace")
    return f"/{code}{quote(request.path)}" + (f"?{query}" if query else "")


class Catalogs(Domain):  # type: ignore[misc]  # Flask-Babel has no types
    """The translations, found by language alone: a page asks for some two hundred words, and `Domain` spells the
    locale out for each of them."""

    def get_translations(self) -> Any:
        locale = getattr(g.get("_flask_babel"), "babel_locale", None) if has_app_context() else None
        if locale is None:
            return super().get_translations()
        if (catalogue := self.cache.get(locale.language)) is None:
            catalogue = self.cache[locale.language] = super().get_translations()
        return catalogue


def msgid(text: str) -> str:
    """Mark a text that is stored, or told in English by the API, and translated wherever a page shows it."""
    return text
