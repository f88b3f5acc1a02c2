"""Counts of appointments between two instants, for the whole clinic or one doctor: what reports and figures are made
of.

An appointment that was moved is no cancellation: another row stands in its place, and only that one is counted.
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
    """How many appointments ended how; `late` are those of the canceled that were canceled after the cut-off."""

    booked: int = 0
    arrived: int = 0
    completed: int = 0
    no_show: int = 0
    cancelled: int = 0
    late: int = 0

    @property
    def total(self) -> int:
        """All appointments, the canceled ones too."""
        return self.due + self.cancelled

    @property
    def due(self) -> int:
        """Those that were not canceled."""
        return self.completed + self.no_show + self.to_complete

    @property
    def to_complete(self) -> int:
        """Those no one has said the outcome of."""
        return self.booked + self.arrived

    @property
    def no_show_rate(self) -> float | None:
        """In how many of 100 appointments of a known outcome no one came; None without any."""
        return _rate(self.no_show, self.completed + self.no_show)

    @property
    def late_rate(self) -> float | None:
        """How many of 100 times kept for someone were canceled too late to give away; None without any."""
        return _rate(self.late, self.completed + self.no_show + self.late)


def _rate(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def tally(visits: Iterable[tuple[AppointmentStatus, bool, int]]) -> Outcomes:
    """Outcomes of appointments given as status, whether canceled late, and how many."""
    counts: Counter[str] = Counter()
    for status, late, number in visits:
        counts[status] += number
        counts["late"] += number if late and status == AppointmentStatus.CANCELLED else 0
    return Outcomes(**counts)


def outcomes(session: Session, start: datetime, end: datetime, doctor_id: int | None = None) -> Outcomes:
    """How the appointments of a span ended: counted from the index, of the canceled alone the rows are looked up."""
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
        .order_by(Appointment.patient_id)  # then what is looked up below lies side by side in the index
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
    """How many patients came to each doctor for the first time in a span; doctors without any are left out."""
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
    """Appointments that were not canceled, by weekday (0 is Monday) and hour of the clinic's wall clock."""
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
    """The status, but by no index.

    The few rows of a patient, or of a doctor's month, are looked at one by one: coalesce() keeps SQLite from going
    through the much longer index of all that was ever completed, which it prefers.
    """
    return func.coalesce(table.status, AppointmentStatus.BOOKED)


def _within(start: datetime, end: datetime, doctor_id: int | None) -> ColumnElement[bool]:
    span = and_(Appointment.starts_at >= start, Appointment.starts_at < end)
    return span if doctor_id is None else and_(span, Appointment.doctor_id == doctor_id)
