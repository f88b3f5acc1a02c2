"""Monthly reports of doctors, stored with the figures at the time they were made."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session, contains_eager, undefer

from service import clock
from service.domain.diary import capacity
from service.domain.foundation import paging
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Invalid, NotFound
from service.domain.outbox import outbox
from service.domain.outbox.subjects import Kind, Subject
from service.domain.reports import month_figures, report_kinds, report_versions, visit_counts
from service.domain.reports.contents import About, DoctorContent, Lacking, UnfinishedLine
from service.language.translation import gettext as _
from service.storage.models import (
    OPEN,
    Appointment,
    AppointmentStatus,
    Doctor,
    Patient,
    Report,
    Treatment,
    User,
    VisitType,
)

PAGE = 36


def check_month(month: str, zone: ZoneInfo) -> str:
    """Return the month if it has ended in the clinic's zone. Raises Invalid otherwise."""
    try:
        _start, end = clock.month_bounds(month, zone)
    except (ValueError, OverflowError):
        raise Invalid(_("%(month)s is not a month. Write it like 2026-05.") % {"month": month}) from None
    if end > clock.now():
        raise Invalid(_("%(month)s has not ended yet.") % {"month": month})
    return month


def last_month(zone: ZoneInfo) -> str:
    """Return the last month that has ended in the clinic's zone."""
    return f"{clock.previous_month(clock.today(zone).replace(day=1)):%Y-%m}"


def missing(session: Session, month: str, zone: ZoneInfo) -> tuple[list[int], int]:
    """Return the ids of doctors whose report of a month is missing, and how many exist."""
    made = set(session.scalars(select(Report.doctor_id).where(Report.month == month)))
    due = [doctor.id for doctor in doctors_of(session, month, zone)]
    return [doctor_id for doctor_id in due if doctor_id not in made], len(made)


def doctors_of(session: Session, month: str, zone: ZoneInfo) -> Sequence[Doctor]:
    """Return the doctors who get a report for a month.

    These are doctors with an appointment in it, or who joined before its end and hadn't left before its start.
    """
    start, end = clock.month_bounds(month, zone)
    visited = exists().where(
        Appointment.doctor_id == Doctor.id,
        Appointment.starts_at >= start,
        Appointment.starts_at < end,
        visit_counts.STANDS,
    )
    stayed = or_(Doctor.archived_at.is_(None), Doctor.archived_at >= start)
    here = and_(Doctor.created_at < end, stayed)
    return session.scalars(select(Doctor).where(or_(here, visited)).order_by(Doctor.id)).all()


def produce(session: Session, doctor_id: int, month: str, zone: ZoneInfo) -> DoctorContent:
    """Return the content of a doctor's report, from the month's appointments and treatments."""
    doctor = session.get_one(Doctor, doctor_id)
    visits = _visits(session, doctor_id, month, zone)
    figures = month_figures.of(visits, zone)
    stay = stay_of(doctor, month, zone, visits[0].starts_at if visits else None)
    return {
        "doctor_name": doctor.name,
        "department": doctor.department,
        "here_from": stay.joined.isoformat() if stay.joined else None,
        "here_until": stay.left.isoformat() if stay.left else None,
        "outcomes": {
            "completed": figures["completed"],
            "no_show": figures["no_show"],
            "cancelled": figures["cancelled"],
            "to_complete": figures["to_complete"],
        },
        "patients_seen": figures["patients_seen"],
        "figures": {
            **figures,
            **month_figures.patients(session, month, zone, doctor_id),
            "open_minutes": open_minutes(session, doctor_id, stay, zone),
        },
        "compared": month_figures.compared(session, month, zone, doctor_id),
        "unfinished": list(_unfinished(visits)),
        "visits": [
            {
                **_about(visit),
                "visit_type": visit.visit_type or visit.booked_type or "",
                "status": visit.status,
                "late": bool(visit.cancelled_late) and visit.status == AppointmentStatus.CANCELLED,
                "reason": visit.reason,
            }
            for visit in visits
        ],
        "treatments": [
            {
                **_about(visit),
                "visit_type": visit.visit_type,
                "diagnosis": visit.diagnosis,
                "treatment": visit.treatment,
            }
            for visit in visits
            if visit.treatment_id is not None
        ],
    }


class Visit(NamedTuple):
    """An appointment of the month, with the columns of _visits()."""

    id: int
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    status: AppointmentStatus
    cancelled_late: bool
    reason: str
    patient_id: int
    name: str
    booked_type: str | None
    visit_type: str | None
    diagnosis: str | None
    treatment: str | None
    treatment_id: int | None


def _visits(session: Session, doctor_id: int, month: str, zone: ZoneInfo) -> list[Visit]:
    """Return a doctor's appointments of a month with treatments, in order, without rescheduled ones."""
    start, end = clock.month_bounds(month, zone)
    rows = session.execute(
        select(
            Appointment.id,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.created_at,
            Appointment.status,
            Appointment.cancelled_late,
            Appointment.reason,
            Patient.id,
            Patient.name,
            VisitType.name,
            Treatment.visit_type,
            Treatment.diagnosis,
            Treatment.treatment,
            Treatment.id,
        )
        .join(Patient, Patient.id == Appointment.patient_id)
        .outerjoin(VisitType, VisitType.id == Appointment.visit_type_id)
        .outerjoin(Treatment, Treatment.appointment_id == Appointment.id)
        .where(Appointment.doctor_id == doctor_id, Appointment.starts_at >= start, Appointment.starts_at < end)
        .where(visit_counts.STANDS)
        .order_by(Appointment.starts_at, Appointment.id)
    )
    return [Visit._make(row) for row in rows]


def _about(visit: Visit) -> About:
    """Return which appointment it is."""
    return {
        "appointment_id": visit.id,
        "starts_at": visit.starts_at.isoformat(),
        "patient_id": visit.patient_id,
        "patient_name": visit.name,
    }


def _unfinished(visits: Iterable[Visit]) -> Iterator[UnfinishedLine]:
    for visit in visits:
        lacking = lacks(visit.status, visit.treatment_id)
        if lacking is not None:
            yield {**_about(visit), "lacks": lacking}


def lacks(status: AppointmentStatus, treatment_id: int | None) -> Lacking | None:
    """Return what is missing from an appointment of a past month, or None."""
    if status in OPEN:
        return Lacking.OUTCOME
    return Lacking.NOTE if status == AppointmentStatus.COMPLETED and treatment_id is None else None


class Stay(NamedTuple):
    """The days of a month on which a doctor was here. `joined` and `left` are set only if they were in it."""

    first: date
    last: date
    joined: date | None
    left: date | None


def stay_of(doctor: Doctor, month: str, zone: ZoneInfo, first_visit: datetime | None) -> Stay:
    """Return the days of a month on which a doctor was here.

    A doctor with appointments before their row was created was here earlier: the row was imported.
    """
    first = clock.first_of_month(month)
    last = clock.next_month(first) - timedelta(days=1)
    came = doctor.created_at.astimezone(zone).date()
    joined = came if first < came <= last and (first_visit is None or first_visit >= doctor.created_at) else None
    went = doctor.archived_at.astimezone(zone).date() if doctor.archived_at else None
    left = went if went and went <= last else None
    return Stay(joined or first, left or last, joined, left if left and left >= first else None)


def open_minutes(session: Session, doctor_id: int, stay: Stay, zone: ZoneInfo) -> int:
    """Return the minutes of a doctor's hours on those days."""
    if stay.last < stay.first:
        return 0
    return sum(capacity.open_minutes(session, stay.first, stay.last, zone, [doctor_id]).values())


def store(session: Session, doctor_id: int, month: str, content: DoctorContent) -> bool:
    """Store a report. Returns False if another run was faster; its report stays."""
    values = {"doctor_id": doctor_id, "visits": len(content["visits"])}
    report_id = report_versions.store(session, report_kinds.Kind.DOCTOR, month=month, content=content, **values)
    if report_id is not None:
        _tell(session, doctor_id, report_id)
    return report_id is not None


def _tell(session: Session, doctor_id: int, report_id: int) -> None:
    """Notify the doctor that the report is ready. The message says nothing else."""
    active = Doctor.id == doctor_id, User.disabled_at.is_(None)
    user = session.scalar(select(User).join(Doctor, Doctor.user_id == User.id).where(*active))
    if user is not None:
        outbox.to_user(session, "report_ready", user, event="report.make", about=Subject(Kind.REPORT, str(report_id)))


def fetch(session: Session, actor: Actor, report_id: int) -> Report:
    """Return a report with its doctor. Raises NotFound if it's missing or another doctor's. Administrators see all."""
    query = (
        select(Report)
        .join(Report.doctor)
        .options(contains_eager(Report.doctor), undefer(Report.content))
        .where(Report.id == report_id)
    )
    report = session.scalar(query)
    if report is None or not _may_see(actor, report.doctor_id):
        raise NotFound
    return report


def archive(session: Session, actor: Actor, before: str | None = None) -> tuple[Sequence[Report], str | None]:
    """Return reports, newest month first, and the key of the next page: a doctor's own, or all for administrators."""
    if actor.role not in (Role.ADMIN, Role.DOCTOR):
        raise NotFound
    query = select(Report).join(Report.doctor).options(contains_eager(Report.doctor))
    if actor.role == Role.DOCTOR:
        query = query.where(Report.doctor_id == actor.doctor_id)
    if before:
        month, report_id = paging.read_month(before)
        query = query.where(or_(Report.month < month, (Report.month == month) & (Report.id < report_id)))
    found = session.scalars(query.order_by(Report.month.desc(), Report.id.desc()).limit(PAGE + 1)).all()
    return paging.cut(found, PAGE, lambda report: paging.month_key(report.month, report.id))


def _may_see(actor: Actor, doctor_id: int) -> bool:
    return actor.role == Role.ADMIN or (actor.role == Role.DOCTOR and actor.doctor_id == doctor_id)


def instant(stored: str) -> datetime:
    """Parse a time from a report's content as an aware datetime."""
    return datetime.fromisoformat(stored)
