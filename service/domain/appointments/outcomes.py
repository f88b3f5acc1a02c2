"""What happens to a booked appointment: confirm, check in, complete, no-show, cancel, and undo."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Booking, Settings
from service.domain.appointments import admission, appointments, booking, possible
from service.domain.appointments.admission import Taken
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid
from service.domain.outbox import announcements, channels, reminders
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import OPEN, Appointment, AppointmentStatus, CancelledBy, Treatment

TO_COMPLETE_DAYS = 90
TO_COMPLETE_LIMIT = 100


def confirm(session: Session, actor: Actor, appointment_id: int) -> None:
    """Record that the patient will come. Raises Conflict unless the appointment is booked and upcoming."""
    visit = appointments.to_change(session, actor, appointment_id)
    _check(possible.why_not_confirmed(visit))
    if visit.confirmed_at is None:
        visit.confirmed_at = clock.now()
        _note(session, actor, visit, "confirm")


def arrive(session: Session, actor: Actor, appointment_id: int, zone: ZoneInfo, *, version: int | None = None) -> None:
    """Check the patient in; idempotent. Raises Conflict on a different day, or if the appointment is over."""
    visit = _of_staff(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.ARRIVED:
        return
    _check(possible.why_not_arrived(visit, zone))
    visit.status, visit.arrived_at = AppointmentStatus.ARRIVED, clock.now()
    _note(session, actor, visit, "arrive")


def complete(session: Session, actor: Actor, appointment_id: int, *, version: int | None = None) -> None:
    """Mark as completed; idempotent. Raises Conflict before the start, or if it was canceled or a no-show."""
    visit = _of_staff(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.COMPLETED:
        return
    _check(possible.why_not_completed(visit))
    visit.status, visit.ended_at = AppointmentStatus.COMPLETED, clock.now()
    _note(session, actor, visit, "complete")


def no_show(session: Session, actor: Actor, appointment_id: int, *, version: int | None = None) -> None:
    """Mark as no-show; idempotent. Raises Conflict before the start, or if the appointment is over."""
    visit = _of_staff(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.NO_SHOW:
        return
    _check(possible.why_not_missed(visit))
    visit.status, visit.ended_at = AppointmentStatus.NO_SHOW, clock.now()
    _note(session, actor, visit, "no_show")


def cancel(
    session: Session,
    actor: Actor,
    appointment_id: int,
    *,
    reason: str,
    rules: Booking,
    by: CancelledBy = CancelledBy.PATIENT,
    version: int | None = None,
) -> None:
    """Cancel an appointment and free its slot; idempotent. The row stays in the history.

    `by` is who asked for it; only staff can cancel for the clinic, and that is never late.
    Raises Conflict for an appointment that is over and for a patient after the cutoff, Forbidden for a patient who
    cancels for the clinic.
    """
    visit = appointments.to_change(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.CANCELLED and visit.rescheduled_at is None:
        return
    if by == CancelledBy.CLINIC and not actor.is_staff:
        raise Forbidden(_("Only staff can cancel on behalf of the clinic."))
    _check(possible.why_not_cancelled(session, actor, visit, rules))
    visit.cancellation_reason = booking.checked_reason(reason) or None
    visit.status, visit.cancelled_at = AppointmentStatus.CANCELLED, clock.now()
    visit.cancelled_by = by
    visit.cancelled_late = visit.cancelled_by == CancelledBy.PATIENT and possible.is_late(visit, rules)
    _note(session, actor, visit, "cancel")
    announcements.cancelled(session, visit, clock.now() + possible.UNDO_FOR if actor.role == Role.PATIENT else None)


def undo(session: Session, actor: Actor, appointment_id: int, settings: Settings, overbooking_reason: str = "") -> None:
    """Undo the last change of status, and add that to the audit log.

    Patients can undo only their own cancellation, within ten minutes. Undoing a cancellation follows the rules of a
    new booking; with an `overbooking_reason` staff can overbook the slot. If the day's reminders have already gone
    out, the patient gets one now. Raises Conflict if there is nothing to undo, a treatment is recorded, or the
    patient or doctor is archived; Taken if the slot is no longer free.
    """
    visit = appointments.to_change(session, actor, appointment_id)
    _check(possible.why_not_undone(actor, visit))
    _check_opens_again(session, actor, visit, settings, overbooking_reason)
    recorded = select(Treatment.id).where(Treatment.appointment_id == visit.id)
    if visit.status == AppointmentStatus.COMPLETED and session.scalar(recorded):
        raise Conflict(_("A treatment is recorded, so this appointment was completed."))
    was_cancelled = visit.status == AppointmentStatus.CANCELLED
    if visit.status == AppointmentStatus.ARRIVED:
        visit.status, visit.arrived_at = AppointmentStatus.BOOKED, None
    else:
        visit.status = AppointmentStatus.BOOKED if visit.arrived_at is None else AppointmentStatus.ARRIVED
        visit.cancelled_at = visit.cancelled_by = visit.cancellation_reason = visit.ended_at = None
        visit.cancelled_late = False
    _note(session, actor, visit, "undo")
    admission.write(session)
    if was_cancelled:
        announcements.restored(session, visit)
        reminders.plan_after_all(session, visit, settings, channels.ways(settings))


def _check_opens_again(
    session: Session, actor: Actor, visit: Appointment, settings: Settings, overbooking_reason: str
) -> None:
    """Apply the rules of a new booking. Raises Conflict or Taken, not Invalid: there is no form to correct.

    A status that was set after the start is only corrected, as long as the patient is not archived.
    """
    rules, zone = settings.booking, settings.clinic.zone
    try:
        if possible.was_called_off_ahead(visit):
            booking.admit_again(session, actor, visit, overbooking_reason, rules, zone)
        elif visit.status not in OPEN:
            patients.to_book(session, actor, visit.patient_id)
    except Invalid as error:
        raise (Taken if admission.is_about_time(error) else Conflict)(str(error)) from None


def to_complete(session: Session, actor: Actor, zone: ZoneInfo) -> Sequence[Appointment]:
    """Return at most 100 appointments that need an outcome, oldest first; doctors get only their own."""
    query = appointments.with_people().where(needs_outcome(zone), _own(actor))
    return session.scalars(query.order_by(Appointment.starts_at, Appointment.id).limit(TO_COMPLETE_LIMIT)).all()


def count_to_complete(session: Session, actor: Actor, zone: ZoneInfo) -> int:
    """Return how many appointments to_complete() would list without its limit."""
    return session.scalar(select(func.count()).select_from(Appointment).where(needs_outcome(zone), _own(actor))) or 0


def needs_outcome(zone: ZoneInfo) -> ColumnElement[bool]:
    """Return the condition for past appointments that have no outcome yet.

    It covers the 90 clinic days before today, whole days, so that none leaves the list in the middle of a day.
    """
    now, first = clock.now(), clock.today(zone) - timedelta(days=TO_COMPLETE_DAYS)
    return (
        Appointment.status.in_(OPEN)
        & (Appointment.starts_at >= clock.day_bounds(first, zone)[0])
        & (Appointment.starts_at < now)  # lets the database use the index
        & (Appointment.ends_at <= now)
    )


def _own(actor: Actor) -> ColumnElement[bool]:
    return Appointment.doctor_id == actor.doctor_id if actor.role == Role.DOCTOR else true()


def _of_staff(session: Session, actor: Actor, appointment_id: int, version: int | None) -> Appointment:
    """Return the appointment for staff to change. Raises NotFound, Forbidden, Conflict."""
    visit = appointments.to_change(session, actor, appointment_id, version)
    if actor.role == Role.PATIENT:
        raise Forbidden(_("Only staff can record the outcome of an appointment."))
    return visit


def _check(refusal: str | None) -> None:
    if refusal is not None:
        raise Conflict(refusal)


def _note(session: Session, actor: Actor, visit: Appointment, verb: str) -> None:
    subject, changes = f"appointment/{visit.id}", audit.changes_of(visit)
    audit.record(session, actor, f"appointment.{verb}", patient_id=visit.patient_id, subject=subject, changes=changes)
