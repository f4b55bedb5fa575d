"""Secrets that lie in files: read once, said twice is refused, and what cannot be read is one line."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from app.config import load_settings
from app.core.secret_files import MOST_BYTES, NAMES
from tests.core.test_settings import SOUND, refused
from tools import machine

VALUES = {
    "SECRET_KEY": "0f9a" + SOUND["SECRET_KEY"],
    "SECRET_KEY_FALLBACKS": "1f9a" + SOUND["SECRET_KEY"],
    "BIDFLUX_KEYS": SOUND["BIDFLUX_KEYS"],
    "DATABASE_URL": "postgresql://bidflux:parola@db.example/bidflux",
    "REDIS_URL": "rediss://:parola@queue.example/0",
    "MAIL_PASSWORD": "două cuvinte",
    "METRICS_TOKEN": "2f9a" + SOUND["SECRET_KEY"],
    "SENTRY_DSN": "https://abc@sentry.example/1",
    "OIDC_CLIENT_SECRET": "parola clientului",
}
WITH = {"OIDC_CLIENT_SECRET": {"OIDC_ISSUER": "https://issuer.example", "OIDC_CLIENT_ID": "bidflux"}}


def test_each_secret_is_read_from_its_file(tmp_path: Path) -> None:
    assert set(VALUES) == set(NAMES)
    env = {name: value for name, value in SOUND.items() if name not in NAMES}
    for name, value in VALUES.items():
        (tmp_path / name).write_text(f"{value}\n", encoding="utf-8")
        env[f"{name}_FILE"] = str(tmp_path / name)
    env |= WITH["OIDC_CLIENT_SECRET"]
    assert load_settings(env) == load_settings({**SOUND, **VALUES, **WITH["OIDC_CLIENT_SECRET"]})


def test_a_value_in_a_file_is_held_to_the_same_rules(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for content, said in (("dev", "SECRET_KEY is a default"), ("a\nb", "SECRET_KEY is not text")):
        file.write_text(content)
        assert said in refused(SECRET_KEY="", SECRET_KEY_FILE=str(file))


@pytest.mark.parametrize("name", NAMES)
def test_both_set_is_refused_and_an_empty_one_is_not_set(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(VALUES[name])
    said = refused(**{name: VALUES[name], f"{name}_FILE": str(tmp_path / "file")})
    assert f"{name} and {name}_FILE are both set" in said and VALUES[name] not in said
    assert load_settings({**SOUND, f"{name}_FILE": " "}) == load_settings(SOUND)
    assert load_settings({**SOUND, **WITH.get(name, {}), name: " ", f"{name}_FILE": str(tmp_path / "file")})


def test_a_file_that_cannot_be_read_is_one_line_that_names_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "large").write_bytes(b"x" * (MOST_BYTES + 1))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "loop").symlink_to("loop")
    for name in (
        "none",
        "pipe",
        "empty",
        "large",
        "bytes",
        "loop",
        ".",
        "empty/x",
        "a\nb",
        "a\0b",
        "x" * 5000,
        "\udcff",
    ):
        said = refused(MAIL_PASSWORD_FILE=f"{tmp_path}/{name}").splitlines()
        assert len(said) == 2 and said[1].startswith("  - MAIL_PASSWORD_FILE: "), said
    said = refused(SECRET_KEY="", SECRET_KEY_FILE="/none", BIDFLUX_KEYS="", BIDFLUX_KEYS_FILE="/none")
    assert "SECRET_KEY_FILE: /none" in said and "BIDFLUX_KEYS_FILE: /none" in said


def test_beside_make_run_the_environment_wins_in_either_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.env").write_text("".join(f"{name}={value}\n" for name, value in SOUND.items()))
    for name in SOUND:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BIDFLUX_DATA", str(tmp_path))
    (tmp_path / "address").write_text(VALUES["REDIS_URL"])
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "address"))
    with click.Context(click.Command("flask")):
        assert load_settings().redis_url == VALUES["REDIS_URL"]


def test_make_run_makes_no_secret_where_files_hold_them(tmp_path: Path) -> None:
    given = {"SECRET_KEY_FILE": "/run/a", "BIDFLUX_KEYS_FILE": "/run/b"}
    assert machine.load_secrets(tmp_path / "secrets.env", given) == {} and not list(tmp_path.iterdir())
