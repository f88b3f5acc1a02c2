"""The clinic's monthly report for administrators: the same figures, in total, by doctor, and by department."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from service import clock
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import NotFound
from service.domain.reports import month_figures, report_versions, reports, visit_counts
from service.domain.reports.contents import ClinicContent, DepartmentLine, DoctorLine
from service.domain.reports.report_kinds import Kind
from service.storage.models import Appointment, AppointmentStatus, ClinicReport, Doctor, Report, Treatment


def is_missing(session: Session, month: str, zone: ZoneInfo) -> bool:
    """Return whether the clinic's report of a month is missing. There is none if nobody worked in that month."""
    made = session.scalar(select(ClinicReport.id).where(ClinicReport.month == month))
    return made is None and bool(reports.doctors_of(session, month, zone))


def produce(session: Session, month: str, zone: ZoneInfo) -> ClinicContent:
    """Return the content of the clinic's report. Patients and reasons are only in the doctors' own reports."""
    doctors = reports.doctors_of(session, month, zone)
    visits = _visits(session, month, zone)
    by_doctor: dict[int, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_doctor[visit.doctor_id].append(visit)
    new = visit_counts.new_by_doctor(session, *clock.month_bounds(month, zone))
    rows = [_of_doctor(session, doctor, by_doctor[doctor.id], new.get(doctor.id, 0), month, zone) for doctor in doctors]
    return {
        "figures": {
            **month_figures.of(visits, zone),
            **month_figures.patients(session, month, zone),
            "open_minutes": sum(row["open_minutes"] for row in rows),
        },
        "compared": month_figures.compared(session, month, zone),
        "doctors": sorted(rows, key=lambda row: (row["name"], row["doctor_id"])),
        "departments": _by_department(doctors, by_doctor, rows),
    }


class Visit(NamedTuple):
    """An appointment of the month, with the columns of _visits()."""

    doctor_id: int
    patient_id: int
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    status: AppointmentStatus
    cancelled_late: bool
    treatment_id: int | None


def _visits(session: Session, month: str, zone: ZoneInfo) -> list[Visit]:
    """Return all appointments of the month except rescheduled ones, with the treatment's id or None."""
    start, end = clock.month_bounds(month, zone)
    rows = session.execute(
        select(
            Appointment.doctor_id,
            Appointment.patient_id,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.created_at,
            Appointment.status,
            Appointment.cancelled_late,
            Treatment.id,
        )
        .outerjoin(Treatment, Treatment.appointment_id == Appointment.id)
        .where(Appointment.starts_at >= start, Appointment.starts_at < end, visit_counts.STANDS)
        .order_by(Appointment.starts_at, Appointment.id)
    )
    return [Visit._make(row) for row in rows]


def _of_doctor(
    session: Session, doctor: Doctor, visits: Sequence[Visit], new: int, month: str, zone: ZoneInfo
) -> DoctorLine:
    stay = reports.stay_of(doctor, month, zone, visits[0].starts_at if visits else None)
    return {
        "doctor_id": doctor.id,
        "name": doctor.name,
        "department": doctor.department,
        **month_figures.in_short(visits),
        "open_minutes": reports.open_minutes(session, doctor.id, stay, zone),
        "unfinished": sum(reports.lacks(visit.status, visit.treatment_id) is not None for visit in visits),
        "new": new,
    }


def _by_department(
    doctors: Iterable[Doctor], by_doctor: Mapping[int, Sequence[Visit]], rows: Iterable[DoctorLine]
) -> list[DepartmentLine]:
    members: dict[str, list[int]] = defaultdict(list)
    for doctor in doctors:
        members[doctor.department].append(doctor.id)
    opened = {row["doctor_id"]: row["open_minutes"] for row in rows}
    return [
        {
            "name": name,
            "doctors": len(ids),
            **month_figures.in_short([visit for doctor_id in ids for visit in by_doctor[doctor_id]]),
            "open_minutes": sum(opened[doctor_id] for doctor_id in ids),
        }
        for name, ids in sorted(members.items())
    ]


def store(session: Session, month: str, content: ClinicContent) -> bool:
    """Store the clinic's report. Returns False if another run was faster; its report stays."""
    visits = content["figures"]["visits"]
    kept = report_versions.store(session, Kind.CLINIC, month=month, visits=visits, content=content)
    return kept is not None


def fetch(session: Session, actor: Actor, report_id: int) -> ClinicReport:
    """Return a report, for administrators. Raises NotFound."""
    query = select(ClinicReport).options(undefer(ClinicReport.content)).where(ClinicReport.id == report_id)
    report = session.scalar(query) if actor.role == Role.ADMIN else None
    if report is None:
        raise NotFound
    return report


def of_months(session: Session, actor: Actor, months: Iterable[str]) -> dict[str, ClinicReport]:
    """Return the reports of some months, for administrators; none for others."""
    if actor.role != Role.ADMIN:
        return {}
    rows = session.scalars(select(ClinicReport).where(ClinicReport.month.in_(set(months))))
    return {row.month: row for row in rows}


def doctors_reports(session: Session, month: str) -> dict[int, int]:
    """Return the doctors' reports of a month: doctor's id -> report's id."""
    return dict(session.execute(select(Report.doctor_id, Report.id).where(Report.month == month)).all())
