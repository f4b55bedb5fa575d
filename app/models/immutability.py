"""The triggers that hold each table to its class, for both engines.

SQLite: UPDATE and DELETE raise, and so does an INSERT that meets a row by any unique key, because INSERT OR REPLACE
deletes that row without firing a delete trigger. PostgreSQL: UPDATE, DELETE and TRUNCATE raise; an upsert is an UPDATE.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table

from app.models.base import Base, Keeping, Kept

REWRAPPED = ("kek_id", "wrapped")


def triggers(dialect: str) -> dict[str, str]:
    """Every trigger that must exist: name to DDL."""
    build = _sqlite if dialect == "sqlite" else _postgresql
    models = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda model: model.__tablename__)
    return {name: ddl for model in models for name, ddl in build(model.__table__, model.__kept__)}


def _sqlite(table: Table, keeping: Keeping) -> Iterator[tuple[str, str]]:
    kept = keeping.kept
    if kept is Kept.MUTABLE:
        return
    frozen = [c.name for c in table.columns if c.name not in REWRAPPED]
    of = f" OF {', '.join(frozen)}" if kept is Kept.KEY else ""
    yield _sqlite_trigger(f"tr_{table.name}_update", f"BEFORE UPDATE{of} ON {table.name}", table.name)
    if kept is Kept.APPEND:
        yield _sqlite_trigger(f"tr_{table.name}_delete", f"BEFORE DELETE ON {table.name}", table.name)
    meets = " OR ".join(
        "(" + " AND ".join(f"{column} = NEW.{column}" for column in columns) + ")" for columns in keeping.unique
    )
    # Only names of our own tables and columns meet here.
    when = f"BEFORE INSERT ON {table.name} WHEN EXISTS (SELECT 1 FROM {table.name} WHERE {meets})"  # noqa: S608  # nosec B608
    # The plain INSERT that meets a row must still fail as a uniqueness fault does.
    yield _sqlite_trigger(f"tr_{table.name}_replace", when, f"UNIQUE constraint failed: {table.name}", prefix="")


def _sqlite_trigger(name: str, when: str, what: str, prefix: str = "this table does not change: ") -> tuple[str, str]:
    return name, f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{prefix}{what}'); END"


FUNCTION = """
CREATE FUNCTION bidflux_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'this table does not change: %', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def _postgresql(table: Table, keeping: Keeping) -> Iterator[tuple[str, str]]:
    kept = keeping.kept
    if kept is Kept.MUTABLE:
        return
    what = {
        Kept.APPEND: "UPDATE OR DELETE",
        Kept.DELETE: "UPDATE",
        Kept.KEY: f"UPDATE OF {', '.join(c.name for c in table.columns if c.name not in REWRAPPED)}",
    }[kept]
    refuse = "EXECUTE FUNCTION bidflux_refuse()"
    row, truncate = f"tr_{table.name}_row", f"tr_{table.name}_truncate"
    yield row, f"CREATE TRIGGER {row} BEFORE {what} ON {table.name} FOR EACH ROW {refuse}"
    yield truncate, f"CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {table.name} FOR EACH STATEMENT {refuse}"
