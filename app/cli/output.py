"""One way to answer: a JSON object for scripts, a line for people."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")


def say(answer: dict[str, Any], line: str, *, as_json: bool) -> None:
    """Print the answer on standard output."""
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else line)


def fail(message: str) -> NoReturn:
    """Stop with one line on standard error and exit code 1."""
    raise click.ClickException(message)
