"""Every command takes what the pages take, and refuses the rest in one line; nothing is half made."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts import editing as accounts
from app.accounts import facts
from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Agency, ApiKey, LedgerEntry, Property, User
from tests.factories import make_agency, make_user

LONG = "x" * 201
SURROGATE = "Casa \udce9"
CREATE = ("agency", "create", "--name", "Casa", "--email", "ana@casa.example")
USER = ("user", "create", "--name", "Ana", "--email", "ana2@casa.example")
REFUSED = {
    "zone": (*CREATE, "--zone", "Mars/X"),
    "zone with a path": (*CREATE, "--zone", "../../etc/passwd"),
    "no zone": (*CREATE, "--zone", ""),
    "zone in small letters": (*CREATE, "--zone", "europe/bucharest"),
    "no name": ("agency", "create", "--name", "  ", "--email", "ana@casa.example"),
    "long name": ("agency", "create", "--name", LONG, "--email", "ana@casa.example"),
    "name with an escape": ("agency", "create", "--name", "Casa\x1b[31m", "--email", "ana@casa.example"),
    "name that is no text": ("agency", "create", "--name", SURROGATE, "--email", "ana@casa.example"),
    "no address": ("agency", "create", "--name", "Casa", "--email", "ana"),
    "long address": ("agency", "create", "--name", "Casa", "--email", "a" * 300 + "@casa.example"),
    "taken address": ("agency", "create", "--name", "Casa", "--email", "owner@taken.example"),
    "user without a name": ("user", "create", "--name", "", "--email", "ana2@casa.example"),
    "user with a long name": ("user", "create", "--name", LONG, "--email", "ana2@casa.example"),
    "user with a taken address": ("user", "create", "--name", "Ana", "--email", "OWNER@taken.example"),
    "user's role": (*USER, "--role", "king"),
    "user's agency": (*USER, "--agency", "Nicio agenție"),
    "user's agency by id": (*USER, "--agency", str(uuid.uuid4())),
    "unknown person": ("user", "set-password", "--email", "nobody@casa.example"),
    "key without a name": ("api-key", "create", "--name", " "),
    "key with a long name": ("api-key", "create", "--name", "x" * 101),
    "key's scope": ("api-key", "create", "--scope", "admin"),
    "key for no days": ("api-key", "create", "--days", "0"),
    "key for days before": ("api-key", "create", "--days", "-3"),
    "key for ever": ("api-key", "create", "--days", "99999999999"),
    "keys of nobody": ("api-key", "list", "--agency", "Nimeni"),
    "no such key": ("api-key", "revoke", str(uuid.uuid4())),
    "a key that is none": ("api-key", "revoke", "cheia mea"),
    "addresses of nobody": ("webhook", "list", "--agency", "Nimeni"),
    "sink's secret": ("webhook", "sink", "--secret", "whsec_ț"),
    "sink's port": ("webhook", "sink", "--port", "70000"),
    "sink's count": ("webhook", "sink", "--count", "-1"),
    "export of nobody": ("privacy", "export", "--email", "ana"),
    "export in no language": ("privacy", "export", "--email", "ana@casa.example", "--language", "xx"),
    "export as a PDF on print": ("privacy", "export", "--email", "ana@casa.example", "--format", "pdf"),
    "erasing nobody": ("privacy", "erase", "--email", "ana", "--yes"),
    "erasing elsewhere": ("privacy", "erase", "--email", "ana@casa.example", "--agency", "Nimeni", "--yes"),
    "register of nobody": ("ledger", "verify", "--agency", "Nimeni"),
    "head of nobody": ("ledger", "checkpoint", "--agency", str(uuid.uuid4())),
    "export of no register": ("ledger", "export", "--agency", "Nimeni"),
    "no properties": ("demo", "seed", "--properties", "0"),
    "offers before": ("demo", "seed", "--offers", "-1"),
    "seed without a name": ("demo", "seed", "--properties", "1", "--offers", "0", "--agency", " "),
    "seed with a long name": ("demo", "seed", "--properties", "1", "--offers", "0", "--agency", LONG),
}  # fmt: skip


@pytest.fixture
def held(either_app: Flask) -> Flask:
    make_user(make_agency(), "owner", email="owner@taken.example")
    return either_app


def counts() -> list[int | None]:
    db.session.rollback()
    return [db.session.scalar(select(func.count()).select_from(one)) for one in (Agency, User, ApiKey, LedgerEntry)]


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_is_refused_in_one_line_and_leaves_nothing(held: Flask, words: tuple[str, ...]) -> None:
    before = counts()
    done = held.test_cli_runner().invoke(args=[*words])
    said = done.stderr.strip().splitlines()
    assert done.exit_code in {1, 2} and isinstance(done.exception, SystemExit), done.output
    assert said[-1].startswith("Error: ") and (len(said) == 1 or said[0].startswith("Usage:")), said
    assert not done.stdout.strip()
    told = held.test_cli_runner().invoke(args=[*words, "--json"])
    assert told.exit_code == done.exit_code
    text = told.stderr.splitlines()[0] if words[:2] == ("ledger", "export") else told.stdout
    assert set(json.loads(text)) == {"error"}
    assert counts() == before


def test_what_is_refused_is_said_in_english(held: Flask) -> None:
    for name, words in (("zone", "time zone"), ("no name", "Fill this in"), ("long name", "200 characters")):
        assert words in held.test_cli_runner().invoke(args=[*REFUSED[name]]).stderr
    taken = held.test_cli_runner().invoke(args=[*REFUSED["user with a taken address"]]).stderr
    assert "already signs in" in taken and "{" not in taken


def test_what_is_typed_is_kept_as_the_pages_keep_it(held: Flask) -> None:
    words = ("agency", "create", "--name", "  Casa   Bună ", "--email", "Ana@Casa.Example", "--zone", "Europe/London")
    made = json.loads(held.test_cli_runner().invoke(args=[*words, "--json"]).stdout)
    agency = db.session.get_one(Agency, uuid.UUID(made["id"]))
    assert (agency.name, agency.email, agency.zone) == ("Casa Bună", "ana@casa.example", "Europe/London")
    assert accounts.authenticate(made["email"], made["password"])


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (facts.of_agency, {"zone": "Mars/X"}),
        (facts.of_agency, {"language": "xx"}),
        (facts.of_agency, {"name": ""}),
        (facts.of_agency, {"company": "x" * 301}),
        (facts.of_agency, {"privacy_contact": "nobody"}),
        (facts.of_agency, {"phone": "12"}),
        (facts.of_user, {"role": "king"}),
        (facts.of_user, {"language": "hu"}),
        (facts.of_user, {"full_name": "\u2028"}),
        (facts.of_user, {"email": "a@b"}),
        (facts.of_key, {"name": "x" * 101}),
    ],
)
def test_the_services_refuse_it_whoever_calls(rule: Any, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        rule(values)


def test_a_key_is_revoked_once(held: Flask) -> None:
    key = accounts.create_api_key(db.session.scalars(select(Agency.id)).one(), "CRM", by=SYSTEM)
    for _ in range(2):
        assert held.test_cli_runner().invoke(args=["api-key", "revoke", key]).exit_code == 0
    revoked = select(func.count()).where(LedgerEntry.kind == "api_key.revoked")
    assert db.session.scalar(revoked) == 1


def test_several_of_one_name_are_told_apart_by_their_ids(held: Flask) -> None:
    ids = [make_agency("Aceeași"), make_agency("Aceeași")]
    said = held.test_cli_runner().invoke(args=["api-key", "list", "--agency", "Aceeași"])
    assert said.exit_code == 1 and "by its id" in said.stderr and len(ids) == 2
    assert "--agency" in held.test_cli_runner().invoke(args=["api-key", "list"]).stderr


def test_seeding_takes_an_agency_that_has_nothing_yet(held: Flask) -> None:
    name = db.session.scalars(select(Agency.name)).one()
    words = ["demo", "seed", "--properties", "1", "--offers", "0", "--agency", name]
    made = held.test_cli_runner().invoke(args=words)
    assert made.exit_code == 0, made.output
    assert db.session.scalar(select(func.count()).select_from(Agency)) == 1


def test_seeding_by_an_id_makes_no_agency(held: Flask) -> None:
    known, several = str(db.session.scalars(select(Agency.id)).one()), [make_agency("Aceeași") for _ in range(2)]
    for wanted, code in ((known, 0), (known.upper(), 0), (str(uuid.uuid4()), 1), ("0" * 32, 1), ("Aceeași", 1)):
        words = ["demo", "seed", "--properties", "1", "--offers", "0", "--agency", wanted]
        said = held.test_cli_runner().invoke(args=words)
        assert said.exit_code == code and said.output.count("\n") == 1, said.output
    assert db.session.scalar(select(func.count()).select_from(Agency)) == 1 + len(several)
    assert db.session.scalar(select(func.count()).select_from(Property)) == 2
