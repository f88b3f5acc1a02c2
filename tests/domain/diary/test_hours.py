"""Weekly hours: blocks that never overlap, changed only by the desk and the doctor."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clock import DayTime
from service.domain.diary import hours
from service.domain.diary.hours import WeekBlock
from service.domain.foundation.actor import SYSTEM, Actor
from service.domain.foundation.errors import DomainError, Forbidden, Invalid, NotFound
from service.storage.models import AuditEntry, DoctorHours
from tests.crowd import together
from tests.house import House, at, day

time = DayTime.at

pytestmark = pytest.mark.usefixtures("clock")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def doctor(house: House) -> Actor:
    """A doctor without hours."""
    return house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg")


def add(house: House, actor: Actor, doctor: int | None, *weekdays: int, **changed: Any) -> None:
    values = {"starts": time(8), "ends": time(12), "slot_minutes": 15, **changed}
    with house.writing() as session:
        assert doctor is not None
        hours.add(session, actor, doctor, WeekBlock(weekdays or (0,), **values), BERLIN)


def refused(house: House, doctor: Actor, *weekdays: int, **changed: Any) -> str | None:
    with pytest.raises(Invalid) as refusal:
        add(house, doctor, doctor.doctor_id, *weekdays, **changed)
    return refusal.value.field


def test_a_doctor_opens_the_same_hours_on_several_days(house: House, doctor: Actor) -> None:
    add(house, doctor, doctor.doctor_id, 4, 0, 0)
    with house.reading() as session:
        rows = session.query(DoctorHours).order_by(DoctorHours.weekday).all()
        assert [(row.weekday, row.starts, row.ends) for row in rows] == [
            (0, time(8), time(12)),
            (4, time(8), time(12)),
        ]
        record = session.query(AuditEntry).where(AuditEntry.act == "hours.add").one()
        assert (record.subject, record.user_id) == (f"doctor/{doctor.doctor_id}", doctor.user_id)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"starts": time(12), "ends": time(8)}, "ends"),
        ({"starts": time(8), "ends": time(8)}, "ends"),
        ({"starts": time(8), "ends": time(8, 14)}, "ends"),
        ({"starts": time(8), "ends": time(32, 15)}, "ends"),
        ({"starts": time(24), "ends": time(28)}, "starts"),
        ({"slot_minutes": 4}, "slot_minutes"),
        ({"slot_minutes": 241}, "slot_minutes"),
        ({"valid_from": date(2026, 6, 2), "valid_until": date(2026, 6, 1)}, "valid_until"),
        ({"valid_until": date(2026, 5, 3)}, "valid_until"),
    ],
)
def test_impossible_hours_are_refused(house: House, doctor: Actor, changed: dict[str, Any], field: str) -> None:
    assert refused(house, doctor, **changed) == field
    assert house.count(DoctorHours) == 0


@pytest.mark.parametrize("weekday", [7, -1])
def test_a_week_has_seven_days(house: House, doctor: Actor, weekday: int) -> None:
    assert refused(house, doctor, 0, weekday) == "weekdays"


def test_blocks_that_touch_do_not_overlap_and_others_do(house: House, doctor: Actor) -> None:
    add(house, doctor, doctor.doctor_id, 0)
    add(house, doctor, doctor.doctor_id, 0, starts=time(12), ends=time(13))
    add(house, doctor, doctor.doctor_id, 1, starts=time(11), ends=time(14))
    assert refused(house, doctor, 3, 0, starts=time(12, 45), ends=time(14)) == "starts"
    assert refused(house, doctor, 0, starts=time(7), ends=time(18)) == "starts"
    assert refused(house, doctor, 0, slot_minutes=20) == "starts"
    assert house.count(DoctorHours) == 3


def test_blocks_of_different_weeks_do_not_overlap(house: House, doctor: Actor) -> None:
    add(house, doctor, doctor.doctor_id, 0, valid_until=day("2026-06-30"))
    add(house, doctor, doctor.doctor_id, 0, starts=time(9), valid_from=day("2026-07-01"))
    assert refused(house, doctor, 0, starts=time(9), valid_from=day("2026-06-29"), valid_until=day("2026-06-29"))
    # No Monday lies in both.
    add(house, doctor, doctor.doctor_id, 0, ends=time(9), valid_from=day("2026-06-30"), valid_until=day("2026-07-05"))


def test_past_hours_do_not_conflict_with_new_ones(house: House, doctor: Actor, clock: time_machine.Traveller) -> None:
    add(house, doctor, doctor.doctor_id, 0, valid_until=day("2026-05-31"))
    clock.move_to(at("2026-06-01 06:00"))
    add(house, doctor, doctor.doctor_id, 0, starts=time(9))
    with house.reading() as session:
        assert doctor.doctor_id is not None
        shown = hours.of_doctors(session, [doctor.doctor_id], day("2026-06-01"))[doctor.doctor_id]
        assert [block.starts for block in shown] == [time(9)]


def test_hours_after_midnight_overlap_those_of_the_next_day(house: House, doctor: Actor) -> None:
    night = {"starts": time(22), "ends": time(26)}
    add(house, doctor, doctor.doctor_id, 6, **night)
    assert refused(house, doctor, 0, starts=time(1), ends=time(3)) == "starts"
    assert refused(house, doctor, 0, starts=time(0), ends=time(0, 15)) == "starts"
    add(house, doctor, doctor.doctor_id, 0, starts=time(2), ends=time(3))
    add(house, doctor, doctor.doctor_id, 1, starts=time(1), ends=time(3))
    assert refused(house, doctor, 0, **night) == "starts"
    add(house, doctor, doctor.doctor_id, 5, starts=time(22), ends=time(24))


def test_hours_that_ended_yesterday_last_into_this_night(
    house: House, doctor: Actor, clock: time_machine.Traveller
) -> None:
    add(house, doctor, doctor.doctor_id, 6, starts=time(22), ends=time(26), valid_until=day("2026-05-31"))
    add(house, doctor, doctor.doctor_id, 6, starts=time(20), ends=time(22), valid_until=day("2026-05-31"))
    clock.move_to(at("2026-05-31 22:30"))  # half past midnight
    assert refused(house, doctor, 0, starts=time(1), ends=time(3)) == "starts"
    with house.reading() as session:
        shown = hours.of_doctors(session, [doctor.doctor_id or 0], day("2026-06-01"))[doctor.doctor_id or 0]
        assert [block.starts for block in shown] == [time(22)]


def test_only_the_desk_and_the_doctor_change_hours(house: House, doctor: Actor) -> None:
    other = house.user("doctor", "other@clinic.example", "Dr. Other")
    patient = house.user("patient", "lena@mail.example", "Lena Vogt")
    desk = house.user("receptionist", "desk@clinic.example", "Rita")
    for stranger in (other, patient):
        with pytest.raises(Forbidden):
            add(house, stranger, doctor.doctor_id)
    with pytest.raises(NotFound):
        add(house, desk, 999_999)
    add(house, desk, doctor.doctor_id)
    with house.reading() as session:
        block = session.query(DoctorHours).one().id
    assert doctor.doctor_id is not None
    assert other.doctor_id is not None
    with house.writing() as session, pytest.raises(NotFound):
        hours.end(session, other, other.doctor_id, block, last_day=None, zone=BERLIN)
    with house.writing() as session, pytest.raises(Forbidden):
        hours.end(session, other, doctor.doctor_id, block, last_day=None, zone=BERLIN)
    assert house.count(DoctorHours) == 1
    with house.writing() as session:
        hours.end(session, doctor, doctor.doctor_id, block, last_day=None, zone=BERLIN)
    assert house.count(DoctorHours) == 0


def test_overlapping_hours_added_at_once_make_one_block(house: House, doctor: Actor) -> None:
    def press(number: int) -> str:
        try:
            add(house, doctor, doctor.doctor_id, 0, starts=time(8, number))
        except DomainError as error:
            return type(error).__name__
        return "added"

    assert sorted(together(4, press)) == ["Invalid", "Invalid", "Invalid", "added"]
    assert house.count(DoctorHours) == 1


def test_visits_outside_the_hours_are_counted_across_the_clock_change(house: House, doctor: Actor) -> None:
    patient = house.patient("Lena Vogt")
    add(house, doctor, doctor.doctor_id, *range(7))
    inside = ("2026-10-24 06:00", "2026-10-25 07:00")  # eight o'clock in summer, eight in winter
    lost = ("2026-10-24 10:00", "2026-10-25 06:45", "2026-10-25 10:50")
    for text in (*inside, *lost):
        house.visit(doctor.doctor_id, patient, at(text))
    house.visit(doctor.doctor_id, patient, at("2026-10-26 20:00"), overbooked=True)
    house.visit(doctor.doctor_id, patient, at("2026-10-26 21:00"), status="cancelled")
    house.visit(doctor.doctor_id, patient, at("2026-05-01 21:00"))
    assert doctor.doctor_id is not None
    with house.reading() as session:
        found = hours.outside(session, doctor, doctor.doctor_id, BERLIN)
    assert (found.count, [one.starts_at for one in found.visits]) == (3, [at(text) for text in lost])


QUARTERS = st.integers(0, 95)
SPANS = st.tuples(st.integers(0, 6), QUARTERS, st.integers(1, 96), st.integers(0, 20), st.integers(0, 40))


@settings(max_examples=25)
@given(st.lists(SPANS, min_size=2, max_size=6))
def test_whatever_is_added_no_two_blocks_claim_the_same_time(spans: list[tuple[int, ...]]) -> None:
    """On plain values: what _overlap() says is what a walk over the days says."""
    today = day("2026-05-04")
    blocks = [_block(*span) for span in spans]
    for one in blocks:
        for other in blocks:
            assert hours._overlap(one, other, today) == bool(_claimed(one) & _claimed(other))


def _block(weekday: int, first: int, length: int, after: int, days: int) -> DoctorHours:
    start = date.fromordinal(day("2026-05-04").toordinal() + after)
    return DoctorHours(
        weekday=weekday,
        starts=time(0, first * 15),
        ends=time(0, (first + length) * 15),
        valid_from=start,
        valid_until=date.fromordinal(start.toordinal() + days),
    )


def _claimed(block: DoctorHours) -> set[int]:
    """The quarters of an hour, counted over all days."""
    assert block.valid_from is not None
    assert block.valid_until is not None
    days = range(block.valid_from.toordinal(), block.valid_until.toordinal() + 1)
    quarters = range(block.starts.minutes // 15, block.ends.minutes // 15)
    return {
        (number * 96 + quarter)
        for number in days
        for quarter in quarters
        if date.fromordinal(number).weekday() == block.weekday
    }


def test_the_system_may_change_hours_too(house: House, doctor: Actor) -> None:
    add(house, SYSTEM, doctor.doctor_id)
    assert house.count(DoctorHours) == 1
