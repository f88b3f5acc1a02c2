"""Free times: computed from a doctor's hours, what is booked and what is held; never stored."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import holds
from service.storage.models import TAKES_PLACE, Appointment, DoctorHours, ExceptionKind, HoursException

LONGEST = holds.LONGEST
NEAREST_DAYS = 28
"""How far around a wanted time the nearest free ones are looked for."""

Span = tuple[datetime, datetime]


class Block(NamedTuple):
    """A stretch in which a doctor sees people, as instants, and how long one visit takes by default."""

    starts_at: datetime
    ends_at: datetime
    slot_minutes: int


@dataclass(frozen=True, order=True)
class FreeTime:
    """A visit that could be booked; times in UTC."""

    starts_at: datetime
    ends_at: datetime
    doctor_id: int


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """The UTC instant of a wall-clock time; None for one that the spring change skips.

    Of a time that the autumn change brings twice this is the first.
    """
    instant = clock.instant(day, at, zone)
    return instant if instant.astimezone(zone).replace(tzinfo=None) == datetime.combine(day, at) else None


def open_blocks(
    session: Session, first: date, last: date, zone: ZoneInfo, doctor_ids: Sequence[int]
) -> dict[tuple[int, date], list[Block]]:
    """When each doctor sees people on each day from `first` to `last`: the week, with extra hours, without time off."""
    hours = session.scalars(select(DoctorHours).where(DoctorHours.doctor_id.in_(doctor_ids))).all()
    exceptions = session.scalars(
        select(HoursException)
        .where(HoursException.last_day >= first, HoursException.first_day <= last)
        .where(or_(HoursException.doctor_id.is_(None), HoursException.doctor_id.in_(doctor_ids)))
    ).all()
    days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    blocks = {}
    for doctor_id in doctor_ids:
        weekly = [row for row in hours if row.doctor_id == doctor_id]
        special = [row for row in exceptions if row.doctor_id in (None, doctor_id)]
        for day in days:
            found = list(_blocks_of_day(day, weekly, special, zone))
            if found:
                blocks[doctor_id, day] = found
    return blocks


def _blocks_of_day(
    day: date, weekly: Sequence[DoctorHours], special: Sequence[HoursException], zone: ZoneInfo
) -> Iterator[Block]:
    today = [row for row in special if row.first_day <= day <= row.last_day]
    off = [_span(day, row.starts, row.ends, zone) for row in today if row.kind == ExceptionKind.OFF]
    opened = [
        (*_span(day, row.starts, row.ends, zone), row.slot_minutes)
        for row in weekly
        if row.weekday == day.weekday()
        and (row.valid_from is None or row.valid_from <= day)
        and (row.valid_until is None or day <= row.valid_until)
    ]
    extra = [
        (*_span(day, row.starts, row.ends, zone), row.slot_minutes or 15)
        for row in today
        if row.kind == ExceptionKind.EXTRA
    ]
    closed = list(off)
    for starts_at, ends_at, minutes in [*sorted(opened), *sorted(extra)]:
        # What meets a block that is open already brings only what that does not have.
        for start, end in without(starts_at, ends_at, closed):
            yield Block(start, end, minutes)
        closed.append((starts_at, ends_at))


def _span(day: date, starts: time | None, ends: time | None, zone: ZoneInfo) -> Span:
    """The instants of a wall-clock stretch of a day; without times the whole day."""
    if starts is None or ends is None:
        return clock.day_bounds(day, zone)
    return clock.instant(day, starts, zone), clock.instant(day, ends, zone)


def without(starts_at: datetime, ends_at: datetime, taken: Sequence[Span]) -> Iterator[Span]:
    """What is left of a stretch when others are cut out of it."""
    for start, end in sorted(taken):
        if end <= starts_at or start >= ends_at:
            continue
        if start > starts_at:
            yield starts_at, start
        starts_at = max(starts_at, end)
    if starts_at < ends_at:
        yield starts_at, ends_at


def busy(session: Session, first: datetime, last: datetime, doctor_ids: Sequence[int]) -> dict[int, list[Span]]:
    """The visits that take place between two instants, by doctor; an overbooked one takes its time like any other."""
    rows = session.execute(
        select(Appointment.doctor_id, Appointment.starts_at, Appointment.ends_at)
        .where(Appointment.doctor_id.in_(doctor_ids), Appointment.status.in_(TAKES_PLACE))
        .where(Appointment.starts_at > first - LONGEST, Appointment.starts_at < last, Appointment.ends_at > first)
    )
    found: dict[int, list[Span]] = defaultdict(list)
    for doctor_id, starts_at, ends_at in rows:
        found[doctor_id].append((starts_at, ends_at))
    return found


def taken(
    session: Session, first: datetime, last: datetime, doctor_ids: Sequence[int], for_patient: int | None
) -> dict[int, list[Span]]:
    """What cannot be booked for a patient between two instants, by doctor: visits, what is held, their own visits."""
    spans = busy(session, first, last, doctor_ids)
    for doctor_id, starts_at, ends_at in holds.held(session, doctor_ids, first, last, except_patient=for_patient):
        spans[doctor_id].append((starts_at, ends_at))
    own = [] if for_patient is None else of_patient(session, for_patient, first, last)
    return {doctor_id: [*spans[doctor_id], *own] for doctor_id in doctor_ids}


def of_patient(session: Session, patient_id: int, first: datetime, last: datetime) -> list[Span]:
    """The patient's own visits between two instants, at whichever doctor's."""
    rows = session.execute(
        select(Appointment.starts_at, Appointment.ends_at)
        .where(Appointment.patient_id == patient_id, Appointment.status.in_(TAKES_PLACE))
        .where(Appointment.starts_at > first - LONGEST, Appointment.starts_at < last, Appointment.ends_at > first)
    )
    return [(starts_at, ends_at) for starts_at, ends_at in rows]


def of_days(
    session: Session,
    first: date,
    last: date,
    zone: ZoneInfo,
    *,
    doctor_ids: Sequence[int],
    minutes: int | None = None,
    for_patient: int | None = None,
) -> list[FreeTime]:
    """What can be booked on the clinic days from `first` to `last`, in order of time; nothing that has begun.

    A visit takes `minutes`, or as long as the doctor's slots; what is held for `for_patient` counts as free,
    their own other visits do not.
    """
    blocks = open_blocks(session, first, last, zone, doctor_ids)
    begin, end = clock.instant(first, time(), zone), clock.instant(last + timedelta(days=1), time(), zone)
    begin = max(begin, clock.now())
    unfree = taken(session, begin, end, doctor_ids, for_patient)
    found = []
    for doctor_id, of_doctor in groupby(blocks, key=lambda key: key[0]):
        spans = sorted(unfree[doctor_id])
        for key in of_doctor:
            for block in blocks[key]:
                found += [FreeTime(*span, doctor_id) for span in slots(block, spans, begin, minutes, zone)]
    return sorted(found)


def slots(block: Block, taken: Sequence[Span], begin: datetime, minutes: int | None, zone: ZoneInfo) -> Iterator[Span]:
    """The free visits of a block: one may begin every slot, counted on the wall clock from the block's start."""
    step, length = timedelta(minutes=block.slot_minutes), timedelta(minutes=minutes or block.slot_minutes)
    around = [span for span in taken if span[1] > block.starts_at and span[0] < block.ends_at]
    wall, last = (at.astimezone(zone).replace(tzinfo=None) for at in (block.starts_at, block.ends_at))
    while wall < last:
        starts_at = local_instant(wall.date(), wall.time(), zone)
        wall += step
        if starts_at is None or starts_at < begin or starts_at + length > block.ends_at:
            continue
        ends_at = starts_at + length
        if not any(start < ends_at and end > starts_at for start, end in around):
            yield starts_at, ends_at


def nearest(
    session: Session,
    at: datetime,
    zone: ZoneInfo,
    *,
    doctor_ids: Sequence[int],
    minutes: int | None = None,
    count: int = 3,
    for_patient: int | None = None,
) -> list[FreeTime]:
    """The free times closest to a wanted instant, in order of time; one of each instant."""
    wanted = at.astimezone(zone).date()
    found: dict[datetime, FreeTime] = {}
    for before, after in ((1, 1), (7, 7), (NEAREST_DAYS, NEAREST_DAYS)):
        first = max(wanted - timedelta(days=before), clock.today(zone))
        last = max(wanted, first) + timedelta(days=after)
        times = of_days(session, first, last, zone, doctor_ids=doctor_ids, minutes=minutes, for_patient=for_patient)
        found = {time.starts_at: time for time in reversed(times)}
        if len(found) >= count:
            break
    return sorted(sorted(found.values(), key=lambda time: (abs(time.starts_at - at), time.starts_at))[:count])
