"""What `make mutants` asks of pytest, for it runs a thousand times: cheap tests first, and fast ones only.

Left out: whatever needs an application of its own, for that costs more than the tests do; and the search for the
smallest example once one was found.
"""

from __future__ import annotations

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
settings.load_profile("mutants")


def _cost(item: pytest.Item) -> tuple[bool, bool]:
    return "kept" in getattr(item, "fixturenames", ()), hasattr(getattr(item, "obj", None), "hypothesis")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    own = [item for item in items if OWN & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=own)
    items[:] = sorted((item for item in items if item not in own), key=_cost)
