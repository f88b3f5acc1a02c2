"""The 08:00 job from plan to channel: everyone once, whatever fails, stops or runs beside it."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from service.config.settings import Booking
from service.domain.appointments import outcomes
from service.domain.foundation import job_runs
from service.domain.messages import deliveries
from service.jobs import schedule
from service.notifications.channels import Channels
from service.notifications.message import DeliveryError, OutgoingMessage
from service.storage.models import Appointment, JobRun, Message, Patient
from tests.crowd import together
from tests.faults.clinic import wall
from tests.house import House, at
from tests.jobs.by_hand import opened
from tests.recording import Crash, Recording

JOB = "send_daily_reminders"
NOBODY: dict[str, Any] = {"sent": 0, "failed": 0, "unknown": 0, "queued": 0, "skipped": {}}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Stands at 8 o'clock in Berlin on Monday, 4 May 2026; `shift` moves it on."""
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as traveller:
        yield traveller


@pytest.fixture
def channel() -> Recording:
    """What takes the letters."""
    return Recording()


@pytest.fixture
def doctor(house: House) -> int:
    """The clinic's doctor."""
    found = house.user("doctor", "doctor@clinic.example", "Dr. Ada Berg").doctor_id
    assert found is not None
    return found


def visits(house: House, doctor: int, count: int, time: str = "12:00") -> list[str]:
    """So many patients with an appointment today; returns their addresses."""
    with house.writing() as session:
        for number in range(count):
            patient = Patient(
                name=f"Patient {number}", email=f"p{number}@mail.example", created_at=at("2026-01-01 00:00")
            )
            session.add(patient)
            session.flush()
            start = at(f"2026-05-04 {time}")
            session.add(
                Appointment(
                    doctor_id=doctor,
                    patient_id=patient.id,
                    starts_at=start,
                    ends_at=start + timedelta(minutes=15),
                    overbooked=True,
                    created_at=at("2026-05-01 00:00"),
                )
            )
    return [f"p{number}@mail.example" for number in range(count)]


def process_of(house: House, channel: Recording, owner: str = "serve-one") -> House:
    return house.process(Channels(channel), owner)


def run(house: House, channel: Recording, owner: str = "serve-one") -> dict[str, Any] | None:
    """The job of today, in a process of its own name."""
    process = process_of(house, channel, owner)
    return process.execute(opened(house, JOB))


def statuses(house: House) -> list[str]:
    with house.reading() as session:
        return [row.status for row in session.query(Message).order_by(Message.id)]


def test_everybody_with_a_visit_today_is_told_once(house: House, doctor: int, channel: Recording) -> None:
    everybody = visits(house, doctor, 5)
    house.visit(doctor, house.patient("No address"), at("2026-05-04 12:00"))
    outcome = run(house, channel)
    assert outcome == {
        "date": "2026-05-04",
        "run": {"sent": 5, "failed": 0, "unknown": 0, "queued": 0, "skipped": {"no_address": 1}},
        "total": {"sent": 5, "failed": 0, "unknown": 0, "queued": 0, "skipped": {"no_address": 1}},
        "stayed_here": 5,
        "early": {"date": "2026-05-05", "run": NOBODY, "total": NOBODY},
    }
    assert sorted(channel.recipients) == everybody


def test_r1_running_again_sends_nothing_again(house: House, doctor: int, channel: Recording) -> None:
    everybody = visits(house, doctor, 3)
    run(house, channel)
    again = run(house, channel)
    assert again is not None
    assert again["run"] == {"sent": 0, "failed": 0, "unknown": 0, "queued": 0, "skipped": {}}
    assert again["total"]["sent"] == 3
    assert sorted(channel.recipients) == everybody


def test_nothing_due_is_a_run_like_any_other(house: House, channel: Recording) -> None:
    outcome = run(house, channel)
    assert outcome is not None
    assert outcome["total"] == {"sent": 0, "failed": 0, "unknown": 0, "queued": 0, "skipped": {}}
    assert channel.messages == []


def test_f11_two_processes_at_the_same_moment_tell_everybody_once(house: House, doctor: int) -> None:
    everybody = visits(house, doctor, 200)
    channels = [Recording(), Recording()]
    together(2, lambda number: run(house, channels[number], f"serve-{number}"))
    assert sorted(channels[0].recipients + channels[1].recipients) == sorted(everybody)
    assert statuses(house) == ["sent"] * 200


def test_a_family_counts_one_letter_and_the_others_as_duplicates(house: House, doctor: int, channel: Recording) -> None:
    for name in ("Lena Vogt", "Mia Vogt", "Ben Vogt"):
        house.visit(doctor, house.patient(name, email="vogt@mail.example"), at("2026-05-04 12:00"))
    outcome = run(house, channel)
    assert outcome is not None
    assert (outcome["run"]["sent"], outcome["run"]["skipped"]) == (1, {"duplicate": 2})
    assert channel.recipients == ["vogt@mail.example"]


def refusing(recipient: str, *, permanent: bool) -> Any:
    def refuse(letter: OutgoingMessage) -> None:
        if letter.recipient == recipient:
            raise DeliveryError("550 no such user" if permanent else "451 try later", permanent=permanent)

    return refuse


def test_f15_one_address_that_is_refused_stops_nobody_else(house: House, doctor: int, channel: Recording) -> None:
    everybody = visits(house, doctor, 4)
    channel.before = refusing(everybody[1], permanent=True)
    outcome = run(house, channel)
    assert outcome is not None
    assert (outcome["run"]["sent"], outcome["run"]["failed"]) == (3, 1)
    assert channel.recipients == [everybody[0], *everybody[2:]]


def test_f14_an_address_that_is_refused_for_now_is_told_later_once(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    everybody = visits(house, doctor, 3)
    channel.before = refusing(everybody[0], permanent=False)
    outcome = run(house, channel)
    assert outcome is not None
    assert (outcome["run"]["sent"], outcome["run"]["queued"], outcome["run"]["failed"]) == (2, 1, 0)
    channel.before = lambda _letter: None
    process_of(house, channel).deliver()
    assert len(channel.messages) == 2, "not before its pause is over"
    clock.shift(timedelta(minutes=2))
    process_of(house, channel).deliver()
    assert channel.recipients == [*everybody[1:], everybody[0]]


@pytest.mark.parametrize(("moment", "status"), [("before", "queued"), ("after", "unknown")])
def test_f15_a_channel_that_breaks_on_one_letter_stops_nobody_else(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller, moment: str, status: str
) -> None:
    everybody = visits(house, doctor, 3)

    def stumble(letter: OutgoingMessage) -> None:
        if letter.recipient == everybody[0]:
            raise UnicodeEncodeError("ascii", "é", 0, 1, "nobody thought of this")

    setattr(channel, moment, stumble)
    outcome = run(house, channel)
    assert outcome is not None
    assert statuses(house) == [status, "sent", "sent"]
    assert set(everybody[1:]) <= set(channel.recipients)
    clock.shift(timedelta(hours=1))
    setattr(channel, moment, lambda _letter: None)
    process_of(house, channel).deliver()
    assert sorted(channel.recipients) == everybody, "nobody twice"


def crash(_letter: OutgoingMessage) -> None:
    raise Crash


def test_f2_a_process_that_dies_before_the_hand_over_leaves_the_letter_to_the_next(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    everybody = visits(house, doctor, 3)
    channel.before = crash
    with pytest.raises(Crash):
        run(house, channel)
    channel.before = lambda _letter: None
    clock.shift(61)
    process_of(house, channel, "serve-two").deliver()
    assert sorted(channel.recipients) == everybody
    assert statuses(house) == ["sent"] * 3


def test_f2_a_process_that_dies_during_the_hand_over_leaves_an_unknown_that_nobody_repeats(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    everybody = visits(house, doctor, 3)
    channel.after = crash
    with pytest.raises(Crash):
        run(house, channel)
    channel.after = lambda _letter: None
    clock.shift(deliveries.LAST_LEASE + timedelta(seconds=1))
    outcome = run(house, channel, "serve-two")
    assert outcome is not None
    assert outcome["total"] == {"sent": 2, "failed": 0, "unknown": 1, "queued": 0, "skipped": {}}
    clock.shift(timedelta(hours=1))
    process_of(house, channel, "serve-two").deliver()
    assert sorted(channel.recipients) == everybody, "each once, the unsure one included"


def test_f2_the_run_of_a_dead_process_is_run_to_its_end_by_the_next(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    everybody = visits(house, doctor, 3)
    channel.before = crash
    first = process_of(house, channel)
    run_id = opened(house, JOB)
    with pytest.raises(Crash):
        first.execute(run_id)
    channel.before = lambda _letter: None
    clock.shift(61)
    assert process_of(house, channel, "serve-two").execute(run_id) is not None
    assert sorted(channel.recipients) == everybody
    assert house.count(JobRun, JobRun.status == "done") == 1


def test_a_stop_puts_the_run_back_and_the_next_start_ends_it(house: House, doctor: int, channel: Recording) -> None:
    everybody = visits(house, doctor, 3)
    first = process_of(house, channel)
    channel.after = lambda _letter: first.wiring.jobs.stopping.set()
    run_id = opened(house, JOB)
    assert first.execute(run_id) is None
    assert len(channel.messages) == 1
    channel.after = lambda _letter: None
    assert process_of(house, channel, "serve-two").execute(run_id) is not None
    assert sorted(channel.recipients) == everybody


@pytest.mark.parametrize(
    "change",
    [{"status": "cancelled"}, {"starts_at": at("2026-05-05 12:00"), "ends_at": at("2026-05-05 12:15")}],
)
def test_r2_an_appointment_canceled_or_rescheduled_during_sending_is_skipped(
    house: House, doctor: int, channel: Recording, change: dict[str, Any]
) -> None:
    everybody = visits(house, doctor, 2)

    def call_off(_letter: OutgoingMessage) -> None:
        with house.writing() as session:
            last = session.query(Appointment).order_by(Appointment.id.desc()).first()
            assert last is not None
            session.execute(update(Appointment).where(Appointment.id == last.id).values(**change))

    channel.after = call_off
    outcome = run(house, channel)
    assert outcome is not None
    assert outcome["run"]["skipped"] == {"cancelled": 1}
    assert channel.recipients == everybody[:1]


def test_on_hold_messages_wait_and_afterwards_only_those_still_ahead_are_sent(
    house: House, make_house: Any, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    held = make_house(messages={"hold": True})
    visits(house, doctor, 1, "08:00")
    visits(house, doctor, 2, "16:00")
    outcome = run(held, channel)
    assert outcome is not None
    assert outcome["run"]["queued"] == 3
    process_of(held, channel).deliver()
    assert channel.messages == []
    clock.shift(timedelta(hours=3))
    process_of(house, channel).deliver()
    assert sorted(statuses(house)) == ["sent", "sent", "skipped"]
    assert house.count(Message, Message.skip_reason == "too_late") == 1
    assert len(channel.messages) == 2


def test_r3_the_slot_of_a_day_that_is_over_sends_nothing(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    visits(house, doctor, 2)
    process = process_of(house, channel)
    run_id = opened(house, JOB)
    clock.shift(timedelta(days=1))
    assert process.execute(run_id) == {"date": "2026-05-04", "reason": "day_is_over"}
    assert channel.messages == []


def test_a_reminder_of_another_day_by_hand_is_sent_now_and_not_again_that_morning(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-05 12:00"))
    process = process_of(house, channel)
    assert process.execute(opened(house, JOB, "2026-05-05")) is not None
    clock.shift(timedelta(days=1))
    assert run(house, channel) is not None
    assert channel.recipients == ["a@mail.example"]


def test_the_early_visits_of_tomorrow_are_told_today_and_counted_beside_todays(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    visits(house, doctor, 1)
    house.visit(doctor, house.patient(email="early@mail.example"), at("2026-05-05 05:30"))
    house.visit(doctor, house.patient(email="later@mail.example"), at("2026-05-05 12:00"))
    outcome = run(house, channel)
    assert outcome is not None
    told = {**NOBODY, "sent": 1}
    assert (outcome["run"], outcome["total"]) == (told, told)
    assert outcome["early"] == {"date": "2026-05-05", "run": told, "total": told, "stayed_here": 1}
    assert channel.recipients == ["p0@mail.example", "early@mail.example"]
    clock.shift(timedelta(days=1))
    outcome = run(house, channel)
    assert outcome is not None
    assert outcome["total"]["sent"] == 2
    assert channel.recipients[2:] == ["later@mail.example"]


def test_the_advance_reminder_is_a_job_of_its_own_where_the_clinic_wants_it(
    house: House, make_house: Any, doctor: int, channel: Recording
) -> None:
    house.visit(doctor, house.patient(email="soon@mail.example"), at("2026-05-05 12:00"))
    house.visit(doctor, house.patient(email="late@mail.example"), at("2026-05-06 12:00"))
    wanting = make_house(messages={"advance_hours": 24})
    outcome = process_of(wanting, channel).execute(opened(wanting, "send_advance_reminders"))
    told = {**NOBODY, "sent": 1}
    assert outcome == {"date": "2026-05-04", "run": told, "total": told, "stayed_here": 1}
    assert channel.recipients == ["soon@mail.example"]
    assert "send_advance_reminders" not in {row.job for row in schedule.table(house.settings)}


@pytest.mark.parametrize(
    ("cancelled", "undone", "begins", "letters"),
    [
        ("07:50", "08:30", "2026-05-04 10:00", 1),  # after the run: told at once
        ("07:50", "07:55", "2026-05-04 10:00", 1),  # before it: told by the run
        ("08:10", "08:30", "2026-05-04 10:00", 1),  # told already
        ("07:50", "08:30", "2026-05-05 08:30", 1),  # tomorrow's early one
        ("07:50", "08:30", "2026-05-05 10:00", 0),  # tomorrow's run is still to come
    ],
)
def test_a_cancellation_that_is_taken_back_after_the_run_is_reminded_of_once(
    house: House,
    doctor: int,
    channel: Recording,
    clock: time_machine.Traveller,
    cancelled: str,
    undone: str,
    begins: str,
    letters: int,
) -> None:
    desk = house.user("receptionist", "rita@clinic.example")
    house.hours(doctor)
    visit = house.visit(doctor, house.patient("Eve", email="eve@mail.example"), wall(begins))
    process = process_of(house, channel)
    for at_wall, act in sorted([("08:00", "run"), (cancelled, "cancel"), (undone, "undo")]):
        clock.move_to(wall(f"2026-05-04 {at_wall}"))
        if act == "run":
            process.execute(opened(house, JOB))
            continue
        with house.writing() as session:
            if act == "cancel":
                outcomes.cancel(session, desk, visit, reason="", rules=Booking())
            else:
                outcomes.undo(session, desk, visit, house.settings)
    acts: list[Callable[[], object]] = [process.deliver, partial(run, house, channel)]
    for again in acts:
        clock.shift(60)
        again()
        told = house.count(Message, Message.rule == "daily_reminder", Message.status == "sent")
        reminded = [letter for letter in channel.messages if letter.subject.startswith("Your appointment at")]
        assert (told, len(reminded)) == (letters, letters)


def test_of_a_cancellation_that_is_taken_back_no_one_else_is_told(
    house: House, doctor: int, channel: Recording, clock: time_machine.Traveller
) -> None:
    desk = house.user("receptionist", "rita@clinic.example")
    house.hours(doctor)
    colleague = house.user("doctor", "colleague@clinic.example", "Dr. Cy Clay").doctor_id
    noon = at("2026-05-04 12:00")
    eve = house.visit(doctor, house.patient("Eve", email="eve@mail.example"), noon)
    other = house.patient("Without an address")
    house.visit(colleague, other, noon)
    with house.writing() as session:
        outcomes.cancel(session, desk, eve, reason="", rules=Booking())
    run(house, channel)
    late = house.visit(colleague, house.patient("Late", email="late@mail.example"), noon, overbooked=True)
    clock.shift(timedelta(minutes=10))
    with house.writing() as session:
        session.get_one(Patient, other).email = "other@mail.example"
    with house.writing() as session:
        outcomes.undo(session, desk, eve, house.settings)
    assert house.count(Message, Message.appointment_id == late) == 0
    process_of(house, channel).deliver()
    assert channel.recipients == ["eve@mail.example"]


def test_a_run_whose_end_cannot_be_noted_has_not_failed_and_tells_no_one_twice(
    house: House,
    doctor: int,
    channel: Recording,
    clock: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def finish(*_given: object) -> None:
        raise OperationalError("UPDATE", {}, sqlite3.OperationalError("database is locked"))

    everybody, run_id = visits(house, doctor, 2), opened(house, JOB)
    with monkeypatch.context() as patched:
        patched.setattr(job_runs, "finish", finish)
        outcome = process_of(house, channel).execute(run_id)
    assert outcome is not None
    assert outcome["run"]["sent"] == 2
    assert house.count(JobRun, JobRun.status == "running", JobRun.last_error.is_(None)) == 1
    clock.shift(timedelta(hours=1))
    process_of(house, channel).execute(run_id)
    assert house.count(JobRun, JobRun.status == "done") == 1
    assert sorted(channel.recipients) == everybody
