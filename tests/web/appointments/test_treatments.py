"""A patient's history, and the form in which a doctor records a treatment."""

from datetime import date, timedelta

import pytest
from werkzeug.test import TestResponse

from service.storage.models import Appointment, AuditEntry, Guardian, Treatment, TreatmentVersion
from tests.house import at
from tests.web.frozen_clinic import NOW, Clinic
from tests.web.reading import attribute, links, one, parsed, words

FULL = {
    "visit_type": "Check-up",
    "symptoms": "Red eyes",
    "diagnosis": "Allergy",
    "treatment": "Drops",
    "prescription": "Cetirizine",
    "notes": "None",
    "next_visit": "2026-06-01",
}


def form(clinic: Clinic, visit: int | None = None) -> str:
    return f"/appointments/{visit or clinic.begun}/treatment"


def stored(clinic: Clinic, visit: int) -> Treatment:
    with clinic.house.reading() as session:
        return session.query(Treatment).where(Treatment.appointment_id == visit).one()


def field(answer: TestResponse, name: str) -> str:
    """Return the content of a form field."""
    found = one(parsed(answer), f"main [name={name}]")
    if found.name == "input":
        return str(found.get("value", ""))
    return found.get_text().removeprefix("\r\n")  # the first line break of a text area is not part of it


def test_saving_completes_the_appointment_and_says_so(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    answer = browser.post(form(clinic), FULL, follow_redirects=True)
    assert answer.request.path == f"/appointments/{clinic.begun}"
    assert "saved" in words(one(parsed(answer), "[role=status]"))
    treatment = stored(clinic, clinic.begun)
    assert {name: getattr(treatment, name) for name in FULL} == {**FULL, "next_visit": date(2026, 6, 1)}
    assert clinic.house.count(Appointment, Appointment.id == clinic.begun, Appointment.status == "completed") == 1
    assert clinic.house.count(AuditEntry, AuditEntry.act == "treatment.record") == 1


def test_the_form_opens_with_the_recorded_treatment(clinic: Clinic) -> None:
    page = clinic.browser("doctor").get(form(clinic, clinic.past))
    assert field(page, "diagnosis") == "Hay fever"
    assert field(page, "next_visit") == "06/05/2026"
    assert field(page, "visit_type") == "Check-up"


def test_a_correction_keeps_the_earlier_version(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    version = field(browser.get(form(clinic, clinic.past)), "version")
    answer = browser.post(form(clinic, clinic.past), {**FULL, "version": version})
    assert answer.status_code == 303
    assert stored(clinic, clinic.past).diagnosis == "Allergy"
    with clinic.house.reading() as session:
        kept = session.query(TreatmentVersion).one()
    assert kept.fields["diagnosis"] == "Hay fever"
    assert kept.fields["next_visit"] == "2026-05-06"
    assert clinic.house.count(AuditEntry, AuditEntry.act == "treatment.correct") == 1


def test_saving_again_without_changes_makes_no_version(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    for _press in range(2):
        assert browser.post(form(clinic), FULL).status_code == 303
    assert clinic.house.count(TreatmentVersion) == 0
    assert stored(clinic, clinic.begun).version == 1


def test_a_stale_form_shows_both_texts_and_saving_again_applies_mine(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    opened = field(browser.get(form(clinic, clinic.past)), "version")
    browser.post(form(clinic, clinic.past), {"diagnosis": "Somebody was faster", "version": opened})
    answer = browser.post(form(clinic, clinic.past), {"diagnosis": "This is mine", "version": opened})
    assert answer.status_code == 409
    assert field(answer, "diagnosis") == "This is mine"
    assert "Somebody was faster" in words(parsed(answer).find("main"))
    assert stored(clinic, clinic.past).diagnosis == "Somebody was faster"
    again = browser.post(form(clinic, clinic.past), {"diagnosis": "This is mine", "version": field(answer, "version")})
    assert again.status_code == 303
    assert stored(clinic, clinic.past).diagnosis == "This is mine"
    assert clinic.house.count(TreatmentVersion) == 2


def test_two_first_recordings_do_not_overwrite_each_other(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    opened = field(browser.get(form(clinic)), "version")
    assert browser.post(form(clinic), {"notes": "First", "version": opened}).status_code == 303
    answer = browser.post(form(clinic), {"notes": "Second", "version": opened})
    assert answer.status_code == 409
    assert stored(clinic, clinic.begun).notes == "First"


def test_a_treatment_cannot_be_recorded_before_the_start(clinic: Clinic) -> None:
    browser = clinic.browser("doctor")
    assert browser.get(form(clinic, clinic.later)).status_code == 409
    answer = browser.post(form(clinic, clinic.later), FULL)
    assert answer.status_code == 409
    assert "started yet" in answer.get_data(as_text=True)
    clinic.clock.move_to(at("2026-05-06 08:14"))
    browser.get("/today")
    ends_at = at("2026-05-06 08:20")
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, at("2026-05-06 08:15"), ends_at=ends_at)
    soon = clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.otto, at("2026-05-06 08:20"))
    assert browser.post(form(clinic, soon), FULL).status_code == 409
    clinic.clock.move_to(at("2026-05-06 08:20"))
    assert browser.post(form(clinic, soon), FULL).status_code == 303


@pytest.mark.parametrize("status", ["cancelled", "no_show"])
def test_appointments_that_did_not_take_place_have_no_treatment(clinic: Clinic, status: str) -> None:
    visit = clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW - timedelta(hours=3), status=status)
    browser = clinic.browser("doctor")
    assert browser.get(form(clinic, visit)).status_code == 409
    assert browser.post(form(clinic, visit), FULL).status_code == 409
    assert clinic.house.count(Treatment) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("next_visit", "31.06.2026"),
        ("next_visit", "2026-02-30"),
        ("next_visit", "soon"),
        ("next_visit", "2026-05-04"),
        ("visit_type", "x" * 61),
        ("notes", "x" * 20_001),
    ],
)
def test_a_refused_form_keeps_what_was_typed(clinic: Clinic, name: str, value: str) -> None:
    answer = clinic.browser("doctor").post(form(clinic), {**FULL, name: value})
    assert answer.status_code == 422
    assert parsed(answer).find(id=f"{name}-error") is not None
    assert {key: field(answer, key) for key in FULL} == {**FULL, name: value}
    assert clinic.house.count(Treatment) == 2


def test_an_empty_form_is_refused(clinic: Clinic) -> None:
    for empty in ({}, dict.fromkeys(FULL, ""), {"notes": " \n\t "}):
        assert clinic.browser("doctor").post(form(clinic), dict(empty)).status_code == 422
    assert clinic.house.count(Appointment, Appointment.id == clinic.begun, Appointment.status == "booked") == 1


def test_browser_line_breaks_are_stored_as_one_character(clinic: Clinic) -> None:
    clinic.browser("doctor").post(form(clinic), {"notes": "  one\r\ntwo\rthree\n\r\nfour \r\n"})
    assert stored(clinic, clinic.begun).notes == "one\ntwo\nthree\n\nfour"


@pytest.mark.parametrize("text", ["漢字 и кириллица", "🙂 مرحبا", "e\u0301", "a\u202eb", "Ⅷ ﬁ"])
def test_any_script_is_kept_as_typed(clinic: Clinic, text: str) -> None:
    assert clinic.browser("doctor").post(form(clinic), {"notes": text}).status_code == 303
    assert stored(clinic, clinic.begun).notes == text
    assert text in clinic.browser("patient").get("/treatments").get_data(as_text=True)


def test_texts_of_the_maximum_length_are_stored_in_full(clinic: Clinic) -> None:
    longest = dict.fromkeys(("symptoms", "diagnosis", "treatment", "prescription", "notes"), "ä" * 20_000)
    assert clinic.browser("doctor").post(form(clinic), {**longest, "visit_type": "ä" * 60}).status_code == 303
    assert stored(clinic, clinic.begun).notes == longest["notes"]


def test_my_history_is_newest_first_and_paged_by_key(clinic: Clinic) -> None:
    doll = clinic.people["doctor"].doctor_id
    for number in range(45):
        clinic.house.treated(doll, clinic.pia, at("2026-01-01 08:00") + timedelta(days=number // 2), notes=f"N{number}")
    browser, path, seen = clinic.browser("patient"), "/treatments", list[str]()
    while path:
        page = parsed(browser.get(path))
        older = page.find("a", class_="older")
        seen += [words(article) for article in page.find_all("article")]
        path = str(older["href"]) if older else ""
        assert len(seen) <= 46
    assert "Hay fever" in seen[0]
    assert [text.split()[-1] for text in seen[1:]] == [f"N{number}" for number in reversed(range(45))]


def test_a_family_chooses_whose_history_it_reads(clinic: Clinic) -> None:
    child = clinic.house.patient("Kim Ahorn")
    clinic.house.treated(clinic.people["doctor"].doctor_id, child, at("2026-02-01 08:00"), diagnosis="Measles")
    with clinic.house.writing() as session:
        session.add(Guardian(user_id=clinic.people["patient"].user_id, patient_id=child, created_at=NOW))
    browser = clinic.browser("patient")
    page = parsed(browser.get(f"/treatments?patient_id={child}"))
    assert "Measles" in words(page)
    assert "Hay fever" not in words(page)
    assert attribute(page, "form[action='/exports'] input[name=patient_id]", "value") == str(child)
    assert {link for link in links(page) if "patient_id" in link} == {
        f"?patient_id={child}",
        f"?patient_id={clinic.pia}",
        f"/who-looked?patient_id={child}",
        f"/exports/new?patient_id={child}",
    }
    assert browser.get(f"/treatments?patient_id={clinic.otto}").status_code == 404


def test_the_history_lists_the_latest_exports(clinic: Clinic) -> None:
    assert f"/exports/{clinic.export}" in links(parsed(clinic.browser("patient").get("/treatments")))


def test_an_account_without_a_patient_has_no_history(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.query(Guardian).where(Guardian.user_id == clinic.people["patient"].user_id).delete()
    browser = clinic.browser("patient")
    assert browser.get("/treatments").status_code == 404
    assert browser.get("/appointments").status_code == 200
    assert browser.post("/exports").status_code == 422


def test_reading_a_patient_record_is_logged(clinic: Clinic) -> None:
    page = parsed(clinic.browser("doctor").get(f"/patients/{clinic.pia}"))
    assert words(page.find("h1")) == "Pia Ahorn"
    assert "Hay fever" in words(page)
    assert f"/appointments/{clinic.later}" in links(page)
    views = (AuditEntry.act == "patient.view", AuditEntry.patient_id == clinic.pia)
    assert clinic.house.count(AuditEntry, *views, AuditEntry.user_id == clinic.people["doctor"].user_id) == 1
    clinic.browser("other doctor").get(f"/patients/{clinic.pia}")
    assert clinic.house.count(AuditEntry, *views) == 1
