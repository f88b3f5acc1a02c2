"""Free slots compared with a slow, simple count of five-minute cells, across midnight and clock changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import time_machine
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from service.clock import DayTime
from service.domain.appointments import free_times
from service.domain.appointments.free_times import FreeTime
from service.storage.models import (
    TAKES_PLACE,
    Appointment,
    Doctor,
    DoctorHours,
    HoursException,
    Offer,
    Patient,
    WaitlistEntry,
)
from tests.domain.scratch import scratch
from tests.house import House

CELL = timedelta(minutes=5)
DAYS = [
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Pacific/Apia", date(2011, 12, 31)),
    ("Pacific/Apia", date(2012, 4, 1)),
    ("Europe/Berlin", date(2026, 7, 7)),
]
"""All except the last change their clocks: by an hour, or half an hour on Lord Howe. Apia skipped December 30."""
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
Cells = set[datetime]


@dataclass(frozen=True)
class Case:
    """A clinic with two doctors and two patients around a day, and the question it is asked."""

    zone: ZoneInfo
    day: date
    now: datetime
    weekly: list[tuple[int, int, int, int, int]]
    """Doctor, day (0 to 2), start and end in cells of its wall clock, slot minutes."""
    special: list[tuple[int | None, bool, int, int, int, int]]
    """Doctor or all, whether extra, first and last day, start and end; time off of zero length is the whole day."""
    visits: list[tuple[int, int, int, int, str, bool]]
    """Doctor, patient, start in cells from the start of the first day, length in cells, status, overbooked."""
    holds: list[tuple[int, int, int, int, bool]]
    """Doctor, patient, start and length in cells, whether it is still valid."""
    minutes: int | None
    patient: int | None


STATUSES = ["booked", "arrived", "completed", "cancelled", "no_show"]
two = st.integers(0, 1)
day = st.integers(-1, 2)
"""Hours that start on the evening before the first day may reach into it."""
around = st.integers(-2, 3)
slot = st.sampled_from([5, 10, 15, 20, 30, 45, 60])
evening = st.integers(200, 287)
hours = st.tuples(st.integers(0, 40) | st.integers(0, 240) | evening, st.integers(1, 200) | st.integers(1, 288)).map(
    lambda drawn: (drawn[0], sum(drawn))
)
"""Start and end, often around the hours when clocks change, and often past midnight."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone, on = draw(st.sampled_from(DAYS))
    start = datetime.combine(on - timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
    begin = st.integers(-100, 3 * 288 + 100)
    weekly = draw(st.lists(st.tuples(two, day, hours, slot), min_size=1, max_size=6))
    rows = [(doctor, offset, *times, minutes) for doctor, offset, times, minutes in weekly]
    whole_day = st.just((0, 0))
    special = draw(st.lists(st.tuples(st.none() | two, st.booleans(), around, around, hours | whole_day), max_size=4))
    visit = st.tuples(two, two, begin, st.integers(1, 144), st.sampled_from(STATUSES), st.booleans())
    return Case(
        ZoneInfo(zone),
        on,
        start + timedelta(minutes=draw(st.integers(-600, 2 * 1440))),
        [row for at, row in enumerate(rows) if not any(_meet(row, other) for other in rows[:at])],
        _apart([(whose, extra, first, last, *times) for whose, extra, first, last, times in special]),
        draw(st.lists(visit, max_size=6)),
        draw(st.lists(st.tuples(two, two, begin, st.integers(1, 24), st.booleans()), max_size=3)),
        draw(st.none() | st.sampled_from([5, 20, 30, 55, 90])),
        draw(st.none() | two),
    )


def _meet(one: tuple[int, int, int, int, int], other: tuple[int, int, int, int, int]) -> bool:
    later = (other[1] - one[1]) * 288
    return one[0] == other[0] and one[2] < other[3] + later and other[2] + later < one[3]


def _apart(
    special: list[tuple[int | None, bool, int, int, int, int]],
) -> list[tuple[int | None, bool, int, int, int, int]]:
    """Put the days in order and keep at most one row of extra hours, which needs a doctor and a length."""
    rows, extra = [], False
    for doctor, is_extra, first, last, begin, end in special:
        if is_extra and (extra or doctor is None or begin >= end):
            continue
        extra = extra or is_extra
        rows.append((doctor, is_extra, min(first, last), max(first, last), begin, end))
    return rows


def wall(cell: int) -> DayTime:
    """Return a time of day from its number of cells."""
    return DayTime(cell * 5)


def fill(session: Session, case: Case) -> tuple[list[int], list[int]]:
    """Store the case without impossible appointments; return the ids of doctors and patients."""
    doctors = [Doctor(name=f"Dr. {number}", created_at=BEGAN) for number in range(2)]
    patients = [Patient(name=f"Person {number}", created_at=BEGAN) for number in range(2)]
    session.add_all([*doctors, *patients])
    session.flush()
    first = case.day - timedelta(days=1)
    for doctor, offset, begin, end, slot in case.weekly:
        weekday = (first + timedelta(days=offset)).weekday()
        session.add(
            DoctorHours(
                doctor_id=doctors[doctor].id, weekday=weekday, starts=wall(begin), ends=wall(end), slot_minutes=slot
            )
        )
    for whose, is_extra, begin_day, end_day, begin, end in case.special:
        session.add(
            HoursException(
                doctor_id=None if whose is None else doctors[whose].id,
                kind="extra" if is_extra else "off",
                first_day=first + timedelta(days=begin_day),
                last_day=first + timedelta(days=end_day),
                starts=wall(begin) if begin < end else None,
                ends=wall(end) if begin < end else None,
                slot_minutes=20 if is_extra else None,
                created_at=BEGAN,
            )
        )
    for doctor, patient, starts_at, ends_at, status, overbooked in possible(case):
        session.add(
            Appointment(
                doctor_id=doctors[doctor].id, patient_id=patients[patient].id, starts_at=starts_at, ends_at=ends_at,
                status=status, overbooked=overbooked, created_at=BEGAN,
            )
        )  # fmt: skip
    for doctor, patient, begin, length, stands in case.holds:
        entry = WaitlistEntry(patient_id=patients[patient].id, created_at=BEGAN)
        session.add(entry)
        session.flush()
        session.add(
            Offer(
                waiting_id=entry.id, doctor_id=doctors[doctor].id, created_at=BEGAN, starts_at=instant(case, begin),
                ends_at=instant(case, begin + length), expires_at=case.now + CELL * (1 if stands else -1),
            )
        )  # fmt: skip
    session.flush()
    return [one.id for one in doctors], [one.id for one in patients]


def instant(case: Case, cells: int) -> datetime:
    """Return the instant that many cells after the start of the first day."""
    return datetime.combine(case.day - timedelta(days=1), time(), case.zone).astimezone(UTC) + cells * CELL


def possible(case: Case) -> list[tuple[int, int, datetime, datetime, str, bool]]:
    """Return the appointments that the database accepts, as instants."""
    rows: list[tuple[int, int, datetime, datetime, str, bool]] = []
    for doctor, patient, begin, length, status, overbooked in case.visits:
        row = (doctor, patient, instant(case, begin), instant(case, begin + length), status, overbooked)
        if not any(_clash(row, other) for other in rows):
            rows.append(row)
    return rows


def _clash(
    one: tuple[int, int, datetime, datetime, str, bool], other: tuple[int, int, datetime, datetime, str, bool]
) -> bool:
    counts = all(row[4] in TAKES_PLACE and not row[5] for row in (one, other))
    return counts and (one[0] == other[0] or one[1] == other[1]) and one[2] < other[3] and other[2] < one[3]


def cells(starts_at: datetime, ends_at: datetime) -> Cells:
    """Return the cells of a period, by their starting instants."""
    return {starts_at + number * CELL for number in range((ends_at - starts_at) // CELL)}


def stretch(case: Case, day: date, begin: int, end: int) -> Cells:
    """Return the cells of a day between two wall-clock times, or of the whole day if they are equal."""
    midnight = datetime.combine(day, time())
    ends = [midnight + number * CELL for number in ((begin, end) if begin < end else (0, 288))]
    return cells(*(one.replace(tzinfo=case.zone).astimezone(UTC) for one in ends))


def exists(case: Case, day: date) -> bool:
    """Return whether the day exists, and clocks don't skip all of it."""
    noon = datetime.combine(day, time(12), case.zone)
    return noon.astimezone(UTC).astimezone(case.zone).date() == day


def runs(open_cells: Cells) -> Iterator[Cells]:
    """Yield the runs of adjacent cells."""
    run: Cells = set()
    for cell in sorted(open_cells):
        if run and cell - CELL not in run:
            yield run
            run = set()
        run.add(cell)
    if run:
        yield run


def opened(case: Case, doctor: int) -> Iterator[tuple[Cells, int]]:
    """Yield the periods in which a doctor sees patients, with the length of their slots."""
    dates = {offset: case.day + timedelta(days=offset - 1) for offset in range(-4, 6)}
    days = {offset: day for offset, day in dates.items() if exists(case, day)}
    special = [row for row in case.special if row[0] in (None, doctor)]
    weekly = [(stretch(case, day, *row[2:4]), row[4]) for row in case.weekly for day in of(days, row[1], row[1])
              if row[0] == doctor]  # fmt: skip
    more = [(stretch(case, day, *row[4:]), 20) for row in special if row[1] for day in of(days, *row[2:4])]
    off = set[datetime]().union(
        *(stretch(case, day, *row[4:]) for row in special if not row[1] for day in of(days, *row[2:4]))
    )
    claimed: Cells = set()
    for hours, slot in [*in_order(weekly), *in_order(more)]:
        for run in runs(hours - off - claimed):
            yield run, slot
        claimed |= hours


def of(days: dict[int, date], first: int, last: int) -> list[date]:
    return [day for offset, day in days.items() if first <= offset <= last]


def in_order(stretches: list[tuple[Cells, int]]) -> list[tuple[Cells, int]]:
    return sorted((one for one in stretches if one[0]), key=lambda one: (min(one[0]), max(one[0]), one[1]))


def taken(case: Case, doctor: int) -> Cells:
    """Return the cells in which an appointment with this doctor is impossible."""
    found: Cells = set()
    for at, patient, starts_at, ends_at, status, _overbooked in possible(case):
        if status in TAKES_PLACE and (at == doctor or patient == case.patient):
            found |= cells(starts_at, ends_at)
    for at, patient, begin, length, stands in case.holds:
        if stands and at == doctor and patient != case.patient:
            found |= cells(instant(case, begin), instant(case, begin + length))
    return found


def expected(case: Case, doctor: int) -> set[tuple[datetime, datetime]]:
    """Return every future slot of every period whose cells are all open and free."""
    found, unfree = set(), taken(case, doctor)
    days = {case.day + timedelta(days=offset) for offset in (-1, 0, 1)}
    for run, slot in opened(case, doctor):
        length = timedelta(minutes=case.minutes or slot)
        at = min(run).astimezone(case.zone).replace(tzinfo=None)
        for step in range(50 * 60 // slot):  # clocks may skip a day within a period
            starts_at = (at + timedelta(minutes=step * slot)).replace(tzinfo=case.zone).astimezone(UTC)
            shown = starts_at.astimezone(case.zone).replace(tzinfo=None)
            is_skipped = shown != at + timedelta(minutes=step * slot)
            if is_skipped or shown.date() not in days or starts_at < case.now:
                continue
            wanted = cells(starts_at, starts_at + length)
            if wanted <= run and not wanted & unfree:
                found.add((starts_at, starts_at + length))
    return found


def test_free_times_are_exactly_the_open_future_times_that_are_not_taken(house: House, database_kind: str) -> None:
    @settings(
        max_examples=200 if database_kind == "sqlite" else 20,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(case=cases())
    def check(case: Case) -> None:
        with time_machine.travel(case.now, tick=False), scratch(house) as session:
            doctors, patients = fill(session, case)

            def offered(first: int, last: int) -> list[FreeTime]:
                return free_times.of_days(
                    session,
                    case.day + timedelta(days=first),
                    case.day + timedelta(days=last),
                    case.zone,
                    doctor_ids=doctors,
                    minutes=case.minutes,
                    for_patient=None if case.patient is None else patients[case.patient],
                )

            found = offered(-1, 1)
            event(f"{len(found) > 0} on {case.day}")
            assert found == sorted(found)
            assert found == [*offered(-1, -1), *offered(0, 0), *offered(1, 1)]
            for number, doctor in enumerate(doctors):
                mine = [(time.starts_at, time.ends_at) for time in found if time.doctor_id == doctor]
                assert len(mine) == len(set(mine))
                assert set(mine) == expected(case, number)

    check()
