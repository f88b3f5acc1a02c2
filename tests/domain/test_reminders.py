"""The daily reminder's plan: one row for each visit of the clinic's day, with a reason where nothing is sent."""

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from service.domain import reminders
from service.domain.errors import Invalid
from service.domain.reminders import Tally
from service.models import Appointment, Message, Patient
from tests.house import House, at, day

TODAY = day("2026-05-04")


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor."""
    found = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    assert found is not None
    return found


def plan(house: House, on: date = TODAY, channel: str = "console") -> Tally:
    with house.writing() as session:
        return reminders.plan(session, on, house.settings.clinic.zone, channel)


def rows(house: House) -> list[Message]:
    with house.reading() as session:
        return list(session.query(Message).order_by(Message.starts_at, Message.id))


def reasons(house: House) -> dict[int, str | None]:
    """By visit, why nothing will be sent; None where something will."""
    return {row.appointment_id or 0: row.skip_reason for row in rows(house)}


@pytest.mark.usefixtures("clock")
def test_every_booked_visit_of_the_day_gets_one_row_with_its_address(house: House, doctor: int) -> None:
    patient = house.patient("Lena Vogt", email="lena@mail.example")
    visit = house.visit(doctor, patient, at("2026-05-04 12:00"))
    assert plan(house).as_dict() == {"sent": 0, "failed": 0, "unknown": 0, "queued": 1, "skipped": {}}
    (row,) = rows(house)
    assert (row.appointment_id, row.patient_id, row.starts_at) == (visit, patient, at("2026-05-04 12:00"))
    assert (row.rule, row.channel, row.recipient, row.status) == (
        "daily_reminder",
        "console",
        "lena@mail.example",
        "queued",
    )


@pytest.mark.usefixtures("clock")
def test_r1_planning_again_plans_nothing(house: House, doctor: int) -> None:
    house.visit(doctor, house.patient(email="lena@mail.example"), at("2026-05-04 12:00"))
    house.visit(doctor, house.patient(), at("2026-05-04 13:00"))
    assert plan(house).queued == 1
    assert plan(house) == Tally()
    assert len(rows(house)) == 2


@pytest.mark.usefixtures("clock")
def test_r1_another_channel_is_a_row_of_its_own(house: House, doctor: int) -> None:
    house.visit(doctor, house.patient(email="lena@mail.example"), at("2026-05-04 12:00"))
    assert (plan(house).queued, plan(house, channel="sms").queued) == (1, 1)


@pytest.mark.parametrize(
    ("email", "starts_at", "booked", "reason"),
    [
        ("a@mail.example", "2026-05-04 06:01", "2026-05-03 21:59", None),
        (None, "2026-05-04 12:00", "2026-04-01 10:00", "no_address"),
        ("a@mail.example", "2026-05-04 06:00", "2026-04-01 10:00", "too_late"),
        ("a@mail.example", "2026-05-04 05:00", "2026-04-01 10:00", "too_late"),
        ("a@mail.example", "2026-05-04 12:00", "2026-05-03 22:00", "just_booked"),
        ("a@mail.example", "2026-05-04 12:00", "2026-05-04 05:59", "just_booked"),
    ],
)
@pytest.mark.usefixtures("clock")
def test_r3_a_visit_that_nobody_is_reminded_of_is_a_visible_row_with_the_reason(
    house: House, doctor: int, email: str | None, starts_at: str, booked: str, reason: str | None
) -> None:
    visit = house.visit(doctor, house.patient(email=email), at(starts_at), created_at=at(booked))
    tally = plan(house)
    assert reasons(house) == {visit: reason}
    assert tally.skipped == ({reason: 1} if reason else {})
    assert tally.queued == (0 if reason else 1)


@pytest.mark.parametrize("status", ["arrived", "completed", "cancelled", "no_show"])
@pytest.mark.usefixtures("clock")
def test_r2_only_visits_that_stand_are_planned(house: House, doctor: int, status: str) -> None:
    house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"), status=status)
    assert plan(house) == Tally()
    assert rows(house) == []


DAYS: list[tuple[str, str, str, str, str]] = [
    # the day, its first minute, its last, the minute before, the minute after
    ("2026-05-04", "2026-05-03 22:00", "2026-05-04 21:59", "2026-05-03 21:59", "2026-05-04 22:00"),
    ("2026-03-29", "2026-03-28 23:00", "2026-03-29 21:59", "2026-03-28 22:59", "2026-03-29 22:00"),
    ("2026-10-25", "2026-10-24 22:00", "2026-10-25 22:59", "2026-10-24 21:59", "2026-10-25 23:00"),
]


@pytest.mark.parametrize(("on", "first", "last", "before", "after"), DAYS, ids=[one[0] for one in DAYS])
def test_f19_a_visit_near_midnight_belongs_to_the_clinics_day(
    house: House, doctor: int, on: str, first: str, last: str, before: str, after: str
) -> None:
    patient = house.patient(email="a@mail.example")
    inside = [house.visit(doctor, patient, at(text)) for text in (first, last)]
    for text in (before, after):
        house.visit(doctor, patient, at(text))
    with time_machine.travel(at(first) - timedelta(days=1), tick=False):
        plan(house, day(on))
    assert list(reasons(house)) == inside


@pytest.mark.usefixtures("clock")
def test_r2_a_moved_visit_is_a_new_reminder(house: House, doctor: int) -> None:
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"))
    plan(house)
    with house.writing() as session:
        moved = {"starts_at": at("2026-05-04 15:00"), "ends_at": at("2026-05-04 15:15")}
        session.execute(update(Appointment).where(Appointment.id == visit).values(**moved))
    assert plan(house).queued == 1
    assert [(row.appointment_id, row.starts_at) for row in rows(house)] == [
        (visit, at("2026-05-04 12:00")),
        (visit, at("2026-05-04 15:00")),
    ]


def give_address(house: House, patient: int, email: str | None) -> None:
    with house.writing() as session:
        session.execute(update(Patient).where(Patient.id == patient).values(email=email))


def test_an_address_that_appears_opens_the_reminder_again(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    patient = house.patient()
    house.visit(doctor, patient, at("2026-05-04 12:00"))
    house.visit(doctor, patient, at("2026-05-04 06:30"))
    plan(house)
    give_address(house, patient, "new@mail.example")
    clock.shift(timedelta(hours=1))
    assert plan(house).queued == 1
    begun, ahead = rows(house)
    assert (begun.status, begun.skip_reason) == ("skipped", "no_address")
    assert (ahead.status, ahead.skip_reason, ahead.recipient) == ("queued", None, "new@mail.example")


@pytest.mark.usefixtures("clock")
def test_a_preview_says_what_the_plan_would_do_and_writes_nothing(house: House, doctor: int) -> None:
    house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"))
    house.visit(doctor, house.patient(), at("2026-05-04 13:00"))
    with house.writing() as session:
        previewed = reminders.preview(session, TODAY, house.settings.clinic.zone, "console")
    assert rows(house) == []
    assert previewed == plan(house)


@pytest.mark.usefixtures("clock")
def test_the_total_counts_the_days_reminders_by_how_they_ended(house: House, doctor: int) -> None:
    statuses: list[dict[str, Any]] = [
        {"status": "sent"},
        {"status": "sent"},
        {"status": "failed"},
        {"status": "unknown"},
        {"status": "queued"},
        {"status": "sending"},
        {"status": "handing_over"},
        {"status": "skipped", "skip_reason": "just_booked"},
        {"status": "skipped", "skip_reason": "too_late"},
        {"status": "skipped", "skip_reason": "too_late"},
    ]
    patient = house.patient(email="a@mail.example")
    times = [at("2026-05-04 12:00") + timedelta(minutes=20 * number) for number in range(len(statuses))]
    visits = [house.visit(doctor, patient, time) for time in times]
    plan(house)
    with house.writing() as session:
        for visit, values in zip(visits, statuses, strict=True):
            session.execute(update(Message).where(Message.appointment_id == visit).values(**values))
    house.visit(doctor, patient, at("2026-05-05 12:00"))
    plan(house, day("2026-05-05"))
    with house.reading() as session:
        total = reminders.total(session, TODAY, house.settings.clinic.zone).as_dict()
    assert total == {"sent": 2, "failed": 1, "unknown": 1, "queued": 3, "skipped": {"just_booked": 1, "too_late": 2}}


@pytest.mark.usefixtures("clock")
def test_r3_nobody_is_reminded_of_a_day_that_is_over(house: House) -> None:
    zone = house.settings.clinic.zone
    reminders.check_day(TODAY, zone)
    reminders.check_day(day("2026-05-05"), zone)
    with pytest.raises(Invalid, match="2026-05-03 is over"):
        reminders.check_day(day("2026-05-03"), zone)


@pytest.mark.usefixtures("clock")
def test_a_day_beyond_the_calendar_is_refused(house: House) -> None:
    with pytest.raises(Invalid):
        reminders.check_day(date.max, house.settings.clinic.zone)


@pytest.mark.usefixtures("clock")
def test_an_address_that_appears_does_not_remind_of_a_visit_called_off_meanwhile(house: House, doctor: int) -> None:
    patient = house.patient()
    visit = house.visit(doctor, patient, at("2026-05-04 12:00"))
    plan(house)
    give_address(house, patient, "new@mail.example")
    with house.writing() as session:
        session.execute(update(Appointment).where(Appointment.id == visit).values(status="cancelled"))
    assert plan(house).queued == 0
    assert reasons(house) == {visit: "no_address"}


def test_f18_a_reminder_left_out_by_a_clock_that_was_ahead_is_opened_again(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"))
    clock.move_to(at("2026-05-04 13:00"))
    plan(house)
    assert reasons(house) == {visit: "too_late"}
    clock.move_to(at("2026-05-04 06:00"))
    assert plan(house).queued == 1
    assert reasons(house) == {visit: None}
