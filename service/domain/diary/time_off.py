"""Schedule exceptions: a doctor's time off, clinic holidays, and extra hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session, joinedload

from service import clock
from service.clock import DayTime
from service.domain.appointments import free_times
from service.domain.appointments.open_hours import Span
from service.domain.diary import doctors, hours
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid, NotFound
from service.language.translation import gettext as _
from service.storage.models import Appointment, Doctor, ExceptionKind, HoursException

LONGEST_NOTE = 200
LONGEST_DAYS = 366
LISTED = 200


@dataclass(frozen=True)
class Closure:
    """Time off for a doctor, or for the whole clinic (None): whole days, or the same hours of each.

    Hours that cross midnight belong to the day on which they begin.
    """

    doctor_id: int | None
    first_day: date
    last_day: date
    starts: DayTime | None = None
    ends: DayTime | None = None
    note: str = ""


@dataclass(frozen=True)
class ExtraHours:
    """A doctor's hours on one day in addition to the weekly hours."""

    doctor_id: int
    day: date
    starts: DayTime
    ends: DayTime
    slot_minutes: int
    note: str = ""


def upcoming(
    session: Session, actor: Actor, zone: ZoneInfo, *, doctor_id: int | None = None
) -> Sequence[HoursException]:
    """Return current and upcoming exceptions with their doctors, soonest first, optionally for one doctor.

    A doctor gets their own and the clinic's. At most 200.
    """
    today = clock.today(zone)
    query = (
        select(HoursException)
        .options(joinedload(HoursException.doctor))
        .where(_visible(actor), or_(HoursException.last_day >= today, _lasts_into(today)))
        .order_by(HoursException.first_day, HoursException.starts, HoursException.id)
        .limit(LISTED)
    )
    if doctor_id is not None:
        query = query.where(or_(HoursException.doctor_id.is_(None), HoursException.doctor_id == doctor_id))
    return session.scalars(query).all()


def fetch(session: Session, actor: Actor, exception_id: int) -> HoursException:
    """Return one exception with its doctor. Raises NotFound if it is missing or another doctor's."""
    found = session.scalar(
        select(HoursException)
        .options(joinedload(HoursException.doctor))
        .where(HoursException.id == exception_id, _visible(actor))
    )
    if found is None:
        raise NotFound
    return found


def close(session: Session, actor: Actor, closure: Closure, zone: ZoneInfo) -> HoursException:
    """Block time of a doctor or of the whole clinic.

    Booked appointments stay; affected_appointments lists them. Adding the same time off twice adds it once. Raises
    NotFound, Forbidden, Invalid.
    """
    _lock(session, actor, closure.doctor_id)
    _check_days(closure.first_day, closure.last_day, zone)
    starts, ends = closure.starts, closure.ends
    if (starts is None) != (ends is None):
        raise Invalid(_("Enter both times, or leave both empty for whole days."), "ends" if ends is None else "starts")
    if starts is not None and ends is not None:
        hours.check_order(starts, ends)
    row = HoursException(
        doctor_id=closure.doctor_id,
        kind=ExceptionKind.OFF,
        first_day=closure.first_day,
        last_day=closure.last_day,
        starts=starts,
        ends=ends,
        note=_checked_note(closure.note),
    )
    return _add(session, actor, row)


def open_extra(session: Session, actor: Actor, extra: ExtraHours, zone: ZoneInfo) -> HoursException:
    """Add extra hours; adding the same hours twice adds them once. Raises NotFound, Forbidden, Invalid."""
    _lock(session, actor, extra.doctor_id)
    _check_days(extra.day, extra.day, zone)
    hours.check_length(extra.starts, extra.ends, extra.slot_minutes)
    for name, at in (("starts", extra.starts), ("ends", extra.ends)):
        if free_times.of_wall(at.on(extra.day), zone) is None:
            raise Invalid(_("This time doesn't exist on that day because the clocks go forward."), name)
    row = HoursException(
        doctor_id=extra.doctor_id,
        kind=ExceptionKind.EXTRA,
        first_day=extra.day,
        last_day=extra.day,
        starts=extra.starts,
        ends=extra.ends,
        slot_minutes=extra.slot_minutes,
        note=_checked_note(extra.note),
    )
    return _add(session, actor, row)


def remove(session: Session, actor: Actor, exception_id: int) -> None:
    """Remove an exception. Raises NotFound, and Forbidden for a doctor who removes the clinic's."""
    row = fetch(session, actor, exception_id)
    _lock(session, actor, row.doctor_id)
    audit.record(session, actor, "time_off.remove", subject=f"time_off/{row.id}", changes=audit.what_goes(row))
    session.delete(row)


def may_edit(actor: Actor, row: HoursException) -> bool:
    """Whether the actor may remove it."""
    return doctors.may_edit(actor, row.doctor_id)


def spans(row: HoursException, zone: ZoneInfo) -> list[Span]:
    """Return the spans it covers in UTC: one for whole days, or one per day."""
    if row.starts is None or row.ends is None:
        return [(clock.day_bounds(row.first_day, zone)[0], clock.day_bounds(row.last_day, zone)[1])]
    days = (row.first_day + timedelta(days=count) for count in range((row.last_day - row.first_day).days + 1))
    return [(row.starts.instant(day, zone), row.ends.instant(day, zone)) for day in days]


def _lasts_into(day: date) -> ColumnElement[bool]:
    """The condition on those whose last hours began the day before and cross midnight."""
    return and_(HoursException.last_day == day - timedelta(days=1), HoursException.ends > DayTime.at(24))


def away(session: Session, visits: Sequence[Appointment], zone: ZoneInfo) -> frozenset[int]:
    """Return the ids of those appointments that fall into their doctor's time off or a clinic holiday."""
    if not visits:
        return frozenset()
    first = min(visit.starts_at for visit in visits).astimezone(zone).date()
    last = max(visit.ends_at for visit in visits).astimezone(zone).date()
    rows = session.scalars(
        select(HoursException).where(
            HoursException.kind == ExceptionKind.OFF,
            HoursException.first_day <= last,
            HoursException.last_day >= first - timedelta(days=1),  # its hours may cross midnight
        )
    ).all()
    blocked = [(row.doctor_id, span) for row in rows for span in spans(row, zone)]
    return frozenset(
        visit.id
        for visit in visits
        if any(
            doctor_id in (None, visit.doctor_id) and start < visit.ends_at and end > visit.starts_at
            for doctor_id, (start, end) in blocked
        )
    )


def _visible(actor: Actor) -> ColumnElement[bool]:
    """The condition on exceptions the actor may see: for a doctor their own and the clinic's, for the desk all."""
    if actor.role != Role.DOCTOR:
        return true()
    return or_(HoursException.doctor_id.is_(None), HoursException.doctor_id == actor.doctor_id)


def _lock(session: Session, actor: Actor, doctor_id: int | None) -> None:
    """Lock these doctors against bookings until the commit. Raises NotFound, Forbidden."""
    locks.doctors(session, None if doctor_id is None else Doctor.id == doctor_id)
    if doctor_id is not None:
        doctors.to_edit(session, actor, doctor_id)
    elif not doctors.may_edit(actor, None):
        raise Forbidden(_("Only administrators and receptionists can close the whole clinic."))


def _check_days(first_day: date, last_day: date, zone: ZoneInfo) -> None:
    if last_day < first_day:
        raise Invalid(_("The last day must not be before the first day."), "last_day")
    if last_day < clock.today(zone):
        raise Invalid(_("This day is in the past."), "last_day" if last_day != first_day else "first_day")
    if (last_day - first_day).days >= LONGEST_DAYS:
        raise Invalid(_("Block at most one year at a time."), "last_day")


def _checked_note(text: str) -> str:
    note = " ".join(text.split())
    if len(note) > LONGEST_NOTE:
        raise Invalid(_("Use at most %(count)s characters.") % {"count": LONGEST_NOTE}, "note")
    return note


def _add(session: Session, actor: Actor, row: HoursException) -> HoursException:
    same = select(HoursException)
    for name in ("doctor_id", "kind", "first_day", "last_day", "starts", "ends", "slot_minutes", "note"):
        column = getattr(HoursException, name)
        same = same.where(column.is_not_distinct_from(getattr(row, name)))
    known = session.scalars(same).first()
    if known is not None:
        return known  # a double click
    row.created_by_id, row.created_at = actor.user_id, clock.now()
    session.add(row)
    session.flush()
    audit.record(session, actor, "time_off.add", subject=f"time_off/{row.id}")
    return row
