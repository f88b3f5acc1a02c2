"""Checks that every new appointment passes: active doctor and patient, a free slot, the limit per patient.

Booking, series, rescheduling, undoing a cancellation, and offering or accepting a slot all use them, so the same
rules apply everywhere.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import candidates, free_times, open_hours
from service.domain.appointments.free_times import FreeTime
from service.domain.foundation import locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import Appointment, AppointmentStatus

USUAL_MINUTES = 15
"""Length of an appointment outside a doctor's hours that has no appointment type."""
LATE_ENTRY = timedelta(hours=1)
"""How long after its start staff can still enter an overbooked appointment."""


class Taken(Conflict):
    """The slot is not free, or no longer free; free_times.nearest() returns alternatives."""


@dataclass(frozen=True)
class Wish:
    """A requested slot; `starts_at` is in UTC, and without `minutes` the doctor's hours decide the length."""

    patient_id: int
    starts_at: datetime
    doctor_ids: Sequence[int]
    minutes: int | None
    zone: ZoneInfo
    overbooking_reason: str = ""
    """Why staff overbook the slot; empty for an ordinary booking."""
    was_theirs: bool = False
    """Whether the patient had this slot before; then it does not have to be one that is offered."""


def people(
    session: Session, actor: Actor, patient_id: int, doctor_ids: Collection[int] | None, department: str = ""
) -> Sequence[int]:
    """Lock the patient, then the requested doctors (None: any), and return the ids of the doctors.

    Raises NotFound for people who do not exist or whom the actor may not see, Invalid for archived ones.
    """
    locks.patients(session, patient_id)
    patients.to_book(session, actor, patient_id)
    return candidates.locked(session, doctor_ids, department)


def admit(session: Session, actor: Actor, wish: Wish, *, most_open: int | None = None) -> FreeTime:
    """Return the slot to book for a wish, after people() has locked the patient and the doctors.

    `most_open` limits a patient's upcoming appointments; None when this one replaces another.
    Raises Invalid for a past time, a time outside the hours, and too many appointments; Taken if the slot is
    not free.
    """
    found = on_top(session, wish) if wish.overbooking_reason else _free(session, actor, wish)
    if actor.role == Role.PATIENT and most_open is not None:
        _check_open(session, wish.patient_id, most_open)
    return found


def on_top(session: Session, wish: Wish) -> FreeTime:
    """Return the requested time without checking for overlaps, because staff chose to overbook."""
    if len(wish.doctor_ids) != 1:
        raise Invalid(_("Choose a doctor before you overbook."), "doctor_id")
    if wish.starts_at <= clock.now() - LATE_ENTRY:
        raise Invalid(past(), "starts_at")
    day = wish.starts_at.astimezone(wish.zone).date()
    blocks = open_hours.open_blocks(session, day, day, wish.zone, wish.doctor_ids).get((wish.doctor_ids[0], day), [])
    now_open = [block for block in blocks if block.starts_at <= wish.starts_at < block.ends_at]
    minutes = wish.minutes or next((block.slot_minutes for block in now_open + blocks), USUAL_MINUTES)
    return FreeTime(wish.starts_at, wish.starts_at + timedelta(minutes=minutes), wish.doctor_ids[0])


def write(session: Session) -> None:
    """Flush the session. Raises Taken when the database constraint finds an overlap."""
    try:
        session.flush()
    except IntegrityError:
        raise Taken(just_taken()) from None


def is_about_time(error: Invalid) -> bool:
    """Return whether the time was refused, which staff may override, and not the patient or doctor."""
    return error.field == "starts_at"


def just_taken() -> str:
    """Return the message for a slot that someone else took first."""
    return _("That slot was just taken or isn't free.")


def past() -> str:
    """Return the message for a time in the past."""
    return _("That time has passed. Choose a later one.")


def _free(session: Session, actor: Actor, wish: Wish) -> FreeTime:
    """Return the free slot that fits a wish, with the doctor who has the fewest appointments that day.

    Patients can only book slots that are offered, unless the slot was theirs before. Staff can start at any minute of
    the open hours. Raises Invalid for a past time or one outside the hours, Taken otherwise.
    """
    if wish.starts_at <= clock.now():
        raise Invalid(past(), "starts_at")
    day = wish.starts_at.astimezone(wish.zone).date()
    offered = free_times.of_days(
        session, day, day, wish.zone, doctor_ids=wish.doctor_ids, minutes=wish.minutes, for_patient=wish.patient_id
    )
    fits = [time for time in offered if time.starts_at == wish.starts_at]
    if not fits:
        fits = _between_slots(session, wish)
        if actor.role == Role.PATIENT and not wish.was_theirs:
            raise Invalid(_("That isn't one of the free slots. Choose one from the list."), "starts_at")
    start, end = clock.day_bounds(day, wish.zone)
    load = free_times.busy(session, start, end, wish.doctor_ids)
    return min(fits, key=lambda time: (len(load[time.doctor_id]), time.doctor_id))


def _between_slots(session: Session, wish: Wish) -> list[FreeTime]:
    """Return the requested minute for each doctor who is open and free. Raises Invalid (no one is open), Taken."""
    day = wish.starts_at.astimezone(wish.zone).date()
    spans = []
    for (doctor_id, _day), blocks in open_hours.open_blocks(session, day, day, wish.zone, wish.doctor_ids).items():
        for block in blocks:
            ends_at = wish.starts_at + timedelta(minutes=wish.minutes or block.slot_minutes)
            if block.starts_at <= wish.starts_at and ends_at <= block.ends_at:
                spans.append(FreeTime(wish.starts_at, ends_at, doctor_id))
    if not spans:
        raise Invalid(_("The doctor doesn't work at that time. Choose a free slot."), "starts_at")
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
        return _("The patient already has an appointment at that time.")
    return just_taken()


def _check_open(session: Session, patient_id: int, most: int) -> None:
    count = session.scalar(
        select(func.count())
        .select_from(Appointment)
        .where(Appointment.patient_id == patient_id, Appointment.status == AppointmentStatus.BOOKED)
        .where(Appointment.starts_at > clock.now())
    )
    if (count or 0) >= most:
        raise Invalid(
            _(
                "You have %(count)s appointments booked, the most you can book online. "
                "To book another one, please call the clinic."
            )
            % {"count": count}
        )
