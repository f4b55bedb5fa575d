"""The end of a restore, which can be cut off and is then completed by the next start.

Before the swap a note is laid into the data folder: the epochs that the new database begins, and the roots that its
seals lead up to. An epoch's name is random, so whether the swap took place can be told from the database alone.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_pem_x509_certificates
from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.backups import BackupFailed, epochs
from app.core.killpoints import BEFORE_NOTE_GONE, passing
from app.extensions import db
from app.models import Agency
from app.proof import checkpoints
from app.proof.authority import Authority, replace_file

NOTE = "restoring.json"

log = structlog.get_logger(__name__)


def note(live: Path, roots: Sequence[Certificate]) -> None:
    """Lay what `complete` needs into the `live` data folder, asked where the database is that was made ready beside;
    `roots` are trusted once it is in place."""
    begun = _epochs()
    db.session.rollback()
    pem = "".join(root.public_bytes(Encoding.PEM).decode() for root in roots)
    replace_file(live / NOTE, json.dumps({"epochs": begun, "roots": pem}).encode(), 0o600)


def complete() -> list[str]:
    """What is left to do once a restored database is in place, as often as it takes; nothing where none was begun, or
    where it was cut off before the swap. The registers that were longer before, a line each."""
    if not _path().exists():
        return []
    with _alone():
        try:
            begun, roots = _said(_path().read_bytes())
        except FileNotFoundError:
            return []  # another process was faster
        try:
            swapped = _have_begun(begun)
        except SQLAlchemyError:
            return []  # no database to read: whoever starts the product is told
        finally:
            db.session.rollback()
        longer = _complete(roots) if swapped else []
        passing(BEFORE_NOTE_GONE)
        _path().unlink()
    return longer


def _said(text: bytes) -> tuple[dict[str, str], str]:
    """The epochs and roots of a note. Raises `BackupFailed`."""
    try:
        said = json.loads(text)
        return dict(said["epochs"]), str(said["roots"])
    except (ValueError, TypeError, LookupError):
        raise BackupFailed(
            f"{_path()} cannot be read, which says what a restore left to do: move it away, then `backup restored`"
        ) from None


def _have_begun(begun: dict[str, str]) -> bool:
    """Whether the database is the one that began them; agencies may have been added to it since."""
    here = _epochs()
    return begun == here or (bool(begun) and begun.items() <= here.items())


def _complete(roots: str) -> list[str]:
    epochs.remember_numbers()
    if roots:
        authority: Authority = current_app.extensions["bidflux_authority"]
        authority.adopt(load_pem_x509_certificates(roots.encode()))  # what was sealed there is checked here from now on
    longer = checkpoints.begin_anew()
    log.warning("restore_completed", set_aside=len(longer))
    return longer


def _epochs() -> dict[str, str]:
    return {str(agency_id): epoch for agency_id, epoch in db.session.execute(select(Agency.id, Agency.epoch))}


def _path() -> Path:
    folder: Path = current_app.extensions["bidflux_settings"].data_dir
    return folder / NOTE


@contextmanager
def _alone() -> Iterator[None]:
    folder = os.open(_path().parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
