"""Booking: a visit is made or moved in one transaction in which nobody else can take its time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Booking
from service.domain.appointments import appointments, candidates, free_times, possible, visit_types
from service.domain.appointments.free_times import FreeTime
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
    """What is to be booked: for whom, when (an instant), with which of the doctors, how long."""

    patient_id: int
    starts_at: datetime
    doctor_ids: Sequence[int]
    minutes: int | None
    zone: ZoneInfo


def book(
    session: Session,
    actor: Actor,
    *,
    patient_id: int,
    doctor_id: int | None,
    starts_at: datetime,
    rules: Booking,
    zone: ZoneInfo,
    department: str = "",
    reason: str = "",
    visit_type_id: int | None = None,
    overbooking_reason: str = "",
    announce: bool = True,
) -> Appointment:
    """Book a visit at an instant, with a doctor or (None) any of the department who is free then, and confirm it.

    The same account, patient, doctor and time again while it is booked is the same booking. With an
    `overbooking_reason` staff book whatever else is there. Raises NotFound, Invalid, Taken.
    """
    # Two tabs of one patient, or somebody who archives the record, take turns with this on PostgreSQL too.
    session.execute(select(Patient.id).where(Patient.id == patient_id).with_for_update(key_share=True))
    patients.to_book(session, actor, patient_id)
    kind = None if visit_type_id is None else visit_types.fetch(session, actor, visit_type_id)
    doctor_ids = candidates.locked(session, None if doctor_id is None else [doctor_id], department)
    again = _made_before(session, actor, patient_id, doctor_ids, starts_at)
    if again is not None:
        return again
    wish = Wish(patient_id, starts_at, doctor_ids, kind.minutes if kind else None, zone)
    over = overbooking_reason.strip() if actor.role != Role.PATIENT else ""
    found = overbooked(session, wish) if over else place(session, actor, wish)
    if actor.role == Role.PATIENT:
        _check_open(session, patient_id, rules)
    visit = add(
        session, actor, wish, found, reason=reason, visit_type_id=visit_type_id, overbooking_reason=over or None
    )
    if announce:
        announcements.booked(session, visit)
    return visit


def look(session: Session, *, patient_id: int, doctor_id: int | None, starts_at: datetime, over: bool) -> None:
    """Refuse at a glance what somebody else has already: who comes second then waits for no writer, nor delays one.

    It only saves time, book() decides. Raises Taken.
    """
    if doctor_id is None or over or starts_at <= clock.now():
        return
    holder = session.scalar(
        select(Appointment.patient_id).where(
            Appointment.doctor_id == doctor_id,
            Appointment.status.in_(TAKES_PLACE),
            Appointment.starts_at > starts_at - free_times.LONGEST,
            Appointment.starts_at <= starts_at,
            Appointment.ends_at > starts_at,
        )
    )
    if holder is not None and holder != patient_id:
        raise Taken(_("This time has just been taken, or is not free."))


def reschedule(
    session: Session,
    actor: Actor,
    appointment_id: int,
    *,
    starts_at: datetime,
    rules: Booking,
    zone: ZoneInfo,
    doctor_ids: Sequence[int] = (),
    overbooking_reason: str = "",
    version: int | None = None,
) -> Appointment:
    """Move a booked visit: a new one takes its place and points to it, the old one stays in the history.

    To the same doctor, or the one of `doctor_ids` who is free then. The same move again is the same move.
    Raises NotFound, Forbidden, Invalid, Taken, and Conflict for a visit that cannot be moved any more.
    """
    visit = appointments.to_change(session, actor, appointment_id, version)
    doctor_ids = candidates.locked(session, doctor_ids or [visit.doctor_id])
    if visit.rescheduled_at is not None:
        return _moved_before(session, visit, doctor_ids, starts_at)
    refusal = possible.why_not_moved(session, actor, visit, rules)
    if refusal is not None:
        raise Conflict(refusal)
    if visit.starts_at == starts_at and visit.doctor_id in doctor_ids:
        raise Invalid(_("The visit is at that time already: choose another one."), "starts_at")
    now = clock.now()
    visit.status, visit.rescheduled_at, visit.cancelled_at = AppointmentStatus.CANCELLED, now, now
    visit.cancelled_by = CancelledBy.PATIENT if actor.role == Role.PATIENT else CancelledBy.CLINIC
    visit.cancelled_late = possible.is_late(visit, rules)
    session.flush()  # its own time is free for the new one
    length = int((visit.ends_at - visit.starts_at).total_seconds() // 60)
    wish = Wish(visit.patient_id, starts_at, doctor_ids, length, zone)
    over = overbooking_reason.strip() if actor.role != Role.PATIENT else ""
    found = overbooked(session, wish) if over else place(session, actor, wish)
    kept = {"reason": visit.reason, "visit_type_id": visit.visit_type_id, "series_id": visit.series_id}
    places = ({"starts_at": at.starts_at, "doctor_id": at.doctor_id} for at in (visit, found))
    subject, changes = f"appointment/{visit.id}", audit.changed(*places)
    audit.record(session, actor, "appointment.move", patient_id=visit.patient_id, subject=subject, changes=changes)
    new = add(session, actor, wish, found, **kept, rescheduled_from_id=visit.id, overbooking_reason=over or None)
    announcements.moved(session, new)
    return new


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
    for (doctor_id, _day), blocks in free_times.open_blocks(session, day, day, wish.zone, wish.doctor_ids).items():
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
    return _("This time has just been taken, or is not free.")


def overbooked(session: Session, wish: Wish) -> FreeTime:
    """The wished time whatever else is there: staff said so on purpose."""
    if len(wish.doctor_ids) != 1:
        raise Invalid(_("Choose a doctor to book on top of another visit."), "doctor_id")
    if wish.starts_at <= clock.now() - timedelta(hours=1):
        raise Invalid(_("This time is past: choose a later one."), "starts_at")
    day = wish.starts_at.astimezone(wish.zone).date()
    blocks = free_times.open_blocks(session, day, day, wish.zone, wish.doctor_ids).get((wish.doctor_ids[0], day), [])
    minutes = wish.minutes or (blocks[0].slot_minutes if blocks else USUAL_MINUTES)
    return FreeTime(wish.starts_at, wish.starts_at + timedelta(minutes=minutes), wish.doctor_ids[0])


def add(session: Session, actor: Actor, wish: Wish, found: FreeTime, **fields: Any) -> Appointment:
    """Insert the visit and put it on record. Raises Taken when the database itself refuses an overlap."""
    reason = checked_reason(fields.pop("reason", ""))
    visit = Appointment(
        patient_id=wish.patient_id,
        doctor_id=found.doctor_id,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        reason=reason,
        overbooked=fields["overbooking_reason"] is not None,
        booked_by_id=actor.user_id,
        created_at=clock.now(),
        **{
            **fields,
            "overbooking_reason": fields["overbooking_reason"] and checked_reason(fields["overbooking_reason"]),
        },
    )
    session.add(visit)
    try:
        session.flush()
    except IntegrityError:
        raise Taken(_("This time has just been taken, or is not free.")) from None
    act = "appointment.overbook" if visit.overbooked else "appointment.book"
    audit.record(session, actor, act, patient_id=visit.patient_id, subject=f"appointment/{visit.id}")
    return visit


def checked_reason(text: str) -> str:
    """A reason in at most 200 characters, line breaks made LF; Invalid otherwise."""
    return texts.checked(text, "reason", LONGEST_REASON)


def _made_before(
    session: Session, actor: Actor, patient_id: int, doctor_ids: Sequence[int], starts_at: datetime
) -> Appointment | None:
    """The booking that a double click, the back button or a second tab repeats."""
    return session.scalars(
        select(Appointment).where(
            Appointment.patient_id == patient_id,
            Appointment.starts_at == starts_at,
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
