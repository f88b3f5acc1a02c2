"""Day sheets: a doctor's day on one printed page, for when the power fails."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import open_hours
from service.domain.appointments.open_hours import Block, Span
from service.domain.diary import calendar
from service.domain.diary.calendar import Booked
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.storage.models import NOT_COMING, Appointment, AppointmentStatus, Doctor


@dataclass(frozen=True)
class Line:
    """A line of a sheet: an appointment, or free time if `visit` is None."""

    starts_at: datetime
    ends_at: datetime
    visit: Booked | None


@dataclass(frozen=True)
class Sheet:
    """One doctor's day."""

    doctor: Doctor
    lines: Sequence[Line]

    @property
    def visits(self) -> int:
        """The number of appointments on it."""
        return sum(line.visit is not None for line in self.lines)


def of_day(
    session: Session, actor: Actor, day: date, zone: ZoneInfo, *, doctor_id: int | None = None
) -> Sequence[Sheet]:
    """Return the sheets of a day, in the order of the doctors: those with hours or appointments on it.

    A doctor gets only their own. Canceled appointments are left out. Raises NotFound for an unknown doctor.
    """
    start, end = clock.day_bounds(day, zone)
    doctors = calendar.doctors(session, actor, doctor_id=doctor_id)
    if doctor_id is None and actor.role != Role.DOCTOR:
        doctors = [*doctors, *_gone_with_visits(session, start, end)]
    doctor_ids = [doctor.id for doctor in doctors]
    visits: dict[int, list[Booked]] = defaultdict(list)
    taken: dict[int, list[Span]] = defaultdict(list)
    for visit in calendar.visits(session, start, end, doctor_ids):
        if visit.status not in NOT_COMING:
            taken[visit.doctor_id].append((visit.starts_at, visit.ends_at))
        if visit.status != AppointmentStatus.CANCELLED and visit.starts_at >= start:
            visits[visit.doctor_id].append(visit)
    blocks = open_hours.open_blocks(session, day, day, zone, doctor_ids)
    sheets = (
        Sheet(one, _lines(visits[one.id], taken[one.id], open_hours.between(blocks.get((one.id, day), []), start, end)))
        for one in doctors
    )
    return [sheet for sheet in sheets if sheet.lines]


def note_printed(session: Session, actor: Actor, day: date, sheets: Sequence[Sheet]) -> None:
    """Record in the audit log that someone opened the sheets of a day, once per patient on them."""
    listed = {line.visit.patient_id for sheet in sheets for line in sheet.lines if line.visit is not None}
    nobody: list[int | None] = [None]
    for patient_id in sorted(listed) or nobody:
        audit.record(session, actor, "day_sheet.view", patient_id=patient_id, subject=f"day/{day}")


def _lines(visits: Sequence[Booked], taken: Sequence[Span], blocks: Sequence[Block]) -> list[Line]:
    """Return the appointments of the day and the free time between them."""
    free = [span for block in blocks for span in open_hours.without(block.starts_at, block.ends_at, taken)]
    lines = [Line(visit.starts_at, visit.ends_at, visit) for visit in visits]
    lines += [Line(start, end, None) for start, end in free]
    return sorted(lines, key=lambda line: (line.starts_at, line.visit is None))


def _gone_with_visits(session: Session, start: datetime, end: datetime) -> Sequence[Doctor]:
    """Return archived doctors who still have appointments on the day."""
    with_visits = select(Appointment.doctor_id).where(Appointment.starts_at >= start, Appointment.starts_at < end)
    query = select(Doctor).where(Doctor.archived_at.is_not(None), Doctor.id.in_(with_visits)).order_by(Doctor.id)
    return session.scalars(query).all()
