"""Appointments never overlap, whatever is booked, rescheduled, canceled, undone, or written with plain SQL."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.clock import DayTime
from service.config.settings import Settings
from service.domain.appointments import booking, outcomes
from service.domain.appointments.requests import BookingRequest, MoveRequest
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import DomainError
from service.storage.models import TAKES_PLACE, Appointment, Doctor, DoctorHours, Patient, VisitType
from tests.domain.scratch import scratch
from tests.house import House, at

time = DayTime.at

pytestmark = pytest.mark.usefixtures("clock")
SETTINGS = Settings(base=Path())
OPENS = at("2026-05-05 06:00")
"""Eight o'clock in Berlin on the day after the tests' today."""
STATUSES = ["booked", "arrived", "completed", "cancelled", "no_show"]
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Row:
    """An appointment: doctor and patient as 0 or 1, and minutes from OPENS."""

    doctor: int
    patient: int
    begin: int
    length: int
    status: str = "booked"
    overbooked: bool = False

    def meets(self, other: "Row") -> bool:
        """Return whether the database must refuse to store both."""
        if not all(row.status in TAKES_PLACE and not row.overbooked for row in (self, other)):
            return False
        if self.doctor != other.doctor and self.patient != other.patient:
            return False
        return self.begin < other.begin + other.length and other.begin < self.begin + self.length


two = st.integers(0, 1)
lengths = st.sampled_from([1, 5, 15, 30, 60, 719, 720])
rows = st.builds(
    Row, two, two, st.integers(-60, 60) | st.integers(-800, 800), lengths, st.sampled_from(STATUSES), st.booleans()
)


def people(session: Session) -> tuple[list[int], list[int]]:
    """Add two doctors who work all day, and two patients; return their ids."""
    created_at = at("2026-01-01 08:00")
    doctors = [Doctor(name=f"Dr. {number}", created_at=created_at) for number in range(2)]
    patients = [Patient(name=f"Person {number}", created_at=created_at) for number in range(2)]
    session.add_all([*doctors, *patients])
    session.flush()
    for doctor in doctors:
        hours = {"starts": time(8), "ends": time(12), "slot_minutes": 15}
        session.add_all(DoctorHours(doctor_id=doctor.id, weekday=day, **hours) for day in range(7))
    session.flush()
    return [one.id for one in doctors], [one.id for one in patients]


def values(row: Row, doctors: list[int], patients: list[int]) -> dict[str, object]:
    """Return the values of a row."""
    starts_at = OPENS + row.begin * MINUTE
    return {
        "doctor_id": doctors[row.doctor],
        "patient_id": patients[row.patient],
        "starts_at": starts_at,
        "ends_at": starts_at + row.length * MINUTE,
        "status": row.status,
        "overbooked": row.overbooked,
        "created_at": at("2026-05-01 08:00"),
    }


def taken(session: Session, statement: object) -> bool:
    """Return whether the database accepts a statement; if not, it is rolled back."""
    try:
        with session.begin_nested():
            session.execute(statement)  # type: ignore[call-overload]
    except IntegrityError:
        return False
    return True


def test_the_database_refuses_exactly_the_rows_that_overlap(house: House, database_kind: str) -> None:
    @settings(max_examples=150 if database_kind == "sqlite" else 40, suppress_health_check=[HealthCheck.too_slow])
    @given(wanted=st.lists(rows, min_size=2, max_size=5))
    def check(wanted: list[Row]) -> None:
        with scratch(house) as session:
            ids, there = people(session), list[Row]()
            for row in wanted:
                fits = not any(row.meets(other) for other in there)
                event(f"fits: {fits}")
                assert taken(session, insert(Appointment).values(values(row, *ids))) == fits
                there += [row] if fits else []

    check()


def test_the_database_refuses_exactly_the_changes_that_make_rows_overlap(house: House, database_kind: str) -> None:
    @settings(max_examples=150 if database_kind == "sqlite" else 40, suppress_health_check=[HealthCheck.too_slow])
    @given(first=rows, before=rows, after=rows)
    def check(first: Row, before: Row, after: Row) -> None:
        with scratch(house) as session:
            ids = people(session)
            session.execute(insert(Appointment).values(values(first, *ids)))
            if before.meets(first):
                before = Row(before.doctor, before.patient, before.begin, before.length, "cancelled")
            moved = session.scalar(insert(Appointment).values(values(before, *ids)).returning(Appointment.id))
            fits = not after.meets(first)
            event(f"fits: {fits}")
            change = update(Appointment).where(Appointment.id == moved).values(values(after, *ids))
            assert taken(session, change.execution_options(synchronize_session=False)) == fits

    check()


@pytest.mark.parametrize(
    ("gap", "length", "fits"),
    [
        (timedelta(0), timedelta(minutes=15), True),
        (timedelta(microseconds=-1), timedelta(minutes=15), False),
        (timedelta(minutes=-15), timedelta(minutes=15), False),
        (timedelta(minutes=-30), timedelta(minutes=15), True),
        (timedelta(hours=-12), timedelta(hours=12), False),
        (timedelta(hours=-12, minutes=-15), timedelta(hours=12), True),
        (timedelta(hours=-12, minutes=-15), timedelta(hours=12, minutes=1), False),
        (timedelta(0), timedelta(hours=12), True),
        (timedelta(0), timedelta(hours=12, minutes=1), False),
        (timedelta(0), timedelta(0), False),
        (timedelta(0), timedelta(minutes=-15), False),
    ],
)
def test_appointments_can_touch_and_none_is_longer_than_twelve_hours(
    house: House, gap: timedelta, length: timedelta, fits: bool
) -> None:
    """The second appointment starts `gap` after the end of a first one of 15 minutes."""
    with scratch(house) as session:
        ids = people(session)
        session.execute(insert(Appointment).values(values(Row(0, 0, 0, 15), *ids)))
        starts_at = OPENS + 15 * MINUTE + gap
        second = {**values(Row(0, 1, 0, 15), *ids), "starts_at": starts_at, "ends_at": starts_at + length}
        assert taken(session, insert(Appointment).values(second)) == fits


@dataclass(frozen=True)
class Act:
    """An action by staff; `which` is one of the appointments so far."""

    verb: str
    which: int
    doctor: int | None
    patient: int
    begin: int
    kind: int


acts = st.builds(
    Act,
    st.sampled_from(["book", "book", "book", "overbook", "move", "move", "overmove", "cancel", "arrive", "undo"]),
    st.integers(0, 9),
    st.none() | two,
    two,
    st.integers(0, 48).map(lambda fives: fives * 5),
    st.integers(0, 2),
)


def do(session: Session, actor: Actor, act: Act, house: House, ids: tuple[list[int], list[int], list[int]]) -> None:
    """Do one action by the rules. Raises DomainError if they refuse it."""
    doctors, patients, kinds = ids
    rules, zone = house.settings.booking, house.settings.clinic.zone
    starts_at = OPENS + act.begin * MINUTE
    doctor = None if act.doctor is None else doctors[act.doctor]
    over = "In pain" if act.verb.startswith("over") else ""
    if act.verb in ("book", "overbook"):
        wanted = BookingRequest(
            patients[act.patient], starts_at, doctor, visit_type_id=kinds[act.kind], overbooking_reason=over
        )
        booking.book(session, actor, wanted, rules, zone)
        return
    visits = session.scalars(select(Appointment.id).order_by(Appointment.id)).all()
    if not visits:
        return
    visit = visits[act.which % len(visits)]
    if act.verb in ("move", "overmove"):
        move = MoveRequest(starts_at, [] if doctor is None else [doctor], over)
        booking.reschedule(session, actor, visit, move, rules, zone)
    elif act.verb == "cancel":
        outcomes.cancel(session, actor, visit, reason="", rules=rules)
    elif act.verb == "arrive":
        session.execute(update(Appointment).where(Appointment.id == visit).values(status="arrived"))
    else:
        outcomes.undo(session, actor, visit, SETTINGS)


def overlaps(session: Session) -> list[tuple[int, int]]:
    """Yield each pair of appointments that overlap for a doctor or a patient."""
    found = session.execute(
        select(
            Appointment.id, Appointment.doctor_id, Appointment.patient_id, Appointment.starts_at, Appointment.ends_at
        ).where(Appointment.status.in_(TAKES_PLACE), Appointment.overbooked.is_(False))
    ).all()
    return [
        (one.id, other.id)
        for one, other in combinations(found, 2)
        if (one.doctor_id == other.doctor_id or one.patient_id == other.patient_id)
        and one.starts_at < other.ends_at
        and other.starts_at < one.ends_at
    ]


def test_no_sequence_of_staff_actions_makes_appointments_overlap(house: House, database_kind: str) -> None:
    actor = house.user("receptionist", "desk@clinic.example", "Rita Tresen")

    @settings(max_examples=40 if database_kind == "sqlite" else 10, suppress_health_check=[HealthCheck.too_slow])
    @given(todo=st.lists(acts, min_size=5, max_size=25))
    def check(todo: list[Act]) -> None:
        with scratch(house) as session:
            doctors, patients = people(session)
            kinds = [VisitType(name=f"{minutes} minutes", minutes=minutes, created_at=OPENS) for minutes in (5, 20, 60)]
            session.add_all(kinds)
            session.flush()
            ids = doctors, patients, [kind.id for kind in kinds]
            done = 0
            for act in todo:
                try:
                    with session.begin_nested():
                        do(session, actor, act, house, ids)
                    done += 1
                except (DomainError, IntegrityError):
                    event(f"refused: {act.verb}")
                session.expire_all()
                assert overlaps(session) == []
            event(f"done: {done // 5 * 5} and more")

    check()
