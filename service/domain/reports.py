"""The monthly report: for each doctor, the calendar month that ended, kept with the figures as of the run."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, contains_eager, undefer

from service import clock
from service.domain import audit, outbox
from service.domain.actor import SYSTEM, Actor, Role
from service.domain.appointments import read_key
from service.domain.errors import Invalid, NotFound
from service.models import Appointment, Doctor, Patient, Report, Treatment, User
from service.translation import gettext as _

PAGE = 36


def check_month(month: str, zone: ZoneInfo) -> str:
    """The month if it has ended in the clinic's zone; Invalid otherwise."""
    try:
        _start, end = clock.month_bounds(month, zone)
    except (ValueError, OverflowError):
        raise Invalid(_("%(month)s is not a month: write it like 2026-05.") % {"month": month}) from None
    if end > clock.now():
        raise Invalid(_("%(month)s has not ended yet.") % {"month": month})
    return month


def last_month(zone: ZoneInfo) -> str:
    """The calendar month that ended last in the clinic's zone."""
    return f"{clock.previous_month(clock.today(zone).replace(day=1)):%Y-%m}"


def missing(session: Session, month: str, zone: ZoneInfo) -> tuple[list[int], int]:
    """Ids of doctors whose report of the month is still to be made, and how many are made.

    A doctor has a report when they had a visit in it, or were here before it ended and had not left before it began.
    """
    start, end = clock.month_bounds(month, zone)
    visited = exists().where(
        Appointment.doctor_id == Doctor.id, Appointment.starts_at >= start, Appointment.starts_at < end
    )
    stayed = or_(Doctor.archived_at.is_(None), Doctor.archived_at >= start)
    here = and_(Doctor.created_at < end, stayed)
    due = session.scalars(select(Doctor.id).where(or_(here, visited)).order_by(Doctor.id)).all()
    made = set(session.scalars(select(Report.doctor_id).where(Report.month == month)))
    return [doctor_id for doctor_id in due if doctor_id not in made], len(made)


def produce(session: Session, doctor_id: int, month: str, zone: ZoneInfo) -> dict[str, Any]:
    """The content of a doctor's report, counted from the visits and treatments of the month."""
    start, end = clock.month_bounds(month, zone)
    doctor = session.get_one(Doctor, doctor_id)
    visits = session.execute(
        select(
            Appointment.starts_at,
            Appointment.status,
            Appointment.reason,
            Patient.id.label("patient_id"),
            Patient.name,
            Treatment.visit_type,
            Treatment.diagnosis,
            Treatment.treatment,
            Treatment.id.label("treatment_id"),
        )
        .join(Patient, Patient.id == Appointment.patient_id)
        .outerjoin(Treatment, Treatment.appointment_id == Appointment.id)
        .where(Appointment.doctor_id == doctor_id, Appointment.starts_at >= start, Appointment.starts_at < end)
        .order_by(Appointment.starts_at, Appointment.id)
    ).all()
    outcomes = Counter("to_complete" if visit.status in ("booked", "arrived") else visit.status for visit in visits)
    return {
        "doctor_name": doctor.name,
        "department": doctor.department,
        "outcomes": {key: outcomes[key] for key in ("completed", "no_show", "cancelled", "to_complete")},
        "patients_seen": len({visit.patient_id for visit in visits if visit.status == "completed"}),
        "visits": [
            {
                "starts_at": visit.starts_at.isoformat(),
                "patient_id": visit.patient_id,
                "patient_name": visit.name,
                "status": visit.status,
                "reason": visit.reason,
            }
            for visit in visits
        ],
        "treatments": [
            {
                "starts_at": visit.starts_at.isoformat(),
                "patient_id": visit.patient_id,
                "patient_name": visit.name,
                "visit_type": visit.visit_type,
                "diagnosis": visit.diagnosis,
                "treatment": visit.treatment,
            }
            for visit in visits
            if visit.treatment_id is not None
        ],
    }


def store(session: Session, doctor_id: int, month: str, content: dict[str, Any]) -> bool:
    """Keep a report; False when another run was faster, whose report stays."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(Report)
        .values(
            doctor_id=doctor_id, month=month, visits=len(content["visits"]), content=content, created_at=clock.now()
        )
        .on_conflict_do_nothing()
        .returning(Report.id)
    )
    report_id = session.execute(statement).scalar_one_or_none()
    if report_id is not None:
        user = session.scalar(
            select(User)
            .join(Doctor, Doctor.user_id == User.id)
            .where(Doctor.id == doctor_id, User.disabled_at.is_(None))
        )
        if user is not None:
            outbox.to_user(session, "report_ready", user, event="report.make", about=f"report/{report_id}")
        audit.record(session, SYSTEM, "report.make", subject=f"report/{report_id}")
    return report_id is not None


def fetch(session: Session, actor: Actor, report_id: int) -> Report:
    """The report with its doctor. Raises NotFound when missing or another doctor's; the admin sees all."""
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


def note_opened(session: Session, actor: Actor, report_id: int, act: str) -> None:
    """Put on record that somebody read (`report.view`) or took away (`report.download`) a report."""
    audit.record(session, actor, act, subject=f"report/{report_id}")


def archive(session: Session, actor: Actor, before: str | None = None) -> tuple[Sequence[Report], str | None]:
    """Reports, newest month first: a doctor's own, or all for the admin; and the key of the next page."""
    if actor.role not in (Role.ADMIN, Role.DOCTOR):
        raise NotFound
    query = select(Report).join(Report.doctor).options(contains_eager(Report.doctor))
    if actor.role == Role.DOCTOR:
        query = query.where(Report.doctor_id == actor.doctor_id)
    if before:
        at, report_id = read_key(before)
        month = f"{at:%Y-%m}"
        query = query.where(or_(Report.month < month, (Report.month == month) & (Report.id < report_id)))
    found = session.scalars(query.order_by(Report.month.desc(), Report.id.desc()).limit(PAGE + 1)).all()
    last = found[PAGE - 1] if len(found) > PAGE else None
    return found[:PAGE], _page_key(last) if last else None


def month_of(report: Report) -> date:
    """The first day of the month a report is about."""
    return clock.first_of_month(report.month)


def _page_key(report: Report) -> str:
    return f"{report.month.replace('-', '')}01T000000000000-{report.id}"


def _may_see(actor: Actor, doctor_id: int) -> bool:
    return actor.role == Role.ADMIN or (actor.role == Role.DOCTOR and actor.doctor_id == doctor_id)


def instant(stored: str) -> datetime:
    """A time of a report's content as an aware datetime."""
    return datetime.fromisoformat(stored)
