"""A backup examined and made ready beside the database, before anything of that changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyrage
from alembic.script import ScriptDirectory
from cryptography.x509 import Certificate
from flask import Flask, current_app
from flask_migrate import upgrade
from sqlalchemy import Connection, delete, select
from sqlalchemy.engine import Engine

from app.backups import BackupFailed, epochs
from app.backups.archive import Manifest, brought, sync_folder, unpack
from app.backups.beside import beside
from app.backups.checking import faults, record_faults
from app.backups.making import SEAL
from app.backups.places import need_room
from app.core.epochs import FOLDER as NUMBERS
from app.core.keys import keyring, lost_keys
from app.core.unit_of_work import housekeeping
from app.core.vault import CannotOpen, agency_key_place, offer_key_place
from app.extensions import db
from app.models import AgencyKey, OfferKey, UserSession
from app.privacy import erasure


@dataclass(frozen=True, slots=True)
class Backup:
    """A file, what opens it, and who may have made it: somebody under `roots`, or, `unproven`, whoever could."""

    file: Path
    identity: pyrage.x25519.Identity
    roots: list[Certificate]
    unproven: bool = False


@contextmanager
def examined(backup: Backup, engine: Engine, folder: Path) -> Iterator[tuple[Manifest, Flask, list[str]]]:
    """A backup opened beside the database: its manifest, the application on it, brought up to date, and what its data
    lacks on this machine to be read. Raises `BackupFailed` where it is not whole, or not for this installation."""
    if not backup.file.is_file():
        raise BackupFailed(f"{backup.file} is no file: copy the backup into one first")
    need_room(folder, 2 * backup.file.stat().st_size)
    manifest, copy = unpack(backup.file, backup.identity, folder, None if backup.unproven else backup.roots)
    _fits(backup.file, manifest, engine)
    with beside(engine, copy, folder) as made, made.app_context():
        with db.engine.connect() as connection:
            _sound(faults(connection, manifest))
        upgrade(directory=str(_migrations()))
        with db.engine.connect() as connection:
            _sound(record_faults(connection, backup.roots))
            lacking = _unreadable(connection)
        yield manifest, made, lacking
        db.session.remove()


def make_ready(roots: list[Certificate]) -> None:
    """What a restored database needs before anybody works on it, done while it is still beside; every rule that a
    restore has to keep has its line here."""
    with housekeeping() as connection:
        connection.execute(delete(UserSession))  # who signed out since must not be signed in again
    epochs.begin_all()
    erasure.replay()
    db.session.rollback()
    with db.engine.connect() as connection:
        _sound(record_faults(connection, roots))


def _sound(wrong: list[str]) -> None:
    if wrong:
        raise BackupFailed("; ".join(wrong[:3]))


def bring_lists(live: Path, folder: Path) -> bool:
    """Lay the list of who was erased, and the numbers that were given out, beside the copy; neither is touched. The
    backup's own list is added to what is laid there. False when there is no list here."""
    if (live / NUMBERS).is_dir():
        shutil.copytree(live / NUMBERS, folder / NUMBERS)
    if known := (live / erasure.FILE).exists():
        shutil.copyfile(live / erasure.FILE, folder / erasure.FILE)
    if (theirs := brought(folder, erasure.FILE)).exists():
        here = (folder / erasure.FILE).read_text().splitlines() if known else []
        missing = [line for line in theirs.read_text().splitlines() if line not in set(here)]
        (folder / erasure.FILE).write_text("".join(f"{line}\n" for line in (*here, *missing)))
    return known


def bring_seal(live: Path, folder: Path) -> None:
    """Put the `seal/` of a backup whose maker is known where there is none."""
    begins = brought(folder, f"{SEAL}/").name
    files = {path.name.removeprefix(begins).replace("+", "/"): path for path in folder.glob(f"{begins}*")}
    if not files or (live / SEAL).exists():
        return
    place = live / f".{SEAL}.new"
    shutil.rmtree(place, ignore_errors=True)
    for name, path in files.items():
        (place / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(path, place / name)
        (place / name).chmod(0o644 if name == "root.pem" else 0o600)
    place.rename(live / SEAL)
    sync_folder(live)


def _fits(file: Path, manifest: Manifest, engine: Engine) -> None:
    """Is it of this kind of database, and of no newer version than this one?"""
    if manifest.engine != engine.dialect.name:
        raise BackupFailed(f"{file} is of {manifest.engine}, DATABASE_URL names {engine.dialect.name}")
    known = {script.revision for script in ScriptDirectory(str(_migrations())).walk_revisions()}
    if manifest.revision not in known:
        raise BackupFailed(
            f"{file} was made by a newer version (it stands at {manifest.revision}): restore it with that one"
        )


def _migrations() -> Path:
    return Path(current_app.root_path).parent / "migrations"


def _unreadable(connection: Connection) -> list[str]:
    """The keys that the data needs and that are not here, by id. Raises `BackupFailed` for one that is here and does
    not open what it should."""
    lost = lost_keys(connection)
    wrapped = [
        (row.kek_id, row.wrapped, agency_key_place(row.agency_id, row.purpose))
        for row in connection.execute(
            select(AgencyKey.agency_id, AgencyKey.purpose, AgencyKey.kek_id, AgencyKey.wrapped)
        )
    ]
    columns = (OfferKey.agency_id, OfferKey.offer_id, OfferKey.kek_id, OfferKey.wrapped)
    for kek_id in keyring().ids:
        row = connection.execute(select(*columns).where(OfferKey.kek_id == kek_id).limit(1)).one_or_none()
        wrapped += [(row.kek_id, row.wrapped, offer_key_place(row.agency_id, row.offer_id))] if row else []
    for kek_id, key, place in wrapped:
        try:
            if kek_id not in lost:
                keyring().unwrap(kek_id, key, place)
        except CannotOpen:
            raise BackupFailed(f"a key of agency {place.agency} does not open: the copy was changed") from None
    return lost
