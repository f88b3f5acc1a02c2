"""Field types for bodies and queries, and how strictly they validate."""

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from service.http import context
from service.storage.models import AppointmentStatus

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL stores no NUL, so none is accepted anywhere."""
_rfc3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII).fullmatch
_number = re.compile(r"\d{1,19}", re.ASCII).fullmatch
_iso_day = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch


class Sent(BaseModel):
    """What a caller sends: exactly these fields, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Shown(BaseModel):
    """What a caller gets: read from a row, by the names of its columns."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, frozen=True, defer_build=True)


def _local(at: datetime) -> str:
    return at.astimezone(context.wiring().settings.clinic.zone).isoformat()


def _instant(value: Any) -> Any:
    """Only a text of RFC 3339: pydantic would read `1700000000` as a time too."""
    try:
        return datetime.fromisoformat(value.upper() if _rfc3339(value) else "")
    except (TypeError, ValueError):
        raise ValueError("Write a time with its offset, such as 2026-05-04T09:15:00+02:00.") from None


def _instant_in_reach(at: datetime) -> datetime:
    """The far ends of the calendar cannot be counted with."""
    if not 2000 <= at.year <= 2100:
        raise ValueError("Write a time between 2000 and 2100.")
    return at


def _day(value: Any) -> Any:
    """Only a text `YYYY-MM-DD`."""
    try:
        return date.fromisoformat(value if _iso_day(value) else "")
    except (TypeError, ValueError):
        raise ValueError("Write a day, such as 2026-05-04.") from None


def _day_in_reach(day: date) -> date:
    if not 1850 <= day.year <= 2100:
        raise ValueError("Write a day between 1850 and 2100.")
    return day


def _digits(value: Any) -> Any:
    """Only plain digits: pydantic would read `1_0` and `+1` as numbers too."""
    if not isinstance(value, str) or not _number(value):
        raise ValueError("Write a number in digits.")
    return int(value)


Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
AskedId = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=2**63 - 1)]
"""An id in a query."""
Limit = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=100, description="How many a page has at most.")]
Days = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=31)]
Version = Annotated[
    int, Field(ge=0, le=2**63 - 1, description="The version that was read: 409 once there is another one.")
]
ShownAt = Annotated[
    datetime, PlainSerializer(_local, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""An instant with the clinic's offset."""
SentAt = Annotated[
    datetime,
    BeforeValidator(_instant),
    AfterValidator(_instant_in_reach),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant: ISO 8601 with its offset, or Z."""
Day = Annotated[
    date,
    BeforeValidator(_day),
    AfterValidator(_day_in_reach),
    WithJsonSchema({"type": "string", "format": "date"}),
]
"""A day on the clinic's calendar."""
Cursor = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Za-z-]{1,60}$"),
    Field(description="`next` of the page before, as it was."),
]
Department = Annotated[str, StringConstraints(max_length=100, pattern=NO_NUL)]
Line = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]


def words_of(closed: type[StrEnum]) -> WithJsonSchema:
    """Describes a field by the words of a closed set."""
    return WithJsonSchema({"type": "string", "enum": list(closed)})


Status = Annotated[AppointmentStatus, Field(strict=False), words_of(AppointmentStatus)]


class PageQuery(Sent):
    after: Cursor | None = None
