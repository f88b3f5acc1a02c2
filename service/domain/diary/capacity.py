"""Capacity: hours booked against hours open, per doctor and week."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import open_hours
from service.storage.models import NOT_COMING, Appointment


@dataclass
class Load:
    """The number of booked appointments, their minutes, and the minutes their doctors are open."""

    visits: int = 0
    booked_minutes: int = 0
    open_minutes: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.visits + other.visits,
            self.booked_minutes + other.booked_minutes,
            self.open_minutes + other.open_minutes,
        )


def minutes(spans: Iterable[tuple[datetime, datetime]]) -> int:
    """Return the total length of some spans in whole minutes."""
    return int(sum((end - start for start, end in spans), timedelta()).total_seconds() // 60)


def open_minutes(
    session: Session, first: date, last: date, zone: ZoneInfo, doctor_ids: Sequence[int]
) -> dict[tuple[int, date], int]:
    """Return each doctor's open minutes per day from `first` to `last`, without time off and with extra hours."""
    blocks = open_hours.open_blocks(session, first, last, zone, doctor_ids)
    return {
        (doctor_id, day): minutes(
            (block.starts_at, block.ends_at) for block in open_hours.between(found, *clock.day_bounds(day, zone))
        )
        for (doctor_id, day), found in blocks.items()
    }


def loads(
    session: Session, first: date, last: date, zone: ZoneInfo, doctor_ids: Sequence[int]
) -> dict[tuple[int, date], Load]:
    """Return each doctor's load per day from `first` to `last`; days without any are left out."""
    found = {
        key: Load(open_minutes=number) for key, number in open_minutes(session, first, last, zone, doctor_ids).items()
    }
    start, end = clock.day_bounds(first, zone)[0], clock.day_bounds(last, zone)[1]
    rows = session.execute(
        select(Appointment.doctor_id, Appointment.starts_at, Appointment.ends_at)
        .where(Appointment.starts_at >= start, Appointment.starts_at < end)
        .where(Appointment.status.not_in(NOT_COMING), Appointment.doctor_id.in_(doctor_ids))
    )
    for doctor_id, starts_at, ends_at in rows:
        load = found.setdefault((doctor_id, starts_at.astimezone(zone).date()), Load())
        load.visits += 1
        load.booked_minutes += minutes([(starts_at, ends_at)])
    return found
