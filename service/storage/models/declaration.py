"""How tables are declared: instants, names of constraints, enums, and which columns are secret.

Times are UTC: aware in Python, text in SQLite, timestamptz in PostgreSQL. Tables whose rows two people may edit at the
same time have a `version` column.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Enum,
    Integer,
    MetaData,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase

from service.clock import DayTime

SECRET = {"secret": True}
"""Marks a column or table that could be used to sign in: no export contains it (exports/clinic_zip.py)."""
WHOLE_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: accepts only aware values and returns aware UTC values, in every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class MinutesOfDay(TypeDecorator[DayTime]):
    """A time of day, stored as minutes since midnight."""

    impl = WHOLE_NUMBER
    cache_ok = True

    def process_bind_param(self, value: DayTime | None, dialect: Dialect) -> int | None:
        return None if value is None else value.minutes

    def process_result_value(self, value: int | None, dialect: Dialect) -> DayTime | None:
        return None if value is None else DayTime(value)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        DayTime: MinutesOfDay(),
        StrEnum: Enum(StrEnum, native_enum=False, length=20, values_callable=list),
        int: WHOLE_NUMBER,
    }


def one_of(column: str, *words: str | type[StrEnum]) -> CheckConstraint:
    """Return a constraint that a column has one of these words, or of the values of an enum."""
    values = [value for word in words for value in ((word,) if isinstance(word, str) else word)]
    return CheckConstraint(f"{column} IN ({listed(values)})", name=column)


def listed(values: Iterable[str]) -> str:
    """Return some of our own words as an SQL list."""
    return ", ".join(f"'{value}'" for value in values)
