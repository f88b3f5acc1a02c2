"""Booking and rescheduling: what is allowed, what counts as one booking, and that no appointments overlap."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from sqlalchemy.exc import IntegrityError

from service import clock
from service.config.settings import Booking
from service.domain.appointments import booking, free_times, series, walk_ins
from service.domain.appointments.admission import Taken
from service.domain.appointments.requests import BookingRequest, SeriesRequest
from service.domain.foundation.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from service.storage import models
from service.storage.models import (
    Appointment,
    AppointmentStatus,
    AuditEntry,
    HoursException,
    Offer,
    VisitType,
    WaitlistEntry,
)
from tests.domain.clinic_week import RULES, Week, open_week
from tests.house import House, at, day

MONDAY = "2026-05-11"
NINE = f"{MONDAY} 07:00"
"""Nine o'clock in Berlin, in UTC."""


@pytest.fixture
def week(house: House, clock: time_machine.Traveller) -> Week:
    """The clinic of clinic_week.py on Monday, 4 May 2026, 8 o'clock."""
    return open_week(house)


def test_a_patient_books_a_slot_and_the_audit_log_has_it(week: Week) -> None:
    visit = week.row(week.book(week.pia, NINE, reason=" red eye\r\nsince Friday "))
    assert (visit.status, visit.starts_at, visit.ends_at) == ("booked", at(NINE), at(NINE) + timedelta(minutes=15))
    assert (visit.reason, visit.booked_by_id, visit.overbooked) == ("red eye\nsince Friday", week.pia.user_id, False)
    record = (AuditEntry.act == "appointment.book", AuditEntry.subject == f"appointment/{visit.id}")
    assert week.house.count(AuditEntry, *record) == 1


def test_b3_repeating_a_booking_returns_the_same_appointment(week: Week) -> None:
    first = week.book(week.pia, NINE)
    assert week.book(week.pia, NINE) == first
    assert week.book(week.pia, NINE, doctor_id=None) == first
    assert week.house.count(Appointment) == 1


def test_b1_a_taken_slot_is_refused(week: Week) -> None:
    week.book(week.pia, NINE)
    with pytest.raises(Taken):
        week.book(week.otto, NINE)
    assert week.house.count(Appointment) == 1


@pytest.mark.parametrize("minutes", [-5, 5, 10])
def test_b1_a_shifted_time_is_refused(week: Week, minutes: int) -> None:
    week.book(week.pia, NINE)
    with pytest.raises(Taken):
        week.book(week.desk, at(NINE) + timedelta(minutes=minutes), patient_id=min(week.otto.patient_ids))


def test_b1_a_long_appointment_that_overlaps_the_next_is_refused(week: Week) -> None:
    week.book(week.pia, f"{MONDAY} 07:15")
    long = visit_type(week, minutes=30)
    with pytest.raises(Taken):
        week.book(week.otto, NINE, visit_type_id=long)
    visit = week.row(week.book(week.otto, f"{MONDAY} 07:30", visit_type_id=long))
    assert visit.ends_at - visit.starts_at == timedelta(minutes=30)


def test_b1_staff_can_book_between_slots_if_the_doctor_is_free(week: Week) -> None:
    visit = week.book(week.desk, f"{MONDAY} 07:05", patient_id=min(week.otto.patient_ids))
    assert week.row(visit).starts_at == at(f"{MONDAY} 07:05")
    with pytest.raises(Invalid, match="one of the free slots"):
        week.book(week.pia, f"{MONDAY} 08:05")


def test_b2_any_doctor_picks_a_free_one_with_the_fewest_appointments(week: Week) -> None:
    week.book(week.pia, f"{MONDAY} 06:00")
    visit = week.row(week.book(week.otto, NINE, doctor_id=None))
    assert visit.doctor_id == week.beyer.doctor_id
    third = week.house.patient("Third")
    assert week.row(week.book(week.desk, NINE, doctor_id=None, patient_id=third)).doctor_id == week.ahrens.doctor_id
    with pytest.raises(Taken):
        week.book(week.desk, NINE, doctor_id=None, patient_id=week.house.patient("Fourth"))


def test_b2_any_doctor_of_a_department_stays_in_it(week: Week) -> None:
    week.book(week.pia, NINE, doctor_id=week.beyer.doctor_id)
    with pytest.raises(Taken):
        week.book(week.otto, NINE, doctor_id=None, department="Ears")


def test_a_patient_cannot_book_two_doctors_at_once(week: Week) -> None:
    week.book(week.pia, NINE)
    with pytest.raises(Taken, match="already has an appointment"):
        week.book(week.pia, NINE, doctor_id=week.beyer.doctor_id)
    with pytest.raises(Taken, match="already has an appointment"):
        week.book(week.desk, NINE, doctor_id=week.beyer.doctor_id, patient_id=min(week.pia.patient_ids))


@pytest.mark.parametrize(
    ("starts_at", "sentence"),
    [
        ("2026-05-04 05:45", "has passed"),
        ("2026-05-04 06:00", "has passed"),
        (f"{MONDAY} 05:45", "doesn't work at that time"),
        (f"{MONDAY} 10:00", "doesn't work at that time"),
        (f"{MONDAY} 09:50", "doesn't work at that time"),
    ],
)
def test_b5_times_in_the_past_or_outside_the_hours_are_refused(week: Week, starts_at: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        week.book(week.pia, starts_at)


def test_b5_a_patient_cannot_exceed_the_limit_of_open_appointments(week: Week) -> None:
    for hour in (6, 7, 8):
        week.book(week.pia, f"{MONDAY} {hour:02}:00")
    with pytest.raises(Invalid, match="3 appointments booked"):
        week.book(week.pia, f"{MONDAY} 09:00")
    assert week.book(week.desk, f"{MONDAY} 09:00", patient_id=min(week.pia.patient_ids))


def test_b5_reasons_that_are_too_long_or_cannot_be_stored_are_refused(week: Week) -> None:
    for reason in ("x" * 201, "a\0b", "\ud800"):
        with pytest.raises(Invalid) as refused:
            week.book(week.pia, NINE, reason=reason)
        assert refused.value.field == "reason"
    assert week.book(week.pia, NINE, reason="x" * 200)


def test_z3_someone_elses_patient_and_missing_doctors_and_types_are_not_found(week: Week) -> None:
    for more in (
        {"patient_id": min(week.otto.patient_ids)},
        {"patient_id": 999_999},
        {"doctor_id": 999_999},
        {"visit_type_id": 999_999},
        {"visit_type_id": visit_type(week, online=False)},
    ):
        with pytest.raises(NotFound):
            week.book(week.pia, NINE, **more)
    assert week.house.count(Appointment) == 0


def test_a_doctor_books_for_their_own_patients_only(week: Week) -> None:
    pia = min(week.pia.patient_ids)
    with pytest.raises(NotFound):
        week.book(week.ahrens, NINE, patient_id=pia)
    week.book(week.pia, NINE)
    assert week.book(week.ahrens, f"{MONDAY} 08:00", patient_id=pia)


def test_time_off_and_holidays_are_not_bookable(week: Week) -> None:
    with week.house.writing() as session:
        for doctor_id, first in ((week.ahrens.doctor_id, day(MONDAY)), (None, day("2026-05-12"))):
            session.add(
                HoursException(
                    doctor_id=doctor_id, kind="off", first_day=first, last_day=first, created_at=at("2026-05-01 08:00")
                )
            )
    with pytest.raises(Invalid, match="doesn't work at that time"):
        week.book(week.pia, NINE)
    assert week.book(week.pia, NINE, doctor_id=None)
    with pytest.raises(Invalid, match="doesn't work at that time"):
        week.book(week.pia, "2026-05-12 07:00", doctor_id=None)


def test_a_held_slot_is_unavailable_to_others_until_the_hold_expires(week: Week, clock: time_machine.Traveller) -> None:
    hold(week, min(week.otto.patient_ids))
    with pytest.raises(Taken):
        week.book(week.pia, NINE)
    clock.shift(timedelta(minutes=21))
    assert week.book(week.pia, NINE)


def test_a_held_slot_is_free_for_its_patient(week: Week) -> None:
    hold(week, min(week.otto.patient_ids))
    assert week.book(week.otto, NINE)


def test_staff_can_overbook_with_a_reason_in_the_audit_log(week: Week) -> None:
    week.book(week.pia, NINE)
    third = week.house.patient("Third")
    visit = week.row(week.book(week.desk, NINE, patient_id=third, overbooking_reason="Pain"))
    assert (visit.overbooked, visit.overbooking_reason) == (True, "Pain")
    assert week.house.count(AuditEntry, AuditEntry.act == "appointment.overbook") == 1


def test_a_patient_cannot_overbook(week: Week) -> None:
    week.book(week.pia, NINE)
    with pytest.raises(Taken):
        week.book(week.otto, NINE, overbooking_reason="Please")


def test_an_overbooked_appointment_still_occupies_its_time(week: Week) -> None:
    first = week.book(week.pia, NINE)
    week.book(week.desk, NINE, patient_id=week.house.patient("Third"), overbooking_reason="Pain")
    with week.house.writing() as session:
        session.get_one(Appointment, first).status = AppointmentStatus.CANCELLED
    with pytest.raises(Taken):
        week.book(week.otto, NINE)


@pytest.mark.parametrize("whose", ["doctor", "patient"])
def test_the_database_itself_refuses_an_overlap(week: Week, whose: str) -> None:
    pia, otto = min(week.pia.patient_ids), min(week.otto.patient_ids)
    plain_visit(week, week.ahrens.doctor_id, pia, at(NINE))
    doctor, patient = (week.ahrens, otto) if whose == "doctor" else (week.beyer, pia)
    with pytest.raises(IntegrityError):
        plain_visit(week, doctor.doctor_id, patient, at(NINE) + timedelta(minutes=10))
    plain_visit(week, doctor.doctor_id, patient, at(NINE) + timedelta(minutes=10), status="cancelled")
    plain_visit(week, doctor.doctor_id, patient, at(NINE) + timedelta(minutes=10), overbooked=True)
    plain_visit(week, doctor.doctor_id, patient, at(NINE) + timedelta(minutes=15))


def test_the_database_itself_refuses_a_change_that_overlaps(week: Week) -> None:
    plain_visit(week, week.ahrens.doctor_id, min(week.pia.patient_ids), at(NINE))
    other = plain_visit(week, week.ahrens.doctor_id, min(week.otto.patient_ids), at(NINE), status="cancelled")
    with pytest.raises(IntegrityError), week.house.writing() as session:
        session.get_one(Appointment, other).status = AppointmentStatus.BOOKED
    assert week.row(other).status == "cancelled"


def test_an_appointment_longer_than_twelve_hours_cannot_be_stored(week: Week) -> None:
    start, pia = at(NINE), min(week.pia.patient_ids)
    with pytest.raises(IntegrityError):
        plain_visit(week, week.ahrens.doctor_id, pia, start, ends_at=start + timedelta(hours=12, minutes=1))
    plain_visit(week, week.ahrens.doctor_id, pia, start, ends_at=start + timedelta(hours=12))


def test_f20_of_many_simultaneous_bookings_exactly_one_gets_the_slot(week: Week) -> None:
    people = [week.house.user("patient", f"p{number}@clinic.example", f"P {number}") for number in range(8)]
    together = Barrier(len(people))

    def press(number: int) -> str:
        together.wait()
        try:
            week.book(people[number], NINE)
        except Conflict:
            return "taken"
        return "booked"

    with ThreadPoolExecutor(len(people)) as pool:
        outcomes = sorted(pool.map(press, range(len(people))))
    assert outcomes == ["booked"] + ["taken"] * 7
    assert week.house.count(Appointment) == 1


def test_f30_simultaneous_double_clicks_make_one_booking(week: Week) -> None:
    together = Barrier(4)

    def press(_click: int) -> int:
        together.wait()
        return week.book(week.pia, NINE)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(press, range(4)))) == 1
    assert week.house.count(Appointment) == 1


def test_rescheduling_makes_a_new_appointment_that_points_to_the_old_one(week: Week) -> None:
    old = week.book(week.pia, NINE, reason="Eyes")
    new = week.row(week.move(week.pia, old, f"{MONDAY} 08:00"))
    before = week.row(old)
    assert (new.rescheduled_from_id, new.status, new.reason) == (old, "booked", "Eyes")
    assert (before.status, before.cancelled_by, before.rescheduled_at is not None) == ("cancelled", "patient", True)
    assert week.book(week.otto, NINE) != old  # its slot is free again


def test_rescheduling_twice_to_the_same_time_reschedules_once(week: Week) -> None:
    old = week.book(week.pia, NINE)
    new = week.move(week.pia, old, f"{MONDAY} 08:00")
    assert week.move(week.pia, old, f"{MONDAY} 08:00") == new
    with pytest.raises(Conflict, match="already rescheduled"):
        week.move(week.pia, old, f"{MONDAY} 08:30")


def test_an_appointment_can_be_rescheduled_by_less_than_its_length(week: Week) -> None:
    old = week.book(week.pia, NINE)
    assert week.row(week.move(week.desk, old, f"{MONDAY} 07:10")).starts_at == at(f"{MONDAY} 07:10")


def test_b1_rescheduling_to_a_taken_slot_changes_nothing(week: Week) -> None:
    old, other = week.book(week.pia, NINE), week.book(week.otto, f"{MONDAY} 08:00")
    with pytest.raises(Taken):
        week.move(week.pia, old, f"{MONDAY} 08:00")
    assert (week.row(old).status, week.row(old).rescheduled_at) == ("booked", None)
    assert week.row(other).status == "booked"


def test_rescheduling_keeps_the_length_and_can_change_the_doctor(week: Week) -> None:
    old = week.book(week.pia, NINE, visit_type_id=visit_type(week, minutes=30))
    new = week.row(week.move(week.desk, old, NINE, doctor_ids=[week.beyer.doctor_id]))
    assert (new.doctor_id, new.ends_at - new.starts_at) == (week.beyer.doctor_id, timedelta(minutes=30))


def test_past_appointments_and_those_of_others_cannot_be_rescheduled(week: Week) -> None:
    old = week.book(week.pia, NINE)
    with pytest.raises(NotFound):
        week.move(week.otto, old, f"{MONDAY} 08:00")
    other = week.house.visit(week.beyer.doctor_id, min(week.pia.patient_ids), at(f"{MONDAY} 09:00"))
    with pytest.raises(Forbidden):
        week.move(week.ahrens, other, f"{MONDAY} 09:15")
    with week.house.writing() as session:
        session.get_one(Appointment, old).status = AppointmentStatus.ARRIVED
    with pytest.raises(Conflict, match="no longer booked"):
        week.move(week.desk, old, f"{MONDAY} 08:00")


def test_patients_can_reschedule_until_the_cutoff_and_staff_after_it(week: Week, clock: time_machine.Traveller) -> None:
    old = week.book(week.pia, NINE)
    clock.move_to(at(NINE) - timedelta(hours=RULES.cancel_cutoff_hours) + timedelta(seconds=1))
    with pytest.raises(Conflict, match="call the clinic"):
        week.move(week.pia, old, f"{MONDAY} 08:00")
    week.move(week.desk, old, f"{MONDAY} 08:00")
    assert week.row(old).cancelled_late


def test_b6_a_series_keeps_its_local_time_when_the_clocks_change(week: Week) -> None:
    visits = book_series(week, "2026-10-19 07:00", count=3)
    assert [visit.starts_at for visit in visits] == [
        at("2026-10-19 07:00"),
        at("2026-10-26 08:00"),
        at("2026-11-02 08:00"),
    ]
    assert {visit.series_id for visit in visits} == {visits[0].id}


def test_a_series_is_booked_all_or_none(week: Week) -> None:
    week.book(week.pia, "2026-05-25 07:00")
    with pytest.raises(Taken, match="25 May"):
        book_series(week, NINE, count=4)
    assert week.house.count(Appointment) == 1


@pytest.mark.parametrize(("count", "every_days"), [(0, 7), (21, 7), (2, 0), (2, 29)])
def test_the_length_of_a_series_is_limited(week: Week, count: int, every_days: int) -> None:
    with pytest.raises(Invalid):
        book_series(week, NINE, count=count, every_days=every_days)


def test_a_walk_in_gets_the_next_slot_and_is_checked_in(week: Week, clock: time_machine.Traveller) -> None:
    clock.move_to(at(NINE) + timedelta(minutes=3))
    visit = walk_in(week, week.house.patient("Walker"))
    assert (visit.status, visit.starts_at, visit.overbooked) == ("arrived", at(f"{MONDAY} 07:15"), False)


def test_a_walk_in_after_the_last_slot_is_overbooked(week: Week, clock: time_machine.Traveller) -> None:
    clock.move_to(at(f"{MONDAY} 09:50"))
    visit = walk_in(week, week.house.patient("Walker"))
    assert (visit.status, visit.starts_at, visit.overbooked) == ("arrived", at(f"{MONDAY} 09:50"), True)


def test_a_patient_with_an_appointment_today_cannot_be_a_walk_in(week: Week, clock: time_machine.Traveller) -> None:
    week.book(week.pia, f"{MONDAY} 08:00")
    clock.move_to(at(NINE))
    with pytest.raises(Conflict, match="already has an appointment today"):
        walk_in(week, min(week.pia.patient_ids))


def test_the_nearest_free_slots_surround_the_taken_one(week: Week) -> None:
    week.book(week.pia, NINE)
    with week.house.reading() as session:
        found = free_times.nearest(session, at(NINE), week.zone, doctor_ids=[week.ahrens.doctor_id or 0])
    assert [f"{time.starts_at:%H:%M}" for time in found] == ["06:30", "06:45", "07:15"]


def test_archived_patients_and_doctors_cannot_be_booked(week: Week) -> None:
    for change in (archive_patient, archive_doctor):
        undo = change(week)
        with pytest.raises(DomainError):
            week.book(week.pia, NINE)
        undo()
    assert week.book(week.pia, NINE)


def plain_visit(week: Week, doctor: int | None, patient: int, starts_at: datetime, **more: Any) -> int:
    return week.house.visit(doctor, patient, starts_at, **{"overbooked": False, **more})


def archive_patient(week: Week) -> Callable[[], None]:
    return archived(week, "Patient", min(week.pia.patient_ids))


def archive_doctor(week: Week) -> Callable[[], None]:
    return archived(week, "Doctor", week.ahrens.doctor_id or 0)


def archived(week: Week, table: str, row_id: int) -> Callable[[], None]:
    def put(value: object) -> None:
        with week.house.writing() as session:
            session.get_one(getattr(models, table), row_id).archived_at = value

    put(at("2026-05-01 08:00"))
    return lambda: put(None)


def visit_type(week: Week, *, minutes: int = 15, online: bool = True) -> int:
    with week.house.writing() as session:
        kind = VisitType(name=f"{minutes} {online}", minutes=minutes, online=online, created_at=at("2026-01-01 08:00"))
        session.add(kind)
        session.flush()
        return kind.id


def hold(week: Week, patient: int) -> None:
    """Hold nine o'clock for a patient for twenty minutes from now."""
    now = at("2026-05-04 06:00")
    with week.house.writing() as session:
        entry = WaitlistEntry(patient_id=patient, created_at=now)
        session.add(entry)
        session.flush()
        session.add(
            Offer(
                waiting_id=entry.id,
                doctor_id=week.ahrens.doctor_id,
                starts_at=at(NINE),
                ends_at=at(NINE) + timedelta(minutes=15),
                expires_at=now + timedelta(minutes=20),
                created_at=now,
            )
        )


def book_series(week: Week, starts_at: str, *, count: int, every_days: int = 7) -> list[Appointment]:
    with week.house.writing() as session:
        first = BookingRequest(min(week.otto.patient_ids), at(starts_at), week.ahrens.doctor_id)
        wish, clinic = SeriesRequest(first, count, every_days), week.house.settings.clinic
        return series.book(session, week.desk, wish, Booking(), clinic)


def walk_in(week: Week, patient: int) -> Appointment:
    with week.house.writing() as session:
        return walk_ins.take_in(
            session, week.desk, BookingRequest(patient, clock.now(), week.ahrens.doctor_id), week.zone
        )


def test_one_rule_limits_the_reason_everywhere(week: Week) -> None:
    assert booking.checked_reason(" a\rb ") == "a\nb"
