"""The job of the 1st: a report for every doctor, whatever fails, and however late or often it runs."""

from typing import Any

import pytest
import time_machine
from sqlalchemy import update

from service.domain.reports import reports
from service.notifications.channels import Channels
from service.storage.models import ClinicReport, Doctor, JobRun, Report
from tests.crowd import together
from tests.house import House, at
from tests.jobs.by_hand import opened
from tests.jobs.conftest import Desk
from tests.recording import Recording

JOB = "generate_monthly_report"


@pytest.fixture
def doctors(house: House) -> list[int]:
    """Three doctors who have been here for years."""
    found = [house.user("doctor", f"doctor{number}@clinic.example").doctor_id for number in range(3)]
    with house.writing() as session:
        session.execute(update(Doctor).values(created_at=at("2020-01-01 00:00")))
    return [one for one in found if one is not None]


def process_of(house: House, owner: str = "serve-one") -> House:
    return house.process(Channels(Recording()), owner)


def run(house: House, month: str | None = None, owner: str = "serve-one") -> dict[str, Any] | None:
    process = process_of(house, owner)
    return process.execute(opened(house, JOB, month))


def test_on_the_first_every_doctor_gets_a_report_of_the_month_before(house: House, doctors: list[int]) -> None:
    with time_machine.travel(at("2025-12-31 23:00"), tick=False):
        assert run(house) == {"month": "2025-12", "made": 3, "already": 0, "failed": 0}
    assert house.count(Report, Report.month == "2025-12") == 3


def test_a_late_run_is_about_its_own_month(house: House, doctors: list[int]) -> None:
    patient = house.patient()
    for day in ("2026-03-15 10:00", "2026-04-15 10:00", "2026-05-15 10:00"):
        house.treated(doctors[0], patient, at(day))
    with time_machine.travel(at("2026-06-20 10:00"), tick=False):
        assert run(house, "2026-03") == {"month": "2026-03", "made": 3, "already": 0, "failed": 0}
    with house.reading() as session:
        report = session.query(Report).filter(Report.doctor_id == doctors[0]).one()
        assert report.visits == 1
        assert [visit["starts_at"][:10] for visit in report.content["visits"]] == ["2026-03-15"]


def test_running_again_changes_nothing(house: House, doctors: list[int]) -> None:
    with time_machine.travel(at("2026-05-01 10:00"), tick=False):
        run(house)
        house.visit(doctors[0], house.patient(), at("2026-04-15 10:00"), status="completed")
        assert run(house) == {"month": "2026-04", "made": 0, "already": 3, "failed": 0}
    with house.reading() as session:
        assert all(report.content["visits"] == [] for report in session.query(Report))


def test_f11_two_processes_at_once_make_each_report_once(house: House, doctors: list[int]) -> None:
    with time_machine.travel(at("2026-05-01 10:00"), tick=False):
        outcomes = together(2, lambda number: run(house, owner=f"serve-{number}"))
    assert sum(outcome["made"] for outcome in outcomes if outcome) == 3
    assert house.count(Report) == 3


def test_one_doctor_whose_report_fails_stops_nobody_else_and_is_tried_again(
    house: House, doctors: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    produce = reports.produce

    def stumble(session: Any, doctor_id: int, *more: Any) -> Any:
        if doctor_id == doctors[1]:
            raise RuntimeError("a row nobody thought of")
        return produce(session, doctor_id, *more)

    process = process_of(house)
    with time_machine.travel(at("2026-05-01 10:00"), tick=False) as clock:
        run_id = opened(house, JOB)
        with monkeypatch.context() as broken:
            broken.setattr(reports, "produce", stumble)
            assert process.execute(run_id) is None
        assert house.count(Report) == 2
        assert house.count(JobRun, JobRun.status == "queued", JobRun.last_error.like("%1 of 3 reports failed%")) == 1
        clock.shift(61)
        assert process.execute(run_id) == {"month": "2026-04", "made": 1, "already": 2, "failed": 0}
    assert house.count(Report) == 3


def test_a_stop_between_two_doctors_puts_the_run_back(
    house: House, doctors: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, store = process_of(house), reports.store

    def store_and_stop(*args: Any, **named: Any) -> bool:
        process.wiring.jobs.stopping.set()
        return store(*args, **named)

    with time_machine.travel(at("2026-05-01 10:00"), tick=False):
        run_id = opened(house, JOB)
        with monkeypatch.context() as stopped:
            stopped.setattr(reports, "store", store_and_stop)
            assert process.execute(run_id) is None
        assert house.count(Report) == 1
        assert process_of(house, "serve-two").execute(run_id) == {
            "month": "2026-04",
            "made": 2,
            "already": 1,
            "failed": 0,
        }


# The clinic's report


def test_the_clinics_report_is_made_after_the_doctors(house: House, doctors: list[int]) -> None:
    house.visit(doctors[0], house.patient(), at("2026-04-15 10:00"), status="completed")
    with time_machine.travel(at("2026-05-01 10:00"), tick=False):
        run(house)
        house.visit(doctors[0], house.patient(), at("2026-04-15 11:00"), status="completed")
        run(house)
    with house.reading() as session:
        report = session.query(ClinicReport).one()
        assert (report.month, report.visits, len(report.content["doctors"])) == ("2026-04", 1, 3)


def test_a_clinic_without_doctors_has_no_report(house: House) -> None:
    with time_machine.travel(at("2026-05-01 10:00"), tick=False):
        assert run(house) == {"month": "2026-04", "made": 0, "already": 0, "failed": 0}
    assert house.count(ClinicReport) == 0


def test_a_run_that_is_stopped_before_the_clinics_report_makes_it_when_it_goes_on(
    house: House, doctors: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, store = process_of(house), reports.store

    def store_and_stop(session: Any, *, doctor_id: int, **named: Any) -> bool:
        if doctor_id == doctors[-1]:
            process.wiring.jobs.stopping.set()
        return store(session, doctor_id=doctor_id, **named)

    with time_machine.travel(at("2026-05-01 10:00"), tick=False):
        run_id = opened(house, JOB)
        with monkeypatch.context() as stopped:
            stopped.setattr(reports, "store", store_and_stop)
            assert process.execute(run_id) is None
        assert (house.count(Report), house.count(ClinicReport)) == (3, 0)
        assert process_of(house, "serve-two").execute(run_id) is not None
    assert house.count(ClinicReport) == 1


# By the clock


@pytest.mark.parametrize(
    ("before", "after", "month", "visits"),
    [
        ("2026-03-31 21:59", "2026-03-31 22:00", "2026-03", ["2026-02-28 23:00", "2026-03-31 21:59"]),
        ("2026-10-31 22:59", "2026-10-31 23:00", "2026-10", ["2026-09-30 22:00", "2026-10-31 22:30"]),
        ("2025-12-31 22:59", "2025-12-31 23:00", "2025-12", ["2025-11-30 23:00", "2025-12-31 22:00"]),
    ],
    ids=["clocks go forward", "clocks go back", "end of a year"],
)
def test_at_midnight_of_the_first_the_reports_of_the_month_are_made(
    house: House, doctors: list[int], before: str, after: str, month: str, visits: list[str]
) -> None:
    process, who = process_of(house), house.patient()
    for moment in visits:
        house.visit(doctors[0], who, at(moment), status="completed")
    house.visit(doctors[0], who, at(after), status="completed")
    with time_machine.travel(at(before), tick=False) as clock:
        for now in (before, after):
            clock.move_to(at(now))
            desk = Desk()
            process.tick(desk)
            for run_id in desk.runs:
                process.execute(run_id)
            made = house.count(Report, Report.month == month), house.count(ClinicReport, ClinicReport.month == month)
            assert made == ((0, 0) if now == before else (3, 1))
        with house.reading() as session:
            report = session.query(Report).filter(Report.month == month, Report.doctor_id == doctors[0]).one()
            assert report.created_at == at(after)
            assert [visit["starts_at"] for visit in report.content["visits"]] == [at(one).isoformat() for one in visits]
    with house.reading() as session:
        turn = session.query(JobRun).filter(JobRun.job == JOB, JobRun.slot == month).one()
        assert (turn.status, turn.trigger) == ("done", "schedule")
