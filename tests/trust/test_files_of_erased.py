"""Files that name someone who is erased go with them, also where the erasure was killed before it came to files."""

import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from service import clock
from service.domain.diary import day_sheet_files
from service.domain.privacy import legal_holds
from service.jobs.context import JobContext
from service.web.privacy import erasures
from tests.house import at
from tests.trust.test_privacy import LATER, erase
from tests.web.frozen_clinic import Clinic, email
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.imports.uploading import rests, send, step

TODAY, BEFORE = date(2036, 6, 20), timedelta(days=5)
ROWS = "Name;E-Mail\nPia Ahorn;pia@mail.example\n"


def written(file: Path, when: datetime) -> None:
    """Give a file the time at which it would have been written."""
    os.utime(file, (when.timestamp(), when.timestamp()))


def sheet(clinic: Clinic, day: date) -> Path:
    """The sheet of a day, written at this moment; made for a past day too."""
    with clinic.house.reading() as session:
        day_sheet_files.write(session, day, clinic.house.settings)
    file = clinic.house.settings.day_sheets / f"{day}.html"
    written(file, clock.now())
    return file


def named(clinic: Clinic) -> list[str]:
    """The files of the clinic in which Pia is named."""
    folders = (clinic.house.settings.day_sheets, clinic.house.settings.imports)
    files = [file for folder in folders for file in folder.iterdir()]
    return sorted(file.name for file in files if "Pia Ahorn" in file.read_text(encoding="utf-8"))


@pytest.fixture(name="upload")
def an_upload(clinic: Clinic) -> str:
    """The page of a file that waits to be imported and names Pia, as do a sheet of last week and today's."""
    doctor = clinic.people["doctor"].doctor_id
    with clinic.house.writing() as session:
        legal_holds.lift(session, clinic.people["admin"], clinic.pia, clinic.hold)
    clinic.clock.move_to(LATER - BEFORE)
    clinic.house.visit(doctor, clinic.pia, at("2036-06-14 09:00"), status="no_show")
    sheet(clinic, date(2036, 6, 14))
    # a killed writer's, and one of an appointment moved away since
    for left in ("2036-06-13.html.part", "2036-06-12.html"):
        file = clinic.house.settings.day_sheets / left
        file.write_text("Pia Ahorn", encoding="utf-8")
        written(file, clock.now())
    clinic.clock.move_to(LATER)
    clinic.house.visit(doctor, clinic.pia, at("2036-06-20 06:00"), status="no_show")
    sheet(clinic, TODAY)
    location = send(clinic.house.browser(email("admin")), ROWS).location
    for file in clinic.house.settings.imports.iterdir():
        written(file, clock.now())
    assert len(named(clinic)) == 5
    return location


@pytest.fixture(name="kill")
def a_kill(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """End the process between an erasure and its files."""

    def nothing(_context: JobContext) -> None:
        pass

    return lambda: monkeypatch.setattr(erasures, "clean_up_after_erasure", nothing)


@pytest.mark.parametrize("is_killed", [False, True])
def test_o9_no_file_names_an_erased_person(
    clinic: Clinic, upload: str, kill: Callable[[], None], is_killed: bool
) -> None:
    if is_killed:
        kill()
    assert erase(clinic).status_code == 303
    if is_killed:
        clinic.clock.shift(timedelta(hours=1))
        clinic.house.clean_up()
    assert named(clinic) == []
    assert [file.name for file in clinic.house.settings.day_sheets.iterdir()] == [f"{TODAY}.html"], (
        "for a power failure"
    )
    assert rests(clinic) == []
    admin = clinic.house.browser(email("admin"))
    assert (admin.get(upload).status_code, step(admin, upload, "import").status_code) == (404, 404)


def test_o9_a_file_whose_time_lies_ahead_is_not_believed(clinic: Clinic, upload: str, kill: Callable[[], None]) -> None:
    for folder in (clinic.house.settings.day_sheets, clinic.house.settings.imports):
        for file in folder.iterdir():
            written(file, LATER + timedelta(days=300))
    kill()
    erase(clinic)
    clinic.house.clean_up()
    assert named(clinic) == []


def test_o9_what_was_made_after_the_last_erasure_stays(clinic: Clinic, upload: str) -> None:
    erase(clinic)
    clinic.clock.shift(timedelta(hours=1))
    file = sheet(clinic, TODAY)
    written(file, clock.now())
    admin = clinic.house.browser(email("admin"))
    again = send(admin, ROWS).location
    for one in clinic.house.settings.imports.iterdir():
        written(one, clock.now())
    before = file.stat().st_mtime_ns
    clinic.clock.shift(timedelta(hours=1))
    clinic.house.clean_up()
    assert file.stat().st_mtime_ns == before
    assert clinic.house.browser(email("admin")).get(again).status_code == 200
