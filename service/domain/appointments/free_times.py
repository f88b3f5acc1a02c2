"""Free slots: computed from doctors' hours, appointments, and holds; never stored."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import holds
from service.domain.appointments.open_hours import Block, Span, open_blocks
from service.storage.models import TAKES_PLACE, Appointment

LONGEST = holds.LONGEST
NEAREST_DAYS = 28
"""How many days before and after a requested time nearest() searches."""


@dataclass(frozen=True, order=True)
class FreeTime:
    """A free slot with a doctor; times in UTC."""

    starts_at: datetime
    ends_at: datetime
    doctor_id: int


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """Return the UTC instant of a wall-clock time, or None if clocks skip it in spring.

    A time that occurs twice in fall gives the first instant.
    """
    return of_wall(datetime.combine(day, at), zone)


def of_wall(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the UTC instant of a naive wall-clock datetime, as local_instant() does."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    return instant if instant.astimezone(zone).replace(tzinfo=None) == wall else None


def busy(session: Session, first: datetime, last: datetime, doctor_ids: Sequence[int]) -> dict[int, list[Span]]:
    """Return the times of appointments between two instants, by doctor, including overbooked ones."""
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
    """Return the times a patient cannot book, by doctor: appointments, holds, and the patient's appointments."""
    spans = busy(session, first, last, doctor_ids)
    for hold in holds.held(session, doctor_ids, first, last):
        if hold.patient_id != for_patient:
            spans[hold.doctor_id].append((hold.starts_at, hold.ends_at))
    own = [] if for_patient is None else of_patient(session, for_patient, first, last)
    return {doctor_id: [*spans[doctor_id], *own] for doctor_id in doctor_ids}


def of_patient(session: Session, patient_id: int, first: datetime, last: datetime) -> list[Span]:
    """Return the times of the patient's appointments between two instants, with any doctor."""
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
    """Return the free slots of the clinic days from `first` to `last` that have not started, in order of time.

    A slot belongs to the day it starts on, even if the doctor's hours began the evening before. It takes `minutes`,
    or the default length of the doctor's hours. Slots held for `for_patient` count as free; times of their other
    appointments do not.
    """
    blocks = open_blocks(session, first, last, zone, doctor_ids)
    begin, end = max(clock.day_bounds(first, zone)[0], clock.now()), clock.day_bounds(last, zone)[1]
    over = max((block.ends_at for of_day in blocks.values() for block in of_day), default=end)
    unfree = taken(session, begin, over, doctor_ids, for_patient)
    found = []
    for doctor_id, keys in groupby(blocks, key=lambda key: key[0]):
        spans = sorted(unfree[doctor_id])
        for block in dict.fromkeys(block for key in keys for block in blocks[key]):  # one over midnight is listed twice
            found += [FreeTime(*span, doctor_id) for span in slots(block, spans, (begin, end), minutes, zone)]
    return sorted(found)


def slots(block: Block, taken: Sequence[Span], window: Span, minutes: int | None, zone: ZoneInfo) -> Iterator[Span]:
    """Yield the free slots of a block that start within a window.

    Starts are counted from the start of the block, on the wall clock.
    """
    step, length = timedelta(minutes=block.slot_minutes), timedelta(minutes=minutes or block.slot_minutes)
    around = [span for span in taken if span[1] > block.starts_at and span[0] < block.ends_at]
    begin, end = window
    wall, last = (at.astimezone(zone).replace(tzinfo=None) for at in (block.starts_at, block.ends_at))
    elapsed = block.starts_at - step
    while wall < last:
        elapsed += step
        # Adding to the start of the block is faster, and correct unless the clocks change within it.
        is_right = elapsed.astimezone(zone).replace(tzinfo=None) == wall
        starts_at = elapsed if is_right else of_wall(wall, zone)
        wall += step
        if starts_at is None or starts_at < begin or starts_at >= end or starts_at + length > block.ends_at:
            continue
        ends_at = starts_at + length
        for busy_from, busy_until in around:
            if busy_from < ends_at and busy_until > starts_at:
                break
        else:
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
    """Return the free slots closest to a requested instant, in order of time, one per instant."""
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
