"""Doctors' days as lightweight rows, for pages with hundreds of appointments."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import candidates, free_times, open_hours
from service.domain.appointments.open_hours import Block, Span
from service.domain.diary import offers
from service.domain.diary.offers import Held
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import NotFound
from service.storage.models import TAKES_PLACE, Appointment, AppointmentStatus, Doctor, Patient, VisitType

LIMIT = 5000
"""More appointments than this no page shows: 100 doctors with 50 a day."""


class Booked(NamedTuple):
    """An appointment as the calendar and day sheets show it; times in UTC."""

    id: int
    doctor_id: int
    starts_at: datetime
    ends_at: datetime
    status: AppointmentStatus
    confirmed: bool
    overbooked: bool
    reason: str
    patient_id: int
    patient_name: str
    birth_date: date | None
    phone: str | None
    type_name: str | None
    colour: int | None


@dataclass
class Day:
    """One doctor's day with its appointments and slots; times in UTC."""

    doctor_id: int
    day: date
    blocks: Sequence[Block]
    """What lies on this date of hours that cross midnight."""
    visits: list[Booked] = field(default_factory=list)
    """Canceled ones too."""
    held: list[Held] = field(default_factory=list)
    free: list[Span] = field(default_factory=list)
    """What can still be booked."""


def doctors(session: Session, actor: Actor, *, doctor_id: int | None = None, department: str = "") -> Sequence[Doctor]:
    """Return the doctors whose days the actor may see: a doctor their own, the desk one or a department's.

    In the order they joined. Raises NotFound for a doctor who does not exist; one who left can still be named.
    """
    query = select(Doctor).order_by(Doctor.id).limit(500)
    if actor.role == Role.DOCTOR:
        return session.scalars(query.where(Doctor.id == actor.doctor_id)).all()
    if doctor_id is not None:
        found = session.scalars(query.where(Doctor.id == doctor_id)).all()
        if not found:
            raise NotFound
        return found
    return session.scalars(query.where(candidates.any_of(department))).all()


def visits(session: Session, first: datetime, last: datetime, doctor_ids: Sequence[int]) -> list[Booked]:
    """Return these doctors' appointments that overlap two instants, including canceled ones, by time."""
    query = (
        select(
            Appointment.id,
            Appointment.doctor_id,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.status,
            Appointment.confirmed_at.is_not(None),
            Appointment.overbooked,
            Appointment.reason,
            Patient.id,
            Patient.name,
            Patient.birth_date,
            Patient.phone,
            VisitType.name,
            VisitType.colour,
        )
        .join(Patient, Patient.id == Appointment.patient_id)
        .outerjoin(VisitType, VisitType.id == Appointment.visit_type_id)
        .where(Appointment.doctor_id.in_(doctor_ids), Appointment.starts_at > first - free_times.LONGEST)
        .where(Appointment.starts_at < last, Appointment.ends_at > first)
        .order_by(Appointment.starts_at, Appointment.id)
        .limit(LIMIT)
    )
    return [Booked._make(row) for row in session.execute(query)]


def days(session: Session, first: date, last: date, zone: ZoneInfo, doctor_ids: Sequence[int]) -> list[Day]:
    """Return each of these doctors' days from `first` to `last` in the clinic's time zone."""
    start, end = clock.day_bounds(first, zone)[0], clock.day_bounds(last, zone)[1]
    dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    blocks = open_hours.open_blocks(session, first, last, zone, doctor_ids)
    over = max((block.ends_at for of_day in blocks.values() for block in of_day), default=end)
    found = {
        (one, day): Day(one, day, open_hours.between(blocks.get((one, day), []), *clock.day_bounds(day, zone)))
        for one in doctor_ids
        for day in dates
    }
    taken: dict[int, list[Span]] = {one: [] for one in doctor_ids}
    # What begins on the night before the first day or after the last one only takes time from these days.
    for visit in visits(session, start, max(end, over), doctor_ids):
        if visit.status in TAKES_PLACE:
            taken[visit.doctor_id].append((visit.starts_at, visit.ends_at))
        if start <= visit.starts_at < end:
            found[visit.doctor_id, visit.starts_at.astimezone(zone).date()].visits.append(visit)
    for held in offers.standing(session, start - free_times.LONGEST, max(end, over)):
        if held.doctor_id in taken:
            taken[held.doctor_id].append((held.starts_at, held.ends_at))
            if start <= held.starts_at < end:
                found[held.doctor_id, held.starts_at.astimezone(zone).date()].held.append(held)
    for (doctor_id, on), of_day in blocks.items():
        midnight, next_midnight = clock.day_bounds(on, zone)
        window = (max(midnight, clock.now()), next_midnight)
        for block in of_day:
            found[doctor_id, on].free += free_times.slots(block, taken[doctor_id], window, None, zone)
    return list(found.values())
