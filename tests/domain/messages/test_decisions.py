"""Why a patient is told of an appointment, or not: what is expected, what was decided, and what came of it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from service.config.settings import Settings
from service.domain.appointments import appointments
from service.domain.foundation.actor import SYSTEM
from service.domain.messages import decisions
from service.domain.outbox import channels, reminders
from service.storage.models import Appointment, Channel, Message, Patient
from tests.domain.outbox.planning import CLINIC, change, claim
from tests.house import House, at, day

pytestmark = pytest.mark.usefixtures("clock")
SETTINGS = Settings(clinic=CLINIC)
AHEAD = Settings(clinic=CLINIC, messages={"advance_hours": 48})  # type: ignore[arg-type]


def why(house: House, visit: int, settings: Settings = SETTINGS) -> list[tuple[str, str, str, str | None]]:
    """Rule, hour in UTC, status and reason of each decision."""
    with house.reading() as session:
        found = decisions.of_visit(session, appointments.fetch(session, SYSTEM, visit), settings)
    return [(one.rule.name, f"{one.at:%Y-%m-%d %H:%M}", one.status, one.reason) for one in found]


@pytest.mark.parametrize(
    ("starts_at", "run"),
    [
        ("2026-05-06 12:00", "2026-05-06 06:00"),
        ("2026-05-06 06:59", "2026-05-05 06:00"),  # before nine: the day before
        ("2026-05-05 06:30", "2026-05-05 06:00"),  # booked after today's run, so that the morning itself is left
        ("2026-10-25 12:00", "2026-10-25 07:00"),
    ],
)
def test_before_anything_is_planned_it_says_when_the_patient_will_be_told(
    house: House, doctor: int, clock: time_machine.Traveller, starts_at: str, run: str
) -> None:
    clock.shift(timedelta(minutes=1))
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at(starts_at))
    assert why(house, visit) == [("daily_reminder", run, "expected", None)]


@pytest.mark.parametrize(
    ("patient", "reason"),
    [
        ({"email": None}, "no_address"),
        ({"email": None, "phone": "+491705550132"}, "no_address"),  # there is no SMS
        ({"email": "a@mail.example", "email_allowed": False}, "opted_out"),
    ],
)
def test_it_says_beforehand_who_cannot_be_reached(
    house: House, doctor: int, patient: dict[str, Any], reason: str
) -> None:
    visit = house.visit(doctor, house.patient(**patient), at("2026-05-06 12:00"))
    assert why(house, visit) == [("daily_reminder", "2026-05-06 06:00", "expected", reason)]


def test_a_visit_booked_after_the_run_of_its_day_is_not_told(
    house: House, doctor: int, clock: time_machine.Traveller
) -> None:
    clock.shift(timedelta(hours=2))
    visit = house.visit(
        doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"), created_at=at("2026-05-04 07:59")
    )
    assert why(house, visit) == [("daily_reminder", "2026-05-04 06:00", "expected", "just_booked")]


def test_the_advance_reminder_is_expected_too_where_there_is_one(house: House, doctor: int) -> None:
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-07 12:00"))
    assert why(house, visit, AHEAD) == [
        ("advance_reminder", "2026-05-05 06:00", "expected", None),
        ("daily_reminder", "2026-05-07 06:00", "expected", None),
    ]


def test_what_was_expected_is_what_the_run_does(house: House, doctor: int, clock: time_machine.Traveller) -> None:
    """Appointments at every hour of four days, each expected in one run; then those runs are made, one by one."""
    for hour in range(1, 96, 3):
        starts_at = at("2026-05-05 00:00") + timedelta(hours=hour)
        booked = starts_at - timedelta(hours=(hour * 7) % 60)
        patient = house.patient(f"Patient {hour}", email=f"p{hour}@mail.example" if hour % 4 else None)
        if booked < at("2026-05-04 06:00"):
            house.visit(doctor, patient, starts_at, created_at=booked)
    clock.shift(timedelta(minutes=1))
    with house.reading() as session:
        ids = [row.id for row in session.query(Appointment)]
    expected = {visit: why(house, visit, AHEAD) for visit in ids}
    for number in range(1, 6):
        on = day("2026-05-04") + timedelta(days=number)
        clock.move_to(at(f"{on} 06:00"))
        with house.writing() as session:
            today = reminders.of_day(on, CLINIC.zone)
            for span in (today, reminders.early(on, AHEAD), *reminders.ahead(on, AHEAD)):
                reminders.plan(session, span, channels.ways(AHEAD))
    with house.reading() as session:
        rows = session.query(Message).order_by(Message.created_at, Message.rule)
        done = {visit: [row for row in rows if row.appointment_id == visit] for visit in ids}
    for visit, wanted in expected.items():
        made = [
            (row.rule, f"{row.created_at:%Y-%m-%d %H:%M}", "expected", row.skip_reason)
            for row in done[visit]
            if row.skip_reason != "too_late"
        ]
        assert sorted(made) == sorted(one for one in wanted if one[3] != "too_late")


def test_afterwards_it_says_what_came_of_it(house: House, doctor: int) -> None:
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"))
    with house.writing() as session:
        reminders.plan(session, reminders.of_day(day("2026-05-04"), CLINIC.zone), (Channel.EMAIL,))
    assert why(house, visit) == [("daily_reminder", "2026-05-04 06:00", "queued", None)]
    assert claim(house) is not None
    with house.writing() as session:
        session.execute(update(Message).values(status="sent", sent_at=at("2026-05-04 06:01")))
    assert why(house, visit) == [("daily_reminder", "2026-05-04 06:01", "sent", None)]


def test_a_moved_visit_has_both_its_times(house: House, doctor: int) -> None:
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"))
    with house.writing() as session:
        reminders.plan(session, reminders.of_day(day("2026-05-04"), CLINIC.zone), (Channel.EMAIL,))
        session.execute(update(Message).values(status="sent", sent_at=at("2026-05-04 06:00")))
    change(house, visit, starts_at=at("2026-05-06 12:00"), ends_at=at("2026-05-06 12:15"))
    assert why(house, visit) == [
        ("daily_reminder", "2026-05-04 06:00", "sent", None),
        ("daily_reminder", "2026-05-06 06:00", "expected", None),
    ]


@pytest.mark.parametrize("status", ["cancelled", "arrived", "no_show"])
def test_of_a_visit_that_is_not_to_come_nothing_is_expected(house: House, doctor: int, status: str) -> None:
    visit = house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-06 12:00"), status=status)
    assert why(house, visit) == []


def test_consent_given_back_changes_what_is_expected(house: House, doctor: int) -> None:
    patient = house.patient(email="a@mail.example", email_allowed=False)
    visit = house.visit(doctor, patient, at("2026-05-06 12:00"))
    with house.writing() as session:
        session.get_one(Patient, patient).email_allowed = True
    assert why(house, visit) == [("daily_reminder", "2026-05-06 06:00", "expected", None)]
