"""Book and reschedule appointments, each in one transaction that keeps others from taking the slot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Booking
from service.domain.appointments import admission, appointments, free_times, possible, visit_types
from service.domain.appointments.admission import Taken, Wish
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.promises import Promise
from service.domain.appointments.requests import BookingRequest, MoveRequest
from service.domain.foundation import audit, texts
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.outbox import announcements
from service.language.translation import gettext as _
from service.storage.models import (
    TAKES_PLACE,
    Appointment,
    AppointmentStatus,
    CancelledBy,
)

LONGEST_REASON = 200


@dataclass(frozen=True)
class Details:
    """The fields of an appointment besides patient, doctor, and time."""

    reason: str
    visit_type_id: int | None
    series_id: int | None = None
    rescheduled_from_id: int | None = None


def book(session: Session, actor: Actor, request: BookingRequest, rules: Booking, zone: ZoneInfo) -> Appointment:
    """Book an appointment and send the patient a confirmation.

    Repeating a request by the same user for the same patient, doctor, and time returns the first appointment while
    it is booked. Raises NotFound, Invalid, Taken.
    """
    visit, is_new = make(session, actor, request, rules, zone)
    if is_new:
        announcements.booked(session, visit)
    return visit


def make(
    session: Session, actor: Actor, request: BookingRequest, rules: Booking, zone: ZoneInfo
) -> tuple[Appointment, bool]:
    """Book without sending a message; return the appointment and whether it is new. Raises what book() raises."""
    named = None if request.doctor_id is None else [request.doctor_id]
    doctor_ids = admission.people(session, actor, request.patient_id, named, request.department)
    minutes = visit_types.minutes(session, actor, request.visit_type_id)
    again = _made_before(session, actor, request, doctor_ids)
    if again is not None:
        return again, False
    over = _overbooking_reason(actor, request.overbooking_reason)
    wish = Wish(request.patient_id, request.starts_at, doctor_ids, minutes, zone, over)
    found = admission.admit(session, actor, wish, most_open=rules.max_open)
    return add(session, actor, wish, found, Details(request.reason, request.visit_type_id)), True


def look(session: Session, request: BookingRequest) -> None:
    """Refuse a slot that is visibly taken, before waiting for the write lock.

    This only saves time; book() makes the decision. Raises Taken.
    """
    if request.doctor_id is None or request.overbooking_reason or request.starts_at <= clock.now():
        return
    holder = session.scalar(
        select(Appointment.patient_id).where(
            Appointment.doctor_id == request.doctor_id,
            Appointment.status.in_(TAKES_PLACE),
            Appointment.starts_at > request.starts_at - free_times.LONGEST,
            Appointment.starts_at <= request.starts_at,
            Appointment.ends_at > request.starts_at,
        )
    )
    if holder is not None and holder != request.patient_id:
        raise Taken(admission.just_taken())


def reschedule(
    session: Session, actor: Actor, appointment_id: int, request: MoveRequest, rules: Booking, zone: ZoneInfo
) -> Appointment:
    """Reschedule a booked appointment: a new one replaces it and points to it, and the old one stays in the history.

    Repeating the same request returns the same new appointment. Raises NotFound, Forbidden, Invalid, Taken, and
    Conflict for an appointment that can no longer be rescheduled.
    """
    visit = appointments.to_change(session, actor, appointment_id, request.version)
    doctor_ids = admission.people(session, actor, visit.patient_id, request.doctor_ids or [visit.doctor_id])
    if visit.rescheduled_at is not None:
        return _moved_before(session, visit, doctor_ids, request.starts_at)
    refusal = possible.why_not_moved(session, actor, visit, rules)
    if refusal is not None:
        raise Conflict(refusal)
    if visit.starts_at == request.starts_at and visit.doctor_id in doctor_ids:
        raise Invalid(_("The appointment is already at that time. Choose a different one."), "starts_at")
    now = clock.now()
    visit.status, visit.rescheduled_at, visit.cancelled_at = AppointmentStatus.CANCELLED, now, now
    visit.cancelled_by = CancelledBy.PATIENT if actor.role == Role.PATIENT else CancelledBy.CLINIC
    visit.cancelled_late = possible.is_late(visit, rules)
    session.flush()  # frees its slot for the new appointment
    over = _overbooking_reason(actor, request.overbooking_reason)
    wish = Wish(visit.patient_id, request.starts_at, doctor_ids, minutes_of(visit), zone, over)
    found = admission.admit(session, actor, wish)
    places = ({"starts_at": at.starts_at, "doctor_id": at.doctor_id} for at in (visit, found))
    subject, changes = f"appointment/{visit.id}", audit.changed(*places)
    audit.record(session, actor, "appointment.move", patient_id=visit.patient_id, subject=subject, changes=changes)
    details = Details(visit.reason, visit.visit_type_id, visit.series_id, rescheduled_from_id=visit.id)
    new = add(session, actor, wish, found, details)
    announcements.moved(session, new)
    return new


def admit_again(
    session: Session, actor: Actor, visit: Appointment, overbooking_reason: str, rules: Booking, zone: ZoneInfo
) -> None:
    """Check that a canceled appointment can have its slot again, by the rules of a new booking.

    Staff can overbook it, now or as they did at first; patients get the slot back only if it is free.
    Raises NotFound, Invalid, Taken.
    """
    doctor_ids = admission.people(session, actor, visit.patient_id, [visit.doctor_id])
    now = _overbooking_reason(actor, overbooking_reason)
    then = _overbooking_reason(actor, visit.overbooking_reason or _("Overbooked")) if visit.overbooked else ""
    wish = Wish(visit.patient_id, visit.starts_at, doctor_ids, minutes_of(visit), zone, now or then, was_theirs=True)
    admission.admit(session, actor, wish, most_open=rules.max_open)
    if now:
        visit.overbooked, visit.overbooking_reason = True, checked_reason(now)
    elif not then:
        visit.overbooked, visit.overbooking_reason = False, None


def _overbooking_reason(actor: Actor, text: str) -> str:
    """Return the reason for overbooking, or an empty string for patients, who cannot overbook."""
    return text.strip() if actor.role != Role.PATIENT else ""


def add(session: Session, actor: Actor, wish: Wish, found: FreeTime, details: Details) -> Appointment:
    """Insert the appointment and add it to the audit log. Raises Taken when the database finds an overlap."""
    over = wish.overbooking_reason
    visit = Appointment(
        **Promise.of(found.starts_at, wish.zone).columns(),
        patient_id=wish.patient_id,
        doctor_id=found.doctor_id,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        reason=checked_reason(details.reason),
        visit_type_id=details.visit_type_id,
        overbooked=bool(over),
        overbooking_reason=checked_reason(over) if over else None,
        series_id=details.series_id,
        rescheduled_from_id=details.rescheduled_from_id,
        booked_by_id=actor.user_id,
        created_at=clock.now(),
    )
    session.add(visit)
    admission.write(session)
    act = "appointment.overbook" if visit.overbooked else "appointment.book"
    audit.record(session, actor, act, patient_id=visit.patient_id, subject=f"appointment/{visit.id}")
    return visit


def minutes_of(visit: Appointment) -> int:
    """Return the length of an appointment in minutes."""
    return int((visit.ends_at - visit.starts_at).total_seconds() // 60)


def checked_reason(text: str) -> str:
    """Return the reason with LF line breaks. Raises Invalid if it is longer than 200 characters."""
    return texts.checked(text, "reason", LONGEST_REASON)


def _made_before(
    session: Session, actor: Actor, request: BookingRequest, doctor_ids: Sequence[int]
) -> Appointment | None:
    """Return the earlier booking that a double click, the back button, or a second tab repeats."""
    return session.scalars(
        select(Appointment).where(
            Appointment.patient_id == request.patient_id,
            Appointment.starts_at == request.starts_at,
            Appointment.doctor_id.in_(doctor_ids),
            Appointment.status == AppointmentStatus.BOOKED,
            Appointment.booked_by_id == actor.user_id,
        )
    ).first()


def _moved_before(session: Session, visit: Appointment, doctor_ids: Sequence[int], starts_at: datetime) -> Appointment:
    successor = session.scalars(select(Appointment).where(Appointment.rescheduled_from_id == visit.id)).first()
    if successor is not None and successor.starts_at == starts_at and successor.doctor_id in doctor_ids:
        return successor
    raise Conflict(_("This appointment was already rescheduled. Open the new one."))
