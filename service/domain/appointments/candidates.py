"""The doctors a booking may go to: named ones, or any of a department; never archived ones."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from service.domain.foundation import locks
from service.domain.foundation.errors import Invalid, NotFound
from service.language.translation import gettext as _
from service.storage.models import Doctor


def any_of(department: str = "") -> ColumnElement[bool]:
    """Return the condition for "any doctor": all active ones, or those of a department."""
    works_here = Doctor.archived_at.is_(None)
    return works_here & (Doctor.department == department) if department else works_here


def ids(session: Session, doctor_id: int | None, department: str = "") -> Sequence[int]:
    """Return the ids of the matching doctors (None: any), in the order they were added; empty if there are none."""
    meant = _meant(None if doctor_id is None else [doctor_id], department)
    return session.scalars(select(Doctor.id).where(meant).order_by(Doctor.id)).all()


def locked(session: Session, doctor_ids: Collection[int] | None, department: str = "") -> Sequence[int]:
    """Return the ids of the matching doctors, locked against other bookings.

    Raises NotFound if there are none, Invalid if the requested ones are archived.
    """
    found = locks.doctors(session, _meant(doctor_ids, department))
    if not found and doctor_ids and session.scalar(select(Doctor.id).where(Doctor.id.in_(doctor_ids)).limit(1)):
        raise Invalid(_("This doctor no longer sees patients here. Choose another doctor."), "doctor_id")
    if not found:
        raise NotFound
    return found


def _meant(doctor_ids: Collection[int] | None, department: str) -> ColumnElement[bool]:
    return any_of(department) if doctor_ids is None else any_of() & Doctor.id.in_(doctor_ids)
