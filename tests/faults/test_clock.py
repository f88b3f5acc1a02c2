"""The computer was off, asleep, or had the wrong time when a job was due: it's caught up once (R3, F18)."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from secrets import token_hex

import pytest
import time_machine

from tests.faults.clinic import booked_morning, wall
from tests.house import House
from tests.patience import until
from tests.process.launching import Service, change, configure, jump, printed_everywhere, rows, run, serving

PATIENTS = 12
REMINDERS, REPORTS = "send_daily_reminders", "generate_monthly_report"


@pytest.fixture
def morning(house: House, tmp_path: Path) -> Path:
    """The folder of a clinic with appointments from 10:00 on 4 May 2026, all booked in April."""
    with time_machine.travel(wall("2026-01-10 12:00")):
        booked_morning(house, wall("2026-05-04 10:00"), PATIENTS)
    configure(tmp_path)
    return tmp_path


def runs(folder: Path, job: str) -> dict[str, tuple[str, str]]:
    """The ledger: slot -> (status, trigger)."""
    found = rows(folder, "SELECT slot, status, trigger FROM job_runs WHERE job = ?", job)
    return {slot: (status, trigger) for slot, status, trigger in found}


def done(folder: Path, job: str, slot: str) -> bool:
    """Whether a turn of a job has ended well."""
    return runs(folder, job).get(slot, ("", ""))[0] == "done"


def told(folder: Path) -> Counter[str]:
    """How often each patient was written to, over everything that was printed; doctors hear of their reports."""
    lines = printed_everywhere(folder).splitlines()
    found = Counter(line.removeprefix("To: ") for line in lines if line.startswith("To: "))
    del found["ada@clinic.example"]
    return found


def everybody_once() -> Counter[str]:
    return Counter(f"p{number}@clinic.example" for number in range(PATIENTS))


@contextmanager
def ticked(folder: Path, at: datetime) -> Iterator[Service]:
    """A service whose first tick has passed all jobs: what a tick looks at last is an export that waits."""
    marker = token_hex(16)
    change(
        folder,
        "INSERT INTO exports (id, patient_id, lease_until, created_at) VALUES "
        f"('{marker}', 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')",
    )
    with serving(folder, at=at) as service:
        until(lambda: rows(folder, f"SELECT 1 FROM exports WHERE id = '{marker}' AND status = 'available'"))
        yield service


def test_r3_a_computer_that_was_off_at_eight_reminds_everybody_once_when_it_starts(morning: Path) -> None:
    with serving(morning, at=wall("2026-05-04 09:17")) as service:
        until(lambda: done(morning, REMINDERS, "2026-05-04"))
        assert service.stop() == 0
    assert told(morning) == everybody_once()
    assert runs(morning, REMINDERS)["2026-05-04"] == ("done", "catchup")
    ((started,),) = rows(morning, "SELECT started_at FROM job_runs WHERE job = ?", REMINDERS)
    assert str(started).startswith("2026-05-04 07:17")


def test_r1_a_restart_does_not_send_again(morning: Path) -> None:
    for turn in ("09:17", "09:18", "11:59"):
        with ticked(morning, wall(f"2026-05-04 {turn}")) as service:
            until(lambda: done(morning, REMINDERS, "2026-05-04"))
            assert service.stop() == 0
    assert told(morning) == everybody_once()


def test_at_eight_itself_the_run_is_on_schedule(morning: Path) -> None:
    with serving(morning, at=wall("2026-05-04 07:59").replace(second=57)) as service:
        assert told(morning) == Counter()
        until(lambda: done(morning, REMINDERS, "2026-05-04"))
        assert service.stop() == 0
    assert told(morning) == everybody_once()
    assert runs(morning, REMINDERS)["2026-05-04"] == ("done", "schedule")


@pytest.mark.parametrize("tick", [pytest.param("1", id="1s"), pytest.param("30", id="30s", marks=pytest.mark.soak)])
def test_f18_a_computer_that_wakes_at_ten_past_eight_reminds_everybody_once(
    morning: Path, monkeypatch: pytest.MonkeyPatch, tick: str
) -> None:
    monkeypatch.setenv("TEST_TICK", tick)
    with serving(morning, at=wall("2026-05-04 02:00")) as service:
        until(lambda: "2026-05-03" in runs(morning, REMINDERS))  # what the night's first tick finds to write down
        jump(morning, wall("2026-05-04 08:10"))
        until(lambda: done(morning, REMINDERS, "2026-05-04"))
        assert service.stop() == 0
    assert told(morning) == everybody_once()
    assert runs(morning, REMINDERS)["2026-05-04"] == ("done", "catchup")


def test_f18_a_clock_that_jumps_forward_and_back_sends_nothing_twice(morning: Path, house: House) -> None:
    with time_machine.travel(wall("2026-01-10 12:00")):
        patient = house.patient("Tuesday", email="tuesday@clinic.example")
        house.visit(1, patient, wall("2026-05-05 10:00"))
    for now in ("2026-05-04 09:00", "2026-05-05 09:00", "2026-05-04 09:30", "2026-05-05 09:05"):
        with ticked(morning, wall(now)) as service:
            until(partial(done, morning, REMINDERS, now[:10]))
            assert service.stop() == 0
    assert told(morning) == everybody_once() + Counter(["tuesday@clinic.example"])


@pytest.mark.parametrize("wrong", ["2028-05-04 09:00", pytest.param("2024-05-04 09:00", marks=pytest.mark.soak)])
def test_f18_a_clock_that_is_two_years_off_is_warned_of_and_tells_nobody(
    morning: Path, house: House, wrong: str
) -> None:
    with time_machine.travel(wall("2024-01-10 12:00")):
        for year in ("2024", "2028"):
            stranger = house.patient(year, email=f"{year}@clinic.example")
            house.visit(1, stranger, wall(f"{year}-05-04 10:00"))
    with ticked(morning, wall("2026-05-03 09:00")) as service:
        assert service.stop() == 0
    with serving(morning, at=wall(wrong)) as service:
        until(lambda: "the clock may be wrong" in service.err.read_text(encoding="utf-8"))
        ready = service.client().get("/readyz")
        assert (ready.status, "down: Clock" in ready.text) == (503, True)
        assert service.stop() == 0
    checked = run(morning, "check", at=wall(wrong))
    assert (checked.returncode, "clock: it shows " in checked.stdout) == (1, True)
    assert told(morning) == Counter()
    assert not [slot for slot in runs(morning, REMINDERS) if not slot.startswith("2026")]
    with serving(morning, at=wall("2026-05-04 09:17")) as service:
        until(lambda: done(morning, REMINDERS, "2026-05-04"))
        assert service.stop() == 0
    assert told(morning) == everybody_once()


def test_f18_reminders_of_a_day_that_is_over_are_left_out_visibly(morning: Path) -> None:
    for now in ("2026-05-03 09:00", "2026-05-06 07:00"):
        with ticked(morning, wall(now)) as service:
            until(lambda: done(morning, REMINDERS, "2026-05-03"))
            assert service.stop() == 0
    assert told(morning) == Counter()
    assert runs(morning, REMINDERS) == {
        "2026-05-03": ("done", "catchup"),
        "2026-05-04": ("skipped", "catchup"),
        "2026-05-05": ("skipped", "catchup"),
    }


def test_a_computer_that_was_off_over_midnight_of_the_first_makes_the_reports_when_it_starts(morning: Path) -> None:
    with serving(morning, at=wall("2026-05-01 08:55")) as service:
        until(lambda: done(morning, REPORTS, "2026-04"))
        assert service.stop() == 0
    assert runs(morning, REPORTS) == {"2026-04": ("done", "catchup")}
    assert rows(morning, "SELECT doctor_id, month FROM reports") == [(1, "2026-04")]


def test_a_computer_that_was_off_for_two_months_makes_each_missed_month(morning: Path) -> None:
    with serving(morning, at=wall("2026-03-01 00:02")) as service:
        until(lambda: done(morning, REPORTS, "2026-02"))
        assert service.stop() == 0
    with serving(morning, at=wall("2026-05-10 09:00")) as service:
        until(lambda: done(morning, REPORTS, "2026-04"))
        assert service.stop() == 0
    assert runs(morning, REPORTS) == {
        "2026-02": ("done", "schedule"),
        "2026-03": ("done", "catchup"),
        "2026-04": ("done", "catchup"),
    }
    assert sorted(rows(morning, "SELECT month FROM reports")) == [("2026-02",), ("2026-03",), ("2026-04",)]


def test_the_first_of_april_is_not_missed_by_a_running_service(morning: Path) -> None:
    with serving(morning, at=wall("2026-03-31 23:59").replace(second=57)) as service:
        until(lambda: done(morning, REPORTS, "2026-02"))
        until(lambda: done(morning, REPORTS, "2026-03"))
        assert service.stop() == 0
    assert runs(morning, REPORTS)["2026-03"] == ("done", "schedule")
