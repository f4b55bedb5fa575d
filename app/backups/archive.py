"""The file of a backup: a tar of `manifest.json`, its signature and the database's copy, sealed to an age recipient.

Whoever makes backups needs the recipient only (`age1…`, public); the identity (`AGE-SECRET-KEY-1…`) opens them and is
kept elsewhere. `age -d -i backup.key FILE | tar x` opens one without the product.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import pyrage
from cryptography.x509 import Certificate

from app.backups import BackupFailed, signing
from app.backups.places import need_room
from app.proof.authority import Identity

FORMAT = 1
MANIFEST = "manifest.json"
WORKSHOP = ".backup-"
PART = ".age.part"
JUST_MADE = 10.0  # seconds in which a new workshop has its lock
KEY_FILE_BYTES = 8 * 1024 * 1024  # a manifest names every agency
BROUGHT = "beside+"  # begins the names of what lay beside the database, in a workshop
BESIDE = re.compile(r"erased\.txt|seal/(?:heads/)?[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
COPY = {"sqlite": "bidflux.db", "postgresql": "bidflux.dump"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `agencies` are `{"id", "seq", "hash"}` (hex), `counts` rows by table, `erased` the
    number of forgotten offers, `sha256` that of the file called `database`, `beside` those of what lies beside it."""

    made_at: str
    engine: str
    revision: str
    database: str
    sha256: str
    counts: dict[str, int]
    agencies: list[dict[str, Any]]
    erased: int
    format: int = FORMAT
    beside: dict[str, str] = field(default_factory=dict)


def new_identity(path: Path) -> str:
    """Write a new identity to `path` (mode 0600) and its recipient to `path`.pub; return the recipient."""
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    texts = {path: f"# public key: {recipient}\n{identity}\n", Path(f"{path}.pub"): f"{recipient}\n"}
    with ExitStack() as failing:
        for file, text in texts.items():
            try:
                opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                raise BackupFailed(f"{file} exists already: a key is never written over") from None
            failing.callback(file.unlink)
            with os.fdopen(opened, "w") as written:
                written.write(text)
                written.flush()
                os.fsync(written.fileno())
        failing.pop_all()
    return recipient


def read_recipient(text: str) -> pyrage.x25519.Recipient:
    """`age1…`, or the name of a file that holds it."""
    try:
        given = _text(Path(text)).strip() if not text.startswith("age1") and Path(text).is_file() else text
        return pyrage.x25519.Recipient.from_str(given)
    except (pyrage.RecipientError, ValueError):
        raise BackupFailed("the recipient is not one that `backup key` names (age1…), nor a file with it") from None


def read_identity(path: Path) -> pyrage.x25519.Identity:
    try:
        lines = [line.strip() for line in _text(path).splitlines()]
        return pyrage.x25519.Identity.from_str(next(line for line in lines if line and not line.startswith("#")))
    except (StopIteration, ValueError, pyrage.IdentityError):
        raise BackupFailed(f"{path} holds no key that `backup key` made (AGE-SECRET-KEY-1…)") from None


def beginning(path: Path) -> bytes:
    """Of a file that is small; one named by mistake is not read whole."""
    with open(path, "rb") as file:
        return file.read(KEY_FILE_BYTES)


def _text(path: Path) -> str:
    """Raises `ValueError` for no text."""
    return beginning(path).decode()


@contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """A folder of this user's own beside the database, gone afterwards: a copy is as private as the database."""
    sweep(folder)
    with ExitStack() as leaving:
        made = tempfile.mkdtemp(prefix=WORKSHOP, dir=folder)
        held = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        leaving.callback(os.close, held)  # last: nobody sweeps what is being removed
        leaving.callback(shutil.rmtree, made)
        fcntl.flock(held, fcntl.LOCK_EX)
        yield Path(made)


def sweep(folder: Path) -> int:
    """Remove what killed backups left: a copy holds people who may have been forgotten since. Returns how many."""
    swept = 0
    for left in folder.glob(f"{WORKSHOP}*"):
        try:
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue  # it is gone by now, or no folder and none of ours
        try:
            if time.time() - os.fstat(held).st_mtime > JUST_MADE:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
                swept += not left.exists()
        except BlockingIOError:
            pass  # somebody works in it
        finally:
            os.close(held)
    return swept


def pack(
    manifest: Manifest,
    database: Path,
    target: Path,
    recipient: pyrage.x25519.Recipient,
    maker: Identity,
    beside: Mapping[str, Path],
) -> None:
    """Sign and seal a copy of the database, and what belongs `beside` it, into `target`, which is whole or is not
    there."""
    tar = database.with_suffix(".tar")
    told = database.with_name(MANIFEST)
    told.write_text(json.dumps(asdict(manifest), indent=1))
    signed = database.with_name(signing.FILE)
    signed.write_bytes(signing.signature(told.read_bytes(), maker))
    with tarfile.open(tar, "w") as bundle:
        bundle.add(told, MANIFEST)
        bundle.add(signed, signing.FILE)
        bundle.add(database, manifest.database)
        for name, path in beside.items():
            bundle.add(path, name)
    need_room(target.parent, tar.stat().st_size)
    with _part(target) as sealed, open(tar, "rb") as plain:
        pyrage.encrypt_io(plain, sealed, [recipient])


@contextmanager
def _part(target: Path) -> Iterator[IO[bytes]]:
    """A file that becomes `target` when all went well, and is gone when not. What killed ones left goes first."""
    for left in target.parent.glob(f"*{PART}"):
        _sweep_part(left)
    part = target.with_name(f".{target.name}.{os.urandom(4).hex()}{PART}")
    with ExitStack() as failing:
        with open(part, "xb", opener=_private) as sealed:
            failing.callback(part.unlink, missing_ok=True)
            fcntl.flock(sealed, fcntl.LOCK_EX)
            yield sealed
            sealed.flush()
            os.fsync(sealed.fileno())
            if os.path.lexists(target):
                raise BackupFailed(f"{target} exists already")
            os.replace(part, target)
        failing.pop_all()
    sync_folder(target.parent)


def _sweep_part(left: Path) -> None:
    try:
        with open(left, "rb") as held:
            if time.time() - os.fstat(held.fileno()).st_mtime > JUST_MADE:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
    except OSError:
        return  # somebody writes it, or it is gone, or not ours


def sync_folder(folder: Path) -> None:
    """A new name is there after a power cut only when its folder is on the disk."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def unpack(
    source: Path, identity: pyrage.x25519.Identity, folder: Path, roots: Sequence[Certificate] | None
) -> tuple[Manifest, Path]:
    """Open a backup into `folder`; its manifest and the database's copy.

    Raises `BackupFailed` for any byte changed, and for one that nobody under `roots` signed; None does not ask who.
    """
    tar = folder / "backup.tar"
    try:
        with open(source, "rb") as sealed, open(tar, "wb", opener=_private) as plain:
            pyrage.decrypt_io(sealed, plain, [identity])
    except pyrage.DecryptError:
        raise BackupFailed(f"{source} does not open: another key's, cut short, or changed") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise BackupFailed(f"{source} does not open: {error.strerror or 'it was cut short or changed'}") from None
    manifest = _unbundle(source, tar, folder, roots)
    tar.unlink()
    database = folder / manifest.database
    if fingerprint(database) != manifest.sha256:
        raise BackupFailed(f"{source} holds another database than its manifest names")
    return manifest, database


def _unbundle(source: Path, tar: Path, folder: Path, roots: Sequence[Certificate] | None) -> Manifest:
    """Take what belongs in it out of the tar, and nothing else that somebody put there. It is read as it was packed:
    uncompressed, so that no member is larger than the file that it came in."""
    try:
        with tarfile.open(tar, "r:", tarinfo=_Member) as bundle:
            told = _take(bundle, MANIFEST, folder, KEY_FILE_BYTES).read_bytes()
            if roots is not None:
                signed = signing.FILE in bundle.getnames()
                beside = _take(bundle, signing.FILE, folder, KEY_FILE_BYTES).read_bytes() if signed else None
                signing.require(source, told, beside, roots)
            held = json.loads(told)
            if held["format"] > FORMAT:
                raise BackupFailed(f"{source} was made by a newer version: restore it with that one")
            manifest = Manifest(**held)
            if manifest.database != COPY.get(manifest.engine):
                raise ValueError(manifest.database)
            _take(bundle, manifest.database, folder, tar.stat().st_size)
            _take_beside(bundle, manifest, folder)
    except (tarfile.TarError, KeyError, TypeError, ValueError, RecursionError, OverflowError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # as a place is that no file has
            raise
        raise BackupFailed(f"{source} holds no backup: its manifest cannot be read, or a file is missing") from None
    return manifest


def brought(folder: Path, name: str) -> Path:
    """Where something that lay beside the database is in a workshop; no folder is made for it."""
    return folder / f"{BROUGHT}{name.replace('/', '+')}"


def _take_beside(bundle: tarfile.TarFile, manifest: Manifest, folder: Path) -> None:
    """What lay beside the database, under names of our own. Raises `ValueError` for another name, or other bytes."""
    for name, wanted in dict(manifest.beside).items():
        if not BESIDE.fullmatch(name):
            raise ValueError(name)
        taken = _take(bundle, name, folder, KEY_FILE_BYTES * 8, brought(folder, name).name)
        if fingerprint(taken) != wanted:
            raise ValueError(name)


class _Member(tarfile.TarInfo):
    def _block(self, count: int) -> int:  # CVE-2025-8194: a size below nothing leads back, and the reading never ends
        if count < 0:
            raise tarfile.HeaderError("a size below nothing")
        blocks: int = super()._block(count)  # type: ignore[misc]  # it has no public name
        return blocks


def _take(bundle: tarfile.TarFile, name: str, folder: Path, most: int, to: str = "") -> Path:
    """Write a member out as a new file of our own, called `to` or as it is there. Links, devices and files with holes
    are refused."""
    member = bundle.getmember(name)
    content = bundle.extractfile(member) if member.isreg() and not member.issparse() else None
    if content is None or member.size > most:
        raise ValueError(name)
    path = folder / (to or name)
    with open(path, "xb", opener=_private) as taken:
        shutil.copyfileobj(content, taken)
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
