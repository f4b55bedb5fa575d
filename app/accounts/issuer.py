"""Whom an OpenID Connect issuer means: somebody it was linked with before, or whose verified address is known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app.accounts import editing as accounts
from app.accounts import invitations
from app.core.errors import Invalid, StaleVersion
from app.core.ledger import Actor
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import IssuerIdentity, User

LONGEST = 255  # OpenID Connect Core 1.0, section 2: of a subject
UNVERIFIED = lazy_gettext("Your organisation does not vouch for your e-mail address, so nobody can be told by it.")
NOBODY = lazy_gettext("Nobody with your e-mail address was invited here. Ask your agency's administrator.")


def person_of(claims: Mapping[str, Any]) -> User:
    """Whoever a checked ID token speaks of. The first time its address decides: of a person who signs in here, or who
    was invited and joins by this. Raises `Invalid`."""
    issuer, subject = str(claims.get("iss") or ""), claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST:
        raise Invalid({"issuer": [NOBODY]})
    known = select(IssuerIdentity.account_id).where(IssuerIdentity.issuer == issuer, IssuerIdentity.subject == subject)
    if (account_id := db.session.scalar(known)) is not None:
        return accounts.member_of(account_id)
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        raise Invalid({"issuer": [UNVERIFIED]})
    return _link(_of_address(email.strip().lower()), issuer, subject)


def _of_address(email: str) -> User:
    if (account := accounts.account_of(email)) is not None:
        return accounts.member_of(account.id)
    invitation = invitations.latest_to(email)
    if invitation is None:
        raise Invalid({"issuer": [NOBODY]})
    try:
        return accounts.member_of(invitations.come_in(invitation))
    except StaleVersion:
        raise Invalid({"issuer": [NOBODY]}) from None


def _link(user: User, issuer: str, subject: str) -> User:
    user_id, account_id, by = user.id, user.account_id, Actor("user", user.id)
    if account_id is None:
        raise Invalid({"issuer": [NOBODY]})
    try:
        with writing(user.agency_id) as tx:
            row = {"issuer": issuer, "subject": subject, "account_id": account_id, "created_at": tx.at}
            tx.connection.execute(insert(IssuerIdentity), row)
            tx.record("user.issuer_linked", user_id, by)
    except IntegrityError:  # another browser of theirs was faster
        return person_of({"iss": issuer, "sub": subject})
    accounts.tell_elsewhere(account_id, user_id, "user.issuer_linked", by)
    return accounts.member_of(account_id)
