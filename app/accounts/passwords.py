"""Which passwords are taken (NIST SP 800-63B, section 5.1.1.2): long ones that are not easily guessed.

No rule asks for capitals or signs. zxcvbn knows offline what leaked most often, and how names, dates and rows of keys
are guessed; to it we name what everybody knows of the person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from flask_babel import lazy_gettext

from app.core.errors import Invalid

MIN_PASSWORD, MAX_PASSWORD = 12, 256
LOOKED_AT = 72  # characters; zxcvbn takes a time that grows with their square, and this many suffice
SIGNS = frozenset(
    "4@8({[<369!1|70$5+%2"
)  # that zxcvbn tries as letters, in every way that they could be meant together
FEW, OF_SIGNS = 6, 24  # with more signs than these few there are hundreds of ways, and fewer characters are looked at
GUESSED_LATE = 3  # of zxcvbn's 0 to 4: more than 10**8 guesses
OF_ITS_OWN = 8  # characters, beside what everybody knows of the person
PRODUCT = ("bidflux", "bidflux.ro")
TOO_SHORT = lazy_gettext("Use at least 12 characters")
TOO_LONG = lazy_gettext("Use at most 256 characters")
NO_TEXT = lazy_gettext("These characters cannot be read")
EASY = lazy_gettext(
    "This password is guessed soon: it leaked somewhere, or is made of names, dates or neighbouring keys. "
    "Use several words that have nothing to do with each other."
)


def check_password(password: str, about: Iterable[str]) -> None:
    """Raise `Invalid` for one that is too short, too long to hash, or easy to guess. `about`: what everybody knows of
    the person, such as their address and their agency's name."""
    if len(password) < MIN_PASSWORD:
        raise Invalid({"password": [TOO_SHORT]})
    if len(password) > MAX_PASSWORD:
        raise Invalid({"password": [TOO_LONG]})
    if any(0xD800 <= ord(letter) < 0xE000 for letter in password):
        raise Invalid({"password": [NO_TEXT]})
    if _is_easy(password, sorted(set(_words((*PRODUCT, *about))), key=len, reverse=True)):
        raise Invalid({"password": [EASY]})


def _is_easy(password: str, known: list[str]) -> bool:
    from zxcvbn import zxcvbn  # a quarter of a second, which most commands need not wait for

    plain = _plain(password)
    rest = plain
    for word in known:
        rest = rest.replace(word, "") if len(word) > 3 else rest
    if rest != plain and len(rest) < OF_ITS_OWN:
        return True
    return any(zxcvbn(_looked_at(text), known)["score"] < GUESSED_LATE for text in {password, plain})


def _looked_at(text: str) -> str:
    head = text[:LOOKED_AT]
    return head if len(SIGNS.intersection(head)) <= FEW else head[:OF_SIGNS]


def _words(about: Iterable[str]) -> Iterator[str]:
    for text in map(_plain, about):
        parts = [part for part in re.split(r"[\W_]+", text) if len(part) > 2]
        yield from (form for form in (text, "".join(parts), *parts) if form)


def _plain(text: str) -> str:
    """Without capitals and accents: ș is guessed with s."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in folded if not unicodedata.combining(letter))
