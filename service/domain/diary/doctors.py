"""Doctors: who works here, in which department, and who may change that."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import candidates, free_times
from service.domain.foundation import audit, contact_details, locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.language.translation import gettext as _
from service.storage.models import Appointment, Doctor

MOST = 500


@dataclass(frozen=True)
class DoctorDetails:
    """A doctor's name and department."""

    name: str
    department: str


def roster(session: Session, *, archived: bool = False) -> Sequence[Doctor]:
    """Return the current or the archived doctors by department and name; at most 500."""
    which = Doctor.archived_at.is_not(None) if archived else Doctor.archived_at.is_(None)
    return session.scalars(select(Doctor).where(which).order_by(Doctor.department, Doctor.name).limit(MOST)).all()


def page(session: Session, *, department: str = "", after: int = 0, limit: int) -> Sequence[Doctor]:
    """Return a page of the current doctors, optionally of one department, in the order they joined."""
    query = select(Doctor).where(candidates.any_of(department), Doctor.id > after)
    return session.scalars(query.order_by(Doctor.id).limit(limit)).all()


def fetch(session: Session, doctor_id: int) -> Doctor:
    """Return a doctor, archived or not; all staff may see them. Raises NotFound."""
    doctor = session.get(Doctor, doctor_id)
    if doctor is None:
        raise NotFound
    return doctor


def may_edit(actor: Actor, doctor_id: int | None) -> bool:
    """Whether the actor may change this doctor's hours and time off: the desk everyone's, a doctor their own."""
    if actor.role in (Role.ADMIN, Role.RECEPTIONIST, Role.SYSTEM):
        return True
    return actor.role == Role.DOCTOR and doctor_id is not None and doctor_id == actor.doctor_id


def to_edit(session: Session, actor: Actor, doctor_id: int) -> Doctor:
    """Return a doctor whose hours the actor may change. Raises NotFound, and Forbidden for another doctor."""
    doctor = fetch(session, doctor_id)
    if not may_edit(actor, doctor_id):
        raise Forbidden(_("You can change only your own hours and time off."))
    return doctor


def change(
    session: Session,
    actor: Actor,
    doctor_id: int,
    details: DoctorDetails,
    *,
    version: int,
    archived: bool | None = None,
) -> Doctor:
    """Change a doctor's name and department; the desk also archives a doctor (None: as it is) or takes one back.

    `version` is the one the form was opened with. Raises NotFound, Forbidden, Invalid (also for archiving while
    appointments are booked ahead), and Conflict when someone else changed the doctor meanwhile.
    """
    locks.doctors(session, Doctor.id == doctor_id)
    doctor = to_edit(session, actor, doctor_id)
    name = contact_details.checked_name(details.name)
    department = contact_details.checked_department(" ".join(details.department.split()))
    was = doctor.archived_at is not None
    archived = was if archived is None else archived
    if archived != was and actor.role == Role.DOCTOR:
        raise Forbidden(_("Ask the front desk to archive a doctor."))
    if (doctor.name, doctor.department, was) == (name, department, archived):
        return doctor
    if version != doctor.version:
        raise Conflict(_("Someone else changed this doctor while you were editing."))
    if archived and not was:
        _check_nothing_ahead(session, doctor_id)
    doctor.name, doctor.department = name, department
    if archived != was:
        doctor.archived_at = clock.now() if archived else None
    audit.record(session, actor, "doctor.change", subject=f"doctor/{doctor_id}", changes=audit.changes_of(doctor))
    return doctor


def _check_nothing_ahead(session: Session, doctor_id: int) -> None:
    ahead = exists().where(
        Appointment.doctor_id == doctor_id,
        Appointment.is_expected(),
        # What the index by doctor and time needs; no appointment is longer than 12 hours.
        Appointment.starts_at > clock.now() - free_times.LONGEST,
    )
    if session.scalar(select(ahead)):
        raise Invalid(_("This doctor still has booked appointments. Reschedule or cancel them first."), "archived")
