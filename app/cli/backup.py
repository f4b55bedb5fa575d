"""`backup key|create|verify|restore`: the whole database in one sealed file, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from cryptography.x509 import Certificate, load_pem_x509_certificates
from flask import Flask, current_app
from flask.cli import AppGroup
from flask_migrate import upgrade
from sqlalchemy import delete, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from app.backup import BackupFailed
from app.backup.archive import Manifest, new_identity, pack, read_identity, read_recipient, unpack, workshop
from app.backup.checking import faults, record_faults
from app.backup.engines import copy_in, copy_out, looked_into
from app.cli.output import as_json, fail, say
from app.clock import now
from app.config import Settings
from app.database import scrub
from app.extensions import db
from app.keys import lost_keys
from app.models import Agency, UserSession
from app.receipt.authority import Authority
from app.services import epochs, erasure
from app.writing import housekeeping

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


@contextmanager
def _plainly() -> Iterator[None]:
    """What goes wrong is one line."""
    try:
        yield
    except BackupFailed as failed:
        fail(str(failed))
    except SQLAlchemyError as error:
        fail(f"the database says: {str(getattr(error, 'orig', None) or error).splitlines()[0]}")


def _settings() -> Settings:
    settings: Settings = current_app.extensions["bidflux_settings"]
    return settings


@backup.command("key")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def key(file: Path, as_json: bool) -> None:
    """Make the key that opens backups, FILE, and FILE.pub, which only makes them. Take FILE to another place."""
    with _plainly():
        recipient = new_identity(file)
    say({"recipient": recipient, "key": str(file)}, f"BACKUP_RECIPIENT={recipient}", as_json=as_json)


@backup.command("create")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "to", default="", help="age1…, or a file that holds it; BACKUP_RECIPIENT when left out.")
@as_json
def create(file: Path, to: str, as_json: bool) -> None:
    """Back up into FILE, or into a new file in the folder FILE, while everything runs."""
    made = file / f"bidflux-{now():%Y%m%dT%H%M%SZ}.age" if file.is_dir() else file
    with _plainly():
        wanted = to or _settings().backup_recipient or ""
        if not wanted:
            raise BackupFailed("name who can open it: --to, or BACKUP_RECIPIENT; `backup key` makes one")
        recipient = read_recipient(wanted)
        if made.exists():
            raise BackupFailed(f"{made} exists already")
        with workshop(_settings().data_dir) as folder:
            manifest, copy = copy_out(db.engine, folder)
            pack(manifest, copy, made, recipient, _authority().checkpoint())
        scrub(db.engine)  # whoever was erased meanwhile was held in the log by our reading
    answer = {"file": str(made), "bytes": made.stat().st_size, **_told(manifest)}
    say(answer, f"{made}: {_line(manifest)}", as_json=as_json)


@backup.command("verify")
@file_argument
@identity_option
@root_option
@unproven_option
@as_json
def verify(file: Path, key: Path, root: Path | None, unproven: bool, as_json: bool) -> None:
    """Open FILE and check it: who made it, every row, ledger, signed head, erasure. Changes nothing; exit 1 when
    fails."""
    with _plainly(), workshop(_settings().data_dir) as folder:
        manifest, _copy, lost = _checked(file, key, folder, _roots(root, unproven), unproven)
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
    """Put FILE in the place of the database, with everything stopped; forget again who was erased since."""
    with _plainly():
        if not force and _holds_something():
            raise BackupFailed("the database holds data: nothing was changed. --force replaces it")
        roots = _roots(root, unproven)
        with workshop(_settings().data_dir) as folder:
            manifest, copy, lost = _checked(file, key, folder, roots, unproven)
            if lost:
                raise BackupFailed(f"nothing was changed: {_lacking(lost)}; put them there first")
            known = erasure.has_list()
            epochs.remember_numbers()
            db.session.remove()
            copy_in(db.engine, copy)
        if root:
            _authority().adopt(roots)  # what was sealed there before is checked here from now on
        upgrade(directory=str(Path(current_app.root_path).parent / "migrations"))
        with housekeeping() as connection:
            connection.execute(delete(UserSession))  # who signed out since must not be signed in again
        epochs.begin_all()
        erasure.replay()
        db.session.rollback()
        with db.engine.connect() as connection:
            if wrong := record_faults(connection, roots):
                raise BackupFailed(f"restored, but {wrong[0]}")
    remark = "" if known else f"\nthere was no {erasure.FILE} here: who was erased since can be read again, until it is"
    remark += "" if known else " put beside the keys and the product started anew"
    remark += _UNPROVEN if unproven else ""
    answer = {"restored": True, "proven": not unproven, "erased_list": known, **_told(manifest)}
    say(answer, f"restored: {_line(manifest)}{remark}", as_json=as_json)


@backup.command("restored")
@as_json
def restored(as_json: bool) -> None:
    """Say that the database was put back by other means than `restore`: whoever follows events is told then."""
    with _plainly():
        agencies = epochs.begin_all()
    say({"agencies": agencies}, f"{agencies} agencies begin a new epoch: followers resynchronise", as_json=as_json)


def _checked(
    file: Path, key: Path, folder: Path, roots: list[Certificate], unproven: bool
) -> tuple[Manifest, Path, list[str]]:
    """A backup's manifest and copy, if it was made under `roots`, is of this kind of database and holds what it says;
    and which of the keys that it is sealed under are not here."""
    manifest, copy = unpack(file, read_identity(key), folder, None if unproven else roots)
    if manifest.engine != db.engine.dialect.name:
        raise BackupFailed(f"{file} is of {manifest.engine}, DATABASE_URL names {db.engine.dialect.name}")
    with looked_into(db.engine, copy) as connection:
        if wrong := faults(connection, manifest, roots):
            raise BackupFailed("; ".join(wrong[:3]))
        lost = lost_keys(connection)
    return manifest, copy, lost


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
        return load_pem_x509_certificates(given.read_bytes())
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
