"""One list of checks: what `make check` runs is what a commit is held to."""

from __future__ import annotations

import yaml

from tests.conftest import ROOT
from tools.check import CHECKS, VULNERABILITIES


def test_a_commit_is_held_to_what_make_check_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    names = [*CHECKS, VULNERABILITIES]
    assert [hook["entry"] for hook in repository["hooks"]] == [f"make check CHECKS={name}" for name in names]
    assert [hook["id"] for hook in repository["hooks"]] == names
