"""What `make mutants` asks of pytest, for it runs a thousand times: the quickest tests first, and quick ones only.

Left out: whatever needs an application of its own, for that costs more than the tests do; and the search for the
smallest example once one was found.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

OWN = {"app", "either_app", "stamped"}

settings.register_profile(
    "mutants",
    phases=[Phase.explicit, Phase.generate],
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def pytest_configure() -> None:
    settings.load_profile("mutants")  # after the suite's own


def _seconds() -> dict[str, float]:
    """How long each test took when mutmut ran them all once."""
    stats = Path("mutmut-stats.json")
    found: dict[str, float] = json.loads(stats.read_text())["duration_by_test"] if stats.exists() else {}
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    own = [item for item in items if OWN & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=own)
    seconds = _seconds()
    rest = (item for item in items if item not in own)
    items[:] = sorted(
        rest, key=lambda item: ("kept" in getattr(item, "fixturenames", ()), seconds.get(item.nodeid, 0.0))
    )
