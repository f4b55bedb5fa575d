"""`setup`, `setup-link`, `doctor`, `usage`, `worker`, `relay`: what an operator and a process manager call."""

from __future__ import annotations

import secrets
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask_babel import force_locale
from flask_migrate import upgrade
from sqlalchemy import select

from app.accounts import founding
from app.backups import ending
from app.cli.output import as_json, fail, say
from app.core.clock import rfc3339
from app.core.language import SOURCE
from app.extensions import db
from app.models import Agency
from app.ops import health, usages
from app.ops.own_files import require_own_files

json_lines = click.option("--json", is_flag=True, expose_value=False, help="Changes nothing: it logs lines of JSON.")


def register(app: Flask) -> None:
    for command in (setup, setup_link, doctor, usage, worker, relay):
        app.cli.add_command(command)


@click.command("setup")
@click.option("--demo", is_flag=True, help="Fill an empty database with the demo agency.")
@as_json
def setup(demo: bool, as_json: bool) -> None:
    """Bring the database up to date; with --demo make it worth looking at."""
    from app.cli.demo import first_link, seed_demo

    ending.complete()
    require_own_files()  # before anything is written with them
    upgrade(directory=str(Path(current_app.root_path).parent / "migrations"))
    answer: dict[str, Any] = {"email": None, "password": None, "api_key": None, "buyer_path": None, "setup_url": None}
    if demo:
        if not db.session.scalar(select(Agency.id).limit(1)):
            answer |= seed_demo(secrets.token_urlsafe(9))
        answer["buyer_path"] = first_link()
    line = "ready"
    if first := founding.link():
        answer["setup_url"], line = first[0], f"ready; {_told(*first)}"
    say(answer, line, as_json=as_json)


@click.command("setup-link")
@as_json
def setup_link(as_json: bool) -> None:
    """Print the link by which the first agency is made; there is one only while there is no agency."""
    first = founding.link()
    if first is None:
        fail("there is an agency already: `agency create` makes another")
    url, until = first
    say({"setup_url": url, "expires_at": rfc3339(until)}, _told(url, until), as_json=as_json)


def _told(url: str, until: datetime) -> str:
    return f"make the first agency, once, until {rfc3339(until)}:\n{url}"


@click.command("worker")
@json_lines
def worker() -> None:
    """Deliver what becomes due, until SIGTERM."""
    from app.workers.worker import run_worker

    ending.complete()
    require_own_files()
    run_worker(current_app._get_current_object())  # type: ignore[attr-defined]  # documented proxy method


@click.command("relay")
@json_lines
def relay() -> None:
    """Own the clock: sweep every five seconds for what is due, and deliver it when nobody else does."""
    from app.workers.relay import run_relay

    ending.complete()
    require_own_files()
    run_relay(current_app._get_current_object())  # type: ignore[attr-defined]  # documented proxy method


@click.command("doctor")
@as_json
def doctor(as_json: bool) -> None:
    """Look at everything an installation needs; exit 1 when something is wrong."""
    with force_locale(SOURCE):
        findings = health.findings()
    sound = all(map(health.is_sound, findings.values()))
    lines = "\n".join(f"{name:<14}{finding}" for name, finding in findings.items())
    say({"ok": sound, **findings}, lines, as_json=as_json)
    sys.exit(0 if sound else 1)


@click.command("usage")
@click.option("--measure", is_flag=True, help="Count the bytes that are held, instead of all that were ever written.")
@as_json
def usage(measure: bool, as_json: bool) -> None:
    """What each agency holds and writes, beside its quotas; the largest first."""
    if measure:
        usages.measure()
    most = current_app.extensions["bidflux_settings"].quotas
    rows = usages.by_agency()
    head = (
        f"of {most.gigabytes} GB  {most.megabytes_a_day} MB a day  {most.offers_a_day} offers a day"
        f"  {most.offers} offers  {most.properties} properties  {most.users} users"
    )
    lines = [
        f"{row.bytes / 1e9:.3f} GB  {row.day_bytes / 1e6:.1f} MB  {row.day_offers}  {row.offers}  {row.properties}"
        f"  {row.users}  {row.name}"
        for row in rows
    ]
    told = [{name: str(value) if name == "id" else value for name, value in row._asdict().items()} for row in rows]
    say({"quotas": asdict(most), "agencies": told}, "\n".join([head, *lines]), as_json=as_json)
