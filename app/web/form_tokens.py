"""A form is good in the agency in which it was opened: whoever works in several may have pages of each open at once.

The token against forged requests lies in the browser's session. On a switch the present one is laid aside under the
user that it was of, and what lay there for the other is taken up, so that pages are good again once one is back.
"""

from __future__ import annotations

import uuid

from flask import request, session
from flask_wtf.csrf import validate_csrf
from wtforms import ValidationError

TOKEN, ASIDE = "csrf_token", "csrf."  # names in the session


def exchange(left: uuid.UUID, entered: uuid.UUID) -> None:
    """Go on with the forms of another user of the same person."""
    if token := session.pop(TOKEN, None):
        session[f"{ASIDE}{left.hex}"] = token
    if token := session.pop(f"{ASIDE}{entered.hex}", None):
        session[TOKEN] = token


def is_of_other_agency() -> bool:
    """Whether this request's form was opened in another of the person's agencies."""
    given = request.form.get(TOKEN) or request.headers.get("X-CSRFToken")
    return any(_fits(given, name) for name in session if name.startswith(ASIDE))


def _fits(given: str | None, name: str) -> bool:
    try:
        validate_csrf(given, token_key=name)
    except ValidationError:
        return False
    return True
