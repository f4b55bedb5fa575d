"""`agency list|rename|export|delete`: the tenants of the installation; `agency create` stands beside `user create`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask import Flask
from sqlalchemy import func, select

from app.accounts import editing as accounts
from app.cli.accounts import agency, find_agency
from app.cli.output import as_json, fail, read_line, say
from app.core.clock import rfc3339
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Agency, Property, User
from app.privacy import agency_copy, agency_end


def register(_app: Flask) -> None:
    """Its commands are of the group that `app.cli.accounts` registers."""


def _count(table: Any, *which: Any) -> Any:
    return select(func.count()).select_from(table).where(table.agency_id == Agency.id, *which).scalar_subquery()


@agency.command("list")
@as_json
def agency_list(as_json: bool) -> None:
    """Every agency, by name; test agencies among them."""
    columns = (Agency.id, Agency.name, Agency.email, Agency.language, Agency.test_of_id, Agency.created_at)
    query = select(*columns, _count(User, User.active).label("people"), _count(Property).label("properties"))
    query = query.where(Agency.ended_at.is_(None))
    rows: list[dict[str, Any]] = [
        {
            "id": str(row.id),
            "name": row.name,
            "email": row.email,
            "language": row.language,
            "test": row.test_of_id is not None,
            "people": row.people,
            "properties": row.properties,
            "created_at": rfc3339(row.created_at),
        }
        for row in db.session.execute(query.order_by(func.lower(Agency.name), Agency.id))
    ]
    lines = [f"{r['id']}  {r['name']}{'  (test)' if r['test'] else ''}  {r['people']} people" for r in rows]
    say({"data": rows}, "\n".join(lines) or "no agencies", as_json=as_json)


@agency.command("rename")
@click.option("--agency", "agency_name", required=True, help="Its id or exact name.")
@click.option("--name", required=True, help="The new name.")
@as_json
def agency_rename(agency_name: str, name: str, as_json: bool) -> None:
    """Give an agency another name, as buyers and its people read it."""
    tenant = find_agency(agency_name)
    tenant_id, before = tenant.id, tenant.name
    accounts.change_agency(tenant, {"name": name}, by=SYSTEM)
    after = db.session.get_one(Agency, tenant_id).name
    say({"id": str(tenant_id), "name": after, "was": before}, f"{before} is now {after}", as_json=as_json)


@agency.command("export")
@click.option("--agency", "agency_name", required=True, help="Its id or exact name.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A new file: x.zip")
@as_json
def agency_export(agency_name: str, out: Path, as_json: bool) -> None:
    """Write all that an agency has into a ZIP file, everything sealed opened: keep it as you keep the keys."""
    told = agency_copy.write(find_agency(agency_name).id, out)
    line = f"{told['name']}: {told['properties']} properties and {told['offers']} offers in {out}"
    say({**told, "file": str(out)}, line, as_json=as_json)


@agency.command("delete")
@click.option("--agency", "agency_name", required=True, help="Its id or exact name.")
@as_json
def agency_delete(agency_name: str, as_json: bool) -> None:
    """Delete an agency for good, right after its export; its name is asked for. Its ledger and checkpoints stay."""
    tenant = find_agency(agency_name)
    tenant_id, name = tenant.id, tenant.name
    if tenant.ended_at:
        fail("this agency is deleted already")
    if read_line(f"Type the name of the agency to delete it for good ({name})") != name:
        fail("that is not its name: nothing is deleted")
    offers = agency_end.end(tenant_id)
    answer = {"id": str(tenant_id), "name": name, "offers": offers, "deleted": True}
    say(answer, f"{name} is deleted, {offers} offers with it; its ledger stays as {tenant_id}", as_json=as_json)
