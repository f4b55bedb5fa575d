"""The units are ones that systemd takes, close what they may, and run programs that there are."""

from __future__ import annotations

import base64
import os
import pwd
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from flask import Flask

from app.config import load_settings
from tests.conftest import ROOT
from tests.core.test_settings import SOUND
from tests.deploy.fronts import replaced

UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
LEAST = 250  # from here on units know where their credentials are


def version() -> int:
    """Of systemd on this machine; 0 where there is none."""
    if not (program := shutil.which("systemd-analyze")):
        return 0
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return int(said[1]) if len(said) > 1 and said[1].isdecimal() else 0


needs_systemd = pytest.mark.skipif(version() < LEAST, reason="no systemd-analyze 250 here: apt-get install systemd")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the product where it lies here, and the machine's own user."""
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    for path in folder.glob("*.service"):
        path.write_text(replaced(path.read_text(), ("/opt/bidflux/.venv/bin", str(Path(sys.executable).parent))))
    common = folder / "bidflux-.service.d" / "10-bidflux.conf"
    me = pwd.getpwuid(os.getuid()).pw_name
    common.write_text(replaced(common.read_text(), ("/opt/bidflux", str(ROOT)), ("User=bidflux", f"User={me}")))
    return folder


def analyze(units: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["systemd-analyze", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@needs_systemd
def test_systemd_takes_every_unit(units: Path) -> None:
    names = sorted(path.name for path in units.glob("bidflux-*.*") if path.is_file())
    assert len(names) == 6
    done = analyze(units, "verify", "--man=no", *(str(units / name) for name in names))
    assert done.returncode == 0 and "bidflux" not in done.stderr, done.stderr
    (units / "bidflux-web.service").write_text("[Service]\nExecStart=/none\nProtectSystm=strict\n")
    assert analyze(units, "verify", "--man=no", str(units / "bidflux-web.service")).returncode != 0, "it would be seen"


@needs_systemd
def test_systemd_calls_every_service_closed(units: Path) -> None:
    for name in SERVICES:
        whole = (units / "bidflux-.service.d" / "10-bidflux.conf").read_text() + (units / name).read_text()
        (units / name).write_text(whole)  # offline it reads no drop-in
        done = analyze(units, "security", "--offline=yes", "--threshold=25", "--no-pager", str(units / name))
        assert done.returncode == 0, done.stdout[-600:] + done.stderr


def test_every_program_is_one_of_the_procfile_or_a_command(app: Flask) -> None:
    procfile = (ROOT / "Procfile").read_text()
    for name in SERVICES:
        line = next(line for line in (UNITS / name).read_text().splitlines() if line.startswith("ExecStart="))
        words = line.removeprefix("ExecStart=/opt/bidflux/.venv/bin/")
        assert words in procfile or words.startswith("flask --app wsgi backup create "), words


def test_the_settings_and_secrets_that_the_units_name_are_enough(tmp_path: Path) -> None:
    env = dict(
        line.split("=", 1) for line in (UNITS / "bidflux.env").read_text().splitlines() if line and line[0] != "#"
    )
    assert env["TRUSTED_PROXIES"] == "1"
    told = {name: value.strip('"') for name, value in env.items()} | {"BIDFLUX_DATA": str(tmp_path)}
    for word in (UNITS / "bidflux-.service.d" / "10-bidflux.conf").read_text().split():
        name, _, value = word.removeprefix("Environment=").partition("=")
        if value.startswith("%d/"):
            told[name] = str(secret(tmp_path, value.removeprefix("%d/")))
    assert load_settings(told).production


def secret(folder: Path, name: str) -> Path:
    made = {"secret_key": secrets.token_hex(32), "bidflux_keys": base64.b64encode(secrets.token_bytes(32)).decode()}
    path = folder / name
    path.write_text(made.get(name, "o parolă") + "\n")
    return path


def test_the_command_beside_the_units_runs_with_what_they_are_told(app: Flask, tmp_path: Path) -> None:
    """In folders of the test, as the user who runs it; a value with a space is read as systemd reads it."""
    etc, product = tmp_path / "etc", tmp_path / "opt"
    (etc / "secrets").mkdir(parents=True)
    (product / ".venv" / "bin").mkdir(parents=True)
    shown = product / ".venv" / "bin" / "flask"
    shown.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$MAIL_DEFAULT_SENDER" "$BIDFLUX_DATA" "$SECRET_KEY_FILE"\n')
    shown.chmod(0o755)
    shutil.copy(UNITS / "bidflux.env", etc)
    secret(etc / "secrets", "secret_key")
    me = pwd.getpwuid(os.getuid()).pw_name
    script = replaced(
        (UNITS / "bidflux").read_text(),
        ("/etc/bidflux", str(etc)),
        ("/opt/bidflux", str(product)),
        ("-u bidflux", f"-u {me}"),
    )
    done = subprocess.run(["sh", "-c", script, "bidflux", "agency", "list"], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines() == [
        *("--app", "wsgi", "agency", "list", "Oferte <oferte@example.ro>"),
        *("/var/lib/bidflux", f"{etc}/secrets/secret_key"),
    ], done.stderr


def evening() -> list[str]:
    """Every line that the operators' page has one type on the machine."""
    page = (ROOT / "docs" / "operators.md").read_text()
    return [line for block in re.findall(r"```bash\n(.*?)```", page, re.S) for line in block.splitlines()]


def test_what_the_evening_has_one_type_is_there(app: Flask) -> None:
    lines = evening()
    assert len(lines) > 40
    units = {path.name for path in UNITS.glob("bidflux-*")}
    for line in lines:
        for path in re.findall(r"/opt/bidflux/((?:deploy|requirements)[^\s\"]*)", line):
            assert list(ROOT.glob(path)), line
        if line.startswith("systemctl "):
            for name in re.findall(r"bidflux-[a-z]+", line):
                assert f"{name}.service" in units, line
        subprocess.run(["sh", "-n", "-c", line], check=True, timeout=30)


def test_commands_of_the_evening_are_commands_with_these_options(app: Flask) -> None:
    context = click.Context(app.cli)
    seen = 0
    page = (ROOT / "docs" / "operators.md").read_text()
    spoken = re.findall(r"`(bidflux (?:[a-z-]+)[^`…]*)", page)
    for line in [*(line for line in evening() if line.startswith("bidflux ")), *spoken]:
        words = shlex.split(line)[1:]
        command: click.Command | None = app.cli
        while isinstance(command, click.Group) and words:
            command = command.get_command(context, words.pop(0))
        assert command, line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
        seen += 1
    assert seen > 8


def test_secrets_made_as_the_page_says_are_taken(tmp_path: Path) -> None:
    made = [shlex.split(line.partition(" > ")[0]) for line in evening() if line.startswith("python3 -c")]
    values = [subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True).stdout for words in made]
    assert len(values) == 4
    for number in (0, 2):
        known = {"SECRET_KEY": values[number], "BIDFLUX_KEYS": values[number + 1]}
        assert load_settings({**SOUND, "BIDFLUX_DATA": str(tmp_path), **known})
