"""One way to answer: a JSON object for scripts, a line for people."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")


def say(answer: dict[str, Any], line: str, *, as_json: bool) -> None:
    """Print the answer on standard output."""
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else line)


def fail(message: str) -> NoReturn:
    """Stop with one line on standard error and exit code 1."""
    raise click.ClickException(message)


def write_private(path: Path, data: bytes) -> None:
    """A file that its owner alone reads, from its first byte. A device or pipe is nobody's own and keeps its mode."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fchmod(file.fileno(), 0o600)
        file.write(data)


def read_secret(what: str) -> str:
    """Asked for without an echo, or one line of standard input: arguments stand in the list of processes."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, err=True))
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        fail(f"{what}: this is no text in UTF-8")


def read_line(what: str) -> str:
    """What a person types after being asked, or one line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(what, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def refuse_argument(_context: click.Context, option: click.Parameter, value: str | None) -> None:
    """For an option that would show a secret to everybody on the machine."""
    if value is not None:
        fail(f"{option.opts[0]} stands in the list of processes and in the shell's history: use --stdin")
