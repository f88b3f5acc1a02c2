"""How tables are declared: instants, names of constraints, closed sets, and which columns let someone in.

Times are UTC: aware in Python, text in SQLite, timestamptz in PostgreSQL. A `version` column stands
where two people may edit the same row.
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
"""Marks a column, or a table, that lets someone in: it leaves the clinic in no export (exports/clinic_zip.py)."""
WHOLE_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: only aware values in, aware UTC values out, whichever the database."""

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
    """A time of day, kept as the minutes since its day's midnight."""

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
    """A column that holds one of these words, or one of the words of a closed set."""
    values = [value for word in words for value in ((word,) if isinstance(word, str) else word)]
    return CheckConstraint(f"{column} IN ({listed(values)})", name=column)


def listed(values: Iterable[str]) -> str:
    """Some of our own words as SQL lists them."""
    return ", ".join(f"'{value}'" for value in values)
