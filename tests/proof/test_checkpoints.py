"""The head of the ledger is signed every night, timestamped where it can be, and exports are checked end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from asn1crypto import tsp
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Checkpoint, LedgerEntry, Property, Timestamping
from app.proof import checkpoints, receipts
from app.proof import export as ledger_export
from app.proof.authority import Authority
from app.proof.checkpoint_reading import checkpoints_of
from tests.conftest import ROOT, settings_for
from tests.factories import csrf, login, make_offer, make_user
from tests.proof.conftest import Kept, Tsa
from tools.verify_receipt import verify_ledger, verify_receipt

NOON = datetime(2031, 3, 3, 12, tzinfo=UTC)


def taken() -> list[Checkpoint]:
    db.session.rollback()
    return list(db.session.scalars(select(Checkpoint).order_by(Checkpoint.seq)))


def test_every_night_in_which_something_happened(app: Flask, prop: Property) -> None:
    assert checkpoints.nightly() == 0, "no night has passed yet"
    with time_machine.travel(NOON):
        assert checkpoints.nightly() == 1 and checkpoints.nightly() == 0
    with time_machine.travel(NOON + timedelta(days=1)):
        assert checkpoints.nightly() == 0, "nothing happened"
        make_offer(prop)
        assert checkpoints.nightly() == 1
        make_offer(prop)
        assert checkpoints.nightly() == 0, "tonight"
    with time_machine.travel(NOON + timedelta(days=2)):
        assert checkpoints.nightly() == 1
    first, second, third = taken()
    assert first.seq < second.seq < third.seq
    assert json.loads(third.body)["head"] == db.session.get_one(LedgerEntry, (prop.agency_id, third.seq)).hash.hex()


def test_on_demand_by_command_the_same_head_is_signed_once(either_app: Flask) -> None:
    from tests.factories import make_agency

    make_agency()
    runner = either_app.test_cli_runner()
    answers = [json.loads(runner.invoke(args=["ledger", "checkpoint", "--json"]).output) for _ in range(2)]
    assert answers[0] == answers[1] and answers[0]["agencies"][0]["seq"] == len(taken()) == 1


def test_a_register_that_does_not_hold_is_not_signed(app: Flask, prop: Property) -> None:
    db.session.execute(text("DROP TRIGGER tr_ledger_update"))
    db.session.execute(text("UPDATE ledger SET kind = 'other' WHERE seq = 2"))
    db.session.commit()
    with pytest.raises(checkpoints.BrokenRegister, match="entry 2"):
        checkpoints.take(prop.agency_id)
    with time_machine.travel(NOON):
        checkpoints.nightly()
    done = app.test_cli_runner().invoke(args=["ledger", "checkpoint"])
    assert not taken() and done.exit_code == 1 and "entry 2" in done.output


def tries() -> list[tuple[int, str | None, bool]]:
    db.session.rollback()
    rows = db.session.scalars(select(Timestamping).order_by(Timestamping.n))
    return [(row.n, row.fault, row.token is not None) for row in rows]


def test_a_timestamp_speaks_of_the_very_bytes_that_were_signed(stamped: Flask, tsa: Tsa) -> None:
    from tests.factories import make_agency

    agency = make_agency()
    checkpoints.take(agency)
    checkpoints.stamp_due()
    checkpoints.stamp_due()
    assert tries() == [(1, None, True)] and tsa.calls == 1
    line = checkpoints_of(agency)[0]
    info = tsp.ContentInfo.load(line.token or b"")["content"]["encap_content_info"]["content"].parsed
    import hashlib

    assert info["message_imprint"]["hashed_message"].native == hashlib.sha256(line.body).digest()


@pytest.mark.parametrize(
    ("mood", "fault"),
    [("503", "http_503"), ("rubbish", "invalid"), ("stale", "invalid"), ("declined", "declined"), ("gone", "connect")],
)
def test_where_there_is_none_that_is_recorded_and_it_is_tried_again(
    stamped: Flask, tsa: Tsa, mood: str, fault: str
) -> None:
    from tests.factories import make_agency

    agency = make_agency()
    tsa.mood = mood
    if mood == "gone":
        tsa.server.shutdown()
        tsa.server.server_close()
    checkpoints.take(agency)
    with time_machine.travel(NOON, tick=False) as clock:
        checkpoints.stamp_due()
        checkpoints.stamp_due()
        assert tries() == [(1, fault, False)], "not before its time"
        clock.shift(timedelta(minutes=6))
        checkpoints.stamp_due()
        assert tries() == [(1, fault, False), (2, fault, False)]
        held = checkpoints_of(agency)[0]
        assert held.token is None and (held.faults, held.fault) == (2, fault)
        if mood != "gone":
            tsa.mood = "well"
            clock.shift(timedelta(minutes=31))
            checkpoints.stamp_due()
            assert tries()[-1] == (3, None, True) and checkpoints_of(agency)[0].token


def exported(prop: Property, anonymised: bool) -> bytes:
    return b"".join(ledger_export.export(prop.agency_id, anonymised=anonymised, by=SYSTEM))


@pytest.mark.parametrize("form", ["full", "anonymised"])
def test_the_tool_checks_an_export_from_end_to_end(app: Flask, prop: Property, tmp_path: Path, form: str) -> None:
    offer_id = make_offer(prop)
    checkpoints.take(prop.agency_id)
    pdf, roots = receipts.make(prop.agency_id, offer_id), receipts.authority().roots_pem()
    lines = exported(prop, form == "anonymised")
    (tmp_path / "ledger.jsonl").write_bytes(lines)
    (tmp_path / "bent.jsonl").write_bytes(lines.replace(b"offer.submitted", b"offer.submittee"))
    (tmp_path / "root.pem").write_bytes(roots)
    for name, code in (("ledger.jsonl", 0), ("bent.jsonl", 1)):
        command = [sys.executable, str(ROOT / "tools" / "verify_receipt.py"), name, "--root", "root.pem"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
    said, receipt = verify_ledger(lines, roots), verify_receipt(pdf, roots)
    hashes_by_seq = {line["seq"]: line["hash"] for line in map(json.loads, lines.splitlines()) if "seq" in line}
    assert hashes_by_seq[int(receipt["entry"])] == receipt["head"], "a receipt is found in it"
    assert said["entries"] == str(len(hashes_by_seq)) and said["form"] == form


def test_anonymised_names_nobody(app: Flask, prop: Property) -> None:
    make_offer(prop)
    lines = exported(prop, True).decode()
    body = lines.split("\n", 1)[1]
    for told in (str(prop.id), str(prop.agent_id), "BF-", "Țurcanu", "Casa"):
        assert told not in body, told
    assert '"offer 1"' in body and '"property 1"' in body and "commitment" in body


@given(st.data(), st.booleans(), st.sampled_from(["flip", "drop", "double", "swap", "cut", "append"]))
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_export_that_was_bent_anywhere_is_refused(
    kept: Kept, data: st.DataObject, anonymised: bool, how: str
) -> None:
    export, roots = kept.anonymised if anonymised else kept.export, kept.roots
    lines = export.splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines) - 2))
    bent = list(lines)
    if how == "flip":
        at = data.draw(st.integers(0, len(export) - 1))
        content = bytearray(export)
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        bent = [bytes(content)]
    elif how == "drop":
        del bent[place]
    elif how == "double":
        bent.insert(place, bent[place])
    elif how == "swap":
        bent[place], bent[place + 1] = bent[place + 1], bent[place]
    elif how == "cut":
        bent = bent[: place + 1]
    else:
        bent.append(lines[place])
    changed = b"".join(bent)
    if changed == export:
        return
    try:
        said = verify_ledger(changed, roots)
    except Exception:
        return
    # Only spaces at the very end, or letters' case in a hash that is read as bytes, say the same.
    assert said == verify_ledger(export, roots) and how == "flip"
    assert changed[: -len(lines[-1])] == export[: -len(lines[-1])], "a line before the end was changed"


def test_it_says_where_an_export_was_bent(kept: Kept, tmp_path: Path) -> None:
    export, anonymised, roots = kept.export, kept.anonymised, kept.roots
    lines = export.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"seq":4' in line)
    other = Authority(settings_for(tmp_path)).roots_pem()
    hidden = anonymised.replace(b'"form":"anonymised"', b'"form":"full"', 1)
    for bent, key, words in (
        (b"".join([*lines[:at], *lines[at + 1 :]]), roots, "entry 4 is missing"),
        (export.replace(b'\\"seq\\":4', b'\\"seq\\":5', 1), roots, "entry 4 does not follow from the one before"),
        (b"".join(lines[:-1]), roots, "the end is not the one signed"),
        (hidden, roots, "entry 1 is missing"),
    ):
        assert bent != export
        with pytest.raises(ValueError, match=words):
            verify_ledger(bent, key)
    with pytest.raises(ValueError, match="under this root"):
        verify_ledger(export, other)


def test_the_owner_signs_reads_and_downloads_and_an_agent_does_not(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    login(client, make_user(prop.agency_id, "owner"))
    page = client.get("/app/settings/register").get_data(as_text=True)
    token = {"csrf_token": csrf(page)}
    assert client.post("/app/settings/register", data=token).status_code == 303
    head = checkpoints_of(prop.agency_id)[0].head
    assert head in client.get("/app/settings/register").get_data(as_text=True)
    lines = client.get("/app/settings/register/checkpoints.jsonl").get_data(as_text=True).splitlines()
    assert [json.loads(json.loads(line)["signed"])["head"] for line in lines] == [head]
    for form in ("full", "anonymised"):
        answer = client.post("/app/settings/register/export", data={**token, "form": form})
        assert answer.mimetype == "application/jsonl" and "attachment" in answer.headers["Content-Disposition"]
        assert verify_ledger(answer.data, receipts.authority().roots_pem())["form"] == form
    kinds = db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.kind == "ledger.exported")).all()
    assert len(kinds) == 2
    agent = app.test_client()
    login(agent, make_user(prop.agency_id))
    assert agent.get("/app/settings/register").status_code == 404


def test_what_failed_to_be_stamped_is_shown(app: Flask, client: FlaskClient, prop: Property) -> None:
    checkpoints.take(prop.agency_id)
    seq = taken()[0].seq
    login(client, make_user(prop.agency_id, "owner"))
    for n, (fault, words) in enumerate(
        (("http_503", "http_503"), ("connect", "Nimeni nu răspunde la această adresă")), 1
    ):
        tried = Timestamping(agency_id=prop.agency_id, seq=seq, n=n, at=now(), token=None, fault=fault)
        db.session.add(tried)
        db.session.commit()
        assert words in client.get("/app/settings/register").get_data(as_text=True)
    with pytest.raises(Exception, match="does not change"):
        db.session.execute(update(Checkpoint).values(seq=99))
    db.session.rollback()
