"""When doctors see patients: weekly hours with schedule exceptions, computed as instants, never stored."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from service import clock
from service.storage.models import DoctorHours, ExceptionKind, HoursException

Span = tuple[datetime, datetime]


class Block(NamedTuple):
    """A period in which a doctor sees patients (UTC), and the default length of an appointment."""

    starts_at: datetime
    ends_at: datetime
    slot_minutes: int


class _Plan(NamedTuple):
    """What starts on a doctor's day before time off is subtracted: weekly hours, extra hours, time off."""

    weekly: list[Block]
    extra: list[Block]
    off: list[Span]


@dataclass(frozen=True)
class _Rules:
    """A doctor's weekly hours by weekday, and the schedule exceptions that apply."""

    weekly: Mapping[int, Sequence[DoctorHours]]
    special: Sequence[HoursException]
    zone: ZoneInfo

    def plan(self, day: date, whole_day: Span) -> _Plan:
        today = [row for row in self.special if row.first_day <= day <= row.last_day]
        weekly = (
            row
            for row in self.weekly.get(day.weekday(), ())
            if (row.valid_from is None or row.valid_from <= day) and (row.valid_until is None or day <= row.valid_until)
        )
        return _Plan(
            self._blocks(day, weekly),
            self._blocks(day, (row for row in today if row.kind == ExceptionKind.EXTRA)),
            [self._span(day, row) or whole_day for row in today if row.kind == ExceptionKind.OFF],
        )

    def _blocks(self, day: date, rows: Iterable[DoctorHours | HoursException]) -> list[Block]:
        found = ((self._span(day, row), row.slot_minutes) for row in rows)
        # If clocks skip the start, the end may come before it.
        return sorted(Block(*span, minutes or 15) for span, minutes in found if span and span[0] < span[1])

    def _span(self, day: date, row: DoctorHours | HoursException) -> Span | None:
        """Return the start and end of a day's hours in UTC, or None for a whole day."""
        if row.starts is None or row.ends is None:
            return None
        return row.starts.instant(day, self.zone), row.ends.instant(day, self.zone)


def open_blocks(
    session: Session, first: date, last: date, zone: ZoneInfo, doctor_ids: Sequence[int]
) -> dict[tuple[int, date], list[Block]]:
    """Return when each doctor sees patients on each day from `first` to `last`: with extra hours, without time off.

    A block that crosses midnight is listed in full under both dates; `between` clips it.
    """
    days = _days(first, last, zone)
    blocks = {}
    for doctor_id, rules in _rules(session, first, last, zone, doctor_ids).items():
        plans = [rules.plan(*day) for day in days]
        begun = [list(_begun(*plans[at - 1 : at + 2])) for at in range(1, len(days) - 1)]
        for (day, (midnight, _next)), (before, today) in zip(days[2:], pairwise(begun), strict=False):
            found = [block for block in before if block.ends_at > midnight] + today
            if found:
                blocks[doctor_id, day] = found
    return blocks


def between(blocks: Iterable[Block], starts_at: datetime, ends_at: datetime) -> list[Block]:
    """Clip blocks to the period between two instants."""
    return [
        Block(max(block.starts_at, starts_at), min(block.ends_at, ends_at), block.slot_minutes)
        for block in blocks
        if block.starts_at < ends_at and block.ends_at > starts_at
    ]


def without(starts_at: datetime, ends_at: datetime, taken: Sequence[Span]) -> Iterator[Span]:
    """Yield the rest of a period after other periods are removed from it."""
    for start, end in sorted(taken):
        if end <= starts_at or start >= ends_at:
            continue
        if start > starts_at:
            yield starts_at, start
        starts_at = max(starts_at, end)
    if starts_at < ends_at:
        yield starts_at, ends_at


def _days(first: date, last: date, zone: ZoneInfo) -> list[tuple[date, Span]]:
    """Return the days from `first` to `last` with their instants, plus two days before and one after.

    Hours that start the day before may cross midnight, and the days around it decide how much of them remains. A
    date that clocks skip, as when a country crosses the date line, is left out.
    """
    count = (last - first).days + 7
    dates = [first + timedelta(days=number - 3) for number in range(count)]
    midnights = [clock.instant(day, time(), zone) for day in dates]
    spans = zip(dates, pairwise(midnights), strict=False)
    days = [(day, span) for day, span in spans if span[0] < span[1]]
    begin, end = bisect_left(days, first, key=_date), bisect_right(days, last, key=_date)
    return days[begin - 2 : end + 1]


def _date(day: tuple[date, Span]) -> date:
    return day[0]


def _rules(session: Session, first: date, last: date, zone: ZoneInfo, doctor_ids: Sequence[int]) -> dict[int, _Rules]:
    hours = session.scalars(select(DoctorHours).where(DoctorHours.doctor_id.in_(doctor_ids))).all()
    exceptions = session.scalars(
        select(HoursException)
        .where(HoursException.last_day >= first - timedelta(days=3))
        .where(HoursException.first_day <= last + timedelta(days=2))
        .where(or_(HoursException.doctor_id.is_(None), HoursException.doctor_id.in_(doctor_ids)))
    ).all()
    found = {}
    for doctor_id in doctor_ids:
        weekly: dict[int, list[DoctorHours]] = {}
        for row in hours:
            if row.doctor_id == doctor_id:
                weekly.setdefault(row.weekday, []).append(row)
        special = [row for row in exceptions if row.doctor_id in (None, doctor_id)]
        found[doctor_id] = _Rules(weekly, special, zone)
    return found


def _begun(before: _Plan, today: _Plan, after: _Plan) -> Iterator[Block]:
    """Yield the blocks that start on a day, without time off and without overlaps."""
    closed = [*before.off, *today.off, *after.off, *(block[:2] for block in before.weekly)]
    for block in today.weekly:
        yield from _cut(block, closed)
    if today.extra:
        closed += [block[:2] for block in (*after.weekly, *before.extra)]
    for block in today.extra:
        yield from _cut(block, closed)


def _cut(block: Block, closed: list[Span]) -> Iterator[Block]:
    """Yield the parts of a block outside closed periods, then close the block to later ones."""
    for start, end in without(block.starts_at, block.ends_at, closed):
        yield Block(start, end, block.slot_minutes)
    closed.append((block.starts_at, block.ends_at))
