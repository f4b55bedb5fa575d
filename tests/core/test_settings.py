"""The product does not start half configured, and says everything that is wrong at once."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import click
import pytest

from app.config import ConfigurationError, load_settings

SOUND = {
    "BIDFLUX_ENV": "production",
    "BIDFLUX_DATA": "/tmp/nowhere",
    "SECRET_KEY": secrets.token_hex(32),
    "BIDFLUX_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
    "BASE_URL": "https://oferte.example",
    "MAIL_SERVER": "smtp.example",
    "MAIL_DEFAULT_SENDER": "oferte@agentie.example",
    "REDIS_URL": "redis://queue.example/0",
}


def refused(**changes: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        load_settings({**SOUND, **changes})
    return str(error.value)


def test_sound_settings_start() -> None:
    assert load_settings(SOUND).secure


@pytest.mark.parametrize("secret", ["", "short", "dev", "changeme" * 8, "a" * 64, "0123456789abcdef" * 4])
def test_a_missing_short_or_default_secret_is_refused(secret: str) -> None:
    assert "SECRET_KEY" in refused(SECRET_KEY=secret)


@pytest.mark.parametrize("keys", ["", "x", base64.b64encode(b"short").decode(), base64.b64encode(bytes(32)).decode()])
def test_missing_or_weak_data_keys_are_refused(keys: str) -> None:
    assert "BIDFLUX_KEYS" in refused(BIDFLUX_KEYS=keys)


def test_everything_wrong_is_named_at_once_and_no_secret_is_shown() -> None:
    wrong = {"SECRET_KEY": "hunter2hunter2", "BIDFLUX_KEYS": "opensesame", "BASE_URL": "oferte", "MAIL_PORT": "many"}
    said = refused(**wrong)
    assert all(name in said for name in wrong)
    assert "hunter2" not in said and "opensesame" not in said


def test_the_data_key_is_not_the_session_key() -> None:
    same = base64.b64encode(secrets.token_bytes(32)).decode()
    assert "BIDFLUX_KEYS" in refused(SECRET_KEY=same, BIDFLUX_KEYS=same)


def test_a_command_beside_make_run_finds_what_that_run_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.env").write_text("".join(f"{name}={value}\n" for name, value in SOUND.items()))
    for name in SOUND:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BIDFLUX_DATA", str(tmp_path))
    with pytest.raises(ConfigurationError):
        load_settings()  # a server never does
    typed = click.Context(click.Command("flask"))
    with typed:
        assert load_settings().base_url == "https://oferte.example" and load_settings().data_dir == tmp_path.resolve()
    monkeypatch.setenv("BASE_URL", "https://alta.example")
    with typed:
        assert load_settings().base_url == "https://alta.example", "the environment wins"
    monkeypatch.setenv("SECRET_KEY", SOUND["SECRET_KEY"])
    with typed, pytest.raises(ConfigurationError, match="BIDFLUX_KEYS"):
        load_settings()  # whoever brings a key of their own is a deployment, and brings all


def test_ports_of_calls_are_named_beside_the_webs_own() -> None:
    assert load_settings({**SOUND, "OUTBOUND_PORTS": "8443, 9000"}).outbound == ((), frozenset({8443, 9000}))
    for wrong in ("0", "65536", "x", "8443-9000", "-1", "²", "9" * 5000):
        assert "OUTBOUND_PORTS" in refused(OUTBOUND_PORTS=wrong)
