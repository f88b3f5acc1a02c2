"""Booking: a visit is made or moved in one transaction in which nobody else can take its time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Booking
from service.domain.appointments import appointments, candidates, free_times, open_hours, possible, visit_types
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.promises import Promise
from service.domain.appointments.requests import BookingRequest, MoveRequest
from service.domain.foundation import audit, texts
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.outbox import announcements
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import (
    TAKES_PLACE,
    Appointment,
    AppointmentStatus,
    CancelledBy,
    Patient,
)

LONGEST_REASON = 200
USUAL_MINUTES = 15
"""How long a visit outside a doctor's hours takes when its type does not say."""


class Taken(Conflict):
    """The time is not free (any more): nearest() knows those that are."""


@dataclass(frozen=True)
class Wish:
    """What is looked for: an instant for a patient, with one of these doctors, so long (None: as their hours say)."""

    patient_id: int
    starts_at: datetime
    doctor_ids: Sequence[int]
    minutes: int | None
    zone: ZoneInfo


@dataclass(frozen=True)
class Details:
    """What a visit carries besides its people and its time."""

    reason: str
    visit_type_id: int | None
    overbooking_reason: str = ""
    series_id: int | None = None
    rescheduled_from_id: int | None = None


def book(session: Session, actor: Actor, request: BookingRequest, rules: Booking, zone: ZoneInfo) -> Appointment:
    """Book a visit and confirm it to the patient.

    The same account, patient, doctor and time again while it is booked is the same booking. Raises NotFound,
    Invalid, Taken.
    """
    visit, is_new = make(session, actor, request, rules, zone)
    if is_new:
        announcements.booked(session, visit)
    return visit


def make(
    session: Session, actor: Actor, request: BookingRequest, rules: Booking, zone: ZoneInfo
) -> tuple[Appointment, bool]:
    """Book a visit of which the patient is told elsewhere, and whether it is new. Raises what book() raises."""
    # Two tabs of one patient, or somebody who archives the record, take turns with this on PostgreSQL too.
    session.execute(select(Patient.id).where(Patient.id == request.patient_id).with_for_update(key_share=True))
    patients.to_book(session, actor, request.patient_id)
    minutes = visit_types.minutes(session, actor, request.visit_type_id)
    named = None if request.doctor_id is None else [request.doctor_id]
    doctor_ids = candidates.locked(session, named, request.department)
    again = _made_before(session, actor, request, doctor_ids)
    if again is not None:
        return again, False
    over = _overbooking_reason(actor, request.overbooking_reason)
    wish = Wish(request.patient_id, request.starts_at, doctor_ids, minutes, zone)
    found = _found(session, actor, wish, over)
    if actor.role == Role.PATIENT:
        _check_open(session, request.patient_id, rules)
    return add(session, actor, wish, found, Details(request.reason, request.visit_type_id, over)), True


def look(session: Session, request: BookingRequest) -> None:
    """Refuse at a glance what somebody else has already: who comes second then waits for no writer, nor delays one.

    It only saves time, book() decides. Raises Taken.
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
        raise Taken(just_taken())


def just_taken() -> str:
    """What somebody reads who comes second."""
    return _("This time has just been taken, or is not free.")


def reschedule(
    session: Session, actor: Actor, appointment_id: int, request: MoveRequest, rules: Booking, zone: ZoneInfo
) -> Appointment:
    """Move a booked visit: a new one takes its place and points to it, the old one stays in the history.

    The same move again is the same move. Raises NotFound, Forbidden, Invalid, Taken, and Conflict for a visit that
    cannot be moved any more.
    """
    visit = appointments.to_change(session, actor, appointment_id, request.version)
    doctor_ids = candidates.locked(session, request.doctor_ids or [visit.doctor_id])
    if visit.rescheduled_at is not None:
        return _moved_before(session, visit, doctor_ids, request.starts_at)
    refusal = possible.why_not_moved(session, actor, visit, rules)
    if refusal is not None:
        raise Conflict(refusal)
    if visit.starts_at == request.starts_at and visit.doctor_id in doctor_ids:
        raise Invalid(_("The visit is at that time already: choose another one."), "starts_at")
    now = clock.now()
    visit.status, visit.rescheduled_at, visit.cancelled_at = AppointmentStatus.CANCELLED, now, now
    visit.cancelled_by = CancelledBy.PATIENT if actor.role == Role.PATIENT else CancelledBy.CLINIC
    visit.cancelled_late = possible.is_late(visit, rules)
    session.flush()  # its own time is free for the new one
    wish = Wish(visit.patient_id, request.starts_at, doctor_ids, minutes_of(visit), zone)
    over = _overbooking_reason(actor, request.overbooking_reason)
    found = _found(session, actor, wish, over)
    places = ({"starts_at": at.starts_at, "doctor_id": at.doctor_id} for at in (visit, found))
    subject, changes = f"appointment/{visit.id}", audit.changed(*places)
    audit.record(session, actor, "appointment.move", patient_id=visit.patient_id, subject=subject, changes=changes)
    details = Details(visit.reason, visit.visit_type_id, over, visit.series_id, rescheduled_from_id=visit.id)
    new = add(session, actor, wish, found, details)
    announcements.moved(session, new)
    return new


def _overbooking_reason(actor: Actor, text: str) -> str:
    """Why on top of another visit; patients have no reason."""
    return text.strip() if actor.role != Role.PATIENT else ""


def _found(session: Session, actor: Actor, wish: Wish, overbooking_reason: str) -> FreeTime:
    return overbooked(session, wish) if overbooking_reason else place(session, actor, wish)


def place(session: Session, actor: Actor, wish: Wish) -> FreeTime:
    """The free time that fits a wish, at the doctor with the fewest visits that day.

    Patients take the times that are offered; the desk may begin at any minute of the open hours. Raises Invalid
    for the past and outside the hours, Taken otherwise.
    """
    if wish.starts_at <= clock.now():
        raise Invalid(_("This time is past: choose a later one."), "starts_at")
    day = wish.starts_at.astimezone(wish.zone).date()
    offered = free_times.of_days(
        session, day, day, wish.zone, doctor_ids=wish.doctor_ids, minutes=wish.minutes, for_patient=wish.patient_id
    )
    fits = [time for time in offered if time.starts_at == wish.starts_at]
    if not fits:
        fits = _between_slots(session, wish)
        if actor.role == Role.PATIENT:
            raise Invalid(_("This is not one of the free times: choose one of those below."), "starts_at")
    start, end = clock.day_bounds(day, wish.zone)
    load = free_times.busy(session, start, end, wish.doctor_ids)
    return min(fits, key=lambda time: (len(load[time.doctor_id]), time.doctor_id))


def _between_slots(session: Session, wish: Wish) -> list[FreeTime]:
    """The wished minute itself where a doctor is open and free then. Raises Invalid (nobody is open) and Taken."""
    day = wish.starts_at.astimezone(wish.zone).date()
    spans = []
    for (doctor_id, _day), blocks in open_hours.open_blocks(session, day, day, wish.zone, wish.doctor_ids).items():
        for block in blocks:
            ends_at = wish.starts_at + timedelta(minutes=wish.minutes or block.slot_minutes)
            if block.starts_at <= wish.starts_at and ends_at <= block.ends_at:
                spans.append(FreeTime(wish.starts_at, ends_at, doctor_id))
    if not spans:
        raise Invalid(_("Nobody works at that time: choose one of the free times."), "starts_at")
    taken = free_times.taken(
        session, wish.starts_at, max(span.ends_at for span in spans), wish.doctor_ids, wish.patient_id
    )
    free = [
        span
        for span in spans
        if not any(start < span.ends_at and end > span.starts_at for start, end in taken[span.doctor_id])
    ]
    if not free:
        raise Taken(_why_taken(session, wish))
    return free


def _why_taken(session: Session, wish: Wish) -> str:
    end = wish.starts_at + timedelta(minutes=wish.minutes or 1)
    if free_times.of_patient(session, wish.patient_id, wish.starts_at, end):
        return _("The patient already has a visit at that time.")
    return just_taken()


def overbooked(session: Session, wish: Wish) -> FreeTime:
    """The wished time whatever else is there: staff said so on purpose."""
    if len(wish.doctor_ids) != 1:
        raise Invalid(_("Choose a doctor to book on top of another visit."), "doctor_id")
    if wish.starts_at <= clock.now() - timedelta(hours=1):
        raise Invalid(_("This time is past: choose a later one."), "starts_at")
    day = wish.starts_at.astimezone(wish.zone).date()
    blocks = open_hours.open_blocks(session, day, day, wish.zone, wish.doctor_ids).get((wish.doctor_ids[0], day), [])
    now_open = [block for block in blocks if block.starts_at <= wish.starts_at < block.ends_at]
    minutes = wish.minutes or next((block.slot_minutes for block in now_open + blocks), USUAL_MINUTES)
    return FreeTime(wish.starts_at, wish.starts_at + timedelta(minutes=minutes), wish.doctor_ids[0])


def add(session: Session, actor: Actor, wish: Wish, found: FreeTime, details: Details) -> Appointment:
    """Insert the visit and put it on record. Raises Taken when the database itself refuses an overlap."""
    over = details.overbooking_reason
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
    try:
        session.flush()
    except IntegrityError:
        raise Taken(just_taken()) from None
    act = "appointment.overbook" if visit.overbooked else "appointment.book"
    audit.record(session, actor, act, patient_id=visit.patient_id, subject=f"appointment/{visit.id}")
    return visit


def minutes_of(visit: Appointment) -> int:
    """How long a visit takes."""
    return int((visit.ends_at - visit.starts_at).total_seconds() // 60)


def checked_reason(text: str) -> str:
    """A reason in at most 200 characters, line breaks made LF; Invalid otherwise."""
    return texts.checked(text, "reason", LONGEST_REASON)


def _made_before(
    session: Session, actor: Actor, request: BookingRequest, doctor_ids: Sequence[int]
) -> Appointment | None:
    """The booking that a double click, the back button or a second tab repeats."""
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
    raise Conflict(_("This visit was moved already: look at the new one."))


def _check_open(session: Session, patient_id: int, rules: Booking) -> None:
    count = session.scalar(
        select(func.count())
        .select_from(Appointment)
        .where(Appointment.patient_id == patient_id, Appointment.status == AppointmentStatus.BOOKED)
        .where(Appointment.starts_at > clock.now())
    )
    if (count or 0) >= rules.max_open:
        raise Invalid(
            _("You have %(count)s visits booked, which is as many as can be booked here: please call the clinic.")
            % {"count": count}
        )
