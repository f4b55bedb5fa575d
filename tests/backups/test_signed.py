"""A backup says who made it: the public half of the key, which makes them, forges none."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from sqlalchemy import select

from app.backups import signing
from app.backups.archive import read_recipient
from app.core.canonical_json import canonical
from app.extensions import db
from app.models import Agency, Property
from app.proof import checkpoints
from app.proof.authority import Authority
from tests.backups.test_backup import away, back_up, destroy, kept, refused, run, tools  # noqa: F401
from tests.conftest import settings_for
from tests.factories import make_agency, make_offer


def opened(copy: Path, away: Path) -> dict[str, bytes]:  # noqa: F811
    """What is in a backup, by name, in order."""
    identity = pyrage.x25519.Identity.from_str((away / "backup.key").read_text().splitlines()[1])
    with tarfile.open(fileobj=io.BytesIO(pyrage.decrypt(copy.read_bytes(), [identity]))) as bundle:
        return {one.name: bundle.extractfile(one).read() for one in bundle}  # type: ignore[union-attr]


def forged(away: Path, held: dict[str, bytes]) -> Path:  # noqa: F811
    """A backup of such files, made by whoever has the public half only."""
    plain, made = io.BytesIO(), away / "forged.age"
    with tarfile.open(fileobj=plain, mode="w") as bundle:
        for name, content in held.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            bundle.addfile(entry, io.BytesIO(content))
    made.write_bytes(pyrage.encrypt(plain.getvalue(), [read_recipient(str(away / "backup.key.pub"))]))
    return made


def seal_folder(app: Flask) -> Path:
    folder: Path = app.extensions["bidflux_settings"].data_dir / "seal"
    return folder


def forgeries(app: Flask, held: dict[str, bytes], folder: Path) -> list[tuple[str, dict[str, bytes], str]]:
    """What somebody without `seal/` can try, and what is said of it."""
    manifest, beside = held["manifest.json"], json.loads(held["manifest.sig"])
    agency = db.session.scalars(select(Agency)).one()
    stranger = Ed25519PrivateKey.generate()
    said = canonical({"v": 1, "kind": "bidflux.backup", "manifest": hashlib.sha256(manifest).hexdigest()})
    seal = app.extensions["bidflux_authority"].seal().certificate.public_bytes(Encoding.PEM).decode()
    elsewhere = Authority(settings_for(folder)).checkpoint()
    beside_it: list[tuple[str, bytes | dict[str, Any], str]] = [
        ("a key of one's own", {**beside, "signature": stranger.sign(said).hex()}, "signature does not hold"),
        ("a signed head of a ledger", checkpoints.signed("x", agency.id, 1, b"x", agency.created_at), "does not hold"),
        ("the certificate of receipts", {**beside, "certificate": seal}, "signature does not hold"),
        ("another installation's", signing.signature(manifest, elsewhere), "by another installation"),
        ("rubbish", b"\xff{", "signature does not hold"),
        ("a list", b"[]", "signature does not hold"),
        ("numbers", {"certificate": 1, "signature": 2}, "signature does not hold"),
    ]
    return [
        ("no signature", {name: held[name] for name in ("manifest.json", "bidflux.db")}, "is not signed"),
        ("another manifest under it", {**held, "manifest.json": manifest + b" "}, "signature does not hold"),
        ("another database under it", {**held, "bidflux.db": held["bidflux.db"] + b"\0"}, "another database"),
        *(
            (name, {**held, signing.FILE: one if isinstance(one, bytes) else json.dumps(one).encode()}, words)
            for name, one, words in beside_it
        ),
    ]


def test_whoever_holds_the_public_half_only_forges_none(app: Flask, away: Path, tmp_path: Path) -> None:  # noqa: F811
    make_agency()
    run(app, "key", away / "backup.key")
    held = opened(back_up(app, away), away)
    first, beside = [*held][:3], [*held][3:]
    assert first == ["manifest.json", "manifest.sig", "bidflux.db"] and b"PRIVATE" not in held["manifest.sig"]
    assert beside and all(name.startswith("seal/") for name in beside)
    for name, bent, words in forgeries(app, held, tmp_path / "other"):
        copy = forged(away, bent)
        assert words in refused(app, "verify", copy, "--key", away / "backup.key"), name
        assert words in refused(app, "restore", copy, "--key", away / "backup.key", "--force"), name
        assert db.session.scalars(select(Agency)).one(), "nothing was changed"
        db.session.remove()
    assert run(app, "verify", forged(away, held), "--key", away / "backup.key")["proven"]


def test_one_from_before_they_were_signed_is_taken_where_that_is_said(app: Flask, away: Path) -> None:  # noqa: F811
    make_agency()
    run(app, "key", away / "backup.key")
    held = opened(back_up(app, away), away)
    del held["manifest.sig"]
    copy = forged(away, held)
    assert not run(app, "verify", copy, "--key", away / "backup.key", "--unproven")["proven"]
    db.session.remove()
    words = ["backup", "restore", str(copy), "--key", str(away / "backup.key"), "--force", "--unproven"]
    done = app.test_cli_runner().invoke(args=words)
    assert done.exit_code == 0 and "who made it was not asked" in done.output
    assert db.session.scalars(select(Agency)).one()


def test_on_a_new_machine_its_root_is_named(kept: Flask, away: Path) -> None:  # noqa: F811
    prop = db.session.scalars(select(Property)).one()
    property_id = prop.id
    checkpoints.take(prop.agency_id)
    copy, opener = back_up(kept, away), ("--key", away / "backup.key")
    shutil.copy(seal_folder(kept) / "root.pem", away / "root.pem")
    (away / "empty.pem").write_text("nothing")
    shutil.rmtree(seal_folder(kept))
    kept.extensions["bidflux_authority"] = Authority(kept.extensions["bidflux_settings"])  # as a process started there
    destroy(kept)
    for command in ("verify", "restore"):
        assert "--root" in refused(kept, command, copy, *opener)
        assert "no certificate" in refused(kept, command, copy, *opener, "--root", away / "empty.pem")
    assert not seal_folder(kept).exists(), "checking makes no root"
    assert run(kept, "verify", copy, *opener, "--root", away / "root.pem")["proven"]
    assert run(kept, "restore", copy, *opener, "--root", away / "root.pem")["proven"]
    make_offer(db.session.get_one(Property, property_id))
    assert kept.test_cli_runner().invoke(args=["ledger", "checkpoint"]).exit_code == 0
    done = kept.test_cli_runner().invoke(args=["ledger", "verify"])
    assert done.exit_code == 0, done.output
    run(kept, "verify", copy, *opener)


def test_another_machines_backup_is_not_ours_until_its_root_is_named(
    app: Flask,
    away: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    make_agency()
    run(app, "key", away / "backup.key")
    copy, opener = back_up(app, away), ("--key", away / "backup.key")
    shutil.move(seal_folder(app), away / "seal")
    app.extensions["bidflux_authority"] = Authority(app.extensions["bidflux_settings"])
    app.extensions["bidflux_authority"].seal()
    assert "by another installation" in refused(app, "verify", copy, *opener)
    run(app, "verify", copy, *opener, "--root", away / "seal" / "root.pem")


@pytest.mark.parametrize("kind", ["bidflux.checkpoint", "bidflux.ledger.end"])
def test_a_signature_of_a_backup_passes_for_nothing_else(app: Flask, kind: str) -> None:
    identity = app.extensions["bidflux_authority"].checkpoint()
    manifest = b"{}"
    told = json.loads(signing.signature(manifest, identity))
    key = identity.certificate.public_key()
    said = canonical(
        {"v": 1, "kind": kind, "manifest": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
    )
    with pytest.raises(Exception):  # noqa: B017  cryptography's own
        key.verify(bytes.fromhex(told["signature"]), said)
    key.verify(bytes.fromhex(told["signature"]), said.replace(kind.encode(), b"bidflux.backup"))
