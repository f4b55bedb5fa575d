"""`agency list|rename|export`."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import LedgerEntry, Offer
from app.outbound.images import read_photo
from app.privacy import erasure
from app.proof import receipts
from app.properties import editing as properties
from tests.api.test_photos import picture
from tests.factories import make_agency, make_offer, make_property, make_user


def say(app: Flask, *words: str, code: int = 0, typed: str = "") -> dict[str, Any]:
    done = app.test_cli_runner().invoke(args=[*words, "--json"], input=typed)
    assert done.exit_code == code, done.output
    db.session.rollback()
    return dict(json.loads(done.stdout))


def test_agencies_are_listed_and_renamed(app: Flask) -> None:
    agency = make_agency("Zorile")
    make_user(agency)
    make_agency("Ana & Fiii")
    rows = [(row["name"], row["people"], row["test"]) for row in say(app, "agency", "list")["data"]]
    assert rows == [
        ("Ana & Fiii", 0, False),
        ("Zorile", 1, False),
    ]
    assert say(app, "agency", "rename", "--agency", str(agency), "--name", " Zorile  Noi ") == {
        "id": str(agency), "name": "Zorile Noi", "was": "Zorile",
    }  # fmt: skip
    assert "error" in say(app, "agency", "rename", "--agency", "Zorile", "--name", "X", code=1)
    assert "error" in say(app, "agency", "rename", "--agency", "Zorile Noi", "--name", " ", code=1)
    own = select(LedgerEntry.kind).where(LedgerEntry.agency_id == agency).order_by(LedgerEntry.seq)
    assert list(db.session.scalars(own))[-1] == "agency.changed"


def test_an_export_holds_everything_and_can_be_checked(app: Flask, tmp_path: Path) -> None:
    owner = make_user(make_agency("Zorile"), "owner")
    other = make_user(make_agency("Cealaltă"), "owner", full_name="Alt Om")
    make_offer(make_property(other.agency_id, other.id, title="A altora"))
    prop = make_property(owner.agency_id, owner.id)
    properties.set_photo(prop, read_photo(picture()), by=SYSTEM)
    kept, forgotten = make_offer(prop), make_offer(prop)
    reference = db.session.get_one(Offer, kept).reference
    receipts.make(owner.agency_id, kept)
    erasure.erase_all(owner.agency_id, [forgotten], "person")
    out = tmp_path / "zorile.zip"
    told = say(app, "agency", "export", "--agency", "Zorile", "--out", str(out))
    assert (told["properties"], told["offers"]) == (1, 2) and stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as file:
        held = {name: file.read(name) for name in file.namelist()}
    for name, of in json.loads(held["manifest.json"])["files"].items():
        assert of == {"bytes": len(held[name]), "sha256": hashlib.sha256(held[name]).hexdigest()}
    offers = {line["offer"]["id"]: line for line in map(json.loads, held["offers.jsonl"].splitlines())}
    assert "Țurcanu" in json.dumps(offers[str(kept)]["as_sent"], ensure_ascii=False)
    assert offers[str(forgotten)].keys() == {"offer", "erased"}
    assert held[f"receipts/{reference}.pdf"].startswith(b"%PDF")
    assert [name for name in held if name.startswith(f"photos/{prop.id}/")]
    assert owner.email in held["people.json"].decode() and "EUR" in held["agency.json"].decode()
    everything = b"".join(held.values()).decode("utf-8", "replace")
    assert "A altora" not in everything and "Alt Om" not in everything
    own = select(LedgerEntry.kind).where(LedgerEntry.agency_id == owner.agency_id).order_by(LedgerEntry.seq)
    kinds = list(db.session.scalars(own))
    assert kinds[-2:] == ["ledger.exported", "agency.exported"]
    assert len(held["ledger.jsonl"].splitlines()) == len(kinds) + 1, "a head, all but the last entry, a signed end"
    again = say(app, "agency", "export", "--agency", "Zorile", "--out", str(out), code=1)
    assert "exists" in again["error"].lower() and zipfile.is_zipfile(out), "what is there is not written over"
