"""Checks that what lies beside the database belongs to it: keys, seal, and the secret that signs links.

With other ones everything would seem to run: nobody could be read, links would be void, receipts would be sealed
by a stranger. So nothing is served before this is asked, and no new one is made where an old one is missing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

import structlog
from flask import current_app
from sqlalchemy import inspect, select

from app.config import ConfigurationError, Settings
from app.core.keys import lost_keys
from app.extensions import db
from app.models import Checkpoint, OfferFile, Tombstone
from app.privacy import erasure
from app.proof.authority import Authority

CHECK = "links.check"

log = structlog.get_logger(__name__)


def require_own_files() -> None:
    """Raise `ConfigurationError` that names what is missing or another's, and where to put it."""
    settings: Settings = current_app.extensions["bidflux_settings"]
    faults = []
    with db.engine.connect() as connection:
        if inspect(connection).has_table("agency_key"):
            if lost := lost_keys(connection):
                faults.append(
                    f"BIDFLUX_KEYS is not what this database was sealed under (it lacks {', '.join(lost)}): put the old"
                    f" key back, after the present one; `make run` keeps it in {settings.data_dir / 'secrets.env'}"
                )
            sealed = connection.scalar(select(OfferFile.offer_id).where(OfferFile.kind == "receipt").limit(1))
            sealed = sealed or connection.scalar(select(Checkpoint.agency_id).limit(1))
            if sealed and not (settings.data_dir / "seal").is_dir():
                faults.append(
                    f"{settings.data_dir / 'seal'} is missing, and receipts were sealed with it: put it back. If it is"
                    " lost for good, make an empty folder of that name; a new seal is then made"
                )
            if connection.scalar(select(Tombstone.offer_id).limit(1)) and not erasure.has_list():
                log.warning("erased_list_made_anew", file=erasure.FILE)  # of all that this database knows; see replay
    if (settings.data_dir / "seal").is_dir():
        authority: Authority = current_app.extensions["bidflux_authority"]
        back = (
            "put back what belongs there: `seal/` is in each backup, and the roots are what `/verify/root.pem` served"
        )
        faults += [f"{fault}: {back}" for fault in authority.faults()]
    faults += _other_secret(settings)
    if faults:
        raise ConfigurationError(faults)


def _other_secret(settings: Settings) -> list[str]:
    """The secret leaves a keyed check value in the data folder, which says nothing of the secret itself."""
    path = settings.data_dir / CHECK
    own, *earlier = (_check_of(secret) for secret in (settings.secret_key, *settings.secret_key_fallbacks))
    stored = path.read_bytes()[:100].decode("ascii", "replace").strip() if path.exists() else ""
    if stored and stored not in {own, *earlier}:
        return [
            "SECRET_KEY is not the one that links and sessions here are signed with: put it back, or name the old one"
            f" in SECRET_KEY_FALLBACKS. Where the old ones are to be void, remove {path}"
        ]
    if stored != own:
        _write(path, own)
    return []


def _check_of(secret: str) -> str:
    return hmac.digest(secret.encode(), b"bidflux check", hashlib.sha256)[:16].hex()


def _write(path: Path, text: str) -> None:
    """Whole or not at all: several processes start at once."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # a full disk: each start would leave one more
        new.unlink(missing_ok=True)
        raise
    os.replace(new, path)
