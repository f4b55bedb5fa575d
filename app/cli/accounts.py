"""`agency create`, `user create|list|set-password|deactivate|reactivate`, `api-key create|list|revoke`."""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import select

from app.accounts import editing as accounts
from app.accounts import factors, staff
from app.accounts.api_keys import is_key, key_hash
from app.accounts.test_agency import test_agency_of
from app.cli.output import as_json, fail, read_secret, refuse_argument, say
from app.core.access import SCOPES
from app.core.clock import now, rfc3339
from app.core.contacts import NotAContact, read_staff_email
from app.core.errors import Invalid
from app.core.language import DEFAULT, LANGUAGES
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Agency, ApiKey, User
from app.models.agency import ROLES

agency = AppGroup("agency", help="Agencies.")
user = AppGroup("user", help="People who sign in.")
api_key = AppGroup("api-key", help="Keys of CRMs.")


def register(app: Flask) -> None:
    for group in (agency, user, api_key):
        app.cli.add_command(group)


def _address(text: str) -> str:
    try:
        return read_staff_email(text)
    except NotAContact:
        fail(f"{text!r} is not an e-mail address")


def is_id(wanted: str) -> bool:
    """Does it name by its id?"""
    try:
        return bool(uuid.UUID(wanted))
    except ValueError:
        return False


def find_agency(wanted: str) -> Agency:
    """By id or exact name; the only one when nothing is named."""
    query = select(Agency) if wanted else select(Agency).where(Agency.test_of_id.is_(None), Agency.ended_at.is_(None))
    if wanted:
        by_name = (Agency.name == wanted, Agency.ended_at.is_(None))
        query = query.where(*((Agency.id == uuid.UUID(wanted),) if is_id(wanted) else by_name))
    found = db.session.scalars(query.limit(2)).all()
    if not found:
        fail(f"no agency has the id or exact name {wanted!r}" if wanted else "there is no agency yet")
    if len(found) > 1:
        fail(
            f"several agencies are called {wanted!r}: name one by its id"
            if wanted
            else "there are several agencies: name one with --agency (its id or exact name)"
        )
    return found[0]


def find_user(address: str, agency_name: str = "", *, left: bool = False) -> User:
    """Whoever signs in with an address, else the one who did; with `left` rather one who did."""
    query = select(User).where(User.email == address.lower())
    if agency_name:
        query = query.where(User.agency_id == find_agency(agency_name).id)
    found = db.session.scalars(query).all()
    found = [user for user in found if user.active is not left] or found
    if not found:
        fail(f"nobody signs in with {address}")
    if len(found) > 1:
        fail(f"{address} was of several agencies: name one with --agency (its id or exact name)")
    return found[0]


@agency.command("create")
@click.option("--name", required=True)
@click.option("--email", required=True, help="The owner's address; they sign in with it.")
@click.option("--zone", default="Europe/Bucharest", show_default=True)
@click.option("--language", type=click.Choice(list(LANGUAGES)), default=DEFAULT, show_default=True)
@as_json
def agency_create(name: str, email: str, zone: str, language: str, as_json: bool) -> None:
    """Create an agency and its owner; prints the owner's first password once."""
    address, password = _address(email), secrets.token_urlsafe(12)
    if accounts.account_of(address):
        fail(f"someone already signs in with {address}")
    agency_id = accounts.create_agency(name, address, zone=zone, language=language)
    accounts.create_user(agency_id, accounts.NewUser(address, name, role="owner", language=language), password)
    answer = {"id": str(agency_id), "name": name, "email": address, "password": password}
    say(answer, f"{name}: {agency_id}\nsign in as {address} with {password}", as_json=as_json)


@user.command("create")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(list(ROLES)), default="agent", show_default=True)
@click.option("--agency", "agency_name", default="")
@click.option("--language", type=click.Choice(list(LANGUAGES)), default=None, help="Left out: the agency's.")
@as_json
def user_create(email: str, name: str, role: str, agency_name: str, language: str | None, as_json: bool) -> None:
    """Create a user; prints the first password once."""
    tenant, address, password = find_agency(agency_name), _address(email), secrets.token_urlsafe(12)
    left = (User.agency_id == tenant.id, User.email == address, User.active.is_(False))
    if db.session.scalar(select(User.id).where(*left)):
        fail(f"{address} was of this agency and cannot sign in: `user reactivate` lets them in again")
    new = accounts.NewUser(address, name, role=role, language=language or tenant.language)
    user_id = accounts.create_user(tenant.id, new, password)
    answer = {"id": str(user_id), "email": address, "role": role, "password": password}
    say(answer, f"sign in as {address} with {password}", as_json=as_json)


@user.command("set-password")
@click.option("--email", required=True)
@click.option("--stdin", "typed", is_flag=True, help="Ask for it, or read a line. Left out: a random one is printed.")
@click.option("--password", hidden=True, default=None, callback=refuse_argument, expose_value=False)
@as_json
def user_set_password(email: str, typed: bool, as_json: bool) -> None:
    """Set a password and end the person's sessions."""
    known = accounts.account_of(email)
    person = accounts.member_of(known.id) if known else find_user(email)
    if not person.active:
        fail(f"{email} cannot sign in, with any password: `user reactivate` lets them in again")
    password = read_secret("New password") if typed else secrets.token_urlsafe(12)
    address = person.email
    try:
        accounts.set_password(person, password, by=SYSTEM)
    except Invalid as error:
        fail("; ".join(str(message) for message in error.errors["password"]))
    if typed:
        say({"email": address}, f"{address}: the password is changed", as_json=as_json)
    else:
        say({"email": address, "password": password}, f"{address}: {password}", as_json=as_json)


@user.command("reset-factors")
@click.option("--email", required=True)
@as_json
def user_reset_factors(email: str, as_json: bool) -> None:
    """Remove every second factor of a person who has lost them, and end their sessions: be sure who asks."""
    known = accounts.account_of(email)
    if known is None:
        fail(f"nobody signs in with {email}")
    factors.reset(accounts.member_of(known.id))
    say(
        {"email": email}, f"{email} signs in with the password alone, until they set up another factor", as_json=as_json
    )


@user.command("list")
@click.option("--agency", "agency_name", default="")
@as_json
def user_list(agency_name: str, as_json: bool) -> None:
    """List who signs in, and who did."""
    rows: list[dict[str, Any]] = [
        {"id": str(user.id), "email": user.email, "name": user.full_name, "role": user.role, "active": user.active}
        for user in staff.users_of(find_agency(agency_name).id)
    ]
    lines = [f"{r['email']}  {r['name']}  {r['role']}{'' if r['active'] else '  cannot sign in'}" for r in rows]
    say({"data": rows}, "\n".join(lines) or "nobody", as_json=as_json)


@user.command("deactivate")
@click.option("--email", required=True)
@click.option("--heir", default="", help="Who becomes responsible for their properties; left out: an administrator.")
@as_json
def user_deactivate(email: str, heir: str, as_json: bool) -> None:
    """Stop a person from signing in; their properties pass to somebody else."""
    person = find_user(email)
    address, follows = person.email, find_user(heir) if heir else staff.first_owner(person.agency_id, person.id)
    if follows is None or follows.agency_id != person.agency_id or not follows.active:
        fail("nobody of the agency can take over: an agency needs at least one administrator")
    name = follows.email
    staff.deactivate(person, heir=follows.id, by=SYSTEM)
    message = f"{address} can no longer sign in; {name} is responsible for their properties"
    say({"email": address, "active": False, "heir": name}, message, as_json=as_json)


@user.command("reactivate")
@click.option("--email", required=True)
@click.option("--agency", "agency_name", default="", help="Where several once had them.")
@as_json
def user_reactivate(email: str, agency_name: str, as_json: bool) -> None:
    """Let a person sign in again: a link to choose a new password goes to them by mail."""
    person = find_user(email, agency_name, left=True)
    address = person.email
    staff.reactivate(person, by=SYSTEM)
    message = f"{address} can sign in again, once they have chosen a password by the link in their mail"
    say({"email": address, "active": True}, message, as_json=as_json)


@api_key.command("create")
@click.option("--agency", "agency_name", default="")
@click.option("--name", default="CRM", show_default=True)
@click.option(
    "--scope", type=click.Choice(["read", "write"]), default="write", show_default=True, help="write reads too."
)
@click.option("--days", type=click.IntRange(1, 3650), default=None, help="Valid for so many days; left out: for good.")
@click.option("--test", is_flag=True, help="A key to the agency's test agency, which is made when there is none.")
@as_json
def api_key_create(agency_name: str, name: str, scope: str, days: int | None, test: bool, as_json: bool) -> None:
    """Make a key; it is printed this once."""
    agency_id = find_agency(agency_name).id
    scopes = SCOPES if scope == "write" else ("read",)
    expires_at = now() + timedelta(days=days) if days else None
    held_by = test_agency_of(agency_id) if test else agency_id
    key = accounts.create_api_key(held_by, name, by=SYSTEM, scopes=scopes, expires_at=expires_at, test=test)
    say({"name": name, "key": key, "scopes": list(scopes)}, key, as_json=as_json)


@api_key.command("list")
@click.option("--agency", "agency_name", default="")
@as_json
def api_key_list(agency_name: str, as_json: bool) -> None:
    """List keys by their first characters."""
    tenant = find_agency(agency_name)
    found = reversed(staff.api_keys_of(tenant.id))
    rows: list[dict[str, Any]] = [
        {
            "id": str(key.id),
            "name": key.name,
            "prefix": key.prefix,
            "scopes": key.scopes.split(),
            "test": key.is_test,
            "created_at": rfc3339(key.created_at),
            "expires_at": rfc3339(key.expires_at) if key.expires_at else None,
            "last_used_at": rfc3339(key.last_used_at) if key.last_used_at else None,
            "revoked_at": rfc3339(key.revoked_at) if key.revoked_at else None,
        }
        for key in found
    ]
    lines = [f"{r['prefix']}…  {r['name']}  {'+'.join(r['scopes'])}  {_life(r)}  {r['id']}" for r in rows]
    say({"data": rows}, "\n".join(lines) or "no keys", as_json=as_json)


def _life(row: dict[str, Any]) -> str:
    if row["revoked_at"]:
        return f"revoked {row['revoked_at'][:10]}"
    used = f"used {row['last_used_at'][:10]}" if row["last_used_at"] else "never used"
    return f"{used}, until {row['expires_at'][:10]}" if row["expires_at"] else used


def find_key(wanted: str) -> ApiKey:
    """By id, by the first characters that `list` shows, or by the whole key, as it was found where it must not be."""
    shown = wanted.rstrip("…")
    if is_key(shown):
        query = select(ApiKey).where(ApiKey.key_hash == key_hash(shown))
    elif shown.startswith("bfx_"):
        query = select(ApiKey).where(ApiKey.prefix == shown)
    else:
        try:
            query = select(ApiKey).where(ApiKey.id == uuid.UUID(shown))
        except ValueError:
            fail("name the key by its id, by the first characters that `list` shows, or whole")
    found = db.session.scalars(query.limit(2)).all()
    if len(found) != 1:
        fail("no such key" if not found else "several keys begin like this: name it by its id")
    return found[0]


@api_key.command("revoke")
@click.argument("key")
@as_json
def api_key_revoke(key: str, as_json: bool) -> None:
    """Revoke a key at once: by its id or first characters, as `list` shows them, or by the whole key."""
    key_id, agency_id = (found := find_key(key)).id, found.agency_id
    staff.revoke_api_key(agency_id, key_id, by=SYSTEM)
    say({"id": str(key_id), "revoked": True}, "revoked", as_json=as_json)
