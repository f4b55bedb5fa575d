"""The command line for scripts: every command takes `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
from flask import Flask

from tests.factories import make_agency

NOT_OURS = {"run", "shell", "routes", "db"}  # Flask's and Flask-Migrate's


def commands(group: click.Group, name: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, click.Group) and word not in NOT_OURS:
            yield from commands(command, f"{name}{word} ")
        elif command and name + word not in NOT_OURS:
            yield name + word, command


def test_every_command_takes_json(app: Flask) -> None:
    found = dict(commands(app.cli))
    assert len(found) > 20 and "ledger export" in found and "relay" in found
    assert not [name for name, command in found.items() if not any("--json" in p.opts for p in command.params)]


def test_an_export_sums_up_beside_its_lines(app: Flask, tmp_path: Path) -> None:
    agency = str(make_agency("Casa Bună"))
    runner, export = app.test_cli_runner(), ["ledger", "export", "--agency", "Casa Bună", "--json"]
    printed = runner.invoke(args=export)
    assert all(json.loads(line) for line in printed.stdout.splitlines())
    told = {"agency": agency, "name": "Casa Bună", "anonymised": False}
    assert json.loads(printed.stderr) == {**told, "file": "-", "bytes": len(printed.stdout_bytes)}
    out = tmp_path / "register.jsonl"
    written = runner.invoke(args=[*export, "--out", str(out)])
    assert json.loads(written.stdout) == {**told, "file": str(out), "bytes": out.stat().st_size} and not written.stderr
    nowhere = runner.invoke(args=[*export, "--out", str(tmp_path / "no" / "folder")])
    assert nowhere.exit_code == 1 and nowhere.stderr == f"Error: {tmp_path}/no/folder: No such file or directory\n"
    assert json.loads(nowhere.stdout) == {"error": f"{tmp_path}/no/folder: No such file or directory"}
