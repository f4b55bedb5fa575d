"""Language: by URL prefix (`/en/…`, `/ro/…`), then the person's setting, then the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from flask import g, has_app_context, has_request_context, request
from flask_babel import Domain, get_locale
from flask_login import current_user

LANGUAGES = ("ro", "en")
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LanguagePrefix:
    """WSGI: take `/en` or `/ro` off the path into SCRIPT_NAME, so that every link on the page keeps it."""

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
        return "ro"
    if by_url := request.environ.get("bidflux.language"):
        return str(by_url)
    if request.path.startswith("/app") and current_user.is_authenticated:
        return str(current_user.user.language)
    usual = "en" if request.path.startswith("/api/") else "ro"  # developers read English unless they ask otherwise
    return request.accept_languages.best_match(LANGUAGES, usual) or usual


def language() -> str:
    """`ro` or `en`."""
    locale = get_locale()
    return "en" if locale and locale.language == "en" else "ro"


def other_language_url(code: str) -> str:
    """This very page in another language."""
    query = request.query_string.decode("utf-8", "replace")
    return f"/{code}{quote(request.path)}" + (f"?{query}" if query else "")


class Catalogs(Domain):  # type: ignore[misc]
    """The translations, found by language alone: a page asks for some two hundred words, and `Domain` spells the
    locale out for each of them."""

    def get_translations(self) -> Any:
        locale = getattr(g.get("_flask_babel"), "babel_locale", None) if has_app_context() else None
        if locale is None:
            return super().get_translations()
        if (held := self.cache.get(locale.language)) is None:
            held = self.cache[locale.language] = super().get_translations()
        return held


def msgid(text: str) -> str:
    """Mark a text that is stored, or told in English by the API, and translated wherever a page shows it."""
    return text
