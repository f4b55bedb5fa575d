"""Passkeys (WebAuthn, by `webauthn`): made, used, removed. One is enough to sign in, since it verifies its person."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask_babel import lazy_gettext
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts import editing as accounts
from app.accounts import factors
from app.core.clock import now
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id
from app.core.ledger import Actor
from app.core.strict_json import NotJson, read_json
from app.core.unit_of_work import housekeeping, writing
from app.core.urls import base_url
from app.extensions import db
from app.models import Passkey, User

MOST = 20  # of one person
LONGEST = 20_000  # characters of what a browser sends
# What the library's readers raise beside its own errors, at bytes of another shape than they expect.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
REFUSED = lazy_gettext("This passkey does not open your account here. Try again, or sign in with your password.")
ENOUGH = lazy_gettext("Remove a passkey first: you have many")


class RelyingParty(NamedTuple):
    """Whom a passkey is for: a host's name, and where its pages are."""

    id: str
    origin: str


def relying_party() -> RelyingParty:
    """Of this installation. A passkey is for a name, never for a number: on one's own machine it is `localhost`."""
    parts = urlsplit(base_url())
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return RelyingParty(host, base_url())
    return RelyingParty("localhost", f"{parts.scheme}://localhost" + (f":{parts.port}" if parts.port else ""))


def creation_options(user: User, challenge: bytes) -> str:
    """What the browser is told to make, as JSON."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    if user.account_id is None:
        raise NotFound
    held = db.session.scalars(select(Passkey.credential_id).where(Passkey.account_id == user.account_id))
    return options_to_json(
        generate_registration_options(
            rp_id=relying_party().id,
            rp_name="BidFlux",
            user_id=user.account_id.bytes,
            user_name=user.email,
            user_display_name=user.full_name,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in held],
        )
    )


def request_options(challenge: bytes) -> str:
    """What the browser is asked to show, as JSON: any passkey that is for this site."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    required = UserVerificationRequirement.REQUIRED
    made = generate_authentication_options(rp_id=relying_party().id, challenge=challenge, user_verification=required)
    return options_to_json(made)


def add(user: User, credential: str, challenge: bytes, name: str) -> list[str]:
    """Keep a passkey that the browser made; the first factor brings recovery codes, returned this once. Raises
    `Invalid`."""
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    party, account_id, user_id = relying_party(), user.account_id, user.id
    try:
        made = verify_registration_response(
            credential=_told(credential),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, *UNREADABLE):
        raise Invalid({"passkey": [REFUSED]}) from None
    if account_id is None:
        raise NotFound
    by, kind = Actor("user", user_id), {"kind": "passkey"}
    row = {
        "id": new_id(),
        "account_id": account_id,
        "credential_id": made.credential_id,
        "public_key": made.credential_public_key,
        "sign_count": made.sign_count,
        "name": name[:60],
        "backed_up": made.credential_backed_up,
        "created_at": now(),
        "used_at": None,
    }
    try:
        with writing(user.agency_id) as tx:
            held = select(func.count()).select_from(Passkey).where(Passkey.account_id == account_id)
            if (tx.connection.scalar(held) or 0) >= MOST:
                raise Invalid({"passkey": [ENOUGH]})
            tx.connection.execute(insert(Passkey), row)
            codes = factors.factor_added(tx.connection, account_id)
            tx.record("user.factor_added", user_id, by, kind)
    except IntegrityError:
        raise Invalid({"passkey": [REFUSED]}) from None
    accounts.tell_elsewhere(account_id, user_id, "user.factor_added", by, kind)
    return codes


def owner_of(credential: str, challenge: bytes) -> User:
    """Whoever showed a passkey, in the agency where they were last. Raises `Invalid`."""
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    party = relying_party()
    try:
        shown = parse_authentication_credential_json(_told(credential))
        held = db.session.scalar(select(Passkey).where(Passkey.credential_id == shown.raw_id))
        if held is None or shown.response.user_handle not in {None, held.account_id.bytes}:
            raise Invalid({"passkey": [REFUSED]})
        seen = verify_authentication_response(
            credential=shown,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=held.public_key,
            credential_current_sign_count=held.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, *UNREADABLE):
        raise Invalid({"passkey": [REFUSED]}) from None
    account_id, known = held.account_id, update(Passkey).where(Passkey.id == held.id)
    with housekeeping() as connection:
        connection.execute(
            known.values(sign_count=seen.new_sign_count, backed_up=seen.credential_backed_up, used_at=now())
        )
    return accounts.member_of(account_id)


def _told(credential: str) -> dict[str, Any]:
    """What a browser says, as strictly read as any JSON: the library's own reading fails at deep nesting. Raises
    `ValueError`."""
    said = read_json(credential[:LONGEST].encode("utf-8", "replace"))
    if not isinstance(said, dict):
        raise NotJson("A passkey's answer is one object.")
    return said


def passkeys_of(user: User) -> list[Passkey]:
    """A person's, oldest first."""
    mine = select(Passkey).where(Passkey.account_id == user.account_id)
    return list(db.session.scalars(mine.order_by(Passkey.created_at, Passkey.id)))


def has_passkey(user: User) -> bool:
    """Whether there is one."""
    return db.session.scalar(select(Passkey.id).where(Passkey.account_id == user.account_id).limit(1)) is not None


def remove(user: User, passkey_id: uuid.UUID, *, by: Actor) -> None:
    """It opens nothing any more. Raises `NotFound`."""
    account_id, user_id, kind = user.account_id, user.id, {"kind": "passkey"}
    mine = delete(Passkey).where(Passkey.id == passkey_id, Passkey.account_id == account_id)
    with writing(user.agency_id) as tx:
        if account_id is None or not tx.connection.execute(mine).rowcount:
            raise NotFound
        factors.factor_gone(tx.connection, account_id)
        tx.record("user.factor_removed", user_id, by, kind)
    accounts.tell_elsewhere(account_id, user_id, "user.factor_removed", by, kind)
