"""The ledger of jobs: a slot is opened once, run by one at a time, and never forgotten."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from service.domain.foundation import job_runs
from service.storage.models import JobRun
from tests.crowd import together
from tests.house import House, at

NOW = at("2026-05-04 06:00")
JOB = "send_daily_reminders"


def opened(house: House, slot: str = "2026-05-04", **more: Any) -> int | None:
    with house.writing() as session:
        return job_runs.open_slot(session, JOB, slot, **{"due_at": NOW, "trigger": "schedule", **more})


def claimed(house: House, run_id: int, owner: str = "one") -> tuple[str, str] | None:
    with house.writing() as session:
        return job_runs.claim(session, run_id, owner)


def put_back(house: House, run_id: int, why: str | None = None, owner: str = "one") -> None:
    with house.writing() as session:
        job_runs.put_back(session, run_id, owner, why)


def waiting(house: House) -> list[int]:
    with house.reading() as session:
        return list(job_runs.claimable(session))


def row(house: House, run_id: int) -> JobRun:
    with house.reading() as session:
        return session.get_one(JobRun, run_id)


@pytest.fixture
def run(house: House, clock: time_machine.Traveller) -> int:
    """A run that waits for someone."""
    run_id = opened(house)
    assert run_id is not None
    return run_id


def test_a_slot_is_opened_once(house: House, run: int) -> None:
    assert opened(house) is None
    assert opened(house, trigger="catchup") is None
    assert opened(house, "2026-05-05") is not None
    assert house.count(JobRun) == 2


def test_f11_of_many_that_open_a_slot_at_once_one_does(house: House, clock: time_machine.Traveller) -> None:
    made = together(8, lambda _number: opened(house))
    assert sum(run_id is not None for run_id in made) == 1
    assert house.count(JobRun) == 1


def test_a_slot_left_out_is_a_visible_row_that_nobody_runs(house: House, clock: time_machine.Traveller) -> None:
    run_id = opened(house, skip="day_is_over")
    assert run_id is not None
    found = row(house, run_id)
    assert (found.status, found.outcome, found.finished_at) == ("skipped", {"reason": "day_is_over"}, NOW)
    assert waiting(house) == []
    assert claimed(house, run_id) is None


def test_f11_of_many_that_claim_a_run_at_once_one_gets_it(house: House, run: int) -> None:
    got = together(8, lambda number: claimed(house, run, f"owner-{number}"))
    winners = [number for number, claim in enumerate(got) if claim]
    assert len(winners) == 1
    assert got[winners[0]] == (JOB, "2026-05-04")
    assert (row(house, run).owner, row(house, run).attempt) == (f"owner-{winners[0]}", 1)


def test_a_run_under_way_belongs_to_its_owner_until_the_lease_ends(
    house: House, run: int, clock: time_machine.Traveller
) -> None:
    claimed(house, run)
    clock.shift(job_runs.LEASE)
    assert claimed(house, run, "two") is None
    assert waiting(house) == []
    clock.shift(1)
    assert waiting(house) == [run]
    assert claimed(house, run, "two") == (JOB, "2026-05-04")
    assert row(house, run).owner == "two"


def test_a_process_that_lost_a_run_cannot_renew_finish_or_put_it_back(
    house: House, run: int, clock: time_machine.Traveller
) -> None:
    claimed(house, run)
    clock.shift(job_runs.LEASE + timedelta(seconds=1))
    claimed(house, run, "two")
    with house.writing() as session:
        assert not job_runs.renew(session, run, "one")
        job_runs.finish(session, run, "one", {"sent": 1})
        job_runs.put_back(session, run, "one", "Error: too late")
    found = row(house, run)
    assert (found.status, found.owner, found.outcome, found.last_error) == ("running", "two", None, None)


def test_a_renewed_lease_lasts_from_now(house: House, run: int, clock: time_machine.Traveller) -> None:
    claimed(house, run)
    clock.shift(50)
    with house.writing() as session:
        assert job_runs.renew(session, run, "one")
    clock.shift(59)
    assert claimed(house, run, "two") is None


def test_a_finished_run_keeps_its_outcome_and_is_not_run_again(house: House, run: int) -> None:
    claimed(house, run)
    with house.writing() as session:
        job_runs.finish(session, run, "one", {"sent": 3})
    found = row(house, run)
    assert (found.status, found.outcome, found.started_at, found.finished_at) == ("done", {"sent": 3}, NOW, NOW)
    assert claimed(house, run) is None
    assert waiting(house) == []


def test_a_run_that_a_stop_cut_off_goes_on_at_once_and_does_not_count(house: House, run: int) -> None:
    for _again in range(job_runs.ATTEMPTS + 2):
        assert claimed(house, run) is not None
        put_back(house, run)
        assert waiting(house) == [run]
    assert (row(house, run).status, row(house, run).attempt) == ("queued", 0)


def test_a_run_that_failed_is_tried_again_a_minute_later(house: House, run: int, clock: time_machine.Traveller) -> None:
    claimed(house, run)
    put_back(house, run, "OSError: no")
    assert waiting(house) == []
    assert claimed(house, run) is None
    assert row(house, run).last_error == "OSError: no"
    clock.shift(60)
    assert waiting(house) == [run]


def test_a_run_that_fails_each_time_ends_as_failed(house: House, run: int, clock: time_machine.Traveller) -> None:
    for _again in range(job_runs.ATTEMPTS):
        assert claimed(house, run) is not None
        put_back(house, run, "OSError: no")
        clock.shift(61)
    found = row(house, run)
    assert (found.status, found.attempt, found.last_error) == ("failed", job_runs.ATTEMPTS, "OSError: no")
    assert found.finished_at is not None
    assert waiting(house) == []
    assert claimed(house, run) is None


def test_a_run_whose_worker_dies_each_time_ends_as_failed(
    house: House, run: int, clock: time_machine.Traveller
) -> None:
    for _again in range(job_runs.ATTEMPTS):
        assert claimed(house, run) is not None
        clock.shift(61)
    assert claimed(house, run) is None
    assert row(house, run).status == "failed"


# By hand


def by_hand(house: House, slot: str, due: str) -> JobRun:
    with house.writing() as session:
        run_id = job_runs.open_manual(session, JOB, slot, due_at=at(due))
    return row(house, run_id)


def test_a_run_by_hand_takes_the_slot_that_is_due_and_free(house: House, clock: time_machine.Traveller) -> None:
    assert (by_hand(house, "2026-05-04", "2026-05-04 06:00").slot, opened(house)) == ("2026-05-04", None)


def test_a_run_by_hand_before_the_hour_leaves_the_slot_to_the_schedule(
    house: House, clock: time_machine.Traveller
) -> None:
    run = by_hand(house, "2026-05-04", "2026-05-04 06:01")
    assert run.slot.startswith("2026-05-04 by hand ")
    assert run.trigger == "manual"
    assert opened(house) is not None


def test_runs_by_hand_of_a_taken_slot_are_runs_of_their_own(house: House, run: int) -> None:
    names = {by_hand(house, "2026-05-04", "2026-05-04 06:00").slot for _again in range(3)}
    assert len(names) == 3
    assert house.count(JobRun) == 4


def test_runs_by_hand_do_not_move_the_schedule_on(house: House, run: int) -> None:
    by_hand(house, "2026-05-09", "2026-05-09 06:00")
    with house.reading() as session:
        assert job_runs.last_slot(session, JOB) == "2026-05-04"
        assert job_runs.last_slot(session, "generate_monthly_report") is None


def test_a_run_by_hand_of_a_slot_that_failed_is_that_slot_again(
    house: House, run: int, clock: time_machine.Traveller
) -> None:
    for _again in range(job_runs.ATTEMPTS):
        claimed(house, run)
        put_back(house, run, "OSError: no")
        clock.shift(61)
    again = by_hand(house, "2026-05-04", "2026-05-04 06:00")
    assert (again.id, again.status, again.trigger, again.attempt) == (run, "queued", "manual", 0)
    assert claimed(house, run) is not None


def test_a_run_that_had_nothing_to_do_is_left_out_with_its_reason(house: House, run: int) -> None:
    claimed(house, run)
    with house.writing() as session:
        job_runs.finish(session, run, "one", {"date": "2026-05-04", "reason": "day_is_over"})
    assert row(house, run).status == "skipped"


# What is seen of it


def test_the_history_has_pages_newest_first_without_gap_or_repetition(
    house: House, clock: time_machine.Traveller
) -> None:
    made = [opened(house, f"2026-{number:04}") for number in range(2 * job_runs.PAGE + 1)]
    seen, sizes, before = [], [], None
    with house.reading() as session:
        while True:
            page, before = job_runs.history(session, before)
            seen += [run.id for run in page]
            sizes.append(len(page))
            if before is None:
                break
    assert seen == made[::-1]
    assert sizes == [job_runs.PAGE, job_runs.PAGE, 1]


def test_the_latest_run_is_the_last_that_ran(house: House, run: int) -> None:
    opened(house, "2026-05-05", skip="day_is_over")
    with house.reading() as session:
        found = job_runs.latest(session, JOB)
        assert found is not None
        assert found.id == run
        assert job_runs.latest(session, "generate_monthly_report") is None


def test_at_a_start_what_dead_processes_of_the_kind_held_is_free_at_once(house: House, run: int) -> None:
    other = opened(house, "2026-05-05")
    assert other is not None
    claimed(house, run, "serve-dead")
    claimed(house, other, "command-alive")
    with house.writing() as session:
        job_runs.release(session, "serve-")
    assert waiting(house) == [run]


def test_old_runs_are_forgotten_when_they_have_ended(house: House, run: int, clock: time_machine.Traveller) -> None:
    ended = opened(house, "2026-05-03", skip="day_is_over")
    clock.shift(timedelta(days=401))
    fresh = opened(house, "2027-06-09", skip="day_is_over")
    with house.writing() as session:
        job_runs.prune(session, 400)
    assert house.count(JobRun, JobRun.id == ended) == 0
    assert house.count(JobRun, JobRun.id.in_([run, fresh])) == 2
