"""A tick: opens the slots that are due, each once, and queues whatever no one does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from structlog.testing import capture_logs

from service import clock as our_clock
from service.domain.exports import export_ledger, exports
from service.domain.foundation import installation, job_runs
from service.domain.foundation.actor import SYSTEM
from service.domain.foundation.errors import Forbidden
from service.health import health
from service.jobs import schedule
from service.jobs.tick import release_dead
from service.storage.models import Installation, JobRun, Message, RunTrigger
from tests.crowd import together
from tests.house import House, at
from tests.jobs.by_hand import opened
from tests.jobs.conftest import Desk

DAILY, MONTHLY = "send_daily_reminders", "generate_monthly_report"
Tick = Callable[[], Desk]


def ledger(house: House, job: str) -> list[tuple[str, str, str, Any]]:
    """The job's runs: slot, status, trigger, outcome."""
    with house.reading() as session:
        rows = session.query(JobRun).filter(JobRun.job == job).order_by(JobRun.slot)
        return [(row.slot, row.status, row.trigger, row.outcome) for row in rows]


def state(house: House, job: str) -> tuple[str, str]:
    with house.reading() as session:
        found = next(one for one in health.of_all(session, house.settings) if one.name == job)
    return found.state, found.state_words


def test_at_eight_the_days_reminders_are_queued_once(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 05:59"), tick=False) as clock:
        tick()
        assert [row[0] for row in ledger(house, DAILY)] == ["2026-05-03"]
        clock.shift(60)
        (backup, sheets, month, run_id) = tick().runs
        assert ledger(house, DAILY)[-1] == ("2026-05-04", "queued", "schedule", None)
        assert tick().runs == [backup, sheets, month, run_id], "queued again until taken, never opened again"
        assert len(ledger(house, DAILY)) == 2


def test_the_advance_reminder_has_a_slot_each_day_where_the_clinic_wants_it(
    make_house: Callable[..., House],
) -> None:
    wanting = make_house(messages={"advance_hours": 48})
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        wanting.tick(Desk())
        assert ledger(wanting, "send_advance_reminders") == [("2026-05-04", "queued", "schedule", None)]
        assert state(wanting, "send_advance_reminders")[0] == "ok"


def test_ticks_at_the_same_moment_open_a_slot_once(house: House) -> None:
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        together(8, lambda _number: house.tick(Desk()))
    assert [row[0] for row in ledger(house, DAILY)] == ["2026-05-04"]
    assert [row[0] for row in ledger(house, MONTHLY)] == ["2026-04"]


def test_f18_two_months_switched_off_open_each_month_and_only_todays_reminders(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-03-01 12:00"), tick=False) as clock:
        tick()
        clock.move_to(at("2026-05-10 09:00"))
        tick()
    assert ledger(house, MONTHLY) == [
        ("2026-02", "queued", "catchup", None),
        ("2026-03", "queued", "catchup", None),
        ("2026-04", "queued", "catchup", None),
    ]
    days = ledger(house, DAILY)[1:]
    assert days[-1] == ("2026-05-10", "queued", "catchup", None)
    assert all(row[1:] == ("skipped", "catchup", {"reason": "day_is_over"}) for row in days[:-1])
    assert days[0][0] == "2026-04-09"
    assert len(days) == 32


@pytest.mark.parametrize("wrong", ["2028-05-04 06:00", "2024-05-04 06:00", "2026-11-01 06:01", "2025-11-05 05:59"])
def test_f18_a_clock_that_is_far_off_runs_and_sends_nothing_until_it_comes_back(
    house: House, tick: Tick, wrong: str
) -> None:
    doctor = house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id
    with time_machine.travel(at("2026-05-04 07:00"), tick=False) as clock:
        tick()
        before = house.count(JobRun)
        clock.move_to(at(wrong))
        house.visit(doctor, house.patient("Eve", email="eve@mail.example"), at(wrong) + timedelta(hours=2))
        with capture_logs() as said:
            assert tick() == tick() == Desk()
        assert [line["log_level"] for line in said] == ["warning"]
        assert "clock may be wrong" in said[0]["event"]
        assert house.count(JobRun) == before
        house.run_by_hand(DAILY, clock_day(house))
        house.deliver()
        assert house.count(Message, Message.status == "queued") == house.count(Message) == 1
        clock.move_to(at("2026-05-05 07:00"))
        assert len(tick().runs) > 3
        assert ("2026-05-05", "queued") in [row[:2] for row in ledger(house, DAILY)]


def test_f18_a_clock_that_an_admin_confirms_is_believed(house: House, tick: Tick) -> None:
    admin = house.user("admin", "ines@clinic.example", "Ines")
    with time_machine.travel(at("2026-05-04 07:00"), tick=False) as clock:
        tick()
        clock.move_to(at("2026-11-04 08:00"))
        assert tick() == Desk()
        with pytest.raises(Forbidden), house.writing() as session:
            installation.confirm_clock(session, house.user("doctor", "ada@clinic.example", "Dr Ada"))
        with house.writing() as session:
            installation.confirm_clock(session, admin)
        tick()
    assert ledger(house, DAILY)[-1] == ("2026-11-04", "queued", "catchup", None)
    assert [row[0] for row in ledger(house, MONTHLY)] == [f"2026-{month:02}" for month in range(4, 11)]


def test_f18_a_clinic_that_was_closed_for_two_months_goes_on_by_itself(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-07-01 07:00"), tick=False) as clock:
        tick()
        clock.shift(timedelta(days=62))
        tick()
    assert ledger(house, DAILY)[-1] == ("2026-09-01", "queued", "catchup", None)


def test_f18_by_a_clock_that_is_ahead_nothing_is_old(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 07:00"), tick=False) as clock:
        tick()
        before = house.count(JobRun)
        clock.move_to(at("2029-05-04 07:00"))
        house.clean_up()
        assert house.count(JobRun) == before > 0


def clock_day(house: House) -> str:
    """The clinic's today."""
    return our_clock.today(house.settings.clinic.zone).isoformat()


def test_r3_some_days_switched_off_are_visible_and_today_is_caught_up(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as clock:
        tick()
        clock.move_to(at("2026-05-07 18:00"))
        desk = tick()
    over = {"reason": "day_is_over"}
    assert ledger(house, DAILY)[1:] == [
        ("2026-05-05", "skipped", "catchup", over),
        ("2026-05-06", "skipped", "catchup", over),
        ("2026-05-07", "queued", "catchup", None),
    ]
    assert len(desk.runs) == 7, "the four of 4 May, and today's three"


def test_jobs_due_before_the_clinic_started_are_not_caught_up(house: House, tick: Tick) -> None:
    with house.writing() as session:
        session.execute(update(Installation).values(zone_chosen_at=at("2026-05-04 09:00")))
    with time_machine.travel(at("2026-05-04 10:00"), tick=False):
        assert tick().runs == []
        assert state(house, DAILY) == ("never", "was due before this clinic started using Rounds")
    reason = {"reason": "before_start"}
    assert ledger(house, DAILY) == [("2026-05-04", "skipped", "catchup", reason)]
    assert ledger(house, MONTHLY) == [("2026-04", "skipped", "catchup", reason)]


@pytest.mark.parametrize("known", [{"zone_chosen_at": None}, {"zone": "America/Chicago"}])
def test_no_slot_is_judged_before_the_zone_is_known_that_this_process_uses(
    house: House, tick: Tick, known: dict[str, str | None]
) -> None:
    with house.writing() as session:
        session.execute(update(Installation).values(**known))
    with time_machine.travel(at("2026-05-04 10:00"), tick=False):
        assert tick().runs == []
    assert ledger(house, DAILY) == []


def test_a_run_by_hand_before_the_hour_does_not_take_the_slot(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 05:00"), tick=False) as clock:
        run_id = opened(house, DAILY)
        assert house.execute(run_id) is not None
        clock.move_to(at("2026-05-04 06:00"))
        tick()
    assert ledger(house, DAILY)[-2][0] == "2026-05-04"
    assert ledger(house, DAILY)[-2][1:3] == ("queued", "schedule")


def test_a_run_by_hand_after_the_hour_is_the_slot(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 07:00"), tick=False):
        for row in schedule.table(house.settings):
            assert house.execute(opened(house, row.job)) is not None
        assert tick().runs == []
    assert [row[:3] for row in ledger(house, DAILY)] == [("2026-05-04", "done", "manual")]
    assert [row[:3] for row in ledger(house, MONTHLY)] == [("2026-04", "done", "manual")]


def test_a_run_whose_worker_died_is_queued_again(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as clock:
        run_id = tick().runs[0]
        with house.writing() as session:
            job_runs.claim(session, run_id, "serve-dead")
        assert run_id not in tick().runs
        clock.shift(61)
        assert run_id in tick().runs


def test_at_the_start_the_work_of_a_dead_service_is_free_at_once(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        run_id = tick().runs[0]
        patient = house.patient()
        with house.writing() as session:
            export_id = exports.request(session, SYSTEM, patient).id
            job_runs.claim(session, run_id, "serve-dead")
            export_ledger.claim(session, export_id, "serve-dead")
        assert (run_id in tick().runs, tick().exports) == (False, [])
        release_dead(house.wiring.jobs, "serve-")
        desk = tick()
    assert run_id in desk.runs
    assert desk.exports == [export_id]


def test_messages_left_waiting_are_queued_unless_on_hold(house: House, make_house: Any) -> None:
    doctor = house.user("doctor", "doctor@clinic.example").doctor_id
    held = make_house(messages={"hold": True})
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as clock:
        house.visit(doctor, house.patient(email="a@mail.example"), at("2026-05-04 12:00"))
        assert held.execute(opened(held, DAILY)) is not None
        clock.shift(timedelta(minutes=2))
        waiting, paused = Desk(), Desk()
        house.tick(waiting)
        held.tick(paused)
    assert (waiting.deliveries, paused.deliveries) == (1, 0)


@pytest.mark.parametrize(
    ("minutes", "status", "words"),
    [
        (0, None, ("ok", "due now")),
        (6, None, ("down", "was due and has not started: the scheduler is not running")),
        (0, "running", ("ok", "is running")),
        (6, "queued", ("late", "has started and is not finished")),
        (6, "failed", ("down", "failed; run it again")),
        (600, "done", ("ok", "done")),
        (600, "skipped", ("late", "skipped because the day was over")),
    ],
)
def test_o4_the_state_of_a_job_is_explained(
    house: House, minutes: int, status: str | None, words: tuple[str, str]
) -> None:
    with time_machine.travel(at("2026-05-04 06:00"), tick=False) as clock:
        if status:
            with house.writing() as session:
                job_runs.open_slot(
                    session, DAILY, "2026-05-04", due_at=at("2026-05-04 06:00"), trigger=RunTrigger.SCHEDULE
                )
                session.execute(update(JobRun).values(status=status))
        clock.shift(timedelta(minutes=minutes))
        assert state(house, DAILY) == words


def test_a_slot_that_was_caught_up_says_so(house: House, tick: Tick) -> None:
    with time_machine.travel(at("2026-05-04 09:00"), tick=False):
        for run_id in tick().runs:
            house.execute(run_id)
        assert state(house, DAILY) == ("ok", "caught up: the computer was off")
