"""Count appointments between two instants, for the clinic or a doctor. Reports and figures are built from this.

A rescheduled appointment isn't a cancellation: another row replaces it, and only that one is counted.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from service.storage.models import Appointment, AppointmentStatus

STANDS = Appointment.rescheduled_at.is_(None)


@dataclass(frozen=True)
class Outcomes:
    """Counts of appointments by outcome. `late` are those canceled after the cutoff."""

    booked: int = 0
    arrived: int = 0
    completed: int = 0
    no_show: int = 0
    cancelled: int = 0
    late: int = 0

    @property
    def total(self) -> int:
        """Return the number of all appointments, including canceled ones."""
        return self.due + self.cancelled

    @property
    def due(self) -> int:
        """Return the number of appointments that weren't canceled."""
        return self.completed + self.no_show + self.to_complete

    @property
    def to_complete(self) -> int:
        """Return the number of appointments without an outcome."""
        return self.booked + self.arrived

    @property
    def no_show_rate(self) -> float | None:
        """Return the percentage of no-shows among appointments with an outcome; None if there are none."""
        return _rate(self.no_show, self.completed + self.no_show)

    @property
    def late_rate(self) -> float | None:
        """Return the percentage of reserved slots that were canceled too late to offer again; None without any."""
        return _rate(self.late, self.completed + self.no_show + self.late)


def _rate(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def tally(visits: Iterable[tuple[AppointmentStatus, bool, int]]) -> Outcomes:
    """Add up appointments given as status, whether canceled late, and count."""
    counts: Counter[str] = Counter()
    for status, late, number in visits:
        counts[status] += number
        counts["late"] += number if late and status == AppointmentStatus.CANCELLED else 0
    return Outcomes(**counts)


def outcomes(session: Session, start: datetime, end: datetime, doctor_id: int | None = None) -> Outcomes:
    """Return the outcomes of a period. They're counted from the index; only canceled ones need their rows."""
    within = _within(start, end, doctor_id)
    counts = select(Appointment.status, func.count()).where(within).group_by(Appointment.status)
    stand = dict(session.execute(counts).all())
    stand.pop(AppointmentStatus.CANCELLED, None)
    cancelled = session.execute(
        select(Appointment.cancelled_late, func.count())
        .where(within, Appointment.status == AppointmentStatus.CANCELLED, STANDS)
        .group_by(Appointment.cancelled_late)
    ).all()
    return tally(
        [
            *((status, False, number) for status, number in stand.items()),
            *((AppointmentStatus.CANCELLED, late, number) for late, number in cancelled),
        ]
    )


def new_and_returning(
    session: Session,
    start: datetime,
    end: datetime,
    statuses: Iterable[AppointmentStatus],
    doctor_id: int | None = None,
) -> tuple[int, int]:
    """Patients with an appointment of these statuses in a span: here for the first time, and here before.

    With a doctor: for the first time, and before, at this doctor's.
    """
    came = (
        select(Appointment.patient_id)
        .distinct()
        .where(
            _within(start, end, doctor_id),
            _status_of(Appointment).in_(list(statuses)),
        )
        .order_by(Appointment.patient_id)  # so that the lookups below are next to each other in the index
        .subquery()
    )
    earlier = aliased(Appointment)
    before = and_(
        earlier.patient_id == came.c.patient_id,
        earlier.starts_at < start,
        _status_of(earlier) == AppointmentStatus.COMPLETED,
    )
    if doctor_id is not None:
        before = and_(before, func.coalesce(earlier.doctor_id, 0) == doctor_id)
    known_here = func.sum(case((exists().where(before), 1), else_=0))
    everyone, known = session.execute(select(func.count(), known_here).select_from(came)).one()
    return everyone - (known or 0), known or 0


def new_by_doctor(session: Session, start: datetime, end: datetime) -> dict[int, int]:
    """Return each doctor's number of new patients in a period. Doctors without any are left out."""
    came = (
        select(Appointment.patient_id, Appointment.doctor_id)
        .distinct()
        .where(
            _within(start, end, None),
            _status_of(Appointment) == AppointmentStatus.COMPLETED,
        )
        .order_by(Appointment.patient_id)
        .subquery()
    )
    earlier = aliased(Appointment)
    known = exists().where(
        earlier.patient_id == came.c.patient_id,
        func.coalesce(earlier.doctor_id, 0) == came.c.doctor_id,
        earlier.starts_at < start,
        _status_of(earlier) == AppointmentStatus.COMPLETED,
    )
    rows = session.execute(select(came.c.doctor_id, func.count()).where(~known).group_by(came.c.doctor_id))
    return dict(rows.all())


def by_hour(
    session: Session, start: datetime, end: datetime, zone: ZoneInfo, doctor_id: int | None = None
) -> list[list[int]]:
    """Return appointments that weren't canceled, by weekday (0 is Monday) and hour in the clinic's time zone."""
    hours = [[0] * 24 for _weekday in range(7)]
    rows = session.execute(
        select(Appointment.starts_at, func.count())
        .where(_within(start, end, doctor_id), Appointment.status != AppointmentStatus.CANCELLED)
        .group_by(Appointment.starts_at)
    )
    for starts_at, number in rows:
        local = starts_at.astimezone(zone)
        hours[local.weekday()][local.hour] += number
    return hours


def _status_of(table: type[Appointment]) -> ColumnElement[AppointmentStatus]:
    """Return the status, without using its index.

    A patient or a doctor's month has few rows, which are checked one by one. Without coalesce(), SQLite would use the
    much longer index of all completed appointments.
    """
    return func.coalesce(table.status, AppointmentStatus.BOOKED)


def _within(start: datetime, end: datetime, doctor_id: int | None) -> ColumnElement[bool]:
    span = and_(Appointment.starts_at >= start, Appointment.starts_at < end)
    return span if doctor_id is None else and_(span, Appointment.doctor_id == doctor_id)
