"""What the documents say is true: links resolve, targets exist, commands run, variables are read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


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
        words = shlex.split(line)
        assert words[:3] == ["flask", "--app", "wsgi"]
        done = app.test_cli_runner().invoke(args=words[3:])
        assert done.exit_code == 0, (line, done.output)


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
