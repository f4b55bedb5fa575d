"""Backups at their hour, and the old ones put away: so many days, weeks and months are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from flask import current_app

from app.backups import BackupFailed
from app.backups.archive import read_recipient
from app.backups.making import make_backup
from app.config import Settings
from app.core.clock import now
from app.core.faults import report
from app.ops import chores

NAME = "backup"
AGAIN = timedelta(hours=1)  # after one that failed, or whose process died
OLD = timedelta(hours=36)  # one night may fail
OURS = re.compile(r"bidflux-(\d{8}T\d{6}Z)(?:-\d{1,4})?\.age")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Into which folder, when each day (UTC), and of how many days, weeks and months the last one is kept."""

    folder: str
    at: str = "02:30"
    days: int = 14
    weeks: int = 8
    months: int = 12


def plan() -> Plan | None:
    """What was set; None where nothing is."""
    held = chores.chore(NAME)
    return Plan(**held.settings) if held and held.settings else None


def set_plan(wanted: Plan | None) -> None:
    """Back up so from now on, or no longer. Raises `BackupFailed` where it could never work."""
    if wanted is None:
        chores.set_chore(NAME, settings={}, due_at=None)
        return
    read_recipient(_recipient())
    folder = Path(wanted.folder)
    if not folder.is_absolute():
        raise BackupFailed(f"{folder} is no whole path: the relay may be started elsewhere")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    chores.set_chore(NAME, settings=asdict(wanted), due_at=chores.next_at(wanted.at, now()))


def run_due(_stop: object = None) -> int:
    """Back up, if it is time and nobody else does; how many files were made. What fails is tried again in an hour."""
    if not chores.take(NAME, now() + AGAIN):
        return 0
    wanted = plan()
    if wanted is None:
        return 0
    try:
        made, _manifest = make_backup(f"{wanted.folder}/", read_recipient(_recipient()))
        dropped = rotate(Path(wanted.folder), wanted)
    except Exception as fault:
        chores.went_wrong(NAME, str(fault) if isinstance(fault, BackupFailed | OSError) else type(fault).__name__)
        log.error("backup_failed", fault=type(fault).__name__)
        report(fault)
        return 0
    chores.went_well(NAME, due_at=chores.next_at(wanted.at, now()))
    log.info("backup_made", bytes=made.stat().st_size, dropped=len(dropped))
    return 1


def note_good() -> None:
    """One was made by hand, or by a timer of the machine's own."""
    chores.went_well(NAME)


def rotate(folder: Path, wanted: Plan) -> list[str]:
    """Remove what is no longer kept, of our own names only."""
    found = {path.name: made for path in folder.iterdir() if (made := made_at(path.name))}
    dropped = sorted(found.keys() - kept(found.items(), wanted))
    for name in dropped:
        (folder / name).unlink(missing_ok=True)
    return dropped


def made_at(name: str) -> datetime | None:
    """When a backup of that name was made; None for any other file."""
    ours = OURS.fullmatch(name)
    try:
        return datetime.strptime(ours[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if ours else None
    except ValueError:
        return None


def kept(found: Iterable[tuple[str, datetime]], wanted: Plan) -> set[str]:
    """The last one of each of the newest days, weeks and months that have any."""
    newest_first = sorted(found, key=lambda one: (one[1], one[0]), reverse=True)
    stay: set[str] = set()
    for period, count in (("%Y-%m-%d", wanted.days), ("%G-%V", wanted.weeks), ("%Y-%m", wanted.months)):
        last: dict[str, str] = {}
        for name, made in newest_first:
            last.setdefault(made.strftime(period), name)
        stay.update(list(last.values())[:count])
    return stay


def files(wanted: Plan | None) -> Sequence[tuple[str, datetime, int]]:
    """The backups that lie in the folder: name, moment, bytes; the newest first."""
    if wanted is None:
        return []
    try:
        found = [(path.name, made, path.stat().st_size) for path in Path(wanted.folder).iterdir()
                 if (made := made_at(path.name))]  # fmt: skip
    except OSError:
        return []
    return sorted(found, key=lambda one: one[1], reverse=True)


def _recipient() -> str:
    settings: Settings = current_app.extensions["bidflux_settings"]
    if not settings.backup_recipient:
        raise BackupFailed("BACKUP_RECIPIENT is missing, which says who can open backups: `backup key` makes one")
    return settings.backup_recipient
