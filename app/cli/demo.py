"""`demo seed`: data worth looking at, and large amounts of it."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup

demo = AppGroup("demo", help="Demonstration data.")


def register(app: Flask) -> None:
    app.cli.add_command(demo)
