"""Nothing is lost, whatever is killed: the short run. `make faults` makes the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.run import run


@pytest.mark.slow
def test_two_hundred_offers_survive_ten_kills(sqlite_url: str, tmp_path: Path) -> None:
    figures = run(tmp_path, sqlite_url, offers=200, kills=10, seed=4, patient=False)
    assert figures["offers kept"] >= figures["answered with a receipt"] > 150
    assert figures["faults"] == 12
