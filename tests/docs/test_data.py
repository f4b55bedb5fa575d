"""The page about data names every table, and how each may change, as the models have it."""

from __future__ import annotations

import re

from app.models import Base
from tests.conftest import ROOT


def test_every_table_is_described_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "docs" / "data.md").read_text(), re.M)
    models = {mapper.class_.__tablename__: mapper.class_.__kept__.kept.value for mapper in Base.registry.mappers}
    assert {name: how.strip() for name, how in rows} == models
