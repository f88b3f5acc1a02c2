"""Time off and extra hours, their effect on slots, and the affected appointments."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from service.clock import DayTime
from service.config.settings import Booking
from service.domain.appointments import booking, free_times, outcomes
from service.domain.appointments.requests import MoveRequest
from service.domain.diary import affected_appointments, time_off
from service.domain.diary.affected_appointments import Affected, Counts
from service.domain.diary.time_off import Closure, ExtraHours
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.storage.models import AuditEntry, Doctor, HoursException, MoveProposal
from tests.house import House, at, day

time = DayTime.at

pytestmark = pytest.mark.usefixtures("clock")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def doctor(house: House) -> Actor:
    """A doctor who sees people from 8 to 10 each day, every half an hour."""
    actor = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg", department="Eyes")
    house.hours(actor.doctor_id, "08:00", "10:00", slot=30)
    return actor


@pytest.fixture
def desk(house: House) -> Actor:
    """The desk."""
    return house.user("receptionist", "desk@clinic.example", "Rita")


def close(house: House, actor: Actor, doctor: int | None, first: str, last: str = "", **more: Any) -> int:
    closure = Closure(doctor, day(first), day(last or first), **more)
    with house.writing() as session:
        return time_off.close(session, actor, closure, BERLIN).id


def extra(
    house: House, actor: Actor, doctor: int | None, on: str, starts: DayTime, ends: DayTime, slot: int = 30
) -> int:
    assert doctor is not None
    with house.writing() as session:
        return time_off.open_extra(session, actor, ExtraHours(doctor, day(on), starts, ends, slot), BERLIN).id


def free(house: House, doctor: Actor, on: str) -> list[str]:
    assert doctor.doctor_id is not None
    with house.reading() as session:
        found = free_times.of_days(session, day(on), day(on), BERLIN, doctor_ids=[doctor.doctor_id])
    return [f"{one.starts_at.astimezone(BERLIN):%H:%M}" for one in found]


def affected(house: House, actor: Actor, row: int) -> Affected:
    with house.reading() as session:
        return affected_appointments.of(session, actor, time_off.fetch(session, actor, row), BERLIN)


def count(house: House, actor: Actor, row: int) -> Counts:
    with house.reading() as session:
        return affected_appointments.count(session, actor, time_off.fetch(session, actor, row), BERLIN)


def test_time_off_takes_the_free_times_away_and_removing_it_brings_them_back(house: House, doctor: Actor) -> None:
    row = close(house, doctor, doctor.doctor_id, "2026-05-11", "2026-05-12", starts=time(8, 30), ends=time(9, 30))
    assert free(house, doctor, "2026-05-11") == free(house, doctor, "2026-05-12") == ["08:00", "09:30"]
    assert free(house, doctor, "2026-05-13") == ["08:00", "08:30", "09:00", "09:30"]
    with house.writing() as session:
        time_off.remove(session, doctor, row)
    assert free(house, doctor, "2026-05-11") == ["08:00", "08:30", "09:00", "09:30"]
    assert house.count(AuditEntry, AuditEntry.act.in_(["time_off.add", "time_off.remove"])) == 2


def test_extra_hours_add_free_times_of_that_day(house: House, doctor: Actor) -> None:
    extra(house, doctor, doctor.doctor_id, "2026-05-11", time(19), time(20), 20)
    assert free(house, doctor, "2026-05-11")[-3:] == ["19:00", "19:20", "19:40"]
    assert "19:00" not in free(house, doctor, "2026-05-12")


@pytest.mark.parametrize(
    ("first", "last", "more", "field"),
    [
        ("2026-05-12", "2026-05-11", {}, "last_day"),
        ("2026-05-03", "2026-05-03", {}, "first_day"),
        ("2026-05-01", "2026-05-03", {}, "last_day"),
        ("2026-06-01", "2027-06-02", {}, "last_day"),
        ("2026-06-01", "2026-06-01", {"starts": time(8)}, "ends"),
        ("2026-06-01", "2026-06-01", {"ends": time(8)}, "starts"),
        ("2026-06-01", "2026-06-01", {"starts": time(9), "ends": time(9)}, "ends"),
        ("2026-06-01", "2026-06-01", {"note": "x" * 201}, "note"),
    ],
)
def test_impossible_exceptions_are_refused(
    house: House, doctor: Actor, first: str, last: str, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        close(house, doctor, doctor.doctor_id, first, last, **more)
    assert refusal.value.field == field
    assert house.count(HoursException) == 0


def test_extra_hours_cannot_begin_or_end_in_the_hour_that_does_not_exist(house: House, doctor: Actor) -> None:
    for starts, ends in ((time(2, 30), time(4)), (time(1), time(2, 30))):
        with pytest.raises(Invalid):
            extra(house, doctor, doctor.doctor_id, "2027-03-28", starts, ends)
    extra(house, doctor, doctor.doctor_id, "2026-10-25", time(1), time(4))
    assert free(house, doctor, "2026-10-25")[0] == "01:00"


def test_whole_days_off_cover_the_days_of_the_clock_change(house: House, doctor: Actor) -> None:
    autumn = close(house, doctor, doctor.doctor_id, "2026-10-25")
    with house.reading() as session:
        row = time_off.fetch(session, doctor, autumn)
        assert time_off.spans(row, BERLIN) == [(at("2026-10-24 22:00"), at("2026-10-25 23:00"))]  # 25 hours
    hours = close(house, doctor, doctor.doctor_id, "2026-10-24", "2026-10-26", starts=time(8), ends=time(9))
    with house.reading() as session:
        found = time_off.spans(time_off.fetch(session, doctor, hours), BERLIN)
    assert [start for start, _end in found] == [at("2026-10-24 06:00"), at("2026-10-25 07:00"), at("2026-10-26 07:00")]


def test_only_the_desk_closes_the_clinic_and_doctors_change_only_their_own(
    house: House, doctor: Actor, desk: Actor
) -> None:
    other = house.user("doctor", "other@clinic.example", "Dr. Other")
    patient = house.user("patient", "lena@mail.example", "Lena Vogt")
    for actor, whose in ((doctor, None), (other, doctor.doctor_id), (patient, doctor.doctor_id), (patient, None)):
        with pytest.raises(Forbidden):
            close(house, actor, whose, "2026-06-01")
    with pytest.raises(NotFound):
        close(house, desk, 999_999, "2026-06-01")
    own, clinic = close(house, desk, doctor.doctor_id, "2026-06-01"), close(house, desk, None, "2026-06-02")
    with house.writing() as session, pytest.raises(NotFound):
        time_off.remove(session, other, own)
    with house.writing() as session, pytest.raises(Forbidden):
        time_off.remove(session, doctor, clinic)
    with house.reading() as session:
        assert [row.id for row in time_off.upcoming(session, doctor, BERLIN)] == [own, clinic]
        assert [row.id for row in time_off.upcoming(session, other, BERLIN)] == [clinic]
        with pytest.raises(NotFound):
            time_off.fetch(session, other, own)
    assert house.count(HoursException) == 2


def test_past_exceptions_are_not_upcoming(house: House, doctor: Actor, clock: time_machine.Traveller) -> None:
    close(house, doctor, doctor.doctor_id, "2026-05-04", "2026-05-05")
    clock.move_to(at("2026-05-05 21:59"))
    with house.reading() as session:
        assert len(time_off.upcoming(session, doctor, BERLIN)) == 1
    clock.move_to(at("2026-05-05 22:00"))  # midnight in Berlin
    with house.reading() as session:
        assert len(time_off.upcoming(session, doctor, BERLIN)) == 0


def test_only_booked_visits_in_the_blocked_time_are_affected(house: House, doctor: Actor, desk: Actor) -> None:
    patient = house.patient("Lena Vogt")
    before, first, last = (
        house.visit(doctor.doctor_id, patient, at(text))
        for text in ("2026-05-10 06:00", "2026-05-11 06:00", "2026-05-12 06:00")
    )
    house.visit(
        doctor.doctor_id, patient, at("2026-05-11 06:30"), status="cancelled", cancelled_at=at("2026-05-01 06:00")
    )
    row = close(house, desk, doctor.doctor_id, "2026-05-11", "2026-05-12")
    assert [one.id for one in affected(house, desk, row).still_open] == [first, last]
    assert before not in [one.id for one in affected(house, desk, row).still_open]
    morning = close(house, desk, doctor.doctor_id, "2026-05-11", "2026-05-12", starts=time(8, 14), ends=time(9))
    touching = close(house, desk, doctor.doctor_id, "2026-05-11", "2026-05-12", starts=time(8, 15), ends=time(9))
    assert (count(house, desk, morning).total, count(house, desk, touching).total) == (2, 0)


def test_visits_that_have_begun_today_are_affected_until_they_are_over(
    house: House, doctor: Actor, desk: Actor, clock: time_machine.Traveller
) -> None:
    house.visit(doctor.doctor_id, house.patient("Lena Vogt"), at("2026-05-04 06:00"))
    row = close(house, desk, doctor.doctor_id, "2026-05-04")
    clock.move_to(at("2026-05-04 06:14"))
    assert count(house, desk, row) == Counts(1, 1, 0)
    clock.move_to(at("2026-05-04 06:15"))
    assert count(house, desk, row) == Counts(0, 0, 0)


def test_a_finished_appointment_is_no_longer_left_to_rebook(house: House, doctor: Actor, desk: Actor) -> None:
    visits = [
        house.visit(doctor.doctor_id, house.patient(f"P {number}"), at(f"2026-05-11 0{6 + number}:00"))
        for number in range(4)
    ]
    row = close(house, desk, doctor.doctor_id, "2026-05-11")
    assert count(house, desk, row) == Counts(4, 4, 0)
    with house.writing() as session:
        outcomes.cancel(session, desk, visits[0], reason="", rules=Booking())
        booking.reschedule(session, desk, visits[1], MoveRequest(at("2026-05-12 06:00")), Booking(), BERLIN)
        affected_appointments.propose(session, desk, visits[2], any_doctor=False, zone=BERLIN)
    assert count(house, desk, row) == Counts(4, 1, 1)
    found = affected(house, desk, row)
    assert [one.id for one in found.still_open] == [visits[3]]
    assert [one.visit.id for one in found.marked] == [visits[2]]
    moved = {one.visit.id: one.successor for one in found.done}
    successor = moved[visits[1]]
    assert moved[visits[0]] is None
    assert successor is not None
    assert successor.starts_at == at("2026-05-12 06:00")


def nearest(house: House, actor: Actor, row: int, *, any_doctor: bool = False) -> list[list[str]]:
    with house.reading() as session:
        open_ones = affected_appointments.of(session, actor, time_off.fetch(session, actor, row), BERLIN).still_open
        times = affected_appointments.other_times(session, open_ones, BERLIN, any_doctor=any_doctor)
    return [
        [f"{one.starts_at.astimezone(BERLIN):%d %H:%M} {one.doctor_id}" for one in times[visit.id]]
        for visit in open_ones
    ]


def test_the_nearest_times_avoid_the_patients_other_visits_and_what_is_taken(
    house: House, doctor: Actor, desk: Actor
) -> None:
    patient = house.patient("Lena Vogt")
    mine = doctor.doctor_id
    other = house.user("doctor", "other@clinic.example", "Dr. Other", department="Ears").doctor_id
    house.visit(mine, patient, at("2026-05-11 06:00"))
    house.visit(other, patient, at("2026-05-12 06:00"))  # the patient is elsewhere then
    house.visit(mine, house.patient("Somebody"), at("2026-05-12 06:30"))
    row = close(house, desk, mine, "2026-05-10", "2026-05-11")
    assert nearest(house, desk, row) == [[f"09 09:30 {mine}", f"12 09:00 {mine}", f"12 09:30 {mine}"]]


def test_a_colleague_of_the_department_may_take_the_visit_at_its_own_time(
    house: House, doctor: Actor, desk: Actor
) -> None:
    colleague = house.user("doctor", "dana@clinic.example", "Dr. Dana", department="Eyes").doctor_id
    stranger = house.user("doctor", "other@clinic.example", "Dr. Other", department="Ears").doctor_id
    for one in (colleague, stranger):
        house.hours(one, "08:00", "10:00", slot=30)
    house.visit(doctor.doctor_id, house.patient("Lena Vogt"), at("2026-05-11 06:00"))
    row = close(house, desk, doctor.doctor_id, "2026-05-11")
    assert nearest(house, desk, row, any_doctor=True) == [
        [f"11 08:00 {colleague}", f"11 08:30 {colleague}", f"11 09:00 {colleague}"]
    ]


def test_slots_are_found_around_a_long_absence_with_the_appointments_length(
    house: House, doctor: Actor, desk: Actor
) -> None:
    mine = doctor.doctor_id
    house.visit(mine, house.patient("Lena Vogt"), at("2026-05-20 06:00"), ends_at=at("2026-05-20 07:30"))
    row = close(house, desk, mine, "2026-05-06", "2026-05-31")
    # Today eight o'clock has begun; an hour and a half fits twice into a morning.
    assert nearest(house, desk, row) == [[f"01 08:00 {mine}", f"01 08:30 {mine}", f"02 08:00 {mine}"]]


def test_without_free_slots_there_is_nothing_to_suggest(house: House, desk: Actor) -> None:
    idle = house.user("doctor", "idle@clinic.example", "Dr. Idle").doctor_id
    visit = house.visit(idle, house.patient("Lena Vogt"), at("2026-05-11 06:00"))
    with house.writing() as session, pytest.raises(Conflict):
        affected_appointments.propose(session, desk, visit, any_doctor=True, zone=BERLIN)
    assert house.count(MoveProposal) == 0


def test_suggesting_again_uses_the_slots_nearest_now(house: House, doctor: Actor, desk: Actor) -> None:
    visit = house.visit(doctor.doctor_id, house.patient("Lena Vogt"), at("2026-05-11 06:00"))
    row = close(house, desk, doctor.doctor_id, "2026-05-11")
    with house.writing() as session:
        first = affected_appointments.propose(session, desk, visit, any_doctor=False, zone=BERLIN)
    house.visit(doctor.doctor_id, house.patient("Somebody"), first[0].starts_at)
    with house.writing() as session:
        second = affected_appointments.propose(session, desk, visit, any_doctor=False, zone=BERLIN)
    assert first[0] not in second
    (marked,) = affected(house, desk, row).marked
    assert [one.starts_at for one in marked.times] == [one.starts_at for one in second]
    assert house.count(MoveProposal) == 1


def test_the_visits_of_a_doctor_who_left_go_to_colleagues_only(house: House, doctor: Actor, desk: Actor) -> None:
    house.visit(doctor.doctor_id, house.patient("Lena Vogt"), at("2026-05-11 06:00"))
    row = close(house, desk, doctor.doctor_id, "2026-05-11")
    with house.writing() as session:
        session.get_one(Doctor, doctor.doctor_id).archived_at = at("2026-05-04 06:00")
    assert nearest(house, desk, row) == [[]]
