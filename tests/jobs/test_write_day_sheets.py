"""The job of seven o'clock: the day as one file that stands alone, whole or not there, for two weeks."""

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from service.domain.diary import day_sheet_files
from service.domain.exports import export_files, exports
from service.domain.foundation.actor import SYSTEM
from service.storage.models import JobRun
from tests.house import House, at, day
from tests.jobs.by_hand import opened
from tests.jobs.conftest import Desk
from tests.web.reading import faults, parsed, words

JOB = "write_day_sheets"
SEVEN = at("2026-05-04 05:00")
FILE = "2026-05-04.html"


@pytest.fixture
def folder(house: House) -> Path:
    """Where the sheets of a clinic with two doctors and an appointment on 4 May lie."""
    first = house.user("doctor", "ada@clinic.example", "Dr. Ada").doctor_id
    second = house.user("doctor", "bela@clinic.example", "Dr. Bela").doctor_id
    house.hours(first)
    house.hours(second)
    house.visit(first, house.patient("Lena <b>Vogt</b>"), at("2026-05-04 07:00"), reason="Cough")
    return house.settings.base / "exports" / "day"


def run(house: House, slot: str | None = None) -> dict[str, Any] | None:
    return house.execute(opened(house, JOB, slot))


def runs(house: House) -> list[tuple[str, str, str]]:
    with house.reading() as session:
        found = session.query(JobRun).filter(JobRun.job == JOB).order_by(JobRun.slot)
        return [(row.slot, row.status, row.trigger) for row in found]


def work_off(house: House, tick: Callable[[], Desk]) -> None:
    """A tick, and whatever it queued."""
    for run_id in tick().runs:
        house.execute(run_id)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_at_seven_the_day_is_written_as_one_file_that_stands_alone(
    house: House, folder: Path, tick: Callable[[], Desk]
) -> None:
    with time_machine.travel(SEVEN, tick=False):
        work_off(house, tick)
    assert runs(house) == [("2026-05-04", "done", "schedule")]
    text = (folder / FILE).read_text(encoding="utf-8")
    assert faults(text, stands_alone=True) == []
    page = parsed(text)
    assert [words(heading) for heading in page.select(".sheet h2")] == ["Dr. Ada", "Dr. Bela"]
    assert "09:00–09:15 Lena <b>Vogt</b> Cough" in [words(row) for row in page.select("tbody tr")]
    assert "break-after: page" in text


def test_only_the_owner_of_the_service_may_read_it(house: House, folder: Path) -> None:
    mask = os.umask(0)
    try:
        with time_machine.travel(SEVEN, tick=False):
            assert run(house) == {"date": "2026-05-04", "sheets": 2, "visits": 1}
    finally:
        os.umask(mask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


def test_a_clinic_that_was_off_gets_it_at_the_start_but_only_of_today(
    house: House, folder: Path, tick: Callable[[], Desk]
) -> None:
    with time_machine.travel(at("2026-05-01 05:00"), tick=False) as clock:
        work_off(house, tick)
        clock.move_to(at("2026-05-04 09:00"))
        work_off(house, tick)
    assert runs(house) == [
        ("2026-05-01", "done", "schedule"),
        ("2026-05-02", "skipped", "catchup"),
        ("2026-05-03", "skipped", "catchup"),
        ("2026-05-04", "done", "catchup"),
    ]
    assert names(folder) == ["2026-05-01.html", FILE]


def test_before_seven_nothing_is_written(house: House, folder: Path, tick: Callable[[], Desk]) -> None:
    with time_machine.travel(SEVEN - timedelta(minutes=1), tick=False):
        work_off(house, tick)
    assert not folder.exists()


@pytest.mark.parametrize(("date", "utc"), [("2026-03-29", "05:00"), ("2026-10-25", "06:00")])
def test_seven_is_by_the_clock_on_the_wall(house: House, tick: Callable[[], Desk], date: str, utc: str) -> None:
    with time_machine.travel(at(f"{date} {utc}") - timedelta(minutes=1), tick=False) as clock:
        work_off(house, tick)
        assert date not in [slot for slot, _status, _trigger in runs(house)]
        clock.shift(60)
        work_off(house, tick)
    assert runs(house)[-1] == (date, "done", "schedule")


def test_the_setting_says_when(make_house: Callable[..., House]) -> None:
    early = make_house(jobs={"sheets_at": "05:30"})
    with time_machine.travel(at("2026-05-04 03:30"), tick=False):
        early.tick(Desk())
    assert runs(early)[-1][0] == "2026-05-04"


def test_running_it_again_rewrites_the_file(house: House, folder: Path) -> None:
    with time_machine.travel(SEVEN, tick=False) as clock:
        run(house)
        house.visit(1, house.patient("Late Booker"), at("2026-05-04 12:00"))
        clock.shift(timedelta(hours=1))
        assert run(house) == {"date": "2026-05-04", "sheets": 2, "visits": 2}
    assert "Late Booker" in (folder / FILE).read_text(encoding="utf-8")
    assert names(folder) == [FILE]


def test_a_day_that_is_over_is_not_written_any_more(house: House, folder: Path) -> None:
    with time_machine.travel(SEVEN, tick=False):
        assert run(house, "2026-05-03") == {"date": "2026-05-03", "reason": "day_is_over"}
    assert not folder.exists()


class Killed(BaseException):
    """The process ends here."""


def killing(process: pytest.MonkeyPatch) -> Callable[..., None]:
    """What ends a process in the middle of its work: it does not get to clean up."""

    def killed(*_args: object, **_named: object) -> None:
        process.setattr(Path, "unlink", killed)
        raise Killed

    return killed


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_before_the_file_has_its_name_leaves_the_old_one_whole_and_the_next_run_writes_it(
    house: House, folder: Path, tick: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    with time_machine.travel(SEVEN, tick=False) as clock:
        run(house)
        before = (folder / FILE).read_bytes()
        house.visit(1, house.patient("Late Booker"), at("2026-05-04 12:00"))
        again = opened(house, JOB)
        with monkeypatch.context() as dying:
            dying.setattr(os, moment, killing(dying))
            with pytest.raises(Killed):
                house.execute(again)
        assert (folder / FILE).read_bytes() == before
        assert names(folder) == [FILE, f"{FILE}.part"]
        clock.shift(61)
        work_off(house, tick)
    assert names(folder) == [FILE]
    text = (folder / FILE).read_text(encoding="utf-8")
    assert "Late Booker" in text
    assert text.endswith("</html>")
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


def test_a_disk_error_is_recorded_and_retried(
    house: House, folder: Path, monkeypatch: pytest.MonkeyPatch, tick: Callable[[], Desk]
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with time_machine.travel(SEVEN, tick=False) as clock:
        with monkeypatch.context() as small:
            small.setattr(os, "fsync", full)
            work_off(house, tick)
        assert runs(house) == [("2026-05-04", "queued", "schedule")]
        clock.shift(61)
        work_off(house, tick)
    assert runs(house) == [("2026-05-04", "done", "schedule")]
    assert names(folder) == [FILE]


def test_sheets_are_kept_for_14_days_and_nothing_else_is_touched(house: House, folder: Path) -> None:
    patient = house.patient("Lena")
    with house.writing() as session:
        export_id = exports.request(session, SYSTEM, patient).id
    with time_machine.travel(SEVEN, tick=False):
        house.export(export_id)
    folder.mkdir(mode=0o700, parents=True)
    kept = ["2026-04-20.html", "2026-05-04.html", "2026-05-04.html.part", "2026-05-05.html", "2026-02-30.html", "a.txt"]
    gone = ["2026-04-19.html", "2025-01-01.html", "2026-05-03.html.part"]
    for name in (*kept, *gone):
        (folder / name).touch()
    with time_machine.travel(SEVEN, tick=False):
        house.clean_up()
        assert names(folder) == sorted(kept)
        house.clean_up()
    assert names(folder) == sorted(kept)
    assert names(export_files.folder_of(house.settings)) == [f"{export_id}.csv"]


def test_a_clinic_without_visits_gets_a_file_that_says_so(house: House) -> None:
    with time_machine.travel(SEVEN, tick=False):
        assert run(house) == {"date": "2026-05-04", "sheets": 0, "visits": 0}
    text = (house.settings.day_sheets / FILE).read_text(encoding="utf-8")
    assert "No one works on this day" in text
    assert faults(text, stands_alone=True) == []


def test_what_is_old_is_told_by_the_name_alone(tmp_path: Path) -> None:
    (tmp_path / "2026-05-01.html").touch()
    assert day_sheet_files.old(tmp_path, day("2026-05-15")) == []
    assert day_sheet_files.old(tmp_path, day("2026-05-16")) == [tmp_path / "2026-05-01.html"]
