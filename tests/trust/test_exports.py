"""A history as a file: whole, for its people alone, for a while, under no name a visitor chooses (E1, E4-E8)."""

import csv
import io
import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from zipfile import ZipFile

import pytest
from werkzeug.test import TestResponse

from service.storage.models import Appointment, AuditEntry, Export, Treatment
from tests import patience
from tests.house import Browser, at
from tests.patience import until
from tests.web.frozen_clinic import Clinic, email
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock
from tests.web.pages import after_expiry

FIELDS = ("visit_type", "symptoms", "diagnosis", "treatment", "prescription", "notes")


def file_of(browser: Browser, export: str) -> TestResponse:
    return browser.get(f"/exports/{export}/file", buffered=True)


def wait_until_available(browser: Browser, path: str) -> None:
    until(lambda: 'data-state="available"' in browser.get(path).get_data(as_text=True))


def test_e1_a_patient_takes_the_whole_history_along_without_asking_anybody(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    for day in range(1, 24):
        words = {name: f"{name} of day {day}, with “quotes”, 'marks' and\na line break" for name in FIELDS[1:]}
        clinic.house.treated(doll, clinic.pia, at(f"2026-03-{day:02} 10:00"), visit_type="Check-up", **words)
    clinic.clock.shift(60)
    browser = clinic.browser("patient")
    answer = browser.post("/exports")
    wait_until_available(browser, answer.location)
    rows = list(csv.DictReader(io.StringIO(file_of(browser, answer.location.split("/")[-1]).data.decode("utf-8-sig"))))
    with clinic.house.reading() as session:
        stored = {
            tuple(getattr(row, name) for name in FIELDS)
            for row in session.query(Treatment).all()
            if row.diagnosis != "Tinnitus"
        }
    titles = ("Visit Type", "Symptoms", "Diagnosis", "Treatment", "Prescription", "Notes")
    assert len(rows) == 24
    assert {tuple(row[title] for title in titles) for row in rows} == stored
    assert {(row["Patient ID"], row["Patient Name"], row["Doctor Name"]) for row in rows} == {
        (str(clinic.pia), "Pia Ahorn", "Dr. Doll")
    }
    assert [row["Appointment Date"] for row in rows] == sorted((row["Appointment Date"] for row in rows), reverse=True)


def test_e1_a_doctor_makes_the_same_file_at_the_desk(clinic: Clinic) -> None:
    assert (
        file_of(clinic.browser("doctor"), clinic.export).data == file_of(clinic.browser("patient"), clinic.export).data
    )


def test_e1_a_zip_holds_as_much_as_the_database(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    browser = clinic.browser("patient")
    path = browser.post("/exports", {"format": "zip", "visits": "y", "messages": "y"}).location
    wait_until_available(browser, path)
    with ZipFile(io.BytesIO(file_of(browser, path.rpartition("/")[2]).data)) as found:
        files = {name.partition("/")[2]: found.read(name).decode("utf-8-sig") for name in found.namelist()}
    history = json.loads(files["history.json"])
    visits = clinic.house.count(Appointment, Appointment.patient_id == clinic.pia)
    assert (len(history["treatments"]), len(history["visits"])) == (1, visits)
    assert len(list(csv.reader(io.StringIO(files["visits.csv"])))) == visits + 1
    assert all("Hay fever" in files[name] for name in ("history.html", "treatments.csv", "history.json"))
    assert all("Tinnitus" not in text for text in files.values())


def test_e4_someone_elses_link_looks_like_a_missing_one(clinic: Clinic) -> None:
    for visitor in ("other patient", "other doctor"):
        browser = clinic.browser(visitor)
        for tail in ("", "/file"):
            foreign = browser.get(f"/exports/{clinic.export}{tail}", buffered=True)
            missing = browser.get(f"/exports/{'f' * 32}{tail}", buffered=True)
            assert (foreign.status_code, foreign.data) == (404, missing.data)
    assert clinic.house.count(AuditEntry, AuditEntry.act == "export.download") == 0


def test_e4_a_link_needs_a_sign_in(clinic: Clinic) -> None:
    answer = file_of(clinic.browser("nobody"), clinic.export)
    assert (answer.status_code, answer.location) == (303, f"/sign-in?next=/exports/{clinic.export}/file")


@pytest.mark.parametrize("visitor", ["receptionist", "admin"])
def test_e4_roles_without_clinical_rights_get_no_file(clinic: Clinic, visitor: str) -> None:
    assert file_of(clinic.browser(visitor), clinic.export).status_code == 403


def test_e4_the_id_has_128_random_bits(clinic: Clinic) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", clinic.export)
    assert len({clinic.export, clinic.other_export}) == 2


def test_e4_a_link_expires(clinic: Clinic) -> None:
    after_expiry(clinic)
    browser = clinic.house.browser(email("patient"))
    assert file_of(browser, clinic.export).status_code == 410
    assert 'data-state="expired"' in browser.get(f"/exports/{clinic.export}").get_data(as_text=True)


def test_e5_files_lie_in_a_closed_folder_and_are_removed_on_expiry(clinic: Clinic) -> None:
    folder = clinic.house.settings.histories
    file = folder / f"{clinic.export}.csv"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    after_expiry(clinic)
    clinic.house.clean_up()
    assert not file.exists()


ADDRESSES = [
    "/static/../exports/histories/{name}",
    "/static/%2e%2e/exports/histories/{name}",
    "/static/%2e%2e%2fexports%2fhistories%2f{name}",
    "/static/..%5cexports%5chistories%5c{name}",
    "/static/%252e%252e/exports/histories/{name}",
    "/static/css/../../exports/histories/{name}",
    "/static//{folder}/{name}",
    "/static/{folder}/{name}",
    "/exports/histories/{name}",
    "/exports/../exports/histories/{name}",
    "/histories/{name}",
    "/static/../rounds.db",
    "/static/../secret.key",
    "/static/../config.toml",
    "/static/../run.py",
]


@pytest.mark.parametrize("visitor", ["nobody", "patient", "admin"])
def test_e5_no_address_leads_to_the_files(clinic: Clinic, visitor: str) -> None:
    folder, browser = str(clinic.house.settings.histories).lstrip("/"), clinic.browser(visitor)
    for address in ADDRESSES:
        asked = address.format(name=f"{clinic.export}.csv", folder=folder)
        first = browser.get(asked, buffered=True)
        last = browser.get(asked, buffered=True, follow_redirects=True)
        assert first.status_code == 404 or first.location.startswith(("/sign-in", "http://localhost/static/")), asked
        assert last.mimetype == "text/html", asked
        assert b"Hay fever" not in last.data, asked


NAMES = [
    "..%2f..%2frounds.db",
    "..%2f{export}",
    "%2e%2e%2f{export}",
    "%2fetc%2fpasswd",
    "%00",
    "{export}%00",
    "{export}%00.csv",
    "{export}.csv",
    "{export}A",
    "%20{export}",
    "{export}%20",
    "C%3a%5cWindows%5cwin.ini",
    "..%5c..%5crounds.db",
    "CON",
    "NUL",
    "aux.csv",
    "%ff%fe",
    "%ed%a0%80",
    "x" * 300,
    "'%20OR%201=1%20--",
]


def test_e6_no_name_in_the_address_becomes_a_path(clinic: Clinic) -> None:
    browser = clinic.browser("patient")
    for name in NAMES:
        for tail in ("", "/file"):
            asked = f"/exports/{name.format(export=clinic.export)}{tail}"
            assert browser.get(asked, buffered=True).status_code == 404, asked


def test_e7_the_file_is_an_attachment_with_a_day_for_a_name(clinic: Clinic) -> None:
    answer = file_of(clinic.browser("patient"), clinic.export)
    assert answer.headers["Content-Disposition"] == "attachment; filename=history-2026-05-06.csv"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_e7_no_address_on_the_way_tells_who_it_is_about(clinic: Clinic) -> None:
    answer = clinic.browser("patient").post("/exports", {"patient_id": clinic.pia})
    assert re.fullmatch(r"/exports/[0-9a-f]{32}", answer.location)
    assert sorted(file.name for file in clinic.house.settings.histories.iterdir()) == sorted(
        [f"{clinic.export}.csv", f"{clinic.other_export}.csv", f"{clinic.clinic_export}.zip"]
    )


def test_e8_fifty_clicks_make_one_file(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    browser = clinic.browser("patient")
    token, session_cookie = browser.token(), browser.client.get_cookie(browser.cookie_name)
    assert session_cookie is not None

    def click(_number: int) -> str:
        client = clinic.house.app.test_client()
        client.set_cookie(clinic.house.cookie_name, session_cookie.value)
        answer = client.post("/exports", data={"csrf_token": token, "patient_id": clinic.pia})
        assert answer.status_code == 303
        return str(answer.location)

    with ThreadPoolExecutor(8) as hands:
        (path,) = set(hands.map(click, range(50)))
    wait_until_available(browser, path)
    assert clinic.house.count(Export, Export.patient_id == clinic.pia) == 2
    assert len(list(clinic.house.settings.histories.glob("*.csv"))) == 3


def test_e8_no_second_export_starts_while_one_is_unfinished(clinic: Clinic) -> None:
    clinic.clock.shift(60)
    clinic.house.wiring.queue.stop(patience.SECONDS)  # no one works at it
    patient, doctor = clinic.browser("patient"), clinic.browser("doctor")
    first = patient.post("/exports", {"patient_id": clinic.pia})
    clinic.clock.shift(300)
    doctor.get("/today")
    assert doctor.post("/exports", {"patient_id": clinic.pia}).location == first.location
    assert clinic.house.count(Export, Export.status == "pending") == 1
