"""What every table shares: naming of constraints, column types, and the class of the table."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Kept(enum.Enum):
    """How a table may change; triggers on both engines hold it. See docs/decisions/0002-data-model.md."""

    APPEND = "append-only"
    DELETE = "insert and delete"
    KEY = "insert, delete, re-wrap"
    MUTABLE = "mutable"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC moment; refuses naive ones on the way in, never returns one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """SQLite holds text without a zone: read in one step, since lists and files read very many."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)
        return lambda text: text and datetime.fromisoformat(f"{text}+00:00")


class Hundredths(TypeDecorator[float]):
    """A number of two decimals, kept exactly as its hundredths; `72` comes back as such, and `72.4`."""

    impl = BigInteger().with_variant(Integer(), "sqlite")
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:
        return None if value is None else round(value * 100)

    def process_result_value(self, value: int | None, dialect: Dialect) -> float | None:
        if value is None:
            return None
        return value / 100 if value % 100 else value // 100


@dataclass(frozen=True, slots=True)
class Keeping:
    """The class of a table, and every set of columns by which INSERT OR REPLACE could hit one of its rows."""

    kept: Kept
    unique: tuple[tuple[str, ...], ...]


def kept(how: Kept, *unique: tuple[str, ...]) -> Keeping:
    return Keeping(how, unique)


class Base(DeclarativeBase):
    """Every table; each names its class in `__kept__`."""

    __kept__: ClassVar[Keeping]
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        bytes: LargeBinary(),
        uuid.UUID: Uuid(),
        str: String(),
    }


Id = Annotated[uuid.UUID, mapped_column(Uuid(), primary_key=True)]


def own(table: str, column: str | None = None, *, ondelete: str | None = None) -> ForeignKeyConstraint:
    """A foreign key that carries the agency along, so that the database itself holds the tenant rule."""
    column = column or f"{table}_id"
    return ForeignKeyConstraint(["agency_id", column], [f"{table}.agency_id", f"{table}.id"], ondelete=ondelete)


def tenant_unique() -> UniqueConstraint:
    """What composite foreign keys point at."""
    return UniqueConstraint("agency_id", "id")
