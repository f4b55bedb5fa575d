"""What the documents say is true: links resolve, targets exist, commands run, variables are read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from flask import Flask

from app.core import secret_files
from app.offers.document import Bidder
from tests.conftest import ROOT
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_waits_to_be_filled_in(page: Path) -> None:
    assert not re.findall(r"\b(?:FIGURES?|TODO|TBD|FIXME|XXX+|PLACEHOLDER)\b|[Ll]orem ipsum", page.read_text())


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"`make ([a-z]+)", page.read_text()):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name}: make {target}"


def test_the_commands_of_the_operators_page_run(app: Flask) -> None:
    text = (ROOT / "docs" / "operators.md").read_text()
    block = re.search(r"```sh\n(.*?)```", text, re.S)
    assert block
    lines = block.group(1).strip().splitlines()
    assert len(lines) >= 7
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words[:3] == ["flask", "--app", "wsgi"]
        done = app.test_cli_runner().invoke(args=words[3:], input="cinci vrăbii pe gard 47\n")  # where it asks
        assert done.exit_code == 0, (line, done.output)


def test_the_commands_of_the_page_about_privacy_run(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prop = make_property(agency := make_agency(), make_user(agency).id)
    make_offer(prop, make_draft(bidder=Bidder("Ana Pop", "ana@client.example", "+40722000111")))
    lines = re.findall(r"^\$ flask --app wsgi (.*)$", (ROOT / "docs" / "privacy.md").read_text(), re.M)
    assert [shlex.split(line)[1] for line in lines] == ["export", "export", "erase", "purge"]
    monkeypatch.chdir(tmp_path)
    for line in lines:
        done = app.test_cli_runner().invoke(args=shlex.split(line))
        assert done.exit_code == 0, (line, done.output)
        if " erase " in line:
            assert "1 " in done.output
    assert (tmp_path / "copy.pdf").read_bytes().startswith(b"%PDF")


def test_every_command_that_a_page_names_exists(app: Flask) -> None:
    """Also those that stand in a sentence: `flask ledger verify`, `flask --app wsgi doctor`."""
    named = set()
    for page in PAGES:
        for words in re.findall(r"\bflask (?:--app wsgi )?((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", page.read_text()):
            named.add(words)
    context = click.Context(app.cli)
    assert len(named) > 12
    for words in sorted(named):
        first, _, second = words.partition(" ")
        command = app.cli.get_command(context, first)
        assert command, words
        if second and isinstance(command, click.Group):
            assert command.get_command(context, second), words


def variables_read() -> set[str]:
    """Every variable that settings, web server and `make run` read from the environment."""
    text = "".join((ROOT / name).read_text() for name in ("app/config.py", "gunicorn.conf.py"))
    how = (
        r'(?:environ\.get|_number|\.text|\.words|\.flag|\.number|\.address|\.mailbox|\.secret)\(\s*["\']([A-Z][A-Z_]+)'
    )
    return set(re.findall(how, text)) | {"BIDFLUX_KEYS"} | {f"{name}_FILE" for name in secret_files.NAMES}


def test_every_variable_is_listed_and_read() -> None:
    listed = set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    read = set(re.findall(r'"([A-Z][A-Z_]{3,})"', (ROOT / "app" / "config.py").read_text()))
    for name in (
        "SECRET_KEY",
        "BIDFLUX_KEYS",
        "DATABASE_URL",
        "REDIS_URL",
        "BASE_URL",
        "MAIL_SERVER",
        "TRUSTED_PROXIES",
    ):
        assert name in listed and name in read, name
    assert listed == variables_read(), "each variable stands in .env.example, and each that stands there is read"
