"""An appointment as pages show it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from service import clock
from service.domain.appointments import possible
from service.domain.appointments.possible import Act
from service.domain.foundation.actor import Actor, Role
from service.http import context
from service.storage.models import Appointment, AppointmentStatus, CancelledBy

COLOURS = 8


@dataclass(frozen=True)
class Visit:
    """One appointment, with the names of its patient and doctor."""

    id: int
    starts_at: datetime
    ends_at: datetime
    status: AppointmentStatus
    doctor_id: int
    doctor_name: str
    doctor_colour: int
    department: str
    patient_id: int
    patient_name: str
    phone: str | None
    birth_date: date | None
    has_alerts: bool
    """Whether there is an allergy or an alert, which is all a page shows of it; always false except for doctors."""
    reason: str
    visit_type: str
    overbooking_reason: str | None
    confirmed_at: datetime | None
    cancelled_by: CancelledBy | None
    cancellation_reason: str | None
    moved: bool
    waiting_minutes: int | None
    may_record: bool
    may: frozenset[Act]
    """The other actions that are possible for the actor now."""


def visit(row: Appointment, actor: Actor) -> Visit:
    """Return an appointment as a page shows it to the actor."""
    settings, waiting = context.wiring().settings, None
    if row.status == AppointmentStatus.ARRIVED and row.arrived_at is not None:
        waiting = max(0, int((clock.now() - row.arrived_at).total_seconds() // 60))
    return Visit(
        id=row.id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        status=row.status,
        doctor_id=row.doctor_id,
        doctor_name=row.doctor.name,
        doctor_colour=row.doctor_id % COLOURS,
        department=row.doctor.department,
        patient_id=row.patient_id,
        patient_name=row.patient.name,
        phone=row.patient.phone,
        birth_date=row.patient.birth_date,
        has_alerts=actor.role == Role.DOCTOR and bool(row.patient.allergies or row.patient.alerts),
        reason=row.reason,
        visit_type=row.visit_type.name if row.visit_type else "",
        overbooking_reason=row.overbooking_reason,
        confirmed_at=row.confirmed_at,
        cancelled_by=row.cancelled_by,
        cancellation_reason=row.cancellation_reason,
        moved=row.rescheduled_at is not None,
        waiting_minutes=waiting,
        may_record=possible.may_record(actor, row),
        may=possible.acts(context.reading(), actor, row, settings.booking, settings.clinic.zone),
    )


def visits(rows: Iterable[Appointment], actor: Actor) -> list[Visit]:
    """Return several appointments as a page shows them."""
    return [visit(row, actor) for row in rows]
