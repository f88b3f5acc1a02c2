"""Search appointments by period, doctor, patient, and status, in order of time, one page at a time."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from service.domain.appointments.appointments import Page
from service.domain.foundation.actor import Actor
from service.domain.foundation.paging import cut, page_key, read_key
from service.domain.patients import patients
from service.storage.models import Appointment, Patient


@dataclass(frozen=True)
class Wanted:
    """The search filters; None matches everything. Times are in UTC."""

    begins: datetime | None = None
    ends: datetime | None = None
    """Exclusive: appointments start before this."""
    doctor_id: int | None = None
    patient_id: int | None = None
    status: str | None = None


def search(session: Session, actor: Actor, wanted: Wanted, *, after: str | None, limit: int) -> Page:
    """Return appointments of patients the actor may see, earliest first; `older` of the page is the key of the next.

    Raises NotFound for an `after` that did not come from a page.
    """
    query = select(Appointment).join(Patient, Patient.id == Appointment.patient_id).where(patients.visible(actor))
    if wanted.begins is not None:
        query = query.where(Appointment.starts_at >= wanted.begins)
    if wanted.ends is not None:
        query = query.where(Appointment.starts_at < wanted.ends)
    for column in ("doctor_id", "patient_id", "status"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(getattr(Appointment, column) == value)
    if after is not None:
        query = query.where(tuple_(Appointment.starts_at, Appointment.id) > read_key(after))
    found = session.scalars(query.order_by(Appointment.starts_at, Appointment.id).limit(limit + 1)).all()
    return Page(*cut(found, limit, lambda last: page_key(last.starts_at, last.id)))
