"""A backup made: the database's copy, and what belongs to it beside the database, sealed into one file."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyrage
from flask import current_app

from app.backups.archive import Manifest, brought, fingerprint, pack, workshop
from app.backups.engines import copy_out
from app.backups.places import target_of
from app.config import Settings
from app.core.clock import now
from app.core.database import scrub
from app.extensions import db
from app.privacy import erasure
from app.proof.authority import Authority

SEAL = "seal"


def make_backup(named: str, recipient: pyrage.x25519.Recipient) -> tuple[Path, Manifest]:
    """Back up into the file or folder `named`, while everything runs; what was made. Raises `BackupFailed`."""
    settings: Settings = current_app.extensions["bidflux_settings"]
    authority: Authority = current_app.extensions["bidflux_authority"]
    made = target_of(named, now())
    maker = authority.checkpoint()  # before `seal/` is copied: it is made when first needed
    with workshop(settings.data_dir) as folder:
        manifest, copy = copy_out(db.engine, folder)
        beside = _copied(settings.data_dir, folder)
        manifest = replace(manifest, beside={name: fingerprint(path) for name, path in beside.items()})
        pack(manifest, copy, made, recipient, maker, beside)
    scrub(db.engine)  # whoever was erased meanwhile was held in the log by our reading
    return made, manifest


def _copied(data: Path, folder: Path) -> dict[str, Path]:
    """`seal/` and the list of who was erased, copied aside, since both change while we work; by their names."""
    names = [path.relative_to(data) for path in sorted((data / SEAL).rglob("*")) if path.is_file()]
    names += [Path(erasure.FILE)] if (data / erasure.FILE).is_file() else []
    found = {}
    for name in names:
        if name.suffix == ".new" or name.name == "lock":
            continue  # half written, or nothing
        target = brought(folder, name.as_posix())
        try:
            shutil.copyfile(data / name, target)
        except FileNotFoundError:
            continue  # replaced just now under another name
        found[name.as_posix()] = target
    return found
