"""Imports in the browser: upload, choose columns, look, import; and files that are no tables."""

import os
import stat
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup

from service.storage.models import Appointment, AuditEntry, Doctor, Patient
from tests.web.frozen_clinic import NOW, Clinic, uploaded
from tests.web.imports.uploading import PATIENTS, rests, send, step
from tests.web.reading import attribute, faults, links, one, parsed, words


def buttons(page: BeautifulSoup) -> set[str]:
    return {str(button["value"]) for button in page.select("button[name=act]")}


def errors(page: BeautifulSoup) -> list[list[str]]:
    """Line, column and sentence of each error that is shown."""
    table = next((one for one in page.find_all("table") if "What is wrong" in words(one)), None)
    return [] if table is None else [[words(cell) for cell in row.find_all("td")] for row in table.select("tbody tr")]


def test_a_file_of_patients_goes_from_upload_to_import(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    answer = send(browser, PATIENTS)
    assert answer.status_code == 303
    path = urlsplit(answer.location).path
    page = parsed(browser.get(path))
    assert [words(cell) for cell in page.select("tbody tr > *")] == [
        "Lena Vogt",
        "2 July 1985",
        "0170 5550132",
        "lena@mail.example",
        "New",
    ]
    assert words(one(page, "button[value=import]")) == "Import 1"
    assert clinic.house.count(Patient, Patient.name == "Lena Vogt") == 0
    answer = step(browser, path, "import")
    assert (answer.status_code, answer.location) == (303, "/imports")
    page = parsed(browser.get("/imports"))
    assert words(one(page, "[role=status]")) == "File imported."
    assert "old program.csv Patients" in words(one(page, ".rows"))
    assert "1 added Imported" in words(one(page, ".rows"))
    with clinic.house.reading() as session:
        found = session.query(Patient).where(Patient.name == "Lena Vogt").one()
        assert (found.birth_date, found.phone, found.email) == (date(1985, 7, 2), "+491705550132", "lena@mail.example")
        noted = session.query(AuditEntry).where(AuditEntry.act == "import.patients").one()
        assert (noted.subject, noted.user_id) == ("import/patients/1", clinic.people["admin"].user_id)
    assert [name for name in rests(clinic) if name.endswith(".csv")] == []


def test_the_file_rests_where_nobody_else_can_read_it(clinic: Clinic) -> None:
    send(clinic.browser("admin"), PATIENTS)
    folder = clinic.house.settings.imports
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert [Path(name).suffix for name in rests(clinic)] == [".csv", ".json"]


def test_another_admin_cannot_go_on_with_my_file(clinic: Clinic) -> None:
    clinic.house.user("admin", "other.admin@clinic.example", "Abel Leitung")
    browser, mine = clinic.house.browser("other.admin@clinic.example"), f"/imports/{clinic.upload}"
    missing = browser.get(f"/imports/{'0' * 32}")
    assert (browser.get(mine).status_code, browser.get(mine).data) == (404, missing.data)
    for act in ("map", "import", "cancel"):
        assert step(browser, mine, act).status_code == 404
    assert mine not in links(parsed(browser.get("/imports")))
    assert clinic.house.count(Doctor) == 2
    assert clinic.browser("admin").get(mine).status_code == 200


def test_no_columns_but_ours_and_those_of_the_file_can_be_chosen(clinic: Clinic) -> None:
    browser, path = clinic.browser("admin"), f"/imports/{clinic.upload}"
    for smuggled in ({"name": "7"}, {"name": "-1"}, {"name": "x"}, {"role": "0"}, {"day_first": "year"}, {"act": "x"}):
        assert browser.post(path, {"act": "import", **smuggled}).status_code == 422, smuggled
    assert browser.post(path, {}).status_code == 422
    assert clinic.house.count(Doctor) == 2


def test_columns_that_are_not_known_are_chosen_by_hand(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    path = send(browser, "Wer,Wann geboren\nLena Vogt,1985-07-02\n").location
    page = parsed(browser.get(path))
    assert errors(page) == [
        ["1", "Full name", "Choose the column with the full name, or the columns with the first and last names."]
    ]
    assert "import" not in buttons(page)
    assert words(one(page, "#name option[value='1']")) == "Wann geboren (1985-07-02)"
    assert step(browser, path, "map", name="0", birth_date="1").status_code == 303
    page = parsed(browser.get(path))
    assert errors(page) == []
    assert attribute(page, "#birth_date option[selected]", "value") == "1"
    assert "2 July 1985" in words(one(page, "tbody"))
    assert step(browser, path, "import").status_code == 303
    assert clinic.house.count(Patient, Patient.name == "Lena Vogt", Patient.birth_date == date(1985, 7, 2)) == 1


def test_columns_changed_beside_the_import_button_are_looked_at_first(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    path = send(browser, "Name,Nickname\nLena Vogt,Leni\n").location
    answer = step(browser, path, "import", name="1")
    assert answer.status_code == 422
    assert "Check the new preview" in words(one(parsed(answer), "[role=alert]"))
    assert words(one(parsed(answer), "tbody th")) == "Leni"
    assert clinic.house.count(Patient, Patient.name.in_(["Lena Vogt", "Leni"])) == 0
    assert step(browser, path, "import", name="1").status_code == 303
    assert clinic.house.count(Patient, Patient.name == "Leni") == 1


def test_a_column_can_be_left_out(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    path = send(browser, PATIENTS).location
    step(browser, path, "map", email="")
    assert step(browser, path, "import").status_code == 303
    assert clinic.house.count(Patient, Patient.name == "Lena Vogt", Patient.email.is_(None)) == 1


def test_dates_that_contradict_each_other_are_read_in_no_way(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    page = parsed(browser.get(send(browser, "Name,DOB\nLena Vogt,31/01/1985\nLars Vogt,01/31/1985\n").location))
    assert [(line, column) for line, column, _sentence in errors(page)] == [("1", "Dates")]
    assert page.select("tbody th") == []


def test_dates_that_can_be_read_in_two_ways_are_read_as_usual_here_unless_one_says_which_comes_first(
    clinic: Clinic,
) -> None:
    browser = clinic.browser("admin")
    path = send(browser, "Name,DOB\nLena Vogt,07/02/1985\n").location
    page = parsed(browser.get(path))
    assert "7 February 1985" in words(one(page, "tbody"))
    assert "day first" in words(one(page, "#day_first option[selected]"))
    for order, shown in (("day", "7 February 1985"), ("month", "2 July 1985")):
        step(browser, path, "map", day_first=order)
        page = parsed(browser.get(path))
        assert errors(page) == []
        assert shown in words(one(page, "tbody"))
        assert attribute(page, "#day_first option[selected]", "value") == order
    assert step(browser, path, "import").status_code == 303
    assert clinic.house.count(Patient, Patient.birth_date == date(1985, 7, 2)) == 1


def test_a_file_without_such_dates_does_not_ask(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    assert parsed(browser.get(send(browser, PATIENTS).location)).find(id="day_first") is None


def test_every_error_is_named_by_line_and_nothing_is_imported(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    text = (
        "Name,Birth date,Phone,E-mail\n"
        "Lena Vogt,1985-02-30,030,nobody\n"
        '"Line\nbreak",,,\n'
        "Good Person,1990-01-01,,\n"
        ",1990-01-01,,\n"
        "Late Person,2026-05-07,,,,extra\n"
    )
    there = clinic.house.count(Patient)
    path = send(browser, text).location
    page = parsed(browser.get(path))
    assert [(line, column) for line, column, _sentence in errors(page)] == [
        ("2", "Birth date"),
        ("2", "Phone"),
        ("2", "E-mail"),
        ("3", "Full name"),
        ("6", "Full name"),
        ("7", "Columns"),
        ("7", "Birth date"),
    ]
    assert "7 errors" in words(page.find("main"))
    assert "import" not in buttons(page)
    answer = step(browser, path, "import")
    assert answer.status_code == 422
    assert "Nothing was imported" in words(one(parsed(answer), "[role=alert]"))
    assert clinic.house.count(Patient) == there
    assert clinic.house.count(AuditEntry, AuditEntry.act.like("import.%")) == 0


def test_of_many_errors_the_first_are_shown_and_all_are_counted(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    text = "Name,Phone\n" + "".join(f"Person {number},x\n" for number in range(1000))
    page = parsed(browser.get(send(browser, text).location))
    assert "1000 errors" in words(page.find("main"))
    assert [row[0] for row in errors(page)] == [str(line) for line in range(2, 202)]


def test_i2_all_doubtful_lines_are_on_the_page_with_what_to_do(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    lines = [f"Person {number},1960-05-05,0170 5550{digit}{number:03}\n" for digit in "12" for number in range(300)]
    page = parsed(browser.get(send(browser, "Name,DOB,Phone\n" + "".join(lines)).location))
    shown = errors(page)
    assert [row[0] for row in shown] == [str(line) for line in range(302, 602)]
    assert shown[7][2] == "Line 9 may be the same person. The file doesn't say for certain."
    assert "300 lines could be someone who is already in the file or in Rounds" in words(page.find("main"))
    assert "remove the line" in words(page.find("main"))
    assert "import" not in buttons(page)


def test_the_preview_shows_the_first_rows_and_counts_all(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    clinic.house.patient("Pia Birke", birth_date=date(1985, 7, 2), phone="+491705550132")
    pia = "Pia Birke,1985-07-02,0170 5550132\n"
    text = f"Name,DOB,Phone\n{pia}{pia.upper()}" + "".join(f"Person {number},,\n" for number in range(100))
    page = parsed(browser.get(send(browser, text).location))
    rows = page.select("tbody tr")
    assert len(rows) == 20
    assert ["Already in Rounds" in words(row) for row in rows[:3]] == [True, True, False]
    assert "100 new, 2 already in Rounds" in words(page.find("main"))


def test_every_state_of_the_pages_is_sound_html(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    files = [
        ("patients", "Name,DOB,E-mail\nPia Ahorn,03/04/1985,x\nLena\n"),
        ("doctors", "Name,Department\nDr. Berg,\n"),
        ("visits", "Date,Time,Doctor,Patient\n2026-05-07,10:00,Dr. Doll,Pia Ahorn\n2026-05-07,10:00,Dr. Doll,x\n"),
        ("visits", 'Foo,""\n1\n'),
    ]
    paths = [send(browser, text, kind).location for kind, text in files]
    step(browser, paths[1], "import")
    answers = [*map(browser.get, (*paths, "/imports")), send(browser, ""), step(browser, paths[0], "import", name="99")]
    for answer in answers:
        assert answer.status_code == 303 or faults(answer.get_data(as_text=True)) == []


def test_the_same_file_again_has_nothing_to_import(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    step(browser, send(browser, PATIENTS).location, "import")
    again = send(browser, PATIENTS).location
    page = parsed(browser.get(again))
    assert "import" not in buttons(page)
    assert "Everything in this file is already in Rounds." in words(page.find("main"))
    assert step(browser, again, "import").status_code == 303
    assert clinic.house.count(Patient, Patient.name == "Lena Vogt") == 1


def test_a_second_press_leads_to_the_same_place_and_keeps_the_counts(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    path = send(browser, PATIENTS).location
    assert [step(browser, path, "import").location for _press in range(2)] == ["/imports", "/imports"]
    assert browser.get(path).location == "/imports"
    assert "1 added" in words(one(parsed(browser.get("/imports")), ".rows"))
    assert clinic.house.count(AuditEntry, AuditEntry.act == "import.patients") == 1


def test_a_file_can_be_removed_without_a_trace(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    path = send(browser, PATIENTS).location
    answer = browser.post(path, {"act": "cancel"}, follow_redirects=True)
    assert "Nothing was imported" in words(one(parsed(answer), "[role=status]"))
    assert rests(clinic) == []
    assert browser.get(path).status_code == 404


def test_after_a_day_the_clean_up_removes_the_file(clinic: Clinic) -> None:
    folder = clinic.house.settings.imports
    for age, left in ((timedelta(hours=23), 2), (timedelta(hours=25), 0)):
        for file in folder.iterdir():
            moment = (NOW - age).timestamp()
            os.utime(file, (moment, moment))
        clinic.house.clean_up()
        assert len(list(folder.iterdir())) == left
    assert clinic.browser("admin").get(f"/imports/{clinic.upload}").status_code == 404


def test_the_three_kinds_one_after_the_other(clinic: Clinic) -> None:
    browser = clinic.browser("admin")
    for kind, text in (
        ("doctors", "Titel;Vorname;Name;Fachrichtung\nDr.;Nora;Neu;Augen\n"),
        ("patients", PATIENTS),
        (
            "visits",
            "Datum;Uhrzeit;Dauer;Arzt;Patient;Geburtsdatum;Grund\n"
            "7.5.2026;9:30;20;Dr. Nora Neu;Lena Vogt;2.7.1985;Brille\n",
        ),
    ):
        path = send(browser, text, kind).location
        page = parsed(browser.get(path))
        assert errors(page) == []
        assert step(browser, path, "import").status_code == 303
    assert "Thu, 7 May, 09:30" in words(page.find("tbody"))
    with clinic.house.reading() as session:
        visit = session.query(Appointment).where(Appointment.reason == "Brille").one()
        assert session.get_one(Doctor, visit.doctor_id).name == "Dr. Nora Neu"
        assert session.get_one(Patient, visit.patient_id).name == "Lena Vogt"
        assert visit.ends_at - visit.starts_at == timedelta(minutes=20)


def test_a_file_that_vanished_is_no_error_of_ours(clinic: Clinic) -> None:
    browser, path = clinic.browser("admin"), f"/imports/{clinic.upload}"
    (clinic.house.settings.imports / f"{clinic.upload}.csv").unlink()
    assert browser.get(path).status_code == 404
    assert step(browser, path, "import").status_code == 404
    (clinic.house.settings.imports / f"{clinic.upload}.json").write_text("{")
    assert browser.get(path).status_code == 404
    assert browser.get("/imports").status_code == 200
    assert uploaded(clinic.house, clinic.people["admin"]) != clinic.upload


@pytest.mark.flood
def test_twenty_thousand_patients_of_one_file_are_in(clinic: Clinic) -> None:
    lines = ["Vorname,Name,DOB,Phone,E-mail"]
    for number in range(20_000):
        born = f"{1940 + number % 70}-{1 + number % 12:02}-{1 + number % 28:02}"
        lines.append(f"Jürgen {number},Müller,{born},030 12{number:05},p{number}@mail.example")
    there = clinic.house.count(Patient)
    browser = clinic.browser("admin")
    path = send(browser, "\n".join(lines)).location
    assert "20000 new" in words(parsed(browser.get(path)).find("main"))
    assert step(browser, path, "import").status_code == 303
    assert clinic.house.count(Patient) == there + 20_000
