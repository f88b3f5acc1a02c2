"""Patients' pages: found from the top bar, a record for doctors, contact data for the desk, forms that lose nothing."""

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from service.storage.models import AuditEntry, Patient
from tests.house import at
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.frozen_clinic import the_log as the_log
from tests.web.reading import attribute, faults, links, one, parsed, words

DESK = ["receptionist", "admin"]
CLINICAL = ("Penicillin", "Pacemaker", "Hay fever", "Itching", "Cetirizine")


def row(clinic: Clinic, patient_id: int) -> Patient:
    with clinic.house.reading() as session:
        return session.get_one(Patient, patient_id)


def alert(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        pia = session.get_one(Patient, clinic.pia)
        pia.allergies, pia.alerts = "Penicillin", "Pacemaker"


def names(answer: TestResponse) -> list[str]:
    return [words(cell) for cell in parsed(answer).select("main table.people tbody th a")]


# Finding


@pytest.mark.parametrize("visitor", ["receptionist", "doctor", "admin"])
def test_the_top_bar_of_staff_finds_patients(clinic: Clinic, visitor: str) -> None:
    browser = clinic.browser(visitor)
    form = one(parsed(browser.get("/today")), "form[role=search]")
    assert (form["action"], attribute(form, "input[type=search]", "name")) == ("/patients", "q")
    assert names(browser.get("/patients?q=AHORN")) == ["Pia Ahorn"]


def test_a_search_by_phone_or_birth_date_leads_to_the_patient(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    for typed in ("2.1.1970", "gast 02.01.70"):
        answer = browser.get("/patients", query_string={"q": typed})
        assert names(answer) == ["Gus Gast"]
        assert f"/patients/{clinic.guest}" in links(parsed(answer))
    assert names(browser.get("/patients", query_string={"q": "030 765"})) == ["Otto Birke"]


def test_z5_a_doctor_does_not_find_other_doctors_patients(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    assert names(browser.get("/patients?q=otto")) == []
    assert "Otto" not in browser.get("/patients").get_data(as_text=True)
    assert names(clinic.browser("other doctor").get("/patients?q=otto")) == ["Otto Birke"]


def test_a_search_without_a_hit_says_what_else_to_try(clinic: Clinic) -> None:
    page = parsed(clinic.browser("receptionist").get("/patients?q=zzz"))
    assert "No patients found" in words(page.find("main"))
    assert attribute(page, "#find", "value") == "zzz"


def test_a_long_list_has_pages(clinic: Clinic) -> None:
    for number in range(30):
        clinic.house.patient(f"Zelda {number:02}")
    browser = clinic.browser("receptionist")
    first = browser.get("/patients?q=zelda")
    assert len(names(first)) == 25
    second = browser.get(attribute(parsed(first), "a.older", "href"))
    assert names(second) == [f"Zelda {number}" for number in range(25, 30)]


@pytest.mark.parametrize("after", ["0", "x", "-1", "9" * 30, str(2**63), "999999", "1;drop"])
def test_w2_a_page_behind_what_is_no_patient_is_missing(clinic: Clinic, after: str) -> None:
    assert clinic.browser("receptionist").get(f"/patients?q=a&after={after}").status_code == 404


def test_w9_the_log_does_not_carry_what_was_searched_for(clinic: Clinic, logged: Callable[[], str]) -> None:
    clinic.browser("receptionist").get("/patients?q=Ahorn-Geheim")
    assert "route=/patients" in logged()
    assert "geheim" not in logged().casefold()


def test_those_who_registered_themselves_wait_to_be_confirmed(clinic: Clinic) -> None:
    newcomer = clinic.house.patient("Nele Neumann", registered_at=NOW)
    browser = clinic.browser("receptionist")
    assert "Not confirmed" in words(parsed(browser.get("/patients")).find("main"))
    answer = browser.post(f"/patients/{newcomer}/confirmation")
    assert (answer.status_code, answer.location) == (303, f"/patients/{newcomer}")
    assert "Not confirmed" not in words(parsed(browser.get("/patients")).find("main"))
    assert row(clinic, newcomer).registered_at is None


# One patient


@pytest.mark.parametrize("visitor", DESK)
def test_the_desk_sees_contact_and_visits_and_no_clinical_text(clinic: Clinic, visitor: str) -> None:
    alert(clinic)
    browser = clinic.browser(visitor)
    text = browser.get(f"/patients/{clinic.pia}").get_data(as_text=True)
    found = links(parsed(text))
    assert "030 1234567" in text
    assert f"/appointments/new?patient_id={clinic.pia}" in found
    assert f"/waitlist?patient_id={clinic.pia}" in found
    assert {f"/appointments/{visit}" for visit in (clinic.later, clinic.ahead, clinic.past)} <= set(found)
    for path in ("", "/edit", "/merge", "/guardians", f"/merge?other_id={clinic.guest}"):
        text = browser.get(f"/patients/{clinic.pia}{path}").get_data(as_text=True)
        assert not [secret for secret in CLINICAL if secret in text], path


def test_a_doctor_reads_allergies_and_alerts_first(clinic: Clinic) -> None:
    alert(clinic)
    page = parsed(clinic.browser("doctor").get(f"/patients/{clinic.pia}"))
    assert words(one(page, ".alerts h2")) == "Chart alerts"
    assert "Penicillin" in words(one(page, ".alerts"))
    text = words(page.find("main"))
    assert text.index("Pacemaker") < text.index("Recent appointments") < text.index("Hay fever")


def test_l1_a_look_of_the_desk_is_on_record_too(clinic: Clinic) -> None:
    clinic.browser("receptionist").get(f"/patients/{clinic.pia}")
    views = (AuditEntry.act == "patient.view", AuditEntry.patient_id == clinic.pia)
    assert clinic.house.count(AuditEntry, *views, AuditEntry.role == "receptionist") == 1


# Archive


def test_archive_and_back(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    assert browser.post(f"/patients/{clinic.guest}/archival").status_code == 303
    page = parsed(browser.get(f"/patients/{clinic.guest}"))
    assert f"/appointments/new?patient_id={clinic.guest}" not in links(page)
    assert "Archived" in words(parsed(browser.get("/patients?q=gast")).find("main"))
    assert browser.post(f"/patients/{clinic.guest}/restoration").status_code == 303
    assert row(clinic, clinic.guest).archived_at is None


def test_a_patient_with_visits_ahead_is_not_archived(clinic: Clinic) -> None:
    answer = clinic.browser("receptionist").post(f"/patients/{clinic.pia}/archival")
    assert answer.status_code == 409
    assert "has upcoming appointments" in answer.get_data(as_text=True)
    assert row(clinic, clinic.pia).archived_at is None


def test_pages_of_archived_waiting_and_refused_people_are_sound(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    ids = [
        clinic.house.patient("Old One", archived_at=at("2026-01-01 08:00")),
        clinic.house.patient("Pia Ahorn", registered_at=NOW, email="patient@clinic.example"),
        clinic.house.patient("Quite New", registered_at=NOW),
    ]
    answers = [browser.get(f"/patients/{number}") for number in ids]
    answers += [
        browser.get("/patients"),
        browser.get("/patients?q=o"),
        browser.post("/patients/new", {"name": "Old One"}),
    ]
    form = {"name": "x", "version": "0"}
    answers += [browser.post(f"/patients/{clinic.pia}/edit", form), browser.post(f"/patients/{clinic.pia}/edit", {})]
    answers += [clinic.browser("doctor").post(f"/patients/{clinic.pia}/alerts", {"version": "0"})]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 200, 409, 409, 422, 409]
    assert [faults(answer.get_data(as_text=True)) for answer in answers] == [[]] * len(answers)
