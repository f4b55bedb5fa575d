"""Which history an agency's numbers belong to: its epoch; and the witness, a file that shows an older database.

A restored database gives numbers out again that a follower has seen with other content. So it begins a new epoch, whose
numbers lie beyond all that were ever given out. See docs/decisions/0019-epochs.md.
"""

from __future__ import annotations

import os
import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path

import structlog

FOLDER = "numbers"
LEAP = 1_000_000
LARGEST = 2**31 - 1  # what the column and the API hold
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


def new_epoch() -> str:
    """The name of a history: random, so that two restores of one backup are told apart."""
    return secrets.token_hex(5)


def leap(past: int, at: datetime) -> int:
    """The number after which a new epoch counts on: a million further than any that is known of.

    And at least the seconds since 2026: of two restores of one backup, on machines that know nothing of each other,
    the later one begins higher.
    """
    wanted = max(past + LEAP, int((at - _BEGAN).total_seconds()))
    return wanted if wanted <= LARGEST - LEAP else past


class Witness:
    """The highest event number of each agency that this machine saw committed, in a folder beside the keys.

    Written after the commit and never waited for: it may lag behind the database, and is never ahead of one that did
    not go back.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = str(data_dir / FOLDER)

    def seen(self, agency_id: uuid.UUID) -> int:
        """0 when nothing is known."""
        try:
            file = os.open(f"{self._folder}/{agency_id}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            return _number(file)
        except OSError:
            return 0
        finally:
            os.close(file)

    def note(self, agency_id: uuid.UUID, seq: int) -> None:
        """Remember a number that was given out, unless a higher one is known."""
        if seq == 0:  # none was
            return
        try:
            file = self._opened(f"{self._folder}/{agency_id}")
            try:
                if seq > _number(file):
                    os.pwrite(file, f"{seq:019}\n".encode(), 0)
            finally:
                os.close(file)
        except OSError as error:  # a full disk must not undo what is committed
            log.warning("number_not_noted", fault=type(error).__name__)

    def _opened(self, path: str) -> int:
        how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, how, 0o600)
        except FileNotFoundError:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            return os.open(path, how, 0o600)


def _number(file: int) -> int:
    """The number that a file holds; 0 for what is none."""
    text = os.read(file, 20).strip()
    return int(text) if text.isdigit() and int(text) <= LARGEST else 0
