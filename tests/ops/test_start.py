"""It starts with what is its own and sound, or says in one message what is not; never with something made up."""

from __future__ import annotations

import importlib
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.cli.errors import line_of
from app.config import ConfigurationError, load_settings
from app.core.keys import keyring
from app.core.vault import Keyring
from app.extensions import db
from app.ops import health, own_files
from app.privacy import erasure
from app.proof import checkpoints
from app.proof.authority import Authority
from tests.conftest import ROOT, make_app, migrate, settings_for
from tests.core.test_settings import SOUND, refused
from tests.factories import make_agency, make_offer, make_property, make_user

ODD = "a b?c#d%20e\"f'ș&;=+"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("machine")


def start(data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make run`, which must refuse."""
    clean = {name: value for name, value in os.environ.items() if name not in SOUND}
    told = {**clean, "BIDFLUX_DATA": str(data), "PORT": "0" if "PORT" not in environment else "", **environment}
    words = [sys.executable, str(ROOT / "tools" / "run.py")]
    return subprocess.run(words, cwd=ROOT, env=told, capture_output=True, text=True, timeout=120)


def wrong(**changes: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        own_files.require_own_files()
    return str(error.value)


def test_other_keys_are_not_taken(app: Flask) -> None:
    make_agency()
    own_files.require_own_files()
    mine = keyring().active
    app.extensions["bidflux_keyring"] = Keyring([os.urandom(32)])
    assert mine in wrong() and "BIDFLUX_KEYS" in wrong() and "secrets.env" in wrong()
    for command in ("setup", "worker", "relay"):
        done = app.test_cli_runner().invoke(args=[command])
        assert done.exit_code == 1 and "BIDFLUX_KEYS" in done.stderr and "Traceback" not in done.output


def test_a_key_that_is_not_there_any_more_is_named_by_the_commands(app: Flask) -> None:
    make_agency()
    app.extensions["bidflux_keyring"] = Keyring([os.urandom(32)])
    done = app.test_cli_runner().invoke(args=["keys", "rotate"])
    assert done.exit_code == 1 and done.stderr.startswith("Error: BIDFLUX_KEYS") and done.stderr.count("\n") == 1


def test_another_secret_key_is_not_taken_unless_the_old_one_is_a_fallback(app: Flask, tmp_path: Path) -> None:
    own_files.require_own_files()
    held = (tmp_path / own_files.CHECK).read_text()
    old = app.extensions["bidflux_settings"].secret_key
    assert old not in held and (tmp_path / own_files.CHECK).stat().st_mode & 0o077 == 0
    new = secrets.token_hex(32)
    app.extensions["bidflux_settings"] = settings_for(tmp_path, SECRET_KEY=new)
    assert "SECRET_KEY_FALLBACKS" in wrong() and new not in wrong()
    app.extensions["bidflux_settings"] = settings_for(tmp_path, SECRET_KEY=new, SECRET_KEY_FALLBACKS=old)
    own_files.require_own_files()
    app.extensions["bidflux_settings"] = settings_for(tmp_path, SECRET_KEY=new)
    own_files.require_own_files()
    app.extensions["bidflux_settings"] = settings_for(tmp_path, SECRET_KEY=old)
    assert "SECRET_KEY" in wrong()
    (tmp_path / own_files.CHECK).unlink()
    own_files.require_own_files()
    (tmp_path / own_files.CHECK).write_bytes(b"\xff" * 99)
    assert "SECRET_KEY" in wrong()


def test_a_seal_that_is_gone_is_not_made_anew_by_itself(app: Flask, tmp_path: Path) -> None:
    agency = make_agency()
    make_offer(make_property(agency, make_user(agency).id))
    own_files.require_own_files()
    checkpoints.take(agency)
    (tmp_path / "seal").rename(tmp_path / "elsewhere")
    assert "seal" in wrong() and not (tmp_path / "seal").exists()
    (tmp_path / "seal").mkdir()
    own_files.require_own_files()


def test_files_of_another_seal_are_named_at_the_start_and_nothing_is_sealed_with_them(
    app: Flask, tmp_path: Path
) -> None:
    """Receipts would be sealed and heads signed by what no root here vouches for, and nobody would be told."""
    authority, seal = app.extensions["bidflux_authority"], tmp_path / "seal"
    other = Authority(settings_for(tmp_path / "other"))
    for one in (authority, other):
        one.seal(), one.checkpoint()
    own_files.require_own_files()
    whole = {path.name: path.read_bytes() for path in seal.iterdir() if path.is_file()}
    theirs = {name: (tmp_path / "other" / "seal" / name).read_bytes() for name in whole if name != "lock"}
    mixed = list(theirs.items())
    mixed += [
        ("seal.key", whole["checkpoint.key"]),
        ("seal.key", whole["root.key"]),
        ("checkpoint.key", whole["seal.key"]),
    ]
    mixed += [(name, cut) for name in theirs for cut in (b"", b"\xff\0", whole[name][: len(whole[name]) // 2])]
    for name, bent in mixed:
        (seal / name).write_bytes(bent)
        said = wrong()
        assert str(seal) in said and said.count(str(seal)) <= 3, (name, bent[:30])
        (seal / name).write_bytes(whole[name])
        own_files.require_own_files()
    (seal / "root.pem").unlink()
    assert "root.pem is missing" in wrong()
    (seal / "root.pem").write_bytes(theirs["root.pem"] + whole["root.pem"])
    own_files.require_own_files()  # as after a restore of another machine's backup


def test_a_root_that_was_cut_off_while_it_was_made_is_followed_by_another(app: Flask, tmp_path: Path) -> None:
    authority, seal = Authority(settings_for(tmp_path)), tmp_path / "seal"
    authority.seal()
    for name in ("root.key", "seal.key"):
        (seal / name).unlink()
    own_files.require_own_files()
    Authority(settings_for(tmp_path)).seal()
    assert len(authority.own_roots()) == 2
    own_files.require_own_files()


def test_the_list_of_the_erased_is_made_anew_from_the_database(app: Flask, tmp_path: Path) -> None:
    agency = make_agency()
    offer = make_offer(make_property(agency, make_user(agency).id))
    erasure.erase_all(agency, [offer], "person")
    (tmp_path / erasure.FILE).unlink()
    own_files.require_own_files()
    erasure.replay()
    assert str(offer) in (tmp_path / erasure.FILE).read_text()


def test_make_run_invents_no_keys_beside_a_database(tmp_path: Path, machine: ModuleType) -> None:
    (tmp_path / "bidflux.db").write_bytes(b"x")
    done = start(tmp_path, PORT="1")
    assert done.returncode == 1 and done.stdout.count("\n") == 1 and not done.stderr
    done = start(tmp_path, PORT=str(machine.free_port()))
    assert done.returncode == 1 and "secrets.env is missing" in done.stdout and "Traceback" not in done.stderr
    assert not (tmp_path / "secrets.env").exists()
    (tmp_path / "secrets.env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(machine.StartupError, match="is no text"):
        machine.load_secrets(tmp_path / "secrets.env", {})


@pytest.mark.parametrize("name", ["file", "file/below", "/proc/none"])
def test_a_data_folder_that_is_none_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    done = start(tmp_path / name, PORT="8000")
    assert done.returncode == 1 and "BIDFLUX_DATA" in done.stdout and not done.stderr
    assert "BIDFLUX_DATA" in refused(BIDFLUX_DATA=str(tmp_path / name)) if "proc" not in name else True


@pytest.mark.parametrize("port", ["abc", "0", "65536", "9" * 5000, "-1", "8000.5"])
def test_a_port_that_is_none_is_one_line(tmp_path: Path, port: str) -> None:
    done = start(tmp_path, PORT=port)
    assert done.returncode == 1 and done.stdout.startswith("PORT must be") and not done.stderr


@pytest.mark.parametrize("host", ["no such host", "a..b", "h" * 300, "203.0.113.77", "::zz"])
def test_a_host_that_is_none_is_one_line(machine: ModuleType, host: str) -> None:
    with pytest.raises(machine.StartupError, match="Cannot listen"):
        machine.check_port(host, machine.free_port())


def test_where_it_listens_is_where_it_sends_people(machine: ModuleType) -> None:
    told = {
        "::1": "[::1]",
        "0.0.0.0": "127.0.0.1",
        "::": "127.0.0.1",
        "192.0.2.7": "192.0.2.7",
        "localhost": "localhost",
    }
    assert {host: machine.reachable(host) for host in told} == told
    for host in told.values():
        assert load_settings({**SOUND, "BIDFLUX_ENV": "development", "BASE_URL": f"http://{host}:8000"})


def test_what_valkey_cannot_read_is_set_aside_with_the_moment_in_its_name(
    tmp_path: Path, machine: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = importlib.import_module("run")
    data = tmp_path / ODD
    data.mkdir()
    log = data / "valkey" / "appendonlydir"
    for rubbish in (b"", b"\0" * 4096, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n" + b"\0" * 64, b"rubbish"):
        product = run.Product({**os.environ, "BIDFLUX_DATA": str(data)})
        product.lock = machine.lock_folder(data)
        try:
            product.start_valkey()
            assert product.children["valkey"].exit_code() is None
        finally:
            product.bring_down()
        with next(log.glob("*.incr.aof")).open("ab") as file:
            file.write(rubbish)
    told = capsys.readouterr().out.count("set aside as")
    aside = [one for one in (data / "valkey").iterdir() if ".broken-20" in one.name]
    assert 1 <= told == len(aside) and all(any(one.iterdir()) for one in aside)


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "MAIL_PORT": ["abc", "0", "65536", "9" * 5000, "٣٣٣٣٣٣", "-1"],
        "TRUSTED_PROXIES": ["x", "11", "-1", "1.5"],
        "WEBHOOK_ALLOW_NETWORKS": ["foo", "10.0.0.1/8", "10.0.0.0/99", "::/200"],
        "DATABASE_URL": [
            "x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:////tmp/a?b", "postgresql://h:abc/db",
            "postgresql://[::1/db", "mysql://h/db",
        ],
        "REDIS_URL": [
            "x", "redis://h:abc/0", "redis://h:99999999/0", "redis://[::1", "redis://h/0?socket_timeout=x",
            "redis://h/0?no_such=1", "redis://h/abc", "redis://a..b/0", "rediss://h/0?ssl_cert_reqs=x",
        ],
        "SENTRY_DSN": ["x", "https://sentry.example/1", "https://key@h:abc/1", "https://[::1", "https://key@/x"],
        "BASE_URL": [
            "x", "https://[::1", "https://h:abc", "https://h:99999", "https://h/#x", "https://", "https://a b", "https://u:p@h",
            "https://h:0", "https://a..b",
        ],
        "TSA_URL": ["x", "https://[::1", "http://h:abc/", "https://a b/", "https://a..b/"],
        "SUPPORT_EMAIL": ["x", "a b@c", "a@"],
        "MAIL_DEFAULT_SENDER": ["x", "BidFlux <x>"],
        "MAIL_BOUNCE_TO": ["x"],
    }.items(),
)  # fmt: skip
def test_a_wrong_setting_is_named_and_all_others_with_it(name: str, values: list[str]) -> None:
    for value in values:
        said = refused(**{name: value, "MAIL_USE_TLS": "perhaps"})
        assert name in said and "MAIL_USE_TLS" in said, value
        assert said.count(name) == 1 or name == "MAIL_PORT", said


def test_a_setting_that_is_no_text_or_several_lines_is_named() -> None:
    for name in (*SOUND, "SUPPORT_EMAIL", "SENTRY_DSN", "TSA_URL", "BACKUP_RECIPIENT", "DATABASE_URL", "QUOTA_USERS"):
        for value in ("a\udcffb", "a@b\nBcc: c@d"):
            assert f"{name} is not text in UTF-8 on one line" in refused(**{name: value})


@pytest.mark.parametrize("name", ["BIDFLUX_DATA", "SEAL_FILE"])
def test_a_path_that_leads_nowhere_is_named(tmp_path: Path, machine: ModuleType, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in ("~nobody-of-that-name/x", str(tmp_path / "loop" / "x"), f"{tmp_path}/\udcff", f"{tmp_path}/a\nb"):
        assert name in refused(**{name: path})
        with pytest.raises(machine.StartupError, match="BIDFLUX_DATA"):
            importlib.import_module("run").Product({"BIDFLUX_DATA": path})
    assert machine.data_folder(f" {tmp_path} ") == load_settings({**SOUND, "BIDFLUX_DATA": f" {tmp_path} "}).data_dir


def test_what_stands_in_the_way_of_a_file_is_named(tmp_path: Path, machine: ModuleType) -> None:
    os.mkfifo(tmp_path / "secrets.env")
    with pytest.raises(machine.StartupError, match=r"secrets\.env is no file"):
        machine.load_secrets(tmp_path / "secrets.env", {})
    (tmp_path / "run.env").mkdir()
    with pytest.raises(OSError, match=r"/run\.env'$"):
        machine.write_private(tmp_path / "run.env", "x")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["run.env", "secrets.env"]
    with pytest.raises(machine.StartupError, match="Cannot listen"):
        machine.check_port("h\udcff", 1)


def test_what_is_found_wrong_while_it_is_made_is_one_line_too(tmp_path: Path) -> None:
    """A database that is a link to itself, and a `run.env` that is no text, before any command begins."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "run.env").write_bytes(b"\xff\xfe")
    sound = {**os.environ, **SOUND, "BIDFLUX_DATA": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/loop"}
    bare = {name: value for name, value in sound.items() if name != "SECRET_KEY"}
    for environment, said in ((sound, "loop"), (bare, "run.env cannot be read")):
        words = [sys.executable, "-m", "flask", "--app", "wsgi", "usage"]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_server_and_a_command_say_what_is_wrong_without_a_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, **SOUND, "BIDFLUX_DATA": str(tmp_path), "MAIL_PORT": "abc", "REDIS_URL": "x"}
    for words in (["gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"], ["flask", "--app", "wsgi", "doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=ROOT, env={**environment, "PORT": "1"}, capture_output=True, text=True
        )
        assert done.returncode and "MAIL_PORT" in done.stderr and "REDIS_URL" in done.stderr
        assert "Traceback" not in done.stderr, done.stderr
    words = ["-m", "flask", "--app", "wsgi", "doctor", "--json"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "MAIL_PORT" in done.stdout and done.stdout.startswith('{"error": ')


def test_a_folder_with_any_signs_in_its_name_holds_the_database(tmp_path: Path) -> None:
    made = make_app(settings_for(tmp_path / ODD))
    migrate(made)
    with made.app_context():
        make_agency()
        db.session.remove()
        db.engine.dispose()
    assert (tmp_path / ODD / "bidflux.db").stat().st_size > 100_000
    assert [one.name for one in tmp_path.iterdir()] == [ODD]


def test_readiness_follows_what_can_be_written(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ASKED_AGAIN", 0.0)
    client = app.test_client()
    assert client.get("/readyz").status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr(health, "LEAST_TO_SERVE", 2**80)
        full = client.get("/readyz")
        assert full.status_code == 503 and full.json["checks"]["database"] == "full"
    assert client.get("/readyz").status_code == 200, "without a new start"
    db.session.execute(text("PRAGMA user_version"))
    db.session.rollback()
    with db.engine.connect() as other:
        other.exec_driver_sql("ROLLBACK")
        other.exec_driver_sql("BEGIN IMMEDIATE")
        assert client.get("/readyz").status_code == 200, "somebody writes: that is no fault"
        other.exec_driver_sql("ROLLBACK")


def test_a_disk_that_is_full_keeps_no_half_of_a_check_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(own_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        own_files._write(tmp_path / "links.check", "x")
    assert not list(tmp_path.iterdir())


def test_a_bug_keeps_its_traceback() -> None:
    for bug in (KeyError("x"), ValueError("x"), AttributeError("x"), AssertionError(), BrokenPipeError(32, "x")):
        assert line_of(bug) is None


@pytest.mark.parametrize("typed", ["abc", "0", "-1", "1.5", "99999"])
def test_a_number_of_processes_that_is_none_is_named(machine: ModuleType, typed: str) -> None:
    with pytest.raises(machine.StartupError, match="WEB_CONCURRENCY must be a whole number"):
        machine.check_number("WEB_CONCURRENCY", {"WEB_CONCURRENCY": typed})


@pytest.mark.parametrize("held", [b"\xff\xfe", b"nimic\n"])
def test_a_list_of_the_forgotten_that_is_none_is_named(app: Flask, held: bytes) -> None:
    path = app.extensions["bidflux_settings"].data_dir / erasure.FILE
    path.write_bytes(held)
    with pytest.raises(ConfigurationError, match="not the list of who was erased"):
        erasure.replay()
