"""The last signed head of each agency's ledger, kept beside the seal: a witness that is not in the database.

Whoever writes the database can cut the end off a ledger, and the checkpoints with it; `seal/heads/` is elsewhere. One
file per agency holds a statement as exports do (`signed`, `signature`, `certificate`), and is only ever replaced by a
later one.
"""

from __future__ import annotations

import fcntl
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.numbers import whole
from app.proof.authority import replace_file

FOLDER = "heads"
_NAME = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class SignedHead:
    """What one statement says, and the statement."""

    agency: str
    seq: int
    head: str
    at: str
    body: bytes
    signature: bytes
    certificate: str


class UnreadableHead(ValueError):
    """The file is there and holds no statement."""


class Heads:
    """The heads beside one seal. Any number of processes may ask and write at once."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "seal" / FOLDER

    def held(self, agency_id: uuid.UUID) -> SignedHead | None:
        """None where no head was signed yet. Raises `UnreadableHead`."""
        try:
            return _parsed(self._path(agency_id).read_bytes())
        except FileNotFoundError:
            return None

    def agencies(self) -> list[uuid.UUID]:
        """Of whom there is one."""
        return [uuid.UUID(path.stem) for path in sorted(self._folder.glob("*.json")) if _NAME.fullmatch(path.stem)]

    def keep(self, agency_id: uuid.UUID, statement: dict[str, str]) -> None:
        """Whole or not at all; a head that is no later than the one that is here changes nothing."""
        text = json.dumps(statement, indent=1).encode()
        new = _parsed(text)
        with self._alone():
            try:
                before = self.held(agency_id)
            except UnreadableHead:
                return  # evidence of something: for a person to look at
            if before is None or before.seq < new.seq:
                replace_file(self._path(agency_id), text, 0o600)

    def set_aside(self, agency_id: uuid.UUID) -> Path:
        """Begin anew, after a restore that an operator made; what was there stays, under the name that is returned."""
        with self._alone():
            path, n = self._path(agency_id), 1
            while (aside := path.with_suffix(f".{n}.before")).exists():
                n += 1
            return path.rename(aside)

    def _path(self, agency_id: uuid.UUID) -> Path:
        return self._folder / f"{agency_id}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _parsed(text: bytes) -> SignedHead:
    try:
        held = json.loads(text)
        said = json.loads(held["signed"])
        seq = whole(str(said["seq"]))
        return SignedHead(
            str(said["agency"]), seq, str(said["head"]), str(said["at"]), held["signed"].encode(),
            bytes.fromhex(held["signature"]), str(held["certificate"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnreadableHead from None
