"""`ledger verify`: is the chain whole, and do the offers say what was committed to."""

from __future__ import annotations

import sys

import click
from flask import Flask
from flask.cli import AppGroup

from app.cli.accounts import find_agency
from app.cli.output import as_json, say
from app.extensions import db
from app.models import Agency
from app.queries.ledger import offers_fault, verify_chain

ledger = AppGroup("ledger", help="The record of what happened.")


def register(app: Flask) -> None:
    app.cli.add_command(ledger)


@ledger.command("verify")
@click.option("--agency", "agency_name", default="", help="One agency; all when left out.")
@click.option("--offers", is_flag=True, help="Open every offer too, and compare its plain columns.")
@as_json
def verify(agency_name: str, offers: bool, as_json: bool) -> None:
    """Exit 0 when all holds, 1 with the first bad entry named."""
    tenants = [find_agency(agency_name)] if agency_name else list(db.session.query(Agency))
    answers, sound = [], True
    for tenant in tenants:
        checked, fault = verify_chain(tenant)
        reason = f"entry {fault.seq}: {fault.reason}" if fault else offers_fault(tenant) if offers else None
        sound = sound and reason is None
        answers.append(
            {
                "agency": str(tenant.id),
                "name": tenant.name,
                "entries": checked,
                "valid": reason is None,
                "first_bad": fault.seq if fault else None,
                "reason": reason,
            }
        )
    lines = [f"{a['name']}: {a['entries']} entries, {a['reason'] or 'valid'}" for a in answers]
    say({"valid": sound, "agencies": answers}, "\n".join(lines) or "no agencies", as_json=as_json)
    sys.exit(0 if sound else 1)
