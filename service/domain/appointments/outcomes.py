"""A visit's life after booking: arrived, completed, not come, cancelled; only forward, and undone only on record."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Booking, Settings
from service.domain.appointments import appointments, booking
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden
from service.domain.outbox import announcements, channels, reminders
from service.language.translation import gettext as _
from service.storage.models import OPEN, Appointment, AppointmentStatus, CancelledBy, Treatment

UNDO_FOR = timedelta(minutes=10)
"""So long patients may take their cancellation back; it is told them when that is over."""
TO_COMPLETE_DAYS = 90
TO_COMPLETE_LIMIT = 100


def confirm(session: Session, actor: Actor, appointment_id: int) -> None:
    """The patient says that they come. Raises Conflict unless the visit is booked and ahead."""
    visit = appointments.to_change(session, actor, appointment_id)
    if visit.status != AppointmentStatus.BOOKED or visit.starts_at <= clock.now():
        raise Conflict(_("Only a booked visit that is still ahead can be confirmed."))
    if visit.confirmed_at is None:
        visit.confirmed_at = clock.now()
        _note(session, actor, visit, "confirm")


def arrive(session: Session, actor: Actor, appointment_id: int, zone: ZoneInfo, *, version: int | None = None) -> None:
    """The patient is here; twice is once. Raises Conflict on another day than the visit's, or when it is over."""
    visit = _of_staff(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.ARRIVED:
        return
    if visit.status != AppointmentStatus.BOOKED:
        raise Conflict(_("This visit is over or was cancelled: undo that first."))
    if visit.starts_at.astimezone(zone).date() != clock.today(zone):
        raise Conflict(_("This visit is not today."))
    visit.status, visit.arrived_at = AppointmentStatus.ARRIVED, clock.now()
    _note(session, actor, visit, "arrive")


def complete(session: Session, actor: Actor, appointment_id: int, *, version: int | None = None) -> None:
    """The visit took place; twice is once. Raises Conflict before it began, or when it was cancelled or missed."""
    visit = _of_staff(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.COMPLETED:
        return
    _check_begun(visit)
    visit.status, visit.ended_at = AppointmentStatus.COMPLETED, clock.now()
    _note(session, actor, visit, "complete")


def no_show(session: Session, actor: Actor, appointment_id: int, *, version: int | None = None) -> None:
    """The patient did not come; twice is once. Raises Conflict before the visit began, or when it is over."""
    visit = _of_staff(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.NO_SHOW:
        return
    if visit.status == AppointmentStatus.ARRIVED:
        raise Conflict(_("The patient has arrived: undo that first."))
    _check_begun(visit)
    visit.status, visit.ended_at = AppointmentStatus.NO_SHOW, clock.now()
    _note(session, actor, visit, "no_show")


def cancel(
    session: Session,
    actor: Actor,
    appointment_id: int,
    *,
    reason: str,
    rules: Booking,
    version: int | None = None,
) -> None:
    """Call a visit off, by its patient until the cut-off or by the clinic; the row stays and frees its time.

    Twice is once. Raises Conflict for a visit that is over, and for a patient after the cut-off.
    """
    visit = appointments.to_change(session, actor, appointment_id, version)
    if visit.status == AppointmentStatus.CANCELLED and visit.rescheduled_at is None:
        return
    if visit.status not in OPEN:
        raise Conflict(_("This visit is over or was moved, so it cannot be cancelled."))
    if actor.role == Role.PATIENT and visit.status == AppointmentStatus.ARRIVED:
        raise Conflict(_("You have arrived for this visit: please tell the desk."))
    booking.check_cutoff(session, actor, visit, rules)
    visit.cancellation_reason = booking.checked_reason(reason) or None
    visit.status, visit.cancelled_at = AppointmentStatus.CANCELLED, clock.now()
    visit.cancelled_by = CancelledBy.PATIENT if actor.role == Role.PATIENT else CancelledBy.CLINIC
    visit.cancelled_late = booking.is_late(visit, rules)
    _note(session, actor, visit, "cancel")
    announcements.cancelled(session, visit, clock.now() + UNDO_FOR if actor.role == Role.PATIENT else None)


def undo(session: Session, actor: Actor, appointment_id: int, settings: Settings) -> None:
    """Take back what was last said about a visit: on record, by the desk or the visit's doctor.

    Patients take back their own cancellation, within ten minutes. A visit that takes place after all is reminded of,
    should the run of its day be over. Raises Conflict when there is nothing to undo, a treatment is recorded, or
    somebody has its time now.
    """
    visit = appointments.to_change(session, actor, appointment_id)
    if actor.role == Role.PATIENT and not may_take_back(visit):
        raise Conflict(_("This cannot be taken back here any more: please call the clinic."))
    if visit.status == AppointmentStatus.BOOKED or visit.rescheduled_at is not None:
        raise Conflict(_("There is nothing to undo."))
    recorded = select(Treatment.id).where(Treatment.appointment_id == visit.id)
    if visit.status == AppointmentStatus.COMPLETED and session.scalar(recorded):
        raise Conflict(_("Its treatment is recorded, so this visit was completed."))
    was_cancelled = visit.status == AppointmentStatus.CANCELLED
    if visit.status == AppointmentStatus.ARRIVED:
        visit.status, visit.arrived_at = AppointmentStatus.BOOKED, None
    else:
        visit.status = AppointmentStatus.BOOKED if visit.arrived_at is None else AppointmentStatus.ARRIVED
        visit.cancelled_at = visit.cancelled_by = visit.cancellation_reason = visit.ended_at = None
        visit.cancelled_late = False
    _note(session, actor, visit, "undo")
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(_("Somebody else has this time now: book a new one.")) from None
    if was_cancelled:
        announcements.restored(session, visit)
        reminders.plan_after_all(session, visit, settings.clinic.zone, channels.ways(settings))


def may_take_back(visit: Appointment) -> bool:
    """Whether the patient's own cancellation is so fresh that they may still take it back."""
    return (
        visit.status == AppointmentStatus.CANCELLED
        and visit.rescheduled_at is None
        and visit.cancelled_by == CancelledBy.PATIENT
        and visit.cancelled_at is not None
        and visit.cancelled_at > clock.now() - UNDO_FOR
        and visit.starts_at > clock.now()
    )


def to_complete(session: Session, actor: Actor) -> Sequence[Appointment]:
    """Past visits of which nobody said how they ended, oldest first; a doctor's own. At most 100, of 90 days."""
    query = appointments.with_people().where(_waits_for_outcome(actor))
    return session.scalars(query.order_by(Appointment.starts_at, Appointment.id).limit(TO_COMPLETE_LIMIT)).all()


def count_to_complete(session: Session, actor: Actor) -> int:
    """How many visits to_complete() would list without its limit."""
    return session.scalar(select(func.count()).select_from(Appointment).where(_waits_for_outcome(actor))) or 0


def possible(actor: Actor, visit: Appointment, rules: Booking, zone: ZoneInfo) -> frozenset[str]:
    """What the actor may do with a visit now: the buttons a page shows. The acts themselves check again."""
    if actor.role == Role.DOCTOR and visit.doctor_id != actor.doctor_id:
        return frozenset()
    now, may = clock.now(), set()
    if actor.role == Role.PATIENT:
        if visit.status == AppointmentStatus.BOOKED and visit.starts_at > now and not booking.is_late(visit, rules):
            may = {"move", "cancel"}
        return frozenset(may)
    begun = visit.starts_at <= now
    if visit.status == AppointmentStatus.BOOKED:
        may = {"move", "cancel"} | ({"complete", "no_show"} if begun else {"confirm"})
        if visit.starts_at.astimezone(zone).date() == clock.today(zone):
            may.add("arrive")
    elif visit.status == AppointmentStatus.ARRIVED:
        may = {"complete", "cancel", "undo"}
    elif visit.rescheduled_at is None:
        may = {"undo"}
    if visit.confirmed_at is not None:
        may.discard("confirm")
    return frozenset(may)


def _waits_for_outcome(actor: Actor) -> ColumnElement[bool]:
    now = clock.now()
    waits = (
        Appointment.status.in_(OPEN)
        & (Appointment.starts_at > now - timedelta(days=TO_COMPLETE_DAYS))
        & (Appointment.starts_at < now)
        & (Appointment.ends_at <= now)
    )
    return waits & (Appointment.doctor_id == actor.doctor_id) if actor.role == Role.DOCTOR else waits


def _of_staff(session: Session, actor: Actor, appointment_id: int, version: int | None) -> Appointment:
    """The visit, for those who may say how it went. Raises NotFound, Forbidden."""
    visit = appointments.to_change(session, actor, appointment_id, version)
    if actor.role == Role.PATIENT:
        raise Forbidden(_("Only the clinic says how a visit went."))
    return visit


def _check_begun(visit: Appointment) -> None:
    if visit.status not in OPEN:
        raise Conflict(_("This visit is over or was cancelled: undo that first."))
    if visit.status == AppointmentStatus.BOOKED and visit.starts_at > clock.now():
        raise Conflict(_("This visit has not begun yet."))


def _note(session: Session, actor: Actor, visit: Appointment, verb: str) -> None:
    subject, changes = f"appointment/{visit.id}", audit.changes_of(visit)
    audit.record(session, actor, f"appointment.{verb}", patient_id=visit.patient_id, subject=subject, changes=changes)
