"""The page about data names every table, and how each may change, as the models have it."""

from __future__ import annotations

import re

from app.models import Base
from app.privacy import data_map
from tests.conftest import ROOT


def classified() -> list[tuple[str, str]]:
    """Every (table, column) that has a class, as often as it has one."""
    return [
        (table, column)
        for table, by_class in data_map.COLUMNS.items()
        for columns in by_class.values()
        for column in columns.split()
    ]


def class_of(table: str, column: str) -> data_map.DataClass:
    (name,) = (name for name, columns in data_map.COLUMNS[table].items() if column in columns.split())
    return next(known for known in data_map.CLASSES if known.name == name)


def test_every_table_is_described_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "docs" / "data.md").read_text(), re.M)
    models = {mapper.class_.__tablename__: mapper.class_.__kept__.kept.value for mapper in Base.registry.mappers}
    assert {name: how.strip() for name, how in rows} == models


def test_every_column_has_one_class() -> None:
    columns = [(table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns]
    assert sorted(classified()) == sorted(columns), "give each column its class in app/privacy/data_map.py"


def test_what_is_sealed_speaks_of_people_or_is_a_secret() -> None:
    sealed = [(table, column) for table, column in classified() if column.endswith("_ct")]
    assert sealed
    of_agency = {
        ("photo_copy", "url_ct"),
        ("property_feed", "url_ct"),
        ("property_feed", "key_ct"),
        ("property_feed", "file_ct"),
        ("property_feed", "tried_ct"),
        ("webhook_endpoint", "url_ct"),
        ("webhook_endpoint", "secret_ct"),
        ("earlier_secret", "secret_ct"),
    }
    assert all(class_of(*one).personal for one in sealed if one not in of_agency)


def test_what_stays_in_clear_is_named() -> None:
    """Rule: every column that speaks of people is sealed, or the page about privacy says that it is not."""
    open_ones = [one for one in classified() if class_of(*one).personal and not one[1].endswith("_ct")]
    named = [tuple(one.split(".")) for columns in data_map.IN_CLEAR.values() for one in columns.split()]
    assert sorted(named) == sorted(open_ones), "seal the column, or name it in IN_CLEAR of app/privacy/data_map.py"
    sealed = {column.type.__class__.__name__ for table in Base.metadata.sorted_tables for column in table.columns
              if column.name.endswith("_ct")}  # fmt: skip
    assert sealed == {"LargeBinary"}


def test_the_page_about_personal_data_is_what_the_map_says() -> None:
    page = (ROOT / "docs" / "personal-data.md").read_text()
    assert page == data_map.markdown(), "python -m app.privacy.data_map > docs/personal-data.md"
