"""`keys rotate`: wrap every key anew under the first of `BIDFLUX_KEYS`."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup

from app.cli.output import as_json, say
from app.core.keys import rewrap_batch
from app.core.unit_of_work import housekeeping

keys = AppGroup("keys", help="Data-encryption keys.")


def register(app: Flask) -> None:
    app.cli.add_command(keys)


@keys.command("rotate")
@as_json
def rotate(as_json: bool) -> None:
    """Re-wrap all keys under the active one. Batch by batch: killed at any point, run it again."""
    total = 0
    while done := _batch():
        total += done
    say({"rewrapped": total}, f"{total} keys wrapped anew under the active key", as_json=as_json)


def _batch() -> int:
    with housekeeping() as connection:
        return rewrap_batch(connection)
