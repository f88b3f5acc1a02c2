"""Walk-ins: somebody who stands at the desk without a visit gets the next time there is."""

from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import booking, candidates, free_times, visit_types
from service.domain.appointments.booking import Wish
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import OPEN, Appointment, AppointmentStatus


def take_in(
    session: Session,
    actor: Actor,
    *,
    patient_id: int,
    doctor_id: int | None,
    zone: ZoneInfo,
    reason: str = "",
    visit_type_id: int | None = None,
) -> Appointment:
    """Give a patient who is here the next free time of today, and note the arrival.

    With a doctor who has none left the visit begins now, on top of what is booked. Raises NotFound, Invalid, and
    Conflict when the patient has a visit today that still waits.
    """
    patients.to_book(session, actor, patient_id)
    kind = None if visit_type_id is None else visit_types.fetch(session, actor, visit_type_id)
    doctor_ids = candidates.locked(session, None if doctor_id is None else [doctor_id])
    now, today = clock.now().replace(second=0, microsecond=0), clock.today(zone)
    _check_none_waits(session, patient_id, zone)
    minutes = kind.minutes if kind else None
    free = free_times.of_days(
        session, today, today, zone, doctor_ids=doctor_ids, minutes=minutes, for_patient=patient_id
    )
    wish = Wish(patient_id, now, doctor_ids, minutes, zone)
    found = free[0] if free else booking.overbooked(session, wish)
    over = None if free else _("Walk-in")
    visit = booking.add(
        session, actor, wish, found, reason=reason, visit_type_id=visit_type_id, overbooking_reason=over
    )
    visit.status, visit.arrived_at = AppointmentStatus.ARRIVED, clock.now()
    audit.record(session, actor, "appointment.arrive", patient_id=patient_id, subject=f"appointment/{visit.id}")
    return visit


def _check_none_waits(session: Session, patient_id: int, zone: ZoneInfo) -> None:
    start, end = clock.day_bounds(clock.today(zone), zone)
    waiting = session.scalar(
        select(Appointment.id)
        .where(Appointment.patient_id == patient_id, Appointment.status.in_(OPEN))
        .where(Appointment.starts_at >= start, Appointment.starts_at < end)
    )
    if waiting is not None:
        raise Conflict(_("This patient has a visit today already: note the arrival on it."))
