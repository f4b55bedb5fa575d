"""A backup that somebody built by hand: what its tar holds beside files, and names that are no file at all."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
from flask import Flask

from app.backups import archive
from app.backups.archive import read_recipient
from tests.backups.test_backup import away, back_up, refused, run, tools  # noqa: F401
from tests.backups.test_checked_before_it_is_written import state
from tests.backups.test_signed import opened
from tests.factories import make_agency

HUGE = 1 << 50


def entry(name: str, kind: bytes = tarfile.REGTYPE, **values: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in values.items():
        setattr(made, key, value)
    return made


def tarred(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as bundle:
        for told, content in entries:
            told.size = len(content)
            bundle.addfile(told, io.BytesIO(content))
    return plain.getvalue()


def with_holes(name: str) -> bytes:
    """A member of one byte that says it is a petabyte."""
    return tarred([(entry(name, pax_headers={"GNU.sparse.map": f"{HUGE},0", "GNU.sparse.size": str(HUGE)}), b"")])


def hostile(held: dict[str, bytes], outside: Path) -> dict[str, bytes]:
    """What somebody puts in the place of each file, or around all."""
    good = [(entry(name), content) for name, content in held.items()]
    whole, found = tarred(good), {}
    for name in held:
        others = [(entry(other), content) for other, content in held.items() if other != name]
        for kind, one in {
            "symlink out": entry(name, tarfile.SYMTYPE, linkname=str(outside)),
            "symlink up": entry(name, tarfile.SYMTYPE, linkname="../../seal/root.pem"),
            "symlink to the tar": entry(name, tarfile.SYMTYPE, linkname="backup.tar"),
            "symlink to itself": entry(name, tarfile.SYMTYPE, linkname=name),
            "hard link out": entry(name, tarfile.LNKTYPE, linkname=str(outside)),
            "hard link in": entry(name, tarfile.LNKTYPE, linkname=next(other for other in held if other != name)),
            "device": entry(name, tarfile.CHRTYPE, devmajor=1, devminor=5),
            "block device": entry(name, tarfile.BLKTYPE, devmajor=8, devminor=0),
            "pipe": entry(name, tarfile.FIFOTYPE),
            "folder": entry(name, tarfile.DIRTYPE),
        }.items():
            found[f"{name}: {kind}"] = tarred([(one, b""), *others])
        found[f"{name}: holes"] = with_holes(name)[:1536] + tarred(others)
        found[f"{name}: up"] = tarred([(entry(f"../../{name}"), held[name]), *others])
        found[f"{name}: absolute"] = tarred([(entry(f"{outside}/{name}"), held[name]), *others])
    long, longer, back = (entry("manifest.json", size=size).tobuf(tarfile.GNU_FORMAT) for size in (HUGE, 1 << 80, -512))
    return found | {
        "longer than the file": long + b"{}",
        "longer than any file": longer + b"{}",
        "leads back": back + b"{}",
        "leads back further on": tarred(good[:1])[: 512 * (1 - -len(good[0][1]) // 512)] + back + whole,
        "compressed": gzip.compress(whole),
        "compressed much": lzma.compress(whole),
        "cut": whole[:700],
        "empty": b"",
        "no tar": os.urandom(4096),
        "a manifest of nine megabytes": tarred([(entry("manifest.json"), b" " * (9 << 20)), *good[1:]]),
        "a signature of nine megabytes": tarred([good[0], (entry("manifest.sig"), b" " * (9 << 20)), good[2]]),
    }


def test_whatever_a_tar_holds_is_refused_in_a_line_and_nothing_is_written(
    app: Flask,
    away: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Opened as a restore opens it, sealed by whoever has the public half; of three the whole command is tried."""
    make_agency()
    run(app, "key", away / "backup.key")
    held = opened(back_up(app, away), away)
    outside = away / "outside"
    outside.write_text("as it was")
    recipient, identity = read_recipient(str(away / "backup.key.pub")), archive.read_identity(away / "backup.key")
    roots = app.extensions["bidflux_authority"].own_roots()
    before, bent = state(app), away / "bent.age"
    for number, (name, tar) in enumerate(hostile(held, outside).items()):
        bent.write_bytes(pyrage.encrypt(tar, [recipient]))
        folder = tmp_path / f"opened-{number}"
        for trusted in (roots, None)[: 1 if "sig" in name else 2]:  # who does not ask for a signature reads none
            folder.mkdir()
            with pytest.raises(archive.BackupFailed, match=r"holds no backup|is not signed"):
                archive.unpack(bent, identity, folder, trusted)
                pytest.fail(name)
            assert sum(file.lstat().st_size for file in folder.iterdir()) < 40 << 20, name
            assert not any(file.is_symlink() or not file.is_file() for file in folder.iterdir()), name
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        if name in {"manifest.json: symlink out", "bidflux.db: hard link out", "compressed"}:
            assert "holds no backup" in refused(
                app, "restore", bent, "--key", away / "backup.key", "--force", "--unproven"
            )
    assert state(app) == before and outside.read_text() == "as it was"


def test_a_name_that_is_no_file_is_not_read(app: Flask, away: Path) -> None:  # noqa: F811
    make_agency()
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    os.mkfifo(away / "pipe")
    for word in ("verify", "restore"):
        for name in ("/dev/zero", "/dev/null", away / "pipe"):
            assert "is no file" in refused(
                app, word, name, "--key", away / "backup.key", *["--force"][: word[0] == "r"]
            )
        assert "holds no key" in refused(app, word, copy, "--key", "/dev/zero", *["--force"][: word[0] == "r"])
    assert "no certificate" in refused(app, "verify", copy, "--key", away / "backup.key", "--root", "/dev/zero")


def test_a_key_may_come_through_a_pipe(app: Flask, away: Path) -> None:  # noqa: F811
    """As from a keeper of secrets: `--key <(pass show backup)`."""
    make_agency()
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    os.mkfifo(away / "pipe")
    give: Callable[[], int] = lambda: (away / "pipe").write_text((away / "backup.key").read_text())  # noqa: E731
    giving = threading.Thread(target=give, daemon=True)
    giving.start()
    assert run(app, "verify", copy, "--key", away / "pipe")["valid"]
