"""Weekly hours: when a doctor sees patients, as blocks of the week in the clinic's local time."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from service import clock
from service.clock import MINUTES_OF_A_DAY, DayTime
from service.domain.appointments import appointments, open_hours
from service.domain.diary import doctors
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Invalid, NotFound
from service.language.translation import gettext as _
from service.storage.models import Appointment, AppointmentStatus, Doctor, DoctorHours

SHORTEST_SLOT, LONGEST_SLOT = 5, 240
MONDAY = 1
"""The number of the first Monday there was, as Python counts days."""
SHOWN = 20
LOOKED_AT = 5000


@dataclass(frozen=True)
class WeekBlock:
    """The same hours on some days of the week (0 is Monday), optionally only between two days.

    Hours that cross midnight belong to the day on which they begin.
    """

    weekdays: Collection[int]
    starts: DayTime
    ends: DayTime
    slot_minutes: int
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True)
class Outside:
    """Booked appointments outside the doctor's hours: how many, and the first ones."""

    count: int
    visits: Sequence[Appointment]


def of_doctors(session: Session, doctor_ids: Iterable[int], today: date) -> Mapping[int, Sequence[DoctorHours]]:
    """Return each doctor's weekly blocks that apply today or later, by weekday and time."""
    ended_tonight = and_(DoctorHours.valid_until == today - timedelta(days=1), DoctorHours.ends > DayTime.at(24))
    rows = session.scalars(
        select(DoctorHours)
        .where(DoctorHours.doctor_id.in_(list(doctor_ids)))
        .where(or_(DoctorHours.valid_until.is_(None), DoctorHours.valid_until >= today, ended_tonight))
        .order_by(DoctorHours.weekday, DoctorHours.starts, DoctorHours.valid_from, DoctorHours.id)
    )
    found: dict[int, list[DoctorHours]] = defaultdict(list)
    for row in rows:
        found[row.doctor_id].append(row)
    return found


def add(session: Session, actor: Actor, doctor_id: int, block: WeekBlock, zone: ZoneInfo) -> None:
    """Add a block on each of its weekdays, all or none; an existing identical block stays as it is.

    Raises NotFound, Forbidden, and Invalid, also where a block would overlap another of the doctor's.
    """
    locks.doctors(session, Doctor.id == doctor_id)
    doctors.to_edit(session, actor, doctor_id)
    today = clock.today(zone)
    _check(block, today)
    there = of_doctors(session, [doctor_id], today).get(doctor_id, [])
    new = [row for row in _rows(doctor_id, block) if not any(_alike(row, other) for other in there)]
    if any(_overlap(row, other, today) for row in new for other in there):
        raise Invalid(_("These hours overlap with existing ones. End those first."), "starts")
    if new:
        session.add_all(new)
        audit.record(session, actor, "hours.add", subject=f"doctor/{doctor_id}")


def end(
    session: Session, actor: Actor, doctor_id: int, block_id: int, *, last_day: date | None, zone: ZoneInfo
) -> None:
    """End a block of a doctor's week after a day, or at once without one; booked appointments stay.

    Raises NotFound, Forbidden, and Invalid for a last day that is past or lies before the block's first.
    """
    locks.doctors(session, Doctor.id == doctor_id)
    doctors.to_edit(session, actor, doctor_id)
    block = session.scalar(select(DoctorHours).where(DoctorHours.id == block_id, DoctorHours.doctor_id == doctor_id))
    if block is None:
        raise NotFound
    subject = f"doctor/{doctor_id}"
    if last_day is None:
        audit.record(session, actor, "hours.remove", subject=subject, changes=audit.what_goes(block))
        session.delete(block)
        return
    if last_day < max(clock.today(zone), block.valid_from or date.min):
        raise Invalid(_("The last day is in the past or before the first day."), "last_day")
    if block.valid_until is None or last_day < block.valid_until:
        block.valid_until = last_day
        audit.record(session, actor, "hours.end", subject=subject, changes=audit.changes_of(block))


def outside(session: Session, actor: Actor, doctor_id: int, zone: ZoneInfo) -> Outside:
    """Return the upcoming appointments outside the doctor's hours, except those overbooked on purpose.

    Looks at the next 5000. Raises NotFound, Forbidden.
    """
    doctors.to_edit(session, actor, doctor_id)
    rows = session.execute(
        select(Appointment.id, Appointment.starts_at, Appointment.ends_at)
        .where(Appointment.doctor_id == doctor_id, Appointment.starts_at > clock.now())
        .where(Appointment.status == AppointmentStatus.BOOKED, Appointment.overbooked.is_(False))
        .order_by(Appointment.starts_at)
        .limit(LOOKED_AT)
    ).all()
    if not rows:
        return Outside(0, [])
    days = [starts_at.astimezone(zone).date() for _row, starts_at, _ends in rows]
    blocks = open_hours.open_blocks(session, days[0], days[-1], zone, [doctor_id])
    lost = [
        row_id
        for (row_id, starts_at, ends_at), day in zip(rows, days, strict=True)
        if not any(
            block.starts_at <= starts_at and ends_at <= block.ends_at for block in blocks.get((doctor_id, day), [])
        )
    ]
    query = appointments.with_people().where(Appointment.id.in_(lost[:SHOWN])).order_by(Appointment.starts_at)
    return Outside(len(lost), session.scalars(query).all())


def check_order(starts: DayTime, ends: DayTime) -> None:
    """Raise Invalid unless the hours begin on their day, end later, and last at most 24 hours."""
    if starts.minutes >= MINUTES_OF_A_DAY:
        raise Invalid(_("The start must be before midnight."), "starts")
    if ends <= starts:
        raise Invalid(_("The end must be after the start."), "ends")
    if ends.minutes - starts.minutes > MINUTES_OF_A_DAY:
        raise Invalid(_("Hours can last at most 24 hours."), "ends")


def check_length(starts: DayTime, ends: DayTime, slot_minutes: int) -> None:
    """Raise Invalid unless the hours are in order and at least one appointment fits in."""
    if not SHORTEST_SLOT <= slot_minutes <= LONGEST_SLOT:
        words = {"least": SHORTEST_SLOT, "most": LONGEST_SLOT}
        raise Invalid(_("Enter %(least)s to %(most)s minutes per appointment.") % words, "slot_minutes")
    check_order(starts, ends)
    if ends.minutes - starts.minutes < slot_minutes:
        raise Invalid(_("This is too short for one appointment."), "ends")


def overlap(one: WeekBlock, other: WeekBlock, today: date) -> bool:
    """Whether two blocks claim the same time of some day that is not past yet."""
    return any(_overlap(mine, theirs, today) for mine in _rows(0, one) for theirs in _rows(0, other))


def _check(block: WeekBlock, today: date) -> None:
    check_length(block.starts, block.ends, block.slot_minutes)
    if not block.weekdays or not set(block.weekdays) <= set(range(7)):
        raise Invalid(_("Choose at least one day of the week."), "weekdays")
    if block.valid_until is None:
        return
    if block.valid_from is not None and block.valid_until < block.valid_from:
        raise Invalid(_("The last day must not be before the first day."), "valid_until")
    if block.valid_until < today:
        raise Invalid(_("The last day is in the past or before the first day."), "valid_until")


def _rows(doctor_id: int, block: WeekBlock) -> list[DoctorHours]:
    return [
        DoctorHours(
            doctor_id=doctor_id,
            weekday=weekday,
            starts=block.starts,
            ends=block.ends,
            slot_minutes=block.slot_minutes,
            valid_from=block.valid_from,
            valid_until=block.valid_until,
        )
        for weekday in sorted(set(block.weekdays))
    ]


def _alike(one: DoctorHours, other: DoctorHours) -> bool:
    names = ("weekday", "starts", "ends", "slot_minutes", "valid_from", "valid_until")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _overlap(one: DoctorHours, other: DoctorHours, today: date) -> bool:
    """Whether two blocks claim the same time of some day that is not past yet; either may begin the evening before."""
    return any(_meet(one, other, today, apart) for apart in (-1, 0, 1))


def _meet(one: DoctorHours, other: DoctorHours, today: date, apart: int) -> bool:
    """Whether a block meets another that begins so many days later (-1: the day before)."""
    later = apart * MINUTES_OF_A_DAY
    if (one.weekday + apart - other.weekday) % 7 != 0:
        return False
    if one.starts.minutes >= other.ends.minutes + later or other.starts.minutes + later >= one.ends.minutes:
        return False
    # The days, as numbers, on which the first may begin so that the other does too.
    not_past = today.toordinal() - max(apart, 0)
    first = max(not_past, _number(one.valid_from, date.min), _number(other.valid_from, date.min) - apart)
    last = min(_number(one.valid_until, date.max), _number(other.valid_until, date.max) - apart)
    # Two spans of days may share a day or two, but no such weekday.
    return first + (one.weekday - (first - MONDAY)) % 7 <= last


def _number(day: date | None, otherwise: date) -> int:
    return (day or otherwise).toordinal()
