"""What goes wrong in a command, in one line: what it is, and what to do. One place for all of them.

What nobody foresaw keeps its traceback: that is a bug, and has to be seen.
Exit codes: 0 done, 1 not done, 2 asked for wrongly.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

import click
from flask import Flask, has_app_context
from flask_babel import force_locale
from redis import RedisError
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, ProgrammingError

from app.backups import BackupFailed
from app.config import ConfigurationError
from app.core.errors import DomainError
from app.core.language import SOURCE
from app.core.vault import CannotOpen

T = TypeVar("T")
UNPREPARED = ("no such table", "no such column")


def handle_errors(group: click.Group) -> None:
    """Give every command under `group` the one way to fail, those of Flask's extensions too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            handle_errors(command)
        elif command is not None:
            command.invoke = _invoking(command)  # type: ignore[method-assign, assignment]  # click has no hook for it
            command.make_context = _reading(command)  # type: ignore[method-assign]  # nor for what it reads


def line_of(error: BaseException) -> str | None:
    """What an operator is told of a failure outside the product; None for a bug."""
    if isinstance(error, BackupFailed):
        return str(error)
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, DomainError):
        with force_locale(SOURCE) if has_app_context() else nullcontext():  # as all that commands say
            told = [str(word) for words in getattr(error, "errors", {}).values() for word in words]
            return "; ".join(told) or str(error) or error.title
    if isinstance(error, UnicodeError) and "surrogate" in str(error):
        return "what was typed, or what is in the way of a name, is not text in UTF-8"
    if isinstance(error, CannotOpen):
        return f"BIDFLUX_KEYS does not open this data ({error}): put the key that it was sealed under back, at the end"
    if isinstance(error, RedisError):
        return f"Valkey does not answer ({type(error).__name__}): is it up, and is REDIS_URL right?"
    if isinstance(error, (DBAPIError, sqlite3.Error)):
        return _of_database(error)
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        named = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return f"{named}{error.strerror or str(error) or type(error).__name__}"
    return None


def _of_database(error: DBAPIError | sqlite3.Error) -> str | None:
    """Away, locked, full, read-only, empty, no database: its own first line. A question of ours that was wrong, or a
    rule of ours that was broken, is a bug."""
    message = (str(getattr(error, "orig", error)).strip().splitlines() or [type(error).__name__])[0]
    missing = any(words in message for words in UNPREPARED)
    if missing or (isinstance(error, ProgrammingError) and "does not exist" in message):
        return f"the database is not up to date ({message}): run `flask db upgrade`"
    states = (OperationalError, InterfaceError, sqlite3.OperationalError)
    state = isinstance(error, states) or type(error) in (DatabaseError, sqlite3.DatabaseError)
    return f"the database says: {message}" if state and "syntax error" not in message else None


def _invoking(command: click.Command) -> Callable[[click.Context], Any]:
    def invoke(context: click.Context) -> Any:
        data_on_print = context.params.get("out") == "-"
        return _plainly(lambda: type(command).invoke(command, context), context.params.get("as_json"), data_on_print)

    return invoke


def _reading(command: click.Command) -> Callable[..., click.Context]:
    def make_context(name: str | None, words: list[str], *rest: Any, **options: Any) -> click.Context:
        asked = "--json" in words and any("--json" in option.opts for option in command.params)
        return _plainly(lambda: type(command).make_context(command, name, words, *rest, **options), asked, False)

    return make_context


def _plainly(act: Callable[[], T], as_json: bool | None, data_on_print: bool) -> T:
    try:
        return act()
    except click.ClickException as failed:
        if as_json:
            _say_json(failed.format_message(), data_on_print)
        raise
    except Exception as error:
        line = line_of(error)
        if line is None:
            raise
        if as_json:
            _say_json(line, data_on_print)
        raise click.ClickException(line) from None


def _say_json(line: str, data_on_print: bool) -> None:
    click.echo(json.dumps({"error": line}, ensure_ascii=False), err=data_on_print)


def started(create: Callable[[], Flask]) -> Flask:
    """The application; where the settings are wrong, their names and no traceback, for servers as for commands."""
    try:
        return create()
    except Exception as error:
        line = None if isinstance(error, ConfigurationError) else line_of(error)
        if line is None and not isinstance(error, ConfigurationError):
            raise
        wrong = error if isinstance(error, ConfigurationError) else ConfigurationError([str(line)])
        if click.get_current_context(silent=True) is None:
            raise SystemExit(wrong.format_message()) from None
        if "--json" in sys.argv:
            _say_json(wrong.format_message(), data_on_print=False)
        raise wrong from None
