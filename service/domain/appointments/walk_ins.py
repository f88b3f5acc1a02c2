"""Walk-ins: a patient who comes without an appointment gets the next free slot."""

from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import admission, booking, free_times, visit_types
from service.domain.appointments.admission import Wish
from service.domain.appointments.booking import Details
from service.domain.appointments.requests import BookingRequest
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict
from service.language.translation import gettext as _
from service.storage.models import OPEN, Appointment, AppointmentStatus


def take_in(session: Session, actor: Actor, request: BookingRequest, zone: ZoneInfo) -> Appointment:
    """Book today's next free slot for a walk-in and check the patient in.

    If no slot is left, the doctor is overbooked now. Raises NotFound, Invalid (no slot left with several doctors),
    and Conflict if the patient already has an open appointment today.
    """
    named = None if request.doctor_id is None else [request.doctor_id]
    doctor_ids = admission.people(session, actor, request.patient_id, named, request.department)
    minutes = visit_types.minutes(session, actor, request.visit_type_id)
    now, today = clock.now().replace(second=0, microsecond=0), clock.today(zone)
    _check_none_waits(session, request.patient_id, zone)
    free = free_times.of_days(
        session, today, today, zone, doctor_ids=doctor_ids, minutes=minutes, for_patient=request.patient_id
    )
    wish = Wish(request.patient_id, now, doctor_ids, minutes, zone, "" if free else _("Walk-in"))
    found = free[0] if free else admission.admit(session, actor, wish)
    details = Details(request.reason, request.visit_type_id)
    visit = booking.add(session, actor, wish, found, details)
    visit.status, visit.arrived_at = AppointmentStatus.ARRIVED, clock.now()
    audit.record(session, actor, "appointment.arrive", patient_id=visit.patient_id, subject=f"appointment/{visit.id}")
    return visit


def _check_none_waits(session: Session, patient_id: int, zone: ZoneInfo) -> None:
    start, end = clock.day_bounds(clock.today(zone), zone)
    waiting = session.scalar(
        select(Appointment.id)
        .where(Appointment.patient_id == patient_id, Appointment.status.in_(OPEN))
        .where(Appointment.starts_at >= start, Appointment.starts_at < end)
    )
    if waiting is not None:
        raise Conflict(_("This patient already has an appointment today. Check the patient in there."))
