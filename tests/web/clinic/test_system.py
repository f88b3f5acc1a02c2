"""The system page and the file for the person who helps."""

import sqlite3
from collections.abc import Callable

from service.storage.models import Appointment, Patient, User
from tests.house import House
from tests.web.frozen_clinic import Clinic, email, opened
from tests.web.reading import one, parsed, words


def test_the_page_says_versions_room_and_backups(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    page = words(one(parsed(browser.get("/system")), "main"))
    on_sqlite = clinic.house.wiring.database.is_sqlite
    assert (f"SQLite {sqlite3.sqlite_version}" if on_sqlite else "PostgreSQL 1") in page
    assert "No backups yet" in page
    clinic.house.execute(opened(clinic.house, "make_backup"))
    page = words(one(parsed(browser.get("/system")), "main"))
    (file,) = clinic.house.settings.backups.iterdir()
    assert file.name in page
    config = clinic.house.settings.base / "config.toml"
    assert f'stop Rounds, then run python run.py restore FILE --config "{config}"' in page
    assert f"OK Backup last Wed, 6 May, 10:00, {clinic.house.count(Appointment)} appointments" in page


def test_the_button_makes_a_backup(clinic: Clinic) -> None:
    page = parsed(clinic.browser("admin").get("/system"))
    assert one(page, "#actions form, form[action='/jobs/make_backup/runs']")["action"] == "/jobs/make_backup/runs"


def test_the_page_says_that_a_backup_is_under_way_and_looks_again(clinic: Clinic) -> None:
    browser, house = clinic.browser("admin"), clinic.house
    assert parsed(browser.get("/system")).select("meta[http-equiv=refresh]") == []
    run_id = opened(house, "make_backup")
    page = parsed(browser.get("/system"))
    assert "A backup is being created" in words(one(page, ".note[role=status]"))
    assert one(page, "meta[http-equiv=refresh]")["content"] == "3"
    house.execute(run_id)
    page = parsed(browser.get("/system"))
    assert page.select("meta[http-equiv=refresh]") == []
    assert "A backup is being created" not in words(one(page, "main"))


def test_a_missing_second_folder_is_a_warning(clinic: Clinic, make_house: Callable[..., House]) -> None:
    house = make_house(backup={"second_folder": "stick"})
    browser = house.browser(email("admin"))
    assert "can't be found" in words(one(parsed(browser.get("/system")), "[role=alert]"))
    house.execute(opened(house, "make_backup"))
    assert "Needs attention Backup last Wed, 6 May, 10:00" in words(one(parsed(browser.get("/system")), "main"))
    (house.settings.base / "stick").mkdir()
    assert parsed(browser.get("/system")).select_one("[role=alert]") is None


def test_the_problem_file_names_nobody(clinic: Clinic) -> None:
    clinic.house.execute(opened(clinic.house, "make_backup"))
    answer = clinic.browser("admin").get("/system/problem.txt")
    text = answer.get_data(as_text=True)
    assert answer.headers["Content-Disposition"] == "attachment; filename=rounds-problem-2026-05-06.txt"
    assert "make_backup 2026-05-06 done manual" in text
    assert f"appointments: {clinic.house.count(Appointment)}" in text
    with clinic.house.reading() as session:
        told = [value for row in session.query(Patient.name, Patient.email) for value in row if value]
        told += [value for row in session.query(User.name, User.email) for value in row]
    assert told
    assert not [value for value in told if value in text]
    assert "@" not in text
    assert clinic.house.settings.clinic.name not in text
