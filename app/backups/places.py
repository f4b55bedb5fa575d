"""Where a backup goes, and whether there is room for it."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from app.backups import BackupFailed

MEGABYTE = 1024 * 1024


def target_of(named: str, at: datetime) -> Path:
    """The new file that a backup named so is written to.

    A name that ends in a slash, is a folder, or has no ending means a folder, which is made when it is missing: what a
    nightly job names must mean the same on its first night as on all later ones.
    """
    if not named.strip():
        raise BackupFailed("name a file that ends in .age, or a folder")
    path = Path(named)
    is_file = os.path.lexists(path) and not path.is_dir()
    if is_file:
        wrong = "is a file, not a folder" if named.endswith("/") else "exists already"
        raise BackupFailed(f"{path} {wrong}: name another, or a folder for one backup a night")
    if path.suffix and not named.endswith("/") and not path.is_dir():
        if not path.parent.is_dir():
            raise BackupFailed(f"there is no folder {path.parent}: make it, or name a folder with a slash at its end")
        target = path
    else:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = _free(path, f"bidflux-{at:%Y%m%dT%H%M%SZ}")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise BackupFailed(f"{target.parent} cannot be written to")
    return target


def _free(folder: Path, stem: str) -> Path:
    number = 1
    while os.path.lexists(found := folder / (f"{stem}.age" if number == 1 else f"{stem}-{number}.age")):
        number += 1
    return found


def need_room(folder: Path, wanted: int) -> None:
    """Raise `BackupFailed` where `wanted` bytes will not fit: before the disk is full for everybody."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        megabytes = -(-wanted // MEGABYTE)
        raise BackupFailed(f"{folder} has {free // MEGABYTE} MB left and {megabytes} MB are needed")
