"""Compute the figures of a month that doctors' reports and the clinic's report share."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from service import clock
from service.domain.diary import capacity
from service.domain.reports import visit_counts
from service.domain.reports.contents import InShort, MonthBeside, OfVisits, Outcomes, Patients
from service.storage.models import AppointmentStatus


class Visit(Protocol):
    """The fields of an appointment that figures are computed from."""

    @property
    def patient_id(self) -> int: ...
    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def status(self) -> AppointmentStatus: ...
    @property
    def cancelled_late(self) -> bool: ...


def of(visits: Sequence[Visit], zone: ZoneInfo) -> OfVisits:
    """Return all figures of a month's appointments, with weekdays and hours in the clinic's time zone.

    Hours count all appointments except canceled ones, because a missed one took its time, too.
    """
    local = [visit.starts_at.astimezone(zone) for visit in visits if visit.status != AppointmentStatus.CANCELLED]
    weekdays, hours = Counter(at.weekday() for at in local), Counter(at.hour for at in local)
    return {
        **in_short(visits),
        "weekdays": [weekdays[day] for day in range(7)],
        "hours": [hours[hour] for hour in range(24)],
    }


def in_short(visits: Sequence[Visit]) -> InShort:
    """Return the figures for a row of a table: outcomes, patients, booked minutes, and lead time.

    The lead time is the median number of days between booking and appointment, without those entered after the start.
    """
    kept = [visit for visit in visits if visit.status != AppointmentStatus.CANCELLED]
    counts = Counter((visit.status, bool(visit.cancelled_late)) for visit in visits)
    leads = [
        (visit.starts_at - visit.created_at).total_seconds() for visit in kept if visit.created_at <= visit.starts_at
    ]
    return {
        **as_content(visit_counts.tally((*stand, number) for stand, number in counts.items())),
        "patients_seen": len({visit.patient_id for visit in visits if visit.status == AppointmentStatus.COMPLETED}),
        "booked_minutes": capacity.minutes((visit.starts_at, visit.ends_at) for visit in kept),
        "lead_days": round(median(leads) / 86400, 1) if leads else None,
    }


def as_content(counts: visit_counts.Outcomes) -> Outcomes:
    """Return outcomes with their rates."""
    return {
        "visits": counts.total,
        "completed": counts.completed,
        "no_show": counts.no_show,
        "cancelled": counts.cancelled,
        "late": counts.late,
        "to_complete": counts.to_complete,
        "no_show_rate": counts.no_show_rate,
        "late_rate": counts.late_rate,
    }


def compared(session: Session, month: str, zone: ZoneInfo, doctor_id: int | None = None) -> list[MonthBeside]:
    """Return the outcomes of the previous month and of the same month last year, each with its `month`."""
    first = clock.first_of_month(month)
    others = (clock.previous_month(first), first.replace(year=first.year - 1))
    return [
        {"month": name, **as_content(visit_counts.outcomes(session, *clock.month_bounds(name, zone), doctor_id))}
        for name in (f"{other:%Y-%m}" for other in others)
    ]


def patients(session: Session, month: str, zone: ZoneInfo, doctor_id: int | None = None) -> Patients:
    """Return the numbers of new and returning patients of a month."""
    bounds = clock.month_bounds(month, zone)
    new, returning = visit_counts.new_and_returning(session, *bounds, (AppointmentStatus.COMPLETED,), doctor_id)
    return {"new": new, "returning": returning}
