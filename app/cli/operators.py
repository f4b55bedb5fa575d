"""`operator add|remove|list`: who sees the operator's page, `/ops`."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup

from app.accounts import operators
from app.accounts.editing import account_of
from app.cli.output import as_json, fail, say
from app.models import Account

operator = AppGroup("operator", help="Who runs the installation and sees /ops.")
email_option = click.option("--email", required=True, help="What they sign in with.")


def register(app: Flask) -> None:
    app.cli.add_command(operator)


def _account(email: str) -> Account:
    return account_of(email) or fail(f"nobody signs in with {email}")


@operator.command("add")
@email_option
@as_json
def operator_add(email: str, as_json: bool) -> None:
    """Let a person who signs in see /ops: figures and states of the whole installation, no offers."""
    account = _account(email)
    address = account.email
    operators.add(account.id)
    say({"email": address, "operator": True}, f"{address} sees /ops", as_json=as_json)


@operator.command("remove")
@email_option
@as_json
def operator_remove(email: str, as_json: bool) -> None:
    """Let them see it no longer."""
    account = _account(email)
    address = account.email
    operators.remove(account.id)
    say({"email": address, "operator": False}, f"{address} no longer sees /ops", as_json=as_json)


@operator.command("list")
@as_json
def operator_list(as_json: bool) -> None:
    """Who sees it."""
    found = [email for email, _language in operators.all_of_them()]
    say({"data": found}, "\n".join(found) or "nobody", as_json=as_json)
