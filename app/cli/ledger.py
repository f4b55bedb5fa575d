"""`ledger`: is the chain whole, do the offers say what was committed to; signed heads; exports to check elsewhere."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from itertools import chain
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup

from app.cli.accounts import find_agency
from app.cli.output import as_json, say
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Agency
from app.proof import checkpoints, receipts
from app.proof import export as ledger_export
from app.proof.checkpoint_check import checkpoint_faults, head_fault
from app.proof.heads import SignedHead, UnreadableHead
from app.proof.register import Register, chain_faults, offer_faults, registers
from app.proof.standing import readable

KEPT, PRINTED = 10_000, 25  # faults of an agency in JSON, and in print

ledger = AppGroup("ledger", help="The record of what happened.")


def register(app: Flask) -> None:
    app.cli.add_command(ledger)


@ledger.command("verify")
@click.option("--agency", "agency_name", default="", help="One agency; all when left out.")
@click.option("--offers", is_flag=True, help="Open every offer too, and compare its plain columns.")
@as_json
def verify(agency_name: str, offers: bool, as_json: bool) -> None:
    """The chain, and the signed heads of it that are kept. Exit 0 when all holds, 1 with what does not named."""
    heads = _heads()  # first: what is written while we read is in the database, and not in these
    named = find_agency(agency_name).id if agency_name else None
    answers = []
    for tenant in registers():
        if isinstance(tenant, str):
            answers += [] if named else [_broken(tenant, "the row of an agency has no id")]
        elif named in {None, tenant.id}:
            answers.append(_verified(tenant, heads.pop(tenant.id, None), offers=offers))
    answers += [_gone(agency_id, head) for agency_id, head in heads.items() if not agency_name]
    sound = all(answer["valid"] for answer in answers)
    lines = [line for answer in answers for line in _lines(answer)]
    say({"valid": sound, "agencies": answers}, "\n".join(lines) or "no agencies", as_json=as_json)
    sys.exit(0 if sound else 1)


def _heads() -> dict[uuid.UUID, SignedHead | str]:
    """What is kept beside the seal, or why it cannot be read, by agency."""
    found: dict[uuid.UUID, SignedHead | str] = {}
    for agency_id in checkpoints.heads().agencies():
        try:
            if head := checkpoints.heads().held(agency_id):
                found[agency_id] = head
        except UnreadableHead:
            found[agency_id] = checkpoints.UNREADABLE
    return found


def _gone(agency_id: uuid.UUID, head: SignedHead | str) -> dict[str, Any]:
    """The answer for a register of which only the head beside the seal is left."""
    words = head if isinstance(head, str) else f"{head.seq} entries were signed at {head.at}"
    return _broken(str(agency_id), f"the database has no such agency: {words}")


def _broken(name: str, reason: str) -> dict[str, Any]:
    told = {"agency": name, "name": name, "entries": 0, "valid": False, "first_bad": None}
    return {**told, "reason": reason, "fault_count": 1, "faults": [reason]}


def _verified(tenant: Register, head: SignedHead | str | None, *, offers: bool) -> dict[str, Any]:
    """All that is wrong with one agency's record: how much, the first thousands of it, and the first bad entry."""
    found: list[str] = []
    count, first = 0, None
    for seq, fault in _faults(tenant, head, offers=offers):
        count, first = count + 1, first or seq
        if count <= KEPT:
            found.append(fault)
    return {
        "agency": str(tenant.id),
        "name": tenant.name,
        "entries": first - 1 if first else tenant.head_seq,
        "valid": not count,
        "first_bad": first,
        "reason": found[0] if found else None,
        "fault_count": count,
        "faults": found,
    }


def _faults(tenant: Register, head: SignedHead | str | None, *, offers: bool) -> Iterator[tuple[int | None, str]]:
    """Each with the number of the entry, where it is one of the chain itself."""
    for fault in chain_faults(tenant):
        yield fault.seq, f"entry {fault.seq}: {fault.reason}"
    connection, roots = db.session.connection(), receipts.authority().own_roots()
    shorter = head if isinstance(head, str) else head_fault(connection, roots, tenant.id, head)
    if shorter:
        yield None, shorter
    signed = readable("checkpoint", _signed(tenant))
    for words in chain(signed, offer_faults(tenant) if offers else ()):
        yield None, words


def _signed(tenant: Register) -> Iterator[str]:
    yield from checkpoint_faults(db.session.connection(), receipts.authority().own_roots(), tenant.id)


def _lines(answer: dict[str, Any]) -> list[str]:
    head = f"{answer['name']}: {answer['entries']} entries"
    if answer["valid"]:
        return [f"{head}, valid"]
    count, shown = answer["fault_count"], answer["faults"][:PRINTED]
    rest = [f"  … and {count - len(shown)} more (--json names them)"] if count > len(shown) else []
    return [f"{head} hold, {count} fault{'s'[: count > 1]}:", *(f"  {fault}" for fault in shown), *rest]


@ledger.command("checkpoint")
@click.option("--agency", "agency_name", default="", help="One agency; all when left out.")
@as_json
def checkpoint(agency_name: str, as_json: bool) -> None:
    """Sign the head of each ledger as it is now (Ed25519), and have it timestamped where TSA_URL says by whom."""
    tenants = [find_agency(agency_name)] if agency_name else list(db.session.query(Agency))
    answers = []
    for tenant_id, name in [(tenant.id, tenant.name) for tenant in tenants]:
        try:
            answers.append({"agency": str(tenant_id), "name": name, "seq": checkpoints.take(tenant_id), "reason": None})
        except checkpoints.BrokenRegister as broken:
            answers.append({"agency": str(tenant_id), "name": name, "seq": None, "reason": str(broken)})
    checkpoints.stamp_due()
    lines = [f"{a['name']}: {a['reason'] or 'empty' if a['seq'] is None else a['seq']}" for a in answers]
    say({"agencies": answers}, "\n".join(lines) or "no agencies", as_json=as_json)
    sys.exit(1 if any(answer["reason"] for answer in answers) else 0)


@ledger.command("export")
@click.option("--agency", "agency_name", required=True)
@click.option("--anonymised", is_flag=True, help="Numbers in place of people, offers and properties.")
@click.option("--out", type=click.Path(dir_okay=False, allow_dash=True), default="-", help="Write there, not to print.")
@click.option("--json", "as_json", is_flag=True, help="Sum up in one JSON object; on standard error without --out.")
def export(agency_name: str, anonymised: bool, out: str, as_json: bool) -> None:
    """The whole ledger in JSON Lines; check it with tools/verify_receipt.py."""
    tenant = find_agency(agency_name)
    answer: dict[str, Any] = {"agency": str(tenant.id), "name": tenant.name, "anonymised": anonymised, "file": out}
    answer["bytes"] = 0
    with click.open_file(out, "wb") as file:
        for line in ledger_export.export(tenant.id, anonymised=anonymised, by=SYSTEM):
            answer["bytes"] += file.write(line)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False), err=out == "-")
