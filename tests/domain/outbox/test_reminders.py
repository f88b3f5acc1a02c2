"""The daily reminder's plan: one row for each appointment of the clinic's day, with a reason where nothing is sent."""

from collections.abc import Collection
from datetime import date, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import update

from service.config.settings import Settings
from service.domain.foundation.errors import Invalid
from service.domain.outbox import reach, reminders
from service.domain.outbox.channels import WAYS
from service.domain.outbox.reminders import Span, Tally
from service.storage.models import Appointment, Channel, Message, Patient
from tests.house import House, at, day

TODAY = day("2026-05-04")


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor."""
    found = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    assert found is not None
    return found


ZONE = ZoneInfo("Europe/Berlin")
SETTINGS = Settings()


def plan(house: House, on: date | Span = TODAY, *, ways: Collection[Channel] = WAYS) -> Tally:
    span = on if isinstance(on, Span) else reminders.of_day(on, ZONE)
    with house.writing() as session:
        return reminders.plan(session, span, ways)


def rows(house: House) -> list[Message]:
    with house.reading() as session:
        return list(session.query(Message).order_by(Message.starts_at, Message.id))


def reasons(house: House) -> dict[int, str | None]:
    """By appointment, why nothing will be sent; None where something will."""
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
        "email",
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
def test_r1_a_visit_told_by_one_channel_is_not_told_by_another(house: House, doctor: int) -> None:
    patient = house.patient(email="lena@mail.example", phone="+491705550132")
    visit = house.visit(doctor, patient, at("2026-05-04 12:00"))
    assert plan(house).queued == 1
    agree(house, patient, preferred_channel="sms", email_allowed=False)
    assert plan(house) == Tally()
    with house.writing() as session:
        session.execute(update(Message).values(channel="console", status="sent"))
    assert plan(house) == Tally()
    assert list(reasons(house)) == [visit]


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


def agree(house: House, patient: int, **values: Any) -> None:
    with house.writing() as session:
        session.execute(update(Patient).where(Patient.id == patient).values(**values))


def test_an_address_that_appears_opens_the_reminder_again(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    patient = house.patient()
    house.visit(doctor, patient, at("2026-05-04 12:00"))
    house.visit(doctor, patient, at("2026-05-04 06:30"))
    plan(house)
    agree(house, patient, email="new@mail.example")
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
        previewed = reminders.preview(session, reminders.of_day(TODAY, ZONE), WAYS)
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
        total = reminders.total(session, reminders.of_day(TODAY, ZONE)).as_dict()
    assert total == {"sent": 2, "failed": 1, "unknown": 1, "queued": 3, "skipped": {"just_booked": 1, "too_late": 2}}


@pytest.mark.usefixtures("clock")
def test_r3_nobody_is_reminded_of_a_day_that_is_over() -> None:
    reminders.check_day(TODAY, ZONE)
    reminders.check_day(day("2026-05-05"), ZONE)
    with pytest.raises(Invalid, match="2026-05-03 is in the past"):
        reminders.check_day(day("2026-05-03"), ZONE)


@pytest.mark.usefixtures("clock")
def test_a_day_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(Invalid):
        reminders.check_day(date.max, ZONE)


@pytest.mark.usefixtures("clock")
def test_adding_an_address_does_not_remind_of_a_canceled_appointment(house: House, doctor: int) -> None:
    patient = house.patient()
    visit = house.visit(doctor, patient, at("2026-05-04 12:00"))
    plan(house)
    agree(house, patient, email="new@mail.example")
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


# Consent and channels


@pytest.mark.parametrize("ways", [(Channel.EMAIL,), (Channel.SMS,), WAYS])
@pytest.mark.usefixtures("clock")
def test_r4_the_plan_reaches_everybody_as_a_single_message_would(
    house: House, doctor: int, ways: tuple[Channel, ...]
) -> None:
    people = {}
    choices = product((None, "a@mail.example"), (None, "+491705550132"), ("email", "sms"), (True, False), (True, False))
    for number, (email, phone, first, by_email, by_sms) in enumerate(choices):
        patient = house.patient(f"Patient {number}", email=email, phone=phone)
        agree(house, patient, preferred_channel=first, email_allowed=by_email, sms_allowed=by_sms)
        people[house.visit(doctor, patient, at("2026-05-04 12:00"))] = patient
    plan(house, ways=ways)
    with house.reading() as session:
        reached = reach.of_patients(session, people.values(), ways)
        wanted = {visit: reached[patient] for visit, patient in people.items()}
    assert {row.appointment_id: (row.channel, row.recipient, row.skip_reason) for row in rows(house)} == wanted


@pytest.mark.usefixtures("clock")
def test_r4_who_wants_no_messages_gets_none_until_they_want_them_again(house: House, doctor: int) -> None:
    patient = house.patient(email="a@mail.example", phone="+491705550132")
    agree(house, patient, email_allowed=False, sms_allowed=False)
    visit = house.visit(doctor, patient, at("2026-05-04 12:00"))
    assert plan(house).skipped == {"opted_out": 1}
    agree(house, patient, sms_allowed=True)
    assert plan(house).queued == 1
    (row,) = rows(house)
    assert (row.appointment_id, row.channel, row.recipient) == (visit, "sms", "+491705550132")


@pytest.mark.usefixtures("clock")
def test_a_reminder_given_by_phone_is_not_queued_again(house: House, doctor: int) -> None:
    patient = house.patient()
    house.visit(doctor, patient, at("2026-05-04 12:00"))
    plan(house)
    with house.writing() as session:
        session.execute(update(Message).values(phoned_at=at("2026-05-04 06:00")))
    agree(house, patient, email="a@mail.example")
    assert plan(house) == Tally()


# Early appointments


@pytest.mark.parametrize(
    ("on", "first", "last", "at_nine"),
    [
        ("2026-05-04", "2026-05-04 22:00", "2026-05-05 06:59", "2026-05-05 07:00"),
        ("2026-03-28", "2026-03-28 23:00", "2026-03-29 06:59", "2026-03-29 07:00"),
        ("2026-10-24", "2026-10-24 22:00", "2026-10-25 07:59", "2026-10-25 08:00"),
    ],
)
def test_f19_visits_before_nine_are_told_the_day_before(
    house: House, doctor: int, on: str, first: str, last: str, at_nine: str
) -> None:
    patient = house.patient(email="a@mail.example")
    told = [house.visit(doctor, patient, at(text)) for text in (first, last)]
    house.visit(doctor, patient, at(at_nine))
    with time_machine.travel(at(f"{on} 06:00"), tick=False) as traveller:
        assert plan(house, reminders.early(day(on), SETTINGS)).queued == 2
        assert list(reasons(house)) == told
        traveller.shift(timedelta(days=1))
        assert plan(house, day(on) + timedelta(days=1)).queued == 1, "the run of the day itself finds them told"


def test_an_early_visit_that_the_day_before_missed_is_told_in_the_morning_unless_it_has_begun(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    patient = house.patient(email="a@mail.example")
    begun = house.visit(doctor, patient, at("2026-05-05 05:30"))
    soon = house.visit(doctor, patient, at("2026-05-05 06:30"))
    clock.move_to(at("2026-05-05 06:00"))
    plan(house, day("2026-05-05"))
    assert reasons(house) == {begun: "too_late", soon: None}


@pytest.mark.usefixtures("clock")
def test_an_early_visit_booked_this_morning_is_not_told_at_once(house: House, doctor: int) -> None:
    visit = house.visit(
        doctor, house.patient(email="a@mail.example"), at("2026-05-05 05:30"), created_at=at("2026-05-04 05:50")
    )
    plan(house, reminders.early(TODAY, SETTINGS))
    assert reasons(house) == {visit: "just_booked"}


def test_f18_a_clock_that_was_a_day_ahead_tells_nobody_twice(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    patient = house.patient(email="a@mail.example")
    for text in ("2026-05-04 12:00", "2026-05-05 06:30", "2026-05-05 12:00"):
        house.visit(doctor, patient, at(text))
    everything = 0
    for ahead in (1, -1, 1):
        clock.shift(timedelta(days=ahead))
        today = TODAY if ahead < 0 else day("2026-05-05")
        everything += plan(house, today).queued + plan(house, reminders.early(today, SETTINGS)).queued
    assert everything == len(rows(house)) == 3


@pytest.mark.parametrize(
    ("reminders_at", "first_not_early"),
    [
        ("08:00", "2026-05-05 07:00"),
        ("18:00", "2026-05-05 17:00"),
        ("23:00", "2026-05-05 22:00"),
        ("23:45", "2026-05-05 22:00"),
        ("00:00", "2026-05-04 23:00"),
    ],
)
def test_what_begins_before_the_run_of_its_own_day_is_of_use_is_told_the_day_before(
    reminders_at: str, first_not_early: str
) -> None:
    settings = Settings.model_validate({"jobs": {"reminders_at": reminders_at}})
    early = reminders.early(TODAY, settings)
    assert (early.start, early.end) == (at("2026-05-04 22:00"), at(first_not_early))


@pytest.mark.usefixtures("clock")
def test_a_clinic_that_reminds_in_the_evening_reaches_everybody_in_time(house: House, doctor: int) -> None:
    settings = Settings.model_validate({"jobs": {"reminders_at": "18:00"}})
    patient = house.patient(email="a@mail.example")
    visits = [house.visit(doctor, patient, at(f"2026-05-05 {time}")) for time in ("06:15", "07:30", "12:00")]
    plan(house, reminders.early(TODAY, settings))
    assert reasons(house) == dict.fromkeys(visits)


# Some days ahead


def ahead_by(hours: int) -> Settings:
    """Settings with a second reminder so many hours ahead."""
    return Settings.model_validate({"messages": {"advance_hours": hours}})


def plan_ahead(house: House, hours: int, on: date = TODAY) -> list[Tally]:
    return [plan(house, span) for span in reminders.ahead(on, ahead_by(hours))]


@pytest.mark.parametrize(
    ("hours", "visited"), [(24, "2026-05-05 12:00"), (48, "2026-05-06 12:00"), (72, "2026-05-07 06:00")]
)
@pytest.mark.usefixtures("clock")
def test_the_advance_reminder_tells_the_day_so_many_hours_ahead_once(
    house: House, doctor: int, hours: int, visited: str
) -> None:
    patient = house.patient(email="a@mail.example")
    visit = house.visit(doctor, patient, at(visited))
    house.visit(doctor, patient, at(visited) + timedelta(days=1))
    house.visit(doctor, patient, at("2026-05-04 12:00"))
    assert sum(tally.queued for tally in plan_ahead(house, hours)) == 1
    assert [(row.appointment_id, row.rule) for row in rows(house)] == [(visit, "advance_reminder")]
    assert all(tally == Tally() for tally in plan_ahead(house, hours))


@pytest.mark.usefixtures("clock")
def test_who_booked_within_the_hours_has_no_advance_reminder(house: House, doctor: int) -> None:
    patient = house.patient(email="a@mail.example")
    visit = house.visit(doctor, patient, at("2026-05-06 12:00"), created_at=at("2026-05-03 22:00"))
    near = house.visit(doctor, patient, at("2026-05-05 12:00"), created_at=at("2026-05-03 12:00"))
    plan_ahead(house, 48)
    assert reasons(house) == {near: "just_booked", visit: "just_booked"}


def test_an_advance_reminder_that_a_day_missed_is_told_the_day_after(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-06 12:00"))
    clock.shift(timedelta(days=1))
    plan_ahead(house, 48, day("2026-05-05"))
    assert reasons(house) == {visit: None}


@pytest.mark.parametrize("hours", [24, 72])
@pytest.mark.usefixtures("clock")
def test_an_early_visit_of_tomorrow_is_not_told_twice_on_one_morning(house: House, doctor: int, hours: int) -> None:
    house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-05 06:30"))
    plan(house, reminders.early(TODAY, SETTINGS))
    plan_ahead(house, hours)
    assert [row.rule for row in rows(house)] == ["daily_reminder"]


def test_an_advance_reminder_is_off_by_default() -> None:
    assert reminders.ahead(TODAY, SETTINGS) == []
