"""`privacy`: what is held about a person, forgetting them, and deleting what has expired."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from sqlalchemy import select

from app.cli.accounts import find_agency
from app.cli.output import as_json, fail, say, write_private
from app.core.contacts import NotAContact, read_email
from app.core.language import DEFAULT, LANGUAGES
from app.core.ledger import SYSTEM
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Agency
from app.privacy import data_copy, erasure, personal_data, retention

privacy = AppGroup("privacy", help="People's data: show it, forget it.")

agency_option = click.option("--agency", "agency_name", default="", help="One agency; all when left out.")
email_option = click.option("--email", required=True, help="The person's e-mail address, whole.")


def register(app: Flask) -> None:
    app.cli.add_command(privacy)


@privacy.command("export")
@email_option
@agency_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead of printing.")
@click.option("--format", "form", type=click.Choice(["json", "pdf"]), default="json", help="A PDF needs --out.")
@click.option("--language", type=click.Choice(list(LANGUAGES)), default=DEFAULT, help="Of the PDF.")
@as_json
def export(email: str, agency_name: str, out: Path | None, form: str, language: str, as_json: bool) -> None:
    """Everything held about a person (GDPR, articles 15 and 20). A PDF is of one agency each."""
    _folded(email)
    if form == "pdf":
        _export_pdf(email, agency_name, out, language, as_json)
        return
    agencies = []
    for tenant_id in [tenant.id for tenant in _tenants(agency_name)]:
        copy = personal_data.held_about(tenant_id, _folded(email))
        if copy["offers"]:
            _record(tenant_id, copy, form)
            agencies.append(copy)
    answer = {"email": email, "agencies": agencies}
    text = json.dumps(answer, ensure_ascii=False, indent=None if as_json else 2)
    if out:
        write_private(out, f"{text}\n".encode())
    else:
        click.echo(text)


def _export_pdf(email: str, agency_name: str, out: Path | None, language: str, as_json: bool) -> None:
    """One file for each agency that holds something; from the second on numbered before the ending."""
    if out is None:
        fail("a PDF needs --out FILE")
    written: list[str] = []
    for tenant_id, zone in [(tenant.id, tenant.zone) for tenant in _tenants(agency_name)]:
        copy = personal_data.held_about(tenant_id, _folded(email))
        if copy["offers"]:
            _record(tenant_id, copy, "pdf")
            path = out.with_stem(f"{out.stem}-{len(written) + 1}") if written else out
            write_private(path, data_copy.pdf_of(copy, email, language, zone))
            written.append(str(path))
    say({"files": written}, "\n".join(written) or f"nothing is held about {email}", as_json=as_json)


def _record(agency_id: uuid.UUID, copy: dict[str, Any], form: str) -> None:
    """That the operator took a copy, before it leaves."""
    with writing(agency_id) as tx:
        tx.record("privacy.exported", None, SYSTEM, {"offers": len(copy["offers"]), "form": form})


@privacy.command("erase")
@email_option
@agency_option
@click.confirmation_option("--yes", prompt="Everything this person sent is destroyed for good. Go on?")
@as_json
def erase(email: str, agency_name: str, as_json: bool) -> None:
    """Forget a person: every offer of theirs (GDPR, article 17). The register stays whole."""
    erased, _address = 0, _folded(email)
    for tenant in _tenants(agency_name):
        agency_id = tenant.id
        erased += erasure.erase_all(agency_id, personal_data.offers_of(agency_id, _folded(email)), "person")
    say({"erased": erased}, f"{erased} offers forgotten", as_json=as_json)


@privacy.command("purge")
@as_json
def purge(as_json: bool) -> None:
    """Forget what has been kept for its time; the relay does the same every hour."""
    done = retention.purge()
    answer = {"offers": done.offers, "origins": done.origins, "announced": done.told}
    line = f"{done.offers} offers forgotten, {done.origins} callers' addresses dropped, {done.told} announced"
    say(answer, line, as_json=as_json)


def _tenants(agency_name: str) -> list[Agency]:
    return (
        [find_agency(agency_name)]
        if agency_name
        else list(db.session.scalars(select(Agency).where(Agency.ended_at.is_(None))))
    )


def _folded(email: str) -> str:
    try:
        return read_email(email).folded
    except NotAContact:
        fail(f"{email} is no e-mail address")
