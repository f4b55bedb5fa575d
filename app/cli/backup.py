"""`backup key|create|verify|restore`: the whole database in one sealed file, and back."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click
from cryptography.x509 import Certificate, load_pem_x509_certificates
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy import inspect, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.backups import BackupFailed, ending, epochs, schedule
from app.backups.archive import Manifest, beginning, new_identity, read_identity, read_recipient, workshop
from app.backups.beside import alone, swap
from app.backups.making import make_backup
from app.backups.restoring import Backup, bring_lists, bring_seal, examined, make_ready
from app.cli.output import as_json, say
from app.config import Settings
from app.core.clock import rfc3339
from app.core.database import is_sqlite
from app.core.killpoints import AFTER_SWAP, BEFORE_SWAP, passing
from app.extensions import db
from app.models import Agency
from app.ops import chores
from app.privacy import erasure
from app.proof import checkpoints
from app.proof.authority import Authority

_UNPROVEN = "\nwho made it was not asked: whoever has the public half of the key can make one"

backup = AppGroup("backup", help="The database in one sealed file, and back.")
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
identity_option = click.option(
    "--key",
    "key",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The private key that `backup key` made.",
)

root_option = click.option(
    "--root",
    "root",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The root (PEM) of the machine that made FILE, where seal/ is not here.",
)
unproven_option = click.option("--unproven", is_flag=True, help="Do not ask who made FILE: whoever could, may have.")


def register(app: Flask) -> None:
    app.cli.add_command(backup)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["bidflux_settings"]
    return settings


@backup.command("key")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def key(file: Path, as_json: bool) -> None:
    """Make the key that opens backups, FILE, and FILE.pub, which only makes them. Take FILE to another place."""
    recipient = new_identity(file)
    say({"recipient": recipient, "key": str(file)}, f"BACKUP_RECIPIENT={recipient}", as_json=as_json)


@backup.command("create")
@click.argument("named", metavar="FILE")
@click.option("--to", "to", default="", help="age1…, or a file that holds it; BACKUP_RECIPIENT when left out.")
@as_json
def create(named: str, to: str, as_json: bool) -> None:
    """Back up into FILE, while everything runs. A FILE that ends in a slash or has no ending is a folder, made when it
    is missing, in which a new file is made."""
    wanted = to or _settings().backup_recipient or ""
    if not wanted:
        raise BackupFailed("name who can open it: --to, or BACKUP_RECIPIENT; `backup key` makes one")
    made, manifest = make_backup(named, read_recipient(wanted))
    schedule.note_good()
    answer = {"file": str(made), "bytes": made.stat().st_size, **_told(manifest)}
    say(answer, f"{made}: {_line(manifest)}", as_json=as_json)


@backup.command("schedule")
@click.option("--to", "folder", default="", help="The folder, as a whole path: on another disk, or carried off daily.")
@click.option("--at", default="02:30", show_default=True, help="When each day, as HH:MM in UTC.")
@click.option("--days", type=click.IntRange(1, 1000), default=14, show_default=True, help="So many days are kept,")
@click.option("--weeks", type=click.IntRange(0, 1000), default=8, show_default=True, help="the last of so many weeks,")
@click.option("--months", type=click.IntRange(0, 1000), default=12, show_default=True, help="and of so many months.")
@click.option("--off", is_flag=True, help="No longer.")
@as_json
def set_schedule(folder: str, at: str, days: int, weeks: int, months: int, off: bool, as_json: bool) -> None:
    """Have the relay back up each day to BACKUP_RECIPIENT, and remove what is no longer kept. Without --to: what was
    set, and how the last one went."""
    if folder and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", at):
        raise BackupFailed(f"{at!r} is no time of day such as 02:30")
    if off or folder:
        schedule.set_plan(None if off else schedule.Plan(folder, at, days, weeks, months))
    wanted, held = schedule.plan(), chores.chore(schedule.NAME)
    good = rfc3339(held.good_at) if held and held.good_at else None
    due = rfc3339(held.due_at) if held and held.due_at and wanted else None
    fault = held.fault if held else None
    answer = {"schedule": asdict(wanted) if wanted else None, "next": due, "last_good": good, "fault": fault}
    line = f"{wanted.folder}, each day at {wanted.at} UTC, next {due}" if wanted else "nothing is scheduled"
    say(answer, f"{line}; last good: {good or 'none'}{f'; failed: {fault}' if fault else ''}", as_json=as_json)


@backup.command("verify")
@file_argument
@identity_option
@root_option
@unproven_option
@as_json
def verify(file: Path, key: Path, root: Path | None, unproven: bool, as_json: bool) -> None:
    """Open FILE and check it: who made it, every row, ledger, signed head, erasure. Changes nothing; exit 1 when
    fails."""
    found = Backup(file, read_identity(key), _roots(root, unproven), unproven)
    with workshop(_settings().data_dir) as folder, examined(found, db.engine, folder) as (manifest, _made, lost):
        pass
    remark = f"\nnobody can be read on this machine: {_lacking(lost)}" if lost else ""
    remark += _UNPROVEN if unproven else ""
    answer = {"valid": True, "proven": not unproven, "readable": not lost, **_told(manifest)}
    say(answer, f"valid: {_line(manifest)}{remark}", as_json=as_json)


@backup.command("restore")
@file_argument
@identity_option
@root_option
@unproven_option
@click.option("--force", is_flag=True, help="Replace a database that holds something; it is gone afterwards.")
@as_json
def restore(file: Path, key: Path, root: Path | None, unproven: bool, force: bool, as_json: bool) -> None:
    """Put FILE in the place of the database, with everything stopped; forget again who was erased since.

    It is checked and made ready beside the database, which is untouched until one last step."""
    if not force and _holds_something():
        raise BackupFailed("the database holds data: nothing was changed. --force replaces it")
    found = Backup(file, read_identity(key), _roots(root, unproven), unproven)
    ending.complete()  # what a run that was cut off left to do
    manifest, known, longer = _restore(found, db.engine, found.roots if root else [])
    remark = "" if known else f"\nthere was no {erasure.FILE} here: who was erased since can be read again, until it is"
    remark += "" if known else " put beside the keys and the product started anew"
    remark += _UNPROVEN if unproven else ""
    remark += "".join(f"\n{line}" for line in longer)
    answer = {"restored": True, "proven": not unproven, "erased_list": known, "registers": longer, **_told(manifest)}
    say(answer, f"restored: {_line(manifest)}{remark}", as_json=as_json)


def _restore(found: Backup, engine: Engine, adopted: list[Certificate]) -> tuple[Manifest, bool, list[str]]:
    """What was restored, whether the list of the erased was here, and the registers that were longer before."""
    epochs.remember_numbers()
    try:
        manifest, known = _swapped(found, engine, adopted)
    finally:
        longer = ending.complete()
    erasure.replay()  # what the backup itself had forgotten goes on the list
    db.session.rollback()
    return manifest, known, longer


def _swapped(found: Backup, engine: Engine, adopted: list[Certificate]) -> tuple[Manifest, bool]:
    """Up to the one last step; nothing here is changed before it."""
    data = _settings().data_dir
    with (
        alone(engine) as held,
        workshop(_beside(engine)) as folder,
        examined(found, engine, folder) as (manifest, made, lost),
    ):
        if lost:
            raise BackupFailed(f"nothing was changed: {_lacking(lost)}; put them there first")
        known = bring_lists(data, folder)
        make_ready(found.roots)
        if not found.unproven:
            bring_seal(data, folder)
        ending.note(data, adopted)
        passing(BEFORE_SWAP)
        swap(engine, made, folder, held)
        passing(AFTER_SWAP)
    return manifest, known


@backup.command("restored")
@as_json
def restored(as_json: bool) -> None:
    """Say that the database was put back by other means than `restore`: whoever follows events is told then."""
    longer = ending.complete()
    agencies = epochs.begin_all()
    longer += checkpoints.begin_anew()
    told = [f"{agencies} agencies begin a new epoch: followers resynchronise", *longer]
    say({"agencies": agencies, "registers": longer}, "\n".join(told), as_json=as_json)


def _beside(engine: Engine) -> Path:
    """Where a new database can be made that is then only renamed: the folder of the one in use."""
    return Path(str(engine.url.database)).resolve().parent if is_sqlite(engine) else _settings().data_dir


def _lacking(lost: list[str]) -> str:
    return f"its data is sealed under keys that BIDFLUX_KEYS lacks: {', '.join(lost)}"


def _authority() -> Authority:
    authority: Authority = current_app.extensions["bidflux_authority"]
    return authority


def _roots(given: Path | None, unproven: bool) -> list[Certificate]:
    """What a backup must lead up to: the root that was named, or else those of this machine, or nothing known."""
    if given is None:
        return [] if unproven else _authority().own_roots()
    try:
        return load_pem_x509_certificates(beginning(given))
    except ValueError:
        raise BackupFailed(f"{given} holds no certificate in PEM") from None


def _holds_something() -> bool:
    """Has anybody an agency here? A database that cannot be read may hold one."""
    try:
        if not inspect(db.engine).has_table("agency"):
            return False
        return db.session.scalar(select(Agency.id).limit(1)) is not None
    except SQLAlchemyError:
        return True


def _told(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "revision": manifest.revision,
        "offers": manifest.counts["offer"],
        "erased": manifest.erased,
        "counts": manifest.counts,
        "agencies": manifest.agencies,
    }


def _line(manifest: Manifest) -> str:
    held = manifest.counts
    return (
        f"{held['offer']} offers ({manifest.erased} erased), {held['ledger']} ledger entries, as of {manifest.made_at}"
    )
